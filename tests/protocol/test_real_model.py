"""The whole way with the real demo model: server, engine process, weights."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.protocol.conftest import StartEditor
from tests.protocol.editor import URI, Editor, capabilities

CODE = '''def fibonacci(n):
    """Return the n-th Fibonacci number."""
    if n < 2:
        return n
    return fib
'''
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 4, "character": 14}}


@pytest.fixture
def environment(demo_environment: dict[str, str], foreign: str | None) -> dict[str, str]:
    """The environment of a server that starts the real engine."""
    if foreign:
        pytest.skip("the demo model belongs to our server")
    return {**demo_environment, "OPENCODER_ENGINE_URL": ""}


@pytest.fixture
async def editor(start: StartEditor, environment: dict[str, str]) -> Editor:
    """An editor to which the model says the same each time."""
    settings = {"chat": {"max_tokens": 48, "temperature": 0}}
    return await start(capabilities(), settings=settings, env=environment)


@pytest.fixture
async def listener(start: StartEditor, environment: dict[str, str]) -> Editor:
    """Another one, to which it tells a story for so long that somebody surely interrupts it."""
    settings = {"chat": {"max_tokens": 300, "temperature": 0}}
    return await start(capabilities(), settings=settings, env=environment)


async def engine_pid(editor: Editor) -> int:
    status = await editor.command("opencoder.status")
    return int(status["engine"]["health"]["pid"])


async def test_real_code_is_completed_explained_and_talked_about(editor: Editor) -> None:
    editor.open(CODE)
    (item,) = await editor.complete(4, 14)
    assert isinstance(item.insert_text, str)
    assert item.insert_text.startswith("onacci(n")
    assert "```" not in item.insert_text
    answer = await editor.command(
        "opencoder.explain", {"uri": URI, "range": WHOLE, "token": "explain"}
    )
    assert "ibonacci" in answer["text"]
    assert editor.streamed("explain") == answer["text"]
    assert len(editor.reports["explain"]) > 5
    more = {"message": "Say it in one sentence.", "conversationId": answer["conversationId"]}
    said = await editor.command("opencoder.chat", more)
    assert said["text"]
    assert said["usage"]["cachedTokens"] >= 0
    assert editor.messages == []


@pytest.mark.fault("F56")
async def test_a_killed_engine_fails_its_request_and_a_new_one_takes_its_place(
    listener: Editor,
) -> None:
    first = await engine_pid(listener)
    request = listener.send_command("opencoder.chat", {"message": "Tell a long story.", "token": 1})
    await listener.until(lambda: listener.streamed(1))
    os.kill(first, signal.SIGKILL)
    with pytest.raises(JsonRpcException) as error:
        await request
    assert error.value.code == -32803
    assert (await listener.command("opencoder.chat", {"message": "Hello"}))["text"]
    second = await engine_pid(listener)
    assert second != first
    assert psutil.pid_exists(listener.pid)


@pytest.mark.fault("F23")
async def test_a_cancelled_answer_frees_the_engine(listener: Editor) -> None:
    request = listener.send_command(
        "opencoder.chat", {"message": "Tell a long story.", "token": 1}, request_id="story"
    )
    await listener.until(lambda: listener.streamed(1))
    listener.cancel_request(types.CancelParams("story"))
    answer = await request
    assert answer["finishReason"] == "stopped"
    assert answer["text"].startswith(listener.streamed(1))
    listener.open("x = ")
    assert isinstance(await listener.ask(0, 4), types.InlineCompletionList | None)


async def test_restarting_ends_the_old_engine_and_starts_another(editor: Editor) -> None:
    first = await engine_pid(editor)
    assert await editor.command("opencoder.restartEngine", {}) == {}
    assert await engine_pid(editor) != first
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(first).status() == psutil.STATUS_ZOMBIE


async def test_each_task_is_done_or_says_why_not(editor: Editor) -> None:
    editor.open(CODE)
    for task in ("fix", "document", "test", "refactor"):
        arguments = {"uri": URI, "range": WHOLE, "token": task}
        result = await editor.command(f"opencoder.{task}", arguments)
        assert result["text"]
        assert editor.streamed(task) == result["text"]
        assert result["finishReason"] in ("stop", "length")
        # What so small a model says is often no edit; then a reason is there, and never both.
        assert (result["edit"] is None) == bool(result["reason"])
