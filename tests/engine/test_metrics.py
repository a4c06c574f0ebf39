"""What `/metrics` says, read as Prometheus reads it."""

import asyncio
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.engine.conftest import Serve, Served, in_thread
from tests.fakes.runner import FakeRunner

PREFIX = "opencoder_engine_"


class Sampled:
    """All samples of one reading."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        assert all(family.documentation for family in families)
        self._samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have these labels; KeyError if none has."""
        found = [
            sample.value
            for sample in self._samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        ]
        if not found:
            raise KeyError(name)
        return sum(found)


async def read(engine: Served) -> Sampled:
    async with engine.session.get("http://engine/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Sampled(await response.text())


async def test_requests_are_counted_by_how_they_ended(served: Serve) -> None:
    runner = FakeRunner()
    async with served(runner, queue=0) as engine:
        await engine.ask(max_tokens=3)
        await engine.ask(max_tokens=9, stop_token_ids=[ord("b")])
        runner.fail = RuntimeError()
        await engine.refused()
        runner.pause()
        tasks = [asyncio.create_task(engine.ask(max_tokens=500)) for _ in range(4)]
        await engine.until_unfinished(4)
        assert (await engine.refused())[0] == 429
        tasks[0].cancel()
        await engine.cancelled.wait()
        runner.release()
        await asyncio.gather(*tasks[1:])
        await engine.until_unfinished(0)
        sampled = await read(engine)
    outcomes = {"stop": 1, "length": 4, "failed": 1, "cancelled": 1, "refused": 1}
    for outcome, count in outcomes.items():
        assert sampled("requests_total", outcome=outcome) == count, outcome


async def test_tokens_and_steps_are_counted(served: Serve) -> None:
    async with served() as engine:
        await engine.ask(prompt=[1, 2, 3, 4], max_tokens=3)
        await engine.ask(prompt=[1, 2, 3, 4], max_tokens=3)
        sampled = await read(engine)
    assert sampled("prompt_tokens_total") == 8
    assert sampled("cached_tokens_total") == 3
    assert sampled("completion_tokens_total") == 6
    assert sampled("steps_total") == 6


async def test_slots_and_the_queue_are_those_of_the_moment(served: Serve) -> None:
    runner = FakeRunner(slots=2)
    async with served(runner) as engine:
        runner.pause()
        tasks = [asyncio.create_task(engine.ask()) for _ in range(5)]
        await engine.until_unfinished(5)
        # Whoever came first has perhaps begun alone; in the next step the others are seen.
        runner.release(1)
        await in_thread(runner.wait_for_steps, 1)
        await in_thread(runner.wait_until_held)
        sampled = await read(engine)
        assert [sampled(name) for name in ("slots", "running", "waiting")] == [2, 2, 3]
        assert sampled("kv_bytes") == 2 * 1000 * 512
        runner.release()
        await asyncio.gather(*tasks)
        sampled = await read(engine)
        assert [sampled(name) for name in ("slots", "running", "waiting")] == [2, 0, 0]


@pytest.mark.parametrize(
    ("priority", "kind"), [(0, "completion"), (10, "chat"), (20, "background")]
)
async def test_an_answer_has_a_time_a_speed_and_a_cached_share(
    served: Serve, priority: int, kind: str
) -> None:
    async with served() as engine:
        for _ in range(2):
            await engine.ask(prompt=[1, 2, 3, 4], max_tokens=5, priority=priority)
        sampled = await read(engine)
    for name in ("time_to_first_token_seconds", "tokens_per_second", "cached_share"):
        assert sampled(f"{name}_count", kind=kind) == 2
    assert 0 < sampled("time_to_first_token_seconds_sum") < 60
    assert sampled("tokens_per_second_sum") > 0
    assert sampled("cached_share_sum") == 0.75  # none of the first, three of four of the second
    assert sampled("cached_share_bucket", kind=kind, le="0.0") == 1


async def test_the_speed_is_that_behind_the_first_token(served: Serve) -> None:
    async with served() as engine:
        await engine.ask(max_tokens=1)
        await engine.ask(max_tokens=9, stop_token_ids=[ord("a")])
        await engine.ask(max_tokens=0)
        sampled = await read(engine)
        assert sampled("time_to_first_token_seconds_count") == 2
        with pytest.raises(KeyError):
            sampled("tokens_per_second_count")


async def test_choices_have_a_speed_each_and_one_prompt(served: Serve) -> None:
    body: dict[str, Any] = {"n": 3, "max_tokens": 4}
    async with served() as engine:
        await engine.ask(**body)
        sampled = await read(engine)
    assert sampled("time_to_first_token_seconds_count") == 3
    assert sampled("tokens_per_second_count") == 3
    assert sampled("cached_share_count") == 1
    assert sampled("cached_share_sum") == 0
