"""Conversations as JSON, which has everything, and as Markdown for people."""

import json
from datetime import datetime
from typing import Any, Literal

from opencoder_lsp.conversations.entries import Attachment, Conversation, Entry, Summary
from opencoder_lsp.markdown import closed

Format = Literal["markdown", "json"]
FORMAT, VERSION = "opencoder-lsp conversation", 1
_ENDS = {"length": "cut off: it had reached its greatest length", "stopped": "stopped"}


def to_json(conversation: Conversation) -> dict[str, Any]:
    """Return all of a conversation as a JSON object."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": conversation.id,
        "title": conversation.title,
        "workspace": conversation.workspace,
        "created": conversation.created,
        "updated": conversation.updated,
        "folder": conversation.folder,
        "system": conversation.system,
        "temperature": conversation.temperature,
        "messages": [_message(entry) for entry in conversation.entries],
    }


def exported(conversation: Conversation, format: Format) -> str:
    """Return the text of a file that has a conversation in it."""
    if format == "markdown":
        return to_markdown(conversation)
    return json.dumps(to_json(conversation), indent=2, ensure_ascii=False) + "\n"


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return a conversation in the list as a JSON object."""
    return {name: getattr(summary, name) for name in Summary.__slots__}


def to_markdown(conversation: Conversation) -> str:
    """Return a conversation as a Markdown document; attached text is named, not in it."""
    began = datetime.fromtimestamp(conversation.created).strftime("%Y-%m-%d %H:%M")
    where = f", in `{conversation.workspace}`" if conversation.workspace else ""
    parts = [f"# {conversation.title}", f"*{began}{where}*"]
    for entry in conversation.entries:
        parts += _section(entry)
    return "\n\n".join(parts) + "\n"


def named(attachment: Attachment) -> str:
    """Return what an attachment is called in a line of text."""
    if not attachment.first:
        return f"`{attachment.path}`"
    if attachment.first == attachment.last:
        return f"`{attachment.path}`, line {attachment.first}"
    return f"`{attachment.path}`, lines {attachment.first} to {attachment.last}"


def _section(entry: Entry) -> list[str]:
    name = f"Answer of {entry.model}" if entry.model else "Answer"
    section = ["## Question" if entry.role == "user" else f"## {name}", closed(entry.content)]
    section += [f"*attached: {named(one)}*" for one in entry.attachments]
    if entry.finish_reason in _ENDS:
        section.append(f"*({_ENDS[entry.finish_reason]})*")
    return section


def _message(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "role": entry.role,
        "content": entry.content,
        "attachments": [
            {
                "path": one.path,
                "language": one.language,
                "firstLine": one.first,
                "lastLine": one.last,
                "mentioned": one.mentioned,
                "text": one.text,
            }
            for one in entry.attachments
        ],
        "finishReason": entry.finish_reason,
        "model": entry.model,
        "time": entry.time,
    }
