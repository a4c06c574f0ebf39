"""What is said of a failure: a code to the client, once to the user, and no text to the log."""

import logging
from collections.abc import Callable

from lsprotocol.types import MessageType
from pygls.exceptions import JsonRpcException

from opencoder_lsp.errors import OpencoderError, PromptError, SettingsError, describe

log = logging.getLogger(__name__)

# JSON-RPC 2.0, section 5.1, and LSP 3.18, "ErrorCodes".
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803
REQUEST_CANCELLED = -32800


def translated(error: BaseException, method: str) -> tuple[int, str]:
    """Return code and message for a failed request; the message has no traceback, path or code."""
    if isinstance(error, PromptError | SettingsError):
        return INVALID_PARAMS, str(error)
    if isinstance(error, OpencoderError):
        return REQUEST_FAILED, str(error)
    if isinstance(error, JsonRpcException):
        return error.code, error.message
    log.error("%s failed: %s", method, describe(error))
    return INTERNAL_ERROR, f"{method} failed ({type(error).__name__}); see the server's log"


class Troubles:
    """
    Tells the user of trouble once, not once for each key.

    A kind of trouble is shown again only after things went well in between (`recovered`).
    """

    def __init__(self, show: Callable[[MessageType, str], None]) -> None:
        self._show = show
        self._shown = set[str]()
        self._warned = set[str]()

    def report(self, error: OpencoderError) -> None:
        """Show an error, unless one of its kind was shown since the last `recovered`."""
        kind = type(error).__name__
        if kind not in self._shown:
            self._shown.add(kind)
            log.warning("trouble: %s", describe(error))  # an engine's words may quote the code
            self._show(MessageType.Error, f"OpenCoder: {error}")

    def recovered(self) -> None:
        """Note that all is well again."""
        self._shown.clear()

    def warn(self, message: str) -> None:
        """Show a warning, the same one only once."""
        if message not in self._warned:
            self._warned.add(message)
            self._show(MessageType.Warning, f"OpenCoder: {message}")
