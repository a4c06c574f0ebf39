"""Chats in Neovim: a Markdown buffer in which one asks and answers come."""

from pathlib import Path

import pytest

from tests.editors.conftest import StartWork

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n    return sum(values) / len(values)\n\n\nprint(mean([1, 2]))\n"
ANSWER = "Use this:\n\n```python\nfrom statistics import mean\n```\n\nIt is in the library."


async def test_a_question_is_answered_below_it_piece_by_piece(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        desk.engine.pause_after(2)
        await desk.person.type(":OpenCoder chat<CR>")
        await desk.person.shows("## You")
        await desk.person.type("iWhat is a mean?<C-s>")
        await desk.person.shows("Use this:")
        assert "library" not in desk.person.screen.text
        desk.engine.resume()
        await desk.person.shows("It is in the library.")
        await desk.person.holds("vim.bo.modifiable")
        expected = ["## You", "", "What is a mean?", "", "## OpenCoder", "", *ANSWER.split("\n")]
        assert await desk.person.lines() == [*expected, "", "## You", "", ""]


async def test_it_goes_on_with_what_was_said(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "It is an average."
        await desk.person.type(":OpenCoder chat What is a mean?<CR>")
        await desk.person.shows("It is an average.")
        await desk.person.holds("vim.bo.modifiable")
        desk.engine.default = "The middle one."
        await desk.person.type("iAnd a median?<Esc><CR>")
        await desk.person.shows("The middle one.")
        asked = [one for one in desk.engine.requests if one.get("priority") == 10]
        assert len(asked[1]["prompt"]) > len(asked[0]["prompt"])


async def test_an_answer_is_stopped_and_continued(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "One two three four five six."
        desk.engine.pause_after(3)
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("One two three")
        await desk.person.type("<C-c>")
        await desk.engine.cancelled()
        await desk.person.shows("▎ stopped; gc goes on")
        desk.engine.resume()
        desk.engine.default = "four and on."
        await desk.person.type("gc")
        await desk.person.shows("One two three four and on.")
        await desk.person.hides("goes on")


async def test_regenerate_puts_another_answer_in_its_place(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "The first answer."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("The first answer.")
        await desk.person.holds("vim.bo.modifiable")
        desk.engine.default = "The second answer."
        await desk.person.type("iA draft.<Esc>gr")
        await desk.person.shows("The second answer.")
        await desk.person.holds("vim.bo.modifiable")
        said = ["## You", "", "Count.", "", "## OpenCoder", "", "The second answer."]
        assert await desk.person.lines() == [*said, "", "## You", "", "A draft."]


async def test_the_last_question_is_written_otherwise(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "The first answer."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("The first answer.")
        await desk.person.holds("vim.bo.modifiable")
        await desk.person.type("ge")
        await desk.person.shows("<C-c> keeps it as it was")
        assert await desk.person.lines() == ["## You", "", "Count."]
        desk.engine.default = "The second answer."
        await desk.person.type("A Loudly.<C-s>")
        await desk.person.shows("The second answer.")
        await desk.person.holds("vim.bo.modifiable")
        said = ["## You", "", "Count. Loudly.", "", "## OpenCoder", "", "The second answer."]
        assert await desk.person.lines() == [*said, "", "## You", "", ""]
        name = await desk.person.lua("return vim.api.nvim_buf_get_name(0)")
        await desk.person.type(":bwipeout!<CR>")
        await desk.person.hides("The second answer.")
        await desk.person.type(f":edit {name}<CR>")
        await desk.person.shows("The second answer.")
        assert await desk.person.lines() == [*said, "", "## You", "", ""]


async def test_a_question_that_was_to_change_stays_as_it_was(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "The first answer."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("The first answer.")
        await desk.person.holds("vim.bo.modifiable")
        before = await desk.person.lines()
        await desk.person.type("ge")
        await desk.person.hides("The first answer.")
        await desk.person.type("<C-c>")
        await desk.person.shows("The first answer.")
        await desk.person.hides("keeps it as it was")
        assert await desk.person.lines() == before


async def test_a_question_that_was_not_answered_can_be_sent_again(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.fail_with(400, "the engine is tired")
        desk.engine.default = "One, two."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("tired")
        assert await desk.person.lines() == ["## You", "", "Count."]
        await desk.person.type("<CR>")
        await desk.person.shows("One, two.")
        await desk.person.hides("tired")


async def test_an_answer_that_could_not_be_had_anew_is_shown_again(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = "One, two."
        await desk.person.type(":OpenCoder chat Count.<CR>")
        await desk.person.shows("One, two.")
        await desk.person.holds("vim.bo.modifiable")
        desk.engine.fail_with(400, "the engine is tired")
        await desk.person.type("iA draft.<Esc>gr")
        await desk.person.shows("tired")
        await desk.person.shows("One, two.")
        await desk.person.shows("A draft.")


async def test_lines_go_along_and_their_block_is_applied_to_them(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        code = "def mean(values):\n    return fsum(values) / len(values)\n"
        desk.engine.default = f"Like this:\n\n```python\n{code}```\n"
        await desk.person.type(":1,2OpenCoder chat<CR>")
        await desk.person.shows("@mean.py:1-2")
        await desk.person.type("iMore exact, please.<C-s>")
        await desk.person.shows("return fsum(values)")
        await desk.person.holds("vim.bo.modifiable")
        await desk.person.type("ga")
        await desk.person.shows("-    return sum(values) / len(values)")
        await desk.person.type("a<C-w>t")
        await desk.person.holds("vim.fn.expand('%:t') == 'mean.py'")
        assert (await desk.person.lines())[:2] == code.splitlines()


async def test_a_block_is_yanked(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":OpenCoder chat How?<CR>")
        await desk.person.shows("It is in the library.")
        await desk.person.holds("vim.bo.modifiable")
        await desk.person.type("gy")
        await desk.person.shows("1 lines yanked")
        assert (
            await desk.person.lua("return vim.fn.getreg('\"')") == "from statistics import mean\n"
        )


async def test_after_a_restart_it_is_found_in_the_history_and_goes_on(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":OpenCoder chat What is a mean?<CR>")
        await desk.person.shows("It is in the library.")
        await desk.person.holds("vim.bo.modifiable")
        name = await desk.person.lua("return vim.api.nvim_buf_get_name(0)")
    assert name.startswith("opencoder://chat/")
    async with at_work(nvim, SOURCE) as desk:
        await desk.person.type(":OpenCoder history<CR>")
        await desk.person.shows("What is a mean?  (2 messages)")
        await desk.person.type("1<CR>")
        await desk.person.shows("It is in the library.")
        desk.engine.default = "The middle one."
        await desk.person.type("iAnd a median?<C-s>")
        await desk.person.shows("The middle one.")
        assert await desk.person.lua("return vim.api.nvim_buf_get_name(0)") == name


async def test_its_name_opens_it_again(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":OpenCoder chat What is a mean?<CR>")
        await desk.person.shows("It is in the library.")
        await desk.person.holds("vim.bo.modifiable")
        name = await desk.person.lua("return vim.api.nvim_buf_get_name(0)")
        await desk.person.type(":bwipeout!<CR>")
        await desk.person.hides("library")
        await desk.person.type(f":edit {name}<CR>")
        await desk.person.shows("It is in the library.")


async def test_the_keys_of_a_chat_are_listed(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        await desk.person.type(":OpenCoder chat<CR>g?")
        await desk.person.shows("gr     regenerate")
        await desk.person.shows("ga     apply code")


async def test_without_any_file_a_chat_starts_a_server_of_its_own(
    at_work: StartWork, nvim: Path
) -> None:
    async with at_work(nvim, SOURCE) as desk:
        desk.engine.default = ANSWER
        await desk.person.type(":OpenCoder restart<CR>:%bwipeout<CR>")
        await desk.person.holds("vim.api.nvim_buf_get_name(0) == ''")
        await desk.person.type(":OpenCoder chat What is a mean?<CR>")
        await desk.person.shows("It is in the library.")
