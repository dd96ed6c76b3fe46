"""`sfumato model`: add, list, use, remove and describe models, and servers that have one."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from engine.errors import CheckpointError, EndpointError
from engine.remote.endpoint import Endpoint, Kind, is_in
from engine.remote.keys import find_key
from engine.remote.templates import TEMPLATES
from engine.shelf import SHIPPED, Shelf, fetch

_OF_A_SERVER = ("url", "model", "key", "template")


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands. Raises CheckpointError."""
    options, shelf = _parser().parse_args(arguments), Shelf.open()
    match options.command:
        case "add":
            _add(shelf, options)
        case "list":
            _list(shelf)
        case "use":
            shelf.choose(options.name)
            print(_used(options.name, shelf.path(options.name)))
        case "remove":
            deleted = shelf.remove(options.name)
            print(f"Removed {options.name}{'' if deleted else '; its folder stays'}.")
        case _:
            _describe(options.name, shelf.path(options.name))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfumato model", description="Models to complete code with: ours, yours, a server's."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_arguments(commands.add_parser("add", help="add a model, or a server that has one"))
    commands.add_parser("list", help="say which there are; the one in use has a *")
    for command, what in (
        ("use", "complete with this one, unless --model or a setting says otherwise"),
        ("remove", "forget it, and delete what was downloaded"),
        ("info", "say what it is and how large"),
    ):
        commands.add_parser(command, help=what).add_argument("name")
    return parser


def _add_arguments(add: argparse.ArgumentParser) -> None:
    kinds = ", ".join(get_args(Kind))
    add.add_argument(
        "source",
        metavar="SOURCE",
        help=f"a folder, a repository of the Hugging Face hub (owner/name), or a server: {kinds}",
    )
    add.add_argument("--name", help="default: the last part of SOURCE")
    server = add.add_argument_group("of a server")
    server.add_argument("--url", default="", help="default: where such servers usually are")
    server.add_argument("--model", default="", help="what it calls the model, if it has several")
    server.add_argument(
        "--key", default="", metavar="NAME", help="of the API key in the environment or keyring"
    )
    server.add_argument(
        "--template",
        default="",
        metavar="TEXT",
        help=f"how the model is asked for a middle, where the server does not know:"
        f" {', '.join(TEMPLATES)}, or a text with {{prefix}} and {{suffix}}",
    )


def _add(shelf: Shelf, options: argparse.Namespace) -> None:
    """Put a model on the shelf, once it is known to be one."""
    given = {word: str(getattr(options, word)) for word in _OF_A_SERVER}
    source: str = options.source
    if source in get_args(Kind):
        endpoint = Endpoint.usual(source, **given)
        name, path = _place(shelf, options.name or source)
        endpoint.save(path)
        what = endpoint.summary
    elif any(given.values()):
        raise CheckpointError(
            f"{', '.join(f'--{word}' for word in given if given[word])} is said of a server:"
            f" {', '.join(get_args(Kind))}; {source} is none"
        )
    else:
        name, path, what = _fetched(shelf, source, options.name)
    shelf.put(name, path)
    print(f"Added {name}: {what}. Complete with it: sfumato model use {name}")


def _fetched(shelf: Shelf, source: str, name: str | None) -> tuple[str, Path, str]:
    """Name, folder and family of a model in a folder or on the hub."""
    from engine.families import describe, refuse_unless_known

    own = Path(source).expanduser()
    name, path = _place(shelf, name or own.resolve().name)
    if own.is_dir():
        path = own.resolve()
    else:
        fetch(source, path, weights=False)
        refuse_unless_known(path)
        fetch(source, path)
    return name, path, describe(path).family


def _place(shelf: Shelf, name: str) -> tuple[str, Path]:
    """A name that is free, and where the shelf keeps what has that name."""
    return shelf.free_name(name), shelf.folder / name


def _list(shelf: Shelf) -> None:
    widest = max(map(len, (SHIPPED, *shelf.models)))
    for name in (SHIPPED, *shelf.models):
        mark = "*" if name == shelf.chosen else " "
        print(f"{mark} {name:{widest}}  {_summary(name, shelf.path(name))}")


def _summary(name: str, path: Path) -> str:
    if name == SHIPPED:
        return "the model that ships"
    return Endpoint.load(path).summary if is_in(path) else str(path)


def _used(name: str, path: Path) -> str:
    if is_in(path):
        where = Endpoint.load(path).host
        return f"Editors that start from now on send the text around the cursor to {where}."
    return f"Editors that start from now on complete with {name}."


def _describe(name: str, path: Path) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("name", name)
    table.add_row("folder", str(path))
    for row in _server_rows(Endpoint.load(path)) if is_in(path) else _model_rows(path):
        table.add_row(*row)
    Console(soft_wrap=True).print(table, highlight=False, markup=False)


def _model_rows(path: Path) -> Iterator[tuple[str, str]]:
    from engine.families import describe

    found = describe(path)
    yield "family", found.family
    yield "parameters", f"{found.parameters / 1e6:,.1f} million"
    yield "on disk", f"{found.size_bytes / 1e9:,.2f} GB, {found.dtype}"
    yield "sees", "both sides of the hole" if found.facts.sees_suffix else "what is before the hole"
    if found.facts.block:
        yield "blocks", f"of {found.facts.block} tokens"
    yield "mask", "none" if found.facts.mask is None else f"token {found.facts.mask}"


def _server_rows(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    yield "server", f"{endpoint.kind} at {endpoint.url}"
    yield "model", endpoint.model or "the one it has"
    if endpoint.key:
        yield "key", f"{endpoint.key}, {_found(endpoint.key)}"
    if endpoint.prompt_template:
        yield "prompt", repr(endpoint.prompt_template)
    yield "is sent", f"at most {endpoint.context_bytes:,} bytes around the cursor"


def _found(key: str) -> str:
    try:
        find_key(key)
    except EndpointError:
        return "which is not there"
    return "which is there"
