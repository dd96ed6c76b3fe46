"""What a dialect is: how one interface asks, and how it is answered."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar
from uuid import uuid4

from msgspec import Struct

from engine.endpoints.task import Outcome, Task
from engine.types import Draft

Body = TypeVar("Body", bound=Struct)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all parts of one answer have in common: the model's name, a number, the time."""

    model: str
    number: str = field(default_factory=lambda: uuid4().hex)
    created_s: int = field(default_factory=lambda: int(time.time()))


class Dialect(ABC, Generic[Body]):
    """One interface.

    body, answer, chunk  what is sent and what is received, whole or as an event of a stream; chunk
                         is None where nothing is streamed
    final                the line that ends a stream, "" for none
    """

    path: ClassVar[str]
    summary: ClassVar[str]
    body: type[Body]
    answer: ClassVar[type[Struct]]
    chunk: ClassVar[type[Struct] | None]
    final: ClassVar[str] = "[DONE]"

    @abstractmethod
    def task(self, body: Body) -> Task:
        """What the body asks for. Raises ApiError where that cannot be had."""

    @abstractmethod
    def answered(self, body: Body, done: Outcome, stamp: Stamp) -> object:
        """The whole answer, as Structs."""

    @abstractmethod
    def streamed(self, body: Body, done: Outcome, stamp: Stamp) -> Iterator[object]:
        """The events that end a stream, as Structs."""

    def sketched(self, body: Body, draft: Draft, stamp: Stamp) -> object | None:
        """The event that shows a draft, where the client wants to see it."""
        del body, draft, stamp
        return None
