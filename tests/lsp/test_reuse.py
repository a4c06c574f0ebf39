"""What a session makes of former suggestions, of closed brackets and of hasty keys."""

import asyncio

import pytest

from opencoder_lsp.lsp.habits import Habits, Tally, Wish
from opencoder_lsp.lsp.suggestion import Session
from tests.lsp.streams import LONG, PATIENT, ScriptedSource, cancelled, place, started


async def test_going_back_to_a_former_place_needs_no_engine(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("abc")
    assert await request == ["abc"]
    session.changed("x = z")
    request = await started(session.suggest(place("x = z")))
    (await source.opened(2)).finish("oo")
    assert await request == ["oo"]
    session.changed("x = ")
    assert await session.suggest(place("x = ")) == ["abc"]
    session.changed("x = zo")
    assert await session.suggest(place("x = zo")) == ["o"]
    assert len(source.streams) == 2


async def test_typing_along_what_a_suggestion_was_shown_as_needs_no_engine(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("\t", "\n")))
    (await source.opened(1)).finish("if x:\n        y = 1")
    assert await request == ["if x:\n        y = 1"]
    session.shown_as(place("\t", "\n"), "if x:\n\t\ty = 1")
    session.changed("\tif x:\n\t\ty\n")
    assert await session.suggest(place("\tif x:\n\t\ty", "\n")) == [" = 1"]
    assert len(source.streams) == 1


async def test_a_bracket_that_the_editor_closes_keeps_a_suggestion(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ", "\n")))
    (await source.opened(1)).finish("foo(a, b)")
    assert await request == ["foo(a, b)"]
    session.changed("x = foo()\n")
    assert await session.suggest(place("x = foo(", ")\n")) == ["a, b)"]
    session.changed("x = foo(a, b)\n")
    assert len(source.streams) == 1


async def test_a_bracket_that_the_editor_closes_keeps_a_stream(
    session: Session, source: ScriptedSource
) -> None:
    await started(session.suggest(place("x = ", "\n")))
    stream = await source.opened(1)
    stream.send("foo(")
    await asyncio.sleep(0)
    session.changed("x = foo()\n")
    request = await started(session.suggest(place("x = foo(", ")\n")))
    stream.finish("a)")
    assert await request == ["a)"]
    assert len(source.streams) == 1


async def test_a_stream_that_ends_while_nobody_waits_is_kept_for_later(
    session: Session, source: ScriptedSource
) -> None:
    request = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    await cancelled(request)
    stream.finish("foo")
    await stream.closed.wait()
    session.changed("x = f")
    assert await session.suggest(place("x = f")) == ["oo"]
    assert len(source.streams) == 1


async def test_what_would_stand_there_is_not_contradicted_by_what_does(
    session: Session, source: ScriptedSource
) -> None:
    """The selected item of a list stays the same while letters of it are typed."""
    virtual = Wish(virtual=True)
    first = await started(session.suggest(place("x = print"), virtual))
    stream = await source.opened(1)
    session.changed("x = pr")
    assert await first is None
    second = await started(session.suggest(place("x = print"), virtual))
    stream.finish("(1)")
    assert await second == ["(1)"]
    assert len(source.streams) == 1


def hasty(seconds: float) -> Habits:
    """Return the habits of a server whose requests wait as long before they ask an engine."""
    return Habits(patience=PATIENT, debounce=lambda: round(seconds * 1000))


async def test_a_request_that_waits_for_the_next_key_is_outdated_by_it(
    source: ScriptedSource,
) -> None:
    habits = hasty(LONG)
    session = Session(source, habits)
    first = await started(session.suggest(place("x = ")))
    second = await started(session.suggest(place("x = 1")))
    assert await first is None
    session.changed("x = 12")
    assert await second is None
    third = await started(session.suggest(place("x = 12")))
    session.close()
    assert await third is None
    assert source.streams == []
    assert habits.tally.outdated == 3


async def test_a_request_is_not_outdated_by_waiting(source: ScriptedSource) -> None:
    session = Session(source, hasty(0.001))
    request = await started(session.suggest(place("x = ")))
    (await source.opened(1)).finish("1")
    assert await request == ["1"]


async def test_what_the_user_asks_for_does_not_wait(source: ScriptedSource) -> None:
    session = Session(source, hasty(LONG))
    request = await started(session.suggest(place("x = "), Wish(invoked=True)))
    (await source.opened(1)).finish("1")
    assert await request == ["1"]


async def test_what_needs_no_engine_does_not_wait(source: ScriptedSource) -> None:
    session = Session(source, hasty(LONG))
    request = await started(session.suggest(place("x = "), Wish(invoked=True)))
    (await source.opened(1)).finish("12")
    await request
    assert await session.suggest(place("x = 1")) == ["2"]


async def test_how_requests_were_answered_is_counted(source: ScriptedSource) -> None:
    habits = Habits(patience=PATIENT)
    session = Session(source, habits)
    opened = await started(session.suggest(place("x = ")))
    stream = await source.opened(1)
    joined = await started(session.suggest(place("x = 1")))
    stream.finish("123")
    assert await opened is None
    assert await joined == ["23"]
    assert await session.suggest(place("x = 12")) == ["3"]
    request = await started(session.suggest(place("y = ")))
    await cancelled(request)
    assert habits.tally == Tally(known=1, joined=1, opened=0, outdated=2)


@pytest.mark.parametrize("endless", ["\n", "\n    ", " \n\t\n"])
async def test_a_model_that_says_nothing_without_end_is_left_and_not_asked_again(
    session: Session, source: ScriptedSource, endless: str
) -> None:
    request = await started(session.suggest(place("x = 1")))
    stream = await source.opened(1)
    stream.send(*[endless] * 10)
    assert await request == []
    await stream.closed.wait()
    assert await session.suggest(place("x = 1")) == []
    assert len(source.streams) == 1
