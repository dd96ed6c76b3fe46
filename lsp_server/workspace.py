"""What the engine is told of the workspace: files in the background, and what is being edited.

No text is kept here, and nothing waits for it: an answer knows what the engine knows by then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from time import monotonic
from uuid import uuid4

from engine.types import WorkspaceChange, WorkspaceFile
from lsp_server.context import file_name, with_newlines
from lsp_server.files import MAX_FILE_BYTES, Stamp, language_of, read, scan
from lsp_server.session import Snapshot
from lsp_server.settings import Settings

BATCH_BYTES = 2**20
_NOT_ON_DISK = Stamp(0, 0)
MAX_BYTES = 24 * 2**20
"""More than the engine keeps, which leaves out what is blank."""

Tell = Callable[[WorkspaceChange], Awaitable[int | None]]
Report = Callable[[int], None]


class WorkspaceIndex:
    """One session's folders, as the engine has been told of them.

    is_begun  whether they were looked through yet, or are being
    took_s    the last time, seconds
    tell      takes a change to the engine and says how many files it keeps; None if it is not there
    """

    def __init__(self, tell: Tell, settings_of: Callable[[str], Settings]) -> None:
        self.name = uuid4().hex
        self.is_begun = False
        self.took_s = 0.0
        self._tell = tell
        self._settings_of = settings_of
        self._stamps: dict[str, Stamp] = {}
        self._live: set[str] = set()
        self._kept = 0
        self._edited: dict[str, Snapshot] = {}
        self._turn = asyncio.Lock()

    async def refresh(self, folders: Iterable[Path], report: Report = lambda _: None) -> None:
        """Tell the engine which files have come, changed and gone since it was last told.

        report  is told the percentage
        """
        self.is_begun = True
        async with self._turn:
            began_s = monotonic()
            try:
                await self._refresh(folders, report)
            finally:
                self.took_s = monotonic() - began_s

    async def _refresh(self, folders: Iterable[Path], report: Report) -> None:
        found: dict[Path, Stamp] = {}
        for folder in folders:
            found |= await asyncio.to_thread(scan, folder, self._settings_of)
        names = {path: file_name(path.as_uri()) for path in found}
        gone = self._stamps.keys() - names.values() - self._live
        if not found and not self._stamps:
            return
        await self._send(WorkspaceChange(self.name, gone=tuple(gone)))
        stale = [
            path
            for path, name in names.items()
            if name not in self._live and self._stamps.get(name) != found[path]
        ]
        await self._send_files({path: found[path] for path in _within(stale, found)}, report)

    def edited(self, snapshot: Snapshot) -> None:
        """Note that an open document no longer is what is on disk."""
        self._edited[snapshot.uri] = snapshot

    def closed(self, uri: str) -> None:
        """Forget what was edited: what counts from now on is what is on disk."""
        self._edited.pop(uri, None)
        if file_name(uri) in self._live:
            self._live.discard(file_name(uri))
            self._stamps[file_name(uri)] = _NOT_ON_DISK

    def is_edited_beside(self, asking: str) -> bool:
        """Whether `send_edited` has anything to send."""
        return any(file_name(uri) != asking for uri in self._edited)

    async def send_edited(self, asking: str) -> None:
        """Tell the engine how the documents edited since last time are now.

        asking  name of the file that is asked about, whose text the request itself has
        """
        async with self._turn:  # what is edited while others have theirs is sent at once with this
            others = [uri for uri in self._edited if file_name(uri) != asking]
            snapshots = [self._edited.pop(uri) for uri in others]
            texts = [(one, with_newlines(b"".join(one.lines))) for one in snapshots]
            files = tuple(
                WorkspaceFile(file_name(one.uri), one.language, text)
                for one, text in texts
                if self._allows(one) and len(text) <= MAX_FILE_BYTES
            )
            if files:
                self._live |= {file.name for file in files}
                await self._send(WorkspaceChange(self.name, files))

    def _allows(self, snapshot: Snapshot) -> bool:
        settings, uri = self._settings_of(snapshot.uri), snapshot.uri
        allowed = settings.index_workspace and settings.allows(uri, snapshot.language)
        return allowed and not settings.keeps_secret(uri)

    async def _send_files(self, stamps: dict[Path, Stamp], report: Report) -> None:
        paths = list(stamps)
        while paths:
            batch, size = [], 0
            while paths and size < BATCH_BYTES:
                batch.append(paths.pop())
                size += stamps[batch[-1]].size_bytes
            files = await asyncio.to_thread(_read_all, batch)
            if not await self._send(WorkspaceChange(self.name, files)):
                return
            self._stamps |= {file_name(path.as_uri()): stamps[path] for path in batch}
            report(100 - 100 * len(paths) // len(stamps))

    async def _send(self, change: WorkspaceChange) -> bool:
        """Whether the engine took it; it may be another one, which knows nothing yet."""
        kept = await self._tell(change)
        if kept is None or kept < self._kept - len(change.gone):
            self._stamps.clear()
            self._live.clear()
        for name in change.gone:
            self._stamps.pop(name, None)
        self._kept = kept or 0
        return kept is not None


def _within(paths: list[Path], stamps: dict[Path, Stamp]) -> list[Path]:
    """As many of the paths as fit, the ones changed last first."""
    left = MAX_BYTES
    kept: list[Path] = []
    for path in sorted(paths, key=lambda path: -stamps[path].modified_ns):
        left -= stamps[path].size_bytes
        if left < 0:
            break
        kept.append(path)
    return kept[::-1]


def _read_all(paths: list[Path]) -> tuple[WorkspaceFile, ...]:
    texts = ((path, language_of(path), read(path)) for path in paths)
    return tuple(
        WorkspaceFile(file_name(path.as_uri()), language, text)
        for path, language, text in texts
        if language is not None and text is not None
    )
