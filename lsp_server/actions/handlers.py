"""The LSP side of the actions: the menu, its edits, and the commands.

A menu entry's edit is made when it is chosen (`codeAction/resolve`), or by a command where the
client cannot resolve one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast, get_args

import cattrs
from lsprotocol import converters, types

from engine.types import Span, Survey, SurveyRequest
from lsp_server.actions import holes, mending, menu, next_edit, rewriting
from lsp_server.actions.applying import (
    Work,
    apply,
    silently,
    text_edits,
    with_progress,
    workspace_edit,
)
from lsp_server.actions.desk import Desk, Plan, Strength
from lsp_server.actions.page import Declined, Page
from lsp_server.language_server import INLINE_EDITS, SfumatoServer
from lsp_server.positions import place_at

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MENU_MS = 150
"""A menu waits so long for the grammar, then shows what needs none."""

ACTIONS: dict[str, tuple[str, Callable[[Desk], Coroutine[Any, Any, Plan]]]] = {
    "sfumato.fillHole": ("Filling the hole", holes.fill_hole),
    "sfumato.fillAllHoles": ("Filling all holes", holes.fill_all),
    "sfumato.repair": ("Repairing syntax", mending.repair),
    "sfumato.rewrite": ("Rewriting", rewriting.rewrite),
    "sfumato.completeArguments": ("Completing arguments", rewriting.complete_arguments),
    "sfumato.writeDocstring": ("Writing the docstring", rewriting.write_docstring),
    "sfumato.continuePattern": ("Continuing the pattern", next_edit.continue_pattern),
    "sfumato.repeatEdit": ("Repeating the edit", next_edit.repeat_edit),
    "sfumato.nextEdit": ("Looking for the next edit", next_edit.next_edit),
}
"""By command: what the user reads while it works, and what does the work."""

_converter = converters.get_converter()


def offer(server: SfumatoServer) -> None:
    """Put the menu and the commands into the server's table."""
    options = types.CodeActionOptions(code_action_kinds=list(menu.KINDS), resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)
    for method in INLINE_EDITS:
        server.feature(method)(inline_edit)
    for command in ACTIONS:
        server.command(command)(_handler(command))


async def inline_edit(
    server: SfumatoServer, params: types.TextDocumentPositionParams
) -> dict[str, list[dict[str, Any]]]:
    """The next edit, to be shown where it would be made; none is no error."""
    try:
        arguments = [params.text_document.uri, _converter.unstructure(params.position)]
        plan = await _plan(server, "sfumato.nextEdit", arguments, silently)
        edits = text_edits(server, plan)
    except Declined:
        return {"edits": []}
    snapshot = server.session.snapshot(params.text_document.uri)
    document = {"uri": params.text_document.uri, "version": snapshot and snapshot.version}
    return {
        "edits": [
            {
                "text": edit.new_text,
                "range": _converter.unstructure(edit.range),
                "textDocument": document,
            }
            for edit in edits
        ]
    }


def _handler(command: str) -> Callable[..., Awaitable[str | None]]:
    async def handle(server: SfumatoServer, *arguments: object) -> str | None:
        try:
            await apply(server, await _plan(server, command, arguments, with_progress))
        except Declined as reason:
            return str(reason)
        return None

    return handle


async def code_action(
    server: SfumatoServer, params: types.CodeActionParams
) -> list[types.CodeAction]:
    """What there is to do in a range, cheaply; the edits come later."""
    snapshot = server.session.snapshot(params.text_document.uri)
    if snapshot is None or not _allowed(server, snapshot.uri, snapshot.language):
        return []
    page = Page.of(snapshot)
    region = _region(server, page, params.range)
    edit, earlier = server.history.last(snapshot), server.history.earlier(snapshot.uri)
    survey = await _survey(server, page, region, params.context)
    found = [*menu.entries(page, region, survey)]
    if edit is not None and menu.is_at_edit(page, region, edit):
        uses = await _soon(next_edit.uses_of_name(server.connection, page, edit))
        found += menu.after_edit(page, edit, earlier, uses)
    only = params.context.only
    return [
        _code_action(server, snapshot.uri, params.range, entry)
        for entry in found
        if only is None or any(_is_kind(entry.kind, wanted) for wanted in only)
    ]


async def resolve(server: SfumatoServer, action: types.CodeAction) -> types.CodeAction:
    """Make the edit of a chosen entry; tell the user where there is none."""
    match action.data:
        case {"command": str(command), "arguments": [*arguments]} if command in ACTIONS:
            pass
        case _:
            return action  # another server's
    try:
        plan = await _plan(server, command, arguments, silently)
        action.edit = workspace_edit(server, plan)
    except Declined as reason:
        action.disabled = types.CodeActionDisabled(str(reason))
        server.window_show_message(types.ShowMessageParams(types.MessageType.Info, str(reason)))
    return action


