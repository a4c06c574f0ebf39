"""`opencoder.chat`: conversations with the model."""

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opencoder_lsp.conversations.entries import Attachment, Conversation, Entry
from opencoder_lsp.conversations.export import named
from opencoder_lsp.errors import EngineError, OpencoderError, PromptError
from opencoder_lsp.lsp.arguments import AnswerArguments, ChatArguments
from opencoder_lsp.lsp.asking import Answer, ask, hear, streamer
from opencoder_lsp.lsp.attachments import attached
from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.tasks import fenced

if TYPE_CHECKING:
    from opencoder_lsp.client.engine import Usage
    from opencoder_lsp.lsp.server import Server


@dataclasses.dataclass(frozen=True, slots=True)
class _Turn:
    """
    A question, what was said before, and the answer as far as it is there already.

    `conversation_id` is None for a new conversation; `replaces` as in `Store.add`.
    """

    question: Entry
    before: Sequence[Entry] = ()
    begun: str = ""
    conversation_id: str | None = None
    replaces: str = ""

    def messages(self) -> list[Message]:
        """Return the conversation that the model gets, open for the answer."""
        messages = [_message(entry) for entry in (*self.before, self.question)]
        return [*messages, Message("assistant", self.begun)] if self.begun else messages


async def chat_command(ls: "Server", arguments: ChatArguments) -> dict[str, Any]:
    """
    Say something in a new or an old conversation, or have its last turn otherwise.

    A request that is cancelled while the model answers is answered with what was said so far.
    """
    _check(arguments)
    files = await attached(ls, arguments.message, arguments.attachments or ())
    id, old = arguments.conversation_id, None
    if id is not None:
        old = await asyncio.to_thread(ls.conversations.conversation, id)
    turn = _turn(arguments, files, old)
    engine = await ls.chat_connection.engine()
    if engine.tokenizer.is_control_text(_message(turn.question).content):
        raise PromptError("the message has only names of control tokens in it, and no text")
    return await _answered(ls, turn, arguments)


async def answer_command(ls: "Server", arguments: AnswerArguments) -> dict[str, Any]:
    """Answer a conversation that the client keeps."""
    messages = [Message(one.role, one.content) for one in arguments.messages]
    answer = await ask(ls, messages, streamer(ls, arguments.token))
    return {
        "text": answer.text,
        "finishReason": answer.finish_reason,
        "usage": _usage(answer.usage),
    }


def _check(arguments: ChatArguments) -> None:
    """Raise PromptError for what does not go together."""
    again = arguments.regenerate or arguments.continue_
    if arguments.regenerate + arguments.edit_last + arguments.continue_ > 1:
        raise PromptError("only one of regenerate, editLast and continue can be done at once")
    if again and (arguments.message or arguments.attachments):
        raise PromptError("regenerate and continue take no message and no attachments")
    if not again and not arguments.message.strip():
        raise PromptError("the message is empty")
    if (again or arguments.edit_last) and arguments.conversation_id is None:
        raise PromptError("regenerate, editLast and continue need a conversationId")


def _turn(
    arguments: ChatArguments, files: tuple[Attachment, ...], old: Conversation | None
) -> _Turn:
    """Return what is to be said, and in the place of what."""
    question = Entry("user", arguments.message, files)
    if old is None:
        return _Turn(question)
    if not (arguments.regenerate or arguments.edit_last or arguments.continue_):
        return _Turn(question, old.entries, conversation_id=old.id)
    if arguments.last_message_id not in (None, old.last_id):
        raise PromptError("the conversation has gone on in another window; look at it again")
    asked, *answers = old.last_turn
    if not arguments.edit_last:
        # Another id: where the conversation goes on elsewhere meanwhile, both are kept.
        question = dataclasses.replace(asked, id=uuid.uuid4().hex)
    elif arguments.attachments is None:
        same = (file for file in asked.attachments if not file.mentioned)
        question = dataclasses.replace(question, attachments=(*same, *files))
    begun = ""
    if arguments.continue_:
        if not answers or answers[-1].finish_reason == "stop":
            raise PromptError("the last answer is complete; there is nothing to continue")
        begun = answers[-1].content
    return _Turn(question, old.before_last_turn, begun, old.id, old.last_id)


async def _answered(ls: "Server", turn: _Turn, arguments: ChatArguments) -> dict[str, Any]:
    answer = Answer()
    try:
        await hear(ls, turn.messages(), answer, streamer(ls, arguments.token))
    except asyncio.CancelledError:
        pass  # what was said is kept and is the result, as LSP allows it
    except EngineError:
        if answer.text:
            await _keep_answer(ls, turn, answer)
        raise
    conversation_id, message_id = await _keep_answer(ls, turn, answer)
    return {
        "conversationId": conversation_id,
        "messageId": message_id,
        "text": turn.begun + answer.text,
        "finishReason": answer.finish_reason,
        "usage": _usage(answer.usage),
        "dropped": answer.dropped,
    }


async def _keep_answer(ls: "Server", turn: _Turn, answer: Answer) -> tuple[str | None, str | None]:
    """Keep a turn, and return the ids of the conversation and of its last message."""
    if turn.replaces and not answer.text:  # nothing is no reason to give up what is there
        return turn.conversation_id, turn.replaces
    whole = dataclasses.replace(answer, text=turn.begun + answer.text)
    entries = _entries(ls, turn.question, whole)
    kept = await keep(ls, entries, turn.conversation_id, replaces=turn.replaces)
    return kept, kept and entries[-1].id


async def remember(
    ls: "Server", question: str, answer: Answer, old: str | None = None
) -> str | None:
    """Keep what was said and return the conversation's id; None where it could not be kept."""
    return await keep(ls, _entries(ls, Entry("user", question), answer), old)


async def keep(
    ls: "Server", turn: Sequence[Entry], conversation_id: str | None, *, replaces: str = ""
) -> str | None:
    """Do what `Store.add` does; where it fails the user is told, and the answer is not lost."""
    workspace = ls.workspace_folders.workspaces[0]
    try:
        kept = await asyncio.to_thread(
            ls.conversations.add, turn, conversation_id, workspace=workspace, replaces=replaces
        )
    except OpencoderError as error:
        ls.keeping.report(error)
        return None
    ls.keeping.recovered()
    return kept


def _entries(ls: "Server", question: Entry, answer: Answer) -> list[Entry]:
    if not answer.text:  # nothing said is nothing to go on from, and no template can write it
        return [question]
    used = ls.chat_connection.model
    model = used.name if used else ""
    reason = answer.finish_reason
    return [question, Entry("assistant", answer.text, finish_reason=reason, model=model)]


def _message(entry: Entry) -> Message:
    files = [f"{named(one)}:\n{fenced(one.text, one.language)}" for one in entry.attachments]
    return Message(entry.role, "\n\n".join([entry.content, *files]))


def _usage(usage: "Usage | None") -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "cachedTokens": usage.cached_tokens,
    }
