"""Refusals over HTTP: OpenAI's error objects."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from opencoder_lsp.errors import OpencoderError


class RefusedError(OpencoderError):
    """A request that is answered with an error object and an HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def as_json(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        kind = "invalid_request_error" if self.status < 429 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        error = {"message": str(self), "type": kind, "code": self.code, "param": self.param}
        return {"error": error}


def refusal(error: RefusedError) -> Response:
    """Return OpenAI's error object as a response."""
    wait = {"retry-after": str(error.retry_after)} if error.retry_after is not None else None
    return JSONResponse(error.as_json(), error.status, headers=wait)


async def refuse_http(_request: Request, error: Exception) -> Response:
    """Answer an unknown path or method."""
    assert isinstance(error, HTTPException)
    response = refusal(RefusedError(error.status_code, error.detail))
    response.headers.update(error.headers or {})  # of 405: what is allowed
    return response


async def refuse_bug(_request: Request, error: Exception) -> Response:
    """Answer what should not happen, without its details; uvicorn logs the traceback."""
    message = f"internal error ({type(error).__name__}); see the log"
    return refusal(RefusedError(500, message, code="internal_error"))
