"""Talking with the model in a browser."""

import asyncio
import re
from typing import Any

import pytest

from opencoder_lsp.conversations.store import Store
from tests.api.conftest import Api
from tests.api.web.conftest import Chat

pytestmark = pytest.mark.browser

READ = re.compile(r"/conversations/[^/?]+$")  # the route of one of them
LIST = re.compile(r"/conversations\?")
BEGIN = re.compile(r"/turns$")

MARKDOWN = """\
Use **sorted**, as in

```python
def order(items):
    return sorted(items)  # <b>stable</b>
```

| n | cost |
|---|-----:|
| 1 | $O(n)$ |

1. one
2. two with `code`

$$\\frac{a}{b} = \\sqrt{2}$$

See https://example.com/docs or [this](https://example.com/x). It costs $5 and $6.
"""


async def until(chat: Chat, condition: str) -> None:
    """Wait until something holds. Playwright's own way evaluates it anew: the page forbids that."""
    look = f"async () => {{ while (!({condition})) await new Promise((go) => setTimeout(go, 20)) }}"
    await chat.page.evaluate(look)


async def held(chat: Chat, what: re.Pattern[str]) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold requests back; returns what is set when there is one, and what lets them go."""
    there, free = asyncio.Event(), asyncio.Event()

    async def hold(route: Any) -> None:
        there.set()
        await free.wait()
        await route.continue_()

    await chat.page.route(what, hold)
    return there, free


async def drawn(chat: Chat) -> None:
    """Wait until all of the last answer is as it stays, whose last part is a formula."""
    await chat.answer.locator(".hljs-keyword").first.wait_for()
    await chat.answer.locator(".katex-display").wait_for()
    # The way that formulas are read is in their styles, which come by themselves.
    style = "getComputedStyle(document.querySelector('.katex-display'))"
    await until(chat, f"{style}.display === 'block'")


async def test_an_answer_is_streamed_and_drawn_as_markdown(chat: Chat) -> None:
    chat.fake.answer(["half ", "the answer"])
    chat.fake.pause_after(1)
    await chat.ask("Well?")
    await chat.answer.get_by_text("half").wait_for()
    assert await chat.button("Stop the answer").is_visible()
    chat.fake.resume()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["Well?", "half the answer"]
    assert await chat.page.title() == "Well? – OpenCoder"
    pieces = [MARKDOWN[at : at + 7] for at in range(0, len(MARKDOWN), 7)]
    await chat.turn("And in Markdown?", pieces)
    answer = chat.answer
    code = answer.locator(".code")
    await drawn(chat)
    said = "def order(items):\n    return sorted(items)  # <b>stable</b>\n"
    assert await code.locator("code").text_content() == said
    assert await answer.locator("td.align-right .katex").count() == 1
    assert await answer.locator(".formula.display .katex-display").count() == 1
    assert await answer.locator("ol li").count() == 2
    assert await answer.locator("strong").text_content() == "sorted"
    links = answer.get_by_role("link")
    assert [await one.get_attribute("href") for one in await links.all()] == [
        "https://example.com/docs",
        "https://example.com/x",
    ]
    assert "It costs $5 and $6." in await answer.inner_text()
    await chat.picture("markdown")
    before = await answer.locator(".body").inner_text()
    await chat.page.reload()
    await drawn(chat)
    assert await chat.answer.locator(".body").inner_text() == before


async def test_code_is_copied_and_saved(chat: Chat) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.turn("Code?", "```sh\necho 1\n```\n")
    # It says "Copied" for a moment only, which a look now and then may miss.
    await chat.button("Copy this code").evaluate(
        "(button) => { window.said = []; const note = () => said.push(button.textContent);"
        " new MutationObserver(note).observe(button, { childList: true }) }"
    )
    await chat.button("Copy this code").click()
    await until(chat, "said.includes('Copied')")
    read = "navigator.clipboard.readText()"
    assert await chat.page.evaluate(read) == "echo 1\n"
    async with chat.page.expect_download() as saved:
        await chat.button("Save this code as a file").click()
    download = await saved.value
    assert download.suggested_filename == "code.sh"
    assert (await download.path()).read_text() == "echo 1\n"
    await chat.button("Copy answer").click()
    await until(chat, f"(await {read}).startsWith('```sh')")


async def test_stop_really_stops(chat: Chat) -> None:
    chat.fake.answer(["half ", "an ", "answer"])
    chat.fake.pause_after(2)
    await chat.ask("Well?")
    await chat.answer.get_by_text("half an").wait_for()
    await chat.button("Stop the answer").click()
    await chat.fake.cancelled()
    await chat.says("Stopped.")
    await chat.answer.get_by_text("Stopped.").wait_for()
    assert await chat.messages() == ["Well?", "half an"]
    chat.fake.resume()
    chat.fake.answer("answer and more")
    await chat.button("Continue this answer").click()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["Well?", "half an answer and more"]


async def test_an_answer_is_made_anew_a_question_edited_and_deleted(chat: Chat) -> None:
    await chat.turn("one", "eins")
    await chat.turn("two", "zwei")
    chat.fake.answer("deux")
    await chat.button("Regenerate the answer").click()
    await chat.answer.get_by_text("deux").wait_for()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["one", "eins", "two", "deux"]
    chat.fake.answer("un")
    await chat.button("Edit this question").first.click()
    editor = chat.page.get_by_role("textbox", name="Edit question")
    assert await editor.input_value() == "one"
    await editor.fill("uno")
    await editor.press("Control+Enter")
    await chat.answer.get_by_text("un", exact=True).wait_for()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["uno", "un"]
    await chat.turn("more", "plus")
    await chat.button("Delete this question and its answer").first.click()
    await chat.page.get_by_text("uno", exact=True).last.wait_for(state="detached")
    assert await chat.messages() == ["more", "plus"]


async def test_a_page_that_is_reloaded_in_mid_answer_goes_on(chat: Chat) -> None:
    chat.fake.answer(["drüben ", "🙂 ", "日本"])
    chat.fake.pause_after(2)
    await chat.ask("Well?")
    await chat.answer.get_by_text("drüben 🙂").wait_for()
    await chat.page.reload()
    await chat.answer.get_by_text("drüben 🙂").wait_for()
    assert await chat.button("Stop the answer").is_visible()
    chat.fake.resume()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["Well?", "drüben 🙂 日本"]
    assert chat.fake.cancellations == 0


async def test_another_conversation_can_be_looked_at_meanwhile(chat: Chat) -> None:
    await chat.turn("first", "done")
    await chat.button("New chat").click()
    chat.fake.answer(["slow ", "answer"])
    chat.fake.pause_after(1)
    await chat.ask("second")
    await chat.answer.get_by_text("slow").wait_for()
    await chat.entry("first").click()
    await chat.answer.get_by_text("done").wait_for()
    assert await chat.messages() == ["first", "done"]
    await chat.entry("second").click()
    await chat.answer.get_by_text("slow").wait_for()
    chat.fake.resume()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["second", "slow answer"]


async def test_a_question_may_come_while_the_last_answer_is_still_read_back(chat: Chat) -> None:
    await chat.turn("One?", "first")
    reading, free = await held(chat, READ)
    await chat.turn("Two?", "second")
    await reading.wait()
    _, read = await held(chat, BEGIN)
    chat.fake.answer(["third ", "answer"])
    chat.fake.pause_after(1)
    await chat.ask("Three?")
    async with chat.page.expect_response(READ):
        free.set()
    read.set()
    await chat.answer.get_by_text("third").wait_for()
    said = ["One?", "first", "Two?", "second", "Three?"]
    assert await chat.messages() == [*said, "third"]
    chat.fake.resume()
    await chat.says("The answer is complete")
    assert await chat.messages() == [*said, "third answer"]


async def test_an_answer_that_is_read_back_late_gives_another_chat_no_title(chat: Chat) -> None:
    await chat.turn("One?", "first")
    reading, free = await held(chat, READ)
    await chat.turn("Two?", "second")
    await reading.wait()
    async with chat.page.expect_response(LIST):
        await chat.button("New chat").click()
    async with chat.page.expect_response(LIST):  # it is asked for once the answer is read back
        free.set()
    assert await chat.page.title() == "OpenCoder"
    assert not await chat.button("Rename").is_visible()


async def test_an_answer_that_has_ended_when_its_conversation_is_read_is_shown_once(
    chat: Chat,
) -> None:
    reading, free = await held(chat, READ)
    await chat.ask("One?")
    await reading.wait()
    await asyncio.gather(*(turn.ended for turn in chat.api.app.turns.running() if turn.ended))
    async with chat.page.expect_response(READ):
        free.set()
    free.clear()  # it is read once more behind the end
    await chat.says("The answer is complete")
    assert await chat.messages() == ["One?", "fake .answer"]
    free.set()


async def test_a_failure_is_told_and_nothing_hangs(chat: Chat) -> None:
    chat.fake.fail_with(500, "out of luck")
    await chat.ask("Well?")
    await chat.says("out of luck")
    assert await chat.button("Send").is_visible()
    chat.fake.answer("better")
    await chat.button("Regenerate the answer").click()
    await chat.says("The answer is complete")
    assert await chat.messages() == ["Well?", "better"]


async def test_tokens_are_counted_while_one_writes(chat: Chat) -> None:
    await chat.question.fill("word " * 20)
    shown = chat.page.locator(".tokens")
    await shown.get_by_text("of 1024 tokens").wait_for()
    await chat.question.fill("word " * 3000)
    await shown.get_by_text("but only 1024 fit").wait_for()


async def test_an_answer_of_a_megabyte_is_shown_whole(chat: Chat) -> None:
    line = "A line with **strong** words and `code` in it, again and again.\n\n"
    pieces = [line * 300] * (1_000_000 // (len(line) * 300) + 1)
    await chat.turn("Much, please", pieces)
    whole = line * 300 * len(pieces)
    assert len(whole) > 1_000_000
    assert await chat.answer.locator("p >> nth=0").is_visible()
    assert await chat.page.evaluate("document.querySelectorAll('article strong').length") == (
        300 * len(pieces)
    )
    kept = Store().conversation(Store().summaries()[0].id)
    assert kept.entries[1].content == whole


async def test_without_a_session_the_page_says_what_to_do(browser: Any, api: Api) -> None:
    page = await browser.new_page()
    await page.goto(api.url)
    await page.get_by_role("alert").get_by_text("opencoder-lsp serve").wait_for()
    assert await page.evaluate("document.cookie") == ""
    await page.close()
