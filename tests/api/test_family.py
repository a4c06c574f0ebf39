"""The whole way with models of the family: pulled, `serve`, an engine that it starts."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from opencoder_lsp.client.launcher import running_engines, stop_engine
from opencoder_lsp.models import store
from tests.api.process import ServeProcess
from tests.fakes.family import make_openchat, make_starcoder

ANSWER = "Paris is it."
INT8 = {"OPENCODER_ENGINE_QUANTIZATION": "int8"}


@pytest.fixture(autouse=True)
def _no_engine_stays() -> Iterator[None]:
    yield
    for engine in running_engines().values():
        stop_engine(engine)


def pulled(folder: Path) -> dict[str, str]:
    """Pull a repository; returns the environment of a process that runs it."""
    model = store.pull(str(folder), progress=lambda *_: None)
    ours = {"OPENCODER_MODEL_NAME": model.name, "OPENCODER_ENGINE_LINGER": "0"}
    return {**os.environ, **ours, "OPENCODER_ENGINE_DEVICE": "cpu"}


async def post(process: ServeProcess, path: str, **body: Any) -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    body = {"model": "opencoder", "temperature": 0, **body}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{process.url}/{path}", json=body) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if not body.get("stream") else text


async def run(environment: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Run a command; returns its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opencoder_lsp", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


async def test_openchat_answers_in_int8_as_its_template_has_it(tmp_path: Path) -> None:
    pieces = make_openchat(tmp_path / "tiny-openchat", 2048, ANSWER)
    environment = pulled(tmp_path / "tiny-openchat")
    async with ServeProcess({**environment, **INT8}) as process:
        question = [{"role": "user", "content": "Where?"}]
        status, answer = await post(process, "chat/completions", messages=question)
        assert status == 200, answer
        (choice,) = answer["choices"]
        assert choice["message"]["content"] == ANSWER  # and no blank in front
        assert choice["finish_reason"] == "stop"
        segments = ["Human: ", "Where?", "Assistant: "]
        sent = 1 + sum(len(pieces.encode(one)) for one in segments) + 1  # bos, and end of turn
        assert answer["usage"]["prompt_tokens"] == sent
        assert answer["usage"]["completion_tokens"] == len(pieces.encode(ANSWER))
        status, events = await post(process, "chat/completions", messages=question, stream=True)
        deltas = [json.loads(e[6:]) for e in events.split("\n\n") if e.startswith("data: {")]
        said = [c["delta"].get("content") or "" for one in deltas for c in one["choices"]]
        assert "".join(said) == ANSWER
        # Editors have the same: the language server shares the engine that runs.
        code, out, error = await run({**environment, **INT8}, "chat", "Where?")
        assert (code, out.strip()) == (0, ANSWER), error


async def test_a_base_model_fills_gaps_and_says_that_it_does_not_chat(tmp_path: Path) -> None:
    make_starcoder(tmp_path / "tiny-starcoder", {"(": "123", "=": "xyz"})
    environment = pulled(tmp_path / "tiny-starcoder")
    async with ServeProcess(environment) as process:
        status, answer = await post(process, "completions", prompt="f(", suffix=")\n")
        assert status == 200, answer
        assert [one["text"] for one in answer["choices"]] == ["123"]
        assert answer["choices"][0]["finish_reason"] == "stop"
        hello = [{"role": "user", "content": "Hello?"}]
        status, refusal = await post(process, "chat/completions", messages=hello)
        assert status == 400
        assert "completes code and does not chat" in refusal["error"]["message"]
        (tmp_path / "a.py").write_text("f(\n")
        place = str(tmp_path / "a.py:1:3")
        assert await run(environment, "complete", place) == (0, "123\n", "")
        code, _, error = await run(environment, "chat", "Hello?")
        assert code == 1
        assert "completes code and does not chat" in " ".join(error.split())
