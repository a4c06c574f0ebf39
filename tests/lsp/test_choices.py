"""Several choices for a request of the user's own, and what is prepared while one is shown."""

import asyncio

import pytest

from opencoder_lsp.errors import EngineError
from opencoder_lsp.lsp.habits import Habits, Patience, Wish
from opencoder_lsp.lsp.suggestion import Session
from tests.lsp.streams import LONG, ScriptedSource, place, started

THREE = Wish(invoked=True, choices=3)


async def test_the_likeliest_comes_first_and_others_behind_it(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    others = await source.drawn(1)
    assert (others.place, others.count) == (place("x = "), 2)
    others.finish("b()", "c()")
    assert await request == ["a()", "b()", "c()"]


async def test_choices_that_are_equal_or_empty_are_left_out(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), Wish(choices=4)))
    (await source.opened(1)).finish("a()")
    (await source.drawn(1)).finish("a()", "\n\n\n", "b()")
    assert await request == ["a()", "b()"]


async def test_others_are_drawn_once_the_prompt_that_they_share_is_computed(
    session: Session, source: ScriptedSource
) -> None:
    await started(session.suggest(place("x = "), THREE))
    stream = await source.opened(1)
    await asyncio.sleep(0)
    assert source.others == []
    stream.send("a")
    await source.drawn(1)


async def test_the_others_are_shown_where_the_likeliest_is_nothing(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("")
    (await source.drawn(1)).finish("b()", "c()")
    assert await request == ["b()", "c()"]


async def test_each_of_the_others_ends_by_itself_and_the_last_one_ends_the_stream(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("def f():"), THREE))
    (await source.opened(1)).finish("\n    a()")
    others = await source.drawn(1)
    others.send(0, "\n    b()\n\n\ndef g():\n    c()")
    others.send(1, "\n    d()")
    others.send(0, " what comes too late")
    others.send(1, "\n\n\ndef")
    assert await request == ["\n    a()", "\n    b()", "\n    d()"]
    await others.closed.wait()


async def test_an_other_that_the_token_limit_cut_off_loses_its_unfinished_line(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("if a:"), Wish(choices=2)))
    (await source.opened(1)).finish("\n    a()")
    others = await source.drawn(1)
    others.finish("\n    b()\n    c(")
    others.finish_reasons[0] = "length"
    assert await request == ["\n    a()", "\n    b()"]


