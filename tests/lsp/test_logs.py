"""The log: it never waits for anybody, and never says the same thing with each key."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from opencoder_lsp.lsp import logs
from opencoder_lsp.lsp.logs import BackgroundHandler, log_failure, logging_in_background

WAIT = 60.0


class Kept(logging.Handler):
    """Keeps what it is given; stands still while `held`."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.standing = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.standing.set()
        assert self.go.wait(WAIT)
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    yield handler
    handler.go.set()


def logger_of(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger


def test_lines_are_written_in_order_with_their_values(kept: Kept) -> None:
    background = BackgroundHandler([kept])
    logger = logger_of(background)
    for number in range(100):
        logger.warning("line %d", number)
    background.stop(WAIT)
    assert kept.lines == [f"line {number}" for number in range(100)]


@pytest.mark.fault("F22")
def test_a_log_that_nobody_reads_stops_nobody(kept: Kept) -> None:
    kept.go.clear()
    background = BackgroundHandler([kept])
    logger = logger_of(background)
    logger.warning("the first")
    assert kept.standing.wait(WAIT)
    for number in range(5000):
        logger.warning("line %d", number)
    background.stop(0.01)
    assert kept.lines == []
    kept.go.set()
    background.stop(WAIT)
    assert kept.lines[:2] == ["the first", "line 0"]
    assert len(kept.lines) < 5000


def test_a_line_that_repeats_is_written_once_and_then_with_its_number(kept: Kept) -> None:
    background = BackgroundHandler([kept], period=1000)
    logger = logger_of(background)
    for _ in range(50):
        logger.warning("a change of %s was dropped", "it")
        logger.warning("something else")
    background._period = 0  # it has passed
    logger.warning("a change of %s was dropped", "it")
    background.stop(WAIT)
    assert kept.lines == [
        "a change of it was dropped",
        "something else",
        "a change of it was dropped (49 times more)",
    ]


def test_no_more_than_some_lines_are_remembered(kept: Kept) -> None:
    background = BackgroundHandler([kept], period=1000)
    logger = logger_of(background)
    for number in range(1000):
        logger.warning("line %d", number)
    assert len(background._written) <= 100
    background.stop(WAIT)


def test_handlers_keep_their_levels(kept: Kept) -> None:
    kept.setLevel(logging.ERROR)
    background = BackgroundHandler([kept])
    logger_of(background).warning("too low")
    logger_of(background).error("high enough")
    background.stop(WAIT)
    assert kept.lines == ["high enough"]


def test_every_log_is_in_the_background_for_the_length_of_a_block(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_LAST_WORDS", WAIT)
    kept.addFilter(logging.Filter("anybody"))  # threads of other tests may say something, too
    root = logging.getLogger()
    root.addHandler(kept)
    before = root.handlers[:]
    try:
        with logging_in_background():
            assert len(root.handlers) == 1
            logging.getLogger("anybody").warning("said")
        assert root.handlers == before
        assert kept.lines == ["said"]
    finally:
        root.removeHandler(kept)


@pytest.mark.fault("F66")
async def test_what_asyncio_finds_nobody_to_tell_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_failure)
    called = asyncio.Event()

    def fail(text: str) -> None:
        called.set()
        raise ValueError(text)

    loop.call_soon(fail, "secret")
    await called.wait()
    await asyncio.sleep(0)
    assert "ValueError in fail" in caplog.text
    assert "secret" not in caplog.text
