"""The arguments of our commands: one JSON object each, checked here at the edge."""

import logging
from typing import Annotated, Any, Literal, TypeVar

from lsprotocol import types
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.documents import clean

log = logging.getLogger(__name__)

Token = int | str
# Lone surrogates, which JSON can carry and no encoding can, are replaced.
_Text = Annotated[str, AfterValidator(clean)]
_Uinteger = Annotated[int, Field(ge=0, lt=2**31)]


class _Object(BaseModel):
    # Unknown fields are let pass: a newer client may send more.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, alias_generator=to_camel)


class Position(_Object):
    """A position in the session's encoding."""

    line: _Uinteger
    character: _Uinteger


class Range(_Object):
    """A range of LSP."""

    start: Position
    end: Position

    def lsp(self) -> types.Range:
        """Return the range as lsprotocol has it."""
        start, end = self.start, self.end
        return types.Range(
            types.Position(start.line, start.character), types.Position(end.line, end.character)
        )


class Attachment(_Object):
    """A part of an open document."""

    uri: _Text
    range: Range

    def lsp_range(self) -> types.Range:
        """Return the range as lsprotocol has it."""
        return self.range.lsp()


class ExplainArguments(Attachment):
    """`show` lets the server show the answer; deltas are sent on `token`."""

    token: Token | None = None
    show: bool = False


class GivenDiagnostic(_Object):
    """What some tool says of a range: LSP's Diagnostic, as far as a model is told of it."""

    range: Range
    message: _Text
    code: int | _Text | None = None
    source: _Text | None = None

    @property
    def shown(self) -> str:
        """The message, and in brackets who says it."""
        origin = " ".join(str(part) for part in (self.source, self.code) if part is not None)
        return f"{self.message} ({origin})" if origin else self.message


class EditArguments(ExplainArguments):
    """
    `instruction` is the user's own wish, `diagnostics` what is wrong there, as far as it is known.

    With a `version` the range is of that version of the document and of no other.
    """

    instruction: Annotated[str, Field(max_length=10_000), AfterValidator(clean)] | None = None
    diagnostics: list[GivenDiagnostic] = []
    version: int | None = None


class ChatAttachment(_Object):
    """A file, open or not, or a part of it."""

    uri: _Text
    range: Range | None = None


class ChatArguments(_Object):
    """
    Without a `conversationId` a new conversation begins.

    `regenerate` asks the last question again, `editLast` asks `message` in its place (with the same
    attachments where none are given), and `continue` lets a cut or stopped answer go on. These
    change what is there: where `lastMessageId` is given, only if that still is the last message.
    """

    message: _Text = ""
    conversation_id: _Text | None = None
    last_message_id: _Text | None = None
    attachments: list[ChatAttachment] | None = None
    regenerate: bool = False
    edit_last: bool = False
    continue_: bool = Field(False, alias="continue")
    token: Token | None = None


class SaidMessage(_Object):
    """A message of a conversation that is kept elsewhere."""

    role: Literal["user", "assistant"]
    content: _Text


class AnswerArguments(_Object):
    """A conversation, the oldest message first; the last is a question, or an answer to go on."""

    messages: Annotated[list[SaidMessage], Field(min_length=1)]
    token: Token | None = None


class FilesArguments(_Object):
    """A part of a name, and how many files are wanted."""

    text: _Text = ""
    most: Annotated[int, Field(ge=1, le=100)] = 20


class ListArguments(_Object):
    """Those of this window's folders, or `all`."""

    all: bool = False


class ConversationArguments(_Object):
    """A conversation."""

    conversation_id: _Text


class ForgetArguments(ConversationArguments):
    """A conversation, and a question or an answer in it."""

    message_id: _Text


class RenameArguments(ConversationArguments):
    """A conversation and its new title."""

    title: _Text


class ExportArguments(ConversationArguments):
    """A conversation and what to make of it."""

    format: Literal["markdown", "json"] = "markdown"


class AcceptedArguments(_Object):
    """`acceptedLength` is in UTF-16 units; all of the suggestion without it."""

    suggestion_id: str = ""
    accepted_length: _Uinteger | None = None


class ShownItem(_Object):
    """An item of ours that comes back; what else it has does not matter."""

    command: "ItemCommand | None" = None

    @property
    def suggestion_id(self) -> str:
        """The id that we gave it, "" where it has none."""
        given = self.command.arguments if self.command else []
        return given[0].suggestion_id if given else ""


class ItemCommand(_Object):
    """The command of such an item."""

    arguments: list[AcceptedArguments] = []


class ShownParams(_Object):
    """`textDocument/didShowCompletion`."""

    item: ShownItem


class PartlyAcceptedParams(_Object):
    """`textDocument/didPartiallyAcceptCompletion`: UTF-16 units from the item's start."""

    item: ShownItem
    accepted_length: _Uinteger


class StatsArguments(_Object):
    """Of how many days, today included."""

    days: Annotated[int, Field(ge=1, le=36_500)] = 30


class NoArguments(_Object):
    """`{}`, or nothing at all."""


_Model = TypeVar("_Model", bound=BaseModel)


def parse(model: type[_Model], command: str, arguments: object) -> _Model:
    """Check the `arguments` of `workspace/executeCommand`; PromptError names what is wrong."""
    given: Any = arguments or [{}]
    if len(given) != 1 or not isinstance(given[0], dict):
        raise PromptError(f"{command} takes one object of arguments")
    try:
        return model.model_validate(given[0])
    except ValidationError as error:
        # Only field names and pydantic's own words: what was given may be the user's text.
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise PromptError(f"bad arguments for {command}: {problems}") from None


def read(model: type[_Model], params: object) -> _Model | None:
    """Check the params of a notification; None, and a line in the log, where they are wrong."""
    try:
        return model.model_validate(params)
    except ValidationError:
        log.warning("the params of a notification are not what %s says", model.__name__)
        return None
