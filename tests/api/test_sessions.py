"""Who reads the conversations: one browser, and nobody else on the machine."""

from typing import Any

import pytest

from opencoder_lsp.api.keys import Keys
from opencoder_lsp.api.security import Policy
from opencoder_lsp.api.sessions import KEY_HEADER
from tests.api.browser import PageClient
from tests.api.conftest import JSON, Api, Serve

KEY = "0123456789abcdef-key"
KEYED = Policy("127.0.0.1", 0, Keys({"me": KEY}, at_once=2))


def page_routes(api: Api) -> list[Any]:
    routes = [route for route in api.app.routes if route.path.startswith("/api/")]
    assert len(routes) >= 18
    return routes


@pytest.mark.fault("S5", "S7")
async def test_the_pages_own_routes_need_both_cookie_and_key_of_a_session(api: Api) -> None:
    page, other = await PageClient.open(api), await PageClient.open(api)
    cookie, key = page.headers["Cookie"], page.headers[KEY_HEADER]
    wrong = [
        {},
        {"Cookie": cookie},
        {KEY_HEADER: key},
        {"Cookie": cookie, KEY_HEADER: other.headers[KEY_HEADER]},
        {"Cookie": cookie, KEY_HEADER: key + "x"},
        {"Cookie": cookie + "x", KEY_HEADER: key},
        {"Cookie": cookie.replace("=", "0="), KEY_HEADER: key},
        {"Cookie": '=;;"é', KEY_HEADER: key},
        {"Authorization": f"Bearer {KEY}", KEY_HEADER: key},
    ]
    for route in page_routes(api):
        for method in sorted(route.methods - {"HEAD"}):
            for headers in wrong:
                request = api.session.request(
                    method, api.url + route.path, headers={**JSON, **headers}, data="{}"
                )
                async with request as got:
                    assert got.status == 401, (method, route.path, headers)
                    assert (await got.json())["error"]["code"] == "no_session"


@pytest.mark.fault("S5")
async def test_the_address_works_once_and_then_there_is_another(api: Api) -> None:
    heard: list[str] = []
    api.app.sessions.opened = lambda: heard.append(api.app.sessions.one_time_path())
    first = api.app.sessions.one_time_path()
    for path, status in [("/?token=", 403), (first + "x", 403), (first, 303), (first, 403)]:
        async with api.session.get(api.url + path, allow_redirects=False) as got:
            assert got.status == status
            assert ("set-cookie" in got.headers) == (status == 303)
            if status == 303:
                cookie = got.headers["set-cookie"]
                assert "HttpOnly" in cookie
                assert "SameSite=strict" in cookie
    assert len(heard) == 1
    async with api.session.get(api.url + heard[0], allow_redirects=False) as got:
        assert got.status == 303


@pytest.mark.fault("S2")
async def test_a_page_of_another_origin_gets_nothing_even_with_the_session(api: Api) -> None:
    page = await PageClient.open(api)
    headers = {**page.headers, "Origin": "http://127.0.0.1:1"}
    async with api.session.get(f"{api.url}/api/conversations", headers=headers) as got:
        assert got.status == 403


@pytest.mark.fault("S6")
async def test_with_keys_the_page_needs_its_session_and_no_key_and_keys_open_no_conversation(
    serve: Serve,
) -> None:
    async with serve(KEYED) as api:
        page = await PageClient.open(api)
        assert await page.ask("GET", "conversations") == {"conversations": []}
        async with api.session.get(api.url, headers={"Cookie": page.headers["Cookie"]}) as got:
            assert got.status == 200
        async with api.session.get(f"{api.url}/v1/models", headers=page.headers) as got:
            assert got.status == 401
        keyed = {"Authorization": f"Bearer {KEY}"}
        async with api.session.get(f"{api.url}/api/conversations", headers=keyed) as got:
            assert got.status == 401
            assert (await got.json())["error"]["code"] == "no_session"


async def test_the_pages_files_may_do_nothing_but_show_the_chat(api: Api) -> None:
    for path in sorted(api.app.page.paths):
        async with api.session.get(api.url + path) as got:
            assert got.status == 200
            policy = got.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert got.headers["x-content-type-options"] == "nosniff"
            tag = got.headers["etag"]
        async with api.session.get(api.url + path, headers={"If-None-Match": tag}) as got:
            assert got.status == 304
