"""`POST /v1/chat/completions`: a conversation becomes a prompt in the model's own template."""

from opencoder_lsp.api.answers import ChatAnswer
from opencoder_lsp.api.jobs import Front, Job
from opencoder_lsp.api.wire import ChatBody
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.errors import PromptError
from opencoder_lsp.prompt.conversation import Message, encode, opens_with_blank
from opencoder_lsp.serving.refusals import RefusedError

_PRIORITY = 10  # behind completions


def prepare(raw: bytes, front: Front) -> Job:
    """
    Check a body and make the prompt; takes a while for a long one, so call it in a thread.

    Raises RefusedError. Nothing of a conversation is dropped: one that does not fit is refused.
    """
    body = ChatBody.parse(raw)
    front.check(body)
    engine, chat = front.engine, front.settings.chat
    messages = _messages(body)
    try:
        prompt = encode(engine.template, engine.tokenizer, messages).ids
    except PromptError as error:
        raise RefusedError(400, str(error), param="messages") from None
    asked = body.max_completion_tokens or body.max_tokens
    request = CompletionRequest(
        prompt=prompt,
        max_tokens=front.max_tokens(len(prompt), asked, engine.context_length, "messages"),
        stop=body.stops,
        stop_token_ids=engine.stop_ids if body.stop_token_ids is None else body.stop_token_ids,
        priority=_PRIORITY,
        logprobs=body.scored,
        blank=opens_with_blank(engine.tokenizer, messages),
        **{"temperature": chat.temperature, "top_p": chat.top_p, **body.options()},
    )
    answer = ChatAnswer(front.model, body.scored, include_usage=body.include_usage)
    return Job(request, answer, bool(body.stream), body.include_usage)


def _messages(body: ChatBody) -> list[Message]:
    """Return the conversation, which ends with the turn that is to be written."""
    messages = [
        message.message(f"messages[{number}]") for number, message in enumerate(body.messages)
    ]
    last = messages[-1]
    if body.continue_final_message or body.messages[-1].prefix:
        if last.role != "assistant" or not last.content:
            message = "continue_final_message needs a last message of the assistant's, with text"
            raise RefusedError(400, message, param="messages")
    elif last.role == "assistant" and last.content:
        messages.append(Message("assistant", ""))  # that one has ended; another one follows
    # An empty system message, which clients send where their user has set none, says nothing.
    return [message for message in messages if message.role != "system" or message.content]
