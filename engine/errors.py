"""Everything the engine raises on purpose.

    EngineError
    ├── AccessError          keys or an address that are not safe to serve with
    ├── CheckpointError      missing, truncated, wrong checksum, unknown family
    ├── ConstraintError      no fill can be what the request demands
    ├── CorpusError          no training text where it was looked for
    ├── DeviceError          out of memory, no such device
    ├── EndpointError        somebody else's server refuses or fails
    ├── RequestTooLong       the hole or the text is larger than the engine accepts
    ├── EngineBusy           so many requests wait already that another would wait in vain
    └── EngineUnreachable    no engine process answers and none could be started

Each message is one sentence: what was found, what was expected, what to do next. Broken user code
is never an error, it is a fault; being late is not an error, the best checked draft is the answer.
"""


class EngineError(Exception):
    """Base of the tree: catch this to catch them all."""


class AccessError(EngineError):
    """Keys that cannot be used, or an address that must not be served without them."""


class CheckpointError(EngineError):
    """A checkpoint folder that cannot be loaded as it is."""


class ConstraintError(EngineError):
    """A demand on the fill that no fill can meet."""


class CorpusError(EngineError):
    """Training text that is missing or unusable."""


class DeviceError(EngineError):
    """A device that is absent or full."""


class EndpointError(EngineError):
    """Somebody else's server, used as the engine, that refuses or fails."""


class RequestTooLong(EngineError):
    """A request beyond the engine's limits."""


class EngineBusy(EngineError):
    """An engine that is asked more than it can answer in time."""


class EngineUnreachable(EngineError):
    """No engine process answers, and none could be started."""
