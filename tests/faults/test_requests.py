"""F44, F45, F53, S8, S14: what a real engine process is asked for and cannot do."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yarl

from opencoder_lsp.client.launcher import Launcher, socket_path
from tests.fakes.checkpoints import CONTEXT, VOCABULARY

URL = "http://engine/v1/completions"


@pytest.fixture
async def http(launcher: Launcher) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that sends the engine whatever it is told to."""
    await launcher.client()
    connector = aiohttp.UnixConnector(path=str(socket_path(launcher.model())))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def told(http: aiohttp.ClientSession, **body: Any) -> tuple[int, dict[str, Any]]:
    """Ask for a completion; return status and answer."""
    text = json.dumps({"temperature": 0, "max_tokens": 4, **body}, ensure_ascii=False)
    async with http.post(URL, data=io.BytesIO(text.encode())) as response:
        return response.status, await response.json()


async def works(http: aiohttp.ClientSession) -> None:
    """Check that the engine takes a request, and is ready for more."""
    status, answer = await told(http, prompt=[300, 301])
    assert status == 200
    assert answer["usage"]["completion_tokens"] >= 1
    async with http.get("http://engine/health") as response:
        assert (await response.json())["state"] == "ready"


@pytest.mark.fault("F44")
async def test_a_prompt_ends_where_the_context_ends(http: aiohttp.ClientSession) -> None:
    for length in (CONTEXT - 2, CONTEXT - 1):
        status, answer = await told(http, prompt=[300] * length, max_tokens=100)
        assert status == 200
        assert answer["usage"]["total_tokens"] <= CONTEXT
        assert answer["choices"][0]["finish_reason"] in ("length", "stop")
    for length in (CONTEXT, CONTEXT + 1, 100 * CONTEXT):
        status, answer = await told(http, prompt=[300] * length)
        assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")
        assert str(length) in answer["error"]["message"]
        assert str(CONTEXT - 1) in answer["error"]["message"]
        await works(http)


@pytest.mark.fault("F45")
async def test_an_odd_prompt_is_answered_or_refused(http: aiohttp.ClientSession) -> None:
    for good in (" ", "\n\n\t", "\x00", "<|endoftext|>", "<|end_of_turn|>" * 3, [0], [0] * 9):
        assert (await told(http, prompt=good))[0] == 200, good
    nothing: list[Any] = ["", []]
    for empty in nothing:
        status, answer = await told(http, prompt=empty)
        assert (status, answer["error"]["param"]) == (400, "prompt")
    for character in ("x", " ", "é", "😀", "\n"):
        status, answer = await told(http, prompt=character * 1_000_000)
        assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")
    await works(http)


@pytest.mark.fault("F53", "S9")
async def test_ids_that_the_model_has_not_are_refused(http: aiohttp.ClientSession) -> None:
    for id in (-1, VOCABULARY, 2**31, 2**63, 10**30):
        for body in ({"prompt": [300, id]}, {"prompt": [300], "stop_token_ids": [id]}):
            status, answer = await told(http, **body)
            assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    await works(http)


@pytest.mark.fault("S14")
async def test_no_request_is_the_end_of_the_engine(http: aiohttp.ClientSession) -> None:
    plain = {"prompt": [300], "max_tokens": 1}
    bodies = [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        json.dumps({**plain, "logit_bias": {"x" * 100_000: 1}}).encode(),
        json.dumps({**plain, "seed": 10**4000}).encode(),
        json.dumps({**plain, "n": 10**6}).encode(),
        json.dumps({**plain, "forced_prefix": "x" * 5_000_000}).encode(),
        json.dumps({**plain, "prompt": ["x"] * 100_000}).encode(),
    ]
    for body in bodies:
        async with http.post(URL, data=io.BytesIO(body)) as response:
            assert response.status == 400, body[:40]
            assert "error" in await response.json()
    # What other servers have had trouble with; nothing of ours reads it.
    for name in ("chat_template", "chat_template_kwargs", "prompt_embeds", "guided_json", "tools"):
        assert (await told(http, **plain, **{name: "{{ 1 }}"}))[0] in (200, 400)
    async with http.post(URL, data=io.BytesIO(b"x" * 9_000_000)) as response:
        assert response.status == 413
    async with http.get("http://engine/health", headers={"x": "y" * 1_000_000}) as response:
        assert response.status >= 400
    await works(http)


# What other servers offer for managing models, and for reading or writing files.
ELSEWHERE = [
    ("POST", "/api/pull"),
    ("POST", "/api/create"),
    ("DELETE", "/api/delete"),
    ("POST", "/api/generate"),
    ("POST", "/v1/load_lora_adapter"),
    ("POST", "/v1/files"),
    ("POST", "/models/load"),
    ("POST", "/slots/0?action=save"),
    ("POST", "/v1/models"),
    ("DELETE", "/v1/models/demo"),
    ("PUT", "/health"),
    ("GET", "/v1/completions"),
    ("GET", "/../../etc/passwd"),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
    ("GET", "/docs"),
]


@pytest.mark.fault("S8")
async def test_nothing_is_managed_over_http(http: aiohttp.ClientSession) -> None:
    for method, path in ELSEWHERE:
        url = yarl.URL("http://engine" + path, encoded=True)
        async with http.request(method, url, json={"model": "file:///etc/passwd"}) as response:
            assert response.status in (404, 405), path
            assert "error" in await response.json()
    for model in ("/etc/passwd", "../other", "http://127.0.0.1:9/model", "hf.co/other/model"):
        status, answer = await told(http, prompt=[300], model=model)
        assert (status, answer["error"]["code"]) == (404, "model_not_found")
    await works(http)
