"""An answer as it comes in: pieces of text, with what the server thought of them if it says so."""

from dataclasses import dataclass


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
    score_nats  of the whole, where the server itself judges that
    done        whether the server is
    """

    pieces: tuple[Piece, ...] = ()
    masked: int = 0
    score_nats: float | None = None
    done: bool = False

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)
