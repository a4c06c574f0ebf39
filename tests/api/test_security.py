"""Who is let in, by what a browser or a stranger would send."""

import asyncio
import base64
import json
from typing import Any

import pytest
from starlette.routing import Route

from opencoder_lsp.api import app as app_module
from opencoder_lsp.api.keys import Keys
from opencoder_lsp.api.security import Policy
from opencoder_lsp.api.server import Protocol
from tests.api.conftest import HELLO, JSON, Api, Serve
from tests.fakes.engine import FakeEngine

KEY = "0123456789abcdef-key"
KEYED = Policy("127.0.0.1", 0, Keys({"me": KEY, "you": KEY[::-1]}, at_once=2))
BODY = json.dumps({"messages": HELLO}).encode()


def status_of(answer: bytes) -> int:
    """Return the status of a raw response, whose body has to be an error object."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["error"]["message"]
    return int(head.split()[1])


def request(host: bytes, *headers: bytes, target: bytes = b"/v1/models") -> bytes:
    """Return a raw request that ends the connection."""
    lines = [b"GET " + target + b" HTTP/1.1", *([b"Host: " + host] if host else []), *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


@pytest.mark.fault("F37", "S1", "S3")
@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "localhost.evil.com",
        "127.0.0.1.evil",
        "127.0.0.1.evil:{port}",
        "0.0.0.0:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}x",
        "127.0.0.1:{port}@evil.com",
        "[::]:{port}",
        "2130706433:{port}",
        "localhost.:{port}",
        " ",
    ],
)
async def test_a_name_that_is_not_ours_is_refused(api: Api, host: str) -> None:
    name = host.format(port=api.port).encode()
    assert status_of(await api.raw(request(name))) == 403


@pytest.mark.fault("F37")
async def test_hosts_that_are_not_one_are_refused(api: Api) -> None:
    own = f"127.0.0.1:{api.port}".encode()
    assert status_of(await api.raw(request(own, b"Host: " + own))) == 400
    assert status_of(await api.raw(request(b""))) == 400
    target = b"http://" + own + b"/v1/models"
    assert status_of(await api.raw(request(own, target=target))) == 403


async def test_our_own_names_are_known(api: Api) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        answer = await api.raw(request(f"{host}:{api.port}".encode()))
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.fault("S1")
def test_off_loopback_addresses_will_do_and_names_have_to_be_given() -> None:
    policy = Policy("0.0.0.0", 18888, names=frozenset({"box.lan"}))
    for host in ("192.168.1.5:18888", "192.168.1.5", "[fe80::1]:80", "box.lan", "localhost:1"):
        assert policy.knows_host(host)
    for host in ("evil.com", "0.0.0.0:18888", "[::]", "box.lan.evil.com", ""):
        assert not policy.knows_host(host)


@pytest.mark.fault("F38", "S2")
@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://localhost", "", "file://"])
async def test_a_web_page_gets_nothing_whatever_it_sends(api: Api, origin: str) -> None:
    for method, path, data in [
        ("GET", "/v1/models", None),
        ("POST", "/v1/chat/completions", BODY),
        ("OPTIONS", "/v1/chat/completions", None),
    ]:
        headers = {**JSON, "Origin": origin, "Access-Control-Request-Private-Network": "true"}
        async with api.session.request(method, api.url + path, data=data, headers=headers) as got:
            assert got.status == 403
            assert not [name for name in got.headers if name.lower().startswith("access-control")]


@pytest.mark.fault("F38", "S2")
async def test_what_a_form_can_send_is_no_request(api: Api, fake: FakeEngine) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {"content-type": kind}
        url = f"{api.url}/v1/chat/completions"
        async with api.session.post(url, data=BODY, headers=headers) as got:
            assert got.status == 415
    assert fake.requests == []


@pytest.mark.fault("S2")
async def test_a_page_of_our_own_may_ask_and_others_are_told_to_keep_out(api: Api) -> None:
    async with api.post("/v1/chat/completions", BODY, Origin=api.url) as got:
        assert got.status == 200
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in got.headers


@pytest.mark.fault("S2")
async def test_an_origin_that_was_named_at_the_start_may_ask(serve: Serve) -> None:
    page = "https://chat.example.com"
    async with serve(Policy("127.0.0.1", 0, origins=frozenset({page}))) as api:
        async with api.session.options(f"{api.url}/v1/models", headers={"Origin": page}) as got:
            assert got.status == 204
            assert got.headers["access-control-allow-origin"] == page
            assert "access-control-allow-private-network" not in got.headers
        async with api.post("/v1/chat/completions", BODY, Origin=page) as got:
            assert got.status == 200
            assert got.headers["access-control-allow-origin"] == page
        for other in ("https://chat.example.com.evil.com", "http://chat.example.com", "null"):
            async with api.post("/v1/chat/completions", BODY, Origin=other) as got:
                assert got.status == 403


WRONG: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer 0123456789abcdef"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY[:-1]}"},
    {"Authorization": "Bearer schlüssel"},
    {"Authorization": KEY},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": f"Basic {base64.b64encode(KEY.encode()).decode()}"},
    {"Authorization": f"Basic {base64.b64encode(b'me:wrong').decode()}"},
    {"Authorization": "Basic Zg"},
    {"x-api-key": KEY},
    {"Cookie": f"key={KEY}"},
]


@pytest.mark.fault("F39", "S5", "S6", "S7")
@pytest.mark.parametrize("headers", WRONG)
async def test_without_its_key_every_route_but_health_is_closed(
    serve: Serve, fake: FakeEngine, headers: dict[str, str]
) -> None:
    async with serve(KEYED) as api:
        routes = [route for route in api.app.routes if route.path != "/health"]
        assert len(routes) >= 6
        for route in [*routes, Route("/nothing", lambda _: None, methods=["GET"])]:
            for method in sorted(route.methods or ()):
                url = api.url + route.path
                async with api.session.request(method, url, headers=headers) as got:
                    assert got.status == 401
                    assert got.headers["www-authenticate"] == "Bearer"
                    if method != "HEAD":
                        assert (await got.json())["error"]["code"] == "invalid_api_key"
        async with api.session.get(f"{api.url}/health", headers=headers) as got:
            assert await got.json() == {"state": "ready"}
    assert fake.requests == []


@pytest.mark.fault("F39")
async def test_a_key_given_twice_is_none(serve: Serve) -> None:
    async with serve(KEYED) as api:
        header = f"Authorization: Bearer {KEY}".encode()
        own = f"127.0.0.1:{api.port}".encode()
        assert status_of(await api.raw(request(own, header, header))) == 401
        assert (await api.raw(request(own, header))).startswith(b"HTTP/1.1 200")


async def test_a_key_opens_every_route(serve: Serve) -> None:
    async with serve(KEYED) as api:
        for key in (KEY, KEY[::-1]):
            headers = {"Authorization": f"bearer {key}"}
            for path in ("/v1/models", "/metrics"):
                async with api.session.get(api.url + path, headers=headers) as got:
                    assert got.status == 200
            async with api.post("/v1/chat/completions", BODY, **headers) as got:
                assert got.status == 200


async def test_a_key_has_so_many_answers_at_once_and_others_have_theirs(
    serve: Serve, fake: FakeEngine
) -> None:
    async with serve(KEYED) as api:
        mine, yours = ({"Authorization": f"Bearer {key}"} for key in (KEY, KEY[::-1]))
        fake.hold()
        under_way = [
            asyncio.create_task(status(api, mine)),
            asyncio.create_task(status(api, mine)),
            asyncio.create_task(status(api, yours)),
        ]
        await fake.paused(3)
        async with api.post("/v1/chat/completions", BODY, **mine) as got:
            assert got.status == 429
            assert got.headers["retry-after"] == "1"
            assert (await got.json())["error"]["code"] == "concurrency_limit"
        fake.resume()
        assert await asyncio.gather(*under_way) == [200] * 3
        assert await status(api, mine) == 200


async def status(api: Api, headers: dict[str, str]) -> int:
    async with api.post("/v1/chat/completions", BODY, **headers) as got:
        await got.read()
        return int(got.status)


@pytest.mark.fault("F41", "S14")
async def test_a_body_that_is_too_long_is_refused(api: Api) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n".encode()
    head += b"Content-Type: application/json\r\n"
    for length, piece in [(b"Content-Length: 104857600", b" " * 65536)] + [
        (b"Transfer-Encoding: chunked", b"10000\r\n" + b" " * 65536 + b"\r\n")
    ]:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(head + length + b"\r\n\r\n")
        answer = asyncio.create_task(reader.readuntil(b"\r\n"))
        while not answer.done():
            writer.write(piece)
            await writer.drain()
        assert b" 413 " in await answer
        writer.close()
    assert await api.ask()


@pytest.mark.fault("F41", "S14")
async def test_a_head_that_is_too_long_is_refused(api: Api) -> None:
    own = f"127.0.0.1:{api.port}".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: " + own + b"\r\nX: " + b"x" * 40_000)
    assert status_of(await reader.read()) == 431
    writer.close()
    assert status_of(await api.raw(b"\x16\x03\x01 what a TLS client says\r\n\r\n")) == 400
    assert await api.ask()


@pytest.mark.fault("F41")
async def test_a_body_that_does_not_come_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "_BODY_SECONDS", 0.05)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head)
    assert b" 408 " in await reader.readuntil(b"\r\n")
    writer.close()


@pytest.mark.fault("F41")
async def test_connections_that_say_nothing_or_half_a_head_are_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Protocol, "head_seconds", 0.05)
    assert await api.raw(b"") == b""
    monkeypatch.setattr(Protocol, "head_seconds", 0.5)  # to begin with a head takes some time
    assert status_of(await api.raw(b"GET /v1/models HTTP/1.1\r\nHost:")) == 408
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    whole = request(f"127.0.0.1:{api.port}".encode()).replace(b"Connection: close\r\n", b"")
    writer.write(whole)
    await reader.readuntil(b"}]}")
    writer.write(whole[:9])
    assert status_of(await reader.read()) == 408
    writer.close()


@pytest.mark.fault("F41")
async def test_many_idle_connections_keep_nobody_out(api: Api) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(300)]
    assert await api.ask()
    for _, writer in idle:
        writer.close()


@pytest.mark.fault("F48")
async def test_a_client_that_does_not_read_is_hung_up_on(
    api: Api, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Protocol, "stall_seconds", 0.05)
    fake.answer(["x" * 100_000] * 200)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
    body = json.dumps({"messages": HELLO, "stream": True, "max_tokens": 500}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await fake.cancelled()
    writer.close()
    assert await api.ask()


@pytest.mark.fault("S8")
async def test_no_route_takes_a_path_or_an_address(api: Api) -> None:
    paths = {route.path for route in api.app.routes}
    named = {path for path in paths if "{" in path}
    # The first is compared with the name of the one that runs; the page's are ids in its store.
    assert {path for path in named if not path.startswith("/api/")} == {"/v1/models/{model:path}"}
    assert all(word not in path for path in paths for word in ("pull", "load", "file", "url"))


async def test_a_failure_that_nobody_foresaw_says_nothing_of_what_was_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("opencoder_lsp.api.chat_completions.encode", fail)
    status, answer = await api.tell()
    assert (status, answer["error"]["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(answer)
