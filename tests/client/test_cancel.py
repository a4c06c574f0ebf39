"""Two thousand cancelled streams, the test that chose the HTTP client, and cancelling in detail."""

import asyncio
import gc
import logging
import os
import random

import pytest

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from tests.fakes.engine import FakeEngine

REQUEST = CompletionRequest(prompt=[1, 2, 3], max_tokens=64)
CANCELS = 2000
AT_ONCE = 20
ENDS = ("before connecting", "in the middle", "waiting for the answer", "streaming")


async def ask(client: EngineClient, request: CompletionRequest = REQUEST) -> str:
    async with client.complete(request) as stream:
        return "".join([piece async for piece in stream])


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


async def cancel_once(client: EngineClient, turns: int) -> None:
    """Open a stream and cancel it after so many turns of the event loop."""
    task = asyncio.create_task(ask(client))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancel_batch(
    fake: FakeEngine, client: EngineClient, where: str, dice: random.Random
) -> None:
    """Cancel AT_ONCE streams, all at one place of their lives."""
    if where == "before connecting":
        await asyncio.gather(*(cancel_once(client, 0) for _ in range(AT_ONCE)))
        return
    if where == "in the middle":
        turns = [dice.randrange(1, 60) for _ in range(AT_ONCE)]
        await asyncio.gather(*(cancel_once(client, n) for n in turns))
        return
    if where == "waiting for the answer":
        fake.hold()
    else:
        fake.pause_after(dice.randrange(4))
    tasks = [asyncio.create_task(ask(client)) for _ in range(AT_ONCE)]
    await fake.paused(AT_ONCE)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.fault("F23")
async def test_two_thousand_cancelled_streams_leave_nothing_behind(
    fake: FakeEngine, client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    fake.default = "one two three four five "
    assert await ask(client) == fake.default
    await fake.disconnected()
    gc.collect()  # what other tests have left would end, and be logged, in the middle of this one
    files, dice = open_files(), random.Random(7)
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        for number in range(CANCELS // AT_ONCE):
            where = ENDS[number % len(ENDS)]
            fake.pause_after(5)  # so that no stream ends by itself
            await cancel_batch(fake, client, where, dice)
            fake.resume()
            async with asyncio.timeout(30):
                assert await ask(client) == fake.default, f"the request after cancelling {where}"
    async with asyncio.timeout(30):
        await fake.until(lambda: fake.running == 0)
        await fake.disconnected()
    assert fake.cancellations >= CANCELS // 2, "too few of the cancels were seen by the server"
    assert open_files() == files
    assert not caplog.records, "a cancelled request must not log anything"


async def test_leaving_a_stream_is_seen_by_the_engine_at_once(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.pause_after(1)
    async with client.complete(REQUEST) as stream:
        async for _ in stream:
            break
        assert fake.running == 1
    async with asyncio.timeout(30):
        await fake.cancelled()
    assert fake.running == 0


async def test_an_exception_in_the_block_cancels_the_request_and_passes_through(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.pause_after(1)

    async def read() -> None:
        async with client.complete(REQUEST) as stream:
            async for _ in stream:
                raise OSError("the reader's own")

    with pytest.raises(OSError, match="the reader's own"):
        await read()
    await fake.cancelled()


@pytest.mark.fault("F47")
async def test_cancelling_one_stream_leaves_the_others_alone(
    fake: FakeEngine, client: EngineClient
) -> None:
    fake.pause_after(1)
    tasks = [asyncio.create_task(ask(client)) for _ in range(3)]
    await fake.paused(3)
    tasks[1].cancel()
    await fake.cancelled()
    fake.resume()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[0], results[2]] == [fake.default, fake.default]
    assert isinstance(results[1], asyncio.CancelledError)
