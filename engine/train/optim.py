"""Optimisers and the learning rate: Muon for the matrices of the blocks, AdamW for all else."""

import torch
from torch import nn

MUON_LR, ADAM_LR = 0.01, 0.006
"""For a model that begins with random weights."""


class Optimizers:
    """Both optimisers behind one step. `scale` multiplies the base learning rates."""

    def __init__(self, model: nn.Module, muon_lr: float, adam_lr: float) -> None:
        matrices = [p for name, p in model.named_parameters() if "blocks" in name and p.ndim == 2]
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        self._muon = torch.optim.Muon(
            matrices, lr=muon_lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        )
        self._adam = torch.optim.AdamW(rest, lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
        self._base = {"muon": muon_lr, "adam": adam_lr}

    def step(self, scale: float) -> None:
        """Apply the gradients at `scale` times the base rates, and clear them."""
        for name, optimizer in (("muon", self._muon), ("adam", self._adam)):
            for group in optimizer.param_groups:
                group["lr"] = self._base[name] * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, object]:
        """Everything `load_state_dict` needs to go on as if never stopped."""
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        """Restore what `state_dict` gave."""
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def rate(progress: float) -> float:
    """Learning-rate scale at `progress` (0 to 1) of the budget: warm up, hold, fall to zero.

    Warm-up, stable, decay: the length of a run may be chosen while it is under way.
    """
    warm, decay = 0.02, 0.45
    if progress < warm:
        return max(progress / warm, 0.02)
    return min(1.0, max(0.0, (1 - progress) / decay))
