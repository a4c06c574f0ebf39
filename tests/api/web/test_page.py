"""What is around the chat: the list, folders, prompts, files, and how it all looks."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.web.conftest import Chat
from tests.conversations.test_archives import VERSION_4

pytestmark = pytest.mark.browser


async def answer_dialog(chat: Chat, done: str, **fields: str) -> None:
    dialogs = chat.page.locator("dialog")
    dialog = dialogs.nth(await dialogs.count() - 1)
    for label, value in fields.items():
        field = dialog.get_by_label(label)
        if await field.evaluate("(element) => element.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)
    await dialog.get_by_role("button", name=done, exact=True).click()
    await dialog.wait_for(state="detached")


async def listed(chat: Chat) -> list[str]:
    entries = chat.page.locator("nav li > button")
    return [text.strip() for text in await entries.all_text_contents()]


async def test_conversations_are_renamed_searched_and_deleted(chat: Chat) -> None:
    await chat.turn("about apples")
    await chat.button("New chat").click()
    await chat.turn("about pears")
    await chat.entry("about apples").click()
    await chat.page.get_by_role("heading", name="about apples").wait_for()
    await chat.button("Rename").click()
    await answer_dialog(chat, "Save", Title="Fruit")
    await chat.entry("Fruit").wait_for()
    assert await listed(chat) == ["about pears", "Fruit"]
    search = chat.page.get_by_role("searchbox")
    await search.fill("apples")
    await chat.entry("about pears").wait_for(state="detached")
    assert await listed(chat) == ["Fruit"]
    await search.fill("plums")
    await chat.page.get_by_text("Nothing found.").wait_for()
    await search.fill("")
    await chat.entry("about pears").wait_for()
    await chat.button("Delete").click()
    await answer_dialog(chat, "Delete")
    await chat.entry("Fruit").wait_for(state="detached")
    assert await listed(chat) == ["about pears"]


async def test_a_conversation_is_dragged_into_a_folder_and_out(chat: Chat) -> None:
    await chat.turn("hello")
    await chat.button("New folder").click()
    await answer_dialog(chat, "Save", Name="Work")
    folder = chat.page.locator("nav details")
    await folder.get_by_text("Work (0)").wait_for()
    await chat.entry("hello").drag_to(folder.locator("summary"))
    await folder.get_by_text("Work (1)").wait_for()
    await chat.picture("folders")
    await folder.get_by_role("button", name="Rename folder Work").click()
    await answer_dialog(chat, "Save", Name="Play")
    await folder.get_by_text("Play (1)").wait_for()
    await folder.get_by_role("button", name="hello").drag_to(chat.page.locator("nav div > ul"))
    await folder.get_by_text("Play (0)").wait_for()
    await folder.get_by_role("button", name="Delete folder Play").click()
    await answer_dialog(chat, "Delete")
    await folder.wait_for(state="detached")
    assert await listed(chat) == ["hello"]


async def test_a_prompt_with_variables_is_picked_with_a_slash(chat: Chat) -> None:
    await chat.button("Prompts").click()
    await chat.button("New prompt").click()
    text = "Explain {{thing}} to {{whom}}: {{thing}}"
    await answer_dialog(chat, "Save", Name="Explain", Text=text)
    await chat.page.get_by_role("dialog").get_by_text("Explain").wait_for()
    await chat.button("Close").click()
    await chat.question.press_sequentially("/exp")
    option = chat.page.get_by_role("option", name="Explain")
    await option.wait_for()
    await chat.question.press("Enter")
    await answer_dialog(chat, "Use", thing="$& monads", whom="me")
    assert await chat.question.input_value() == "Explain $& monads to me: $& monads"


async def test_settings_of_a_conversation_can_be_changed_at_any_time(chat: Chat) -> None:
    await chat.button("Settings").click()
    await answer_dialog(chat, "Save", System="Be brief.", Temperature="0.2")
    await chat.turn("one")
    assert chat.fake.requests[0]["temperature"] == 0.2
    longer = len(chat.fake.requests[0]["prompt"])
    await chat.button("Settings").click()
    async with chat.page.expect_response(lambda got: got.request.method == "PATCH"):
        await answer_dialog(chat, "Save", System="", Temperature="0.5")
    chat.fake.answer("two")
    await chat.button("Regenerate the answer").click()
    await chat.answer.get_by_text("two").wait_for()
    assert chat.fake.requests[1]["temperature"] == 0.5
    assert len(chat.fake.requests[1]["prompt"]) < longer


async def test_an_old_export_is_imported_and_all_is_exported(chat: Chat, tmp_path: Path) -> None:
    old = tmp_path / "chatbot_ui_history_7-5.json"
    old.write_text(json.dumps(VERSION_4))
    await chat.page.get_by_label("File to import").set_input_files(old)
    await chat.says("Imported 1 conversations")
    folder = chat.page.locator("nav details")
    await folder.get_by_role("button", name="Sorting").click()
    await chat.answer.locator(".code").wait_for()
    async with chat.page.expect_download() as saved:
        await chat.button("Export all").click()
    archive = json.loads((await (await saved.value).path()).read_text())
    assert archive["conversations"][0]["id"] == "0a1b"
    await chat.button("Export").click()
    async with chat.page.expect_download() as saved:
        await answer_dialog(chat, "Export")
    download = await saved.value
    assert download.suggested_filename == "Sorting.md"
    assert "Sort **this**" in (await download.path()).read_text()
    wrong = tmp_path / "wrong.json"
    wrong.write_text("no JSON")
    await chat.page.get_by_label("File to import").set_input_files(wrong)
    await chat.page.get_by_role("alert").get_by_text("chatbot-ui").wait_for()
    chat.troubles.clear()  # the browser tells of the refusal, too


async def test_a_narrow_window_has_all_of_it(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 375, "height": 700})
    wide = "```\n" + "x" * 400 + "\n```\n\n|" + "wide cell|" * 30 + "\n" + "|-" * 30 + "|\n"
    await chat.turn("unbroken" * 40, wide + "\n" + "word" * 100)
    width = "document.documentElement.scrollWidth"
    assert await chat.page.evaluate(width) == 375
    await chat.picture("narrow")
    await chat.page.locator("main > header").get_by_role("button", name="Conversations").click()
    await chat.entry("unbroken").wait_for()
    await chat.picture("narrow-menu")
    await chat.button("New chat").click()
    await chat.page.get_by_text("Ask something to begin.").wait_for()
    assert not await chat.page.get_by_role("searchbox").is_visible()


async def test_themes_follow_the_system_or_the_choice(chat: Chat) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(27, 29, 33)"
    await chat.page.emulate_media(color_scheme="dark")
    assert await chat.page.evaluate(back) == dark
    await chat.turn("hello", "```python\nx = 1\n```\n")
    await chat.answer.locator(".hljs-number").wait_for()
    await chat.picture("dark")
    await chat.button("Theme: auto").click()
    assert await chat.page.evaluate(back) == light
    await chat.page.reload()
    await chat.button("Theme: light").click()
    await chat.page.emulate_media(color_scheme="light")
    assert await chat.page.evaluate(back) == dark


async def test_a_screen_reader_has_a_name_for_everything(chat: Chat) -> None:
    await chat.turn("hello", "```python\nx = 1\n```\n\n|a|\n|-|\n|b|\n")
    await chat.button("Settings").click()
    session = await chat.page.context.new_cdp_session(chat.page)
    tree: Any = await session.send("Accessibility.getFullAXTree")
    roles = ("button", "textbox", "searchbox", "combobox", "spinbutton", "article", "dialog", "log")
    nodes = [node for node in tree["nodes"] if node.get("role", {}).get("value") in roles]
    assert len(nodes) >= 5
    nameless = [
        node["role"]["value"]
        for node in nodes
        if not node.get("name", {}).get("value") and node["role"]["value"] != "log"
    ]
    assert nameless == []


async def test_all_can_be_done_with_the_keyboard(chat: Chat) -> None:
    await chat.turn("hello")
    await chat.page.keyboard.press("Alt+KeyN")
    await chat.page.get_by_text("Ask something to begin.").wait_for()
    await chat.page.keyboard.type("line one")
    await chat.page.keyboard.press("Shift+Enter")
    await chat.page.keyboard.type("line two")
    chat.fake.pause_after(1)
    await chat.page.keyboard.press("Enter")
    await chat.answer.get_by_text("fake").wait_for()
    await chat.page.keyboard.press("Escape")
    await chat.says("Stopped.")
    assert (await chat.messages())[0] == "line one\nline two"
