"""The attention of training on an accelerator: the same as the plain one, in one kernel."""

from pathlib import Path

import pytest
import torch

from engine.train.data import Batches
from engine.train.loss import noised, trunk
from engine.train.mix import MIX
from engine.train.pack import load_packed
from tests.support.tiny_model import tiny_denoiser, tiny_tokenizer
from tests.support.tiny_run import SHAPE, prepare


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@torch.no_grad()
def test_one_kernel_sees_what_the_plain_pass_sees(tmp_path: Path) -> None:
    packed = load_packed(prepare(tmp_path / "run") / "packed")["train"]
    model = tiny_denoiser()
    for step in range(3):
        batch = Batches(packed, MIX, SHAPE, seed=0)[step]
        canvas_BNC = noised(
            batch, torch.Generator().manual_seed(step), tiny_tokenizer().size
        ).noised.canvas_BNC
        plain, fused = (
            trunk(model, batch, canvas_BNC, fused=one).canvas_BNCD[batch.used_BN]
            for one in (False, True)
        )
        assert plain.std() > 0.1
        assert fused.allclose(plain, atol=1e-4)
