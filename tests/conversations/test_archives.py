"""Files of conversations: our own come back as they were, those of the old page are understood."""

import json
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.conversations.archives import Archive, archive_json, read_archive
from opencoder_lsp.conversations.entries import Attachment, Entry
from opencoder_lsp.conversations.export import exported
from opencoder_lsp.conversations.library import Folder, Library, Prompt
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import PromptError

# As chatbot-ui wrote it into chatbot_ui_history_7-5.json.
VERSION_4: dict[str, Any] = {
    "version": 4,
    "history": [
        {
            "id": "0a1b",
            "name": "Sorting",
            "messages": [
                {"role": "user", "content": "Sort **this**"},
                {"role": "assistant", "content": "```python\nsorted(this)\n```"},
                {"role": "user", "content": ""},
            ],
            "model": {"id": "OpenCoder", "name": "OpenCoder", "maxLength": 24576},
            "prompt": "Be brief.",
            "temperature": 0.5,
            "folderId": "f1",
        }
    ],
    "folders": [
        {"id": "f1", "name": "Work", "type": "chat"},
        {"id": "f2", "name": "Mine", "type": "prompt"},
    ],
    "prompts": [
        {
            "id": "p1",
            "name": "Explain",
            "description": "",
            "content": "Explain {{thing}}",
            "model": {},
            "folderId": "f2",
        }
    ],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "conversations.sqlite3")


def test_an_export_of_the_old_page_is_read_whole() -> None:
    archive = read_archive(json.dumps(VERSION_4))
    (one,) = archive.conversations
    assert (one.id, one.title, one.folder) == ("0a1b", "Sorting", "f1")
    assert (one.system, one.temperature) == ("Be brief.", 0.5)
    assert [(entry.role, entry.content) for entry in one.entries] == [
        ("user", "Sort **this**"),
        ("assistant", "```python\nsorted(this)\n```"),
    ]
    assert one.entries[1].model == "OpenCoder"
    assert archive.folders == [Folder("Work", "chat", "f1"), Folder("Mine", "prompt", "f2")]
    assert archive.prompts == [Prompt("Explain", "Explain {{thing}}", "", "f2", "p1")]


def test_older_versions_are_read_too() -> None:
    history = [{"id": 7, "name": "Old", "messages": [], "folderId": 3}]
    for data in (history, {"history": history, "folders": [{"id": 3, "name": "F"}]}):
        (one,) = read_archive(json.dumps(data)).conversations
        assert (one.id, one.title, one.folder) == ("7", "Old", "3")
    assert read_archive('{"version": 3, "history": null, "folders": null}') == Archive([], [], [])


def test_our_own_archive_comes_back_as_it_was(store: Store) -> None:
    entries = [
        Entry("user", "q", (Attachment("a.py", "python", "x = 1", 1, 1),)),
        Entry("assistant", "a", finish_reason="length", model="demo"),
    ]
    id = store.add(entries, workspace="/w")
    store.configure(id, folder="f", system="s", temperature=0.5)
    whole = Archive([store.conversation(id)], [Folder("F", "chat", "f")], [Prompt("P", "c")])
    assert read_archive(json.dumps(archive_json(whole))) == whole
    alone = read_archive(exported(whole.conversations[0], "json"))
    assert alone.conversations == whole.conversations


def test_what_is_there_is_not_imported_twice(store: Store) -> None:
    (one,) = read_archive(json.dumps(VERSION_4)).conversations
    assert store.insert(one)
    assert not store.insert(one)
    assert store.conversation("0a1b") == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[1]",
        "{}",
        '"text"',
        '{"history": [{}]}',
        '{"history": [{"id": "1", "name": 5, "messages": []}]}',
        '{"history": [{"id": "1", "name": "x", "messages": [{"role": "user", "content": 1}]}]}',
        '{"format": "opencoder-lsp conversations", "version": 1}',
        '{"format": "opencoder-lsp conversations", "version": 99}',
        "[" * 100_000,
    ],
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="no file of conversations|newer version"):
        read_archive(text)


def test_half_a_surrogate_pair_can_be_kept(store: Store) -> None:
    data = [{"id": "1", "name": "\ud83d", "messages": [{"role": "user", "content": "x\ude00"}]}]
    (one,) = read_archive(json.dumps(data)).conversations
    assert store.insert(one)
    assert store.conversation("1").entries[0].content == "x?"


def test_turns_are_deleted_and_texts_are_found(store: Store) -> None:
    id = store.add([Entry("user", "100% sure"), Entry("assistant", "yes_")])
    store.add([Entry("user", "other"), Entry("assistant", "thing")], id)
    assert store.search("00%") == store.search("OTHER") == store.search("s_") == [id]
    assert store.search("1%0") == store.search("\\") == []
    answer = store.conversation(id).entries[1].id
    store.forget_turn(id, answer)
    assert [entry.content for entry in store.conversation(id).entries] == ["other", "thing"]
    with pytest.raises(PromptError, match="no such message"):
        store.forget_turn(id, answer)


def test_a_deleted_folder_leaves_what_was_in_it(store: Store) -> None:
    library = Library(store.path)
    folder = Folder("Work")
    library.keep_folder(folder)
    library.keep_folder(Folder("Play", id=folder.id))
    id = store.add([Entry("user", "q")])
    store.configure(id, folder=folder.id)
    prompt = Prompt("P", "text", folder=folder.id)
    library.keep_prompt(prompt)
    assert library.folders() == [Folder("Play", id=folder.id)]
    library.delete_folder(folder.id)
    assert store.summaries()[0].folder == library.prompts()[0].folder == ""
    library.delete_prompt(prompt.id)
    for delete, gone in [(library.delete_folder, folder.id), (library.delete_prompt, prompt.id)]:
        with pytest.raises(PromptError, match="no such"):
            delete(gone)
