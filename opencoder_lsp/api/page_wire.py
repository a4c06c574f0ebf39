"""What the chat page sends, checked here before anything else sees it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from opencoder_lsp.conversations.library import Kind
from opencoder_lsp.serving.refusals import RefusedError
from opencoder_lsp.settings_sections import Temperature

Id = Annotated[str, Field(min_length=1, max_length=100)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class PageBody(BaseModel):
    """A body of the page's; names are in camel case on the wire."""

    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, alias_generator=to_camel
    )

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a body; raises RefusedError (400), which never repeats what the user wrote."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            param = ".".join(str(part) for part in first["loc"]) or None
            raise RefusedError(400, f"{param or 'body'}: {first['msg']}", param=param) from None


class ChangeBody(PageBody):
    """What is to be otherwise about a conversation; what is not given stays."""

    title: Name | None = None
    folder: Annotated[str, Field(max_length=100)] | None = None
    system: Annotated[str, Field(max_length=100_000)] | None = None
    temperature: Temperature | None = None


class TurnBody(PageBody):
    """
    A turn to begin.

    "ask" says `message` in a conversation, or in a new one with `folder`, `system` and
    `temperature`. "edit" says it in the place of the question `messageId` and all behind it.
    "regenerate" has the last answer anew, "continue" has more of it. `lastMessageId` is what the
    page has seen last.
    """

    action: Literal["ask", "edit", "regenerate", "continue"]
    message: str = ""
    conversation_id: Id | None = None
    message_id: Id | None = None
    last_message_id: Id | None = None
    folder: Annotated[str, Field(max_length=100)] = ""
    system: Annotated[str, Field(max_length=100_000)] | None = None
    temperature: Temperature | None = None


class CountBody(PageBody):
    """A question whose prompt is to be counted, in a conversation or a new one."""

    message: str = ""
    conversation_id: Id | None = None
    system: str | None = None


class FolderBody(PageBody):
    """A folder; with the id of one that is there, its new name."""

    name: Name
    kind: Kind = "chat"
    id: Id | None = None


class PromptBody(PageBody):
    """A prompt; with the id of one that is there, what it is to be."""

    name: Name
    content: Annotated[str, Field(max_length=1_000_000)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    folder: Annotated[str, Field(max_length=100)] = ""
    id: Id | None = None
