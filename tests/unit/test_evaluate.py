"""Holes with a known answer, and what a score says."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import cast

import pytest

from engine.infill import Engine
from engine.schedule import Rule
from engine.train.corpus import SourceFile
from engine.train.evaluate import (
    BUDGETS_MS,
    PACES,
    Score,
    evaluate,
    hurried,
    paced,
    show_workspaces,
)
from engine.train.items import KINDS, Item, Kind, draw_items, repeat_similar_line, without_copies
from engine.types import Draft, InfillRequest, Suggestion, Timings, WorkspaceChange
from engine.workspace import Workspaces
from tests.support.tiny_model import source_code, tiny_tokenizer

FILES = [
    SourceFile(f"{n}.py", language, "# caf\u00e9 \U0001f600\n" + source_code(4, seed=n))
    for n, language in enumerate(["python", "python", "python", "go"] * 4)
]
ITEMS = draw_items(FILES, 5, seed=0)


class Scripted:
    """Answers each hole as told, and notes what it was asked."""

    def __init__(self, answer: Callable[[InfillRequest], str]) -> None:
        self.rule, self.answer = Rule(), answer
        self.workspaces = Workspaces()
        self.asked: list[tuple[InfillRequest, Rule]] = []

    def index(self, change: WorkspaceChange) -> int:
        return self.workspaces.change(change)

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        self.asked.append((request, self.rule))
        text = self.answer(request)
        timings = Timings(0.0, 0.0, 0.0, 0.0, 0, 0, forward_passes=2, filled_tokens=6)
        yield Draft(text, 1, 0)
        yield Suggestion(text, -0.5, "valid", timings)


def truth(request: InfillRequest) -> str:
    return request.text[request.hole.start : request.hole.end].decode()


def scores(engine: Scripted, items: list[Item] = ITEMS) -> list[Score]:
    return evaluate(cast("Engine", engine), tiny_tokenizer(), items, lambda: None)


def is_rivals(score: Score) -> bool:
    return score.tokens_per_pass is None


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.kind} {item.file.path}")
def test_the_truth_is_the_text_in_the_hole(item: Item) -> None:
    text = item.file.text
    assert text[: item.start] + item.truth + text[item.end :] == text
    assert text.encode()[item.span.start : item.span.end].decode() == item.truth
    assert item.truth.strip()


def test_holes_are_what_their_kind_says() -> None:
    for item in ITEMS:
        before, after = item.file.text[: item.start], item.file.text[item.end :]
        typed = before.rpartition("\n")[2].strip()
        match item.kind:
            case "rest-of-line":
                assert typed
                assert after.startswith("\n")
                assert "\n" not in item.truth
            case "whole-line":
                assert not typed
                assert after.startswith("\n")
                assert "\n" not in item.truth
            case "multi-line":
                assert not typed
                assert after.startswith("\n")
                assert 1 <= item.truth.count("\n") <= 3
            case "in-brackets":
                closers, line_break, _ = after.partition("\n")
                assert line_break
                assert set(closers) <= set(")]}\"'")
                assert typed.endswith({")": "(", "]": "[", "}": "{"}.get(closers[0], closers[0]))
                assert "\n" not in item.truth
            case _:
                assert 4 <= len(item.truth) <= 60


def test_each_kind_and_language_gets_its_share() -> None:
    assert [sum(item.kind == kind for item in ITEMS) for kind in KINDS] == [5] * len(KINDS)
    assert {item.file.language for item in ITEMS if item.kind == "whole-line"} == {"python", "go"}
    assert draw_items(FILES, 5, seed=0) == ITEMS
    assert draw_items(FILES, 5, seed=1) != ITEMS


def test_files_that_are_too_short_give_no_items() -> None:
    assert draw_items([SourceFile("a.py", "python", "\n")], 5, seed=0) == []


def test_an_engine_that_knows_the_truth_is_always_right() -> None:
    found = scores(Scripted(truth))
    own = [score for score in found if not is_rivals(score)]
    assert {score.kind for score in own} == set(KINDS)
    assert len(own) >= 2 * len(KINDS)
    for score in own:
        assert (score.exact, score.similarity, score.offered) == (1.0, 1.0, 1.0)
        assert score.tokens_per_pass == 3.0
        assert score.items == 5


def test_an_empty_fill_is_never_right() -> None:
    found = [score for score in scores(Scripted(truth)) if score.way == "empty"]
    assert [score.kind for score in found] == list(KINDS)
    assert {(s.exact, s.similarity, s.offered) for s in found} == {(0.0, 0.0, 0.0)}


def test_an_engine_that_offers_nothing_scores_as_the_empty_rival() -> None:
    found = scores(Scripted(lambda _: ""))
    assert {(s.exact, s.offered) for s in found if not is_rivals(s)} == {(0.0, 0.0)}


def test_half_right_is_half_a_score() -> None:
    item = replace(ITEMS[0], kind="random-span")
    half = item.truth[: len(item.truth) // 2]
    (score, *_) = scores(Scripted(lambda _: half), [item])
    assert score.exact == 0
    assert score.similarity == pytest.approx(len(half) / len(item.truth), abs=0.05)


def test_the_length_is_told_to_the_oracle_and_to_no_other() -> None:
    engine = Scripted(truth)
    scores(engine, ITEMS[:1])
    count = len(tiny_tokenizer().encode(ITEMS[0].truth.encode()))
    lengths = [request.length_tokens for request, _ in engine.asked]
    assert lengths[0] == count
    assert set(lengths[1:]) == {None}
    assert all(request.text == ITEMS[0].file.text.encode() for request, _ in engine.asked)


def test_what_the_workspace_is_worth_is_told_apart() -> None:
    engine = Scripted(truth)
    usual = engine.rule
    show_workspaces(cast("Engine", engine), FILES)
    own = [one.way for one in scores(engine) if not is_rivals(one)]
    assert own.count("the same, no workspace") == len(KINDS)
    assert all(request.file.startswith(request.workspace) for request, _ in engine.asked)
    assert engine.rule == usual
    assert not engine.workspaces.is_empty


def test_a_file_that_stands_in_the_project_twice_is_not_measured_on() -> None:
    text = "".join(f"value_{n} = make_{n}()\n" for n in range(9))
    own = SourceFile("a/x.py", "python", text)
    near = SourceFile("a/y.py", "python", text.replace("make_3", "build"))
    far = SourceFile("b/x.py", "python", text)
    assert without_copies([own, near, far]) == [far]


def test_the_engine_is_left_as_it_was() -> None:
    engine = Scripted(truth)
    usual = engine.rule
    scores(engine)
    assert engine.rule is usual
    assert any(rule != usual for _, rule in engine.asked)


def item_at(text: str, kind: Kind = "rest-of-line") -> Item:
    """An item whose hole is between two `$`."""
    before, truth_, after = text.split("$")
    file = SourceFile("a.py", "python", before + truth_ + after)
    return Item(file, kind, len(before), len(before) + len(truth_))


def test_the_rival_finds_an_obvious_repeat() -> None:
    item = item_at(
        "import os\n\ndef a():\n    x = load(path)\n    print(x)\n\n"
        "def b():\n    x = load(path)\n    pri$nt(x)$\n"
    )
    assert repeat_similar_line(item) == item.truth


def test_the_rival_repeats_as_many_lines_as_the_hole_has() -> None:
    repeated = "for x in row:\n        print(x)\n    return row"
    item = item_at(
        f"def a(row):\n    # all\n    {repeated}\n\ndef b(row):\n    # all\n    ${repeated}$\n",
        "multi-line",
    )
    assert repeat_similar_line(item) == item.truth


def test_the_rival_has_nothing_to_say_at_the_top_of_a_file() -> None:
    assert repeat_similar_line(item_at("import $os$\n")) == ""


def test_budgets_differ_in_time_alone_and_their_contexts_were_read_before() -> None:
    engine = Scripted(truth)
    found = hurried(cast("Engine", engine), ITEMS, lambda: None)
    assert len(found) == len(BUDGETS_MS) * len(KINDS)
    assert all(score.exact == 1 for score in found)
    budgets = [request.budget_ms for request, _ in engine.asked[: len(BUDGETS_MS) + 1]]
    assert budgets[0] > BUDGETS_MS[-1]
    assert budgets[1:] == list(BUDGETS_MS)
    assert all(request.length_tokens is None for request, _ in engine.asked)


def test_paces_differ_in_passes_alone_and_leave_the_engine_as_it_was() -> None:
    engine = Scripted(truth)
    found = paced(cast("Engine", engine), tiny_tokenizer(), ITEMS, lambda: None)
    assert len(found) == len(PACES) * len(KINDS)
    assert all(score.exact == 1 and score.tokens_per_pass == 3 for score in found)
    assert [rule.passes for _, rule in engine.asked[:: len(ITEMS)]] == list(PACES)
    assert all(rule.guesses == 0 for _, rule in engine.asked)
    assert all(request.length_tokens is not None for request, _ in engine.asked)
    assert engine.rule == Rule()
