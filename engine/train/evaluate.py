"""Measures a checkpoint on held-out code, the way a user meets it: through the whole engine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import mean

from rapidfuzz.distance import Levenshtein

from engine.desk import Infiller
from engine.infill import Engine
from engine.tokenizer import Codec
from engine.train.corpus import SourceFile
from engine.train.items import KINDS, Item, Kind, project_of, repeat_similar_line
from engine.types import Suggestion, WorkspaceChange, WorkspaceFile
from engine.workspace import Workspaces

PACES = (1, 2, 4, 8, 16, 1000)
"""Forward passes at most over one canvas; with the last, each pass fills one place of it."""
BUDGETS_MS = (20.0, 50.0, 100.0, 200.0)
BUDGET_MS = 3_000.0
"""Quality is measured without hurry; latency is measured elsewhere."""
_AMPLE_BYTES = 2**30
"""Room for all the projects that are measured on."""


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the items of one kind, filled one way.

    exact       share of fills equal to what was there, trailing blanks aside
    similarity  1 - edit distance / longer length, 0 to 1
    offered     share of items with a non-empty answer
    tokens_per_pass  tokens filled per forward pass; None for the rivals
    """

    kind: Kind
    way: str
    items: int
    exact: float
    similarity: float
    offered: float
    tokens_per_pass: float | None = None


def show_workspaces(engine: Engine, files: list[SourceFile]) -> None:
    """Let the engine look in each item's project: the first folder of its file's path.

    An item's own file is never looked in, and copies of it should not be among the files
    (`items.without_copies`).
    """
    engine.workspaces = Workspaces(_AMPLE_BYTES)
    for project in sorted({project_of(file) for file in files}):
        own = (file for file in files if project_of(file) == project)
        kept = (WorkspaceFile(file.path, file.language, file.text.encode()) for file in own)
        engine.index(WorkspaceChange(project, tuple(kept)))


def evaluate(
    engine: Engine,
    tokenizer: Codec,
    items: list[Item],
    progress: Callable[[], None],
    budget_ms: float = BUDGET_MS,
) -> list[Score]:
    """Scores, per kind of hole, of the engine and of both rivals.

    The engine is asked with the length given (the oracle's), without it, and without both it and
    the guesses looked up: that is the model alone. With workspaces, it is asked without them too.
    """
    alone = replace(engine.rule, guesses=0)
    scores: list[Score] = []
    for kind in KINDS:
        own = [item for item in items if item.kind == kind]
        if not own:
            continue
        lengths = [len(tokenizer.encode(item.truth.encode())) for item in own]
        oracle = [_ask(engine, *pair, budget_ms) for pair in zip(own, lengths, strict=True)]
        progress()
        unknown = [_ask(engine, item, None, budget_ms) for item in own]
        progress()
        secluded = _secluded(engine, own, budget_ms)
        usual, engine.rule = engine.rule, alone
        unaided = [_ask(engine, item, None, budget_ms) for item in own]
        engine.rule = usual
        progress()
        scores += [
            _engine_score(kind, "oracle length", own, oracle),
            _engine_score(kind, "unknown length", own, unknown),
            *secluded,
            _engine_score(kind, "the same, no lookup", own, unaided),
            _score(kind, "repeat similar line", own, map(repeat_similar_line, own)),
            _score(kind, "empty", own, ("" for _ in own)),
        ]
    return scores


def _secluded(engine: Engine, items: list[Item], budget_ms: float) -> list[Score]:
    """The engine's score without its workspaces; nothing if it has none."""
    if engine.workspaces.is_empty:
        return []
    usual, engine.workspaces = engine.workspaces, Workspaces()
    answers = [_ask(engine, item, None, budget_ms) for item in items]
    engine.workspaces = usual
    return [_engine_score(items[0].kind, "the same, no workspace", items, answers)]


def as_used(
    engine: Infiller,
    items: list[Item],
    progress: Callable[[], None],
    budget_ms: float = BUDGET_MS,
) -> list[Score]:
    """Scores per kind of the engine as a user meets it: the length unknown, with looking up."""
    scores: list[Score] = []
    for kind in KINDS:
        own = [item for item in items if item.kind == kind]
        answers = [_ask(engine, item, None, budget_ms) for item in own]
        scores += [_engine_score(kind, "unknown length", own, answers)] if own else []
        progress()
    return scores


def hurried(engine: Engine, items: list[Item], progress: Callable[[], None]) -> list[Score]:
    """What is answered in so little time: scores per kind and budget of the engine as it is used.

    The context of each hole has been read before, as at a keyboard.
    """
    scores: list[Score] = []
    for kind in KINDS:
        own = [item for item in items if item.kind == kind]
        answers: dict[float, list[Suggestion]] = {budget_ms: [] for budget_ms in BUDGETS_MS}
        for item in own:
            _ask(engine, item, None)
            for budget_ms in BUDGETS_MS:
                answers[budget_ms].append(_ask(engine, item, None, budget_ms))
        if own:
            scores += [_engine_score(kind, f"{ms:g} ms", own, answers[ms]) for ms in BUDGETS_MS]
        progress()
    return scores


def paced(
    engine: Engine, tokenizer: Codec, items: list[Item], progress: Callable[[], None]
) -> list[Score]:
    """What haste costs: scores per kind and pace, of the model alone with the length given."""
    usual = engine.rule
    scores: list[Score] = []
    for passes in PACES:
        confident = usual.confident if passes < PACES[-1] else 1.1
        engine.rule = replace(usual, guesses=0, passes=passes, confident=confident)
        for kind in KINDS:
            own = [item for item in items if item.kind == kind]
            answers = [
                _ask(engine, item, len(tokenizer.encode(item.truth.encode()))) for item in own
            ]
            way = f"{passes} passes" if passes < PACES[-1] else "one token per pass"
            scores += [_engine_score(kind, way, own, answers)] if own else []
            progress()
    engine.rule = usual
    return scores


def _ask(
    engine: Infiller, item: Item, length_tokens: int | None, budget_ms: float = BUDGET_MS
) -> Suggestion:
    *_, last = engine.infill(item.request(budget_ms, length_tokens))
    assert isinstance(last, Suggestion)
    return last


def _engine_score(kind: Kind, way: str, items: list[Item], answers: list[Suggestion]) -> Score:
    passes = sum(answer.timings.forward_passes for answer in answers)
    tokens = sum(answer.timings.filled_tokens for answer in answers)
    score = _score(kind, way, items, (answer.text for answer in answers))
    return replace(score, tokens_per_pass=tokens / max(1, passes))


def _score(kind: Kind, way: str, items: list[Item], fills: Iterable[str]) -> Score:
    pairs = [(fill.rstrip(), item.truth.rstrip()) for fill, item in zip(fills, items, strict=True)]
    return Score(
        kind,
        way,
        len(pairs),
        exact=mean(fill == truth for fill, truth in pairs),
        similarity=mean(Levenshtein.normalized_similarity(*pair) for pair in pairs),
        offered=mean(bool(fill) for fill, _ in pairs),
    )
