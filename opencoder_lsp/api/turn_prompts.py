"""What a turn of the chat page asks, and the prompt that the engine gets for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from opencoder_lsp.api.page_wire import TurnBody
from opencoder_lsp.client.chat_request import chat_request
from opencoder_lsp.client.connection import Engine
from opencoder_lsp.client.engine import CompletionRequest
from opencoder_lsp.conversations.entries import Conversation, Entry
from opencoder_lsp.conversations.export import named
from opencoder_lsp.errors import PromptError
from opencoder_lsp.prompt.conversation import NO_CHAT, Message
from opencoder_lsp.prompt.tasks import fenced
from opencoder_lsp.serving.refusals import RefusedError
from opencoder_lsp.settings_sections import ChatSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A question, what was said before, and the answer as far as it is there already (`begun`).

    `replaces` and `since` as in `Store.add`: what the answered question takes the place of.
    """

    conversation_id: str
    question: Entry
    before: Sequence[Entry]
    replaces: str
    since: str
    begun: str = ""
    system: str | None = None
    temperature: float | None = None

    def messages(self, system: str) -> list[Message]:
        """Return the conversation that the model gets, open for the answer."""
        told = system if self.system is None else self.system
        messages = [Message("system", told)] if told.strip() else []
        messages += [message_of(entry) for entry in (*self.before, self.question)]
        return [*messages, Message("assistant", self.begun)] if self.begun else messages


def asked_again(body: TurnBody, old: Conversation) -> Asked:
    """Return an edited question, or the last one anew; raises RefusedError where there is none."""
    if body.last_message_id not in (None, old.last_id):
        message = "the conversation has gone on in another window; look at it again"
        raise RefusedError(409, message, code="gone_on")
    if body.action == "edit":
        places = [n for n, entry in enumerate(old.entries) if entry.id == body.message_id]
        if not places or old.entries[places[0]].role != "user":
            raise RefusedError(404, "no such question; it may have been deleted")
        question = old.entries[places[0]]
        edited = Entry("user", body.message, question.attachments)
        return _asked(old, edited, old.entries[: places[0]], question.id)
    if not old.last_turn or old.last_turn[0].role != "user":
        raise RefusedError(400, "the conversation has no question yet")
    question, *answers = old.last_turn
    begun = ""
    if body.action == "continue":
        if not answers or answers[-1].finish_reason == "stop":
            message = "the last answer is complete; there is nothing to continue"
            raise RefusedError(400, message)
        begun = answers[-1].content
    return _asked(old, question, old.before_last_turn, question.id, begun)


def asked_newly(old: Conversation) -> Asked:
    """Return the question that a conversation ends with."""
    return _asked(old, old.entries[-1], old.entries[:-1], old.last_id)


def _asked(
    old: Conversation, question: Entry, before: Sequence[Entry], since: str, begun: str = ""
) -> Asked:
    return Asked(old.id, question, before, old.last_id, since, begun, old.system, old.temperature)


def answer_request(
    asked: Asked, engine: Engine, chat: ChatSettings
) -> tuple[CompletionRequest, int]:
    """
    Return what the engine gets, and how many of the oldest messages were dropped for it.

    Raises PromptTooLongError where the question alone is too long.
    """
    temperature = chat.temperature if asked.temperature is None else asked.temperature
    return chat_request(engine, asked.messages(chat.system), chat, temperature)


def check_question(message: str, engine: Engine) -> None:
    """Raise PromptError for what no template can write, and where there is no template."""
    if not engine.template.eot:
        raise PromptError(NO_CHAT)
    if not message.strip():
        raise PromptError("the message is empty")
    if engine.tokenizer.is_control_text(message):
        raise PromptError("the message has only names of control tokens in it, and no text")


def message_of(entry: Entry) -> Message:
    """Return an entry as the model gets it, with the files that went along."""
    files = [f"{named(one)}:\n{fenced(one.text, one.language)}" for one in entry.attachments]
    return Message(entry.role, "\n\n".join([entry.content, *files]))
