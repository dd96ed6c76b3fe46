"""Progress of something that takes a while, shown by editors that can."""

import logging
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.language_server import SfumatoServer

logger = logging.getLogger(__name__)


async def begin(server: SfumatoServer, title: str, cancellable: bool) -> str | None:
    """A token for progress that the editor shows now; None if it shows none."""
    window = server.client_capabilities.window
    if not window or not window.work_done_progress:
        return None
    token = str(uuid4())
    try:
        await server.work_done_progress.create_async(token)
    except JsonRpcException as error:
        logger.warning("the editor shows no progress: %s", error)
        server.work_done_progress.tokens.pop(token, None)
        return None
    value = types.WorkDoneProgressBegin(title, cancellable=cancellable, percentage=0)
    server.work_done_progress.begin(token, value)
    return token


def report(server: SfumatoServer, token: str, percentage: int, message: str | None = None) -> None:
    """How far it has come."""
    value = types.WorkDoneProgressReport(message=message, percentage=percentage)
    server.work_done_progress.report(token, value)


def end(server: SfumatoServer, token: str) -> None:
    """It is done, or given up."""
    server.work_done_progress.tokens.pop(token, None)
    server.work_done_progress.end(token, types.WorkDoneProgressEnd())
