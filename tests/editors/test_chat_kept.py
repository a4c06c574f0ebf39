"""Conversations in Neovim's chat buffer: given another title, exported, deleted."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import Desk, StartWork

pytestmark = pytest.mark.editor

SOURCE = "print('hello')\n"


@asynccontextmanager
async def _talk(work: AbstractAsyncContextManager[Desk]) -> AsyncIterator[Desk]:
    async with work as desk:
        desk.engine.default = "One, two."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("One, two.")
        await desk.person.holds("vim.bo.modifiable")
        yield desk


async def test_it_gets_another_title(at_work: StartWork, nvim: Path) -> None:
    async with _talk(at_work(nvim, SOURCE)) as desk:
        await desk.person.type("gR")
        await desk.person.shows("Title:")
        await desk.person.type("Numbers<CR>")
        await desk.person.shows('it is called "Numbers" now')
        await desk.person.type(":OpenCoder history<CR>")
        await desk.person.shows("Numbers  (2 messages)")
        await desk.person.type("<Esc>")
        await desk.person.type(":OpenCoder rename More numbers<CR>")
        await desk.person.shows('it is called "More numbers" now')


async def test_it_is_exported_as_markdown_and_as_json(at_work: StartWork, nvim: Path) -> None:
    async with _talk(at_work(nvim, SOURCE)) as desk:
        folder = desk.file.parent
        await desk.person.type("gE")
        await desk.person.shows("Export to: chat.md")
        await desk.person.type("<CR>")
        await desk.person.shows("exported to ")
        assert "One, two." in (folder / "chat.md").read_text(encoding="utf-8")
        await desk.person.type(":OpenCoder export chat.json<CR>")
        await desk.person.holds("vim.fn.filereadable('chat.json') == 1")
        kept: dict[str, Any] = json.loads((folder / "chat.json").read_text(encoding="utf-8"))
        assert [message["content"] for message in kept["messages"]] == ["Count.", "One, two."]


@pytest.mark.parametrize(("key", "is_written"), [("k", False), ("w", True)])
async def test_an_export_writes_over_a_file_only_when_told_so(
    at_work: StartWork, nvim: Path, key: str, is_written: bool
) -> None:
    async with _talk(at_work(nvim, SOURCE)) as desk:
        there = desk.file.parent / "there.md"
        there.write_text("mine", encoding="utf-8")
        await desk.person.type(":OpenCoder export there.md<CR>")
        await desk.person.shows("there.md exists. Write over it?")
        await desk.person.type(key)
        await desk.person.lines()  # which an open question holds back
        text = there.read_text(encoding="utf-8")
        assert "One, two." in text if is_written else text == "mine"


async def test_it_is_deleted_only_when_told_so(at_work: StartWork, nvim: Path) -> None:
    async with _talk(at_work(nvim, SOURCE)) as desk:
        await desk.person.type("gD")
        await desk.person.shows("Delete this conversation for good?")
        await desk.person.type("k")
        assert "One, two." in await desk.person.lines()  # which an open question holds back
        await desk.person.type("gDd")
        await desk.person.shows("the conversation is deleted")
        await desk.person.hides("One, two.")
        await desk.person.type(":OpenCoder history<CR>")
        await desk.person.shows("no conversation is kept for this project")


async def test_what_is_not_kept_yet_is_said(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        await desk.person.type(":OpenCoder chat<CR>gD")
        await desk.person.shows("nothing has been answered yet")


async def test_an_answer_under_way_is_waited_for(at_work: StartWork, nvim: Path) -> None:
    async with _talk(at_work(nvim, SOURCE)) as desk:
        desk.engine.pause_after(1)
        await desk.person.type("iOn.<C-s>")
        await desk.engine.paused()
        await desk.person.type("gD")
        await desk.person.shows("an answer is under way")
        desk.engine.resume()
        await desk.person.holds("vim.bo.modifiable")
