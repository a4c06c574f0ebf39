"""What tests of conversations ask and look at."""

from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

from tests.protocol.editor import Editor


async def chat(editor: Editor, message: str = "", **more: Any) -> dict[str, Any]:
    """Say something; `more` are other arguments."""
    arguments = {"message": message, **more} if message else more
    return dict(await editor.command("opencoder.chat", arguments))


async def refused(editor: Editor, **arguments: Any) -> str:
    """Return why a chat is refused."""
    with pytest.raises(JsonRpcException) as error:
        await chat(editor, **arguments)
    assert error.value.code == -32602
    return str(error.value.message)


async def said(editor: Editor, answer: dict[str, Any]) -> list[str]:
    """Return all messages of the conversation that an answer belongs to."""
    whole = {"conversationId": answer["conversationId"]}
    messages = (await editor.command("opencoder.conversation", whole))["messages"]
    return [message["content"] for message in messages]
