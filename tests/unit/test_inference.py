"""The pass that is served equals the plain one, whatever shares it."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.inference import Glance, Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache, Read, context_of
from engine.model import Denoiser
from engine.tokenizer import MASK
from tests.support.tiny_model import tiny_denoiser

MODEL = tiny_denoiser()
WITHOUT_POINTER = tiny_denoiser(seed=1)
WITHOUT_POINTER.pointer = None
with torch.no_grad():
    for name, weight in MODEL.named_parameters():
        if "norm" in name:  # as made, every scale is 1
            weight.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))

CANVASES = st.tuples(
    st.integers(1, 90),  # tokens of the prefix
    st.integers(1, 90),  # tokens of the suffix
    st.integers(1, 3),  # rows
    st.sampled_from([1, 4, 16]),  # slots
    st.integers(0, 2**32),
)


def plain(model: Denoiser, prefix: Read, suffix: Read, before: int, glance: Glance) -> Tensor:
    """Log-probabilities [P, V] by the letter of `engine/model.py`."""
    tokens_BNC = glance.tokens_NC[None]
    context = context_of(prefix, suffix, len(glance.tokens_NC))
    before_BN = torch.full(tokens_BNC.shape[:2], before)
    hidden_BNCD = model.denoise(tokens_BNC, before_BN, context)
    return model.log_probs(hidden_BNCD, context, glance.wanted_NC[None])


@given(st.lists(CANVASES, min_size=1, max_size=4), st.booleans())
@settings(max_examples=25, deadline=None)
@torch.inference_mode()
def test_canvases_of_many_contexts_in_one_pass_equal_each_by_the_plain_pass(
    sizes: list[tuple[int, int, int, int, int]], with_pointer: bool
) -> None:
    model = MODEL if with_pointer else WITHOUT_POINTER
    served = Inference(model)
    cache = ContextCache(served, 128)
    glances: list[Glance] = []
    expected: list[Tensor] = []
    for left, right, rows, slots, seed in sizes:
        random = torch.Generator().manual_seed(seed)
        prefix, suffix = (
            torch.randint(12, 60, (count,), generator=random).tolist() for count in (left, right)
        )
        read = cache.read(prefix, PREFIX), cache.read(suffix, SUFFIX)
        tokens_NC = torch.randint(12, 60, (rows, slots), generator=random)
        wanted_NC = torch.rand(rows, slots, generator=random) < 0.5
        tokens_NC[wanted_NC] = MASK
        glances.append(Glance(served.bind(*read, prefix[-1]), tokens_NC, wanted_NC))
        expected.append(plain(model, *read, prefix[-1], glances[-1]))
    for found_PV, expected_PV in zip(served.look(glances), expected, strict=True):
        assert found_PV.exp().allclose(expected_PV.exp(), atol=1e-4)


@torch.inference_mode()
def test_a_bound_context_outlives_what_the_cache_makes_of_its_place() -> None:
    served = Inference(MODEL)
    cache = ContextCache(served, 128)
    first, second = [4, *range(20, 60)], [4, *range(20, 41), *range(70, 90)]
    read = cache.read(first, PREFIX), cache.read(second, SUFFIX)
    blank = Glance(served.bind(*read, first[-1]), torch.full((1, 4), MASK), torch.ones(1, 4) > 0)
    before = served.look([blank])[0]
    cache.read(second, PREFIX)  # shares its first half with the first: written over it
    assert served.look([blank])[0].equal(before)
