"""Files of the workspace by a part of their names: `opencoder.files`."""

from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor

FILES = [
    "adding.py",
    "src/adding.py",
    "src/add.ts",
    "src/deep/padding.css",
    "addons/index.js",
    "with blank.c",
    "id_rsa",
    "private.py",
    "build/adding.py",
    "noise.log",
    "node_modules/add/index.js",
    ".git/add",
    ".github/add.yml",
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with files that may be sent, and with others."""
    folder = tmp_path / "work"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    (folder / ".gitignore").write_text("build/\n*.log\n")
    (folder / ".opencoderignore").write_text("private.py\n")
    (tmp_path / "add-outside.py").write_text("outside = 1\n")
    (folder / "add-link.py").symlink_to(tmp_path / "add-outside.py")
    (folder / "add-around").symlink_to(folder / "add-around")
    (folder / "add-folder").symlink_to(folder)
    return folder


@pytest.fixture
async def editor(start: StartEditor, work: Path) -> Editor:
    """An editor with that workspace."""
    return await start(folder=work.as_uri())


async def found(editor: Editor, text: str, **more: Any) -> list[str]:
    files = await editor.command("opencoder.files", {"text": text, **more})
    return [file["path"] for file in files]


async def test_names_that_begin_so_come_before_names_that_have_it_and_those_before_folders(
    editor: Editor, work: Path
) -> None:
    begins = ["adding.py", "src/add.ts", "src/adding.py", ".github/add.yml", "addons/index.js"]
    assert await found(editor, "ADD") == [*begins, "src/deep/padding.css"]
    assert await found(editor, "src/add") == ["src/add.ts", "src/adding.py"]
    assert await found(editor, "deep") == ["src/deep/padding.css"]
    assert await found(editor, "add", most=2) == ["adding.py", "src/add.ts"]
    (file,) = await editor.command("opencoder.files", {"text": "blank"})
    assert file == {"uri": (work / "with blank.c").as_uri(), "path": "with blank.c"}


async def test_without_a_name_open_files_come_first(editor: Editor, work: Path) -> None:
    editor.open("y = 2\n", uri=(work / "src" / "deep" / "padding.css").as_uri())
    assert (await found(editor, ""))[0] == "src/deep/padding.css"


async def test_what_may_not_be_sent_is_not_offered(editor: Editor) -> None:
    every = await found(editor, "", most=100)
    assert "with blank.c" in every
    refused = {"id_rsa", "private.py", "build/adding.py", "noise.log", "add-link.py"}
    assert not refused & set(every)
    assert not [name for name in every if name.startswith(("node_modules", ".git/", "add-"))]


async def test_where_no_folder_is_open_there_is_nothing_to_offer(start: StartEditor) -> None:
    assert await found(await start(folder=None), "a") == []
