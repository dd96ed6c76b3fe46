"""The words that cross the engine's door: plain, frozen, free of torch.

Text is UTF-8 `bytes` and every offset counts bytes from the start of that text. Nothing here knows
a URI, a line, a column or an editor.
"""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["valid", "repaired", "cut", "unchecked", "rejected"]
"""What the syntax gate said of a finished fill.

valid       as decoded, it adds no fault
repaired    tokens were exchanged or remasked until it added no fault
cut         only its longest prefix that adds no fault is kept
unchecked   there is no grammar for the language, or no time was left to check
rejected    nothing sound was found; the text is empty
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to, not including, `end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, got {self.start}..{self.end}")


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a fill must be like. One that no fill can meet raises ConstraintError at once.

    must   texts that appear in the fill, in this order, UTF-8
    regex  a regular expression, in the syntax of the `regex` package, for the whole fill
    node   a node of the tree-sitter grammar that the fill is, such as "argument_list"
    """

    must: tuple[bytes, ...] = ()
    regex: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class InfillRequest:
    """A hole to fill, in the text around it.

    text           the document (or a part of it cut at line ends), valid UTF-8
    hole           the bytes to replace; empty for a plain insertion at the cursor
    language       LSP language identifier, such as "python"; unknown ones are filled unchecked
    max_lines      line breaks the fill may contain, plus one; 1 keeps it on the cursor's line
    length_tokens  the hole's length when it is known (evaluation), else None: it is estimated
    budget_ms      time from the call to the final answer; the best checked draft is the answer then
    seed           same request, seed, device and checkpoint: same text
    alternatives   different suggestions wanted, the best one counted
    draft          what to start from instead of noise, valid UTF-8
    strength       share of the draft's tokens that is written anew, those first that the denoiser
                   doubts most, 0 to 1; at 1 the draft is not looked at
    constraint     what the fill must be like besides sound; a fill that is not is never offered
    max_tokens     tokens the fill may have at most; None for the engine's own limit
    temperature    0 takes the likeliest tokens, above it they are drawn; None for the engine's own
    workspace      what the text is part of, as a WorkspaceChange calls it; "" for nothing
    file           the name of the text's file there: what is kept of it is not looked at
    group          requests of one client in one group look in one pass, where that can be; "" for
                   a request by itself
    """

    text: bytes
    hole: Span
    language: str
    max_lines: int = 1
    length_tokens: int | None = None
    budget_ms: float = 500.0
    seed: int = 0
    alternatives: int = 1
    draft: bytes | None = None
    strength: float = 1.0
    constraint: Constraint | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    workspace: str = ""
    file: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        _refuse_outside(self.hole, self.text)
        if not -(2**63) <= self.seed < 2**63:
            raise ValueError(f"seed must fit into 64 bits, got {self.seed}")
        if self.length_tokens is not None and self.length_tokens < 0:
            raise ValueError(f"length_tokens must not be negative, got {self.length_tokens}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature must be from 0 to 2, got {self.temperature}")
        if self.max_lines < 1:
            raise ValueError(f"max_lines must be at least 1, got {self.max_lines}")
        if self.alternatives < 1:
            raise ValueError(f"alternatives must be at least 1, got {self.alternatives}")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1, got {self.strength}")
        lines = (self.draft or b"").count(b"\n") + 1
        if lines > self.max_lines:
            raise ValueError(f"the draft has {lines} lines, max_lines is {self.max_lines}")


def _refuse_outside(hole: Span, text: bytes) -> None:
    """Raises ValueError for a hole that is not made of whole characters of the text."""
    if hole.end > len(text):
        raise ValueError(f"the hole ends at byte {hole.end}, the text at {len(text)}")
    for edge in (hole.start, hole.end):
        if edge < len(text) and 0x80 <= text[edge] < 0xC0:
            raise ValueError(f"byte {edge}, an edge of the hole, is inside a character")


