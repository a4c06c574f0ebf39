"""A server elsewhere that does not behave: each way gives a clear error, and the next one works."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from opencoder_lsp.client.connection import Connection, Engine
from opencoder_lsp.client.engine import CompletionRequest, EngineClient, Limits
from opencoder_lsp.client.foreign import ForeignClient
from opencoder_lsp.client.servers import Kind
from opencoder_lsp.errors import (
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InvalidRequestError,
    OpencoderError,
)
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.client.strangers import SSE, stranger
from tests.fakes.model_folder import make_tokenizer, make_tokenizer_folder
from tests.fakes.remote import Remote

pytestmark = pytest.mark.fault("F63")
TOKENIZER = Tokenizer(make_tokenizer())
END = TOKENIZER.control_id("<|im_end|>")
KINDS: tuple[Kind, ...] = ("vLLM", "llama-server", "other")
REQUEST = CompletionRequest(prompt=[9, 10], max_tokens=64, stop_token_ids=[END], priority=10)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tokenizer without weights."""
    return make_tokenizer_folder(tmp_path / "tiny")


class Front:
    """A connection to one server, as an editor's or the API's."""

    def __init__(self, model: Path, url: str, *pairs: str) -> None:
        self.warnings: list[str] = []
        settings = Settings.load(cli=[f"model.name={model}", f"engine.url={url}", *pairs])
        self.connection = Connection(settings, lambda status: None, self.warnings.append)

    async def engine(self) -> Engine:
        return await self.connection.engine()

    async def ask(self, request: CompletionRequest = REQUEST) -> str:
        engine = await self.engine()
        async with engine.client.complete(request) as stream:
            return "".join([piece async for piece in stream])


@pytest.fixture(params=KINDS)
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    """A server of each kind."""
    async with Remote(request.param, TOKENIZER, end=END) as remote:
        yield remote


@pytest.fixture
async def vllm() -> AsyncIterator[Remote]:
    """One of them, where the kind makes no difference."""
    async with Remote("vLLM", TOKENIZER, end=END) as remote:
        yield remote


