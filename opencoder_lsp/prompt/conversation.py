"""
Conversations as token ids, exactly as the model saw them in training.

Each segment (the name of a role, a message) is tokenized on its own, since joined text may be cut
into tokens differently, and control tokens enter by id, never from text. OpenChat's templates:
imoneoi/openchat at tag OpenChat-v1, ochat/config/model_config.py.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from opencoder_lsp.errors import PromptError, PromptTooLongError
from opencoder_lsp.prompt.tokenizer import Tokenizer

Role = Literal["system", "user", "assistant"]
NO_CHAT = (
    "this model completes code and does not chat: it is not known to be trained on conversations; "
    "choose another by model.name, or say by model.template how it was trained"
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Template:
    """
    How a family of models writes a conversation: `[bos] ([start] role text [eot] after)*`.

    `user`, `assistant` and `system` are the texts that open a turn; `bos`, `start`, `eot` and
    `ends` are names of control tokens. Where `system` is None there is no such role, and system
    messages stand in front of the first user message as text. Where `eot` is empty there are no
    turns at all: a base model, which was trained on text alone.
    """

    name: str
    user: str
    assistant: str
    eot: str
    context_length: int
    system: str | None = None
    bos: str | None = None
    start: str | None = None
    after: str = ""
    ends: tuple[str, ...] = ("<|endoftext|>",)

    def opening(self, role: Role) -> str:
        """Return the text that opens a turn of `role`."""
        text = {"user": self.user, "assistant": self.assistant, "system": self.system}[role]
        assert text is not None, "system messages were merged before"
        return text


_OPENCHAT = Template(
    name="openchat",
    bos="<s>",
    user="Human: ",
    assistant="Assistant: ",
    eot="<|end_of_turn|>",
    ends=("</s>",),
    context_length=2048,
)
# Behind a text that has ended, a model of the StarCoder family begins another one.
_BEGINNINGS = (
    *("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"),
    *("<filename>", "<file_sep>", "<reponame>", "<repo_name>"),
)
BASE = Template(
    name="",
    bos="<s>",
    user="",
    assistant="",
    eot="",
    ends=(*_BEGINNINGS, "</s>", "<|endoftext|>"),
    context_length=8192,
)
TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template(
            name="opencoder",
            user="User:",
            assistant="Assistant:",
            eot="<|end_of_turn|>",
            context_length=8192,
        ),
        _OPENCHAT,
        replace(_OPENCHAT, name="openchat_8192", context_length=8192),
        BASE,
        Template(
            name="chatml",
            start="<|im_start|>",
            system="system\n",
            user="user\n",
            assistant="assistant\n",
            eot="<|im_end|>",
            after="\n",
            context_length=8192,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each whether training learns it: assistant text and its eot."""

    ids: list[int]
    mask: list[bool]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits, and how many of the messages were dropped for it."""

    encoded: Encoded
    dropped: int


def encode(template: Template, tokenizer: Tokenizer, messages: Sequence[Message]) -> Encoded:
    """
    Return the ids and mask of a conversation, open for the assistant to go on.

    A last assistant message that is empty opens the answer, one with text (a prefilled answer) is
    left open; behind any other last message the assistant's turn is opened. Raises PromptError
    for any other empty message, saying which, and for a base model.
    """
    if not template.eot:
        raise PromptError(NO_CHAT)
    _check(messages)
    ids = [] if template.bos is None else [tokenizer.control_id(template.bos)]
    mask = [False] * len(ids)

    def add(more: list[int], learned: bool = False) -> None:
        ids.extend(more)
        mask.extend([learned] * len(more))

    for turn, is_open in _turns(template, messages):
        learned = turn.role == "assistant"
        if template.start is not None:
            add([tokenizer.control_id(template.start)])
        add(tokenizer.encode(template.opening(turn.role)))
        add(tokenizer.encode(turn.content), learned)
        if not is_open:
            add([tokenizer.control_id(template.eot)], learned)
            add(tokenizer.encode(template.after))
    return Encoded(ids, mask)


def fit(
    template: Template, tokenizer: Tokenizer, messages: Sequence[Message], limit: int
) -> Fitted:
    """
    Encode into at most `limit` tokens by dropping whole oldest turns (a question, its answer).

    System messages and everything from the newest user message on stay; raises
    PromptTooLongError with both numbers where these alone do not fit.
    """
    _check(messages)
    questions = [n for n, message in enumerate(messages) if message.role == "user"]
    # Where to cut: nowhere, or in front of a question but the first.
    cuts = [0, *questions[1:]]
    tried: dict[int, Fitted] = {}

    def fits(cut: int) -> bool:
        kept = [m for n, m in enumerate(messages) if n >= cut or m.role == "system"]
        encoded = encode(template, tokenizer, kept)
        tried[cut] = Fitted(encoded, len(messages) - len(kept))
        return len(encoded.ids) <= limit

    # Each cut leaves less than the one before, so bisect finds the first that fits.
    chosen = bisect_left(cuts, True, key=fits)
    if chosen == len(cuts):
        raise PromptTooLongError(len(tried[cuts[-1]].encoded.ids), limit, "the newest message")
    return tried[cuts[chosen]]


def stop_ids(template: Template, tokenizer: Tokenizer) -> list[int]:
    """Return the ids that end an answer: eot, and what the base model ends a text with."""
    ends = [tokenizer.control_id(end) for end in template.ends if tokenizer.has_control(end)]
    return [tokenizer.control_id(template.eot), *ends] if template.eot else ends


def opens_with_blank(tokenizer: Tokenizer, messages: Sequence[Message]) -> bool:
    """Whether the answer begins with a blank that is no text; one that goes on does not."""
    return tokenizer.puts_blank and not (messages[-1].role == "assistant" and messages[-1].content)


def _check(messages: Sequence[Message]) -> None:
    if not messages:
        raise PromptError("the conversation has no messages")
    for number, message in enumerate(messages, 1):
        which = f"message {number} of {len(messages)}"
        if message.role not in ("system", "user", "assistant"):
            raise PromptError(f"{which} has an unknown role; known: system, user, assistant")
        if not message.content and not (message.role == "assistant" and number == len(messages)):
            raise PromptError(f"{which} ({message.role}) is empty")
    if not any(message.role == "user" for message in messages):
        raise PromptError("the conversation has no user message")


def _turns(template: Template, messages: Sequence[Message]) -> Iterator[tuple[Message, bool]]:
    """Yield what becomes a turn, and whether it is left open: only the last is."""
    turns = list(messages) if template.system is not None else _merged(messages)
    *closed, last = turns
    for turn in closed:
        yield turn, False
    if messages[-1].role == "assistant":
        yield last, True
    else:
        yield last, False
        yield Message("assistant", ""), True


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Put the system messages in front of the first user message, an empty line between."""
    texts = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    first = next(n for n, turn in enumerate(turns) if turn.role == "user")
    turns[first] = Message("user", "\n\n".join([*texts, turns[first].content]))
    return turns
