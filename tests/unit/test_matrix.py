"""Weights that are laid out anew multiply as they did."""

import pytest
import torch
from torch import Tensor

from engine.matrix import LaidLinear, product_with


def plain(x_XI: Tensor, weight_OI: Tensor) -> Tensor:
    return (x_XI.double() @ weight_OI.double().T).to(x_XI.dtype)


@pytest.mark.parametrize("rows", [0, 1, 16, 97])
@pytest.mark.parametrize("weight_OI", [torch.randn(24, 40), torch.randn(40, 24).T])
@torch.inference_mode()
def test_a_product_is_the_plain_one_for_any_number_of_rows(rows: int, weight_OI: Tensor) -> None:
    x_XI = torch.randn(rows, 40)
    assert product_with(weight_OI)(x_XI).allclose(plain(x_XI, weight_OI), atol=1e-5)


@torch.inference_mode()
def test_without_onednn_it_is_the_plain_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    x_XI, weight_OI = torch.randn(5, 40), torch.randn(24, 40)
    assert product_with(weight_OI)(x_XI).allclose(plain(x_XI, weight_OI), atol=1e-5)


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 7), (2, 0, 4)])
@pytest.mark.parametrize("bias", [False, True])
@torch.inference_mode()
def test_a_layer_laid_out_gives_what_it_gave(shape: tuple[int, ...], bias: bool) -> None:
    plain_layer = torch.nn.Linear(40, 24, bias=bias)
    layer = LaidLinear(plain_layer.weight, plain_layer.bias)
    x_XI = torch.randn(*shape, 40)
    assert layer(x_XI).allclose(plain_layer(x_XI), atol=1e-5)
    assert sum(weight.numel() for weight in layer.parameters()) == 24 * 40
