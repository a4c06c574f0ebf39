"""The arguments of our commands: one JSON object each, checked here at the edge."""

from typing import Annotated, Any, TypeVar

from lsprotocol import types
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from opencoder_lsp.errors import PromptError
from opencoder_lsp.lsp.documents import clean

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


class Attachment(_Object):
    """A part of an open document."""

    uri: _Text
    range: Range

    def lsp_range(self) -> types.Range:
        """Return the range as lsprotocol has it."""
        start, end = self.range.start, self.range.end
        return types.Range(
            types.Position(start.line, start.character), types.Position(end.line, end.character)
        )


class ExplainArguments(Attachment):
    """`show` lets the server show the answer; deltas are sent on `token`."""

    token: Token | None = None
    show: bool = False


class ChatArguments(_Object):
    """Without a `conversationId` a new conversation begins."""

    message: _Text
    conversation_id: _Text | None = None
    attachments: list[Attachment] = []
    token: Token | None = None


class ConversationArguments(_Object):
    """A conversation."""

    conversation_id: _Text


class AcceptedArguments(_Object):
    """`acceptedLength` is in UTF-16 units; all of the suggestion without it."""

    suggestion_id: str = ""
    accepted_length: _Uinteger | None = None


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
