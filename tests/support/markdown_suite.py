"""Golden suites: a Markdown file is a list of cases, one for each heading.

A case is the fenced blocks under its heading. The last word of a fence's first line is the block's
name, so that `python before` is coloured as Python and read as "before".
"""

import re
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```(?:\S+ )?(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Case:
    name: str
    blocks: dict[str, str]


def cases(path: Path) -> list[Case]:
    """The cases of a suite in order; a heading without blocks is prose."""
    parts = _HEADING.split(path.read_text())[1:]
    found = [
        Case(name, dict(_FENCE.findall(body)))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    ]
    return [case for case in found if case.blocks]
