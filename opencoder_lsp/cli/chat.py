"""`opencoder-lsp chat`: one question, or a conversation."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from opencoder_lsp.cli.loading import ready_session
from opencoder_lsp.cli.session import Session
from opencoder_lsp.cli.terminal import console, errors, print_json
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.settings import from_process


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


async def _turn(session: Session, message: str, conversation: str | None) -> dict[str, Any]:
    """Ask, print the answer as it comes, and return the command's result."""
    arguments = {"message": message}
    if conversation is not None:
        arguments["conversationId"] = conversation
    answer = await session.command("opencoder.chat", arguments, _write)
    _write("\n")
    if answer["finishReason"] == "length":
        errors.print("(cut off: it reached chat.max_tokens or the end of the context)")
    return answer


async def _ask(message: str, pairs: Sequence[str], *, as_json: bool) -> None:
    async with ready_session(pairs) as session:
        if as_json:
            print_json(await session.command("opencoder.chat", {"message": message}))
        else:
            await _turn(session, message, None)


def _converse(pairs: Sequence[str]) -> None:
    """Read a line, answer it, and so on. The event loop stands still while a line is typed."""
    conversation: str | None = None
    with asyncio.Runner() as runner:
        opening = ready_session(pairs)
        session = runner.run(opening.__aenter__())
        try:
            console.print("Ask something; an empty line or Ctrl-D ends the conversation.")
            while message := _read_line().strip():
                try:
                    answer = runner.run(_turn(session, message, conversation))
                except OpencoderError as error:
                    errors.print(str(error), soft_wrap=True)
                else:
                    conversation = answer["conversationId"]
        finally:
            runner.run(opening.__aexit__(None, None, None))


def _read_line() -> str:
    try:
        return input("> ")
    except EOFError:
        return ""


def run_chat(message: str | None, pairs: Sequence[str], *, as_json: bool) -> int:
    """Ask once, or converse until an empty line; `-` reads the message from standard input."""
    from_process(pairs)  # a bad setting is wrong usage here, not a server that ended
    if message is None:
        _converse(pairs)
    else:
        text = sys.stdin.read() if message == "-" else message
        asyncio.run(_ask(text, pairs, as_json=as_json))
    return 0