@pytest.fixture
async def front(model: Path, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    """A front of the server that the test asks for."""
    name = "remote" if "remote" in request.fixturenames else "vllm"
    front = Front(model, request.getfixturevalue(name).url)
    yield front
    await front.connection.close()


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
    assert len(front.warnings) == (1 if remote.kind == "other" else 0)


async def test_a_tokenizer_that_cannot_be_compared_is_told(vllm: Remote, front: Front) -> None:
    vllm.detokenizes = False
    await front.engine()
    (warning,) = front.warnings
    assert "cannot be found out whether vLLM 0.32.0 at http://127.0.0.1" in warning


async def test_another_vocabulary_is_refused(vllm: Remote, front: Front) -> None:
    other = make_tokenizer()
    other.add_tokens(["def area"])

    class Shifted:
        """Reads each id as its neighbour."""

        def decode(self, ids: list[int]) -> str:
            return TOKENIZER.decode([id + 1 for id in ids])

    vllm.vocabulary = Shifted()  # type: ignore[assignment]
    with pytest.raises(EngineError, match=r"another vocabulary .* set model\.name"):
        await front.engine()


# Refusals.


def openai_error(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status, headers)


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (openai_error(401, "Unauthorized"), EngineError, "401: Unauthorized; engine.key_file"),
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
    remote.fail(openai_error(status, "busy", **{"Retry-After": "0.3"}))
    remote.fail(openai_error(status, "busy"))
    remote.say("well", "<|im_end|>")
    began = time.monotonic()
    assert await front.ask() == "well"
    assert time.monotonic() - began >= 0.3
    assert len(remote.completions) == 3


@pytest.mark.parametrize(
    ("priority", "wait"),
    [(0, "3"), (10, "31"), (20, "0"), (10, formatdate(time.time() + 900, usegmt=True))],
)
async def test_who_would_wait_for_too_long_is_told_at_once(
    vllm: Remote, front: Front, priority: int, wait: str
) -> None:
    await front.engine()
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
    from opencoder_lsp.client.dialects import dialect_of
    from opencoder_lsp.client.servers import Server

    async with stranger(short / "s", SSE + said) as client:
        completer = ForeignClient(client.http, dialect_of(Server(kind, "m")), TOKENIZER)
        with pytest.raises(EngineError, match=message):
            async with completer.complete(REQUEST) as stream:
                _ = [piece async for piece in stream]


async def test_a_stream_that_stands_still_is_cut(remote: Remote) -> None:
    from opencoder_lsp.client.vocabulary import speaking

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


# The way there.


@pytest.mark.fault("S7")
async def test_no_redirect_is_followed_and_no_key_goes_elsewhere(
    vllm: Remote, model: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret-key\n")
    keys.chmod(0o600)
    vllm.key = "secret-key"
    front = Front(model, vllm.url, f"engine.key_file={keys}")
    async with Remote("vLLM", TOKENIZER) as evil:
        await front.engine()
        vllm.fail(RedirectResponse(f"{evil.url}/v1/completions", 307))
        with pytest.raises(EngineError, match="a redirect, which is not followed") as error:
            await front.ask()
        assert evil.authorizations == []
    assert "secret-key" not in str(error.value)
    assert set(vllm.authorizations) == {"Bearer secret-key"}
    await front.connection.close()


async def test_a_wrong_key_is_named_with_the_setting(vllm: Remote, front: Front) -> None:
    vllm.key = "another"
    with pytest.raises(EngineError, match=r"HTTP 401: Unauthorized; engine\.key_file names"):
        await front.engine()


async def test_a_file_of_keys_that_others_can_read_keeps_us_from_connecting(
    vllm: Remote, model: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret-key\n")
    keys.chmod(0o644)
    front = Front(model, vllm.url, f"engine.key_file={keys}")
    with pytest.raises(OpencoderError, match="chmod 600"):
        await front.engine()
    assert front.connection.status.kind == "error"
    assert vllm.authorizations == []
    await front.connection.close()


async def test_a_name_that_is_none_is_unavailable(model: Path) -> None:
    front = Front(model, "http://nowhere.invalid:1")
    with pytest.raises(EngineUnavailableError, match="no engine answers at http://nowhere.invalid"):
        await front.engine()
    await front.connection.close()


async def test_https_where_http_is_spoken_is_named(vllm: Remote, model: Path) -> None:
    front = Front(model, vllm.url.replace("http:", "https:"))
    with pytest.raises(EngineUnavailableError, match="perhaps it is http:// and not https://"):
        await front.engine()
    await front.connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, which nobody has signed."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    made = path.with_name("key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-keyout",
        str(made),
        "-out",
        str(path),
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_text(path.read_text() + made.read_text())
    return path


async def test_a_certificate_of_ones_own_is_believed_only_where_it_is_named(
    model: Path, certificate: Path
) -> None:
    async with Remote("vLLM", TOKENIZER, end=END, certificate=certificate) as remote:
        front = Front(model, remote.url)
        with pytest.raises(EngineUnavailableError, match=r"not to be trusted; .* engine\.ca_file"):
            await front.engine()
        await front.connection.close()
        front = Front(model, remote.url, f"engine.ca_file={certificate}")
        remote.say("well", "<|im_end|>")
        assert await front.ask() == "well"
        await front.connection.close()


@pytest.mark.fault("F66")
async def test_neither_prompts_nor_keys_are_logged(
    remote: Remote, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    remote.say("canary-answer", "<|im_end|>")
    await front.ask(replace(REQUEST, prompt=[311, 117]))
    remote.fail(openai_error(500, "canary"))
    with pytest.raises(EngineError):
        await front.ask()
    assert "canary" not in caplog.text
    assert "311, 117" not in caplog.text
