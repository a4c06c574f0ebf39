"""
Requests as editors' plugins send them, by their sources.

Continue: core/llm/llms/OpenAI.ts; CodeCompanion: lua/codecompanion/adapters/http/openai.lua and
openai_compatible.lua; aider: aider/coders/base_coder.py and aider/models.py, by way of litellm;
OpenChat's page: pages/api/chat.ts and utils/server/index.ts of openchat-ui.
"""

from typing import Any

import pytest

from tests.api.conftest import Api, parse_events
from tests.fakes.engine import FakeEngine

SYSTEM = {"role": "system", "content": "You are an AI programming assistant."}
USER = {"role": "user", "content": "What does this do?"}

CONTINUE_CHAT = {
    "messages": [SYSTEM, USER, {"role": "assistant", "content": "It adds."}, USER],
    "model": "tiny",
    "max_tokens": 1024,
    "stream": True,
}
# Continue cuts its list of stop strings for OpenAI's own host only.
CONTINUE_COMPLETION = {
    "prompt": "def add(a, b):\n    return",
    "model": "tiny",
    "max_tokens": 1024,
    "temperature": 0.01,
    "stop": [
        *("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>", "</fim_middle>"),
        *("</code>", "\n\n", "\r\n\r\n", "/src/", "#- coding: utf-8", "```", "\ndef", "\nclass"),
    ],
    "stream": True,
}
CODECOMPANION = {
    "model": "tiny",
    "messages": [SYSTEM, {"role": "user", "content": "buffer"}, USER],
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
AIDER = {
    "model": "tiny",
    "messages": [
        SYSTEM,
        {"role": "user", "content": "I am not sharing any files yet."},
        {"role": "assistant", "content": "Ok."},
        USER,
        {"role": "system", "content": "# *SEARCH/REPLACE block* Rules"},
    ],
    "temperature": 0,
    "stream": True,
}
AIDER_GOES_ON = {
    **AIDER,
    "messages": [SYSTEM, USER, {"role": "assistant", "content": "It ad", "prefix": True}],
}
OPENCHATS_PAGE = {
    "model": "tiny",
    "messages": [SYSTEM, USER],
    "max_tokens": 1000,
    "temperature": 0.7,
    "stream": True,
}


@pytest.mark.parametrize(
    "body", [CONTINUE_CHAT, CODECOMPANION, AIDER, AIDER_GOES_ON, OPENCHATS_PAGE]
)
async def test_chats_are_answered(api: Api, fake: FakeEngine, body: dict[str, Any]) -> None:
    fake.answer("It adds two numbers.")
    headers = {"Authorization": "Bearer none", "api-key": "none", "Accept": "*/*"}
    async with api.post("/v1/chat/completions", body, **headers) as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        *chunks, done = parse_events(await response.text())
    assert done == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "It adds two numbers."
    assert all(isinstance(delta.get("content", ""), str) for delta in deltas)


async def test_continues_completions_stop_at_each_of_their_many_strings(
    api: Api, fake: FakeEngine
) -> None:
    for stop in CONTINUE_COMPLETION["stop"]:  # type: ignore[attr-defined]
        fake.answer([" a + b", stop, "more"])
        async with api.post("/v1/completions", CONTINUE_COMPLETION) as response:
            assert response.status == 200
            *chunks, _ = parse_events(await response.text())
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == " a + b"


async def test_models_are_listed_as_plugins_read_them(api: Api) -> None:
    headers = {"content-type": "application/json", "Authorization": "Bearer none"}
    async with api.session.get(f"{api.url}/v1/models", headers=headers) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["tiny"]
