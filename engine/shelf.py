"""The models that the user added: a name for each folder, and which one is used by default.

One small file says it all; what was downloaded, or says where a server is, lies beside it. Nothing
heavy is imported here.
"""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from platformdirs import user_data_path

from engine.errors import CheckpointError

SHIPPED = "default"
"""The name of the model that comes with Sfumato."""
SHIPPED_FOLDER = Path(__file__).parent / "weights" / "default"

_NAME = re.compile(r"\w[\w.-]*")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_WORDS = ("*.json", "merges.txt", "LICENSE*", "README.md", "SHA256SUMS")
_WANTED = (*_WORDS, "*.safetensors")
"""Never what is pickled, never code."""


@dataclass(slots=True)
class Shelf:
    """What the file says.

    folder   where it lies, and what we downloaded or wrote
    models   the folder of each added model, by name
    chosen   the one used where no other is asked for
    """

    folder: Path
    models: dict[str, Path] = field(default_factory=dict[str, Path])
    chosen: str = SHIPPED

    @classmethod
    def open(cls) -> "Shelf":
        """The shelf of this user. Raises CheckpointError where its file is not ours."""
        folder = user_data_path("sfumato", appauthor=False) / "models"
        try:
            found = json.loads((folder / "shelf.json").read_text())
            listed = cast("dict[str, Any]", found["models"])
            models = {name: Path(str(path)) for name, path in listed.items()}
            return cls(folder, models, str(found["chosen"]))
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{folder / 'shelf.json'} cannot be read: {error!r}") from error

    def path(self, name: str) -> Path:
        """The folder of a model. Raises CheckpointError for a name that is not there."""
        if name == SHIPPED:
            return SHIPPED_FOLDER
        if name not in self.models:
            known = ", ".join([SHIPPED, *self.models])
            raise CheckpointError(f'there is no model "{name}"; there are: {known}')
        return self.models[name]

    def put(self, name: str, path: Path) -> None:
        """Add a model."""
        self.models[name] = path
        self._save()

    def choose(self, name: str) -> None:
        """Use a model where no other is asked for."""
        self.path(name)
        self.chosen = name
        self._save()

    def remove(self, name: str) -> bool:
        """Forget a model; whether its folder was deleted, as what we made is."""
        path = self.path(name)
        if name == SHIPPED:
            raise CheckpointError("the model that ships cannot be removed")
        del self.models[name]
        if self.chosen == name:
            self.chosen = SHIPPED
        self._save()
        ours = path.parent == self.folder
        if ours:
            shutil.rmtree(path, ignore_errors=True)
        return ours

    def free_name(self, wanted: str) -> str:
        """The name, if a model may have it. Raises CheckpointError."""
        if not _NAME.fullmatch(wanted):
            raise CheckpointError(
                f'"{wanted}" is no name for a model: give one of letters, digits, ".", "-" and "_"'
                " with --name"
            )
        if wanted == SHIPPED or wanted in self.models:
            raise CheckpointError(
                f'there is a model "{wanted}" already: give another name with --name, or remove it'
            )
        return wanted

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        models = {name: str(path) for name, path in self.models.items()}
        fresh = self.folder / "shelf.json.new"
        fresh.write_text(json.dumps({"chosen": self.chosen, "models": models}, indent=1) + "\n")
        fresh.replace(self.folder / "shelf.json")


def model_folder(asked: Path | None = None) -> Path:
    """The folder asked for, by path or by name on the shelf; the chosen one where none is.

    Raises CheckpointError.
    """
    if asked is not None and (asked.exists() or not _NAME.fullmatch(str(asked))):
        return asked
    shelf = Shelf.open()
    if asked is None:
        return shelf.path(shelf.chosen)
    known = str(asked) == SHIPPED or str(asked) in shelf.models
    return shelf.path(str(asked)) if known else asked


def fetch(source: str, to: Path, *, weights: bool = True) -> None:
    """Download a repository of the hub, with progress; what is there already is not asked again.

    weights  or all but them, which says whether they are worth it

    Raises CheckpointError.
    """
    if not _REPOSITORY.fullmatch(source):
        raise CheckpointError(
            f'"{source}" is neither a folder nor a repository of the hub, such as owner/name'
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise CheckpointError(
            "downloading needs huggingface_hub: pip install 'sfumato[models]'"
        ) from error
    try:
        snapshot_download(source, local_dir=to, allow_patterns=list(_WANTED if weights else _WORDS))
    except Exception as error:  # what HTTP, the hub and the disk raise has no end
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{source} could not be fetched ({reason:.300}): try again, what has come is kept"
        ) from error
