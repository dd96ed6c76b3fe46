"""Models that fill in the middle from left to right: prompt, cache, greedy decoding, the gate."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.families import Model
from engine.families.model import OFFSET
from engine.infill import Engine
from engine.sampler import Limits, denoise
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support import published_models as published
from tests.support.hub_folders import SIZES, special, write_config, write_tokenizer, write_weights
from tests.support.qwen_folders import weights_in
from tests.support.tiny_folders import drawn, llama_shapes
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
END, BEFORE, MIDDLE, BEHIND, BEGIN = (special(place) for place in range(5))
STEPS = 9


@pytest.fixture(params=["qwen2.5-coder", "deepseek-coder"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    qwen = request.param == "qwen2.5-coder"
    specials = QWEN if qwen else DEEPSEEK
    roles = {} if qwen else {"bos_token": DEEPSEEK[4]}
    tokens = write_tokenizer(tmp_path, specials, whole=True, eos_token=specials[0], **roles)
    config: dict[str, Any] = {
        **SIZES,
        "architectures": ["Qwen2ForCausalLM" if qwen else "LlamaForCausalLM"],
        "model_type": "qwen2" if qwen else "llama",
        "vocab_size": tokens,
    }
    if not qwen:
        config["rope_scaling"] = {"type": "linear", "factor": 4.0}
    write_config(tmp_path, config)
    write_weights(tmp_path, drawn(llama_shapes(config, bias=qwen)))
    return tmp_path


def prompt_of(model: Model, folder: Path) -> list[int]:
    """Written down again: the prefix-suffix-middle order of both families."""
    encode = model.traits.tokenizer.encode
    prefix, suffix = ([i - OFFSET for i in encode(text)] for text in (PREFIX, SUFFIX))
    begin = [BEGIN] if "begin" in (folder / "tokenizer_config.json").read_text() else []
    return [*begin, BEFORE, *prefix, BEHIND, *suffix, MIDDLE]


def greedy(folder: Path, model: Model, steps: int) -> list[int]:
    """One token after the other, all of it computed anew, with no token that stands for no text."""
    config = json.loads((folder / "config.json").read_text())
    banned_V = model.traits.vocabulary.specials_V[OFFSET:]
    tokens = prompt_of(model, folder)
    first = len(tokens)
    for _ in range(steps):
        logits_V = logits(folder, config, tokens)[-1].masked_fill(banned_V, float("-inf"))
        tokens.append(int(logits_V.argmax()))
    return tokens[first:]


def logits(folder: Path, config: dict[str, Any], tokens: list[int]) -> Tensor:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    name = config["architectures"][0]
    kind = getattr(transformers, name.replace("ForCausalLM", "Config"))
    known = {key: value for key, value in config.items() if key != "architectures"}
    theirs = getattr(transformers, name)(kind(**known)).eval()
    theirs.load_state_dict(weights_in(folder))
    with torch.no_grad():
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


def test_what_was_read_is_not_read_again(folder: Path) -> None:
    model = families.load(folder, CPU)
    prefix, suffix = model.streams("python", PREFIX, SUFFIX)
    assert model.read(prefix, suffix, []).encoded == len(prefix) - 1
    before = written(model, STEPS)
    assert model.read(prefix, suffix, []).encoded == 0
    other, _ = model.streams("python", PREFIX + b"load", SUFFIX)
    assert 0 < model.read(other, suffix, []).encoded < len(other) - 1
    assert written(model, STEPS) == before


def test_qwens_logits_are_those_of_the_published_equations(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    if "rope_scaling" in config:
        pytest.skip("the equations written down again have no stretched positions")
    model = families.load(folder, CPU)
    tokens = prompt_of(model, folder)
    seen_TT = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
    logits_TV = published.llama(weights_in(folder), config, torch.tensor(tokens), seen_TT)
    row_NC = torch.zeros(1, 3, dtype=torch.int64)
    look = model.read(*model.streams("python", PREFIX, SUFFIX), []).look
    found_PV = look(row_NC, row_NC == 0)
    expected_V = torch.log_softmax(logits_TV[-1], -1)
    torch.testing.assert_close(found_PV[0, OFFSET:], expected_V, atol=1e-4, rtol=1e-4)


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
