"""When the workspace is looked through: at the start, and whenever its files may have changed."""

import asyncio
from functools import partial
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path

from lsp_server import progress
from lsp_server.language_server import SfumatoServer, register

CALM_S = 1.0
"""Changes on disk come in crowds: wait so long for the last of them."""
LEISURE = 9
"""Or so many times as long as looking took, so that it takes a tenth of a core at most."""
TITLE = "Sfumato reads the workspace"


async def follow_disk(server: SfumatoServer) -> None:
    """Ask to be told of changes on disk."""
    workspace = server.client_capabilities.workspace
    watched = workspace and workspace.did_change_watched_files
    if watched and watched.dynamic_registration:
        watchers = [types.FileSystemWatcher("**/*")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        await register(server, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)


def disk_changed(server: SfumatoServer, _: object) -> None:
    """Look again, once it is calm."""
    if not server.look_is_due:
        server.look_is_due = True
        server.begin(_look_when_calm(server))


async def _look_when_calm(server: SfumatoServer) -> None:
    await asyncio.sleep(max(CALM_S, LEISURE * server.index.took_s))
    server.look_is_due = False
    await look(server)


async def look(server: SfumatoServer) -> None:
    """Tell the engine what is new in the workspace; the first time, show how far that has come."""
    folders = _folders(server)
    first = bool(folders) and not server.index.is_begun
    token = await progress.begin(server, TITLE, cancellable=False) if first else None
    if token is None:
        await server.index.refresh(folders)
        return
    try:
        await server.index.refresh(folders, partial(progress.report, server, token))
    finally:
        progress.end(server, token)


def _folders(server: SfumatoServer) -> list[Path]:
    """The folders on this machine that the client has open."""
    uris = list(server.workspace.folders) or [server.workspace.root_uri or ""]
    paths = (Path(path) for path in map(to_fs_path, uris) if path)
    return [path for path in paths if path.is_dir()]
