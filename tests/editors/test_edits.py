"""Edits of the model in Neovim: a diff to look at, accepted in one step to undo, or not."""

from pathlib import Path

import pytest

from tests.editors.conftest import StartWork

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n    return sum(values) / len(value)\n\n\nprint(mean([1, 2]))\n"
FIXED = SOURCE.replace("len(value)", "len(values)")
ANSWER = "A letter was missing:\n\n```python\n" + "".join(FIXED.splitlines(True)[:2]) + "```\n"


async def test_a_fix_is_shown_as_a_diff_and_accepted(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":1,2OpenCoder fix<CR>")
        await desk.person.shows("-    return sum(values) / len(value)")
        await desk.person.shows("+    return sum(values) / len(values)")
        await desk.person.shows("a accept · q discard")
        assert desk.file.read_text() == SOURCE
        await desk.person.type("a")
        await desk.person.hides("a accept")
        assert "\n".join(await desk.person.lines()) + "\n" == FIXED
        await desk.person.type("u")
        await desk.person.shows("before #")
        assert "\n".join(await desk.person.lines()) + "\n" == SOURCE


async def test_a_discarded_one_changes_nothing(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":1,2OpenCoder fix<CR>")
        await desk.person.shows("a accept · q discard")
        await desk.person.type("q")
        await desk.person.hides("a accept")
        assert "\n".join(await desk.person.lines()) + "\n" == SOURCE
        assert await desk.person.lua("return vim.bo.modified") is False


async def test_the_answer_streams_before_it_is_a_diff(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(4)
        await desk.person.type(":1,2OpenCoder fix<CR>")
        await desk.person.shows("A letter was missing:")
        await desk.person.shows("Fix …")
        desk.engine.resume()
        await desk.person.shows("a accept · q discard")


async def test_an_answer_without_code_says_why_there_is_no_edit(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "There is nothing to fix."
        await desk.person.type(":1,2OpenCoder fix<CR>")
        await desk.person.shows("There is nothing to fix.")
        await desk.person.shows("Fix: ")
        await desk.person.shows("q close")
        assert "a accept" not in desk.person.screen.text


async def test_a_file_that_has_changed_meanwhile_is_not_touched(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":1,2OpenCoder fix<CR>")
        await desk.person.shows("a accept · q discard")
        await desk.person.lua(
            "vim.api.nvim_buf_set_lines(vim.fn.bufnr('mean.py'), 0, 0, true, {'#'})"
        )
        await desk.person.type("a")
        await desk.person.shows("the file has changed since; nothing was done")
        assert "\n".join(await desk.person.lines()) + "\n" == "#\n" + SOURCE


async def test_document_adds_a_docstring(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        code = SOURCE.split("\n\n")[0].replace(":\n", ':\n    """Return the mean."""\n', 1)
        desk.engine.default = f"```python\n{code}\n```\n"
        await desk.person.type(":1,2OpenCoder document<CR>")
        await desk.person.shows('+    """Return the mean."""')
        await desk.person.type("<CR>")
        await desk.person.hides("a accept")
        assert (await desk.person.lines())[1] == '    """Return the mean."""'


async def test_refactor_asks_what_is_to_change(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":1,2OpenCoder refactor<CR>")
        await desk.person.shows("Refactor: what is to change?")
        await desk.person.type("use the right name<CR>")
        await desk.person.shows("a accept · q discard")
        await desk.person.type("a")
        await desk.person.hides("a accept")
        assert "\n".join(await desk.person.lines()) + "\n" == FIXED


async def test_tests_become_a_new_file_beside_the_code(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = (
            "```python\nfrom mean import mean\n\n\n"
            "def test_mean():\n    assert mean([1, 2, 3]) == 2\n```\n"
        )
        await desk.person.type(":1,2OpenCoder test<CR>")
        await desk.person.shows("+def test_mean():")
        await desk.person.type("a")
        await desk.person.hides("a accept")
        assert "    assert mean([1, 2, 3]) == 2" in await desk.person.lines()
        name = await desk.person.lua("return vim.fn.expand('%:t')")
        assert name == "test_mean.py"
        assert not desk.file.with_name(name).exists(), "it is the user's to write it"
