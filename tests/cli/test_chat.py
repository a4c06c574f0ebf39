"""`opencoder-lsp chat` on a terminal, and the conversations that it keeps."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from opencoder_lsp.conversations.store import Store
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.cli.terminal import CTRL_C, CTRL_D, CTRL_U, UP, Terminal, terminal
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

OURS = [sys.executable, "-m", "opencoder_lsp"]
Chat = Callable[..., AbstractAsyncContextManager[Terminal]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tokenizer_folder(tmp_path / "model")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run."""
    folder = tmp_path.resolve() / "work"
    folder.mkdir()
    (folder / "a.py").write_text("".join(f"line_{number} = {number}\n" for number in range(1, 9)))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
async def fake(tmp_path: Path, model: Path, work: Path) -> AsyncIterator[FakeEngine]:
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        yield fake


@pytest.fixture
def chat(fake: FakeEngine, model: Path) -> Chat:
    """Start `chat` on a terminal, with the scripted engine."""
    settings = ["--set", f"engine.url={fake.url}", "--set", f"model.name={model}"]
    return lambda *arguments: terminal([*OURS, "chat", *arguments, *settings])


def asked(fake: FakeEngine, model: Path, number: int = -1) -> str:
    return Tokenizer.load(model).decode(fake.requests[number]["prompt"])


def contents(number: int = 0) -> list[str]:
    store = Store()
    conversation = store.conversation(store.summaries()[number].id)
    return [entry.content for entry in conversation.entries]


async def say(one: Terminal, text: str, end: str = "\r") -> None:
    """Type a line at the prompt."""
    await one.until("> ")
    one.type(text + end)


async def ended(one: Terminal, keys: str = CTRL_D, code: int = 0) -> None:
    """Type a last line, and see the program end."""
    await say(one, keys, "")
    assert await one.ended() == code


async def test_a_conversation_is_drawn_as_markdown_kept_and_gone_on_with(
    chat: Chat, fake: FakeEngine, model: Path
) -> None:
    fake.answer("It is **bold**.\n\n- one\n- two\n\nEnd \x1b]0;title\x07.")
    async with chat() as one:
        await one.until("/help")
        await say(one, "Hello")
        await one.until("It is bold.")
        await one.until("• two")
        await one.until("End ]0;title.")
        await one.until("> ", stay=True)
        assert "\x1b]0;title" not in one.raw
        await ended(one)
    async with chat("--continue") as one:
        await one.until("> Hello")
        await one.until("It is bold.")
        await say(one, "And then?")
        await one.until("fake .answer")
        await ended(one, "/quit\r")
    assert asked(fake, model).index("Hello") < asked(fake, model).index("And then?")
    assert contents()[2:] == ["And then?", "fake .answer"]


async def test_ctrl_c_stops_an_answer_and_the_conversation_goes_on(
    chat: Chat, fake: FakeEngine, model: Path
) -> None:
    fake.answer("One, two, three.")
    fake.pause_after(2)
    async with chat() as one:
        await say(one, "Count.")
        await fake.paused()
        await one.until("One, two,")
        one.type(CTRL_C)
        await one.until("(stopped; /continue goes on)")
        await fake.cancelled()
        await one.until("> ", stay=True)
        assert contents() == ["Count.", "One, two, "]
        fake.resume()
        fake.answer("three.")
        await say(one, "/continue")
        await one.until("three.")
        await ended(one)
    assert asked(fake, model).endswith("One, two, ")
    assert contents() == ["Count.", "One, two, three."]


async def test_a_second_ctrl_c_ends_and_so_does_one_at_the_prompt(
    chat: Chat, fake: FakeEngine
) -> None:
    async with chat() as one:
        await ended(one, CTRL_C, code=130)
    fake.pause_after(1)
    async with chat("Count.") as one:
        await fake.paused()
        one.type(CTRL_C)
        await one.until("(stopped;")
        assert await one.ended() == 130
    assert contents() == ["Count.", "fake "]


async def test_commands_change_the_conversation(
    chat: Chat, fake: FakeEngine, model: Path, work: Path
) -> None:
    fake.answer("One, ", finish_reason="length")
    async with chat() as one:
        await say(one, "/help")
        await one.until("/regenerate")
        await say(one, "/regenerate")
        await one.until("nothing was said yet")
        await say(one, "/nonsense")
        await one.until("there is no /nonsense")
        await say(one, "/etc/hosts is what?")
        await one.until("One,")
        await one.until("/continue goes on)")
        await one.until("> ", stay=True)
        assert contents() == ["/etc/hosts is what?", "One, "]
        fake.answer("Another.")
        await say(one, "/regenerate")
        await one.until("Another.")
        fake.answer("Edited.")
        await say(one, "/edit")
        await one.until("> /etc/hosts is what?")
        one.type(CTRL_U + "Something else\r")
        await one.until("Edited.")
        await one.until("> ", stay=True)
        assert contents() == ["Something else", "Edited."]
        await say(one, "/export out.md")
        await one.until("written to out.md")
        await say(one, "/export out.md")
        await one.until("cannot write out.md: File exists")
        await say(one, "/export out.json")
        await one.until("written to out.json")
        await ended(one)
    assert "Something else\n\n## Answer of tiny\n\nEdited.\n" in (work / "out.md").read_text()
    assert json.loads((work / "out.json").read_text())["messages"][1]["content"] == "Edited."


