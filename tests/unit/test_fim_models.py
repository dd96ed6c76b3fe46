"""Models that fill in the middle from left to right: as transformers writes, to a line's end."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.families import Model
from engine.families.ids import OFFSET
from engine.infill import Engine
from engine.sampler import Limits, denoise
from engine.tokenizer import EOM
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support.hub_folders import SIZES, special, write_config, write_tokenizer, write_weights
from tests.support.qwen_folders import weights_in
from tests.support.tiny_folders import Shapes, drawn, llama_shapes, starcoder2_shapes
from tests.support.tiny_model import CPU

PREFIX, SUFFIX = b"def load_item(value):\n    return ", b"\n\nprint(load_item(3))\n"
QWEN = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
DEEPSEEK = (
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<\uff5cfim\u2581begin\uff5c>",
    "<\uff5cfim\u2581end\uff5c>",
    "<\uff5cfim\u2581hole\uff5c>",
    "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
)
STAR = ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>")
END, BEFORE, MIDDLE, BEHIND, BEGIN = (special(place) for place in range(5))
STEPS = 9


@dataclass(frozen=True)
class Family:
    """How a family's folders look."""

    specials: tuple[str, ...]
    shapes: Callable[[Mapping[str, Any]], Shapes]
    config: Mapping[str, Any]

    def write(self, folder: Path) -> Path:
        end, *_ = self.specials
        roles = {"bos_token": self.specials[4]} if len(self.specials) == 5 else {}
        tokens = write_tokenizer(folder, self.specials, whole=True, eos_token=end, **roles)
        config = {**SIZES, "vocab_size": tokens, "eos_token_id": END, **self.config}
        write_config(folder, config)
        write_weights(folder, drawn(self.shapes(config)))
        return folder


FAMILIES = {
    "qwen2.5-coder": Family(
        QWEN, partial(llama_shapes, bias=True), {"architectures": ["Qwen2ForCausalLM"]}
    ),
    "deepseek-coder": Family(
        DEEPSEEK,
        llama_shapes,
        {
            "architectures": ["LlamaForCausalLM"],
            "rope_scaling": {"type": "linear", "factor": 4.0},
        },
    ),
    "starcoder2": Family(
        STAR,
        starcoder2_shapes,
        {
            "architectures": ["Starcoder2ForCausalLM"],
            "norm_epsilon": 1e-5,
            "tie_word_embeddings": True,
        },
    ),
}


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FAMILIES[request.param].write(tmp_path)


def prompt_of(model: Model, folder: Path) -> list[int]:
    """Written down again: the prefix-suffix-middle order of both families."""
    encode = model.traits.tokenizer.encode
    prefix, suffix = ([i - OFFSET for i in encode(text)] for text in (PREFIX, SUFFIX))
    begin = [BEGIN] if "begin" in (folder / "tokenizer_config.json").read_text() else []
    return [*begin, BEFORE, *prefix, BEHIND, *suffix, MIDDLE]


def greedy(folder: Path, model: Model, steps: int) -> list[int]:
    """What transformers writes, all of it computed anew, with no token that stands for no text."""
    theirs = in_transformers(folder)
    banned_V = model.traits.vocabulary.specials_V[OFFSET:]
    tokens = prompt_of(model, folder)
    first = len(tokens)
    for _ in range(steps):
        logits_V = logits(theirs, tokens)[-1].masked_fill(banned_V, float("-inf"))
        tokens.append(int(logits_V.argmax()))
    return tokens[first:]


def in_transformers(folder: Path) -> Any:
    import transformers

    config = json.loads((folder / "config.json").read_text())
    name = config["architectures"][0]
    kind = getattr(transformers, name.replace("ForCausalLM", "Config"))
    known = {key: value for key, value in config.items() if key != "architectures"}
    theirs = getattr(transformers, name)(kind(**known)).eval()
    theirs.load_state_dict(weights_in(folder), strict=not theirs.config.tie_word_embeddings)
    return theirs


@torch.no_grad()
def logits(theirs: Any, tokens: list[int]) -> Tensor:
    return theirs(torch.tensor([tokens])).logits[0]


def written(model: Model, steps: int) -> list[list[int]]:
    """The slots that are filled after each pass."""
    look = model.read(*model.streams("python", PREFIX, SUFFIX), []).look
    canvas = Canvas.blank([steps], 64, CPU.device)
    limits = Limits(model.traits.vocabulary.specials_V)
    return [
        [token - OFFSET for token in state.tokens_NC[0, :steps].tolist() if token >= OFFSET]
        for state in denoise(look, canvas, model.traits.rule, limits, torch.Generator())
    ]


