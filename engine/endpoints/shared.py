"""One engine for several clients: each takes its turn by name, and has workspaces of its own."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from engine.desk import Asked
from engine.endpoints.guard import CLIENT
from engine.types import Draft, EngineInfo, InfillRequest, Suggestion, WorkspaceChange


class Shared:
    """A desk before which the guard has said who asks.

    A workspace that two clients call the same is not the same: nobody is shown what another one's
    files say.
    """

    def __init__(self, desk: Asked) -> None:
        self._desk = desk

    @property
    def info(self) -> EngineInfo:
        return self._desk.info

    def trouble(self) -> str | None:
        """As `Desk.trouble`."""
        return self._desk.trouble()

    def words(
        self, request: InfillRequest, client: str = ""
    ) -> AsyncGenerator[Draft | Suggestion, None]:
        """As the desk's; client is whom the request names, and counts within its key alone."""
        own = replace(request, workspace=_own(request.workspace))
        return self._desk.words(own, f"{CLIENT.get()}/{client}")

    async def index(self, change: WorkspaceChange) -> int:
        """As the desk's."""
        return await self._desk.index(replace(change, workspace=_own(change.workspace)))


def _own(workspace: str) -> str:
    return workspace and f"{CLIENT.get()}/{workspace}"
