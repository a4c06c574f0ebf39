"""Python's parser: the same answers from any number of threads."""

import ast
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from opencoder_lsp.prompt.python_parser import parse


@pytest.mark.parametrize("code", ["x = (", "\0", "x = " + "-" * 5000 + "1", "x = " + "(" * 900])
def test_whatever_cannot_be_parsed_is_a_syntax_error(code: str) -> None:
    with pytest.raises(SyntaxError):
        parse(code)


def test_a_warning_is_no_error_and_is_not_shown() -> None:
    with warnings.catch_warnings(action="error"):
        assert isinstance(parse("x = '\\d'").body[0], ast.Assign)


class Finalized:
    """Garbage that runs Python when it is collected, so also in the midst of the parser."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(3):
            pass


def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    code = "".join(f"def f{n}(a, b):\n    return [a, (b, {{a: b}})] * {n}\n" for n in range(300))

    def count(_: int) -> int:
        for _ in range(50):
            Finalized()
        return len(parse(code).body)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(count, range(120))) == [300] * 120
    finally:
        sys.setswitchinterval(interval)
