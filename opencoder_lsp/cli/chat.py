"""`opencoder-lsp chat`: one question, or a conversation."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from opencoder_lsp.cli import line
from opencoder_lsp.cli.chat_commands import COMMANDS, Leave, command_of
from opencoder_lsp.cli.files import attachment
from opencoder_lsp.cli.loading import ready_session
from opencoder_lsp.cli.talk import Talk, newest
from opencoder_lsp.cli.terminal import console, errors, print_json
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.settings import from_process

_HOW_ON = "/continue goes on"
_HOW_ON_ELSEWHERE = "`opencoder-lsp chat --continue` and there /continue goes on"
_STOPPED = 130  # exit code


async def _ask(
    message: str, pairs: Sequence[str], id: str | None, files: Sequence[str], *, as_json: bool
) -> int:
    async with ready_session(pairs, [Path.cwd()]) as session:
        if as_json:
            asked = {"message": message, "attachments": [attachment(file) for file in files]}
            answer = await session.chat({**asked, **({"conversationId": id} if id else {})})
            print_json(answer)
        else:
            talk = Talk(session, id, how_on=_HOW_ON_ELSEWHERE)
            for file in files:
                talk.attach(file)
            answer = await talk.ask(message)
    return _STOPPED if answer["finishReason"] == "stopped" else 0


def _converse(pairs: Sequence[str], id: str | None, files: Sequence[str]) -> None:
    """Read a line, answer it, and so on. The event loop stands still while a line is typed."""
    with asyncio.Runner() as runner:
        opening = ready_session(pairs, [Path.cwd()])
        session = runner.run(opening.__aenter__())
        try:
            talk = Talk(session, id, how_on=_HOW_ON)
            for file in files:
                talk.attach(file)
            console.print("Ask something. /help lists what else there is, Ctrl-D ends.")
            if id is not None:
                COMMANDS["show"].run(talk, "")
            while (text := line.read()) is not None:
                _answer(runner, talk, text)
        except Leave:
            pass
        finally:
            runner.run(opening.__aexit__(None, None, None))


def _answer(runner: asyncio.Runner, talk: Talk, text: str) -> None:
    """Do what a line says; Ctrl-C stops an answer, a second one everything."""
    try:
        if found := command_of(text):
            work = found[0].run(talk, found[1])
            if work is not None:
                runner.run(work)
        elif text.strip():
            runner.run(talk.ask(text))
    except OpencoderError as error:
        errors.print(str(error), soft_wrap=True)


def run_chat(
    message: str | None,
    pairs: Sequence[str],
    *,
    conversation: str | None,
    newest_one: bool,
    files: Sequence[str],
    as_json: bool,
) -> int:
    """
    Ask once, or converse until the end of the input; `-` reads the message from standard input.

    `conversation` is the beginning of an id; a new one begins without it and `newest_one`.
    """
    from_process(pairs)  # a bad setting is wrong usage here, not a server that ended
    for file in files:
        attachment(file)  # likewise
    id = newest() if newest_one else Store().find(conversation) if conversation else None
    if message is None:
        _converse(pairs, id, files)
        return 0
    text = sys.stdin.read() if message == "-" else message
    return asyncio.run(_ask(text, pairs, id, files, as_json=as_json))
