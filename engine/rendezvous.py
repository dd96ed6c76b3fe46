"""Where an engine process and its clients meet: a few files in a folder only this user can enter.

One engine serves one checkpoint, for one user and one version of Sfumato; the name of its files
says which. Whoever holds the lock file *is* the engine: the operating system lets go of it however
the process ends, so a socket without a held lock is left over from a dead engine.
"""

import os
import secrets
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from platformdirs import user_cache_path, user_runtime_path

from engine import __version__
from engine.errors import CheckpointError, EngineUnreachable
from engine.remote import endpoint
from engine.shelf import SHIPPED_FOLDER
from engine.threads import PASSIVE_WAITING

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_OF_CONNECTIONS = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    *_PROXIES,
    *(name.lower() for name in _PROXIES),
)
"""Variables by which httpx connects."""

DEFAULT_MODEL = SHIPPED_FOLDER

LONGEST_FOLDER_BYTES = 70
"""An address ends after 107 bytes on Linux and 103 on macOS; a socket's name takes about 25."""

Transport = Literal["unix", "tcp"]


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """The meeting point of one engine and its clients.

    folder      mode 0700, this user's
    name        of the files in it
    checksum    of the checkpoint, see `checkpoint_checksum`
    transport   "tcp" (loopback, with a token) where the platform has no Unix sockets
    """

    folder: Path
    name: str
    checksum: str
    transport: Transport = "unix" if hasattr(socket, "AF_UNIX") else "tcp"

    @property
    def socket_path(self) -> Path:
        return self.folder / f"{self.name}.sock"

    @property
    def token_path(self) -> Path:
        """Instead of the socket where the transport is "tcp": port and token, mode 0600."""
        return self.folder / f"{self.name}.token"

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.name}.log"

    def lock(self) -> FileLock:
        """Held by the engine from before it loads until it ends."""
        return FileLock(self.folder / f"{self.name}.lock")

    def starter(self) -> FileLock:
        """Held by the client that is starting an engine, until the engine answers."""
        return FileLock(self.folder / f"{self.name}.start")

    def is_taken(self) -> bool:
        """Whether an engine is loading, serving or ending here."""
        try:
            with self.lock().acquire(blocking=False):
                return False
        except Timeout:
            return True

    def listen(self) -> tuple[socket.socket, str | None]:
        """Open the door: the socket that listens, and the token clients must send over TCP.

        Only the holder of the lock may call this: it removes what a dead engine left behind.
        """
        if self.transport == "tcp":
            return self._listen_on_loopback()
        self.socket_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)  # mode 0600 from the first moment, not after a chmod
        try:
            listener.bind(str(self.socket_path))
        finally:
            os.umask(umask)
        return listener, None

    def _listen_on_loopback(self) -> tuple[socket.socket, str]:
        listener = socket.create_server(("127.0.0.1", 0))
        token = secrets.token_urlsafe(32)
        draft = self.token_path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{listener.getsockname()[1]} {token}")
        draft.replace(self.token_path)  # readers see all of it or none
        return listener, token

    def tcp_address(self) -> tuple[int, str]:
        """Port and token of the engine; port 0, where nobody answers, when there is none."""
        try:
            port, token = self.token_path.read_text().split()
        except FileNotFoundError:
            return 0, ""
        return int(port), token

    def withdraw(self) -> None:
        """Close the door: take away what `listen` put there."""
        self.socket_path.unlink(missing_ok=True)
        self.token_path.unlink(missing_ok=True)


def rendezvous(model: Path) -> Rendezvous:
    """Where the engine of this user, this version and this checkpoint folder is met.

    Raises CheckpointError when there is no such checkpoint, EngineUnreachable when no folder is
    safe to meet in.
    """
    checksum = checkpoint_checksum(model)
    served = f"{model.resolve()}\0{checksum}\0{_environment(model)}"
    name = f"{__version__}-{sha256(served.encode()).hexdigest()[:12]}"
    return Rendezvous(private_folder(), name, checksum)


def checkpoint_checksum(model: Path) -> str:
    """SHA-256 of what stands for all of a checkpoint, or of an endpoint, hexadecimal.

    Folders of the hub have no sums, and gigabytes take long to sum up: names, sizes and times do.
    """
    sums = model / (endpoint.FILE if endpoint.is_in(model) else "SHA256SUMS")
    if not sums.is_file() and (model / "config.json").is_file():
        return sha256("\n".join(_listing(model)).encode()).hexdigest()
    try:
        return sha256(sums.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"There is no checkpoint in {model} (SHA256SUMS: {error.strerror}); "
            "give the folder of one with --model, or train one with `sfumato train`."
        ) from error


def _listing(model: Path) -> list[str]:
    found = ((file, file.stat()) for file in sorted(model.iterdir()) if file.is_file())
    return [f"{file.name} {stat.st_size} {stat.st_mtime_ns}" for file, stat in found]


def _environment(model: Path) -> str:
    """What the environment says of an endpoint: its key, certificates, proxies.

    The engine has the environment in which it was started, and would go on with the old one.
    """
    if not endpoint.is_in(model):
        return ""
    names = (endpoint.Endpoint.load(model).key, *_OF_CONNECTIONS)
    return "\0".join(os.environ.get(name, "") for name in names)


def private_folder() -> Path:
    """The folder of this user that nobody else can enter; made when missing.

    The temporary folder is the way out when the usual one is too long for a socket's address.
    Raises EngineUnreachable when no folder is safe.
    """
    folder = _runtime_folder()
    if len(os.fsencode(folder)) > LONGEST_FOLDER_BYTES:
        folder = Path(tempfile.gettempdir()) / f"sfumato-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            _demand_private(folder)
    except OSError as error:
        raise EngineUnreachable(
            f"There is no private folder for the engine's socket ({error}); "
            "set XDG_RUNTIME_DIR to a folder of yours."
        ) from error
    return folder


def _runtime_folder() -> Path:
    try:
        with warnings.catch_warnings(action="ignore"):  # about a fallback that suits us
            return user_runtime_path("sfumato", appauthor=False)
    except PermissionError:  # the usual one belongs to somebody else
        return user_cache_path("sfumato", appauthor=False)


def _demand_private(folder: Path) -> None:
    """Raise PermissionError unless the folder is a real one of this user; give it mode 0700."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def start(meeting: Rendezvous, program: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start an engine process that outlives this one.

    It runs in the private folder, so that it neither keeps the user's folder busy nor imports
    anything from there.
    """
    with meeting.log_path.open("ab") as log:
        log.truncate(0)
        return subprocess.Popen(
            program,
            cwd=meeting.folder,
            env=PASSIVE_WAITING | os.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            creationflags=subprocess.DETACHED_PROCESS if sys.platform == "win32" else 0,
        )


def last_words(meeting: Rendezvous) -> str:
    """The last line that the engine wrote before it ended: why it could not start."""
    lines = meeting.log_path.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it left no message")