async def test_choices_are_kept_and_an_automatic_request_gets_the_first(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    (await source.drawn(1)).finish("b()", "c()")
    await request
    assert await session.suggest(place("x = "), THREE) == ["a()", "b()", "c()"]
    assert await session.suggest(place("x = ")) == ["a()"]
    assert await session.suggest(place("x = c")) == ["()"]
    assert (len(source.streams), len(source.others)) == (1, 1)


async def test_where_the_likeliest_is_known_only_the_others_are_drawn(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("a()")
    await request
    request = await started(session.suggest(place("x = "), THREE))
    (await source.drawn(1)).finish("b()", "c()")
    assert await request == ["a()", "b()", "c()"]
    assert len(source.streams) == 1


async def test_others_that_fail_leave_the_likeliest_and_are_drawn_again(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    (await source.drawn(1)).fail(EngineError("no more"))
    assert await request == ["a()"]
    request = await started(session.suggest(place("x = "), THREE))
    (await source.drawn(2)).finish("b()", "c()")
    assert await request == ["a()", "b()", "c()"]


async def test_others_that_take_too_long_are_not_waited_for(source: ScriptedSource) -> None:
    session = Session(source, Habits(patience=Patience(LONG, LONG, others=0.01)))
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    others = await source.drawn(1)
    assert await request == ["a()"]
    await others.closed.wait()


async def test_an_edit_ends_a_request_that_waits_for_the_others_and_their_stream(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    others = await source.drawn(1)
    session.changed("y = ")
    assert await request is None
    await others.closed.wait()


async def test_cancelling_a_request_that_waits_for_the_others_ends_their_stream(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = "), THREE))
    (await source.opened(1)).finish("a()")
    others = await source.drawn(1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await others.closed.wait()
    assert session.is_empty


async def shown(session: Session, source: ScriptedSource, text: str, number: int = 1) -> None:
    """Show a suggestion at `x = `, and let what follows it be prepared."""
    request = await started(session.suggest(place("x = ", "\n")))
    (await source.opened(number)).finish(text)
    assert await request == [text]
    session.prepare(place("x = ", "\n"), place("x = " + text, "\n"))


async def test_what_follows_an_accepted_suggestion_is_there_at_once(
    session: Session, source: ScriptedSource, habits: Habits
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    assert (stream.place, stream.ahead) == (place("x = foo", "\n"), True)
    stream.finish("(1)")
    await stream.closed.wait()
    session.changed("x = foo\n")
    assert await session.suggest(place("x = foo", "\n")) == ["(1)"]
    assert habits.tally.known == 1
    assert len(source.streams) == 2


async def test_typing_the_suggestion_keeps_what_is_prepared(
    session: Session, source: ScriptedSource
) -> None:
    await shown(session, source, "foo()")
    stream = await source.opened(2)
    for typed in ("f", "foo", "foo()", "foo()\n    b"):
        session.changed(f"x = {typed}\n")
        assert not stream.closed.is_set()
    session.changed("x = foo()\n    bad\n")
    stream.send("\n    bar()")
    await asyncio.sleep(0)
    assert not session.is_empty
    session.changed("x = foo()\n    bad\n")
    await stream.closed.wait()


@pytest.mark.parametrize("text", ["x = g\n", "x = \n#", "x =\n", ""])
async def test_an_edit_that_contradicts_the_suggestion_ends_what_is_prepared(
    session: Session, source: ScriptedSource, text: str
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    session.changed(text)
    await stream.closed.wait()
    assert session.is_empty


async def test_a_request_that_needs_the_engine_ends_what_is_prepared(
    session: Session, source: ScriptedSource
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    await started(session.suggest(place("elsewhere")))
    await stream.closed.wait()
    assert not (await source.opened(3)).ahead


async def test_a_request_takes_over_what_is_still_being_prepared(
    session: Session, source: ScriptedSource, habits: Habits
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    stream.send("(")
    session.changed("x = foo\n")
    request = await started(session.suggest(place("x = foo", "\n")))
    stream.finish("1)")
    assert await request == ["(1)"]
    assert habits.tally.joined == 1


async def test_a_stream_that_makes_way_for_others_is_not_waited_for(
    source: ScriptedSource,
) -> None:
    session = Session(source, Habits(patience=Patience(LONG, stall=0.01, others=LONG)))
    await shown(session, source, "foo")
    waiting = await source.opened(2)
    request = await started(session.suggest(place("x = foo", "\n")))
    stream = await source.opened(3)
    await waiting.closed.wait()
    assert (stream.place, stream.ahead) == (place("x = foo", "\n"), False)
    stream.finish("(1)")
    assert await request == ["(1)"]


async def test_what_cannot_be_prepared_is_nobody_s_error(
    session: Session, source: ScriptedSource
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    request = await started(session.suggest(place("x = foo", "\n")))
    stream.fail(EngineError("the queue is full"))
    (await source.opened(3)).finish("(1)")
    assert await request == ["(1)"]


async def test_nothing_is_prepared_twice_nor_what_is_known(
    session: Session, source: ScriptedSource
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    session.prepare(place("x = ", "\n"), place("x = foo", "\n"))
    stream.finish("(1)")
    await stream.closed.wait()
    session.prepare(place("x = ", "\n"), place("x = foo", "\n"))
    await asyncio.sleep(0)
    assert len(source.streams) == 2


async def test_closing_the_document_ends_what_is_prepared(
    session: Session, source: ScriptedSource
) -> None:
    await shown(session, source, "foo")
    stream = await source.opened(2)
    session.close()
    await stream.closed.wait()
    assert session.is_empty


async def test_a_place_is_known_by_a_result_or_by_an_open_stream(
    session: Session, source: ScriptedSource
) -> None:
    assert not session.knows(place("x = foo", "\n"))
    await shown(session, source, "foo")
    assert session.knows(place("x = f", "\n"))
    assert session.knows(place("x = foo", "\n"))
    assert not session.knows(place("x = g", "\n"))