MASK_GLYPH = "\u2591"
"""Shown for a masked place in a draft: one light shade block."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The hole after one denoising step.

    text    the fill so far; each masked place shows as MASK_GLYPH
    step    forward passes over the canvas so far, from 1
    masked  places still masked; 0 in a complete draft
    """

    text: str
    step: int
    masked: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one request went, milliseconds of wall clock.

    prefill_ms       new context tokens encoded (0 when the cache held them all)
    denoise_ms       forward passes over the canvas and the choice of tokens
    syntax_ms        parsing, lattice climbing
    total_ms         from call to answer
    prefill_tokens   context tokens that had to be encoded
    context_tokens   context tokens attended to
    forward_passes   passes over the canvas
    filled_tokens    tokens in the answer
    """

    prefill_ms: float
    denoise_ms: float
    syntax_ms: float
    total_ms: float
    prefill_tokens: int
    context_tokens: int
    forward_passes: int
    filled_tokens: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to fill the hole; fields as those of a Suggestion and its timings."""

    text: str
    score_nats: float
    verdict: Verdict
    filled_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A text that a suggestion begins with, sound by itself and likelier right than all of it.

    score_nats  log-probability that what the user would write begins so
    """

    text: str
    score_nats: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The answer: what to put in the hole.

    text         the fill, "" when there is nothing sound to offer
    score_nats   log-probability that it is exactly what the user would write, <= 0, as estimated
    verdict      what the syntax gate said
    others       the alternatives that were asked for, best first, as far as there are any; all
                 texts are different
    heads        longest first, where one suggestion was asked for and it is not likely
    """

    text: str
    score_nats: float
    verdict: Verdict
    timings: Timings
    others: tuple[Alternative, ...] = ()
    heads: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkspaceFile:
    """A file of a workspace: a name that tells it from others, LSP language, valid UTF-8."""

    name: str
    language: str
    text: bytes


@dataclass(frozen=True, slots=True)
class WorkspaceChange:
    """What is new in a workspace, and the names of the files that are gone.

    workspace  what requests call it; one that is not known yet is made
    """

    workspace: str
    files: tuple[WorkspaceFile, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SurveyRequest:
    """A text to look through, by its grammar alone.

    text      valid UTF-8
    language  LSP language identifier
    marker    text that is a hole wherever it stands; none if empty
    cursor    a byte, for the shapes around it; None for none
    region    where a remedy is wanted for a fault; None for none
    name      a byte at which a name starts: its uses are all that is wanted; None for none
    """

    text: bytes
    language: str
    marker: bytes = b""
    cursor: int | None = None
    region: Span | None = None
    name: int | None = None

    def __post_init__(self) -> None:
        furthest = max(self.cursor or 0, self.region.end if self.region else 0, self.name or 0)
        if furthest > len(self.text):
            raise ValueError(f"byte {furthest} is beyond the text's {len(self.text)}")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place worth filling: `lead`, a fill and `trail` replace the span.

    max_lines  lines that the fill may have
    kind       placeholder, body: left for later; arguments, docstring: of the call or the function
               that the cursor is in
    """

    span: Span
    kind: Literal["placeholder", "body", "arguments", "docstring"]
    lead: bytes = b""
    trail: bytes = b""
    max_lines: int = 1


@dataclass(frozen=True, slots=True)
class Fault(Span):
    """What the grammar or a lint refuses.

    kind  "error", "hidden" or "missing X" by the grammar, otherwise the lint's own word
    """

    kind: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """What may be done about a fault.

    hole   the tokens in and near it
    gaps   between tokens of it, nearest to the fault first: something may be missing there
    tries  texts for the hole that leave fewer faults and lose nothing, best first
    """

    fault: Span
    hole: Span
    gaps: tuple[int, ...] = ()
    tries: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to do in a text.

    holes     left for later, in order, none within another
    shapes    that the cursor is in
    faults    what the grammar or a lint refuses, in order
    remedies  for the fault that the region is nearest to, none if it is near none
    uses      where the name stands for the same thing, in order; None where that is not known
    """

    holes: tuple[Hole, ...] = ()
    shapes: tuple[Hole, ...] = ()
    faults: tuple[Fault, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    uses: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a client learns in the handshake.

    version          of Sfumato; a client of another version starts its own engine
    model            name of the checkpoint, from its config
    checksum         SHA-256 over the checkpoint's files, hexadecimal
    parameters       number of weights, 0 where somebody else has them
    device           "cpu", "cuda:0", or whose server it is
    dtype            "float32", "bfloat16"
    threads          intra-op threads
    """

    version: str
    model: str
    checksum: str
    parameters: int
    device: str
    dtype: str
    threads: int

    @property
    def whereabouts(self) -> str:
        """How large it is and where it computes, for people."""
        if not self.parameters:
            return f"at {self.device}"
        size = f"{self.parameters / 1e6:.1f}M parameters"
        return f"{size}, {self.dtype} on {self.device}, threads: {self.threads}"
