"""What is typed after `sfumato corpus`, `tokenizer`, `train` and `eval`.

Each command is imported when it is run: a machine that only trains needs no grammars and no
libraries but torch's, tokenizers, safetensors, cattrs, platformdirs, psutil and rich.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from engine.shelf import SHIPPED, model_folder
from engine.threads import usable_cores
from engine.train.mix import MIX

_EXCLUDED = Path(__file__).parent / "corpus" / "excluded.txt"


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands. Raises EngineError, each in one sentence."""
    options = _parser().parse_args(arguments)
    options.run(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sfumato")
    commands = parser.add_subparsers(dest="command", required=True)
    corpus = commands.add_parser("corpus", help="make a corpus from a list of repositories")
    steps = corpus.add_subparsers(dest="step", required=True)
    _add_build(steps.add_parser("build", help="from a manifest to packed tokens"))
    report = steps.add_parser("report", help="say what a corpus is made of")
    report.set_defaults(run=_command("cli_corpus", "run_report"))
    report.add_argument("out", type=Path, metavar="DIR")
    tokenizer = commands.add_parser("tokenizer", help="learn a vocabulary from code")
    tokenizer.set_defaults(run=_command("cli_train", "run_tokenizer"))
    tokenizer.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    tokenizer.add_argument("--out", type=Path, required=True, metavar="FILE")
    tokenizer.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")
    _add_train(commands.add_parser("train", help="train a denoiser on code or on a corpus"))
    _add_eval(commands.add_parser("eval", help="measure a model on code it has not seen"))
    return parser


def _add_build(build: argparse.ArgumentParser) -> None:
    build.set_defaults(run=_command("cli_corpus", "run_build"))
    build.add_argument("manifest", type=Path, metavar="MANIFEST", help="JSON list of repositories")
    build.add_argument("out", type=Path, metavar="OUT", help="the corpus's folder")
    build.add_argument("--mirror", type=Path, metavar="DIR", help="git repositories at hand")
    build.add_argument(
        "--benchmarks", type=Path, nargs="+", default=[], metavar="JSONL", help="problems to avoid"
    )
    build.add_argument(
        "--exclude", type=Path, default=_EXCLUDED, metavar="FILE", help="repositories to leave out"
    )
    build.add_argument(
        "--mix", type=_mix, default=MIX, metavar="LANGUAGE=WEIGHT,...", help="when drawn from"
    )
    build.add_argument("--tests", type=_share, default=0.2, help="most of a language (default 0.2)")
    build.add_argument("--tokenizer", type=Path, metavar="FILE", help="instead of learning one")
    build.add_argument("--vocabulary", type=_count, default=8192, metavar="TOKENS")
    build.add_argument("--jobs", type=_count, default=usable_cores(), help="processes at once")
    build.add_argument("--seed", type=int, default=0)


def _add_train(train: argparse.ArgumentParser) -> None:
    train.set_defaults(run=_train)
    train.add_argument("sources", type=Path, nargs="*", metavar="SOURCE")
    train.add_argument("--on", type=Path, metavar="PROJECT", help="adapt a model to this project")
    train.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="DIR_OR_NAME",
        help="begin with the weights of this model (with --on: the default one's)",
    )
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    train.add_argument(
        "--minutes", type=_above_zero, help="time to train in all (default: 60; with --on 5)"
    )
    train.add_argument(
        "--rate",
        type=_above_zero,
        metavar="SHARE",
        help="of the usual learning rates (default: 1; with --from alone 0.5)",
    )
    train.add_argument("--device", default="auto", help="cpu, cuda, auto (default)")
    train.add_argument("--threads", type=int)
    train.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")
    train.add_argument("--width", type=_multiple_of_64, default=256)
    train.add_argument("--layers", type=_count, default=4)
    train.add_argument("--chunks", type=_count, default=4, help="chunks of text per step")
    train.add_argument("--tokens", type=_multiple_of_64, default=512, help="tokens per chunk")
    train.add_argument("--seed", type=int, default=0)


def _add_eval(evaluation: argparse.ArgumentParser) -> None:
    evaluation.set_defaults(run=_command("cli_eval"))
    evaluation.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    evaluation.add_argument("--model", type=Path, metavar="DIR_OR_NAME")
    evaluation.add_argument("--device", default="cpu")
    evaluation.add_argument("--items", type=int, default=150, help="holes of each kind")
    evaluation.add_argument("--seed", type=int, default=0)
    evaluation.add_argument(
        "--seconds",
        type=_above_zero,
        default=3.0,
        help="for a hole at most (default: 3); a large model on a slow machine needs more",
    )
    evaluation.add_argument("--json", type=Path, metavar="FILE", help="also write the scores here")
    evaluation.add_argument(
        "--workspace",
        action="store_true",
        help="look in each hole's project too: the folder right below SOURCE that it is in",
    )
    evaluation.add_argument(
        "--budgets", action="store_true", help="also measure what is answered in 20 to 200 ms"
    )
    evaluation.add_argument(
        "--pace", type=Path, metavar="PNG", help="also measure the cost of fewer passes; draw it"
    )


def _train(options: argparse.Namespace) -> None:
    if options.start or options.on:
        options.start = model_folder(options.start or Path(SHIPPED))
    options.minutes = options.minutes or (5.0 if options.on else 60.0)
    _command("cli_adapt" if options.on else "cli_train")(options)


def _command(module: str, name: str = "run") -> Callable[[argparse.Namespace], None]:
    def run(options: argparse.Namespace) -> None:
        getattr(import_module(f"engine.train.{module}"), name)(options)

    return run


def _mix(words: str) -> dict[str, float]:
    parts = [word.partition("=") for word in words.split(",")]
    weights = {language: _above_zero(weight) for language, _, weight in parts}
    if unknown := weights.keys() - MIX.keys():
        raise argparse.ArgumentTypeError(
            f"{', '.join(sorted(unknown))} is none of {', '.join(MIX)}"
        )
    return weights


def _share(word: str) -> float:
    if not 0 <= (number := float(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is no share: give 0 up to, not including, 1")
    return number


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
