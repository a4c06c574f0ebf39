"""`opencoder-lsp engine status`: once, as JSON, and again and again."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opencoder_lsp.cli.engine import show_status
from opencoder_lsp.cli.engine_report import duration, milliseconds, size
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine

METRICS = """
opencoder_engine_requests_total{{outcome="stop"}} 100.0
opencoder_engine_requests_total{{outcome="length"}} 20.0
opencoder_engine_requests_total{{outcome="cancelled"}} 7.0
opencoder_engine_prompt_tokens_total 200.0
opencoder_engine_cached_tokens_total 166.0
opencoder_engine_completion_tokens_total {tokens}
opencoder_engine_drafted_tokens_total 50.0
opencoder_engine_accepted_tokens_total 30.0
# TYPE opencoder_engine_time_to_first_token_seconds histogram
opencoder_engine_time_to_first_token_seconds_bucket{{kind="completion",le="0.02"}} 50.0
opencoder_engine_time_to_first_token_seconds_bucket{{kind="completion",le="0.05"}} 100.0
opencoder_engine_time_to_first_token_seconds_bucket{{kind="completion",le="+Inf"}} 100.0
opencoder_engine_tokens_per_second_bucket{{kind="chat",le="30.0"}} 0.0
opencoder_engine_tokens_per_second_bucket{{kind="chat",le="50.0"}} 20.0
opencoder_engine_tokens_per_second_bucket{{kind="chat",le="+Inf"}} 20.0
"""


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """An engine that has done something."""
    async with FakeEngine(tmp_path / "s", slots=4, kv_bytes=88_000_000) as fake:
        fake.metrics = METRICS.format(tokens=400)
        yield fake


async def status(url: str, *, as_json: bool = False) -> int:
    settings = Settings.load(cli=[f"engine.url={url}"])
    return await asyncio.to_thread(show_status, settings, as_json=as_json)


async def test_everything_is_said_in_lines(
    fake: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await status(fake.url) == 0
    said = {line[:12].strip(): line[13:] for line in capsys.readouterr().out.splitlines()[1:]}
    assert said == {
        "state": "ready",
        "model": "fake in /nowhere/fake",
        "device": "cpu, float32",
        "context": "2048 tokens",
        "slots": "4, with 88 MB for keys and values",
        "requests": "0 running, 0 waiting; 120 answered, 7 cancelled, 0 failed, 0 refused so far",
        "first token": "completion 20 ms, 95 % within 47 ms",
        "speed": "chat 40 tokens/s",
        "cached": "83 % of the prompts' tokens",
        "lookup": "60 % of the guessed tokens were right",
    }


async def test_everything_is_in_the_json(
    fake: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await status(fake.url, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["running"], said["url"], said["message"]) == (True, fake.url, "")
    health = said["health"]
    assert (health["state"], health["slots"], health["kv_bytes"]) == ("ready", 4, 88_000_000)
    activity = said["activity"]
    assert activity["requests"]["cancelled"] == 7
    assert (activity["cached_share"], activity["lookup_acceptance"]) == (0.83, 0.6)
    assert activity["first_token_seconds"]["completion"]["count"] == 100
    assert said["others"] == []


async def test_each_roles_engine_is_shown_and_one_that_is_missing_is_an_error(
    fake: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeEngine(tmp_path / "chats", model="talker") as chats:
        settings = Settings.load(cli=[f"engine.url={fake.url}", f"chat.url={chats.url}"])
        assert await asyncio.to_thread(show_status, settings, as_json=False) == 0
        said = capsys.readouterr().out
        assert f"the completion engine at {fake.url}\n" in said
        assert f"the chat engine at {chats.url}\n" in said
        assert await asyncio.to_thread(show_status, settings, as_json=True) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["health"]["model"], told["chat"]["health"]["model"]) == ("fake", "talker")
    assert await asyncio.to_thread(show_status, settings, as_json=False) == 1
    assert "no chat engine is running: no engine answers at" in capsys.readouterr().out


async def test_an_engine_that_loads_or_has_failed_says_so(
    fake: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.set_health(state="loading", progress=0.456)
    assert await status(fake.url) == 0
    assert "loading, 46 %" in capsys.readouterr().out
    fake.set_health(state="error", cause="model.safetensors is damaged")
    assert await status(fake.url) == 0
    assert "error: model.safetensors is damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metrics", "cached"), [("", ["cached       – of the prompts' tokens"]), ("<html>", [])]
)
async def test_an_engine_that_has_done_nothing_or_does_not_say_is_shown_all_the_same(
    fake: FakeEngine, capsys: pytest.CaptureFixture[str], metrics: str, cached: list[str]
) -> None:
    fake.metrics = metrics
    assert await status(fake.url) == 0
    said = capsys.readouterr().out.splitlines()
    assert "requests     0 running, 0 waiting" in said
    assert [line for line in said if line.startswith("cached")] == cached
    assert ("first token  nothing answered yet" in said) is bool(cached)


def test_watching_is_not_for_scripts() -> None:
    with pytest.raises(SettingsError, match="--watch is for people"):
        show_status(Settings(), as_json=True, watch=True)


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: our end, and the one for a process."""
    ours, theirs = os.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


async def shown(terminal: int, pattern: str) -> None:
    """Read what is drawn until something of this form has come."""
    drawn = ""
    while not re.search(pattern, drawn):
        drawn += (await asyncio.to_thread(os.read, terminal, 65536)).decode("utf-8", "replace")


async def test_watching_shows_each_change_until_ctrl_c(fake: FakeEngine) -> None:
    command = ["-m", "opencoder_lsp", "engine", "status", "--watch", "--set"]
    with terminal() as (ours, theirs):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command, f"engine.url={fake.url}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        )
        os.close(theirs)
        async with asyncio.timeout(60):
            await shown(ours, r"83 %")
            fake.set_health(state="draining")
            await shown(ours, r"state +draining")
            fake.metrics = METRICS.format(tokens=1_000_400)
            await shown(ours, r"chat 40 tokens/s; \d{4,} tokens/s now")
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    assert process.returncode == 0
    assert said == b""


def test_times_and_sizes_are_written_for_people() -> None:
    assert [milliseconds(s) for s in (0.0234, 0.9994, 1.25)] == ["23 ms", "999 ms", "1.2 s"]
    assert [duration(s) for s in (7, 185, 7500)] == ["7 s", "3 min 5 s", "2 h 5 min"]
    assert [size(n) for n in (612_000_000, 31_034_000_000)] == ["612 MB", "31.0 GB"]
