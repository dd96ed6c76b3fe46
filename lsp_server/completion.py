"""What the editor asks: inline completions, or for those without them one entry of the menu.

Whatever goes wrong with a completion, its answer is a result: `[]` for "nothing here", null for "no
longer wanted", never an error, which editors log or pop up.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

from lsprotocol import types

from lsp_server import render
from lsp_server.inline import Wish
from lsp_server.language_server import SfumatoServer, offer
from lsp_server.policy import Silence
from lsp_server.positions import encode, place_at
from lsp_server.session import Snapshot
from lsp_server.suggestions import Offer, inside

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """An offer, the document it is for, and where in it."""

    offer: Offer
    wish: Wish


async def inline_completion(
    server: SfumatoServer, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """One suggestion at the cursor, or several to choose from when asked by hand."""
    selected = params.context.selected_completion_info
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    found = await _find(server, params.text_document.uri, params.position, selected, invoked)
    if not isinstance(found, Found):
        return [] if found else None
    encoding, offer, site = server.session.encoding, found.offer, found.wish.site
    texts = [inside(site, fill.text) if selected else fill.text for fill in offer.fills]
    return [render.item(text, site, selected, encoding, offer.number) for text in texts if text]


async def popup_completion(
    server: SfumatoServer, params: types.CompletionParams
) -> list[types.CompletionItem] | None:
    """The suggestion at the cursor as one entry of the menu, for clients that show no other."""
    if not server.configuration.of(params.text_document.uri).popup_completion:
        return []
    found = await _find(server, params.text_document.uri, params.position, None, invoked=False)
    if not isinstance(found, Found):
        return [] if found else None
    offer, site = found.offer, found.wish.site
    text = inside(site, offer.fills[0].text)
    return [render.popup(text, site, server.session.encoding, offer.number)] if text else []


def accepted(server: SfumatoServer, number: int, characters: int) -> None:
    """The editor put a suggestion into the document, so many characters of it."""
    server.suggester.feedback.accept(number, characters)


def declare_popups(server: SfumatoServer) -> None:
    """Offer the menu's entry with the reply to initialize, if the user wants it by then."""
    if server.configuration.general.popup_completion:
        server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(popup_completion)


async def offer_popups(server: SfumatoServer) -> None:
    """Register for the menu when the user wants it there and the client was not told before."""
    document = server.client_capabilities.text_document
    dynamic = document and document.completion and document.completion.dynamic_registration
    if server.configuration.general.popup_completion and dynamic:
        options = types.CompletionRegistrationOptions()
        await offer(server, types.TEXT_DOCUMENT_COMPLETION, popup_completion, options)


async def _find(
    server: SfumatoServer,
    uri: str,
    position: types.Position,
    selected: types.SelectedCompletionInfo | None,
    invoked: bool,
) -> Found | Silence | None:
    """What to show at a position, or why nothing; None when it is no longer wanted there."""
    began_s = time.monotonic()
    snapshot = server.session.snapshot(uri)
    if snapshot is None:
        return Silence.NOTHING
    wish = _wish(server, snapshot, position, selected, invoked)
    try:
        outcome = await server.suggester.suggest(wish)
    except asyncio.CancelledError:
        return None  # by the client or by a newer request; both want a reply and no error
    except Exception:
        logger.exception("a completion failed")
        return Silence.NOTHING
    if server.session.snapshot(uri) is not snapshot:
        return None  # drawn now, it would be drawn over what was typed since
    if isinstance(outcome, Silence):
        return server.explained(outcome)
    server.explained(Silence.NONE)
    server.waited((time.monotonic() - began_s) * 1000)
    return Found(outcome, wish)


def _wish(
    server: SfumatoServer,
    snapshot: Snapshot,
    position: types.Position,
    selected: types.SelectedCompletionInfo | None,
    invoked: bool,
) -> Wish:
    """The request in bytes, with the menu's selected entry (if any) already in place."""
    settings = server.configuration.of(snapshot.uri)
    site = server.site(snapshot, position)
    removal = snapshot.removal
    removed = removal.text if removal is not None and removal.place == site.cursor else ""
    if selected is not None:
        start, end = (
            place_at(snapshot.lines, edge, server.session.encoding)
            for edge in (selected.range.start, selected.range.end)
        )
        site = site.replaced(start, end, encode(selected.text))
    debounce_ms = settings.debounce_for(server.client_name, server.pace.wait_ms)
    return Wish(site, settings, invoked, removed, selected.text if selected else "", debounce_ms)
