"""The engine room: text with a hole in, drafts out.

Its door is this file; it imports neither torch nor anything heavy, so the language server may pass
through it. The denoiser itself is behind `engine.infill.Engine`.
"""

from engine.errors import (
    AccessError,
    CheckpointError,
    ConstraintError,
    CorpusError,
    DeviceError,
    EndpointError,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    RequestTooLong,
)
from engine.types import (
    Alternative,
    Constraint,
    Draft,
    EngineInfo,
    Head,
    Hole,
    InfillRequest,
    Remedy,
    Span,
    Suggestion,
    Survey,
    SurveyRequest,
    Timings,
    Verdict,
    WorkspaceChange,
    WorkspaceFile,
)

__version__ = "0.1.0"

__all__ = [
    "AccessError",
    "Alternative",
    "CheckpointError",
    "Constraint",
    "ConstraintError",
    "CorpusError",
    "DeviceError",
    "Draft",
    "EndpointError",
    "EngineBusy",
    "EngineError",
    "EngineInfo",
    "EngineUnreachable",
    "Head",
    "Hole",
    "InfillRequest",
    "Remedy",
    "RequestTooLong",
    "Span",
    "Suggestion",
    "Survey",
    "SurveyRequest",
    "Timings",
    "Verdict",
    "WorkspaceChange",
    "WorkspaceFile",
    "__version__",
]
