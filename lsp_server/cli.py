"""The console script `sfumato`. Imports nothing heavy until a command needs it.

Exit status: 0 done, 1 the work failed, 2 the input was bad (one sentence on stderr says what).
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from engine import CheckpointError, EngineError, __version__
from engine.threads import wait_passively
from lsp_server.source import BadInput

OF_THE_ENGINE = ("engine", "model", "corpus", "tokenizer", "train", "eval", "bench")
"""Commands with arguments of their own, which live with what they do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in OF_THE_ENGINE:
            return _run_engine_command(arguments[0], arguments[1:])
        return _run(_parser().parse_args(arguments))
    except (BadInput, CheckpointError) as error:
        return _complain(error, 2)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (EngineError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130


def _complain(error: Exception, status: int) -> int:
    print(f"sfumato: {error}", file=sys.stderr)
    return status


def _run_engine_command(command: str, arguments: Sequence[str]) -> int:
    wait_passively()
    if command == "engine":
        from engine.__main__ import main as serve

        return serve(arguments)
    if command == "model":
        from engine.cli_model import main as keep

        return keep(arguments)
    if command == "bench":
        from bench.cli import main as bench

        return bench(arguments)
    from engine.train.cli import main as train

    return train([command, *arguments])


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "lsp":
            return _speak_lsp(options.tcp, options.model)
        case "fill":
            return _fill(options)
        case "stats":
            from lsp_server import statistics

            print(statistics.summary_of(statistics.path()).text())
            return 0
        case _:
            from lsp_server.doctor import examine

            return examine(options.model)


def _fill(options: argparse.Namespace) -> int:
    from lsp_server.fill import Limits, Plain, fill
    from lsp_server.watch import Drawing

    limits = Limits(options.max_lines, options.budget_ms)
    view = Drawing() if options.watch else Plain()
    fill(options.files, options.at, options.model, limits, view)
    return 0


def _speak_lsp(address: tuple[str, int] | None, model: Path | None) -> int:
    from lsp_server import server

    if address is None:
        server.serve_stdio(model)
    else:
        server.serve_tcp(*address, model)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfumato", description="Code completion by a small local diffusion model."
    )
    parser.add_argument("--version", action="version", version=f"sfumato {__version__}")
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument(
        "--model",
        type=Path,
        metavar="DIR_OR_NAME",
        help="of a checkpoint or an endpoint, or a name of `sfumato model list`",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    lsp = commands.add_parser("lsp", parents=[model], help="speak LSP with an editor")
    lsp.add_argument(
        "--tcp", type=_address, metavar="HOST:PORT", help="listen there instead of on stdio"
    )
    _add_fill(commands.add_parser("fill", parents=[model], help="fill the holes of files"))
    commands.add_parser("doctor", parents=[model], help="say what was found and what is missing")
    commands.add_parser("stats", help="print what was shown and accepted on this machine")
    commands.add_parser("engine", help="serve a model to this user's editors (they start it)")
    commands.add_parser("model", help="add models and servers that have one, and choose one")
    commands.add_parser("corpus", help="make a corpus of many repositories")
    commands.add_parser("train", help="train a model on folders of code, or on a corpus")
    commands.add_parser("eval", help="measure a model on held-out code")
    commands.add_parser("tokenizer", help="train a tokenizer")
    commands.add_parser("bench", help="measure speed on this machine, beside what else there is")
    return parser


def _add_fill(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Fill the hole at --at, or every $0 in the files one after the other, and print the result."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--at", type=_line_and_column, metavar="LINE:COL", help="counted from 1, in characters"
    )
    parser.add_argument("--watch", action="store_true", help="show the fill step by step instead")
    parser.add_argument("--max-lines", type=_count, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--budget-ms", type=_count, default=2000, metavar="MS", help="per hole (default: 2000)"
    )


def _line_and_column(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected LINE:COL counted from 1, got {text!r}")
    return int(found[1]), int(found[2])


def _address(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.+):(\d{1,5})", text)
    if not found or int(found[2]) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return found[1], int(found[2])


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
