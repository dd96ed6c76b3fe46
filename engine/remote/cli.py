"""`sfumato endpoint`: name the servers of others that may be the engine."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from platformdirs import user_data_path

from engine.errors import CheckpointError
from engine.remote.endpoint import Endpoint, Kind, is_in
from engine.remote.templates import TEMPLATES


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands. Raises CheckpointError, one sentence, on bad input."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "add":
            _add(options)
        case "remove":
            shutil.rmtree(_folder_of(options.name))
        case _:
            for folder in _folders():
                print(_line(folder))
    return 0


def shelf() -> Path:
    """Where this user's endpoints are."""
    return user_data_path("sfumato", appauthor=False) / "endpoints"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfumato endpoint",
        description="Use somebody else's server as the engine; what it says is checked here.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="name a server")
    add.add_argument("kind", choices=get_args(Kind), metavar="KIND", help=", ".join(get_args(Kind)))
    add.add_argument("--name", help="of the endpoint, among yours (default: the kind)")
    add.add_argument("--url", default="", help="default: where such servers usually are")
    add.add_argument("--model", default="", help="what the server calls it, if it has several")
    add.add_argument(
        "--key", default="", metavar="NAME", help="of the API key in the environment or keyring"
    )
    add.add_argument(
        "--template",
        default="",
        metavar="TEXT",
        help=f"how the model is asked for a middle, where the server does not know:"
        f" {', '.join(TEMPLATES)}, or a text with {{prefix}} and {{suffix}}",
    )
    commands.add_parser("list", help="the servers that were named")
    remove = commands.add_parser("remove", help="forget a server")
    remove.add_argument("name", metavar="NAME")
    return parser


def _add(options: argparse.Namespace) -> None:
    endpoint = Endpoint.usual(
        options.kind,
        url=options.url,
        model=options.model,
        key=options.key,
        template=options.template,
    )
    name: str = options.name or options.kind
    if Path(name).name != name:
        raise CheckpointError(f"a name is one word without slashes, found {name!r}")
    folder = shelf() / name
    endpoint.save(folder)
    print(_line(folder))
    print(f"Try it with: sfumato doctor --model {folder}")
    print(f"Use it with: sfumato lsp --model {folder}")


def _folders() -> list[Path]:
    return sorted(folder for folder in shelf().glob("*") if is_in(folder))


def _folder_of(name: str) -> Path:
    for folder in _folders():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in _folders()) or "none"
    raise CheckpointError(f"there is no endpoint {name!r}, there are: {known}")


def _line(folder: Path) -> str:
    endpoint = Endpoint.load(folder)
    model = f"{endpoint.model} at " if endpoint.model else ""
    key = f", with the key {endpoint.key}" if endpoint.key else ""
    return f"{folder.name}: {endpoint.kind}, {model}{endpoint.url}{key}"
