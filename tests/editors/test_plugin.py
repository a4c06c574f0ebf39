"""The Neovim plugin itself: how it starts, what it says, and what it does when the server ends."""

import re
from pathlib import Path

import pytest

from opencoder_lsp.lsp.commands import COMMANDS
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.editors.conftest import ATTACHED, StartWork
from tests.editors.window import PLUGIN, window

pytestmark = pytest.mark.editor

SOURCE = "def mean(values):\n\n\nprint(mean([1, 2]))\n"
PROCESS = "vim.lsp.get_clients({ name = 'opencoder' })[1].rpc"


async def test_nothing_is_loaded_at_start_but_what_setup_needs(nvim: Path, tmp_path: Path) -> None:
    loaded = (
        "local names = {} for name in pairs(package.loaded) do"
        " if vim.startswith(name, 'opencoder') then names[#names + 1] = name end end"
        " table.sort(names) return names"
    )
    async with window(nvim, tmp_path) as person:
        assert await person.lua(loaded) == ["opencoder", "opencoder.config", "opencoder.keys"]
        assert await person.lua("return #vim.lsp.get_clients()") == 0


async def test_what_setup_does_not_know_is_said_and_left_out(nvim: Path, tmp_path: Path) -> None:
    setup = "{ ghost_texts = {}, chat = { position = 'middle' }, keys = { accept = 7 } }"
    async with window(nvim, tmp_path, setup=setup, size=(100, 24)) as person:
        for said in (
            "chat.position must be one of right, left, below, above, tab",
            "ghost_texts is unknown",
            "keys.accept must be a string",
        ):
            await person.holds(f"vim.fn.execute('messages'):find('{said}', 1, true)")
        current = await person.lua("return require('opencoder.config').current")
        assert (current["chat"]["position"], current["keys"]["accept"]) == ("right", "<Tab>")


async def test_settings_of_the_machine_are_arguments_and_the_others_are_told(
    at_work: StartWork, nvim: Path, tmp_path: Path
) -> None:
    setup = """{ settings = {
      engine = { queue = 7 }, privacy = { exclude = { "*.pem", "*.key" } },
      completion = { max_tokens = 9 }, chat = { unknown = 1 },
    } }"""
    async with at_work(nvim, SOURCE, setup=setup) as desk:
        client = "vim.lsp.get_clients({ name = 'opencoder' })[1]"
        arguments = await desk.person.lua(f"return vim.list_slice({client}.config.cmd, 2)")
        given = sorted(one for one in arguments if one != "--set")
        assert given == ["engine.queue=7", 'privacy.exclude=["*.pem","*.key"]']
        told = await desk.person.lua(f"return {client}.settings")
        assert told == {"opencoder": {"completion": {"max_tokens": 9}}}
        await desk.person.lua("vim.cmd.messages()")
        await desk.person.shows("settings.chat.unknown is unknown")
        await desk.person.type("<CR>jSreturn")
        request = await desk.engine.requested()
        forced = Tokenizer.load(tmp_path / "model").encode(request.get("forced_prefix", ""))
        assert request["max_tokens"] == 9 + len(forced)


async def test_a_missing_server_is_said_once_with_what_to_do(nvim: Path, tmp_path: Path) -> None:
    file = tmp_path / "mean.py"
    file.write_text(SOURCE, encoding="utf-8")
    setup = "{ cmd = { 'no-such-opencoder-lsp' } }"
    async with window(nvim, tmp_path, file, setup=setup) as person:
        await person.shows("OpenCoder: no-such-opencoder-lsp is not found")
        await person.type("ix<Esc>:OpenCoder explain<CR>")
        await person.shows("mean.py is not attached; see `:checkhealth opencoder`")
        assert (await person.lines())[0] == "xdef mean(values):"


async def test_a_killed_server_is_said_and_restart_brings_it_back(
    at_work: StartWork, nvim: Path
) -> None:
    before = "vim.g.opencoder_short_life = 1000"  # however slow the machine is
    async with at_work(nvim, SOURCE, before=before) as desk:
        await desk.person.lua(f"{PROCESS}.terminate()")
        await desk.person.shows(":OpenCoder restart")
        await desk.person.holds("#vim.lsp.get_clients({ name = 'opencoder' }) == 0")
        await desk.person.type(":OpenCoder restart<CR>")
        await desk.person.holds(ATTACHED)
        desk.engine.default = " sum(values) / len(values)\n"
        await desk.person.type("jSreturn")
        await desk.person.shows("return sum(values) / len(values)")


async def test_a_server_that_ran_for_a_while_is_started_again_by_itself(
    at_work: StartWork, nvim: Path
) -> None:
    before = "vim.g.opencoder_short_life = 0"
    async with at_work(nvim, SOURCE, before=before) as desk:
        first = await desk.person.lua("return vim.lsp.get_clients({ name = 'opencoder' })[1].id")
        await desk.person.lua(f"{PROCESS}.terminate()")
        await desk.person.shows("is started again")
        await desk.person.holds(
            f"{ATTACHED} and vim.lsp.get_clients({{ name = 'opencoder' }})[1].id ~= {first}"
        )


