"""A hub on loopback that has one repository: as much of its protocol as a download takes."""

import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What it serves, and what it was asked for.

    breaks_off  the file in the middle of which the first connection breaks off
    ranges      the bytes asked for from each file, where not all of it was
    """

    folder: Path
    breaks_off: str = ""
    asked: list[str] = field(default_factory=list[str])
    ranges: dict[str, str] = field(default_factory=dict[str, str])
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *of_the_server: Any) -> None:
        self.hub = hub
        super().__init__(*of_the_server)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path.startswith("/api/models/owner/tiny/tree"):
            return self._json(_tree(self.hub.folder))
        if self.path.startswith("/api/models/owner/tiny"):
            return self._json(_listing(self.hub.folder))
        found = re.fullmatch(rf"/owner/tiny/resolve/{COMMIT}/([\w.-]+)", self.path)
        if not found or not (self.hub.folder / found[1]).is_file():
            return self._refuse()
        return self._file(found[1], body=body)

    def _refuse(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, found: object) -> None:
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, name: str, *, body: bool) -> None:
        data = (self.hub.folder / name).read_bytes()
        start = 0
        if body:
            self.hub.asked.append(name)
            if wanted := self.headers.get("Range"):
                self.hub.ranges[name] = wanted
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body and name == self.hub.breaks_off:
            self.hub.breaks_off = ""
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif body:
            self.wfile.write(data[start:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Not on stderr."""


@contextmanager
def serving(hub: Hub) -> Generator[Hub, None, None]:
    """Serve the hub's folder as the repository owner/tiny."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


def _listing(folder: Path) -> dict[str, object]:
    siblings = [{"rfilename": file.name, "size": file.stat().st_size} for file in _files(folder)]
    return {
        "_id": "0",
        "id": "owner/tiny",
        "modelId": "owner/tiny",
        "sha": COMMIT,
        "siblings": siblings,
        "private": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
    }


def _tree(folder: Path) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}
        for file in _files(folder)
    ]
