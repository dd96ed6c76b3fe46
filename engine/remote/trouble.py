"""What can go wrong with somebody else's server, each in one sentence; and when to ask it again."""

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from engine.errors import EndpointError
from engine.remote.dialects import message_of
from engine.remote.endpoint import Endpoint

BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Pause after the first, second, ... failure in a row, where the server names none."""
_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure.

    sentence  what happened and what to do, without its full stop
    pause_s   how long to leave the server alone; None: by `BACK_OFF_S`, 0: not at all
    passes    whether it may be over by then, though nobody mends anything
    """

    sentence: str
    pause_s: float | None = None
    passes: bool = False

    def without(self, key: str) -> "Trouble":
        """The same, told without the key: there are servers that repeat one they refuse.

        What is as short as a word is no secret, but a word that a server wants to see.
        """
        if len(key) < _SHORTEST_KEY:
            return self
        return replace(self, sentence=self.sentence.replace(key, "..."))


def of_status(endpoint: Endpoint, response: httpx.Response, body: str) -> Trouble:
    """The server answered with a status that is no success."""
    status, host, said = response.status_code, endpoint.host, message_of(body)
    because = f"{status}: {said}" if said else str(status)
    pause_s = None
    match status:
        case 301 | 302 | 303 | 307 | 308:
            there = response.headers.get("Location", "it does not say where")
            sentence = f"{host} has moved ({status}: {there}); give the new address as url"
        case 401 | 403:
            key = f"the key {endpoint.key}" if endpoint.key else "to serve without a key"
            advice = "check it" if endpoint.key else "name one"
            sentence = f"{host} refuses {key} ({because}); {advice}"
        case 402:
            sentence = f"{host} wants to be paid first ({because})"
        case 404 | 405 | 501:
            sentence = (
                f"there is no {response.url} ({because});"
                f" check url and model, and whether a server of kind {endpoint.kind} is"
            )
        case 429 | 503 | 529:
            pause_s = retry_after_s(response.headers.get("Retry-After"))
            sentence = f"{host} has too much to do ({because})"
        case _ if status >= 500:
            sentence = f"{host} failed ({because})"
        case _:
            pause_s = 0
            sentence = f"{host} does not take the request ({because})"
    return Trouble(sentence, pause_s, passes=status == 429 or (status >= 500 and status != 501))


def of_transport(endpoint: Endpoint, error: Exception) -> Trouble:
    """The server was not reached, or hung up."""
    root = _root(error)
    reason = str(error) or type(error).__name__
    if isinstance(root, OSError) and root.errno:
        reason = os.strerror(root.errno) if root.errno > 0 else root.strerror or reason
    if isinstance(root, ssl.SSLCertVerificationError):
        return Trouble(
            f"the certificate of {endpoint.host} is not accepted ({root.verify_message});"
            " SSL_CERT_FILE may name the authority that signed it"
        )
    if isinstance(root, ssl.SSLError):
        return Trouble(f"{endpoint.host} does not speak TLS as it should ({root.reason})")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Trouble(f"nobody answers at {endpoint.url} ({reason}); start the server there")
    return Trouble(f"{endpoint.host} broke off its answer ({reason})", passes=True)


def of_nonsense(endpoint: Endpoint, error: Exception) -> Trouble:
    """The server answered with something that its kind does not."""
    reason = f"{type(error).__name__}: {error}".replace("\n", " ")[:120]
    return Trouble(
        f"{endpoint.host} does not answer as a server of kind {endpoint.kind} would ({reason})"
    )


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait, given as a number or as a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _root(error: BaseException) -> BaseException:
    """What was raised first; httpx wraps it more than once."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


class Patience:
    """Leaves a server that failed alone for a while. `clock`: seconds, from any start.

    passes  whether its last failure may be over after that
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._again_s = 0.0
        self._sentence = ""
        self.passes = False

    def check(self) -> None:
        """Raises EndpointError, the last trouble's sentence, while it is too soon to ask again."""
        if left_s := self.left_s:
            raise EndpointError(f"{self._sentence}; it is asked again in {left_s:.0f} s.")

    @property
    def left_s(self) -> float:
        """Until it may be asked again; 0: it may."""
        return max(0.0, self._again_s - self._clock())

    def note(self, trouble: Trouble) -> EndpointError:
        """Remember a failure; returns it as an error to raise."""
        pause_s = trouble.pause_s
        if pause_s is None:
            pause_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
            self._failures += 1
        self._again_s = self._clock() + pause_s
        self.passes = trouble.passes
        self._sentence = trouble.sentence[0].upper() + trouble.sentence[1:]
        return EndpointError(f"{self._sentence}.")

    def forget(self) -> None:
        """All is well again."""
        self._failures = 0
