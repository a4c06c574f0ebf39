"""Python's own parser, for one thread at a time."""

import ast
import threading
import warnings

# Until Python 3.12 threads that parse at once disturb each other (python/cpython#106905), and what
# `catch_warnings` sets is seen by all threads.
_ALONE = threading.Lock()


def parse(code: str) -> ast.Module:
    """
    Return the syntax tree of a module; warnings, as of an odd escape in a string, are ignored.

    Raises SyntaxError, also where code holds a NUL or is nested too deeply.
    """
    with _ALONE, warnings.catch_warnings(action="ignore"):
        try:
            return ast.parse(code)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error)) from None
