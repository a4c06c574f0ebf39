"""The chat page's routes for conversations, folders, prompts and files."""

import json

import pytest

from tests.api.browser import PageClient, said
from tests.api.conftest import Api
from tests.conversations.test_archives import VERSION_4


@pytest.fixture
async def page(api: Api) -> PageClient:
    """A browser with a session."""
    return await PageClient.open(api)


async def titles(page: PageClient, search: str = "") -> list[str]:
    listed = await page.ask("GET", f"conversations?search={search}")
    return [one["title"] for one in listed["conversations"]]


async def test_conversations_are_listed_renamed_searched_and_deleted(page: PageClient) -> None:
    _, first = await page.turn("about apples")
    await page.turn("about pears")
    assert await titles(page) == ["about pears", "about apples"]
    renamed = await page.ask("PATCH", f"conversations/{first['id']}", {"title": "Fruit"})
    assert renamed["title"] == "Fruit"
    assert await titles(page, "apples") == ["Fruit"]
    assert await titles(page, "FAKE") == ["about pears", "Fruit"]
    assert await titles(page, "plums") == []
    await page.ask("DELETE", f"conversations/{first['id']}")
    assert await titles(page) == ["about pears"]
    for method in ("GET", "DELETE"):
        status, refused = await page.tell(method, f"conversations/{first['id']}")
        assert (status, refused["error"]["code"]) == (404, "no_such_conversation")


async def test_a_message_is_deleted_with_its_answer(page: PageClient) -> None:
    _, conversation = await page.turn("one")
    _, conversation = await page.turn("two", conversationId=conversation["id"])
    message = conversation["messages"][0]["id"]
    path = f"conversations/{conversation['id']}/messages/{message}"
    assert said(await page.ask("DELETE", path)) == ["two", "fake .answer"]
    status, _ = await page.tell("DELETE", path)
    assert status == 400


async def test_conversations_lie_in_folders(page: PageClient) -> None:
    (folder,) = (await page.ask("POST", "folders", {"name": "Work"}))["folders"]
    _, conversation = await page.turn(folder=folder["id"])
    assert conversation["folder"] == folder["id"]
    await page.ask("POST", "folders", {"name": "Play", "id": folder["id"]})
    assert (await page.ask("GET", "library"))["folders"][0]["name"] == "Play"
    assert (await page.ask("DELETE", f"folders/{folder['id']}"))["folders"] == []
    assert (await page.conversation(conversation["id"]))["folder"] == ""


async def test_prompts_are_kept(page: PageClient) -> None:
    asked = {"name": "Explain", "content": "Explain {{what}}"}
    (prompt,) = (await page.ask("POST", "prompts", asked))["prompts"]
    assert prompt["content"] == "Explain {{what}}"
    (changed,) = (await page.ask("POST", "prompts", {**asked, "id": prompt["id"], "name": "E"}))[
        "prompts"
    ]
    assert (changed["id"], changed["name"]) == (prompt["id"], "E")
    assert (await page.ask("DELETE", f"prompts/{prompt['id']}"))["prompts"] == []


async def test_an_export_of_the_old_page_is_imported_once(page: PageClient) -> None:
    told = await page.ask("POST", "archive", VERSION_4)
    assert told == {"added": 1, "known": 0, "folders": 2, "prompts": 1}
    assert (await page.ask("POST", "archive", VERSION_4))["known"] == 1
    conversation = await page.conversation("0a1b")
    assert said(conversation)[0] == "Sort **this**"
    _, conversation = await page.turn("go on", conversationId="0a1b")
    assert len(conversation["messages"]) == 4
    archive = await page.ask("GET", "archive")
    assert await page.ask("POST", "archive", archive) == {**told, "added": 0, "known": 1}
    status, refused = await page.tell("POST", "archive", {"history": 5})
    assert status == 400
    assert "chatbot-ui" in refused["error"]["message"]


async def test_a_conversation_is_exported_as_markdown_and_json(page: PageClient) -> None:
    _, conversation = await page.turn("hi")
    path = f"conversations/{conversation['id']}/export"
    assert "fake .answer" in (await page.ask("GET", path))["text"]
    text = (await page.ask("GET", f"{path}?format=json"))["text"]
    assert json.loads(text) == conversation


async def test_the_page_learns_how_the_server_is(page: PageClient) -> None:
    state = await page.ask("GET", "state")
    assert (state["state"], state["model"], state["temperature"]) == ("ready", "tiny", 0.7)
