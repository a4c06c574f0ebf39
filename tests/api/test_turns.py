"""Turns of the chat page: they run on the server, whoever listens."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from opencoder_lsp.conversations.store import Store
from tests.api.browser import PageClient, said
from tests.api.conftest import Api, Serve
from tests.fakes.engine import FakeEngine


@pytest.fixture
async def page(api: Api) -> PageClient:
    """A browser with a session."""
    return await PageClient.open(api)


async def text_from(events: AsyncIterator[dict[str, str]], until: str) -> str:
    """Collect text until it has come to `until`."""
    text = ""
    async for event in events:
        text += event.get("text", "")
        if text == until:
            return text
    raise AssertionError(f"the turn ended with {text!r}")


async def test_a_question_is_answered_and_kept(page: PageClient, fake: FakeEngine) -> None:
    fake.answer("four, I think")
    begun = await page.begin("What is 2 + 2?")
    first, *texts, last = await page.events(begun["turnId"])
    assert first == begun
    assert "".join(event["text"] for event in texts) == "four, I think"
    conversation = await page.conversation(begun["conversationId"])
    assert said(conversation) == ["What is 2 + 2?", "four, I think"]
    assert conversation["title"] == "What is 2 + 2?"
    answer = conversation["messages"][1]
    assert (last["type"], last["finishReason"]) == ("end", "stop")
    assert last["messageId"] == answer["id"]
    assert last["usage"]["completionTokens"] == 3
    assert answer["model"] == "tiny"


async def test_an_answer_goes_on_where_nobody_listens_and_is_resumed_by_event_id(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.answer(["one ", "zwei ", "drüben ", "🙂"])
    fake.pause_after(2)
    begun = await page.begin()
    async with page.listening(begun["turnId"]) as events:
        assert await text_from(events, "one zwei ") == "one zwei "
    async with page.listening(begun["turnId"], after=4) as events:
        await anext(events)
        assert await anext(events) == {"type": "text", "text": "zwei ", "id": 9}
    fake.resume()
    rest = await page.events(begun["turnId"], after=9)
    assert "".join(event.get("text", "") for event in rest) == "drüben 🙂"
    assert fake.cancellations == 0
    again = await page.events(begun["turnId"])
    assert "".join(event.get("text", "") for event in again) == "one zwei drüben 🙂"
    assert again[-1] == rest[-1]


async def test_what_is_under_way_is_named_for_a_page_that_was_reloaded(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.pause_after(1)
    begun = await page.begin("and then?")
    await fake.paused()
    state = await page.ask("GET", "state")
    assert state["turns"] == [begun]
    assert said(await page.conversation(begun["conversationId"])) == ["and then?"]
    fake.resume()
    await page.events(begun["turnId"])
    assert (await page.ask("GET", "state"))["turns"] == []


async def test_stop_ends_the_engines_work_and_keeps_what_was_said(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.answer(["half ", "an ", "answer"])
    fake.pause_after(2)
    begun = await page.begin()
    async with page.listening(begun["turnId"]) as events:
        await text_from(events, "half an ")
        ending = await page.ask("POST", f"turns/{begun['turnId']}/stop", {})
        assert await anext(events) == ending
    await fake.cancelled()
    conversation = await page.conversation(begun["conversationId"])
    assert said(conversation) == ["hello", "half an "]
    assert conversation["messages"][1]["finishReason"] == "stopped"
    assert await page.ask("POST", f"turns/{begun['turnId']}/stop", {}) == ending


async def test_a_turn_stopped_before_it_began_still_ends(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.hold()
    begun = await page.begin()
    ending = await page.ask("POST", f"turns/{begun['turnId']}/stop", {})
    assert ending == {"type": "end", "finishReason": "stopped", "messageId": None}
    assert said(await page.conversation(begun["conversationId"])) == ["hello"]


async def test_the_last_answer_is_made_anew(page: PageClient, fake: FakeEngine) -> None:
    fake.answer("first")
    _, conversation = await page.turn()
    fake.answer("second")
    _, again = await page.turn(
        "",
        action="regenerate",
        conversationId=conversation["id"],
        lastMessageId=conversation["messages"][-1]["id"],
    )
    assert said(again) == ["hello", "second"]
    assert fake.requests[0]["prompt"] == fake.requests[1]["prompt"]


async def test_an_edited_question_takes_the_place_of_all_behind_it(
    page: PageClient, fake: FakeEngine
) -> None:
    _, conversation = await page.turn("one")
    id = conversation["id"]
    await page.turn("two", conversationId=id)
    _, conversation = await page.turn("three", conversationId=id)
    fake.answer("to the point")
    question = conversation["messages"][2]["id"]
    _, edited = await page.turn("zwei", action="edit", conversationId=id, messageId=question)
    assert said(edited) == ["one", "fake .answer", "zwei", "to the point"]


async def test_an_edit_whose_answer_fails_loses_nothing(page: PageClient, fake: FakeEngine) -> None:
    _, conversation = await page.turn("one")
    fake.fail_with(500, "out of luck")
    question = conversation["messages"][0]["id"]
    last, after = await page.turn(
        "uno", action="edit", conversationId=conversation["id"], messageId=question
    )
    assert "out of luck" in last["error"]
    assert said(after) == ["one", "fake .answer"]


async def test_an_answer_that_was_cut_by_length_is_continued(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.answer("once upon ", finish_reason="length")
    last, conversation = await page.turn("a tale")
    assert last["finishReason"] == "length"
    fake.answer("a time")
    _, longer = await page.turn("", action="continue", conversationId=conversation["id"])
    assert said(longer) == ["a tale", "once upon a time"]
    status, refused = await page.tell(
        "POST", "turns", {"action": "continue", "conversationId": conversation["id"]}
    )
    assert (status, "complete" in refused["error"]["message"]) == (400, True)


@pytest.mark.parametrize("fault", ["die_mid_stream", "error_mid_stream", "end_without_done"])
async def test_an_engine_that_fails_in_mid_answer_is_told_and_what_it_said_kept(
    page: PageClient, fake: FakeEngine, fault: str
) -> None:
    how = {"error_mid_stream": ("broken",)}.get(fault, ())
    getattr(fake, fault)(*how)
    last, conversation = await page.turn()
    assert last["error"]
    assert said(conversation) == ["hello", "half an "]


async def test_one_conversation_is_answered_once_at_a_time(
    page: PageClient, fake: FakeEngine
) -> None:
    fake.hold()
    begun = await page.begin()
    again = {"action": "ask", "message": "more", "conversationId": begun["conversationId"]}
    status, refused = await page.tell("POST", "turns", again)
    assert (status, refused["error"]["code"]) == (409, "answering")
    for _ in range(7):
        await page.begin()
    status, refused = await page.tell("POST", "turns", {"action": "ask", "message": "one more"})
    assert (status, refused["error"]["code"]) == (429, "concurrency_limit")
    fake.resume()
    await page.events(begun["turnId"])


async def test_an_editor_that_said_something_meanwhile_loses_nothing(
    page: PageClient, fake: FakeEngine
) -> None:
    from opencoder_lsp.conversations.entries import Entry

    fake.hold()
    begun = await page.begin("from the page")
    other = [Entry("user", "from an editor"), Entry("assistant", "heard")]
    await asyncio.to_thread(Store().add, other, begun["conversationId"])
    fake.resume()
    await page.events(begun["turnId"])
    kept = said(await page.conversation(begun["conversationId"]))
    assert kept[:3] == ["from the page", "from an editor", "heard"]
    assert kept[3:] == ["from the page", "fake .answer"]


async def test_a_conversation_has_a_system_prompt_and_temperature_of_its_own(
    page: PageClient, fake: FakeEngine
) -> None:
    _, conversation = await page.turn(system="Be brief.", temperature=0.25)
    assert (conversation["system"], conversation["temperature"]) == ("Be brief.", 0.25)
    assert fake.requests[0]["temperature"] == 0.25
    id = conversation["id"]
    await page.ask("PATCH", f"conversations/{id}", {"system": "", "temperature": 0})
    await page.turn(conversationId=id)
    assert fake.requests[1].get("temperature", 0) == 0
    await page.ask("PATCH", f"conversations/{id}", {"system": None, "temperature": None})
    await page.turn(conversationId=id)
    assert fake.requests[2]["temperature"] == 0.7


async def test_what_did_not_fit_is_told_and_counted(page: PageClient, fake: FakeEngine) -> None:
    _, conversation = await page.turn("word " * 200)
    await page.turn("word " * 200, conversationId=conversation["id"])
    asked = {"message": "word " * 200, "conversationId": conversation["id"]}
    count = await page.ask("POST", "count", asked)
    assert count["fits"]
    begun = await page.begin(asked["message"], conversationId=asked["conversationId"])
    *_, last = events = await page.events(begun["turnId"])
    dropped = [event["dropped"] for event in events if "dropped" in event]
    assert dropped[-1] == count["dropped"]
    assert len(fake.requests[-1]["prompt"]) == count["tokens"] <= count["limit"]
    assert last["finishReason"] == "stop"


async def test_a_question_that_is_too_long_is_refused_with_both_numbers(page: PageClient) -> None:
    count = await page.ask("POST", "count", {"message": "word " * 3000})
    assert not count["fits"]
    last, conversation = await page.turn("word " * 3000)
    assert str(count["tokens"]) in last["error"]
    assert str(count["limit"]) in last["error"]
    assert len(conversation["messages"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "ask"}, 400),
        ({"action": "ask", "message": " \n"}, 400),
        ({"action": "ask", "message": "x", "conversationId": "none such"}, 404),
        ({"action": "regenerate"}, 400),
        ({"action": "edit", "message": "x", "conversationId": "none such"}, 404),
        ({"action": "explode"}, 400),
        ({"action": "ask", "message": "x", "temperature": 9}, 400),
        ({"action": "ask", "message": "x", "unknown": 1}, 400),
    ],
)
async def test_what_makes_no_turn_is_refused_and_keeps_nothing(
    page: PageClient, fake: FakeEngine, body: dict[str, object], status: int
) -> None:
    got, refused = await page.tell("POST", "turns", body)
    assert (got, bool(refused["error"]["message"])) == (status, True)
    assert (await page.ask("GET", "conversations"))["conversations"] == []
    assert fake.requests == []


async def test_what_has_gone_on_in_another_window_is_not_overwritten(page: PageClient) -> None:
    _, conversation = await page.turn()
    seen = conversation["messages"][-1]["id"]
    await page.turn("more", conversationId=conversation["id"])
    body = {"action": "regenerate", "conversationId": conversation["id"], "lastMessageId": seen}
    status, refused = await page.tell("POST", "turns", body)
    assert (status, refused["error"]["code"]) == (409, "gone_on")


async def test_a_server_that_ends_keeps_what_was_said(serve: Serve, fake: FakeEngine) -> None:
    fake.answer(["half ", "more"])
    fake.pause_after(1)
    async with serve() as api:
        page = await PageClient.open(api)
        begun = await page.begin()
        async with page.listening(begun["turnId"]) as events:
            await text_from(events, "half ")
        await api.app.turns.close()
    kept = Store().conversation(begun["conversationId"])
    assert [entry.content for entry in kept.entries] == ["hello", "half "]
