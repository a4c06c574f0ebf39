"""Errors of ours as refusals over HTTP."""

import math

from opencoder_lsp.errors import (
    EngineBusyError,
    EngineUnavailableError,
    InvalidRequestError,
    ModelError,
    OpencoderError,
    PromptError,
)
from opencoder_lsp.serving.refusals import RefusedError

_LATER = 2  # seconds after which an engine that is not there may be


def refused(error: OpencoderError) -> RefusedError:
    """Return status, code and message of an error; its message is fit to be shown."""
    if isinstance(error, RefusedError):
        return error
    message = str(error)
    if isinstance(error, EngineBusyError):
        later = max(1, math.ceil(error.retry_after))
        return RefusedError(429, message, code="busy", retry_after=later)
    if isinstance(error, ModelError):
        return RefusedError(503, message, code="model_error", retry_after=_LATER)
    if isinstance(error, EngineUnavailableError):
        return RefusedError(503, message, code="unavailable", retry_after=_LATER)
    if isinstance(error, InvalidRequestError | PromptError):
        return RefusedError(400, message)
    return RefusedError(500, message, code="generation_failed")
