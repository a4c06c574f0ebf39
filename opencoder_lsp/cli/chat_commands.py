"""What can be said in a conversation beside questions: `/help` and the like."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markdown import Markdown

from opencoder_lsp.cli import line
from opencoder_lsp.cli.conversations import export_to, print_list
from opencoder_lsp.cli.markdown import printable
from opencoder_lsp.cli.talk import Talk
from opencoder_lsp.cli.terminal import console
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError

Work = Coroutine[Any, Any, object] | None


class Leave(Exception):
    """The user has had enough."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it does, and for `/help` what it takes and does, in words."""

    run: Callable[[Talk, str], Work]
    takes: str
    help: str


def command_of(text: str) -> tuple[Command, str] | None:
    """Return the command of a line and its argument; None for a question, such as `/etc/x?`."""
    match = re.fullmatch(r"/([a-z]+)(?:\s+(.*))?", text.strip(), re.DOTALL)
    if match is None:
        return None
    if match[1] not in COMMANDS:
        raise OpencoderError(f"there is no /{match[1]}; /help lists what there is")
    return COMMANDS[match[1]], match[2] or ""


def _help(talk: Talk, argument: str) -> None:
    for name, command in COMMANDS.items():
        console.print(f"  {f'/{name} {command.takes}':<20} {command.help}", soft_wrap=True)
    console.print(f"  {'@PATH:10-40':<20} in a question: lines of a file of this folder go along")
    console.print(f"  {'Ctrl-C':<20} stops an answer; what was said stays")


def _edit(talk: Talk, argument: str) -> Work:
    text = argument or line.read(talk.question)
    return talk.edit(text) if text and text.strip() else None


def _new(talk: Talk, argument: str) -> None:
    talk.id = None
    console.print("a new conversation begins")


def _open(talk: Talk, argument: str) -> None:
    talk.id = Store().find(argument)
    _show(talk, "")


def _show(talk: Talk, argument: str) -> None:
    conversation = talk.look()
    console.print(printable(conversation.title), style="bold")
    for entry in conversation.last_turn:
        if entry.role == "user":
            console.print(f"> {printable(entry.content)}", style="dim")
        elif console.is_terminal:
            console.print(Markdown(printable(entry.content)))
        else:
            console.print(entry.content)


def _file(talk: Talk, argument: str) -> None:
    talk.attach(argument)
    console.print(f"{argument} goes along with your next question")


def _export(talk: Talk, argument: str) -> None:
    if not argument:
        raise OpencoderError("write /export FILE.md or /export FILE.json")
    path = Path(argument).expanduser()
    export_to(talk.look(), path, "json" if path.suffix == ".json" else "markdown")


def _leave(talk: Talk, argument: str) -> None:
    raise Leave


COMMANDS = {
    "help": Command(_help, "", "list these commands"),
    "continue": Command(lambda talk, _: talk.go_on(), "", "let a cut or stopped answer go on"),
    "regenerate": Command(lambda talk, _: talk.regenerate(), "", "ask the last question again"),
    "edit": Command(_edit, "", "change the last question and ask it instead"),
    "file": Command(_file, "PATH[:10-40]", "let a file, or some lines, go along next"),
    "new": Command(_new, "", "begin a new conversation"),
    "list": Command(lambda talk, _: print_list(), "", "list this folder's conversations"),
    "open": Command(_open, "ID", "go on with one of them"),
    "show": Command(_show, "", "show the last question and answer again"),
    "export": Command(_export, "FILE", "write it all to a file: Markdown, or JSON (.json)"),
    "quit": Command(_leave, "", "end, as Ctrl-D does"),
}
