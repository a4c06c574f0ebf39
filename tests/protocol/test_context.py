"""What of other files goes to the engine: read from the ids that it gets."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine import FakeEngine
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import TIMEOUT, Editor

CodeOf = Callable[[dict[str, Any]], str]
UTIL = 'def double(number):\n    """Return twice a number."""\n    return 2 * number\n'
APP = "from util import double\n\nvalue = "


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with a module."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "util.py").write_text(UTIL, encoding="utf-8")
    return folder


@pytest.fixture
async def window(start: StartEditor, work: Path, fake: FakeEngine) -> Editor:
    """An editor with the workspace open."""
    return await start(folder=work.as_uri())


async def gathered(editor: Editor) -> None:
    """Wait until the server has gathered what belongs to the documents."""
    async with asyncio.timeout(TIMEOUT):
        while (await editor.command("opencoder.status"))["gathering"]:
            pass


async def asked(editor: Editor, fake: FakeEngine, code_of: CodeOf, uri: str, line: int) -> str:
    """Request a completion at the end of a line, and return what the engine was asked."""
    await gathered(editor)
    before = len(fake.requests)
    await editor.complete(line, 1000, uri=uri)
    (request,) = fake.requests[before:]
    return code_of(request)


async def test_a_definition_from_an_imported_module_is_in_front_of_the_code(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    uri = (work / "app.py").as_uri()
    window.open(APP, uri=uri)
    code = await asked(window, fake, code_of, uri, 2)
    assert f"`util.py`:\n```python\n{UTIL}```" in code
    assert code.endswith(APP)
    assert str(work.parent) not in code


async def test_without_the_setting_no_other_file_is_in_the_prompt(
    start: StartEditor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    editor = await start(folder=work.as_uri(), settings={"completion": {"context": False}})
    uri = (work / "app.py").as_uri()
    editor.open(APP, uri=uri)
    assert "double(number)" not in await asked(editor, fake, code_of, uri, 2)


@pytest.mark.parametrize("context", [True, False])
async def test_a_file_too_long_for_the_prompt_keeps_its_imports_unless_the_setting_is_off(
    start: StartEditor, work: Path, fake: FakeEngine, code_of: CodeOf, context: bool
) -> None:
    editor = await start(folder=work.as_uri(), settings={"completion": {"context": context}})
    uri = (work / "long.py").as_uri()
    editor.open("from util import double\n\n" + "x = 1\n" * 5_000, uri=uri)
    await editor.complete(5_002, 0, uri=uri)
    code = code_of(fake.requests[-1])
    assert ("```python\nfrom util import double\n\nx = 1\n" in code) is context


async def test_the_editor_s_text_of_a_module_counts(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    window.open("def double(not_saved_yet): ...\n", uri=(work / "util.py").as_uri())
    uri = (work / "app.py").as_uri()
    window.open(APP, uri=uri)
    code = await asked(window, fake, code_of, uri, 2)
    assert "def double(not_saved_yet): ..." in code
    assert "twice a number" not in code


async def test_what_was_typed_in_another_document_comes_along(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    other, uri = (work / "other.py").as_uri(), (work / "app.py").as_uri()
    window.open("", uri=other)
    window.type(2, 0, 0, "def freshly_written(): ...\n", uri=other)
    window.open("x = ", uri=uri)
    assert "def freshly_written(): ..." in await asked(window, fake, code_of, uri, 0)


async def test_what_is_secret_ignored_or_outside_never_leaves(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    (work / ".git").mkdir()
    (work / ".gitignore").write_text("ignored.py\n", encoding="utf-8")
    (work / ".opencoderignore").write_text("private/\n", encoding="utf-8")
    (work / "private").mkdir()
    (work.parent / "outside.py").write_text("canary = 1\n", encoding="utf-8")
    (work / "link.py").symlink_to("../outside.py")
    names = ["ignored", "credentials", "private/part", "link"]
    for name in names[:3]:
        (work / f"{name}.py").write_text("canary = 1\n", encoding="utf-8")
    for name in (*names, "../outside", ".env"):
        ending = "" if name == ".env" else ".py"
        window.open("canary = 1\n", uri=f"{work.as_uri()}/{name}{ending}")
    statements = "".join(f"from {name.replace('/', '.')} import canary as c\n" for name in names)
    uri = (work / "app.py").as_uri()
    window.open(f"from util import double\n{statements}canar", uri=uri)
    code = await asked(window, fake, code_of, uri, 5)
    assert "def double(number)" in code
    assert "canary = 1" not in code


async def test_the_text_on_the_disk_of_the_file_itself_stays_unknown(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    whole = "".join(f"def part_{n}(argument):\n    return argument\n" for n in range(9))
    for name in ("app.py", "copy_of_app.py"):
        (work / name).write_text(whole + "answer = 'canary'\n", encoding="utf-8")
    uri = (work / "app.py").as_uri()
    head = "from app import answer\nfrom copy_of_app import answer\n"
    window.open(f"{head}{whole}answer = ", uri=uri)
    git = "git:" + uri.removeprefix("file:") + "?HEAD"
    window.open(f"{whole}answer = 'canary'\n", uri=git)
    window.open(f"{head}{whole}answer = ", uri=uri)
    assert "canary'" not in await asked(window, fake, code_of, uri, 20)


async def test_a_module_that_vanishes_does_no_harm(
    window: Editor, work: Path, fake: FakeEngine, code_of: CodeOf
) -> None:
    uri = (work / "app.py").as_uri()
    window.open(APP, uri=uri)
    assert "double(number)" in await asked(window, fake, code_of, uri, 2)
    (work / "util.py").unlink()
    window.open(APP, uri=uri, version=2)
    assert "double(number)" not in await asked(window, fake, code_of, uri, 2)
    assert window.messages == []


async def test_typing_changes_nothing_in_front_of_the_code(
    window: Editor, work: Path, fake: FakeEngine
) -> None:
    uri = (work / "app.py").as_uri()
    window.open(APP + "\nlast = 1\n", uri=uri)
    await gathered(window)
    await window.complete(2, 8, uri=uri)
    for version, character in enumerate("(1)+(2)", 2):
        window.type(version, 2, 6 + version, character, uri=uri)
        await window.complete(2, 7 + version, uri=uri)
    first, *others = [request["prompt"] for request in fake.requests]
    assert len(others) >= 3
    assert all(prompt[: len(first)] == first for prompt in others)
