"""How far the gate is from the languages' own parsers: what it wrongly accepts and refuses.

    NODE_PATH=... .venv/bin/python -m tests.bench.laxness FOLDER [--languages go,rust] [--cases 600]

Takes sound files below FOLDER, cuts holes into them (the rest of a line, a line, up to six lines),
and fills each with the truth or with the truth changed in one token. The gate judges the fill in
the text as it is left, for some cases with something else broken (`--broken`); the compiler judges
the whole file, without what was broken. Prints one row per language and state of the buffer:

  invalid missed  invalid fills that the gate accepts       (the gate is laxer than the language)
  valid refused   changed fills, valid all the same, that it refuses
  truth refused   what stood there, refused

`--show N` prints the first N of each.
"""

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tree_sitter import Parser

from grammars import Gate, Language
from grammars.languages import LANGUAGES
from tests.bench.compilers import JUDGES

_TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")
_MARKS = [b"(", b")", b"[", b"]", b"{", b"}", b",", b";", b":", b"=", b".", b"\n", b"    ", b'"']
_LONGEST_FILE = 40_000
_FILES = 150
BREAKAGES = ("nothing", "before", "after", "bracket", "end")
"""What else is broken: a token before or after the hole, a bracket, all behind the line."""


@dataclass(frozen=True)
class Hole:
    """A hole in a sound text, the text around it as it is left, and what is put there."""

    text: bytes
    before: bytes
    after: bytes
    start: int
    end: int
    fill: bytes

    @property
    def truth(self) -> bytes:
        return self.text[self.start : self.end]

    @property
    def whole(self) -> bytes:
        """The sound text with the fill in its hole: what the compiler is asked."""
        return self.text[: self.start] + self.fill + self.text[self.end :]


@dataclass(frozen=True)
class Outcome:
    """What gate and compiler said of a hole."""

    hole: Hole
    strict: bool
    accepted: bool
    valid: bool


def holes(text: bytes, rng: random.Random) -> tuple[int, int] | None:
    """A hole as cursors leave it; None where the text has no lines."""
    lines = text.split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    filled = [row for row, line in enumerate(lines) if line.strip()]
    if not filled:
        return None
    first = rng.choice(filled)
    indent = len(lines[first]) - len(lines[first].lstrip())
    shape = rng.choice(("rest", "line", "lines"))
    last = min(first + rng.randrange(1, 6), len(lines) - 1) if shape == "lines" else first
    column = rng.randrange(indent, len(lines[first])) if shape == "rest" else indent
    end = starts[last] + len(lines[last].rstrip(b"\r"))
    return starts[first] + column, max(starts[first] + column, end)


def mutated(fill: bytes, text: bytes, rng: random.Random) -> bytes:
    """`fill` with one token lost, doubled, exchanged or added."""
    tokens = _TOKEN.findall(fill) or [b" "]
    at = rng.randrange(len(tokens))
    change = rng.randrange(5)
    if change == 0:
        del tokens[at]
    elif change == 1:
        tokens.insert(at, tokens[at])
    elif change == 2:
        tokens[at] = rng.choice(_TOKEN.findall(text))
    elif change == 3:
        tokens.insert(at, rng.choice(_TOKEN.findall(text)))
    else:
        tokens[at] = rng.choice(_MARKS)
    return b"".join(tokens)


def broken(before: bytes, after: bytes, breakage: str, rng: random.Random) -> tuple[bytes, bytes]:
    """The text around a hole, with something else broken in it."""
    if breakage == "before":
        return _less_a_token(before, range(len(before) - 300, len(before) - 40), rng), after
    if breakage == "after":
        return before, _less_a_token(after, range(40, 300), rng)
    if breakage == "bracket":
        places = [found.start() for found in re.finditer(rb"[(){}\[\]]", after)]
        at = rng.choice(places) if places else len(after)
        return before, after[:at] + after[at + 1 :]
    if breakage == "end":
        return before, b""
    return before, after


def _less_a_token(text: bytes, near: range, rng: random.Random) -> bytes:
    tokens = [found for found in re.finditer(rb"\w+|[^\w\s]", text) if found.start() in near]
    if not tokens:
        return text
    lost = rng.choice(tokens)
    return text[: lost.start()] + text[lost.end() :]