def test_a_middle_is_written_left_to_right_as_transformers_write_it(folder: Path) -> None:
    model = families.load(folder, CPU)
    expected = greedy(folder, model, STEPS)
    assert written(model, STEPS) == [expected[: count + 1] for count in range(STEPS)]


def test_a_model_that_chats_ends_a_middle_as_its_base_does(folder: Path) -> None:
    roles = json.loads((folder / "tokenizer_config.json").read_text())
    changed = roles | {"eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(changed))
    whole = json.loads((folder / "tokenizer.json").read_text())
    turn = {**whole["added_tokens"][0], "id": special(9), "content": "<|im_end|>"}
    whole["added_tokens"].append(turn)
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": special(10)}
    write_config(folder, config)
    own = next(f for f in FAMILIES.values() if f.config["architectures"] == config["architectures"])
    write_weights(folder, drawn(own.shapes(config)))
    model = families.load(folder, CPU)
    row_NC = torch.zeros(1, 1, dtype=torch.int64)
    look = model.read(*model.streams("python", PREFIX, SUFFIX), []).look
    found_PV = look(row_NC, row_NC == 0)
    assert found_PV[0, EOM] == found_PV[0, OFFSET + END]


def test_what_was_read_is_not_read_again(folder: Path) -> None:
    model = families.load(folder, CPU)
    prefix, suffix = model.streams("python", PREFIX, SUFFIX)
    assert model.read(prefix, suffix, []).encoded == len(prefix) - 1
    before = written(model, STEPS)
    assert model.read(prefix, suffix, []).encoded == 0
    other, _ = model.streams("python", PREFIX + b"load", SUFFIX)
    assert 0 < model.read(other, suffix, []).encoded < len(other) - 1
    assert written(model, STEPS) == before


def test_logits_are_those_of_transformers(folder: Path) -> None:
    model = families.load(folder, CPU)
    expected_TV = torch.log_softmax(logits(in_transformers(folder), prompt_of(model, folder)), -1)
    row_NC = torch.zeros(1, 3, dtype=torch.int64)
    look = model.read(*model.streams("python", PREFIX, SUFFIX), []).look
    found_PV = look(row_NC, row_NC == 0)
    torch.testing.assert_close(found_PV[0, OFFSET:], expected_TV[-1], atol=1e-4, rtol=1e-4)


def favouring(folder: Path, favoured: int) -> Path:
    """The same folder, its model fond of one token."""
    weights = weights_in(folder)
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    head[favoured] *= 4
    write_weights(folder, weights)
    return folder


@pytest.mark.parametrize("name", ["qwen2.5-coder", "deepseek-coder"])
def test_a_line_is_written_to_its_break_as_the_model_would(name: str, tmp_path: Path) -> None:
    folder = FAMILIES[name].write(tmp_path)
    token_bytes = families.load(folder, CPU).traits.tokenizer.token_bytes
    breaking = next(i for i, run in enumerate(token_bytes) if run.endswith(b"\n") and len(run) > 1)
    model = families.load(favouring(folder, breaking - OFFSET), CPU)
    whole = greedy(folder, model, 40)
    ends = [place for place, own in enumerate(whole) if b"\n" in token_bytes[OFFSET + own]]
    line = model.traits.tokenizer.decode(OFFSET + own for own in whole[: ends[0] + 1])
    request = InfillRequest(
        PREFIX + SUFFIX, Span(len(PREFIX), len(PREFIX)), "plaintext", budget_ms=600_000.0
    )
    *drafts, last = Engine(model).infill(request)
    assert isinstance(last, Suggestion)
    assert last.text == line.split(b"\n")[0].decode(errors="ignore").rstrip()
    assert len(drafts) == ends[0] + 1


def test_a_hole_is_filled_through_the_whole_engine(folder: Path) -> None:
    engine = Engine(families.load(folder, CPU))
    hole = Span(len(PREFIX), len(PREFIX))
    request = InfillRequest(
        PREFIX + SUFFIX, hole, "plaintext", budget_ms=600_000.0, length_tokens=STEPS
    )
    *drafts, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    assert last.text
    masked = [draft.masked for draft in drafts if isinstance(draft, Draft)]
    assert masked[:STEPS] == list(range(STEPS - 1, -1, -1))
