"""The keys of ghost text, and what else shares the screen with it."""

import sys
from pathlib import Path

import pytest

from tests.editors.conftest import Lane, StartWork, own_ghost_text

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n\n\nprint(mean([1, 2]))\n"
LINE = "    return sum(values) / len(values)"


async def test_tab_is_a_tab_where_nothing_is_suggested(at_work: StartWork, lane: Lane) -> None:
    before = "vim.o.expandtab = true vim.o.shiftwidth = 4 vim.o.softtabstop = 4"
    setup = own_ghost_text(lane.backend)
    async with at_work(lane.binary, SOURCE, setup=setup, before=before) as desk:
        desk.engine.hold()
        await desk.person.type("jS<Tab>pass")
        await desk.person.shows("pass")
        assert (await desk.person.lines())[1] == 8 * " " + "pass"


async def test_a_key_that_was_mapped_before_still_does_what_it_did(
    at_work: StartWork, lane: Lane
) -> None:
    before = "vim.keymap.set('i', '<Tab>', function() return 'X' end, { expr = true })"
    setup = own_ghost_text(lane.backend)
    async with at_work(lane.binary, SOURCE, setup=setup, before=before) as desk:
        desk.engine.default = "eturn sum(values) / len(values)\n"
        await desk.person.type("jSr")
        await desk.person.shows("return sum(values)")
        await desk.person.type("<Tab>")
        await desk.person.holds("#vim.api.nvim_get_current_line() > 20")
        desk.engine.hold()
        await desk.person.type("<CR><Tab>")
        await desk.person.holds("vim.endswith(vim.api.nvim_get_current_line(), 'X')")


async def test_dismissing_takes_it_away_until_the_next_key(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await desk.person.type("jSreturn")
        await desk.person.shows(LINE)
        await desk.person.type("<C-]>")
        await desk.person.hides("sum(values)")
        await desk.person.type(" ")
        await desk.person.shows(LINE)


async def test_the_next_one_asks_for_several_and_goes_round(at_work: StartWork, lane: Lane) -> None:
    # Further choices may take as long as a busy machine does.
    server = Path(__file__).parents[1] / "fakes" / "patient_server.py"
    setup = own_ghost_text(lane.backend, f"cmd = {{ '{sys.executable}', '{server}' }}")
    async with at_work(lane.binary, SOURCE, setup=setup) as desk:
        desk.engine.default = " sum(values)\n"
        await desk.person.type("jSreturn")
        await desk.person.shows("    return sum(values)")
        desk.engine.answer(" max(values)\n", others=[" min(values)\n"])
        await desk.person.type("<M-]>")
        await desk.person.shows("(2/3)")
        second = desk.person.screen.lines[1]
        assert second != "    return sum(values) (2/3)"
        await desk.person.type("<M-[>")
        await desk.person.shows("    return sum(values) (1/3)")
        await desk.person.type("<M-[>")
        await desk.person.shows("(3/3)")
        await desk.person.type("<M-]><M-]>")
        await desk.person.until(lambda screen: screen.lines[1] == second)
        await desk.person.type("<Tab>")
        accepted = second.removesuffix(" (2/3)")
        await desk.person.holds(f"vim.api.nvim_get_current_line() == '{accepted}'")


async def test_the_user_may_ask_where_nothing_came(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = ""
        await desk.person.type("jSreturn")
        await desk.engine.until(lambda: desk.engine.finished >= 1)
        # Until it is heard of, another request would get the same nothing.
        await desk.person.holds(
            "next(vim.lsp.get_clients({ name = 'opencoder' })[1].requests) == nil"
        )
        desk.engine.default = " sum(values)\n"
        await desk.person.type("<M-Bslash>")
        await desk.person.shows("    return sum(values)")


async def test_beside_the_popup_menu_it_is_shown_and_the_keys_are_the_menus(
    at_work: StartWork, lane: Lane
) -> None:
    setup = own_ghost_text(lane.backend)
    before = "vim.o.completeopt = 'menu,menuone,noinsert'"
    async with at_work(lane.binary, "valley\nvalues\n\n", setup=setup, before=before) as desk:
        desk.engine.default = "ues * 2\n"
        await desk.person.type("GSval<C-n>")
        await desk.person.holds("vim.fn.pumvisible() == 1")
        await desk.person.shows("values * 2")
        # An item is selected: the key is not for the suggestion.
        await desk.person.type("<C-y>")
        await desk.person.holds("vim.fn.pumvisible() == 0")
        assert (await desk.person.lines())[-1] in ("valley", "values")


async def test_with_a_menu_in_which_nothing_is_selected_tab_accepts(
    at_work: StartWork, lane: Lane
) -> None:
    setup = own_ghost_text(lane.backend)
    before = "vim.o.completeopt = 'menu,menuone,noselect'"
    async with at_work(lane.binary, "valley\nvalues\n\n", setup=setup, before=before) as desk:
        desk.engine.default = "ues * 2\n"
        await desk.person.type("GSval<C-n>")
        await desk.person.holds("vim.fn.pumvisible() == 1")
        await desk.person.shows("values * 2")
        await desk.person.type("<Tab>!")
        await desk.person.holds("vim.api.nvim_get_current_line() == 'values * 2!'")


async def test_toggle_turns_it_off_and_on(at_work: StartWork, lane: Lane) -> None:
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        await desk.person.type(":OpenCoder toggle<CR>")
        await desk.person.shows("ghost text is off")
        assert await desk.person.lua("return require('opencoder').statusline()") == "OpenCoder off"
        await desk.person.type("jSreturn<Esc>:OpenCoder toggle on<CR>")
        await desk.person.shows("ghost text is on")
        assert desk.engine.requests == []
        desk.engine.default = " sum(values) / len(values)\n"
        await desk.person.type("A")
        await desk.person.shows(LINE)


async def test_the_server_is_told_what_was_accepted(at_work: StartWork, lane: Lane) -> None:
    told = (
        "vim.lsp.get_clients({ name = 'opencoder' })[1]:request_sync('workspace/executeCommand',"
        " { command = 'opencoder.stats', arguments = { vim.empty_dict() } }, 50000).result"
    )
    async with at_work(lane.binary, SOURCE, setup=own_ghost_text(lane.backend)) as desk:
        desk.engine.default = " sum(values) / len(values)\n"
        await desk.person.type("jSreturn")
        await desk.person.shows(LINE)
        await desk.person.type("<M-Right>")
        await desk.person.holds("vim.api.nvim_get_current_line() == '    return sum'")
        await desk.person.holds(f"{told}.charactersSaved == 4")
        await desk.person.shows(LINE)
        await desk.person.type("<Tab>")
        await desk.person.holds(f"vim.api.nvim_get_current_line() == '{LINE}'")
        await desk.person.holds(f"{told}.charactersSaved == #' sum(values) / len(values)'")
        assert await desk.person.lua(f"return {told}.accepted") == 1