def cases(texts: list[bytes], breakage: str, count: int, rng: random.Random) -> Iterator[Hole]:
    """Holes with the truth in every fourth, and the truth changed in the others."""
    while count:
        text = rng.choice(texts)
        hole = holes(text, rng)
        if not hole or hole[0] == hole[1]:
            continue
        start, end = hole
        truth = text[start:end]
        fill = truth if count % 4 == 0 else mutated(truth, text, rng)
        if not fill.strip():
            continue  # never shown
        yield Hole(text, *broken(text[:start], text[end:], breakage, rng), start, end, fill)
        count -= 1


def measure(language: Language, found: list[Hole]) -> list[Outcome]:
    """Ask gate and compiler about every hole, less those of which the compiler cannot tell."""
    found = [hole for hole, read in zip(found, _read(language, found), strict=True) if read]
    valid = JUDGES[language.id]([hole.whole for hole in found])
    outcomes: list[Outcome] = []
    for hole, is_valid in zip(found, valid, strict=True):
        if is_valid is None:
            continue
        at = len(hole.before)
        gate = Gate(language, hole.before + hole.after, at, at)
        accepted = not gate.faults(hole.fill) and gate.confirm(hole.fill)
        outcomes.append(Outcome(hole, gate.strict, accepted, is_valid))
    return outcomes


def _read(language: Language, found: list[Hole]) -> list[bool]:
    """Does the compiler read what is in the hole? Not if a condition of the preprocessor fails."""
    if language.id not in ("c", "cpp"):
        return [True] * len(found)
    nonsense = [replace(hole, fill=b"\n) @ (\n").whole for hole in found]
    return [valid is False for valid in JUDGES[language.id](nonsense)]


def sound_files(language: Language, folder: Path, rng: random.Random) -> list[bytes]:
    """Up to _FILES files that gate and compiler both find sound."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in language.suffixes and p.is_file())
    rng.shuffle(paths)
    texts = [path.read_bytes() for path in paths[:_FILES]]
    texts = [t for t in texts if 100 < len(t) < _LONGEST_FILE and b"\0" not in t]
    sound = [t for t in texts if not Parser(language.grammar).parse(t).root_node.has_error]
    verdicts = JUDGES[language.id](sound)
    return [text for text, valid in zip(sound, verdicts, strict=True) if valid]


def report(name: str, breakage: str, outcomes: list[Outcome], show: int) -> None:
    """One row for the strict buffers and one for the broken ones."""
    for strict in (True, False):
        own = [one for one in outcomes if one.strict == strict]
        truths = [one for one in own if one.hole.fill == one.hole.truth]
        changed = [one for one in own if one.hole.fill != one.hole.truth]
        invalid = [one for one in changed if not one.valid]
        missed = [one for one in invalid if one.accepted]
        valid = [one for one in changed if one.valid]
        refused = [one for one in valid if not one.accepted]
        lost = [one for one in truths if not one.accepted]
        print(
            f"| {name} | {breakage} | {'sound' if strict else 'broken'} | {_share(missed, invalid)}"
            f" | {_share(refused, valid)} | {_share(lost, truths)} |",
            flush=True,
        )
        for title, ones in (("missed", missed), ("refused", refused), ("truth refused", lost)):
            for one in ones[:show]:
                line = one.hole.before.rpartition(b"\n")[2]
                print(f"    {title}: {line!r} {one.hole.fill!r} (truth {one.hole.truth!r})")


def _share(part: list[Outcome], whole: list[Outcome]) -> str:
    return f"{len(part) / len(whole):.1%} of {len(whole)}" if whole else "none"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the gate against compilers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", default=",".join(JUDGES))
    parser.add_argument("--broken", default="nothing", help=f"some of {','.join(BREAKAGES)}")
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0)
    given = parser.parse_args()
    print("| language | broken besides | buffer | invalid missed | valid refused | truth refused |")
    print("|---|---|---|---|---|---|")
    for language in LANGUAGES:
        if language.id not in given.languages.split(","):
            continue
        rng = random.Random(given.seed)
        texts = sound_files(language, given.folder, rng)
        for breakage in given.broken.split(","):
            found = list(cases(texts, breakage, given.cases, rng)) if texts else []
            report(language.name, breakage, measure(language, found), given.show)


if __name__ == "__main__":
    main()
