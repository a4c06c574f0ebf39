"""A request that is ready for the engine, and what every one has to be checked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from opencoder_lsp.api.answers import Answer
from opencoder_lsp.api.wire import Body
from opencoder_lsp.client.connection import Engine
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.models.known import known
from opencoder_lsp.serving.refusals import RefusedError
from opencoder_lsp.settings import Settings


@dataclass(frozen=True)
class Front:
    """What requests are prepared with: the engine that is ready, and the model's name."""

    engine: Engine
    model: str
    settings: Settings

    def check(self, body: Body) -> None:
        """Raise RefusedError for another model, and for token ids that this one has not."""
        check_model(body.model, self.model)
        self.check_ids(body.stop_token_ids or (), "stop_token_ids")
        self.check_ids(list(body.logit_bias or ()), "logit_bias")

    def check_ids(self, ids: Sequence[int], param: str) -> None:
        """Raise RefusedError where an id is not one of the model's."""
        size = self.engine.tokenizer.vocab_size
        if ids and not 0 <= min(ids) <= max(ids) < size:
            message = f"{param}: token ids are within 0 to {size - 1}"
            raise RefusedError(400, message, param=param)

    def max_tokens(self, prompt_tokens: int, asked: int | None, default: int, param: str) -> int:
        """
        Return how many tokens an answer may have: what is asked for, else at most `default`.

        Raises RefusedError, with all numbers, where the context does not hold it.
        """
        room = self.engine.context_length - prompt_tokens
        if room >= (asked or 1):
            return asked or min(default, room)
        raise RefusedError(
            400,
            f"This model's maximum context length is {self.engine.context_length} tokens. However, "
            f"you requested {prompt_tokens + (asked or 1)} tokens ({prompt_tokens} in the {param}, "
            f"{asked or 1} in the completion). Please reduce the length of the {param} or "
            "completion.",
            code="context_length_exceeded",
            param=param,
        )


@dataclass(frozen=True)
class Job:
    """
    What the engine is asked, and how the client wants to hear it.

    `without` is what every answer begins with and the client is not to see.
    """

    request: CompletionRequest
    answer: Answer
    streaming: bool
    include_usage: bool
    without: str = ""


def check_model(asked: str | None, name: str) -> None:
    """
    Raise RefusedError (404) where a name or alias is not that of the model `name`.

    "opencoder" is whichever model there is, as in editors.
    """
    if asked is None or asked.strip().casefold() in ("opencoder", name.casefold()):
        return
    model = known(asked)
    if model is None or model.name != name:
        message = f"The model asked for does not exist here; this server has {name}"
        raise RefusedError(404, message, code="model_not_found", param="model")