async def test_files_go_along_once_and_again_with_an_edited_question(
    chat: Chat, fake: FakeEngine, model: Path
) -> None:
    async with chat("--file", "a.py:2-3") as one:
        await say(one, "What?")
        await one.until("fake .answer")
        assert "`a.py`, lines 2 to 3:\n```python\nline_2 = 2\nline_3 = 3\n```" in asked(fake, model)
        await say(one, "/edit Which?")
        await one.until("fake .answer")
        assert asked(fake, model).count("line_2") == 1
        await say(one, "/file gone.py")
        await one.until("goes along with your next question")
        await say(one, "And this?")
        await one.until("gone.py is neither open nor a file")
        await say(one, UP)
        await one.until("fake .answer")
        await say(one, "See @a.py:8.")
        await one.until("fake .answer")
        await ended(one)
    assert "`a.py`, line 8:\n```python\nline_8 = 8\n```" in asked(fake, model)
    assert contents()[::2] == ["Which?", "And this?", "See @a.py:8."]


async def test_conversations_are_listed_opened_and_begun_anew(
    chat: Chat, fake: FakeEngine, model: Path
) -> None:
    async with chat("First question") as one:
        await one.until("fake .answer")
        assert await one.ended() == 0
    (first,) = Store().summaries()
    async with chat() as one:
        await say(one, "/list")
        await one.until(first.id[:8])
        await one.until("First question")
        await say(one, f"/open {first.id[:8]}")
        await one.until("> First question")
        await say(one, "/new")
        await one.until("a new conversation begins")
        await say(one, "Second question")
        await one.until("fake .answer")
        await ended(one)
    assert "First question" not in asked(fake, model)
    assert [summary.title for summary in Store().summaries()] == [
        "Second question",
        "First question",
    ]
    async with chat("--conversation", first.id[:6], "Third question") as one:
        await one.until("fake .answer")
        assert await one.ended() == 0
    assert contents()[::2] == ["First question", "Third question"]


async def test_what_does_not_fit_any_more_is_said(chat: Chat, fake: FakeEngine) -> None:
    fake.set_health(context_length=256)
    async with chat("--set", "chat.max_tokens=32") as one:
        for number in range(3):
            await say(one, f"{number} " * 60)
            await one.until("fake .answer")
            if number:
                await one.until("oldest messages did not fit and were left out")
        await ended(one)


def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([*OURS, *arguments], capture_output=True, text=True, env=os.environ)
    assert done.returncode == code, done.stdout + done.stderr
    return done


async def test_piped_output_is_the_answer_as_it_is(
    fake: FakeEngine, model: Path, work: Path
) -> None:
    fake.answer("It is **bold**.")
    settings = ["--set", f"engine.url={fake.url}", "--set", f"model.name={model}"]
    process = await asyncio.create_subprocess_exec(
        *(*OURS, "chat", "--file", "a.py:2", "-", *settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(b"What?")
    assert output == b"It is **bold**.\n"
    assert "line_2" in asked(fake, model)


async def test_conversations_can_be_listed_shown_renamed_exported_and_deleted(
    fake: FakeEngine, model: Path, chat: Chat, work: Path
) -> None:
    async with chat("What is it?") as one:
        await one.until("fake .answer")
        assert await one.ended() == 0
    (listed,) = json.loads(run("conversations", "list", "--json").stdout)
    assert listed["title"] == "What is it?"
    assert listed["workspace"] == str(work)
    id = listed["id"][:8]
    run("conversations", "rename", id, "A title")
    assert f"{id}" in run("conversations", "list").stdout
    assert "A title" in run("conversations", "list", "--all").stdout
    text = run("conversations", "show", id).stdout
    assert text.startswith("# A title\n")
    assert text == run("conversations", "export", id).stdout
    data = json.loads(run("conversations", "show", id, "--json").stdout)
    assert data == json.loads(run("conversations", "export", id, "--format", "json").stdout)
    run("conversations", "export", id, "--output", "out.md")
    assert (work / "out.md").read_text() == text
    assert "no such conversation" in run("conversations", "delete", id, "nope", code=1).stderr
    run("conversations", "delete", id)
    assert run("conversations", "list", "--json").stdout == "[]\n"
    assert "none in this folder" in run("conversations", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--continue"], 1, "this folder has no conversation yet"),
        (["--conversation", "abcdef"], 1, "no such conversation"),
        (["--file", "a.py:3-2", "x"], 2, "FILE:FIRST-LAST, counted from 1"),
        (["--file", "a.py:0", "x"], 2, "FILE:FIRST-LAST, counted from 1"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_started(
    work: Path, arguments: list[str], code: int, says: str
) -> None:
    assert says in run("chat", *arguments, code=code).stderr


async def test_the_demo_model_answers_on_a_terminal(
    work: Path, demo_environment: dict[str, str]
) -> None:
    limit = ["--set", "chat.temperature=0", "--set", "chat.max_tokens=24"]
    async with terminal([*OURS, "chat", *limit], demo_environment) as one:
        await say(one, "What is the capital of France?")
        await one.until("Paris")
        await ended(one)
    assert contents()[0] == "What is the capital of France?"
