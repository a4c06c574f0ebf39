"""
Files with conversations: our own, and those that chatbot-ui and OpenChat's page exported.

Theirs: mckaywrigley/chatbot-ui at fa3f6e9, types/export.ts and utils/app/importExport.ts. Version 1
is a list of conversations, the others are objects with `history` and `folders`, version 4 also has
`prompts`. Ids are strings or numbers, and `name` is the title.
"""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opencoder_lsp.conversations.entries import Attachment, Conversation, Entry
from opencoder_lsp.conversations.export import FORMAT, VERSION, to_json
from opencoder_lsp.conversations.library import Folder, Prompt
from opencoder_lsp.conversations.store import title_of
from opencoder_lsp.errors import PromptError

ARCHIVE_FORMAT = "opencoder-lsp conversations"
_ENDS = ("stop", "length", "stopped")
_COLDEST = 0.01  # below it a temperature is meant to be 0
Json = dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """What a file has in it."""

    conversations: Sequence[Conversation] = ()
    folders: Sequence[Folder] = ()
    prompts: Sequence[Prompt] = ()


def archive_json(archive: Archive) -> Json:
    """Return everything as one JSON object."""
    return {
        "format": ARCHIVE_FORMAT,
        "version": VERSION,
        "conversations": [to_json(one) for one in archive.conversations],
        "folders": [asdict(one) for one in archive.folders],
        "prompts": [asdict(one) for one in archive.prompts],
    }


def read_archive(text: str | bytes) -> Archive:
    """Read a file of any kind named above; raises PromptError, which never repeats its text."""
    try:
        data = json.loads(text)
        kind = data.get("format") if isinstance(data, dict) else None
        version = data.get("version", 1) if isinstance(data, dict) else 1
        if kind in (FORMAT, ARCHIVE_FORMAT) and version > VERSION:
            raise PromptError("a newer version of opencoder-lsp has written it; update this one")
        if kind == FORMAT:
            return Archive([_own(data)])
        if kind == ARCHIVE_FORMAT:
            return Archive(
                [_own(one) for one in data["conversations"]],
                list(_folders(data.get("folders"), "kind")),
                list(_prompts(data.get("prompts"), "folder")),
            )
        if isinstance(data, list):
            data = {"history": data}
        return Archive(
            [_old(one) for one in data["history"] or ()],
            list(_folders(data.get("folders"), "type")),
            list(_prompts(data.get("prompts"), "folderId")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        kind = type(error).__name__
        raise PromptError(
            f"this is no file of conversations that can be read here ({kind}); "
            "opencoder-lsp's own exports and those of chatbot-ui (versions 1 to 4) can"
        ) from None


def _own(data: Json) -> Conversation:
    return Conversation(
        _id(data["id"]),
        title_of(_text(data["title"])) or "Untitled",
        _text(data.get("workspace", "")),
        float(data["created"]),
        float(data["updated"]),
        tuple(_own_entry(one) for one in data["messages"]),
        _text(data.get("folder", "")),
        _text_or_none(data.get("system")),
        _temperature(data.get("temperature")),
    )


def _own_entry(data: Json) -> Entry:
    files = [
        Attachment(
            _text(one["path"]),
            _text(one["language"]),
            _text(one["text"]),
            int(one["firstLine"]),
            int(one["lastLine"]),
        )
        for one in data.get("attachments", ())
    ]
    reason = data.get("finishReason")
    return Entry(
        _role(data["role"]),
        _text(data["content"]),
        tuple(files),
        reason if reason in _ENDS else None,
        _text(data.get("model", "")),
        float(data["time"]),
        _id(data["id"]),
    )


def _old(data: Json) -> Conversation:
    """Read a conversation of chatbot-ui's; it has no times, so it is as of now."""
    now = time.time()
    model = data.get("model")
    name = _text(model.get("id", "")) if isinstance(model, dict) else ""
    entries = [
        Entry(
            _role(one["role"]),
            _text(one["content"]),
            model=name if one["role"] == "assistant" else "",
            time=now,
        )
        for one in data["messages"]
        if one["role"] in ("user", "assistant") and one["content"]
    ]
    system = _text_or_none(data.get("prompt"))
    return Conversation(
        _id(data["id"]),
        title_of(_text(data["name"])) or "Untitled",
        "",
        now,
        now,
        tuple(entries),
        _reference(data.get("folderId")),
        system or None,
        _temperature(data.get("temperature")),
    )


def _folders(data: Any, kind: str) -> Iterator[Folder]:
    for one in data or ():
        of = "prompt" if one.get(kind) == "prompt" else "chat"
        yield Folder(_text(one["name"]), of, _id(one["id"]))  # type: ignore[arg-type]


def _prompts(data: Any, folder: str) -> Iterator[Prompt]:
    for one in data or ():
        yield Prompt(
            _text(one["name"]),
            _text(one["content"]),
            _text(one.get("description") or ""),
            _reference(one.get(folder)),
            _id(one["id"]),
        )


def _id(value: Any) -> str:
    """Return an id; what is none gets one."""
    return str(value)[:100] if isinstance(value, str | int) and value != "" else uuid.uuid4().hex


def _reference(value: Any) -> str:
    return str(value)[:100] if isinstance(value, str | int) and value else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be kept


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _temperature(value: Any) -> float | None:
    if value is None:
        return None
    number = min(2.0, float(value))
    return number if number >= _COLDEST else 0.0


def _role(value: Any) -> Any:
    if value not in ("user", "assistant"):
        raise ValueError
    return value
