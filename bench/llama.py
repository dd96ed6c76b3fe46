"""llama.cpp on a model of the same shape, through the llama-cpp-python package where it is there.

The weights are random: speed does not depend on what they are.
"""

import ctypes
import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from engine.model import DenoiserConfig

DTYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0")
_CONTEXT = 512
_EPSILON = 1e-6


def available() -> bool:
    """Whether the optional packages are installed."""
    return find_spec("llama_cpp") is not None and find_spec("gguf") is not None


def write_gguf(path: Path, config: DenoiserConfig, dtype: str) -> None:
    """A Llama of this shape, embedding tied as ours is, with random weights in one of `DTYPES`."""
    gguf: Any = importlib.import_module("gguf")
    kind = gguf.GGMLQuantizationType[dtype]
    writer: Any = gguf.GGUFWriter(path, "llama")
    size = config.width // config.heads
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_rope_dimension_count(size)
    writer.add_layer_norm_rms_eps(_EPSILON)
    writer.add_vocab_size(config.vocabulary)
    writer.add_tokenizer_model("no_vocab")
    random = np.random.default_rng(0)

    def matrix(name: str, rows: int, columns: int) -> None:
        weights = random.standard_normal((rows, columns), np.float32) * columns**-0.5
        data = gguf.quants.quantize(weights, kind)
        writer.add_tensor(name, data, raw_dtype=kind)

    matrix("token_embd.weight", config.vocabulary, config.width)
    writer.add_tensor("output_norm.weight", np.ones(config.width, np.float32))
    for layer in range(config.layers):
        matrix(f"blk.{layer}.attn_q.weight", config.width, config.width)
        matrix(f"blk.{layer}.attn_k.weight", config.kv_heads * size, config.width)
        matrix(f"blk.{layer}.attn_v.weight", config.kv_heads * size, config.width)
        matrix(f"blk.{layer}.attn_output.weight", config.width, config.width)
        matrix(f"blk.{layer}.ffn_gate.weight", config.hidden, config.width)
        matrix(f"blk.{layer}.ffn_up.weight", config.hidden, config.width)
        matrix(f"blk.{layer}.ffn_down.weight", config.width, config.hidden)
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(config.width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def survives(path: Path) -> bool:
    """Whether llama.cpp can run a model here: with some formats some of its builds crash."""
    trial = "import sys; from bench.llama import Llama, Path; Llama(Path(sys.argv[1]), [1, 2], 1)"
    ran = subprocess.run([sys.executable, "-c", trial, path], capture_output=True, check=False)
    return ran.returncode == 0


class Llama:
    """Greedy decoding by llama.cpp behind a context that is in its cache already."""

    def __init__(self, path: Path, context: list[int], threads: int) -> None:
        self._api: Any = importlib.import_module("llama_cpp")
        self._context = len(context)
        self._silent = self._api.llama_log_callback(lambda *_: None)
        self._api.llama_log_set(self._silent, ctypes.c_void_p())
        self._api.llama_backend_init()
        self._model = self._api.llama_model_load_from_file(
            str(path).encode(), self._api.llama_model_default_params()
        )
        params = self._api.llama_context_default_params()
        params.n_ctx = params.n_batch = _CONTEXT
        params.n_threads = params.n_threads_batch = threads
        self._state = self._api.llama_init_from_model(self._model, params)
        self._vocabulary = self._api.llama_vocab_n_tokens(
            self._api.llama_model_get_vocab(self._model)
        )
        self._last = self._read(context)

    def decode(self, count: int) -> list[int]:
        """The next `count` tokens."""
        memory = self._api.llama_get_memory(self._state)
        self._api.llama_memory_seq_rm(memory, 0, self._context, -1)
        token, tokens = self._last, list[int]()
        for _ in range(count):
            tokens.append(token)
            token = self._read([token])
        return tokens

    def _read(self, tokens: list[int]) -> int:
        """Read on; returns the token that is likeliest next."""
        given = (self._api.llama_token * len(tokens))(*tokens)
        batch = self._api.llama_batch_get_one(given, len(tokens))
        status = self._api.llama_decode(self._state, batch)
        assert status == 0, f"llama_decode gave {status}"
        scores = self._api.llama_get_logits_ith(self._state, -1)
        return int(np.ctypeslib.as_array(scores, (self._vocabulary,)).argmax())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.llama_free(self._state)
        self._api.llama_model_free(self._model)
