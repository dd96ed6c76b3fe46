"""`sfumato bench`: everything in one run, side by side, on this machine."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.corner import own_source
from bench.holes import measure_holes
from bench.keyboard import measure_keyboard
from bench.large import SHAPES, measure_large
from bench.machine import measure_machine
from bench.passes import measure_passes, measure_prefill
from bench.report import Report, draw_report, print_large, print_report
from bench.syntax import measure_checks
from bench.typists import measure_typists
from engine.checkpoint import load
from engine.device import place
from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.shelf import SHIPPED, model_folder
from engine.threads import SERVING_THREADS

_WIDTH = 130
"""Columns, whatever the terminal has: a table that is cut is worth nothing."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print. Raises EngineError, in one sentence, for a model that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="sfumato bench",
        description="Measure this machine, the model's passes, what a user feels at the keyboard, "
        "and decoding left to right beside it. Takes a few minutes; leave the machine alone.",
    )
    parser.add_argument("--model", type=Path, default=Path(SHIPPED), metavar="DIR_OR_NAME")
    parser.add_argument("--device", default="cpu", help="as of sfumato engine (default: cpu)")
    parser.add_argument(
        "--shape",
        choices=sorted(SHAPES),
        help="instead, a step of somebody else's model of this shape; its weights are drawn",
    )
    parser.add_argument("--rounds", type=_rounds, default=25, help="repetitions (default: 25)")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="also draw a PNG")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(arguments)
    console = Console(width=_WIDTH)
    if options.shape:
        large = measure_large(SHAPES[options.shape], place(options.device), options.rounds)
        print_large(options.shape, large, console)
        if options.json:
            print(large.to_json())
        return 0
    report = _measure(model_folder(options.model), options.device, options.rounds)
    print_report(report, console)
    if options.chart:
        draw_report(report, options.chart)
    if options.json:
        print(report.to_json())
    return 0


def _measure(model: Path, device: str, rounds: int) -> Report:
    placement, found = place(device, SERVING_THREADS), load(model)
    keyboard, crowds = measure_keyboard(model, device), measure_typists(model, device)
    denoiser = found.model.to(placement.device, placement.dtype)
    size = sum(weight.numel() * weight.element_size() for weight in denoiser.parameters())
    machine = measure_machine(placement, size)
    return Report(
        info=Engine(Sfumato(found, placement)).info,
        machine=machine,
        passes=measure_passes(denoiser, machine, placement, rounds),
        prefill_ms=measure_prefill(denoiser, rounds),
        contenders=measure_holes(found, placement, own_source("service.py"), rounds),
        keyboard=keyboard,
        checks=measure_checks(own_source(), rounds),
        crowds=crowds,
    )


def _rounds(word: str) -> int:
    if not word.isdecimal() or int(word) < 2:
        raise argparse.ArgumentTypeError(f"{word} is not a whole number from 2")
    return int(word)
