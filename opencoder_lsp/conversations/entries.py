"""What a conversation consists of. Times are in seconds since the epoch, ids are made up."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["user", "assistant"]
FinishReason = Literal["stop", "length", "stopped"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file, or a part of it, that went along with a question, with the text that it had then.

    `path` is for people and prompts. `first` and `last` are lines, counted from 1 and both
    included; 0 stands for the whole file. `mentioned` is whether the question itself names it.
    """

    path: str
    language: str
    text: str
    first: int = 0
    last: int = 0
    mentioned: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One message: a question as it was written, or an answer.

    An answer has the model's name and why it ended: "stopped" means by the user, or because the
    engine failed.
    """

    role: Role
    content: str
    attachments: tuple[Attachment, ...] = ()
    finish_reason: FinishReason | None = None
    model: str = ""
    time: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in the list; `workspace` is a folder's path, "" where none was open."""

    id: str
    title: str
    workspace: str
    created: float
    updated: float
    messages: int
    folder: str = ""  # the id of one of the chat page's


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole conversation, its oldest entry first."""

    id: str
    title: str
    workspace: str
    created: float
    updated: float
    entries: tuple[Entry, ...]
    folder: str = ""  # the id of one of the chat page's
    system: str | None = None  # its own system prompt and temperature; None for the settings'
    temperature: float | None = None

    @property
    def last_id(self) -> str:
        """The id of the last entry; "" where there is none."""
        return self.entries[-1].id if self.entries else ""

    @property
    def last_turn(self) -> tuple[Entry, ...]:
        """The last question and what follows it, an answer or nothing."""
        return self.entries[self._last_question :]

    @property
    def before_last_turn(self) -> tuple[Entry, ...]:
        """What was said before that."""
        return self.entries[: self._last_question]

    @property
    def _last_question(self) -> int:
        questions = (n for n, entry in enumerate(self.entries) if entry.role == "user")
        return max(questions, default=0)
