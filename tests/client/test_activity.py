"""What `/metrics` says, read by the client."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.client.activity import Activity, Spread, quantile
from opencoder_lsp.client.engine import EngineClient
from opencoder_lsp.errors import EngineError, InvalidRequestError
from tests.client.strangers import http, stranger
from tests.engine.conftest import Serve

NOTHING = Activity({}, 0, None, None, {}, {})
TEXT = """
# HELP opencoder_engine_requests_total Requests by how they ended.
# TYPE opencoder_engine_requests_total counter
opencoder_engine_requests_total{outcome="stop"} 3.0
opencoder_engine_requests_total{outcome="cancelled"} 2.0
# TYPE opencoder_engine_prompt_tokens_total counter
opencoder_engine_prompt_tokens_total 200.0
opencoder_engine_cached_tokens_total 150.0
opencoder_engine_completion_tokens_total 40.0
opencoder_engine_drafted_tokens_total 0.0
opencoder_engine_accepted_tokens_total 0.0
# TYPE opencoder_engine_time_to_first_token_seconds histogram
opencoder_engine_time_to_first_token_seconds_bucket{kind="chat",le="0.1"} 0.0
opencoder_engine_time_to_first_token_seconds_bucket{kind="chat",le="+Inf"} 0.0
opencoder_engine_time_to_first_token_seconds_bucket{kind="completion",le="+Inf"} 4.0
opencoder_engine_time_to_first_token_seconds_bucket{kind="completion",le="0.1"} 2.0
opencoder_engine_time_to_first_token_seconds_bucket{kind="completion",le="0.2"} 4.0
opencoder_engine_time_to_first_token_seconds_count{kind="completion"} 4.0
another_makers_metric{le="0.1"} 9.0
"""


def test_counts_shares_and_times_are_read() -> None:
    activity = Activity.read(TEXT)
    assert activity.requests == {"stop": 3, "cancelled": 2}
    assert activity.completion_tokens == 40
    assert activity.cached_share == 0.75
    assert activity.lookup_acceptance is None  # nothing was guessed
    assert activity.first_token_seconds == {"completion": Spread(4, 0.1, 0.19)}
    assert activity.tokens_per_second == {}


async def test_the_real_engine_s_own_words_are_read(served: Serve, socket_path: Path) -> None:
    async with served() as engine:
        client = EngineClient(f"unix:{socket_path}")
        assert (await client.activity()).first_token_seconds == {}
        for priority in (0, 0, 10):
            await engine.ask(prompt=[1, 2, 3, 4], max_tokens=5, priority=priority)
        activity = await client.activity()
        await client.close()
    assert activity.requests["length"] == 3
    assert activity.completion_tokens == 15
    assert activity.cached_share == 0.5  # none of the first prompt, three of four of the others
    times, speeds = activity.first_token_seconds, activity.tokens_per_second
    assert {kind: spread.count for kind, spread in times.items()} == {"completion": 2, "chat": 1}
    assert 0 < times["completion"].p50 <= times["completion"].p95
    assert speeds["chat"].p50 > 0


@pytest.mark.parametrize("text", ["", "# only a comment\n", "vllm:num_requests_running 1.0\n"])
def test_what_says_nothing_of_ours_is_no_error(text: str) -> None:
    assert Activity.read(text) == NOTHING


@pytest.mark.parametrize("text", ["<html><body>", "{", 'x{y="1} 2', "x y z w"])
def test_what_is_no_such_format_is_an_error(text: str) -> None:
    with pytest.raises(EngineError, match="not Prometheus' format"):
        Activity.read(text)


def test_numbers_that_are_none_are_passed_over() -> None:
    assert Activity.read("opencoder_engine_completion_tokens_total NaN\n") == NOTHING


async def test_a_server_without_such_a_page_is_an_error(short: Path) -> None:
    async with stranger(short / "s", http("404 Not Found")) as client:
        with pytest.raises(InvalidRequestError):
            await client.activity()


COUNTS = st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(any)


@given(COUNTS, st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_its_measurement(counts: list[int], share: float) -> None:
    bounds = [float(n + 1) for n in range(len(counts) - 1)] + [math.inf]
    totals = [float(sum(counts[: n + 1])) for n in range(len(counts))]
    value = quantile(list(zip(bounds, totals, strict=True)), share)
    place = next(n for n, total in enumerate(totals) if total >= share * totals[-1] and total)
    assert place - 1e-9 <= value <= min(place + 1, len(counts) - 1) + 1e-9
