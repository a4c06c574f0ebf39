"""Streams of bytes: messages behind whatever stands in them are found, and none goes silently."""

import itertools
import json
import random
import time
from typing import Any

import pytest

from opencoder_lsp.lsp.framing import BrokenStream, Frames, Malformed, frame
from tests.fuzz import oddities
from tests.loads.figures import Figures
from tests.loads.scale import SCALE, SEED

LIMIT = 5000  # bytes of a body, here
LONGEST_ANNOUNCED = 8000
MARKER = {"jsonrpc": "2.0", "method": "$/marker"}
# More than can still be announced, and more than a body that is passed over.
PADDING = frame({"x": "y" * 500}) * (2 * LONGEST_ANNOUNCED // 500)


def valid(dice: random.Random) -> tuple[bytes, Any]:
    """Make a message in one of the forms that clients send, and its value."""
    value = {"jsonrpc": "2.0", "id": dice.randrange(100), "params": oddities.text(dice)}
    body = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "replace")
    name = dice.choice(["Content-Length", "content-length", "CONTENT-LENGTH", "Content-Length "])
    line = dice.choice(["\r\n", "\r\n", "\n"])
    header = [f"{name}:{dice.choice(['', ' ', '  '])}{len(body)}{dice.choice(['', ' '])}"]
    if dice.random() < 0.3:
        header.insert(dice.randrange(2), "Content-Type: application/vscode-jsonrpc; charset=utf-8")
    return (line.join(header) + line * 2).encode() + body, json.loads(body)


def broken(dice: random.Random) -> bytes:
    """Make bytes that are no message, or one whose length is wrong."""
    data, _ = valid(dice)
    head, separator, body = data.partition(b"\n\n" if b"\r\n\r\n" not in data else b"\r\n\r\n")
    wrong = len(body) + dice.choice([-7, -1, 1, 5, 200])
    kinds = [
        oddities.noise(dice).encode("latin-1"),
        bytes(dice.randrange(256) for _ in range(dice.randrange(60))),
        b"Content-Length: %d\r\n\r\n%b" % (max(0, wrong), body),
        b"Content-Length: %d\r\n\r\n" % dice.choice([0, 3, LIMIT, LIMIT + 1, LONGEST_ANNOUNCED]),
        b"Content-Length: %d\r\n" % dice.choice([2**31, 20 * 2**30, 10**20]),
        data[: dice.randrange(len(data))],
        head + separator + bytes(dice.sample(list(body), len(body))),
        b"x" * dice.choice([100, 9000]),
    ]
    return dice.choices(kinds, [4, 4, 6, 4, 1, 4, 4, 1])[0]


def read(stream: bytes, cuts: list[int]) -> list[Any]:
    """Feed a stream cut at these places; return what comes of it, reports as their type."""
    frames, found = Frames(LIMIT), []
    try:
        for start, end in itertools.pairwise([0, *cuts, len(stream)]):
            for item in frames.feed(stream[start:end]):
                found.append(Malformed if isinstance(item, Malformed) else item)
    except BrokenStream:
        found.append(BrokenStream)
    return found


def cut(dice: random.Random, stream: bytes) -> list[int]:
    """Choose places to cut a stream."""
    count = dice.choice([1, 5, 50, len(stream) // 2])
    return sorted(dice.randrange(len(stream) + 1) for _ in range(count))


def check(seed: int) -> None:
    """Try one stream."""
    dice = random.Random(seed)
    stream, sent = b"", []
    for _ in range(dice.randrange(12)):
        if dice.random() < 0.6:
            data, value = valid(dice)
            stream += data
            sent.append(value)
        else:
            stream += broken(dice)
    stream += b"\r\n" + PADDING + frame(MARKER)
    found = read(stream, [])
    assert read(stream, cut(dice, stream)) == found, "it depends on how the bytes come"
    assert found[-1] in (MARKER, BrokenStream), "what comes after the mistake is not found"
    lost = [value for value in sent if value not in found]
    assert not lost or Malformed in found or BrokenStream in found, "a message was lost silently"


@pytest.mark.timeout(SCALE.fuzz_seconds + 60)
def test_no_stream_of_bytes_makes_the_reader_deaf(figures: Figures) -> None:
    end, number = time.monotonic() + SCALE.fuzz_seconds, 0
    while time.monotonic() < end:
        try:
            check(SEED + number)
        except Exception as error:
            pytest.fail(f"seed {SEED + number}: {type(error).__name__} {error}")
        number += 1
    figures.add(
        "L15", f"streams of bytes in {SCALE.fuzz_seconds:g} s", f"{number} without a mistake"
    )


def test_messages_in_any_form_come_out_as_they_are() -> None:
    dice = random.Random(SEED)
    messages = [valid(dice) for _ in range(500)]
    stream = b"".join(data for data, _ in messages)
    values = [value for _, value in messages]
    assert read(stream, []) == values
    assert read(stream, list(range(len(stream)))) == values
