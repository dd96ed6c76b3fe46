"""The app on Ray: replicas may die or be exchanged under load, and no request is lost."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import httpx
import pytest
import yaml

from engine.errors import CheckpointError
from tests.support.tiny_model import source_code, write_tiny_checkpoint

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra `ray`"
)

LIMIT_S = 240.0
CLIENTS = {f"client-{number}": f"a-key-of-client-{number}" for number in range(6)}
ROOT = Path(__file__).parents[2]


class Cluster:
    """A cluster in a process of its own, and its address."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    def tell(self, command: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("> "):
                return line.removeprefix("> ").strip()
        raise AssertionError("the cluster is gone")


@contextmanager
def cluster(log: Path) -> Generator[Cluster, None, None]:
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    keys = " ".join(f"{name}:{key}" for name, key in CLIENTS.items())
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.tiny_cluster", str(port)],
            cwd=ROOT,
            env={**os.environ, "SFUMATO_API_KEYS": keys, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        with process:
            found = Cluster(process, port)
            assert found.answer() == "started"
            yield found
            assert process.stdin
            process.stdin.close()
            process.wait(LIMIT_S)


async def ask(http: httpx.AsyncClient, client: str, prompt: str) -> httpx.Response:
    """The answer; whoever is told that all are busy, and when to ask again, asks again."""
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 4}
    headers = {"Authorization": f"Bearer {CLIENTS[client]}"}
    while True:
        reply = await http.post("/v1/completions", json=body, headers=headers)
        if reply.status_code != 503 or "retry-after" not in reply.headers:
            return reply
        await asyncio.sleep(float(reply.headers["retry-after"]))


async def under_load(found: Cluster, event: str) -> list[httpx.Response]:
    """What was answered while all clients asked without a pause, and something happened."""
    over = asyncio.Event()
    replies: asyncio.Queue[httpx.Response] = asyncio.Queue()

    async def type_on(client: str) -> None:
        number = 0
        while not over.is_set():
            replies.put_nowait(await ask(http, client, f"# {client}, {number}\nx = "))
            number += 1

    async with httpx.AsyncClient(base_url=found.url, timeout=LIMIT_S) as http:
        typing = [asyncio.create_task(type_on(client)) for client in CLIENTS]
        taken = [await replies.get() for _ in range(10)]
        await asyncio.to_thread(found.tell, event)
        taken += [await replies.get() for _ in range(replies.qsize() + 30)]
        over.set()
        await asyncio.gather(*typing)
    return taken


async def cached_tokens(found: Cluster) -> list[int]:
    """Tokens that each client's second request found in a cache."""
    async with httpx.AsyncClient(base_url=found.url, timeout=LIMIT_S) as http:
        text = source_code(4, seed=1)
        replies = [
            [await ask(http, client, f"# {client}\n{text}{typed}") for typed in ("x", "x =")]
            for client in CLIENTS
        ]
    return [second.json()["usage"]["cached_input_tokens"] for _, second in replies]


@pytest.mark.filterwarnings("default")  # Ray's own
def test_the_manifest_says_what_the_app_takes() -> None:
    from engine.cluster import app

    manifest = yaml.safe_load((ROOT / "deploy/rayservice.yaml").read_text())
    served = yaml.safe_load(manifest["spec"]["serveConfigV2"])["applications"][0]
    assert served["import_path"] == f"{app.__module__}:{app.__name__}"
    app(served["args"])
    with pytest.raises(ValueError, match="there is no leats"):
        app({"leats": "2"})


@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_folder_of_no_model_is_refused_before_anything_is_exchanged(tmp_path: Path) -> None:
    from engine.cluster import app

    with pytest.raises(CheckpointError, match="is not the folder of a model"):
        app({"model": str(tmp_path)})


def test_no_request_is_lost(tmp_path: Path) -> None:
    old = write_tiny_checkpoint(tmp_path / "old")
    new = write_tiny_checkpoint(tmp_path / "new", seed=1)
    with cluster(tmp_path / "log") as found:
        assert found.tell(f"deploy 2 2 {old}") == "deployed"
        assert min(asyncio.run(cached_tokens(found))) > 0  # each came back to its replica

        killed = asyncio.run(under_load(found, "kill"))
        assert {reply.status_code for reply in killed} == {200}

        rolled = asyncio.run(under_load(found, f"deploy 2 2 {new}"))
        assert {reply.status_code for reply in rolled} == {200}
        assert found.tell("count") == "2"
