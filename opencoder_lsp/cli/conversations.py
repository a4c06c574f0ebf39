"""`opencoder-lsp conversations`: what was said in chats and about code."""

import sys
from datetime import datetime
from pathlib import Path

from rich.markdown import Markdown
from rich.table import Table

from opencoder_lsp.cli.markdown import printable
from opencoder_lsp.cli.talk import workspace
from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.conversations.entries import Conversation
from opencoder_lsp.conversations.export import (
    Format,
    exported,
    summary_json,
    to_json,
    to_markdown,
)
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError

_SHOWN = 8  # characters of an id: enough to tell one from the others


def print_list(*, everywhere: bool = False, as_json: bool = False) -> None:
    """List the conversations of this folder, or all of them, the newest first."""
    summaries = Store().summaries(None if everywhere else [workspace()])
    if as_json:
        print_json([summary_json(summary) for summary in summaries])
        return
    if not summaries:
        console.print("none yet" if everywhere else "none in this folder; --all lists the others")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "last", "messages", "title", *(["folder"] if everywhere else [])):
        table.add_column(column, justify="right" if column == "messages" else "left")
    for one in summaries:
        last = datetime.fromtimestamp(one.updated).strftime("%Y-%m-%d %H:%M")
        row = [one.id[:_SHOWN], last, str(one.messages), printable(one.title)]
        table.add_row(*row, *([printable(one.workspace)] if everywhere else []))
    console.print(table)


def show(start: str, *, as_json: bool) -> None:
    """Print a whole conversation; `start` is the beginning of its id."""
    conversation = _found(start)
    if as_json:
        print_json(to_json(conversation))
    elif console.is_terminal:
        console.print(Markdown(printable(to_markdown(conversation))))
    else:
        sys.stdout.write(to_markdown(conversation))


def rename(start: str, title: str) -> None:
    """Give a conversation another title."""
    store = Store()
    store.rename(store.find(start), title)


def delete(starts: list[str]) -> None:
    """Forget conversations: all of them, or none where one is not known."""
    store = Store()
    for id in [store.find(start) for start in starts]:
        store.delete(id)


def export(start: str, format: Format, path: Path | None) -> None:
    """Write a conversation to a file that is not there yet, or to standard output."""
    conversation = _found(start)
    if path is None:
        sys.stdout.write(exported(conversation, format))
    else:
        export_to(conversation, path, format)


def export_to(conversation: Conversation, path: Path, format: Format) -> None:
    """Write a conversation to a file of the user's own; one that is there is left alone."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(exported(conversation, format))
    except OSError as error:
        raise OpencoderError(f"cannot write {path}: {error.strerror}") from error
    console.print(f"written to {path}", soft_wrap=True)


def _found(start: str) -> Conversation:
    store = Store()
    return store.conversation(store.find(start))
