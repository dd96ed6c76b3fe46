"""What `sfumato bench` measures is what it says it measures."""

import json
from dataclasses import replace

import pytest
import torch

from bench.autoregressive import Autoregressive
from bench.holes import TOKENS, Contender
from bench.keyboard import Keyboard
from bench.large import measure_large
from bench.machine import Machine
from bench.passes import Pass, measure_passes, measure_prefill
from bench.report import Report
from bench.syntax import measure_checks
from bench.timing import Spread, percentile, side_by_side
from bench.typists import Crowd
from engine.families.transformer import Shape
from engine.inference import Inference
from engine.kv_cache import PREFIX
from engine.matrix import product_with
from engine.tokenizer import SPECIALS
from engine.types import EngineInfo
from tests.support.tiny_model import CPU, tiny_denoiser

MACHINE = Machine(read_gb_s=2.0, stream_gb_s=1.0, gemm_gflop_s=0.5)
ONE = Spread(1.0, 0.5, 2.0)
KEYBOARD = Keyboard([10.0, 20.0], [1.0], 0.5, 900.0, ONE, 1.1, 2.0, 50, 400)
PROMISED = (
    "tokens_per_s_32",
    "vs_autoregressive_32",
    "vs_llama_cpp_32",
    "step_over_floor_32",
    "keystroke_p50_ms",
    "keystroke_p95_ms",
    "typed_through_p95_ms",
    "long_file_ratio",
    "loaded_ratio",
    "cold_start_ms",
    "cancel_ms",
    "peak_rss_mb",
    "check_ms",
    "check_after_key_ms",
)


def contender(name: str, ms: float) -> Contender:
    return Contender(name, {tokens: Spread(ms, ms, ms) for tokens in TOKENS})


@torch.inference_mode()
def test_the_rival_decodes_what_reading_everything_anew_predicts() -> None:
    model, context = tiny_denoiser(), [4, *range(20, 60, 3)]
    found = Autoregressive(Inference(model), context, 64).decode(12)
    for end in range(12):
        read = torch.tensor([[*context, *found[:end]]])
        hidden_BTD, _ = model.encode(read, torch.tensor([PREFIX]))
        scores_V = model.logits(hidden_BTD[0, -1])
        assert found[end] == int(scores_V[len(SPECIALS) :].argmax()) + len(SPECIALS)


def test_the_rival_may_be_asked_again() -> None:
    rival = Autoregressive(Inference(tiny_denoiser()), [4, 20, 21], 64)
    assert rival.decode(8)[:4] == rival.decode(4)


@pytest.mark.parametrize(("read_bytes", "floor_ms"), [(0, 0.032), (1_000_000, 0.5)])
def test_the_floor_is_the_longer_of_reading_and_computing(read_bytes: int, floor_ms: float) -> None:
    left, right = torch.ones(10, 20), torch.ones(20, 40)
    work = MACHINE.floor_ms(lambda: left @ right, read_bytes)
    assert work == pytest.approx(floor_ms)


@torch.inference_mode()
def test_products_with_weights_laid_out_count_too() -> None:
    product, rows = product_with(torch.ones(40, 20)), torch.ones(10, 20)
    assert MACHINE.floor_ms(lambda: product(rows), 0) == pytest.approx(0.032)


def test_variants_are_called_in_turn() -> None:
    calls: list[str] = []
    found = side_by_side({name: lambda n=name: calls.append(n) for name in "ab"}, rounds=3)
    assert "".join(calls).endswith("ababab")
    assert found.keys() == {"a", "b"}


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, p) for p in (0, 50, 95, 99)] == [1, 51, 96, 100]
    assert percentile([7.0], 99) == 7


def test_every_bucket_and_every_count_of_new_tokens_is_measured() -> None:
    model = tiny_denoiser()
    passes = measure_passes(model, MACHINE, CPU, rounds=1)
    assert [(one.rows, one.slots) for one in passes] == [
        (rows, slots) for rows in (1, 3) for slots in (16, 32, 64)
    ]
    assert all(one.over_floor > 0 for one in passes)
    assert list(measure_prefill(model, rounds=1)) == [1, 16, 128]


@pytest.mark.parametrize("int8", [False, True])
def test_a_large_shape_is_measured_by_what_its_step_reads(int8: bool) -> None:
    matrices = 4 * 64 * 64 + 3 * 64 * 128
    shape = Shape(512, 64, 2, 4, 4, 16, 128, rope_base=1e4, epsilon=1e-6)
    found = measure_large(shape, replace(CPU, dtype=torch.bfloat16, int8=int8), rounds=2)
    assert found.parameters == pytest.approx(2 * matrices + 2 * 512 * 64, rel=0.02)
    kept = 2 * 2 * 64 * (288 + 96) * 2
    read = 2 * matrices * (1 if int8 else 2) + 512 * 64 * 2 + kept
    assert found.gigabytes * 1e9 == pytest.approx(read, rel=0.02)
    assert found.of_floor > 0
    assert json.loads(found.to_json())["steps_per_s"] == pytest.approx(found.steps_per_s)


@pytest.mark.parametrize("rivals", [0, 1])
def test_the_last_line_holds_what_is_promised(rivals: int) -> None:
    report = Report(
        info=EngineInfo("0.1.0", "tiny", "", 1, "cpu", "float32", 1),
        machine=MACHINE,
        passes=[Pass(1, 32, ONE, 0.5)],
        prefill_ms={1: ONE},
        contenders=[
            contender("sfumato", 10.0),
            contender("sfumato, one pass", 5.0),
            contender("autoregressive", 50.0),
            *[contender("llama.cpp", 5.0)] * rivals,
        ],
        keyboard=KEYBOARD,
        checks=measure_checks("def f(a):\n    return a + 1\n", rounds=1, sizes=(20,)),
        crowds=[Crowd(8, [30.0, 40.0], tokens=16)],
    )
    facts = json.loads(report.to_json())
    assert facts.keys() >= set(PROMISED)
    assert facts["tokens_per_s_32"] == 3200
    assert facts["vs_autoregressive_32"] == 5
    assert facts["vs_autoregressive_32_one_pass"] == 10
    assert facts["vs_llama_cpp_32"] == (0.5 if rivals else None)
    assert facts["step_over_floor_32"] == 2
    assert facts["typists_8_p95_ms"] == 40
    assert facts["typists_8_tokens_per_s"] == 2


def test_the_gate_is_measured_in_files_of_every_length() -> None:
    checks = measure_checks("def f(a):\n    return a + 1\n", rounds=1, sizes=(20, 200))
    assert [one.lines for one in checks] == [20, 200]
    assert all(one.sound_ms.median > 0 and one.whole_ms.median > 0 for one in checks)


def test_nothing_typed_through_is_no_figure() -> None:
    assert KEYBOARD.typed_through_p95_ms == 1
    assert replace(KEYBOARD, typed_through_ms=[]).typed_through_p95_ms is None
