"""Folders of the families with the shape of Qwen, made in milliseconds."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from tests.support.hub_folders import (
    SIZES,
    SPARE,
    special,
    write_config,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import drawn, llama_shapes


@dataclass(frozen=True)
class Family:
    """How a family's folders look."""

    architecture: str
    specials: tuple[str, ...]
    mask: str
    shifted: bool
    opening: str = ""
    norms: bool = False
    whole: bool = True
    tied: bool = False
    shards: int = 1

    def write(self, folder: Path, **changed: Any) -> Path:
        tokens = write_tokenizer(
            folder, self.specials, whole=self.whole, eos_token=self.specials[0], **self._roles()
        )
        config = {**SIZES, "architectures": [self.architecture], "vocab_size": tokens + SPARE}
        config["tie_word_embeddings"] = self.tied
        if self.norms:
            config["head_dim"] = 16
        config |= changed
        write_config(folder, config)
        shapes = llama_shapes(config, bias=not self.norms, norm=self.norms)
        write_weights(folder, drawn(shapes), self.shards)
        return folder

    def _roles(self) -> dict[str, str]:
        roles = {"bos_token": self.opening} if self.opening else {}
        return (
            roles
            if self.architecture == "A2DQwen2LMHeadModel"
            else {**roles, "mask_token": self.mask}
        )

    def id(self, name: str) -> int:
        return special(self.specials.index(name))


END, MASKED = "<|endoftext|>", "<|mask|>"
DREAM = Family(
    "DreamModel",
    (END, "<|beginoftext|>", MASKED),
    MASKED,
    shifted=True,
    opening="<|beginoftext|>",
    whole=False,
    shards=3,
)
DREAMON = replace(DREAM, specials=(*DREAM.specials, "<|expand|>"))
DIFFUCODER = replace(DREAM, specials=(END, MASKED), opening=END, whole=True, shards=1)
OPEN_DCODER = Family("Qwen2ForCausalLM", (END, "<M>"), "<M>", shifted=True, tied=True)
A2D_QWEN2 = Family("A2DQwen2LMHeadModel", (END, MASKED), MASKED, shifted=False, tied=True)
A2D_QWEN3 = replace(A2D_QWEN2, architecture="A2DQwen3LMHeadModel", norms=True)
FAMILIES = {
    "dream": DREAM,
    "dreamon": DREAMON,
    "diffucoder": DIFFUCODER,
    "open-dcoder": OPEN_DCODER,
    "a2d-qwen2": A2D_QWEN2,
    "a2d-qwen3": A2D_QWEN3,
}


def weights_in(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for shard in folder.glob("*.safetensors"):
        found |= load_file(shard)
    return found
