"""What an endpoint refuses, in the shape that clients of these interfaces read."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

OWN_PATHS = ("/health", "/v1/info", "/v1/infill", "/v1/survey")
"""Paths of our own protocol, whose errors are plain sentences."""


class ApiError(Exception):
    """One clear sentence, the status it is sent with, and the words by which programs know it.

    kind           the field `type`, such as "invalid_request_error"
    param          the field of the body that is at fault
    code           a word for this error alone, such as "model_not_found"
    retry_after_s  when it is worth asking again
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        kind: str = "invalid_request_error",
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, dict[str, str | None]]:
        """The error as the OpenAI and Mercury interfaces write it."""
        words = {"type": self.kind, "param": self.param, "code": self.code}
        return {"error": {"message": str(self), **words}}

    def response(self, path: str) -> Response:
        """What is sent, in the shape that belongs to the path."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if path in OWN_PATHS:
            return PlainTextResponse(str(self), self.status, headers)
        return JSONResponse(self.body(), self.status, headers)


async def answer_error(request: Request, error: Exception) -> Response:
    """A handler of exceptions for Starlette."""
    assert isinstance(error, ApiError)
    return error.response(request.url.path)
