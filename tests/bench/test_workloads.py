"""What the workloads ask of a target, and what they make of its answers."""

import pytest

from opencoder_lsp.bench import workloads
from opencoder_lsp.bench.trace import Key
from opencoder_lsp.bench.workloads import Pressed, Size, Typed
from tests.bench.targets import NotingTarget

SIZE = Size(prefill=100, decode=9, rounds=3, streams=4)


def keys(*hasty: bool) -> list[tuple[Key, list[int]]]:
    """Make keys that each add one id to the prompt."""
    return [
        (Key("x" * number, number > 0, one), list(range(number + 1)))
        for number, one in enumerate(hasty)
    ]


def nothing() -> None:
    """Do nothing at a tick."""


async def test_every_round_of_prefill_has_a_prompt_that_no_slot_knows() -> None:
    target = NotingTarget("a")
    assert await workloads.prefill([target], SIZE, nothing) == {"a": 100.0}
    prompts = [prompt for prompt, _, _ in target.asked]
    assert [len(prompt) for prompt in prompts] == [100] * 3
    assert len({prompt[0] for prompt in prompts}) == 3


async def test_decoding_is_counted_behind_the_first_token() -> None:
    target = NotingTarget("a")
    assert await workloads.decode([target], [1, 2], SIZE, nothing) == {"a": 2.0}
    assert target.asked == [([1, 2], 10, False)] * 3


async def test_targets_take_turns_in_each_round() -> None:
    order = []

    class Turns(NotingTarget):
        async def ask(self, prompt: list[int], tokens: int, *, leave: bool = False):  # type: ignore[no-untyped-def]
            order.append(self.name)
            return await super().ask(prompt, tokens, leave=leave)

    await workloads.decode([Turns("a"), Turns("b")], [1], SIZE, nothing)
    assert order == ["a", "b"] * 3


async def test_streams_ask_for_several_prompts_that_share_nothing() -> None:
    target = NotingTarget("a")
    speeds = await workloads.streams([target], 4, SIZE, nothing)
    assert speeds["a"] > 0
    firsts = [prompt[0] for prompt, _, _ in target.asked]
    assert len(firsts) == len(set(firsts)) == 12


async def test_a_hasty_key_leaves_the_answer_and_targets_take_turns_at_each_pause() -> None:
    first, second = NotingTarget("a"), NotingTarget("b")
    ticks = []
    typed = keys(False, True, True, False)
    pressed = await workloads.typing([first, second], typed, lambda: ticks.append(1))
    assert [leave for _, _, leave in first.asked] == [False, True, True, False]
    assert [(press.number, press.target) for press in pressed] == [
        (0, "a"),
        (0, "b"),
        *((number, "a") for number in (1, 2, 3)),
        *((number, "b") for number in (1, 2, 3)),
    ]
    assert [press.total for press in pressed if press.target == "a"] == [8.5, None, None, 8.5]
    assert len(ticks) == 2 * workloads.pauses(typed)


async def test_each_turn_waits_until_the_one_before_it_has_settled() -> None:
    first, second = NotingTarget("a"), NotingTarget("b")
    asked: list[tuple[int, int]] = []

    async def settle() -> None:
        asked.append((len(first.asked), len(second.asked)))

    await workloads.typing([first, second], keys(False, True, False), lambda: None, settle)
    assert asked == [(0, 0), (1, 0), (1, 1), (3, 1)]


@pytest.mark.parametrize("work", ["prefill", "decode", "streams"])
async def test_each_turn_of_a_round_waits_as_well(work: str) -> None:
    first, second = NotingTarget("a"), NotingTarget("b")
    asked: list[tuple[int, int]] = []

    async def settle() -> None:
        asked.append((len(first.asked), len(second.asked)))

    extra = {"prefill": (), "decode": ([1],), "streams": (1,)}[work]
    await getattr(workloads, work)([first, second], *extra, SIZE, nothing, settle)
    assert asked == [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]


async def test_a_trace_that_ends_in_haste_is_typed_to_its_end() -> None:
    target = NotingTarget("a")
    await workloads.typing([target], keys(False, True), nothing)
    assert len(target.asked) == 2


async def test_what_reuses_nothing_is_asked_at_some_keys_only_and_never_left() -> None:
    target = NotingTarget("a", reuses=False)
    pressed = await workloads.typing([target], keys(*[False, True] * 13), nothing)
    assert not any(leave for _, _, leave in target.asked)
    assert 1 < len(pressed) < 6


def test_the_first_key_and_those_behind_a_move_are_summed_up_apart() -> None:
    pressed = [
        Pressed(0, "a", extends=False, first=9.0, total=99.0),
        Pressed(1, "a", extends=True, first=0.1, total=1.0),
        Pressed(2, "a", extends=True, first=0.3, total=None),
        Pressed(3, "a", extends=False, first=5.0, total=6.0),
        Pressed(4, "a", extends=True, first=0.2, total=3.0),
        Pressed(4, "b", extends=True, first=7.0, total=7.0),
    ]
    assert Typed.of(pressed, "a") == Typed(first=0.2, total=2.0, slowest_first=0.3, moved_first=5.0)


@pytest.mark.parametrize("target", ["a", "b"])
def test_a_target_without_keys_has_no_figures(target: str) -> None:
    assert Typed.of([], target) == Typed(0.0, 0.0, 0.0, 0.0)
