"""Training runs that take seconds; as a program, one that saves after every step till it is killed.

python -m tests.support.tiny_run FOLDER MINUTES
"""

import random
import sys
from pathlib import Path

from engine.model import DenoiserConfig
from engine.train.corpus import SourceFile
from engine.train.data import BatchShape
from engine.train.loop import Run, RunSettings
from engine.train.meter import Report
from engine.train.pack import pack
from engine.train.team import ALONE, Team
from tests.support.tiny_model import CPU, source_code, tiny_tokenizer

SHAPE = BatchShape(chunks=4, tokens=64, slots=64, sizes=(8, 16))
CONFIG = DenoiserConfig(tiny_tokenizer().size, width=64, layers=1, heads=2, kv_heads=1, hidden=128)


def prepare(folder: Path) -> Path:
    """Tokenizer and packed tokens, some held out, of code made up here."""
    files = [SourceFile(f"{n}.py", "python", source_code(12, seed=n)) for n in range(40)]
    random.Random(0).shuffle(files)
    folder.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer().save(folder / "tokenizer.json")
    pack(files, tiny_tokenizer(), folder / "packed", held_out=0.1, seed=0)
    return folder


def tiny_run(folder: Path, minutes: float, save_minutes: float = 1e9, team: Team = ALONE) -> Run:
    """A run of one small layer, fresh or taken up again."""
    settings = RunSettings(minutes, SHAPE, compiled=False, save_minutes=save_minutes)
    return Run(folder, CONFIG, settings, CPU, team=team)


def main() -> None:
    folder, minutes = Path(sys.argv[1]), float(sys.argv[2])

    def say(row: Report) -> None:
        print(row.step, flush=True)

    tiny_run(folder, minutes, save_minutes=0.0).train(say, report_seconds=0.0)


if __name__ == "__main__":
    main()
