"""Who is let in, by what a browser or a stranger would send."""

import asyncio
import base64
import json
from typing import Any

import pytest
from starlette.routing import Route

from opencoder_lsp.api.keys import Keys
from opencoder_lsp.api.security import Policy
from tests.api.conftest import HELLO, JSON, Api, Serve, request, status_of
from tests.fakes.engine import FakeEngine

KEY = "0123456789abcdef-key"
KEYED = Policy("127.0.0.1", 0, Keys({"me": KEY, "you": KEY[::-1]}, at_once=2))
BODY = json.dumps({"messages": HELLO}).encode()


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
