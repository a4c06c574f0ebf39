"""Explanations in Neovim: they grow before one's eyes, in a window or as lines under the code."""

from pathlib import Path

import pytest

from tests.editors.conftest import StartWork

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n    return sum(values) / len(values)\n\n\nprint(mean([1, 2]))\n"
ANSWER = "It adds the values up and divides the sum by their number."


async def test_it_streams_into_a_window_under_the_code(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(5)
        await desk.person.type(":1,2OpenCoder explain<CR>")
        await desk.person.shows("Explain …")
        await desk.person.shows("It adds the values up")
        assert "divides" not in desk.person.screen.text
        desk.engine.resume()
        await desk.person.shows(ANSWER)
        await desk.person.hides("Explain …")
        code = [line for line in desk.person.screen.lines if "return sum" in line]
        assert code, "the window must not hide the code"
        await desk.person.type("q")
        await desk.person.hides(ANSWER)
        assert "\n".join(await desk.person.lines()) + "\n" == SOURCE


async def test_the_range_is_what_was_selected(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, "né = 'é😀' + 'x'\nprint(né)\n") as desk:
        await desk.person.type("f'vf+<Esc>")
        await desk.person.holds("vim.api.nvim_get_mode().mode == 'n'")
        of = (
            "return require('opencoder.range').of({ range = 2, line1 = 1, line2 = ... },"
            " { offset_encoding = 'utf-16' }).range"
        )
        selected = await desk.person.lua(of, 1)
        assert selected["start"] == {"line": 0, "character": 5}
        assert selected["end"] == {"line": 0, "character": 12}
        lines = await desk.person.lua(of, 2)
        assert lines["start"] == {"line": 0, "character": 0}
        assert lines["end"] == {"line": 1, "character": 9}


async def test_visual_mode_explains_what_is_selected(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type("Vj:OpenCoder explain<CR>")
        await desk.person.shows(ANSWER)


async def test_it_can_be_stopped_and_what_was_said_stays(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(5)
        await desk.person.type(":1,2OpenCoder explain<CR>")
        await desk.person.shows("It adds the values up")
        await desk.person.type("<C-c>")
        await desk.engine.cancelled()
        await desk.person.shows("Explain: stopped")
        assert "It adds the values up" in desk.person.screen.text


async def test_closing_the_window_ends_the_work(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(5)
        await desk.person.type(":1,2OpenCoder explain<CR>")
        await desk.person.shows("It adds the values up")
        await desk.person.type("q")
        await desk.engine.cancelled()


async def test_the_window_becomes_a_split(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(5)
        await desk.person.type(":1,2OpenCoder explain<CR>")
        await desk.person.shows("It adds the values up")
        await desk.person.type("s")
        await desk.person.holds("vim.api.nvim_win_get_config(0).relative == ''")
        desk.engine.resume()
        await desk.person.shows(ANSWER)
        assert await desk.person.lua("return #vim.api.nvim_tabpage_list_wins(0)") == 2


async def test_inline_it_streams_as_lines_that_are_not_in_the_file(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE, setup="{ explain = { view = 'inline' } }") as desk:
        desk.engine.default = ANSWER + " " + "It fails for an empty list. " * 4
        desk.engine.pause_after(5)
        await desk.person.type(":1,2OpenCoder explain<CR>")
        await desk.person.until(
            lambda screen: (
                screen.lines[1:3]
                == ["    return sum(values) / len(values)", "▎ It adds the values up"]
            )
        )
        desk.engine.resume()
        await desk.person.shows("▎ for an empty list.")
        assert all(len(line) <= 80 for line in desk.person.screen.lines)
        assert "\n".join(await desk.person.lines()) + "\n" == SOURCE
        await desk.person.type(":OpenCoder explain<CR>")
        await desk.person.hides("▎")


async def test_what_cannot_be_explained_is_said(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, "\n\n\n") as desk:
        await desk.person.type(":OpenCoder explain<CR>")
        await desk.person.shows("Explain: nothing is selected there")
