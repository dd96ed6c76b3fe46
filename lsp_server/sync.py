"""What the editor tells: documents and notebooks, and settings, which it may also be asked for."""

import logging
from collections.abc import Sequence

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server import completion, diagnostics, indexing
from lsp_server.language_server import SfumatoServer, register
from lsp_server.positions import Encoding
from lsp_server.session import Session, Snapshot

logger = logging.getLogger(__name__)


def initialize(server: SfumatoServer, params: types.InitializeParams) -> None:
    """Before the reply: agree on what `character` counts, learn who asks. The engine must wait."""
    server.session = Session(Encoding(server.workspace.position_encoding or Encoding.Utf16))
    server.client_name = params.client_info.name if params.client_info else ""
    server.complain(server.configuration.begin(params.initialization_options))
    completion.declare_popups(server)
    diagnostics.declare(server)


def initialized(server: SfumatoServer, _: types.InitializedParams) -> None:
    """Look for the engine now, so that it is warm when first asked."""
    server.connection.wake()
    server.begin(_follow(server))


def did_open(server: SfumatoServer, params: types.DidOpenTextDocumentParams) -> None:
    """Take over a document."""
    server.session.open(params.text_document)
    server.history.forget(params.text_document.uri)


def did_change(server: SfumatoServer, params: types.DidChangeTextDocumentParams) -> None:
    """Follow the editor's edits."""
    after = _change(server, params.text_document, params.content_changes)
    if after is not None:
        server.index.edited(after)


def did_close(server: SfumatoServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    _close(server, params.text_document)


def notebook_did_open(server: SfumatoServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """Take over a notebook and the text of its cells."""
    server.notebooks.open(params.notebook_document)
    for cell in params.cell_text_documents:
        server.session.open(cell)


def notebook_did_change(
    server: SfumatoServer, params: types.DidChangeNotebookDocumentParams
) -> None:
    """Follow cells that come, go and change."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        server.notebooks.change(params.notebook_document.uri, cells.structure.array)
        for cell in cells.structure.did_open or ():
            server.session.open(cell)
        for cell in cells.structure.did_close or ():
            _close(server, cell)
    server.notebooks.describe(params.notebook_document.uri, cells.data or ())
    for content in cells.text_content or ():
        _change(server, content.document, content.changes)


def notebook_did_close(server: SfumatoServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """Forget a notebook and its cells."""
    server.notebooks.close(params.notebook_document.uri)
    for cell in params.cell_text_documents:
        _close(server, cell)


def did_change_configuration(
    server: SfumatoServer, params: types.DidChangeConfigurationParams
) -> None:
    """Follow the user's settings: ask for them where that is possible, else take what was sent."""
    if _can_be_asked(server):
        server.begin(_ask_for_settings(server))
    else:
        server.complain(server.configuration.push(params.settings))
        server.begin(_put_in_force(server))


def did_change_folders(server: SfumatoServer, _: types.DidChangeWorkspaceFoldersParams) -> None:
    """A folder may have settings of its own."""
    server.begin(_look_again(server))


def shutdown(server: SfumatoServer, _: None) -> None:
    """Stop what is under way; keep the counts."""
    server.suggester.drop()
    server.statistics.save()


def _change(
    server: SfumatoServer,
    document: types.VersionedTextDocumentIdentifier,
    changes: Sequence[types.TextDocumentContentChangeEvent],
) -> Snapshot | None:
    """The document after the edits, which are remembered; None if it is not open."""
    before = server.session.snapshot(document.uri)
    server.session.change(document, changes)
    after = server.session.snapshot(document.uri)
    server.pace.key()
    if before is not None and after is not None:
        server.history.observe(before, after, changes)
    return after


def _close(server: SfumatoServer, document: types.TextDocumentIdentifier) -> None:
    server.session.close(document.uri)
    server.index.closed(document.uri)
    server.history.forget(document.uri)
    server.suggester.close(document.uri)


async def _follow(server: SfumatoServer) -> None:
    """The settings first: they say which files may be looked in."""
    await _follow_settings(server)
    await indexing.follow_disk(server)
    server.connection.whenever_found(lambda: server.begin(_introduce(server)))


async def _introduce(server: SfumatoServer) -> None:
    """Tell an engine of the workspace; what was asked before it was there is asked again."""
    diagnostics.ask_again(server)
    await indexing.look(server)


async def _look_again(server: SfumatoServer) -> None:
    if _can_be_asked(server):
        await _ask_for_settings(server)
    await indexing.look(server)


async def _follow_settings(server: SfumatoServer) -> None:
    """Ask to be told of changes, and ask for the settings as they are."""
    workspace = server.client_capabilities.workspace
    changes = workspace and workspace.did_change_configuration
    if changes and changes.dynamic_registration:
        options = types.DidChangeConfigurationRegistrationOptions(section="sfumato")
        await register(server, types.WORKSPACE_DID_CHANGE_CONFIGURATION, options)
    if _can_be_asked(server):
        await _ask_for_settings(server)


async def _ask_for_settings(server: SfumatoServer) -> None:
    """For each workspace folder, and for files outside all of them."""
    folders = list(server.workspace.folders)
    items = [types.ConfigurationItem(scope, "sfumato") for scope in (None, *folders)]
    question = server.configuration.question()
    try:
        params = types.ConfigurationParams(items)
        general, *own = await server.workspace_configuration_async(params)
    except (JsonRpcException, TypeError, ValueError) as error:
        logger.warning("the editor did not tell its settings: %s", error)
        return
    parsed = server.configuration.answer(question, general, list(zip(folders, own, strict=False)))
    for each in parsed:
        server.complain(each)
    if parsed:
        await _put_in_force(server)


async def _put_in_force(server: SfumatoServer) -> None:
    """Nothing that was asked for under the old settings is answered under the new ones."""
    server.suggester.drop()
    server.report(server.connection.status)
    await completion.offer_popups(server)
    await diagnostics.follow_settings(server)
    if server.index.is_begun:
        await indexing.look(server)


def _can_be_asked(server: SfumatoServer) -> bool:
    workspace = server.client_capabilities.workspace
    return workspace is not None and bool(workspace.configuration)
