"""Values and texts that nobody expects, and messages spoilt with them."""

import copy
import random
from typing import Any

# Line breaks of LSP, "line breaks" of Python only, one to four bytes, one and two UTF-16 units,
# things that combine, halves of surrogate pairs, control tokens, and what ends a code fence.
PIECES = [
    *"abcxyz019 ()=.,:_",
    *"\n\n\n\n\r\t\x0b\x0c\x1c\x85\u2028\u2029",
    "\r\n",
    "    ",
    *"éß€語😀👩\u200d\u0301\x00\ufeff\ud83d\ude00",
    "return ",
    "<|end_of_turn|>",
    "```",
]
LARGEST = 2**31 - 1  # of LSP's integers


def text(dice: random.Random, most: int = 30) -> str:
    """Make a text of up to `most` pieces."""
    return "".join(dice.choice(PIECES) for _ in range(dice.randint(0, most)))


def nested(depth: int) -> Any:
    """Make a list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def odd(dice: random.Random) -> Any:
    """Make a value that does not belong where it is put."""
    numbers = [0, 1, -1, 0.5, 5.0, LARGEST, 2**31, 2**63, -(2**63), 1e300, 10**40]
    others = [None, True, False, "", "x", text(dice), [], {}, [None], [[]], {"a": 1}, nested(50)]
    rare = ["y" * 70_000, list(range(3000)), {str(number): number for number in range(500)}]
    return dice.choice(dice.choices([numbers, others, rare], [5, 8, 1])[0])


def spoilt(dice: random.Random, message: Any) -> Any:
    """Return a copy of a message with an odd value in it, something missing or something more."""
    message = copy.deepcopy(message)
    path = list(_walk(message))
    where, key = dice.choice(path)
    kind = dice.random()
    if kind < 0.2:
        del where[key]
    elif kind < 0.35 and isinstance(where, dict):
        where[dice.choice(["jsonrpc", "id", "method", "params", "range", "x"])] = odd(dice)
    else:
        where[key] = odd(dice)
    return message


def _walk(value: Any) -> Any:
    """Yield every place in an object: what it is in, and its key there."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _walk(value[key])


def body(dice: random.Random) -> str:
    """Make the body of a message that is no JSON, or that JSON would rather not be."""
    return dice.choice(
        [
            "",
            " ",
            "{",
            "}{",
            "nope",
            '{"jsonrpc":"2.0","id":7,"method":"shutdown"',
            '{"jsonrpc":"2.0","id":7,"method":"x"}}',
            '{"jsonrpc":"2.0","id":NaN,"method":"x"}',
            "[" * dice.choice([10, 2000, 100_000]),
            '{"a":' * 5000,
            '"' + "x" * 5000,
            "9" * 5000,
            "-Infinity",
            "\ufeff",
            "\\u0000",
        ]
    )


def noise(dice: random.Random) -> str:
    """Make bytes, as Latin-1, that stand between messages and end with a line."""
    line = "".join(chr(dice.randrange(256)) for _ in range(dice.randint(0, 40)))
    lines = [
        line.replace("\n", " "),
        "X-Header: 1",
        "Content-Type: application/vscode-jsonrpc; charset=utf-8",
        "content-length:",
        "Content-Length: abc",
        "Content-Length: -5",
        "Content-Length: 0\r\n",
        "GET / HTTP/1.1",
        "",
    ]
    return dice.choice(lines) + dice.choice(["\r\n", "\n"])
