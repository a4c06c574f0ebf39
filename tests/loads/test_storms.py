"""L2, L4 and L5: many small messages in one go, and the text of the document afterwards."""

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.lsp.framing import frame
from opencoder_lsp.prompt.tasks import fenced
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.engine import FakeEngine
from tests.loads import pygls_server
from tests.loads.conftest import StartFront
from tests.loads.figures import Figures, percentile
from tests.loads.front import METHOD_NOT_FOUND, URI, Front, changed, insertion, timed
from tests.loads.processes import TIMEOUT
from tests.loads.scale import SCALE

Response = dict[str, Any]
Expected = Callable[[Response], bool]

MOST_GROWTH = 20e6  # bytes of resident memory
KEY_SECONDS = 0.02
LINE = 1000  # in which keys are typed, in the middle of a document
INVALID_PARAMS = -32602
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 2**31 - 1, "character": 0}}


class Typist:
    """Edits an ASCII text, and knows it; each edit is the change that LSP would send."""

    def __init__(self, lines: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._lines = [f"value_{number} = compute({number})  # line" for number in range(lines)]

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def edit(self) -> dict[str, Any]:
        """Type a letter mostly, else take some away, or begin a new line."""
        line = self._dice.randrange(len(self._lines))
        old = self._lines[line]
        at = self._dice.randint(0, len(old))
        kind = self._dice.random()
        if kind < 0.8:
            return self._replace(line, at, 0, self._dice.choice("abcxyz ()=."))
        if kind < 0.95:
            return self._replace(line, at, self._dice.randint(0, len(old) - at), "")
        self._lines[line : line + 1] = [old[:at], old[at:]]
        return insertion(line, at, "\n")

    def type_at(self, line: int, character: int, text: str) -> dict[str, Any]:
        """Type text at a place."""
        return self._replace(line, character, 0, text)

    def _replace(self, line: int, at: int, removed: int, text: str) -> dict[str, Any]:
        old = self._lines[line]
        self._lines[line] = old[:at] + text + old[at + removed :]
        return insertion(line, at, text, removed)


async def assert_text(server: Front, fake: FakeEngine, folder: Path, text: str) -> None:
    """Look at the document as the engine gets to see it, all of it attached to a chat."""
    asked = len(fake.requests)
    answer = await server.chat("text", attachments=[{"uri": URI, "range": WHOLE}])
    assert "result" in answer, answer
    (chat,) = [body for body in fake.requests[asked:] if body.get("priority") == 10]
    said = Tokenizer.load(folder).decode(chat["prompt"])
    # Not in the assertion: pytest would compare them for minutes.
    same = fenced(text, "python") in said
    assert same, "the server has another text"


def small_requests(count: int) -> list[tuple[str, Any, Expected]]:
    """Return requests of all kinds that need no engine: method, params, and what to expect."""
    place = {
        "textDocument": {"uri": "file:///not/open.py"},
        "position": {"line": 0, "character": 0},
    }
    span = {"start": place["position"], "end": {"line": 0, "character": 3}}
    document = {"textDocument": {"uri": URI}}
    status = {"command": "opencoder.status", "arguments": [{}]}

    def code(wanted: int) -> Expected:
        return lambda answer: bool(answer["error"]["code"] == wanted)

    kinds: list[tuple[str, Any, Expected]] = [
        ("workspace/executeCommand", status, lambda answer: answer["result"]["documents"] == 1),
        ("workspace/executeCommand", {"command": "nonsense"}, code(INVALID_PARAMS)),
        (
            "textDocument/inlineCompletion",
            {**place, "context": {"triggerKind": 1}},
            lambda answer: answer["result"] is None,
        ),
        ("textDocument/inlineCompletion", {"position": -1}, code(INVALID_PARAMS)),
        (
            "textDocument/codeAction",
            {**document, "range": span, "context": {"diagnostics": []}},
            lambda answer: len(answer["result"]) == 2,  # to explain, and to rewrite
        ),
        ("textDocument/hover", {**place}, code(METHOD_NOT_FOUND)),
    ]
    return [kinds[number % len(kinds)] for number in range(count)]


async def test_small_requests_in_one_go_are_each_answered_once(
    front: StartFront, figures: Figures
) -> None:
    async with front() as server:
        await server.initialize()
        await server.ready()
        server.open("x = 1\n")
        for method, params, _ in small_requests(100):
            await server.request(method, params)
        before = server.usage.memory_info().rss
        began = time.perf_counter()
        asked = small_requests(SCALE.pipelined)
        answers = [server.request(method, params) for method, params, _ in asked]
        for answer, (method, _, expected) in zip(answers, asked, strict=True):
            response = await answer
            assert expected(response), (method, response)
        seconds = time.perf_counter() - began
        growth = server.usage.memory_info().rss - before
        assert set(server.answers.values()) == {1}
        assert server.unanswered == 0
        assert server.shown == []
        assert growth < MOST_GROWTH
    figures.add("L2", f"{SCALE.pipelined} small requests", f"{seconds:.1f} s", "< 20 s")
    figures.add("L2", "growth of RSS", f"{growth / 1e6:.1f} MB", "< 20 MB")


async def type_keys(
    server: Front, fake: FakeEngine, typist: Typist
) -> tuple[list[float], list[Response]]:
    """
    Type into a line, with a completion for each third key.

    Returns for each key how many seconds the server was busy with what came before, and the
    responses.
    """
    pings, completions = (
        list[asyncio.Task[tuple[float, Response]]](),
        list["asyncio.Future[Response]"](),
    )
    began = time.perf_counter()
    for key in range(SCALE.keys):
        if key % 30 == 0:  # an engine that is slow, now and then
            fake.hold()
        elif key % 30 == 15:
            fake.resume()
        server.change(key + 2, typist.type_at(LINE, key, "abcdefgh "[key % 9]))
        pings.append(asyncio.create_task(timed(server.request("$/ping"))))
        if key % 3 == 0:
            completions.append(server.complete(LINE, key + 1))
        # The load is one of so many keys a second.
        await asyncio.sleep(max(0.0, began + (key + 1) * KEY_SECONDS - time.perf_counter()))
        # What an edit contradicts is left at once; only that may take a moment to be seen.
        await asyncio.wait_for(fake.until(lambda: fake.running <= 1), TIMEOUT)
    fake.resume()
    return [(await ping)[0] for ping in pings], [await one for one in completions]


@pytest.mark.timeout(300)
async def test_typing_with_a_completion_for_each_third_key_keeps_one_request_in_the_engine(
    front: StartFront, fake: FakeEngine, tokenizer_folder: Path, figures: Figures
) -> None:
    typist = Typist(2 * LINE, seed=4)
    fake.default = "some words of an answer "
    async with front() as server:
        await server.initialize()
        await server.ready()
        server.open(typist.text)
        await server.ping()
        delays, answers = await type_keys(server, fake, typist)
        await assert_text(server, fake, tokenizer_folder, typist.text)
        assert all("error" not in answer for answer in answers), answers
        assert set(server.answers.values()) == {1}
    assert len(fake.requests) > 1
    what = f"{SCALE.keys} keys at 50/s, {2 * LINE} lines: didChange p95"
    figures.add("L4", what, f"{percentile(delays, 0.95) * 1e3:.1f} ms", "< 20 ms")
    shown = sum(answer["result"] is not None for answer in answers)
    figures.add("L4", "completions shown / superseded", f"{shown} / {len(answers) - shown}")


def storm() -> tuple[str, bytes, str]:
    """Return a text, changes of it as bytes on the wire, and the text that they leave."""
    typist = Typist(1000, seed=5)
    before = typist.text
    edits = [frame(changed(number + 2, typist.edit())) for number in range(SCALE.changes)]
    return before, b"".join(edits), typist.text


async def seconds_for(server: Front, text: str, changes: bytes) -> float:
    """Return how long it takes until all changes of a document are made."""
    server.open(text)
    await server.request("$/ping")
    began = time.perf_counter()
    server.write(changes)
    await server.request("$/ping")
    return time.perf_counter() - began


async def seconds_of_pygls(text: str, changes: bytes, after: str) -> float:
    """Return how long pygls itself takes; the text is checked, or it would be another trace."""
    async with Front({}, [sys.executable, pygls_server.__file__]) as plain:
        await plain.initialize()
        seconds = await seconds_for(plain, text, changes)
        said = (await plain.request("$/text", {"uri": URI}))["result"]
        same = said == after
        assert same, "pygls has another text"
    return seconds


def best_of(times: Sequence[float]) -> str:
    return f"{min(times):.2f} s"


@pytest.mark.timeout(300)
async def test_a_storm_of_changes_leaves_the_exact_text(
    front: StartFront, fake: FakeEngine, tokenizer_folder: Path, figures: Figures
) -> None:
    before, changes, after = storm()
    ours, plain = list[float](), list[float]()
    for _ in range(SCALE.rounds):  # in turn, so that a busy machine is busy for both
        async with front() as server:
            await server.initialize()
            await server.ready()
            ours.append(await seconds_for(server, before, changes))
            await assert_text(server, fake, tokenizer_folder, after)
        plain.append(await seconds_of_pygls(before, changes, after))
    what = f"{SCALE.changes} changes of 1000 lines"
    figures.add("L5", what, f"{best_of(ours)} (pygls: {best_of(plain)})", "< 5 s")
    figures.add("L5", f"{what}, beside pygls", f"{min(ours) / min(plain):.2f} ×", "≤ 0.3 ×")
