"""What Prometheus may ask for: counts and times, no text and no key."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as written
from starlette.responses import Response

from engine.types import Suggestion

_SECONDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0)


class Metrics:
    """The counters of one server. client is the name that goes with a key, never the key."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "sfumato_requests",
            "Requests answered",
            ["path", "status", "client"],
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "sfumato_requests_in_flight", "Requests being answered", registry=self._registry
        )
        self._seconds = Histogram(
            "sfumato_fill_seconds",
            "From the engine being asked to its suggestion",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._fills = Counter(
            "sfumato_fills",
            "Suggestions by what the syntax gate said",
            ["verdict"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "sfumato_tokens",
            "Tokens seen from the cache, read, and filled in",
            ["kind"],
            registry=self._registry,
        )
        self._passes = Counter(
            "sfumato_forward_passes", "Passes over a canvas", registry=self._registry
        )

    def count(self, found: Suggestion, took_s: float) -> None:
        """Note one suggestion."""
        spent = found.timings
        self._seconds.observe(took_s)
        self._fills.labels(found.verdict).inc()
        self._tokens.labels("cached").inc(max(spent.context_tokens - spent.prefill_tokens, 0))
        self._tokens.labels("read").inc(spent.prefill_tokens)
        self._tokens.labels("filled").inc(spent.filled_tokens)
        self._passes.inc(spent.forward_passes)

    def response(self) -> Response:
        """All of it, in the format that Prometheus reads."""
        return Response(written(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
