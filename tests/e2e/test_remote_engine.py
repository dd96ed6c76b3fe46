"""An endpoint is used like a checkpoint: by `--model`, in an engine process of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine import CheckpointError, EndpointError, InfillRequest, Span, Suggestion
from engine.client import EngineClient
from engine.remote.endpoint import Endpoint
from tests.support.fake_editor import FakeEditor, initialize_params
from tests.support.processes import LIMIT_S, corner
from tests.support.stand_in import KEY, failure, llama, mercury, serving

SFUMATO = str(Path(sys.executable).with_name("sfumato"))
HOLE = InfillRequest(b"def f():\n    return \n", Span(20, 20), "python", budget_ms=20_000.0)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("INCEPTION_API_KEY", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with corner(monkeypatch) as path:
        yield path


def endpoint(folder: Path, kind: str, url: str) -> Path:
    Endpoint.usual(kind, url=url).save(folder / "model")
    return folder / "model"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def answer(client: EngineClient) -> Suggestion:
    async with asyncio.timeout(LIMIT_S):
        *_, last = [word async for word in client.infill(HOLE)]
    assert isinstance(last, Suggestion)
    return last


@pytest.mark.asyncio
async def test_the_engine_of_an_endpoint_has_no_weights_and_tells_no_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCEPTION_API_KEY", KEY)
    with serving(mercury("f()")) as server:
        model = endpoint(folder, "mercury", server.url)
        client = await EngineClient.connect(model)
        assert (await answer(client)).text == "f()"
        assert (client.info.model, client.info.parameters) == ("mercury-edit-2", 0)
        process = psutil.Process(await client.pid())
        await client.close()
    assert KEY not in " ".join(process.cmdline())
    kept = b"".join(path.read_bytes() for path in files(folder))
    assert KEY.encode() not in kept
    assert not any("libtorch" in each.path for each in process.memory_maps())


@pytest.mark.asyncio
async def test_a_key_that_is_missing_is_asked_for(folder: Path) -> None:
    model = endpoint(folder, "mercury", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="INCEPTION_API_KEY is neither in the environment"):
        await EngineClient.connect(model)


@pytest.mark.asyncio
async def test_a_new_key_is_used_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(mercury("f()")) as server:
        model = endpoint(folder, "mercury", server.url)
        monkeypatch.setenv("INCEPTION_API_KEY", "sk-mistyped")
        client = await EngineClient.connect(model)
        with pytest.raises(EndpointError, match="refuses the key"):
            await answer(client)
        await client.close()
        monkeypatch.setenv("INCEPTION_API_KEY", KEY)
        client = await EngineClient.connect(model)
        assert (await answer(client)).text == "f()"
        await client.close()


def test_an_editor_is_shown_what_the_server_says_and_why_it_says_nothing(folder: Path) -> None:
    with serving(llama(("compute", -0.1, {}), ("()", -0.1, {}))) as server:
        command = [SFUMATO, "lsp", "--model", str(endpoint(folder, "llama.cpp", server.url))]
        params = initialize_params(debounce_ms=0)
        with FakeEditor(command, folder, dict(os.environ), params) as editor:
            assert editor.status("idle")["model"] == "llama.cpp"
            editor.open("def f():\n    return $0\n")
            ghost = editor.ghost()
            assert ghost is not None
            editor.accept(ghost)
            assert editor.buffer == "def f():\n    return compute()\n"
            server.script = lambda _: failure(503, "Loading model")
            editor.type("\n    x = ")
            assert editor.ghost() is None
            assert "too much to do (503: Loading model)" in editor.status("error")["message"]


def test_files_are_filled_by_a_server(folder: Path) -> None:
    (folder / "a.py").write_text("def f():\n    return $0\n")
    with serving(llama(("f()", -0.1, {}))) as server:
        model = endpoint(folder, "llama.cpp", server.url)
        done = subprocess.run(
            [SFUMATO, "fill", "--model", str(model), "a.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "def f():\n    return f()\n"
