"""A look gives of the wanted slots what a look at everything gives of them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.inference import Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache
from engine.look import BoundLook
from tests.support.tiny_model import tiny_denoiser

MODEL = tiny_denoiser()
INFERENCE = Inference(MODEL)
ROWS, SLOTS = 4, 6
CACHE = ContextCache(INFERENCE, 64)
TOKENS = list(range(20, 40))


@given(st.lists(st.booleans(), min_size=ROWS * SLOTS, max_size=ROWS * SLOTS), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
@torch.inference_mode()
def test_what_is_not_wanted_changes_nothing(wanted: list[bool], seed: int) -> None:
    streams = CACHE.read(TOKENS, PREFIX), CACHE.read(TOKENS[::-2], SUFFIX)
    look = BoundLook(INFERENCE, INFERENCE.bind(*streams, before=TOKENS[-1]))
    random = torch.Generator().manual_seed(seed)
    tokens_NC = torch.randint(12, 60, (ROWS, SLOTS), generator=random)
    wanted_NC = torch.tensor(wanted).view(ROWS, SLOTS)
    wanted_NC[0, 0] = True
    every_PV = look(tokens_NC, torch.ones_like(wanted_NC))
    assert look(tokens_NC, wanted_NC).allclose(every_PV[wanted_NC.flatten()], atol=1e-4)
