"""Who is computed next, and how much of it."""

from opencoder_lsp.engine.request import BACKGROUND, CHAT, COMPLETION, Event, Params, Request
from opencoder_lsp.engine.scheduler import Plan, Scheduler
from opencoder_lsp.engine.slots import SlotTable
from opencoder_lsp.engine.text import TextStream
from tests.fakes.runner import LETTERS


def make(ids: list[int], priority: int = COMPLETION, max_tokens: int = 8) -> Request:
    """Make a request whose events nobody reads."""
    params = Params(max_tokens=max_tokens, priority=priority)

    def ignore(_event: Event) -> None:
        pass

    return Request("r", ids, params, TextStream(LETTERS), ignore, context=1000)


def shape(plan: Plan) -> list[tuple[Request, int, int, bool]]:
    return [(w.request, w.start, w.count, w.sample) for w in plan.works]


def step(scheduler: Scheduler, token: int = 65) -> Plan:
    """Do what the plan says, each sampled token being the same."""
    plan = scheduler.plan()
    for work in plan.works:
        scheduler.advance(work)
        if work.sample:
            work.request.ids.append(token)
    return plan


def test_nothing_to_do_is_an_empty_plan() -> None:
    plan = Scheduler(SlotTable(1), chunk=4).plan()
    assert not plan.works
    assert not plan.ready


def test_a_prompt_is_computed_in_chunks_and_only_its_end_is_sampled() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    one = make(list(range(10)))
    scheduler.add(one)
    shapes = [shape(step(scheduler))[0][1:] for _ in range(4)]
    assert shapes == [(0, 4, False), (4, 4, False), (8, 2, True), (10, 1, True)]


def test_all_running_requests_decode_in_one_step() -> None:
    scheduler = Scheduler(SlotTable(2), chunk=8)
    one, two = make([1, 2]), make([3, 4, 5])
    scheduler.add(one)
    scheduler.add(two)
    step(scheduler)
    assert shape(step(scheduler)) == [(one, 2, 1, True), (two, 3, 1, True)]


def test_a_completion_waits_for_no_more_than_the_chunk_in_flight() -> None:
    scheduler = Scheduler(SlotTable(2), chunk=4)
    chat, completion = make(list(range(100)), CHAT), make([7, 8, 9])
    scheduler.add(chat)
    # Where something more urgent may come, a chunk is half as long.
    assert shape(step(scheduler)) == [(chat, 0, 2, False)]
    scheduler.add(completion)
    assert shape(step(scheduler)) == [(completion, 0, 3, True)]
    assert shape(step(scheduler)) == [(completion, 3, 1, True)]
    scheduler.remove(completion)
    assert shape(step(scheduler)) == [(chat, 2, 2, False)]


def test_a_running_chat_goes_on_decoding_beside_a_completion() -> None:
    scheduler = Scheduler(SlotTable(2), chunk=4)
    chat, completion = make([1, 2], CHAT), make([7, 8, 9])
    scheduler.add(chat)
    step(scheduler)
    scheduler.add(completion)
    assert {work.request for work in step(scheduler).works} == {chat, completion}


def test_equal_requests_share_the_chunk_in_the_order_of_arrival() -> None:
    scheduler = Scheduler(SlotTable(2), chunk=4)
    one, two = make([1, 2, 3]), make([4, 5, 6])
    scheduler.add(one)
    scheduler.add(two)
    assert shape(step(scheduler)) == [(one, 0, 3, True), (two, 0, 1, False)]


def test_who_waits_is_taken_by_priority_then_by_arrival() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    holder, chat, first, second = make([1]), make([2], CHAT), make([3]), make([4])
    for request in (holder, chat, first, second):
        scheduler.add(request)
        scheduler.plan()
    order = []
    for request in (holder, first, second, chat):
        order.append(scheduler.plan().works[0].request)
        scheduler.remove(request)
    assert order == [holder, first, second, chat]


def test_background_work_rests_while_anything_else_runs() -> None:
    scheduler = Scheduler(SlotTable(2), chunk=4)
    background, chat = make([1, 2], BACKGROUND), make([3, 4], CHAT)
    scheduler.add(background)
    step(scheduler)
    scheduler.add(chat)
    assert {work.request for work in step(scheduler).works} == {chat}
    scheduler.remove(chat)
    assert {work.request for work in step(scheduler).works} == {background}


def test_background_work_gives_up_its_slot_and_later_goes_on_from_its_rows() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=6)
    background = make([1, 2, 3], BACKGROUND)
    scheduler.add(background)
    step(scheduler)
    step(scheduler)
    urgent = make([1, 2, 3])
    scheduler.add(urgent)
    assert {work.request for work in step(scheduler).works} == {urgent}
    assert (scheduler.running, scheduler.waiting) == (1, 1)
    scheduler.remove(urgent)
    assert shape(scheduler.plan()) == [(background, 3, 2, True)]
    assert background.ids == [1, 2, 3, 65, 65]


def test_chat_gives_up_its_slot_for_a_completion_and_not_for_other_chat() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    chat, other, completion = make([1, 2], CHAT), make([4], CHAT), make([3])
    scheduler.add(chat)
    step(scheduler)
    scheduler.add(other)
    assert {work.request for work in step(scheduler).works} == {chat}
    scheduler.add(completion)
    assert {work.request for work in step(scheduler).works} == {completion}
    scheduler.remove(completion)
    assert {work.request for work in step(scheduler).works} == {chat}


def test_a_warming_request_is_ready_when_its_prompt_is_computed() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    one = make([1, 2, 3], max_tokens=0)
    scheduler.add(one)
    assert shape(step(scheduler)) == [(one, 0, 3, False)]
    assert scheduler.plan().ready == [one]


def test_a_warm_prompt_costs_its_last_token_only() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    for _ in range(2):
        one = make([1, 2, 3])
        scheduler.add(one)
        plan = step(scheduler)
        scheduler.remove(one)
    assert shape(plan) == [(one, 2, 1, True)]
    assert one.cached == 2


def test_a_request_that_failed_leaves_no_rows_behind() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    one, two = make([1, 2, 3]), make([1, 2, 3])
    scheduler.add(one)
    step(scheduler)
    scheduler.remove(one, keep_rows=False)
    scheduler.add(two)
    scheduler.plan()
    assert two.cached == 0


def test_a_waiting_request_can_leave() -> None:
    scheduler = Scheduler(SlotTable(1), chunk=4)
    one, two = make([1]), make([2])
    scheduler.add(one)
    scheduler.plan()
    scheduler.add(two)
    scheduler.remove(two)
    assert list(scheduler) == [one]
    assert scheduler.waiting == 0
