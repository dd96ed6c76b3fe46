"""`sfumato model`: add, list, use, remove and describe models."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.shelf import SHIPPED, Shelf, fetch


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands. Raises CheckpointError."""
    parser = argparse.ArgumentParser(
        prog="sfumato model", description="Models to complete code with: yours and the one shipped."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="add a folder, or a repository of the Hugging Face hub")
    add.add_argument("source", metavar="PATH_OR_REPO")
    add.add_argument("--name", help="default: the last part of the path or repository")
    commands.add_parser("list", help="say which there are; the one in use has a *")
    for command, what in (
        ("use", "complete with this one, unless --model or a setting says otherwise"),
        ("remove", "forget it, and delete what was downloaded"),
        ("info", "say what it is and how large"),
    ):
        commands.add_parser(command, help=what).add_argument("name")
    _run(parser.parse_args(arguments))
    return 0


def _run(options: argparse.Namespace) -> None:
    shelf = Shelf.open()
    match options.command:
        case "add":
            _add(shelf, options.source, options.name)
        case "list":
            for name in (SHIPPED, *shelf.models):
                print(f"{'*' if name == shelf.chosen else ' '} {name}")
        case "use":
            shelf.choose(options.name)
            print(f"Editors that start from now on complete with {options.name}.")
        case "remove":
            deleted = shelf.remove(options.name)
            print(f"Removed {options.name}{'' if deleted else '; its folder stays'}.")
        case _:
            _describe(options.name, shelf.path(options.name))


def _add(shelf: Shelf, source: str, name: str | None) -> None:
    """Put a model on the shelf, once it is known to be one."""
    from engine.families import describe

    path = Path(source).expanduser()
    name = shelf.free_name(name or path.resolve().name)
    if path.is_dir():
        path = path.resolve()
    else:
        path = shelf.folder / name
        fetch(source, path)
    described = describe(path)
    shelf.put(name, path)
    print(f"Added {name}: {described.family}. Complete with it: sfumato model use {name}")


def _describe(name: str, path: Path) -> None:
    from engine.families import describe

    found = describe(path)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("name", name)
    table.add_row("folder", str(path))
    table.add_row("family", found.family)
    table.add_row("parameters", f"{found.parameters / 1e6:,.1f} million")
    table.add_row("on disk", f"{found.size_bytes / 1e9:,.2f} GB, {found.dtype}")
    Console(soft_wrap=True).print(table)
