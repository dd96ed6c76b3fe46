"""The shared stack against the published equations, and the cache of full blocks against none."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.families.blocks import Blocks
from engine.families.experts import Routing
from engine.families.transformer import Shape, Transformer
from tests.support import published_models as published

VOCABULARY, BLOCK, MASK = 50, 4, 0
PLAIN = Shape(VOCABULARY, 32, 2, 4, 2, 8, 48, rope_base=1e6, epsilon=1e-6)
CONFIG = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "hidden_size": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
}


def drawn(shape: Shape) -> Transformer:
    """A stack with opinions: random weights, wide, and norms that are not 1."""
    model, noise = Transformer(shape), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            wide = 1.5 * parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.3
            parameter.normal_(std=wide, generator=noise)
            if parameter.ndim == 1:
                parameter.add_(1)
    return model.eval()


def published_names(model: Transformer) -> Mapping[str, Tensor]:
    weights = model.state_dict()
    return {k if k.startswith("lm_head") else f"model.{k}": v for k, v in weights.items()}


def tokens(count: int, seed: int) -> list[int]:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(1, VOCABULARY, (count,), generator=noise).tolist()


@pytest.mark.parametrize(
    "kind",
    [{"qkv_bias": True, "tied": True}, {"qk_norm": True}, {}],
    ids=["qwen2", "qwen3", "llama"],
)
@torch.no_grad()
def test_the_stack_computes_what_was_published(kind: dict[str, Any]) -> None:
    model = drawn(Shape(VOCABULARY, 32, 2, 4, 2, 8, 48, rope_base=1e6, epsilon=1e-6, **kind))
    row_T, seen_TT = torch.tensor(tokens(11, seed=1)), published.block_causal(11, BLOCK)
    hidden_NTD, _ = model(row_T[None], torch.arange(11)[None], seen_TT[None])
    config = CONFIG | {"tie_word_embeddings": "tied" in kind}
    expected_TV = published.llama(published_names(model), config, row_T, seen_TT)
    torch.testing.assert_close(model.logits(hidden_NTD[0]), expected_TV, atol=1e-4, rtol=0)


@torch.no_grad()
def test_experts_compute_what_was_published() -> None:
    routing = Routing(count=8, chosen=3, hidden=16)
    model = drawn(
        Shape(VOCABULARY, 32, 2, 4, 2, 8, 48, 1e6, 1e-6, qk_norm=True, routing=routing, dense=1)
    )
    row_T = torch.tensor(tokens(11, seed=1))
    hidden_NTD, _ = model(row_T[None], torch.arange(11)[None])
    config = CONFIG | {"moe_layer_freq": [0, 1], "num_experts_per_tok": 3}
    expected_TV = published.llada_moe(published_names(model), config, row_T)
    torch.testing.assert_close(model.logits(hidden_NTD[0]), expected_TV, atol=1e-4, rtol=0)


@torch.no_grad()
def test_full_blocks_are_kept_exactly_over_any_edits() -> None:
    model, noise = drawn(PLAIN), torch.Generator().manual_seed(0)
    blocks, context = Blocks(model, BLOCK), list[int]()

    def below(bound: int) -> int:
        return int(torch.randint(0, bound, (1,), generator=noise))

    for step in range(30):
        context = context[: below(len(context) + 1)] + tokens(1 + below(9), seed=step)
        opened = blocks.read(context)
        canvas_NC = torch.tensor([tokens(1 + below(6), seed=100 + step)])
        hidden_NCD, before_NCD = opened.look(canvas_NC, MASK)
        row = context + canvas_NC[0].tolist()
        row += [MASK] * (-len(row) % BLOCK)
        whole_TV = published.llama(
            published_names(model), CONFIG, torch.tensor(row), published.block_causal(len(row), 4)
        )
        start, end = len(context), len(context) + canvas_NC.shape[1]
        for found_NCD, expected_TV in (
            (hidden_NCD, whole_TV[start:end]),
            (before_NCD, whole_TV[start - 1 : end - 1]),
        ):
            torch.testing.assert_close(model.logits(found_NCD[0]), expected_TV, atol=1e-4, rtol=0)


def test_only_blocks_that_are_new_and_full_are_computed() -> None:
    blocks, context = Blocks(drawn(PLAIN), BLOCK), tokens(18, seed=1)
    assert blocks.read(context).encoded == 16
    assert blocks.read(context).encoded == 0
    assert blocks.read([*context, 7]).encoded == 0
    assert blocks.read([*context, 7]).room == 1
    assert blocks.read([*context, 7, 8, 9]).encoded == BLOCK
    assert blocks.read([*context[:9], 3, *context[10:]]).encoded == 2 * BLOCK
    assert blocks.read(context[:6]).encoded == 0


@torch.no_grad()
def test_an_open_block_is_not_changed_by_a_later_context() -> None:
    blocks, canvas_NC = Blocks(drawn(PLAIN), BLOCK), torch.tensor([[MASK, MASK]])
    opened = blocks.read(tokens(10, seed=1))
    hidden_NCD = opened.look(canvas_NC, MASK)[0]
    blocks.read(tokens(10, seed=2))
    torch.testing.assert_close(opened.look(canvas_NC, MASK)[0], hidden_NCD)