async def test_restart_replaces_the_server_of_every_file(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        first = await desk.person.lua("return vim.lsp.get_clients({ name = 'opencoder' })[1].id")
        await desk.person.type(":OpenCoder restart<CR>")
        await desk.person.holds(
            f"{ATTACHED} and vim.lsp.get_clients({{ name = 'opencoder' }})[1].id ~= {first}"
        )
        assert "has ended" not in desk.person.screen.text


async def test_status_says_model_engine_and_counts(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        await desk.person.holds("require('opencoder').statusline() == 'OpenCoder'")
        await desk.person.type(":OpenCoder status<CR>")
        await desk.person.shows("OpenCoder: tiny, ready")
        await desk.person.shows("0 suggestions, 0 accepted")


async def test_the_statusline_follows_the_engine(at_work: StartWork, nvim: Path) -> None:
    before = "vim.o.statusline = '[%{v:lua.require\\'opencoder\\'.statusline()}]'"
    async with at_work(nvim, SOURCE, before=before) as desk:
        await desk.person.shows("[OpenCoder]")
        desk.engine.set_health(state="error", cause="the GPU has gone")
        await desk.person.shows("[OpenCoder ✗]")
        desk.engine.set_health(state="loading", progress=0.5, cause=None)
        await desk.person.type(":OpenCoder restart<CR>")
        await desk.person.shows("[OpenCoder …]")
        desk.engine.set_health(state="ready", progress=1.0)
        await desk.person.shows("[OpenCoder]")


async def test_files_of_an_excluded_type_are_left_alone(at_work: StartWork, nvim: Path) -> None:
    setup = "{ exclude_filetypes = { 'text' } }"
    async with at_work(nvim, SOURCE, setup=setup) as desk:
        await desk.person.type(":edit notes.txt<CR>")
        await desk.person.holds("vim.bo.filetype == 'text'")
        await desk.person.type(":OpenCoder explain<CR>")
        await desk.person.shows("notes.txt is not attached")


async def test_the_command_completes_its_words(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE) as desk:
        complete = "return vim.fn.getcompletion(..., 'cmdline')"
        names = await desk.person.lua(complete, "OpenCoder ")
        edits = {"explain", "fix", "document", "test", "refactor"}
        assert edits | {"chat", "status", "toggle", "restart"} <= set(names)
        assert await desk.person.lua(complete, "OpenCoder re") == [
            "refactor",
            "regenerate",
            "rename",
            "restart",
        ]
        assert await desk.person.lua(complete, "OpenCoder toggle o") == ["on", "off"]
        await desk.person.type(":OpenCoder explode<CR>")
        await desk.person.shows("there is no `:OpenCoder explode`")


async def test_checkhealth_shows_what_the_doctor_finds(at_work: StartWork, nvim: Path) -> None:
    async with at_work(nvim, SOURCE, size=(100, 60)) as desk:
        await desk.person.type(":checkhealth opencoder<CR>")
        await desk.person.shows("opencoder-lsp doctor")
        text = "\n".join(await desk.person.lines())
        assert "OK opencoder-lsp" in text or "opencoder-lsp:" in text
        assert "Python: 3." in text
        assert "ghost text is on" in text


async def test_checkhealth_names_the_cure_for_a_missing_server(nvim: Path, tmp_path: Path) -> None:
    async with window(nvim, tmp_path, setup="{ cmd = { 'no-such-opencoder-lsp' } }") as person:
        await person.type(":checkhealth opencoder<CR>")
        await person.shows("opencoder-lsp is not found")
        await person.shows("Put it on your PATH, or give `cmd` to `setup()`.")


async def test_the_help_has_a_tag_for_each_command_and_key(nvim: Path, tmp_path: Path) -> None:
    async with window(nvim, tmp_path) as person:
        await person.lua("vim.cmd.helptags(...)", str(PLUGIN / "doc"))
        tags = (PLUGIN / "doc" / "tags").read_text(encoding="utf-8")
        for name in await person.lua("return require('opencoder.commands').names()"):
            assert f":OpenCoder-{name}\t" in tags
        for name in await person.lua(
            "return vim.tbl_keys(require('opencoder.config').defaults.keys)"
        ):
            assert f"<Plug>(opencoder-{name.replace('_', '-')})\t" in tags
        await person.type(":silent! help opencoder<CR>")  # a parser may not be installed
        await person.holds("vim.fn.expand('%:t') == 'opencoder.txt'")
        (PLUGIN / "doc" / "tags").unlink()


def test_the_plugin_asks_for_no_command_that_the_server_has_not() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in PLUGIN.rglob("*.lua"))
    asked = set(re.findall(r'(?:execute\(\s*\w+,|ask\()\s*"(opencoder\.[\w.]+)",', source))
    assert {"opencoder.explain", "opencoder.chat", "opencoder.conversations"} <= asked
    assert asked <= COMMANDS.keys()
