"""
Turns of the chat page: each runs here to its end, whoever listens, and can be listened to again.

The text of an answer only grows, so the number of characters that a listener has is all it needs
to go on: that is the id of each event.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from opencoder_lsp.api.failures import refused
from opencoder_lsp.api.state import State
from opencoder_lsp.api.turn_prompts import Asked, answer_request
from opencoder_lsp.client.engine import Usage
from opencoder_lsp.conversations.entries import Entry, FinishReason
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError, describe
from opencoder_lsp.prompt.healing import FirstBlank
from opencoder_lsp.serving.messages import KEEP_ALIVE
from opencoder_lsp.serving.refusals import RefusedError

log = logging.getLogger(__name__)

_MOST_RUNNING = 8
_MOST_KEPT = 64  # turns that are over and can still be asked for
_KEEP_ALIVE_SECONDS = 15.0


@dataclass(eq=False)
class Turn:
    """
    A question and its answer, as far as it is there. `text` is without what was there before.

    It is over once `ending` is there, the last event.
    """

    asked: Asked
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    text: str = ""
    dropped: int = 0
    usage: Usage | None = None
    reason: FinishReason = "stopped"
    ending: dict[str, Any] | None = None
    answering: asyncio.Task[None] | None = None
    ended: asyncio.Task[None] | None = None
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    def as_json(self) -> dict[str, Any]:
        """Return what a listener has to know before the text."""
        asked = self.asked
        return {
            "type": "begin",
            "turnId": self.id,
            "conversationId": asked.conversation_id,
            "question": {"id": asked.question.id, "content": asked.question.content},
            "since": asked.since,
            "begun": asked.begun,
            "dropped": self.dropped,
        }

    def note(self) -> None:
        """Tell listeners that there is more."""
        self._change.set()
        self._change = asyncio.Event()

    async def events(self, after: int) -> AsyncGenerator[bytes]:
        """Yield what comes behind the first `after` characters, until the turn is over."""
        yield _event(self.as_json())
        sent = min(max(after, 0), len(self.text))
        dropped = self.dropped
        while True:
            change = self._change
            if self.dropped != dropped:
                dropped = self.dropped
                yield _event({"type": "dropped", "dropped": dropped})
            if len(self.text) > sent:
                text, sent = self.text[sent:], len(self.text)
                yield _event({"type": "text", "text": text}, sent)
            if self.ending is not None:
                yield _event(self.ending)
                return
            while not change.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        await change.wait()
                    break
                yield KEEP_ALIVE


class Turns:
    """The turns of one server. `metered` hears the usage of each answer."""

    def __init__(self, state: State, store: Store, metered: Callable[[Usage], None]) -> None:
        self._state = state
        self._store = store
        self._metered = metered
        self._turns: dict[str, Turn] = {}

    def running(self) -> list[Turn]:
        """List the turns that are not over."""
        return [turn for turn in self._turns.values() if turn.ending is None]

    def turn(self, turn_id: str) -> Turn:
        """Return a turn; raises RefusedError (404) if it is too long over, or never was."""
        if (turn := self._turns.get(turn_id)) is None:
            raise RefusedError(404, "no such turn; read the conversation", code="no_such_turn")
        return turn

    def check_room(self, conversation_id: str | None) -> None:
        """Raise RefusedError where a conversation is being answered in, or too many are."""
        running = self.running()
        if any(turn.asked.conversation_id == conversation_id for turn in running):
            raise RefusedError(409, "an answer is under way in this conversation", code="answering")
        if len(running) >= _MOST_RUNNING:
            message = f"{len(running)} answers are under way; wait for one, or stop one"
            raise RefusedError(429, message, code="concurrency_limit", retry_after=1)

    def begin(self, asked: Asked) -> Turn:
        """Let the model answer."""
        turn = Turn(asked)
        self._turns[turn.id] = turn
        for old in [old for old in self._turns.values() if old.ending][:-_MOST_KEPT]:
            del self._turns[old.id]
        turn.answering = asyncio.create_task(self._answer(turn))
        turn.ended = asyncio.create_task(self._run(turn, turn.answering))
        return turn

    async def stop(self, turn: Turn) -> None:
        """End a turn now, if it is not over; what was said is kept."""
        if turn.answering is not None and turn.ended is not None:
            turn.answering.cancel()
            await asyncio.wait({turn.ended})

    async def close(self) -> None:
        """Stop all."""
        await asyncio.gather(*(self.stop(turn) for turn in self.running()))

    async def _run(self, turn: Turn, answering: asyncio.Task[None]) -> None:
        """See a turn to its end; this is never cancelled itself."""
        await asyncio.wait({answering})
        problem = _problem(answering)
        ending: dict[str, Any] = {"type": "end", "finishReason": turn.reason}
        try:
            ending["messageId"] = await asyncio.to_thread(self._keep, turn)
        except OpencoderError as error:
            problem = problem or refused(error)
        if turn.usage is not None:
            self._metered(turn.usage)
            ending["usage"] = {
                "promptTokens": turn.usage.prompt_tokens,
                "completionTokens": turn.usage.completion_tokens,
                "cachedTokens": turn.usage.cached_tokens,
            }
        if problem is not None:
            ending["error"] = str(problem)
        turn.ending = ending
        turn.note()

    async def _answer(self, turn: Turn) -> None:
        engine = await self._state.connection.engine()
        # In a thread: counting the tokens of a long conversation takes a while.
        request, turn.dropped = await asyncio.to_thread(
            answer_request, turn.asked, engine, self._state.settings.chat
        )
        turn.note()
        blank = FirstBlank(request.blank)
        async with engine.client.complete(request) as stream:
            async for piece in stream:
                turn.text += blank.without(piece)
                turn.note()
        turn.reason = "length" if stream.finish_reason == "length" else "stop"
        turn.usage = stream.usage

    def _keep(self, turn: Turn) -> str | None:
        """Keep the turn and return the answer's id; None where there is nothing to keep."""
        if not turn.text:  # nothing is no reason to give up what is there
            return None
        asked, model = turn.asked, self._state.connection.model
        answer = Entry(
            "assistant",
            asked.begun + turn.text,
            finish_reason=turn.reason,
            model=model.name if model else "",
        )
        # Another id: where the conversation has gone on elsewhere meanwhile, both are kept.
        question = replace(asked.question, id=uuid.uuid4().hex)
        self._store.add(
            [question, answer], asked.conversation_id, replaces=asked.replaces, since=asked.since
        )
        return answer.id


def _problem(answering: asyncio.Task[None]) -> RefusedError | None:
    """Return why an answer has failed; None where it has not, or was stopped."""
    if answering.cancelled() or (error := answering.exception()) is None:
        return None
    log.info("a turn of the chat page failed: %s", describe(error))
    if isinstance(error, OpencoderError):
        return refused(error)
    return RefusedError(500, f"internal error ({type(error).__name__}); see the log")


def _event(data: dict[str, Any], id: int | None = None) -> bytes:
    head = "" if id is None else f"id: {id}\n"
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
