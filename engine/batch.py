"""Requests that run at the same time look at their canvases in one pass.

Each request runs in a thread of its own, but only one of these threads at a time: they would get
in each other's way at every small operation. A thread gives way where it needs a look. When all of
them need one, the last to come takes everybody's canvases through the model. So nobody is
overtaken, and whoever is alone waits for nothing.

Source: continuous batching, Orca, OSDI 2022.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition, Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from engine.sampler import Look


class Asked(NamedTuple):
    """A look that a request needs, and what it is called with."""

    look: "Look"
    tokens_NC: "Tensor"
    wanted_NC: "Tensor"


MOST_TOGETHER = 8
"""Requests of one group that share a turn: with more, others would wait for long."""

Together = Callable[[Sequence[Asked]], "list[Tensor]"]
"""Several looks of one model in one pass; what each of them would have given."""


class Batch:
    """Those who run at the same time.

    size       how many may; 1 for a model whose looks cannot be taken together
    shared_by  how many of one group count as one
    """

    def __init__(self, size: int = 1, together: Together | None = None) -> None:
        self.size = size
        self.shared_by = MOST_TOGETHER if together else 1
        self._together = together
        self._baton = Condition()
        self._counting = Lock()
        self._members = 0
        self._waiting: list[tuple[Asked, Future[Tensor]]] = []

    @contextmanager
    def member(self) -> Generator[None]:
        """The thread runs a request. Waits until no other member is computing."""
        self._count(1)  # before the wait: whoever computes has to know that others came
        with self._baton:
            try:
                yield
            finally:
                self._count(-1)
                self._baton.notify()  # the others may all be waiting for this one

    def _count(self, change: int) -> None:
        with self._counting:
            self._members += change

    def look(self, look: "Look", tokens_NC: "Tensor", wanted_NC: "Tensor") -> "Tensor":
        """What the look gives; others may run until all members have asked for one."""
        if self._together is None:
            return look(tokens_NC, wanted_NC)
        answer: Future[Tensor] = Future()
        with self._baton:
            self._waiting.append((Asked(look, tokens_NC, wanted_NC), answer))
            while not answer.done():
                if len(self._waiting) >= self._members:
                    self._look_for_all(self._together)
                else:
                    self._baton.wait()
        return answer.result()

    def _look_for_all(self, together: Together) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            found = together([asked for asked, _ in waiting])
        except Exception as error:  # noqa: BLE001 - everybody's to raise
            for _, answer in waiting:
                answer.set_exception(error)
        else:
            for (_, answer), log_probs_PV in zip(waiting, found, strict=True):
                answer.set_result(log_probs_PV)
        self._baton.notify_all()
