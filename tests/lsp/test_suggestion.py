"""The suggestion session: who gets which answer, and what becomes of the stream."""

import asyncio
from typing import Any

import pytest

from opencoder_lsp.errors import EngineError
from opencoder_lsp.lsp.habits import Habits, Patience, Wish
from opencoder_lsp.lsp.suggestion import Session
from tests.lsp.streams import ScriptedSource, cancelled, place, started


async def test_a_request_gets_the_whole_suggestion(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("1 ", "+ 2")
    assert await request == ["1 + 2"]
    assert not session.is_working


async def test_a_stream_is_left_as_soon_as_the_suggestion_has_ended(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("def f():")))
    stream = await source.opened(1)
    stream.send("\n    return 1", "\n", "\n", "def g():")
    assert await request == ["\n    return 1"]
    await stream.closed.wait()


async def test_a_superseded_request_is_answered_with_none_at_once(
    session: Session, source: ScriptedSource
) -> None:
    first = await started(session.suggest(place("x = ")))
    second = await started(session.suggest(place("y = ")))
    assert await first is None
    (await source.opened(2)).finish("2")
    assert await second == ["2"]


async def test_the_stream_of_a_superseded_request_is_closed_where_the_new_one_is_elsewhere(
    session: Session, source: ScriptedSource
) -> None:
    await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await started(session.suggest(place("y = ")))
    await stream.closed.wait()


async def test_a_request_after_a_cancelled_one_takes_its_stream_over(
    session: Session, source: ScriptedSource
) -> None:
    first = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    stream.send("compu")
    await cancelled(first)
    second = await started(session.suggest(place("x = co")))
    stream.finish("te()")
    assert await second == ["mpute()"]
    assert len(source.streams) == 1


async def test_typing_ahead_of_the_stream_keeps_it_while_it_comes_to_say_the_same(
    session: Session, source: ScriptedSource
) -> None:
    first = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await cancelled(first)
    second = await started(session.suggest(place("x = comp")))
    stream.finish("compute", "()")
    assert await second == ["ute()"]
    assert len(source.streams) == 1


async def test_typing_ahead_of_the_stream_starts_anew_once_it_says_something_else(
    session: Session, source: ScriptedSource
) -> None:
    first = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await cancelled(first)
    second = await started(session.suggest(place("x = ca")))
    stream.send("co")
    fresh = await source.opened(2)
    await stream.closed.wait()
    assert fresh.place == place("x = ca")
    fresh.finish("ll()")
    assert await second == ["ll()"]


