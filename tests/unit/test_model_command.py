"""`sfumato model`: folders of others, a hub on loopback, the one in use."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.shelf import SHIPPED_FOLDER, model_folder
from lsp_server.cli import main
from tests.support.qwen_folders import A2D_QWEN2, DREAM, Family
from tests.support.stand_in_hub import Hub, serving
from tests.support.tiny_model import write_tiny_checkpoint

Told = Callable[..., str]


@pytest.fixture(autouse=True)
def _nothing_on_the_shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def done(capsys: pytest.CaptureFixture[str]) -> Told:
    """What `sfumato model` prints, when it works."""

    def run(*words: str) -> str:
        assert main(["model", *words]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Told:
    """The sentence that `sfumato model` ends with."""

    def run(*words: str) -> str:
        assert main(["model", *words]) == 2
        sentence = capsys.readouterr().err.strip()
        assert "\n" not in sentence
        return sentence

    return run


def written(family: Family, folder: Path, **changed: object) -> Path:
    folder.mkdir()
    return family.write(folder, **changed)


def test_a_folder_is_added_described_used_and_removed(done: Told, tmp_path: Path) -> None:
    folder = written(DREAM, tmp_path / "tiny-dream")
    assert "Added tiny-dream: DreamModel" in done("add", str(folder))
    assert marked(done("list")) == {"default": "*", "tiny-dream": ""}
    told = done("info", "tiny-dream")
    assert "DreamModel (qwen)" in told
    assert str(folder) in "".join(told.split())  # whole, on as many lines as it takes
    assert "F32" in told
    assert "both sides of the hole" in told
    assert f"token {DREAM.id('<|mask|>')}" in told
    done("use", "tiny-dream")
    assert marked(done("list")) == {"default": "", "tiny-dream": "*"}
    assert "its folder stays" in done("remove", "tiny-dream")
    assert folder.is_dir()
    assert marked(done("list")) == {"default": "*"}


def marked(listed: str) -> dict[str, str]:
    """The mark before each name."""
    return {line[2:].split()[0]: line[0].strip() for line in listed.splitlines()}


def test_of_a_model_that_sees_in_blocks_it_is_said(done: Told, tmp_path: Path) -> None:
    folder = written(A2D_QWEN2, tmp_path / "tiny-bd3lm")
    done("add", str(folder))
    told = done("info", "tiny-bd3lm")
    assert "what is before the hole" in told
    assert "of 32 tokens" in told
    assert "both sides of the hole" in done("info", "default")


def test_the_model_in_use_is_the_default_and_what_is_asked_for_wins(
    done: Told, tmp_path: Path
) -> None:
    assert model_folder() == SHIPPED_FOLDER
    ours = write_tiny_checkpoint(tmp_path / "ours")
    dream = written(DREAM, tmp_path / "dream")
    done("add", str(ours), "--name", "mine")
    done("add", str(dream))
    done("use", "dream")
    assert model_folder() == dream
    assert model_folder(Path("mine")) == ours
    assert model_folder(Path("default")) == SHIPPED_FOLDER
    assert model_folder(ours) == ours
    assert model_folder(Path("nowhere")) == Path("nowhere")


def test_what_cannot_be_added_is_said_in_a_sentence(refused: Told, tmp_path: Path) -> None:
    mamba = written(A2D_QWEN2, tmp_path / "mamba", architectures=["MambaForCausalLM"])
    assert '"MambaForCausalLM"' in refused("add", str(mamba))
    for source in ("no-such-thing", "./no-such-thing", "../no-such-thing", "~/no-such-thing"):
        assert "neither a folder nor a repository" in refused("add", source)
    assert "there is no model" in refused("use", "mamba")
    assert "already" in refused("add", str(mamba), "--name", "default")
    assert "no name" in refused("add", str(mamba), "--name", "../up")
    assert "cannot be removed" in refused("remove", "default")


def test_a_damaged_shelf_is_said_and_left_alone(refused: Told, tmp_path: Path) -> None:
    shelf = tmp_path / "data/sfumato/models/shelf.json"
    shelf.parent.mkdir(parents=True)
    shelf.write_text("[]")
    assert "shelf.json cannot be read" in refused("list")
    assert shelf.read_text() == "[]"


FETCH = """
import sys
from pathlib import Path
import huggingface_hub.constants
from engine.shelf import Shelf, fetch
huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = 1024  # what is written down before it breaks off
shelf = Shelf.open()
fetch("owner/tiny", shelf.folder / "tiny")
shelf.put("tiny", shelf.folder / "tiny")
"""


def test_weights_that_would_be_refused_are_not_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    packed = {"quant_method": "fp8"}
    folder = written(A2D_QWEN2, tmp_path / "repository", quantization_config=packed)
    with serving(Hub(folder)) as hub:
        where = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "NO_PROXY": "127.0.0.1"}
        finished = subprocess.run(
            [sys.executable, "-m", "lsp_server.cli", "model", "add", "owner/tiny"],
            env={**os.environ, **where, "HF_HUB_DISABLE_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 2
    assert "quantised weights (fp8)" in finished.stderr
    assert "config.json" in hub.asked
    assert "model.safetensors" not in hub.asked


def test_a_download_goes_on_where_it_broke_off(done: Told, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    folder = written(A2D_QWEN2, tmp_path / "repository")
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    (folder / "modeling_qwen2.py").write_text("raise SystemExit('never run')")
    with serving(Hub(folder, breaks_off="model.safetensors")) as hub:
        where = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "NO_PROXY": "127.0.0.1"}
        finished = subprocess.run(
            [sys.executable, "-c", FETCH],
            env={**os.environ, **where, "HF_HUB_DISABLE_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    assert not {"pytorch_model.bin", "modeling_qwen2.py"} & set(hub.asked)
    assert "model.safetensors" in hub.ranges
    fetched = model_folder(Path("tiny"))
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (fetched / name).read_bytes() == (folder / name).read_bytes()
    assert "Removed tiny." in done("remove", "tiny")
    assert not fetched.exists()
