"""Servers that are no engine, or no good one: each gives a clear error, none a hang."""

from pathlib import Path

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Limits
from opencoder_lsp.errors import EngineError, EngineUnavailableError
from tests.client.strangers import SSE, http, stranger

REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=64)


async def ask(client: EngineClient) -> str:
    async with client.complete(REQUEST) as stream:
        return "".join([piece async for piece in stream])


@pytest.mark.fault("F58")
async def test_an_engine_that_never_answers_is_unavailable(short: Path) -> None:
    limits = Limits(connect=0.5, first=0.0)  # for a connection, which is there, and an answer
    async with stranger(short / "s", b"", stay=True, limits=limits) as client:
        with pytest.raises(EngineUnavailableError, match="does not answer"):
            await ask(client)


HTML = b"<html><body>nginx</body></html>"


@pytest.mark.fault("F58", "S7")
@pytest.mark.parametrize(
    ("said", "message"),
    [
        (http("200 OK", HTML, "text/html"), "not an engine's answer: text/html"),
        (http("200 OK", b'{"ok": true}'), "not an engine's answer: application/json"),
        (http("502 Bad Gateway", HTML, "text/html"), r"answered HTTP 502$"),
        (http("401 Unauthorized"), "answered HTTP 401: access denied"),
        (http("302 Found\r\nLocation: http://evil.example/"), "a redirect, which is not followed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (b"", "stopped before it answered"),
        (SSE + b"data: {not json\n\n", "not part of an answer"),
        (SSE + b'data: {"choices": 7}\n\n', "not part of an answer"),
        (SSE + b"data: " + b"x" * 2_000_000 + b"\n\n", "an event of more than"),
        (SSE + b'data: {"error": "plain words"}\n\n', "^plain words$"),
    ],
)
async def test_what_is_no_engine_gives_a_clear_error(
    short: Path, said: bytes, message: str
) -> None:
    async with stranger(short / "s", said) as client:
        with pytest.raises(EngineError, match=message):
            await ask(client)


@pytest.mark.fault("F58")
@pytest.mark.parametrize("said", [http("200 OK", HTML, "text/html"), http("200 OK", b"[1, 2]")])
async def test_a_stranger_has_no_health(short: Path, said: bytes) -> None:
    async with stranger(short / "s", said) as client:
        with pytest.raises(EngineError, match="is not an engine"):
            await client.health()


@pytest.mark.fault("F58")
async def test_an_answer_without_end_is_not_swallowed(short: Path) -> None:
    async with stranger(short / "s", http("200 OK", b" " * 2_000_000)) as client:
        with pytest.raises(EngineError, match="far too long"):
            await client.health()


async def test_another_makers_server_is_ready_once_it_lists_its_models(short: Path) -> None:
    listing = b'{"data": [{"id": "their-model", "max_model_len": 4096}]}'
    async with stranger(short / "s", http("200 OK", listing)) as client:
        health = await client.health()
    assert (health.state, health.model, health.context_length) == ("ready", "their-model", 4096)
