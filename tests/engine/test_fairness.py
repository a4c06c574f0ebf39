"""Who waits for whom, counted in steps; and that nobody's answer depends on who else is there."""

import math
import zlib
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.engine.request import BACKGROUND, CHAT, COMPLETION, Finish, Params, Request
from opencoder_lsp.engine.step import Outcome, Work
from tests.engine.test_generation import Bench
from tests.fakes.runner import FakeRunner

LONG = "chat " * 1638  # 8190 tokens
CONTEXT = 10_000


def next_token(ids: Sequence[int]) -> int:
    """Return what the model says: anything, but always the same after the same tokens."""
    return ord("a") + zlib.crc32(bytes(ids)) % 4


def said_alone(prompt: str, new: int) -> str:
    """Return an answer as it is with nobody else there."""
    ids = list(prompt.encode())
    for _ in range(new):
        ids.append(next_token(ids))
    return bytes(ids[len(prompt) :]).decode()


class MemoryRunner(FakeRunner):
    """Has the tokens of each slot in memory, and fails where those that it builds on are wrong."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots, lambda work: next_token(work.request.ids))
        self.first: dict[str, int] = {}  # of each request, the step that gave the first token
        self._rows: list[list[int]] = [[] for _ in range(slots)]

    def copy(self, source: int, target: int, rows: int) -> None:
        super().copy(source, target, rows)
        assert len(self._rows[source]) >= rows
        self._rows[target] = self._rows[source][:rows]

    def step(self, works: Sequence[Work]) -> list[Outcome]:
        outcomes = super().step(works)
        assert len({work.request.slot for work in works}) == len(works)
        for work in works:
            rows = self._rows[work.request.slot]
            assert rows[: work.start] == work.request.ids[: work.start]
            self._rows[work.request.slot] = rows[: work.start] + work.ids
            if work.sample:
                self.first.setdefault(work.request.id, len(self.steps))
        return outcomes


class Office(Bench):
    """A bench that knows when each request came, and what it has to say."""

    def __init__(self, slots: int, chunk: int) -> None:
        self.runner = MemoryRunner(slots)
        self.chunk = chunk
        self.came: dict[Request, int] = {}  # how many steps had been done
        super().__init__(self.runner, CONTEXT, chunk=chunk)

    def come(self, prompt: str, new: int, priority: int = COMPLETION) -> Request:
        request = self.add(prompt, Params(max_tokens=new, priority=priority))
        self.came[request] = len(self.runner.steps)
        return request

    def steps_to_first(self, request: Request) -> int:
        """Return in which step after its arrival a request had its first token."""
        return self.runner.first[request.id] - self.came[request]

    def cost(self, request: Request) -> int:
        """Return how many steps a request takes alone, with nothing cached."""
        return self.prefill_steps(request) + request.params.max_tokens

    def prefill_steps(self, request: Request) -> int:
        """Return how many of them its prompt takes: a completion's chunks are twice as long."""
        whole = request.params.priority == COMPLETION
        return math.ceil(request.prompt_tokens / (self.chunk if whole else max(1, self.chunk // 2)))

    def check(self) -> None:
        """Everybody has said the same as alone."""
        for request in self.events:
            assert isinstance(self.end(request), Finish)
            prompt = bytes(request.ids[: request.prompt_tokens]).decode()
            assert self.text(request) == said_alone(prompt, request.params.max_tokens)


PROMPTS = st.builds(
    lambda common, own, length: (common * 30)[:length] + own,
    st.sampled_from(["ab", "abc", "x"]),
    st.text("abx", min_size=1, max_size=5),
    st.integers(0, 60),
)
ARRIVALS = st.lists(
    st.tuples(PROMPTS, st.integers(1, 12), st.integers(0, 6)), min_size=1, max_size=12
)


@given(ARRIVALS, st.integers(1, 4), st.integers(1, 20), st.sampled_from([COMPLETION, CHAT, 20]))
@settings(deadline=None)
def test_among_equals_nobody_waits_longer_than_those_before_him_need(
    arrivals: list[tuple[str, int, int]], slots: int, chunk: int, priority: int
) -> None:
    office = Office(slots, chunk)
    patience: dict[Request, int] = {}
    for prompt, new, pause in arrivals:
        before = [request for request in office.generation._scheduler]
        one = office.come(prompt, new, priority)
        patience[one] = sum(map(office.cost, before)) + office.prefill_steps(one)
        for _ in range(pause):
            office.generation.step()
    office.run()
    office.check()
    for request, most in patience.items():
        assert office.steps_to_first(request) <= most


@given(
    st.lists(
        st.tuples(PROMPTS, st.integers(0, 12), st.integers(0, 6), st.sampled_from([0, 5, 10, 20])),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 4),
    st.integers(1, 20),
)
@settings(deadline=None)
def test_whoever_comes_and_gives_way_to_whom_everybody_says_the_same_as_alone(
    arrivals: list[tuple[str, int, int, int]], slots: int, chunk: int
) -> None:
    office = Office(slots, chunk)
    for prompt, new, pause, priority in arrivals:
        office.come(prompt, new, priority)
        for _ in range(pause):
            office.generation.step()
    # When nobody comes any more, each is thrown out at most once by each of those who are there.
    longest = sum(map(office.cost, office.events)) * (1 + len(arrivals))
    for _ in range(longest):
        office.generation.step()
    assert office.generation.idle
    office.check()


@given(st.integers(1, 8190), st.sampled_from([128, 256, 512, 1024]), st.integers(2, 4), st.data())
@settings(deadline=None, max_examples=30)
def test_a_completion_has_its_first_token_within_two_steps_however_long_a_chat_is(
    length: int, chunk: int, slots: int, data: st.DataObject
) -> None:
    office = Office(slots, chunk)
    talking = [office.come("hello", 40, CHAT) for _ in range(slots - 2)]
    for _ in range(data.draw(st.integers(0, 5))):
        office.generation.step()
    chat = office.come(LONG[:length], 3, CHAT)
    for _ in range(data.draw(st.integers(0, 8190 // chunk + 2))):
        office.generation.step()
    key = office.come("x" * data.draw(st.integers(1, chunk)), 5)
    office.run()
    # The step in flight when it came is the first, its own the second.
    assert 1 + office.steps_to_first(key) <= 2
    assert all(office.end(request) for request in (chat, *talking))
    office.check()


@given(
    st.sampled_from([128, 512, 1024]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([CHAT, BACKGROUND]),
    st.data(),
)
@settings(deadline=None, max_examples=50)
def test_a_completion_does_so_also_where_others_have_all_slots(
    chunk: int, slots: int, speaking: bool, priority: int, data: st.DataObject
) -> None:
    office = Office(slots, chunk)
    for n in range(slots):
        office.come(f"{n}{'talk' if speaking else LONG}", 20, priority)
    for _ in range(data.draw(st.integers(1, 12))):
        office.generation.step()
    key = office.come("x" * data.draw(st.integers(1, chunk)), 5)
    steps = len(office.runner.steps)
    while not office.runner.first.get(key.id):
        office.generation.step()
    assert 1 + office.steps_to_first(key) <= 2
    prompts = [work for work in office.runner.steps[steps] if work[2] > 1 or priority > CHAT]
    assert set(prompts) <= {(key.id, 0, key.prompt_tokens)}  # no prompt beside it
    office.run()
    office.check()


def test_background_work_gives_way_to_chat_as_well_and_goes_on_behind_it() -> None:
    office = Office(slots=1, chunk=16)
    work = office.come("background " * 4, 4, BACKGROUND)
    office.generation.step()
    chat = office.come("hello", 4, CHAT)
    office.run()
    names = [step[0][0] for step in office.runner.steps]
    assert names == [work.id, *[chat.id] * 4, *[work.id] * 9]
    office.check()


def test_who_lost_his_slot_has_it_back_before_those_who_came_later() -> None:
    office = Office(slots=1, chunk=8)
    first, second = (office.come(text, 3, BACKGROUND) for text in ("first", "second"))
    office.generation.step()
    key = office.come("key", 1)
    office.run()
    order = list(dict.fromkeys(step[0][0] for step in office.runner.steps[1:]))
    assert order == [key.id, first.id, second.id]
    office.check()


def test_of_background_work_the_one_that_came_last_gives_its_slot_up() -> None:
    office = Office(slots=2, chunk=8)
    first, second = (office.come(text, 9, BACKGROUND) for text in ("first", "second"))
    office.generation.step()
    office.generation.step()
    office.come("key", 2)
    office.generation.step()
    assert (first.slot >= 0, second.slot >= 0) == (True, False)
    office.run()
    office.check()


def test_background_work_takes_no_slot_and_copies_nothing_while_others_are_at_work() -> None:
    office = Office(slots=3, chunk=8)
    document = office.come("a document of some length", 1)
    office.run()
    chat = office.come("hello", 9, CHAT)
    office.generation.step()
    work = office.come("a document of another", 1, BACKGROUND)
    while office.generation.running:
        assert work.slot < 0 or chat.slot < 0
        office.generation.step()
    again = office.come("a document of some length", 1)
    office.run()
    assert again.cached == document.prompt_tokens - 1
    office.check()


def test_chat_gives_its_slot_to_a_completion_and_goes_on_before_later_chat() -> None:
    office = Office(slots=1, chunk=8)
    chat = office.come("hello", 6, CHAT)
    office.generation.step()
    later, key = office.come("another", 6, CHAT), office.come("key", 1)
    office.run()
    names = [step[0][0] for step in office.runner.steps]
    assert list(dict.fromkeys(names[1:])) == [key.id, chat.id, later.id]
    office.check()
