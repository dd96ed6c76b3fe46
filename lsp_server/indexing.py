"""When the workspace is looked through: at the start, and whenever its files may have changed."""

import asyncio
import logging
from pathlib import Path
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from lsp_server.language_server import SfumatoServer, register

logger = logging.getLogger(__name__)

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
    token = await _shown(server) if folders and not server.index.is_begun else None
    if token is None:
        await server.index.refresh(folders)
        return
    progress = server.work_done_progress

    def report(percentage: int) -> None:
        progress.report(token, types.WorkDoneProgressReport(percentage=percentage))

    try:
        await server.index.refresh(folders, report)
    finally:
        progress.tokens.pop(token, None)
        progress.end(token, types.WorkDoneProgressEnd())


def _folders(server: SfumatoServer) -> list[Path]:
    """The folders on this machine that the client has open."""
    uris = list(server.workspace.folders) or [server.workspace.root_uri or ""]
    paths = (Path(path) for path in map(to_fs_path, uris) if path)
    return [path for path in paths if path.is_dir()]


async def _shown(server: SfumatoServer) -> str | None:
    """A token for progress that the client shows; None if it shows none."""
    window = server.client_capabilities.window
    if not window or not window.work_done_progress:
        return None
    token = str(uuid4())
    try:
        await server.work_done_progress.create_async(token)
    except JsonRpcException as error:
        logger.warning("the editor shows no progress: %s", error)
        return None
    begin = types.WorkDoneProgressBegin(TITLE, cancellable=False, percentage=0)
    server.work_done_progress.begin(token, begin)
    return token
