"""What is typed after `sfumato tokenizer`, `sfumato train` and `sfumato eval`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.rendezvous import DEFAULT_MODEL
from engine.train import cli_eval, cli_train


def main(arguments: Sequence[str]) -> int:
    """Run one of the three commands. Raises EngineError, each in one sentence."""
    options = _parser().parse_args(arguments)
    options.run(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sfumato")
    commands = parser.add_subparsers(dest="command", required=True)

    tokenizer = commands.add_parser("tokenizer", help="learn a vocabulary from code")
    tokenizer.set_defaults(run=cli_train.run_tokenizer)
    tokenizer.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    tokenizer.add_argument("--out", type=Path, required=True, metavar="FILE")
    tokenizer.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")

    train = commands.add_parser("train", help="train a denoiser on folders or git repositories")
    train.set_defaults(run=cli_train.run)
    train.add_argument("sources", type=Path, nargs="*", metavar="SOURCE")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    train.add_argument("--minutes", type=_above_zero, default=60.0, help="time to train in all")
    train.add_argument("--device", default="auto", help="cpu, cuda, auto (default)")
    train.add_argument("--threads", type=int)
    train.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")
    train.add_argument("--width", type=_multiple_of_64, default=256)
    train.add_argument("--layers", type=_count, default=4)
    train.add_argument("--chunks", type=_count, default=4, help="chunks of text per step")
    train.add_argument("--tokens", type=_multiple_of_64, default=512, help="tokens per chunk")
    train.add_argument("--seed", type=int, default=0)

    evaluation = commands.add_parser("eval", help="measure a model on code it has not seen")
    evaluation.set_defaults(run=cli_eval.run)
    evaluation.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    evaluation.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="DIR")
    evaluation.add_argument("--device", default="cpu")
    evaluation.add_argument("--items", type=int, default=150, help="holes of each kind")
    evaluation.add_argument("--seed", type=int, default=0)
    evaluation.add_argument("--json", type=Path, metavar="FILE", help="also write the scores here")
    evaluation.add_argument(
        "--pace", type=Path, metavar="PNG", help="also measure the cost of fewer passes; draw it"
    )
    return parser


def _above_zero(word: str) -> float:
    if not (number := float(word)) > 0:
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return number


def _count(word: str) -> int:
    if (number := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def _multiple_of_64(word: str) -> int:
    if (number := _count(word)) % 64:
        raise argparse.ArgumentTypeError(f"{word} is not a multiple of 64")
    return number
