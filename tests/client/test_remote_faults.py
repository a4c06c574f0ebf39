"""A server elsewhere that does not behave: each way gives a clear error, and the next one works."""

import asyncio
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from opencoder_lsp.client.dialects import dialect_of
from opencoder_lsp.client.engine import EngineClient, Limits
from opencoder_lsp.client.foreign import ForeignClient
from opencoder_lsp.client.http import Http
from opencoder_lsp.client.servers import Kind, Server
from opencoder_lsp.client.vocabulary import speaking
from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
)
from tests.client.fronts import END, KINDS, REQUEST, TOKENIZER, Front, front, model, remote, vllm
from tests.client.strangers import SSE, stranger
from tests.fakes.remote import Remote

__all__ = ["front", "model", "remote", "vllm"]
pytestmark = pytest.mark.fault("F63")


# What it is.


async def test_kind_model_and_context_are_found_once(remote: Remote, front: Front) -> None:
    engine = await front.engine()
    assert isinstance(engine.client, ForeignClient)
    assert (await front.engine()).client is engine.client
    length = {"vLLM": 1024, "llama-server": 1024, "other": 8192}[remote.kind]
    assert engine.context_length == length
    health = front.connection.health
    assert health is not None
    assert (health.model, health.state) == ("their-model", "ready")
    assert front.connection.status.message.startswith(f"tiny is ready at {remote.url} (")
    assert len(front.warnings) == (1 if remote.kind == "other" else 0)


async def test_a_tokenizer_that_cannot_be_compared_is_told(vllm: Remote, front: Front) -> None:
    vllm.detokenizes = False
    await front.engine()
    (warning,) = front.warnings
    assert "cannot be found out whether vLLM 0.32.0 at http://127.0.0.1" in warning


async def test_another_vocabulary_is_refused(vllm: Remote, front: Front) -> None:
    class Shifted:
        """Reads each id as its neighbour."""

        def decode(self, ids: list[int]) -> str:
            return TOKENIZER.decode([id + 1 for id in ids])

    vllm.vocabulary = Shifted()  # type: ignore[assignment]
    with pytest.raises(EngineError, match=r"another vocabulary .* set model\.name"):
        await front.engine()


async def test_an_end_of_another_name_is_another_vocabulary(vllm: Remote, front: Front) -> None:
    vllm.names[END] = "<|endoftext|>"
    with pytest.raises(EngineError, match="another vocabulary"):
        await front.engine()


# Refusals.


def openai_error(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status, headers)


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (openai_error(401, "Unauthorized"), EngineError, "401: Unauthorized; set engine.key_file"),
        (openai_error(400, "too long"), InvalidRequestError, "too long"),
        (openai_error(500, "no luck"), EngineError, "answered HTTP 500: no luck"),
        (HTMLResponse("<h1>nginx</h1>", 502), EngineError, "answered HTTP 502$"),
        (HTMLResponse("<h1>Welcome</h1>"), EngineError, "not an engine's answer: text/html"),
        (JSONResponse({"choices": []}), EngineError, "not an engine's answer: application/json"),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind(
    remote: Remote, front: Front, response: Response, kind: type[EngineError], message: str
) -> None:
    await front.engine()
    remote.fail(response)
    with pytest.raises(kind, match=message):
        await front.ask()
    remote.say("well", "<|im_end|>")
    assert await front.ask() == "well"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_after_the_time_that_it_names(
    remote: Remote, front: Front, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await front.engine()
    rests = list[float]()

    async def rest(http: Http, seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(Http, "rest", rest)
    remote.fail(openai_error(status, "busy", **{"Retry-After": "7"}))
    remote.fail(openai_error(status, "busy"))
    remote.fail(openai_error(status, "busy"))
    remote.say("well", "<|im_end|>")
    assert await front.ask() == "well"
    assert rests == [7, 0.5, 1]  # what it asks for, else twice the time before
    assert len(remote.completions) == 4


@pytest.mark.parametrize(("priority", "wait"), [(0, "3"), (10, "31"), (20, "0"), (10, "a date")])
async def test_who_would_wait_for_too_long_is_told_at_once(
    vllm: Remote, front: Front, priority: int, wait: str
) -> None:
    await front.engine()
    if wait == "a date":
        wait = formatdate(time.time() + 900, usegmt=True)
    vllm.fail(openai_error(429, "busy", **{"Retry-After": wait}))
    with pytest.raises(EngineBusyError, match="busy"):
        await front.ask(replace(REQUEST, priority=priority))
    assert len(vllm.completions) == 1


async def test_waiting_ends_when_the_client_leaves(vllm: Remote, front: Front) -> None:
    await front.engine()
    vllm.fail(openai_error(503, "busy", **{"Retry-After": "20"}))
    asking = asyncio.create_task(front.ask())
    await vllm.until(lambda: len(vllm.completions) == 1)
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()


async def test_waiting_ends_when_the_connection_is_closed(vllm: Remote) -> None:
    client = EngineClient(vllm.url, patient=True)
    vllm.fail(openai_error(503, "busy", **{"Retry-After": "20"}))

    async def ask() -> None:
        async with client.complete(REQUEST):
            pass

    asking = asyncio.create_task(ask())
    await vllm.until(lambda: len(vllm.completions) == 1)
    await client.close("enough")
    with pytest.raises(EngineUnavailableError, match="enough"):
        await asking


# Streams.


async def test_a_server_that_dies_in_mid_stream_is_an_error_and_not_asked_again(
    remote: Remote, front: Front
) -> None:
    await front.engine()
    remote.say("half an answer and more", cut=4)
    with pytest.raises(EngineError, match="stopped in the middle of its answer"):
        await front.ask()
    assert len(remote.completions) == 1


async def test_an_engine_that_is_killed_ends_every_stream(remote: Remote, front: Front) -> None:
    await front.engine()
    remote.pause_after(2)
    asking = []
    for _ in range(2):
        remote.say("a long story", "<|im_end|>")
        asking.append(asyncio.create_task(front.ask()))
    await remote.until(lambda: remote.sent == 4)
    remote.break_connections()
    done = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(one) for one in done] == ["the engine stopped in the middle of its answer"] * 2


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"data: {not json\n\n", "not part of an answer"),
        (b'data: {"choices": 7, "content": 7}\n\n', "not part of an answer"),
        (b"data: " + b"x" * 10_000_000 + b"\n\n", "an event of more than"),
        (b'data: {"error": {"message": "out of luck"}}\n\n', "^out of luck$"),
        (
            b'data: {"choices": [{"text": "", "token_ids": []}], "content": "x"}\n\n',
            "in the middle",
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_stream_of_its_kind_is_an_error(
    short: Path, said: bytes, message: str, kind: Kind
) -> None:
    async with stranger(short / "s", SSE + said) as client:
        completer = ForeignClient(client.http, dialect_of(Server(kind, "m")), TOKENIZER)
        with pytest.raises(EngineError, match=message):
            async with completer.complete(REQUEST) as stream:
                _ = [piece async for piece in stream]


async def test_a_stream_that_stands_still_is_cut(remote: Remote) -> None:
    client = EngineClient(remote.url, limits=Limits(stall=0.1))
    await client.health()
    completer, _ = await speaking(client, TOKENIZER, [END])
    remote.pause_after(2)
    remote.say("a long story")
    with pytest.raises(EngineError, match=r"sent nothing for 0\.1 s"):
        async with completer.complete(REQUEST) as stream:
            _ = [piece async for piece in stream]
    await remote.until(lambda: remote.left == 1)
    await client.close()


def test_a_stream_may_stand_still_for_30_seconds() -> None:
    assert Limits().stall == 30
