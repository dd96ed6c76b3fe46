"""What is typed after `sfumato engine` to serve others. Imports nothing that is slow to load."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `place_of` reads."""
    team = parser.add_argument_group("serving others", "see docs/serve.md")
    team.add_argument("--listen", type=_address, metavar="HOST:PORT")
    team.add_argument(
        "--keys", type=Path, metavar="FILE", help="entries NAME:KEY; or set SFUMATO_API_KEYS"
    )
    team.add_argument("--certfile", type=Path, metavar="PEM", help="for TLS, with --keyfile")
    team.add_argument("--keyfile", type=Path, metavar="PEM")
    team.add_argument(
        "--per-minute", type=_count, default=600, metavar="N", help="requests of one key (600)"
    )
    team.add_argument(
        "--at-once", type=_count, default=8, metavar="N", help="requests of one key (8)"
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)
