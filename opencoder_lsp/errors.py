"""
Every error that this project raises on purpose. Each message is fit to show to a user and names
the cure where there is one; no message contains the user's code or conversation.

* OpencoderError
  x SettingsError         an unknown setting or a bad value               CLI exit 2
  x ModelError            a model is missing, damaged or not supported    HTTP 503 from the engine
  x PromptError           what was asked cannot become a prompt           LSP -32602, HTTP 400
    · PromptTooLongError  carries both numbers
  x EngineError           the engine could not answer                     LSP -32803, HTTP 500
    · EngineUnavailableError  not running and not to be started, or still loading   HTTP 503
    · EngineBusyError         its queue is full                           HTTP 429
    · InvalidRequestError     it refused the request                      HTTP 400
  x AnswerError           the model's answer cannot become an edit        the result's `reason`
  x StaleError            what was asked about has changed meanwhile      LSP -32803
"""


class OpencoderError(Exception):
    """Base of all errors below; `str(error)` is one message for a person."""


class SettingsError(OpencoderError):
    """An unknown setting name or a value that the setting does not take."""


class ModelError(OpencoderError):
    """A model that is missing, damaged, or of a kind that is not supported."""


class PromptError(OpencoderError):
    """A document, position or conversation that cannot become a prompt."""


class PromptTooLongError(PromptError):
    """A prompt that does not fit, with both numbers, in tokens."""

    def __init__(self, tokens: int, limit: int, what: str = "the prompt") -> None:
        super().__init__(f"{what} has {tokens} tokens, but at most {limit} fit")
        self.tokens = tokens
        self.limit = limit


class EngineError(OpencoderError):
    """The engine failed while it worked on a request."""


class EngineUnavailableError(EngineError):
    """No engine could be reached or started, or it is still loading."""


class EngineBusyError(EngineError):
    """The engine's queue is full; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidRequestError(EngineError):
    """The engine refused the request as it stands; asking again will not help."""


class AnswerError(OpencoderError):
    """An answer of the model that cannot become an edit."""


class StaleError(OpencoderError):
    """What was asked about is not any more what it was."""


def describe(error: BaseException) -> str:
    """Name an error's type and place for the log; its own message may hold the user's text."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" in {code.co_name} ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return type(error).__name__ + place
