"""Plans put into the editor: one undoable edit, with its progress shown while it is made."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server import progress, render
from lsp_server.actions.desk import Plan
from lsp_server.actions.page import Declined, Page, rebased
from lsp_server.language_server import SfumatoServer

ANNOTATION = "sfumato"

Report = Callable[[str, int], None]
Work = Callable[[Report], Coroutine[Any, Any, Plan]]


def text_edits(server: SfumatoServer, plan: Plan) -> list[types.TextEdit]:
    """The plan as edits of the document as it is now. Raises Declined if it no longer fits."""
    snapshot = server.session.snapshot(plan.page.snapshot.uri)
    page = Page.of(snapshot) if snapshot else None
    changes = page and rebased(plan.changes, plan.page.text, page.text)
    if page is None or changes is None:
        raise Declined("The text has changed there meanwhile; try again.")
    lines, encoding = page.snapshot.lines, server.session.encoding
    return [
        types.TextEdit(
            render.span(lines, page.place(change.start), page.place(change.end), encoding),
            change.text.replace(b"\n", page.newline).decode(),
        )
        for change in changes
    ]


def workspace_edit(server: SfumatoServer, plan: Plan) -> types.WorkspaceEdit:
    """Those edits in the richest form that the client takes: annotated, of a version, or plain."""
    edits, uri = text_edits(server, plan), plan.page.snapshot.uri
    snapshot = server.session.snapshot(uri)
    workspace = server.client_capabilities.workspace
    can = workspace and workspace.workspace_edit
    if can is None or not can.document_changes:
        return types.WorkspaceEdit(changes={uri: edits})
    version = snapshot.version if snapshot else None
    document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
    if can.change_annotation_support is None:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, edits)])
    annotated = [types.AnnotatedTextEdit(ANNOTATION, each.range, each.new_text) for each in edits]
    annotation = types.ChangeAnnotation(plan.label, needs_confirmation=False)
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(document, annotated)],
        change_annotations={ANNOTATION: annotation},
    )


async def apply(server: SfumatoServer, plan: Plan) -> None:
    """Have the editor apply a plan. Raises Declined with its reason if it does not."""
    edit = workspace_edit(server, plan)
    params = types.ApplyWorkspaceEditParams(edit, plan.label)
    try:
        result = await server.workspace_apply_edit_async(params)
    except JsonRpcException as error:
        raise Declined(f"The editor did not apply it: {error}.") from error
    if not result.applied:
        raise Declined(f"The editor did not apply it: {result.failure_reason or 'no reason'}.")


async def silently(_server: SfumatoServer, _title: str, work: Work) -> Plan:
    """Do the work, and ask the client nothing: Helix answers nobody while it waits for an edit."""
    return await work(lambda _message, _percentage: None)


async def with_progress(server: SfumatoServer, title: str, work: Work) -> Plan:
    """Do the work, with progress and a way to cancel it where the client can show them.

    Raises Declined if the user cancels it.
    """
    token = await progress.begin(server, title, cancellable=True)
    if token is None:
        return await silently(server, title, work)

    def report(message: str, percentage: int) -> None:
        progress.report(server, token, percentage, message)

    task = asyncio.create_task(work(report))
    withdrawn = server.work_done_progress.tokens[token]
    withdrawn.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    except asyncio.CancelledError:
        task.cancel()
        if not withdrawn.cancelled():
            raise  # the request was cancelled, not its progress
        raise Declined("You cancelled it.") from None
    finally:
        progress.end(server, token)
