"""The same app on a Ray cluster: `serve run engine.cluster:app`, with the extra `ray`.

    front      keys, limits and dialects, without a model; any number of them
    replicas   an engine each; a client's requests go to the same one as long as it has room, so
               that they find their keys and values there, and to the next one when it has none

A replica that dies takes no request with it: the front asks another.
"""

# pyright: reportMissingImports=false, reportUnknownParameterType=false
# Ray is an extra, and most of those who check types do without it.

import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import serve
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp, Receive, Scope, Send

from engine import wire
from engine.desk import Desk
from engine.endpoints.access import read_keys
from engine.endpoints.guard import CLIENT, Limits
from engine.endpoints.listen import guarded
from engine.errors import EngineError, EngineUnreachable
from engine.loading import check, load
from engine.rendezvous import DEFAULT_MODEL
from engine.service import events
from engine.threads import wait_passively
from engine.types import Draft, EngineInfo, InfillRequest, Suggestion, WorkspaceChange

log = logging.getLogger(__name__)

TRIES = 5
"""Replicas that are asked before a request is given up."""

DRAIN_S = 120.0
"""What is exchanged may finish so long: a front waits for replicas, and those may just start."""

_ROUTER = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"


class Replica:
    """One engine."""

    def __init__(self, model: str, device: str) -> None:
        wait_passively()
        self._desk = Desk(load(Path(model), device))

    def info(self) -> str:
        """The handshake, as `engine.wire` writes it."""
        return wire.to_json(self._desk.info)

    async def fill(self, request: str, client: str) -> AsyncGenerator[str, None]:
        """The events of one answer. Closing the generator stops the work within a step."""
        async for event in events(self._desk, wire.request_from_json(request.encode()), client):
            yield event

    async def index(self, change: str) -> int:
        """Take in files of a workspace."""
        return await self._desk.index(wire.workspace_change_from_json(change.encode()))

    def check_health(self) -> None:
        """Asked by Ray now and then. Raises EngineError where it is to start another replica."""
        if trouble := self._desk.trouble():
            raise EngineError(trouble)


class Replicas:
    """Answers for the replicas, as a desk does for one engine."""

    def __init__(self, replicas: DeploymentHandle[Any], info: EngineInfo) -> None:
        self._replicas = replicas
        self.info = info

    def trouble(self) -> None:
        """None of its own: what is wrong with a replica Ray asks the replica."""

    async def index(self, change: WorkspaceChange) -> int:
        """Tell the replica that the client's requests go to."""
        handle = self._replicas.options(session_id=CLIENT.get())
        return await handle.index.remote(wire.to_json(change))

    async def words(
        self, request: InfillRequest, client: str = ""
    ) -> AsyncGenerator[Draft | Suggestion, None]:
        """As `Desk.words`. After the death of a replica the drafts begin anew."""
        over_s = time.monotonic() + request.budget_ms / 1000
        for _ in range(TRIES):
            left_ms = max(over_s - time.monotonic(), 0.0) * 1000
            asked = wire.to_json(replace(request, budget_ms=left_ms))
            handle = self._replicas.options(stream=True, session_id=CLIENT.get())
            answer: Any = handle.fill.remote(asked, client)
            try:
                async for word in wire.from_events(_lines(answer)):
                    yield word
            except (ActorDiedError, ActorUnavailableError):
                log.warning("a replica died under a request; another one is asked")
            else:
                return
            finally:
                answer.cancel()  # does nothing to one that has ended
        raise EngineUnreachable(f"{TRIES} replicas died one after the other; ask again.")


async def _lines(answer: AsyncIterator[str]) -> AsyncIterator[str]:
    async for event in answer:
        for line in event.split("\n"):
            yield line


class Front:
    """The app; it is there when the first replica is."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            replicas = serve.get_deployment_handle(Replica.__name__)
            info = wire.info_from_json((await replicas.info.remote()).encode())
            desk = Replicas(replicas, info)
            self._app = guarded(desk, read_keys(None, os.environ), Limits())
        await self._app(scope, receive, send)


def _front() -> ASGIApp:
    return Front()  # made in the process that serves it


def app(arguments: dict[str, str]) -> serve.Application:
    """What `serve run engine.cluster:app NAME=VALUE ...` deploys.

    model    a checkpoint folder that every node has; the one that ships if none is named
    device   of every replica, "cpu" if none is named; for "cuda" each has a GPU of its own
    least    replicas that are always there, 1
    most     replicas under load, 4

    Raises ValueError for another name, and CheckpointError for a folder of no model, before any of
    the replicas that are there is stopped for it.
    """
    if unknown := arguments.keys() - {"model", "device", "least", "most"}:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}: model, device, least, most")
    device = arguments.get("device", "cpu")
    least, most = int(arguments.get("least", "1")), int(arguments.get("most", "4"))
    replicas: Any = serve.deployment(
        Replica,
        name=Replica.__name__,
        max_ongoing_requests=4,
        autoscaling_config={
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": 2,
            "upscale_delay_s": 5,
            "downscale_delay_s": 300,
        },
        request_router_config={
            "request_router_class": _ROUTER,
            "request_router_kwargs": {"num_fallback_replicas": most},
        },
        ray_actor_options={"num_cpus": 1, "num_gpus": int(device.startswith("cuda"))},
        graceful_shutdown_timeout_s=DRAIN_S,
        health_check_period_s=5,
    )
    model = arguments.get("model", str(DEFAULT_MODEL))
    check(Path(model))
    return _front_deployment().bind(replicas.bind(model, device))


def _front_deployment() -> Any:  # noqa: ANN401 - Ray's own types are partly unknown
    return serve.deployment(
        serve.ingress(_front)(),
        name=Front.__name__,
        max_ongoing_requests=256,
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options={"num_cpus": 0},
    )