@pytest.mark.fault("F30")
async def test_an_edit_that_contradicts_the_stream_closes_it_and_answers_none(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ", "\n")))
    stream = await source.opened(1)
    session.changed("y = \n")
    assert await request is None
    await stream.closed.wait()


async def test_an_edit_that_agrees_answers_none_and_keeps_the_stream(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ", "\r\n")))
    stream = await source.opened(1)
    session.changed("x = f\r\n")
    assert await request is None
    again = await started(session.suggest(place("x = f", "\r\n")))
    stream.finish("f(1)")
    assert await again == ["(1)"]


async def test_line_breaks_of_the_file_agree_with_those_of_the_model(
    session: Session, source: ScriptedSource
) -> None:
    first = await started(session.suggest(place("if a:")))
    (await source.opened(1)).finish("\n    b()")
    assert await first == ["\n    b()"]
    session.changed("if a:\r\n    ")
    assert await session.suggest(place("if a:\r\n    ")) == ["b()"]


async def test_nobody_taking_it_over_closes_the_stream(source: ScriptedSource) -> None:
    session = Session(source, Habits(patience=Patience(grace=0.01)))
    request = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await cancelled(request)
    await stream.closed.wait()
    assert session.is_empty


async def test_a_stream_that_was_taken_over_outlives_the_grace(
    session: Session, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = list[asyncio.TimerHandle]()
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def noted(*arguments: Any) -> asyncio.TimerHandle:
        timers.append(call_later(*arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    first = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await cancelled(first)
    assert [timer.cancelled() for timer in timers] == [False]
    second = await started(session.suggest(place("x = 1")))
    assert [timer.cancelled() for timer in timers] == [True]
    stream.finish("10")
    assert await second == ["0"]


async def test_a_complete_suggestion_is_kept_while_it_is_typed(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("abc")
    assert await request == ["abc"]
    session.changed("x = a")
    assert await session.suggest(place("x = a")) == ["bc"]
    session.changed("x = ")
    assert await session.suggest(place("x = ")) == ["abc"]
    assert len(source.streams) == 1


async def test_a_suggestion_that_was_typed_to_its_end_is_followed_by_another(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("a")
    await request
    again = await started(session.suggest(place("x = a")))
    (await source.opened(2)).finish(" + b")
    assert await again == [" + b"]


async def test_that_there_is_nothing_to_suggest_is_remembered(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = 1")))
    (await source.opened(1)).finish("\n\n\n")
    assert await request == []
    assert await session.suggest(place("x = 1")) == []
    assert len(source.streams) == 1


async def test_an_error_reaches_the_request_that_waits_and_the_next_one_starts_anew(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    stream.send("half")
    stream.fail(EngineError("the engine stopped"))
    with pytest.raises(EngineError):
        await request
    again = await started(session.suggest(place("x = ")))
    (await source.opened(2)).finish("whole")
    assert await again == ["whole"]


async def test_closing_answers_what_waits_and_leaves_the_stream(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    session.close()
    assert await request is None
    await stream.closed.wait()


async def test_the_text_so_far_is_given_out_as_it_grows(
    session: Session, source: ScriptedSource
) -> None:
    seen = list[str]()
    request = await started(session.suggest(place("x = "), Wish(on_text=seen.append)))
    (await source.opened(1)).finish("one", " + two")
    await request
    assert seen == ["one", "one + two"]


async def test_an_answer_cut_by_the_token_limit_loses_its_unfinished_line(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("if a:")))
    (await source.opened(1)).finish("\n    b()\n    c(", reason="length")
    assert await request == ["\n    b()"]


async def test_a_request_waits_until_there_is_an_engine(
    session: Session, source: ScriptedSource
) -> None:
    ready = asyncio.Event()
    request = await started(session.suggest(place("x = "), Wish(ready=ready.wait)))
    await asyncio.sleep(0)
    assert source.streams == []
    ready.set()
    (await source.opened(1)).finish("1")
    assert await request == ["1"]


async def test_a_request_that_waits_for_an_engine_is_outdated_at_once(
    session: Session, source: ScriptedSource
) -> None:
    never = asyncio.Event()
    first = await started(session.suggest(place("x = "), Wish(ready=never.wait)))
    second = await started(session.suggest(place("x = "), Wish(ready=never.wait)))
    assert await first is None
    session.changed("y")
    assert await second is None
    third = await started(session.suggest(place("x = "), Wish(ready=never.wait)))
    session.close()
    assert await third is None
    await cancelled(await started(session.suggest(place("x = "), Wish(ready=never.wait))))
    assert session.is_empty
    assert source.streams == []


async def test_a_request_that_waits_for_an_engine_closes_a_stream_elsewhere(
    session: Session, source: ScriptedSource
) -> None:
    await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    ready = asyncio.Event()
    second = await started(session.suggest(place("y = "), Wish(ready=ready.wait)))
    await stream.closed.wait()
    ready.set()
    (await source.opened(2)).finish("2")
    assert await second == ["2"]


async def test_an_engine_that_cannot_be_had_is_the_error_of_the_request(session: Session) -> None:
    async def fail() -> None:
        raise EngineError("no engine")

    with pytest.raises(EngineError):
        await session.suggest(place("x = "), Wish(ready=fail))
    assert session.is_empty
