"""An answer as it comes in: pieces of text, with what the server thought of them if it says so."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that came at once, a token where the server sends tokens.

    nats    log-probability; None where the server does not tell
    others  texts that were nearly chosen instead, with theirs
    """

    text: str
    nats: float | None = None
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What has come so far.

    pieces      of the text, in order
    masked      places of a diffusing draft that are still masked
    steps       forward passes, or pieces sent
    tokens      of the text, as far as that is known
    score_nats  of the whole, where the server itself judges that
    done        whether the server is
    """

    pieces: tuple[Piece, ...] = ()
    masked: int = 0
    steps: int = 0
    tokens: int = 0
    score_nats: float | None = None
    done: bool = False

    def grown(self, pieces: list[Piece], *, done: bool) -> "Answer":
        """With more text behind it."""
        more, count = (*self.pieces, *pieces), self.steps + len(pieces)
        return replace(self, pieces=more, steps=count, tokens=count, done=done)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)
