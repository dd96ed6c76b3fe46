"""The engine on a TCP address, for other people's clients and for a team."""

import argparse
import asyncio
import ipaddress
import logging
import os
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.routing import Route
from starlette.types import ASGIApp

from engine.desk import Asked, Desk, Infiller
from engine.endpoints.access import Keys, read_keys
from engine.endpoints.app import build_app
from engine.endpoints.guard import Guard, Limits
from engine.endpoints.metrics import Metrics
from engine.endpoints.shared import Shared
from engine.errors import AccessError

log = logging.getLogger(__name__)

GRACE_S = 10
"""A server that is told to end finishes what is under way for so long."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, for whom.

    certfile, keyfile  PEM files; both for TLS, or neither
    """

    host: str
    port: int
    keys: Keys = field(default_factory=Keys)
    limits: Limits = field(default_factory=Limits)
    certfile: Path | None = None
    keyfile: Path | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certfile else 'http'}://{host}:{self.port}"


def place_of(options: argparse.Namespace) -> Listening:
    """What was asked for on the command line, see `options.py`. Raises AccessError."""
    return Listening(
        *options.listen,
        keys=read_keys(options.keys, os.environ),
        limits=Limits(per_minute=options.per_minute, at_once=options.at_once),
        certfile=options.certfile,
        keyfile=options.keyfile,
    )


def guarded(desk: Asked, keys: Keys, limits: Limits) -> ASGIApp:
    """The whole app, over a desk that answers."""
    metrics = Metrics()
    app = build_app(Shared(desk), metrics)
    paths = frozenset(route.path for route in app.routes if isinstance(route, Route))
    return Guard(app, paths, keys, limits, metrics)


def listen(place: Listening, load: Callable[[], Infiller]) -> None:
    """Serve until told to end. Raises AccessError where that would be unsafe or is impossible.

    load  called once the address is ours, so that what can fail at once does
    """
    _demand_tls(place)
    listener = _bind(place)
    try:
        server = uvicorn.Server(_config(guarded(Desk(load()), place.keys, place.limits), place))
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        listener.close()


def _config(app: ASGIApp, place: Listening) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=place.certfile,
        ssl_keyfile=place.keyfile,
    )


def _bind(place: Listening) -> socket.socket:
    """A socket that has the address and does not listen yet. Raises AccessError."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        _demand_safe(str(address[0]), place)
        listener = socket.socket(family, kind, protocol)
        if sys.platform != "win32":  # there it would let two servers have one address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AccessError(f"Cannot listen on {place.host}:{place.port}: {reason}.") from error
    return listener


def _demand_tls(place: Listening) -> None:
    """Raise AccessError unless there is a certificate with its key, or neither."""
    certificate, key = place.certfile, place.keyfile
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise AccessError("TLS needs both --certfile and --keyfile.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = error.reason or "not PEM, or the key wants a password"
        raise AccessError(
            f"{certificate} and {key} are no certificate and its key ({reason})."
        ) from error
    except OSError as error:
        raise AccessError(f"{certificate} or {key}: {error.strerror}.") from error


def _demand_safe(address: str, place: Listening) -> None:
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return
    if not place.keys:
        raise AccessError(
            f"{place.host} can be reached by others, and there is no API key; name a file of them "
            "with --keys, or listen on 127.0.0.1."
        )
    if place.certfile is None:
        log.warning("Keys and code travel unencrypted; use --certfile, or a proxy that has TLS.")
