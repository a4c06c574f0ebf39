"""Ghost text of the Neovim plugin, on the screen and under the fingers."""

import pytest

from tests.editors.conftest import Lane, StartWork, own_ghost_text
from tests.editors.window import Window

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n\n\nprint(mean([1, 2]))\n"
LINE = "    return sum(values) / len(values)"


def blocks(lane: Lane) -> str:
    """Return a table for `setup()` with which suggestions are of many lines anywhere."""
    return own_ghost_text(lane.backend, "settings = { completion = { lines = 'multi' } }")


async def write_return(person: Window) -> None:
    """Type the first word of the function's body."""
    await person.type("jSreturn")


async def test_a_suggestion_is_on_the_screen_and_not_in_the_buffer(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        assert (
            await desk.person.lines()
            == SOURCE.replace("\n\n\n", "\n    return\n\n").split("\n")[:-1]
        )
        typed, ghost = desk.person.screen.style_of("    ret"), desk.person.screen.style_of("sum(v")
        assert ghost.foreground != typed.foreground
        assert desk.person.screen.cursor == (1, len("    return"))


async def test_tab_accepts_it_and_the_cursor_is_behind_it(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        await desk.person.type("<Tab>  # typed on")
        await desk.person.shows(LINE + "  # typed on")
        assert (await desk.person.lines())[1] == LINE + "  # typed on"


async def test_a_block_of_lines_is_drawn_below_the_line_and_accepted_whole(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, "\nprint(1)\n", setup=blocks(lane)) as desk:
        desk.engine.default = " in range(3):\n    print(i)\n    print(-i)\n```\n"
        await desk.person.type("Sfor i")
        await desk.person.until(
            lambda screen: (
                screen.lines[:4]
                == ["for i in range(3):", "    print(i)", "    print(-i)", "print(1)"]
            )
        )
        assert await desk.person.lines() == ["for i", "print(1)"]
        await desk.person.type("<Tab>!")
        await desk.person.shows("    print(-i)!")
        block = ["for i in range(3):", "    print(i)", "    print(-i)!", "print(1)"]
        assert await desk.person.lines() == block


async def test_word_by_word_and_the_rest_of_the_line(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        await desk.person.type("<M-Right>")
        await desk.person.holds("vim.api.nvim_get_current_line() == '    return sum'")
        # At once: nobody waits between two of them.
        await desk.person.type("<M-Right><M-Right>")
        await desk.person.holds("vim.api.nvim_get_current_line() == '    return sum(values'")
        await desk.person.shows(LINE)
        await desk.person.type("<M-C-Right>")
        await desk.person.holds(f"vim.api.nvim_get_current_line() == '{LINE}'")


async def test_line_by_line(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, "\nprint(1)\n", setup=blocks(lane)) as desk:
        desk.engine.default = " in range(3):\n    print(i)\n    print(-i)\n```\n"
        await desk.person.type("Sfor i")
        await desk.person.shows("    print(-i)")
        await desk.person.type("<M-C-Right><M-C-Right>")
        await desk.person.holds("vim.api.nvim_get_current_line() == '    print(i)'")
        await desk.person.shows("    print(-i)")
        assert await desk.person.lines() == ["for i in range(3):", "    print(i)", "print(1)"]


async def test_nothing_flickers_while_a_suggestion_is_typed_along(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        desk.person.frames.clear()
        asked = len(desk.engine.requests)
        for key in " sum(val":
            await desk.person.type(key)
        await desk.person.until(lambda screen: screen.cursor == (1, len("    return sum(val")))
        assert desk.person.frames
        assert all(LINE in frame for frame in desk.person.frames)
        assert len(desk.engine.requests) == asked


async def test_what_contradicts_it_takes_it_away(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        desk.engine.default = "one\n"
        await desk.person.type(" N")
        await desk.person.shows("    return None")
        await desk.person.hides("values)\n")
        await desk.person.type("<Tab>")
        await desk.person.holds("vim.api.nvim_get_current_line() == '    return None'")


async def test_in_the_middle_of_a_line_a_closed_bracket_is_not_doubled(
    at_work: StartWork, lane: Lane
) -> None:
    pairs = "vim.keymap.set('i', '(', '()<Left>')"
    setup = own_ghost_text(lane.backend)
    async with at_work(lane.binary, SOURCE, before=pairs, setup=setup) as desk:
        desk.engine.default = "values) / len(values)\n"
        await desk.person.type("jSreturn sum(")
        await desk.person.shows(LINE)
        assert (await desk.person.lines())[1] == "    return sum()"
        await desk.person.type("<Tab>!")
        await desk.person.shows(LINE + "!")
        assert (await desk.person.lines())[1] == LINE + "!"


async def test_undo_takes_back_the_whole_suggestion_and_nothing_else(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, "\nprint(1)\n", setup=blocks(lane)) as desk:
        desk.engine.default = " in range(3):\n    print(i)\n    print(-i)\n```\n"
        await desk.person.type("Sfor i")
        await desk.person.shows("    print(-i)")
        await desk.person.type("<Tab>  # more<Esc>")
        await desk.person.shows("# more")
        await desk.person.type("u")
        await desk.person.hides("# more")
        assert len(await desk.person.lines()) == 4
        await desk.person.type("u")
        await desk.person.hides("print(-i)")
        assert await desk.person.lines() == ["for i", "print(1)"]
        await desk.person.type("<C-r>")
        await desk.person.shows("print(-i)")


async def test_tabs_stand_where_the_tab_stops_are(at_work: StartWork, lane: Lane) -> None:
    source = b"func f() {\n\tx := 1\n}\n"
    setup, before = blocks(lane), "vim.o.tabstop = 8"
    async with at_work(lane.binary, source, "f.go", setup=setup, before=before) as desk:
        desk.engine.default = " x > 0 {\n\t\treturn\n\t}\n```\n"
        await desk.person.type("joif")
        await desk.person.shows("if x > 0 {")
        if not lane.has_builtin:  # which draws tabs as blanks of its own
            await desk.person.shows("        if x > 0 {\n                return\n        }\n}")
        await desk.person.type("<Tab><Esc>")
        await desk.person.holds("#vim.api.nvim_buf_get_lines(0, 0, -1, false) == 6")
        assert (await desk.person.lines())[2:5] == ["\tif x > 0 {", "\t\treturn", "\t}"]


async def test_wide_characters_and_emoji_keep_their_places(at_work: StartWork, lane: Lane) -> None:
    source = "名前 = 'é😀'\n\n"
    async with at_work(lane.binary, source, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = "(名前, '😀漢字')\n"
        await desk.person.type("joprint")
        await desk.person.shows("print(名前, '😀漢字')")
        await desk.person.type("<Tab>  # 終")
        await desk.person.shows("print(名前, '😀漢字')  # 終")
        assert (await desk.person.lines())[-1] == "print(名前, '😀漢字')  # 終"


async def test_a_file_with_crlf_keeps_its_line_ends(at_work: StartWork, lane: Lane) -> None:
    source = b"import os\r\n\r\n\r\n"
    async with at_work(lane.binary, source, setup=blocks(lane)) as desk:
        desk.engine.default = " in range(3):\r\n    print(i)\r\n```\r\n"
        await desk.person.type("jSfor i")
        await desk.person.shows("    print(i)")
        assert "^M" not in desk.person.screen.text
        await desk.person.type("<Tab><Esc>:w<CR>")
        await desk.person.shows("written")
        assert desk.file.read_bytes() == b"import os\r\nfor i in range(3):\r\n    print(i)\r\n\r\n"


async def test_folds_beside_it_stay_closed(at_work: StartWork, lane: Lane) -> None:
    source = "def f():\n    x = 1\n    return x\n\n\ndef g():\n    y = 2\n    return y\n"
    before = "vim.o.foldmethod = 'indent' vim.o.foldlevel = 0"
    async with at_work(lane.binary, source, setup=blocks(lane), before=before) as desk:
        desk.engine.default = "(f())\nprint(g())\n```\n"
        await desk.person.type("/^$<CR>Sprint")
        await desk.person.shows("print(f())\nprint(g())\n")
        folds = [line for line in desk.person.screen.lines if line.startswith("+--")]
        assert len(folds) == 2


async def test_a_superseded_request_is_cancelled_in_the_engine(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.pause_after(3)
        await write_return(desk.person)
        await desk.engine.paused()
        before = desk.engine.cancellations
        desk.engine.default = "one\n"
        await desk.person.type(" N")
        await desk.engine.cancelled(before + 1)
        desk.engine.resume()
        await desk.person.shows("    return None")


async def test_closing_the_buffer_while_it_waits_ends_the_work(
    at_work: StartWork, lane: Lane
) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.pause_after(3)
        await write_return(desk.person)
        await desk.engine.paused()
        await desk.person.type("<Esc>:bwipeout!<CR>")
        await desk.engine.until(lambda: desk.engine.running == 0)
        await desk.person.holds("vim.api.nvim_buf_get_name(0) == ''")
        assert await desk.person.lua("return vim.v.errmsg") == ""


async def test_leaving_insert_mode_takes_it_away(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await write_return(desk.person)
        await desk.person.shows(LINE)
        await desk.person.type("<Esc>")
        await desk.person.hides("sum(values)")