async def _plan(
    server: SfumatoServer,
    command: str,
    arguments: Sequence[object],
    run: Callable[[SfumatoServer, str, Work], Awaitable[Plan]],
) -> Plan:
    """Do the work of a command, with its progress shown or silently.

    Raises Declined with a sentence where nothing comes of it.
    """
    title, work = ACTIONS[command]
    uri, where, strength = _read(command, *arguments[:3])
    snapshot = server.session.snapshot(uri)
    if snapshot is None:
        raise Declined(f"{uri} is not open.")
    if not _allowed(server, uri, snapshot.language):
        raise Declined("Sfumato is turned off for this file.")
    page = Page.of(snapshot)
    desk = Desk(
        page,
        _region(server, page, where) if where else Span(0, 0),
        strength,
        server.configuration.of(uri).hole_marker.encode(),
        server.index.name,
        server.connection,
        server.history.last(snapshot),
        server.history.earlier(uri),
        report=lambda _message, _percentage: None,
    )
    return await run(server, title, lambda report: work(replace(desk, report=report)))


def _read(
    command: str, uri: object = None, where: object = None, strength: object = "medium"
) -> tuple[str, types.Range | None, Strength]:
    """A command's arguments: a URI, a position or range, a strength."""
    if not isinstance(uri, str):
        raise Declined(f"{command} wants the URI of a document first, found {uri!r}.")
    if strength not in get_args(Strength):
        raise Declined(f"{command} knows light, medium and full, found {strength!r}.")
    if where is None:
        return uri, None, cast("Strength", strength)
    try:
        if isinstance(where, dict) and "line" in where:
            where = {"start": where, "end": where}
        region = _converter.structure(where, types.Range)
    except (cattrs.BaseValidationError, TypeError, ValueError):
        raise Declined(f"{command} wants a position or a range, found {where!r}.") from None
    return uri, region, cast("Strength", strength)


def _allowed(server: SfumatoServer, uri: str, language: str) -> bool:
    settings = server.configuration.of(uri)
    return settings.allows(uri, language) and not settings.keeps_secret(uri)


def _region(server: SfumatoServer, page: Page, where: types.Range) -> Span:
    lines, encoding = page.snapshot.lines, server.session.encoding
    ends = [page.offset(place_at(lines, each, encoding)) for each in (where.start, where.end)]
    return Span(min(ends), max(ends))


async def _survey(
    server: SfumatoServer, page: Page, region: Span, context: types.CodeActionContext
) -> Survey:
    """What the grammar knows, asked only where there may be something; nothing if it takes long."""
    marker = server.configuration.of(page.snapshot.uri).hole_marker.encode()
    invoked = context.trigger_kind != types.CodeActionTriggerKind.Automatic
    if not (invoked or context.diagnostics or menu.looks_unfinished(page, region, marker)):
        return Survey()
    request = SurveyRequest(page.text, page.snapshot.language, marker)
    if invoked:
        request = replace(request, cursor=region.start)
    return await _soon(server.connection.survey(request)) or Survey()


async def _soon(answer: Awaitable[Answer | None]) -> Answer | None:
    """What a menu waits for; None if it takes long."""
    try:
        async with asyncio.timeout(MENU_MS / 1000):
            return await answer
    except TimeoutError:
        return None


def _code_action(
    server: SfumatoServer, uri: str, where: types.Range, entry: menu.Entry
) -> types.CodeAction:
    arguments: list[Any] = [uri, _converter.unstructure(where)]
    if entry.strength:
        arguments.append(entry.strength)
    action = types.CodeAction(entry.title, kind=entry.kind, tags=[types.CodeActionTag.LlmGenerated])
    if _resolves_edits(server):
        action.data = {"command": entry.command, "arguments": arguments}
    else:
        action.command = types.Command(entry.title, entry.command, arguments=arguments)
    return action


def _resolves_edits(server: SfumatoServer) -> bool:
    document = server.client_capabilities.text_document
    support = document and document.code_action and document.code_action.resolve_support
    return support is not None and "edit" in support.properties


def _is_kind(kind: str, wanted: str) -> bool:
    """Whether a kind is the wanted one or below it: `quickfix.sfumato` is a `quickfix`."""
    return kind == wanted or kind.startswith(f"{wanted}.")
