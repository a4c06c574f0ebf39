"""
`POST /v1/completions`: text or token ids go on, or with a `suffix` a gap is filled.

It takes what our engine takes, so that a front elsewhere can have this server as its engine.
"""

from typing import Any

from opencoder_lsp.api.answers import TextAnswer
from opencoder_lsp.api.jobs import Front, Job
from opencoder_lsp.api.wire import TextBody
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.errors import PromptError, PromptTooLongError
from opencoder_lsp.prompt.completion import CompletionPrompt, Mode, Place, build, chosen
from opencoder_lsp.prompt.healing import LONGEST
from opencoder_lsp.prompt.layouts import bare_layout
from opencoder_lsp.prompt.tasks import fence_for
from opencoder_lsp.serving.refusals import RefusedError

_TOKENS = 16  # OpenAI's default


def prepare(raw: bytes, front: Front) -> Job:
    """
    Check a body and make the prompt; takes a while for a long one, so call it in a thread.

    Raises RefusedError.
    """
    body = TextBody.parse(raw)
    front.check(body)
    engine, prompt = front.engine, body.one_prompt
    if body.suffix:
        return _filling(body, prompt, front)
    if isinstance(prompt, str):
        ids = bare_layout(engine.tokenizer, engine.template)(prompt)
    else:
        front.check_ids(prompt, "prompt")
        ids = prompt
    request = CompletionRequest(
        prompt=ids,
        max_tokens=front.max_tokens(len(ids), body.max_tokens, _TOKENS, "prompt"),
        stop=body.stops,
        forced_prefix=body.forced_prefix or "",
        **_options(body, front, temperature=1.0),
    )
    return _job(request, body, front)


def _filling(body: TextBody, prefix: str | list[int], front: Front) -> Job:
    """Fill the gap between prompt and suffix, with the prompt that editors' completions have."""
    if not isinstance(prefix, str) or body.forced_prefix:
        message = "suffix goes with a prompt of text, and without forced_prefix"
        raise RefusedError(400, message, param="suffix")
    assert body.suffix is not None
    settings = front.settings.completion
    mode = _mode(front)
    most = body.max_tokens or _TOKENS
    place = Place("", "", prefix, body.suffix)
    prompt = _fitted(place, front, most, heal=settings.healing and body.logprobs is None)
    # In a template the code stands in a fence, at whose end the answer ends.
    fence = ["\n" + fence_for(prefix, body.suffix)] if mode == "template" else []
    request = CompletionRequest(
        prompt=prompt.ids,
        max_tokens=most + len(front.engine.tokenizer.encode(prompt.forced_prefix)),
        stop=[*body.stops, *fence],
        forced_prefix=prompt.forced_prefix,
        **_options(body, front, temperature=settings.temperature),
    )
    return _job(request, body, front, without=prompt.forced_prefix)


def _mode(front: Front) -> Mode:
    """Return how gaps are filled by this model; raises RefusedError where the setting is wrong."""
    engine = front.engine
    try:
        return chosen(front.settings.completion.prompt, engine.tokenizer, engine.template)
    except PromptError as error:
        raise RefusedError(400, str(error), param="suffix") from None


def _fitted(place: Place, front: Front, most: int, *, heal: bool) -> CompletionPrompt:
    """Return the prompt for a gap; of what is around it, what is nearest and fits."""
    engine, settings = front.engine, front.settings.completion
    front.max_tokens(LONGEST, most, most, "prompt")  # refuses what leaves no room for a prompt
    try:
        return build(
            place,
            engine.tokenizer,
            engine.template,
            mode=_mode(front),
            fim_order=settings.fim_order,
            limit=engine.context_length - most - LONGEST,
            heal=heal,
        )
    except PromptTooLongError as error:
        code = "context_length_exceeded"
        raise RefusedError(400, str(error), param="prompt", code=code) from None
    except PromptError as error:
        raise RefusedError(400, str(error), param="suffix") from None


def _options(body: TextBody, front: Front, temperature: float) -> dict[str, Any]:
    ids = body.stop_token_ids
    return {
        "stop_token_ids": front.engine.stop_ids if ids is None else ids,
        "priority": body.priority,
        "logprobs": body.logprobs,
        "temperature": temperature,
        **body.options(),
    }


def _job(request: CompletionRequest, body: TextBody, front: Front, without: str = "") -> Job:
    answer = TextAnswer(front.model, include_usage=body.include_usage)
    return Job(request, answer, bool(body.stream), body.include_usage, without)
