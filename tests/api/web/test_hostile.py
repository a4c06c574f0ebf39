"""What a model says is text: nothing in it runs, is loaded, or leads away unseen."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.api.web.conftest import Chat

pytestmark = [pytest.mark.browser, pytest.mark.fault("F65", "S18")]

HOSTILE = """\
<script>window.hacked = 1</script>
<img src=x onerror="window.hacked = 2"><img src="{canary}/raw.png">
<svg onload="window.hacked = 3"><iframe src="{canary}/frame"></iframe>
<style>@import "{canary}/style";</style><link rel=stylesheet href="{canary}/link">
<a href="javascript:window.hacked=4">raw</a><meta http-equiv=refresh content="0;url={canary}/meta">

![picture]({canary}/image.png) ![by name][name] [click](javascript:window.hacked=5)
[data](data:text/html,<script>window.hacked=6</script>) [entity](&#106;avascript:window.hacked=7)
[vb](vbscript:x) <javascript:window.hacked=8> [command](command:workbench.action.quit) [f](file:///x)

[name]: {canary}/reference.png

```html" onload="window.hacked=9
<script>window.hacked = 10</script>
```

$\\href{{javascript:window.hacked=11}}{{x}} \\includegraphics{{{canary}/tex.png}}$
$$\\htmlData{{x=y}}{{z}} \\def\\a{{\\a\\a}}\\a$$
$\\url{{{canary}/url}}$ $\\htmlStyle{{background:url({canary}/css)}}{{x}}$

| <img src={canary}/cell onerror=window.hacked=12> | b |
|---|---|
| [x]({canary}/seen "title\\" onmouseover=window.hacked=13") | `<b>` |
"""


@pytest.fixture
async def canary() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that notes what is asked of it."""
    asked: list[str] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="got you")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    await runner.cleanup()


async def test_hostile_markdown_is_inert(chat: Chat, canary: tuple[str, list[str]]) -> None:
    address, asked = canary
    text = HOSTILE.format(canary=address)
    for pieces in ([text], list(text)):
        await chat.turn("Be hostile", pieces)
        await chat.button("New chat").click()
    await chat.turn(text[:300], text)  # in a question and in a title, too
    await chat.page.reload()
    await chat.answer.get_by_text("got you").or_(chat.answer.locator("table")).wait_for()
    assert await chat.page.evaluate("window.hacked") is None
    made = "img, script, iframe, svg:not(.katex svg), style, link, meta, object, embed, form"
    inside = f"document.querySelectorAll('.messages :is({made})').length"
    assert await chat.page.evaluate(inside) == 0
    places = await chat.page.evaluate(
        "[...document.querySelectorAll('.messages a')].map((one) => [one.protocol, one.title])"
    )
    assert places
    assert all(protocol in ("http:", "https:") and title for protocol, title in places)
    handlers = (
        "[...document.querySelectorAll('.messages *')]"
        ".some((one) => one.getAttributeNames().some((name) => /^on|^style$/.test(name)"
        " && !one.closest('.katex')))"
    )
    assert not await chat.page.evaluate(handlers)
    assert asked == []
    await chat.picture("hostile")


async def test_even_a_script_of_ours_could_not_make_html_of_text(chat: Chat) -> None:
    refused = await chat.page.evaluate(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return '' }"
        " catch (error) { return error.name } })()"
    )
    assert refused == "TypeError"
    assert await chat.page.evaluate("document.querySelectorAll('b').length") == 0
    chat.troubles.clear()  # the browser tells of what it refused
