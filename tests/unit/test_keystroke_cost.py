"""What a keystroke costs: the context tokens that each kind of edit has read again."""

from dataclasses import replace

import pytest

from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.schedule import Rule
from engine.types import InfillRequest, Span, Suggestion
from tests.support.tiny_model import CPU, source_code, tiny_checkpoint, tiny_denoiser

CODE = source_code(12, seed=9)
PLACE = CODE.index("return", 700)
LINE = CODE.index("for", 500)
OTHER = source_code(9, seed=4)


class Desk:
    """An engine, and texts with the cursor at an index."""

    def __init__(self) -> None:
        self.engine = Engine(
            Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), Rule(passes=1, guesses=0)
        )

    def cost(self, text: str, cursor: int) -> int:
        """Context tokens read for a suggestion there."""
        request = InfillRequest(text.encode(), Span(cursor, cursor), "plaintext", length_tokens=2)
        *_, found = self.engine.infill(replace(request, budget_ms=600_000.0))
        assert isinstance(found, Suggestion)
        return found.timings.prefill_tokens


def typed(text: str) -> tuple[str, int]:
    return CODE[:PLACE] + text + CODE[PLACE:], PLACE + len(text)


EDITS: dict[str, tuple[list[tuple[str, int]], list[int]]] = {
    "nothing": ([(CODE, PLACE)], [0]),
    "typing a word, key by key": ([typed("ab"[:n]) for n in (1, 2)], [1, 1]),
    "deleting it again": ([typed("ab"), typed("a"), typed("")], [2, 0, 0]),
    "a bracket that the editor closes": (
        [(CODE[:PLACE] + "()" + CODE[PLACE:], PLACE + 1)],
        [2],
    ),
    "undoing what was typed": ([typed("value = "), typed("")], [4, 0]),
    # what lies between the two places has not been read as suffix before
    "moving up and back": ([(CODE, LINE), (CODE, PLACE), (CODE, LINE)], [17, 0, 0]),
    "another file, and back and forth": (
        [(OTHER, len(OTHER) // 2), (CODE, PLACE), (OTHER, len(OTHER) // 2)],
        [346, 0, 0],
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reads_what_is_new_and_no_more(edit: str) -> None:
    desk, (steps, expected) = Desk(), EDITS[edit]
    assert desk.cost(CODE, PLACE) > 250
    assert [desk.cost(text, cursor) for text, cursor in steps] == expected
