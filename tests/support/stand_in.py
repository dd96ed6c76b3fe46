"""Stand-ins for the servers that fill holes, on loopback: they ask for what the real ones ask for.

What each checks and sends follows its specification: Inception's API reference for Mercury,
llama.cpp's tools/server/README.md and server code, vLLM's and SGLang's OpenAI-compatible servers.
"""

import json
import queue
import select
import ssl
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from engine.errors import EngineError
from engine.types import Draft, Suggestion
from engine.wire import request_from_json, to_event

Json = dict[str, Any]

KEY = "sk-of-the-tests-only"


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: Json


@dataclass(frozen=True)
class Reply:
    """What is answered.

    parts  sent one by one; None: hold the line until the client hangs up
    whole  whether the answer ends as HTTP says it should, or breaks off
    """

    status: int = 200
    kind: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    parts: Iterable[str | bytes | None] = ()
    whole: bool = True


Script = Callable[[Asked], Reply | None]
"""What is answered to a request; None: the line is cut without a word."""


class StandIn:
    """A server on a port of its own.

    asked        what came in
    connections  how many clients have made
    hung_up      set when a client leaves
    """

    def __init__(self, script: Script, context: ssl.SSLContext | None) -> None:
        self.script = script
        self.asked: queue.Queue[Asked] = queue.Queue()
        self.connections = 0
        self.hung_up = threading.Event()
        stand_in = self

        class Handler(_Handler):
            server_of = stand_in

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: StandIn

    def setup(self) -> None:
        super().setup()
        self.server_of.connections += 1

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = Asked(self.path, dict(self.headers), json.loads(self.rfile.read(length)))
        self.server_of.asked.put(asked)
        self._answer(self.server_of.script(asked))

    def do_GET(self) -> None:
        asked = Asked(self.path, dict(self.headers), {})
        self._answer(self.server_of.script(asked))

    def _answer(self, reply: Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for part in reply.parts:
            if part is None:
                select.select([self.connection], [], [], 30.0)  # readable: the client is gone
                self.server_of.hung_up.set()
                break
            data = part if isinstance(part, bytes) else part.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        else:
            if reply.whole:
                self.wfile.write(b"0\r\n\r\n")
                return
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
        pass


@contextmanager
def serving(script: Script, context: ssl.SSLContext | None = None) -> Generator[StandIn]:
    """A stand-in that plays a script, over TLS if there is a context for it."""
    stand_in = StandIn(script, context)
    try:
        yield stand_in
    finally:
        stand_in.close()


def events(*each: Json | str) -> list[str]:
    """Server-sent events, `[DONE]` as it is."""
    return [f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n" for one in each]


def failure(status: int, message: str, **headers: str) -> Reply:
    """An error as all of these servers shape it."""
    body = json.dumps({"error": {"message": message, "type": "some_error", "code": status}})
    return Reply(status, "application/json", headers, [body])


def mercury(*texts: str) -> Script:
    """Inception's /v1/fim/completions, streamed."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            return failure(401, "Incorrect API key provided")
        if asked.path != "/v1/fim/completions":
            return failure(404, "Not Found")
        body = asked.body
        if body.get("model") != "mercury-edit-2" or not isinstance(body.get("suffix"), str):
            return failure(400, "model not found")
        return _choices(texts)

    return answer


def llama(*tokens: tuple[str, float, dict[str, float]]) -> Script:
    """llama-server's /infill: (token, log-probability, what it nearly was) each."""

    def answer(asked: Asked) -> Reply:
        if asked.path != "/infill":
            return failure(404, "File Not Found")
        if not {"input_prefix", "input_suffix"} <= asked.body.keys():
            return failure(400, '"input_prefix" is required')
        chunks: list[Json] = []
        for text, nats, others in tokens:
            tops = [{"token": each, "logprob": value} for each, value in others.items()]
            rated: Json = {"token": text, "logprob": nats, "top_logprobs": tops}
            shown = [rated][: asked.body["n_probs"]]
            chunks.append({"content": text, "stop": False, "completion_probabilities": shown})
        return Reply(parts=events(*chunks, {"content": "", "stop": True, "stop_type": "eos"}))

    return answer


def vllm(model: str, *tokens: tuple[str, float]) -> Script:
    """vLLM's /v1/completions, which refuses `suffix`."""

    def answer(asked: Asked) -> Reply:
        body = asked.body
        if "suffix" in body:
            return failure(400, "suffix is not currently supported")
        if body.get("model") != model:
            return failure(404, f"The model `{body.get('model')}` does not exist.")
        chunks: list[Json] = []
        for text, nats in tokens:
            rated = {"tokens": [text], "token_logprobs": [nats], "top_logprobs": [{text: nats}]}
            logprobs = rated if body.get("logprobs") else None
            choice: Json = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": None}
            chunks.append({"choices": [choice]})
        last: Json = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
        return Reply(parts=events(*chunks, last, {"choices": [], "usage": {}}, "[DONE]"))

    return answer


def with_suffix(*texts: str) -> Script:
    """A /v1/completions that takes `suffix`, such as SGLang's with --completion-template."""

    def answer(asked: Asked) -> Reply:
        if asked.path != "/v1/completions" or not isinstance(asked.body.get("suffix"), str):
            return failure(400, "suffix should be a string")
        return _choices(texts)

    return answer


def sfumato(*words: Draft | Suggestion | EngineError) -> Script:
    """`sfumato engine --listen`, which reads and writes as `engine.wire` does."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            return failure(401, "a key is needed")
        request_from_json(json.dumps(asked.body).encode())
        return Reply(parts=[to_event(word) for word in words])

    return answer


def _choices(texts: Sequence[str]) -> Reply:
    ends = [None] * (len(texts) - 1) + ["stop"]
    chunks: list[Json | str] = [
        {"choices": [{"index": 0, "text": text, "finish_reason": end}]}
        for text, end in zip(texts, ends, strict=True)
    ]
    return Reply(parts=events(*chunks, "[DONE]"))
