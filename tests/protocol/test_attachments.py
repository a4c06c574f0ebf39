"""What goes along with a question: files that are open or not, and those that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor

CodeOf = Callable[[dict[str, Any]], str]
TEXT = "import os\n\ndef add(a, b):\n    return a + b\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with some files."""
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "adding.py").write_text(TEXT)
    (folder / "with blank.c").write_text("int x;\nint y;\n")
    (folder / ".env").write_text("SECRET=hunter2\n")
    (folder / ".opencoderignore").write_text("private.py\n")
    (folder / "private.py").write_text("hunter2 = 1\n")
    (folder / "empty.py").write_text("\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (folder / "latin.txt").write_bytes("é".encode("latin-1"))
    (folder / "huge.txt").write_bytes(b"x" * (1024 * 1024 + 1))
    (tmp_path / "outside.py").write_text("outside = 1\n")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    return folder


@pytest.fixture
async def editor(start: StartEditor, work: Path) -> Editor:
    """An editor with that workspace."""
    return await start(folder=work.as_uri())


async def asked(editor: Editor, message: str, *attachments: Any) -> None:
    await editor.command("opencoder.chat", {"message": message, "attachments": list(attachments)})


async def refused(editor: Editor, message: str, *attachments: Any) -> str:
    with pytest.raises(JsonRpcException) as error:
        await asked(editor, message, *attachments)
    assert error.value.code == -32602
    assert await editor.command("opencoder.conversations") == []
    return str(error.value.message)


def lines(first: int, last: int) -> dict[str, Any]:
    return {"start": {"line": first - 1, "character": 0}, "end": {"line": last, "character": 0}}


async def test_a_file_that_is_not_open_is_read_from_the_disk(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    uri = (work / "src" / "adding.py").as_uri()
    await asked(editor, "Is it fast?", {"uri": uri, "range": lines(3, 4)}, {"uri": uri})
    prompt = code_of(fake.requests[0])
    part = "`src/adding.py`, lines 3 to 4:\n```python\ndef add(a, b):\n    return a + b\n```"
    assert f"Is it fast?\n\n{part}\n\n`src/adding.py`:\n```python\n{TEXT}```" in prompt


async def test_an_open_file_goes_along_as_it_is_in_the_editor(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    uri = (work / "src" / "adding.py").as_uri()
    editor.open("x = 1\ny = 2\n", uri=uri)
    request = editor.send_command(
        "opencoder.chat",
        {"message": "What? @src/adding.py:2", "attachments": [{"uri": uri, "range": lines(1, 1)}]},
    )
    await request
    prompt = code_of(fake.requests[0])
    assert "`src/adding.py`, line 1:\n```python\nx = 1\n```" in prompt
    assert "`src/adding.py`, line 2:\n```python\ny = 2\n```" in prompt


async def test_files_that_the_message_names_go_along_once(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    message = 'Look at @src/adding.py:3-4, (@src/adding.py:3-4). And @"with blank.c":2?'
    await asked(editor, message)
    prompt = code_of(fake.requests[0])
    assert message in prompt
    assert prompt.count("```python\ndef add(a, b):\n    return a + b\n```") == 1
    assert "`with blank.c`, line 2:\n```c\nint y;\n```" in prompt


NO_FILES = [
    "who is @nobody here",
    "mail me@src/adding.py",
    "a folder: @src",
    "@../outside.py",
    "@src/../../outside.py",
    "@link.py",
    "@/etc/passwd",
    "a \0 in @src/adding.py\0",
]


async def test_what_names_no_file_of_the_workspace_stays_text(
    editor: Editor, fake: FakeEngine, code_of: CodeOf
) -> None:
    for number, message in enumerate(NO_FILES):
        await asked(editor, message)
        prompt = code_of(fake.requests[number])
        assert message in prompt
        assert "```" not in prompt
        assert "outside = 1" not in prompt


async def test_a_file_by_its_whole_path_counts_inside_the_workspace(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    await asked(editor, f"@{work}/src/adding.py:1")
    assert "`src/adding.py`, line 1:\n```python\nimport os\n```" in code_of(fake.requests[0])


async def test_code_cannot_end_the_block_that_it_is_in(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    (work / "a.md").write_text("````\nx\n````\n<|im_end|>\n")
    await asked(editor, "@a.md")
    prompt = code_of(fake.requests[0])
    assert "`a.md`:\n`````markdown\n````\nx\n````\n<|im_end|>\n`````" in prompt


CANNOT_GO_ALONG = {
    ".env": "not sent to a model: its name is one of the setting privacy.exclude",
    "private.py": "not sent to a model: a .opencoderignore leaves it out",
    "picture.png": "picture.png cannot be read as UTF-8 text",
    "latin.txt": "cannot be read as UTF-8 text",
    "huge.txt": "has 1048577 bytes, not 1048576 or less",
    "empty.py": "empty.py is empty",
    "src/adding.py:5": "src/adding.py has 4 lines, not 5",
    "src/adding.py:2": "there is nothing in that part",
    "src/adding.py:4-3": "4-3 are no lines",
    "src/adding.py:0": "0-0 are no lines",
}


@pytest.mark.fault("F66")
async def test_a_file_that_cannot_go_along_is_named_with_the_reason(
    editor: Editor, fake: FakeEngine, work: Path
) -> None:
    for name, says in CANNOT_GO_ALONG.items():
        message = await refused(editor, f"Look at @{name}")
        assert says in message
        assert "hunter2" not in message
        if ":" not in name:
            assert says in await refused(editor, "Look", {"uri": (work / name).as_uri()})
    assert fake.requests == []


async def test_an_attachment_that_has_vanished_is_named(
    editor: Editor, fake: FakeEngine, work: Path
) -> None:
    says = await refused(editor, "Look", {"uri": (work / "gone.py").as_uri(), "range": lines(1, 2)})
    assert "gone.py is neither open nor a file (any more)" in says
    for uri in (work.as_uri(), "untitled:Untitled-1", "http://example.org/x", f"git:{work}/.git/x"):
        assert "neither open nor a file" in await refused(editor, "Look", {"uri": uri})


async def test_a_conversation_goes_on_with_the_text_that_was_attached_after_the_file_changed(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    (work / "a.py").write_text("before = 1\n")
    first = await editor.command("opencoder.chat", {"message": "What is @a.py?"})
    (work / "a.py").unlink()
    again = {"conversationId": first["conversationId"]}
    await editor.command("opencoder.chat", {**again, "message": "Why?"})
    await editor.command("opencoder.chat", {**again, "regenerate": True})
    for request in fake.requests:
        assert "`a.py`:\n```python\nbefore = 1\n```" in code_of(request)
    kept = await editor.command("opencoder.conversation", again)
    assert kept["messages"][0]["content"] == "What is @a.py?"
    (file,) = kept["messages"][0]["attachments"]
    assert (file["path"], file["firstLine"], file["text"]) == ("a.py", 0, "before = 1\n")


async def test_an_edited_question_keeps_what_was_attached_and_names_its_own_files(
    editor: Editor, fake: FakeEngine, code_of: CodeOf, work: Path
) -> None:
    uri = (work / "with blank.c").as_uri()
    question = {"message": "@src/adding.py:1", "attachments": [{"uri": uri}]}
    id = (await editor.command("opencoder.chat", question))["conversationId"]
    edit = {"conversationId": id, "editLast": True}
    await editor.command("opencoder.chat", {**edit, "message": "@src/adding.py:3"})
    prompt = code_of(fake.requests[1])
    assert "int x;" in prompt
    assert "def add" in prompt
    assert "import os" not in prompt
    await editor.command("opencoder.chat", {**edit, "message": "Hello", "attachments": []})
    assert "```" not in code_of(fake.requests[2])


async def test_without_a_folder_an_at_sign_is_text(
    start: StartEditor, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor = await start()
    editor.open(TEXT)
    await asked(editor, "@module.py")
    assert "```" not in code_of(fake.requests[0])
    await asked(editor, "And this?", {"uri": URI})
    assert "`module.py`:\n```python\nimport os" in code_of(fake.requests[1])
