"""A language server that answers every inline completion at once, with the same text.

What an editor needs from a key to ghost text with it is the editor's own share of the delay.
"""

import json
import sys
from typing import Any

TEXT = "an_answer(at, once)"

_CAPABILITIES = {
    "positionEncoding": "utf-16",
    "textDocumentSync": 1,
    "inlineCompletionProvider": {},
    "executeCommandProvider": {"commands": []},
}


def read() -> dict[str, Any] | None:
    """The next message; None at the end of the input."""
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def answer(method: str, params: Any) -> object:
    """The result of a request."""
    if method == "initialize":
        return {"capabilities": _CAPABILITIES}
    if method == "textDocument/inlineCompletion":
        at = params["position"]
        return {"items": [{"insertText": TEXT, "range": {"start": at, "end": at}}]}
    return None


def main() -> None:
    """Answer until the input ends."""
    while message := read():
        if "id" in message and "method" in message:
            result = answer(message["method"], message.get("params"))
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            body = json.dumps(reply).encode()
            sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
