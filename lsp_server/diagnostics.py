"""What does not parse, as diagnostics that the editor pulls: for those who ask for it.

Most editors have a server for their language that says it better.
"""

import logging

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from engine.types import Fault, SurveyRequest
from lsp_server import render
from lsp_server.actions.page import Page
from lsp_server.language_server import SfumatoServer, offer
from lsp_server.positions import Encoding
from lsp_server.session import Snapshot

logger = logging.getLogger(__name__)


async def diagnostic(
    server: SfumatoServer, params: types.DocumentDiagnosticParams
) -> types.RelatedFullDocumentDiagnosticReport:
    """The faults of a document as it is when the answer leaves; none without an engine."""
    uri = params.text_document.uri
    while (snapshot := server.session.snapshot(uri)) is not None and _wanted(server, snapshot):
        page = Page.of(snapshot)
        survey = await server.connection.survey(SurveyRequest(page.text, snapshot.language))
        if server.session.snapshot(uri) is snapshot:
            faults = survey.faults if survey else ()
            encoding = server.session.encoding
            return types.RelatedFullDocumentDiagnosticReport(
                [_diagnostic(page, fault, encoding) for fault in faults]
            )
    return types.RelatedFullDocumentDiagnosticReport([])


def declare(server: SfumatoServer) -> None:
    """Offer diagnostics with the reply to initialize, if the user wants them by then."""
    if server.configuration.general.syntax_diagnostics:
        options = types.DiagnosticOptions(False, False)
        server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)(diagnostic)


async def follow_settings(server: SfumatoServer) -> None:
    """Register when the user wants them and the client was not told; have it ask again."""
    document = server.client_capabilities.text_document
    dynamic = document and document.diagnostic and document.diagnostic.dynamic_registration
    if server.configuration.general.syntax_diagnostics and dynamic:
        options = types.DiagnosticRegistrationOptions(False, False)
        await offer(server, types.TEXT_DOCUMENT_DIAGNOSTIC, diagnostic, options)
    ask_again(server)


def ask_again(server: SfumatoServer) -> None:
    """Have the client ask again, where it has been offered diagnostics and can be told."""
    workspace = server.client_capabilities.workspace
    can = workspace and workspace.diagnostics and workspace.diagnostics.refresh_support
    if can and types.TEXT_DOCUMENT_DIAGNOSTIC in server.protocol.fm.features:
        server.begin(_refreshed(server))


async def _refreshed(server: SfumatoServer) -> None:
    try:
        await server.workspace_diagnostic_refresh_async(None)
    except JsonRpcException as error:
        logger.warning("the editor does not ask for diagnostics again: %s", error)


def _wanted(server: SfumatoServer, snapshot: Snapshot) -> bool:
    settings, uri = server.configuration.of(snapshot.uri), snapshot.uri
    allowed = settings.allows(uri, snapshot.language) and not settings.keeps_secret(uri)
    return settings.syntax_diagnostics and allowed


def _diagnostic(page: Page, fault: Fault, encoding: Encoding) -> types.Diagnostic:
    lines = page.snapshot.lines
    where = render.span(lines, page.place(fault.start), page.place(fault.end), encoding)
    kind, _, what = fault.kind.partition(" ")
    return types.Diagnostic(
        where,
        f"Syntax error: {what} is missing." if kind == "missing" else "Syntax error.",
        severity=types.DiagnosticSeverity.Error,
        code=fault.kind,
        source="sfumato",
    )
