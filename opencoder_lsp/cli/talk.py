"""One conversation in a terminal: asking, drawing the answer, and saying what became of it."""

import os
import sys
from typing import Any

from opencoder_lsp.cli.files import attachment
from opencoder_lsp.cli.markdown import MarkdownStream
from opencoder_lsp.cli.session import Session
from opencoder_lsp.cli.terminal import console, errors
from opencoder_lsp.conversations.entries import Conversation
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError

_CUT = "cut off: it has reached chat.max_tokens or the end of the context"


def workspace() -> str:
    """Return the folder that conversations of this terminal belong to."""
    return os.path.realpath(os.getcwd())


def newest() -> str:
    """Return the id of this folder's newest conversation; OpencoderError where it has none."""
    summaries = Store().summaries([workspace()])
    if not summaries:
        raise OpencoderError("this folder has no conversation yet")
    return summaries[0].id


class Talk:
    """
    A conversation, new (None) or kept, and the files that go along with the next question.

    `how_on` says how a cut or stopped answer goes on. Methods raise OpencoderError.
    """

    def __init__(self, session: Session, id: str | None, *, how_on: str) -> None:
        self._session = session
        self._how_on = how_on
        self._last_id: str | None = None
        self._files: list[dict[str, Any]] = []
        self._asked_files: list[dict[str, Any]] = []
        self.id = id
        if id is not None:
            self.look()

    @property
    def question(self) -> str:
        """The last question, as it was written."""
        return self._kept().last_turn[0].content

    def look(self) -> Conversation:
        """Take the conversation as it is now, by whomever."""
        conversation = self._kept()
        self._last_id = conversation.last_id
        return conversation

    def attach(self, text: str) -> None:
        """Let a file, or a part of it, go along with the next question."""
        self._files.append(attachment(text))

    async def ask(self, message: str) -> dict[str, Any]:
        """Say something; this begins a new conversation if there is none."""
        self._asked_files, self._files = self._files, []
        return await self._turn(message=message, attachments=self._asked_files)

    async def edit(self, message: str) -> dict[str, Any]:
        """Ask something else in the place of the last question; its files go along again."""
        files = self._asked_files
        return await self._change(message=message, attachments=files, editLast=True)

    async def regenerate(self) -> dict[str, Any]:
        """Ask the last question again."""
        return await self._change(regenerate=True)

    async def go_on(self) -> dict[str, Any]:
        """Let an answer that was cut or stopped go on."""
        return await self._change(**{"continue": True})

    async def _change(self, **arguments: Any) -> dict[str, Any]:
        if self.id is None:
            raise OpencoderError("nothing was said yet")
        return await self._turn(**arguments, lastMessageId=self._last_id)

    async def _turn(self, **arguments: Any) -> dict[str, Any]:
        if self.id is not None:
            arguments["conversationId"] = self.id
        try:
            answer = await _drawn(self._session, arguments)
        except OpencoderError:
            if self.id is not None:
                self.look()  # what was said until it failed is kept
            raise
        self._last_id = answer["messageId"]
        self.id = answer["conversationId"] or self.id
        self._say(answer)
        return answer

    def _say(self, answer: dict[str, Any]) -> None:
        notes = {"length": f"{_CUT}; {self._how_on}", "stopped": f"stopped; {self._how_on}"}
        said = [notes.get(answer["finishReason"], "")]
        if answer["dropped"]:
            said.append(f"the {answer['dropped']} oldest messages did not fit and were left out")
        if answer["conversationId"] is None:
            said.append("this could not be kept; `opencoder-lsp doctor` may say why")
        for note in filter(None, said):
            errors.print(f"({note})", style="dim", soft_wrap=True)

    def _kept(self) -> Conversation:
        if self.id is None:
            raise OpencoderError("nothing was said yet")
        return Store().conversation(self.id)


async def _drawn(session: Session, arguments: dict[str, Any]) -> dict[str, Any]:
    """Show the answer as it comes: as Markdown on a terminal, else as it is."""
    if console.is_terminal:
        with MarkdownStream(console) as stream:
            return await session.chat(arguments, stream.add)
    try:
        return await session.chat(arguments, _write)
    finally:
        _write("\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
