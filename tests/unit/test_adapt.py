"""What a model may learn of a project, and what it is measured on."""

from pathlib import Path

import pytest

from engine.errors import CorpusError
from engine.train.adapt import divide, draw_holes
from engine.train.corpus import SourceFile, source_files
from engine.train.corpus.secrets import without_secrets
from engine.train.items import KINDS
from tests.support.repositories import write
from tests.support.tiny_model import source_code

FILES = [SourceFile(f"src/{n}.py", "python", source_code(6, seed=n)) for n in range(20)]
LETTERS = "Zq8Lw3Vn7Kx2Rt9Yp4Mb6Hd1Jc5Gf0Sa"


def with_line(line: str, path: str = "src/settings.py") -> SourceFile:
    return SourceFile(path, "python", f"{source_code(6, seed=99)}\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        f'AWS_ACCESS_KEY_ID = "AKIA{LETTERS[:16].upper()}"',
        f'token = "ghp_{LETTERS}{LETTERS[:4]}"',
        f'password = "{LETTERS[:12]}"',
        "-----BEGIN RSA PRIVATE KEY-----",  # pragma: allowlist secret
        f'KEY = "{LETTERS}{LETTERS[::-1]}"',
        f'url = "https://someone:{LETTERS[:9]}@example.org/"',
    ],
)
def test_files_with_secrets_are_left_out(line: str) -> None:
    spoiled = with_line(line)
    project = divide([*FILES[:2], spoiled])
    assert spoiled not in [*project.learned, *project.held_out]
    assert project.secret == [spoiled]


@pytest.mark.parametrize(
    "line", ['password = os.environ["PASSWORD"]', "def token(key: str) -> str: ...", 'secret = ""']
)
def test_speaking_of_secrets_is_no_secret(line: str) -> None:
    assert without_secrets([with_line(line)]) == ([with_line(line)], [])


def test_files_that_are_no_code_are_not_even_read(tmp_path: Path) -> None:
    secret = f"PASSWORD={LETTERS}\n" * 20
    write(tmp_path, {".env": secret, "a/.env.local": secret, "key.pem": secret, "id_rsa": secret})
    assert list(source_files([tmp_path])) == []


def test_a_project_is_divided_alike_each_time_and_as_it_grows() -> None:
    project = divide(FILES)
    assert len(project.held_out) == 3
    assert sorted(file.path for file in project.learned + project.held_out) == sorted(
        file.path for file in FILES
    )
    assert divide(FILES[::-1]) == project
    grown = divide([*FILES, with_line("x = 1", "src/new.py")])
    assert len({*grown.held_out} & {*project.held_out}) >= 2


@pytest.mark.parametrize(
    "files", [[], FILES[:1], [FILES[0], with_line('password = "Zq8Lw3Vn7Kx2"')]]
)
def test_a_project_with_too_few_files_is_refused(files: list[SourceFile]) -> None:
    with pytest.raises(CorpusError, match="two"):
        divide(files)


def test_there_are_holes_enough_where_files_are_few() -> None:
    items = draw_holes(FILES[:3], 12)
    counts = {kind: sum(item.kind == kind for item in items) for kind in KINDS}
    assert all(count >= 6 for count in counts.values()), counts
    assert len(set(items)) == len(items)
