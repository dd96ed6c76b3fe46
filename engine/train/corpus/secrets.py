"""Files that hold a password, a key or a token: what is learned may be said again, to anybody."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from engine.train.corpus.sources import SourceFile


def without_secrets(files: Iterable[SourceFile]) -> tuple[list[SourceFile], list[SourceFile]]:
    """The files in which no secret was found, and the others.

    What looks like one counts as one: a file too few costs little. Files such as .env and .pem are
    no code and are never read to begin with.
    """
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    sound: list[SourceFile] = []
    secret: list[SourceFile] = []
    with default_settings(), TemporaryDirectory() as folder:
        for file in files:
            copy = Path(folder) / PurePosixPath(file.path).name  # the detector goes by the ending
            copy.write_text(file.text)
            found = any(True for _ in scan_file(str(copy)))
            (secret if found else sound).append(file)
            copy.unlink()
    return sound, secret
