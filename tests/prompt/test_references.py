"""Files that a message names."""

import pytest

from opencoder_lsp.prompt.references import Reference, references


def likeliest(message: str) -> list[Reference]:
    """Return what each `@` means if the first meaning is a file."""
    return [meanings[0] for meanings in references(message)]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("@a.py", [Reference("a.py")]),
        ("what is @src/a.py for?", [Reference("src/a.py")]),
        ("@a.py:10", [Reference("a.py", (10, 10))]),
        ("@a.py:10-40 and\n@b.py", [Reference("a.py", (10, 40)), Reference("b.py")]),
        ('@"my file.py":10-40', [Reference("my file.py", (10, 40))]),
        ('@"my file.py":3', [Reference("my file.py", (3, 3))]),
        ('@"my file.py", or', [Reference("my file.py")]),
        ('@"a:10"', [Reference("a:10")]),
        ("(@a [@b `@c {@d '@e x,@f;@g", [Reference(n) for n in ("a", "b", "c", "d", "e", "f;@g")]),
        ("me@example.org a.@b @@c", [Reference("@c")]),
        ("@ alone, and at the end @", []),
        ('@"never closed', []),
        ("@é/日本.py:1-2", [Reference("é/日本.py", (1, 2))]),
        ("@a.py:0", [Reference("a.py", (0, 0))]),
    ],
)
def test_what_follows_an_at_sign_is_a_path_and_lines(message: str, found: list[Reference]) -> None:
    assert likeliest(message) == found


@pytest.mark.parametrize(
    ("message", "meanings"),
    [
        ("@a:10", [Reference("a", (10, 10)), Reference("a:10")]),
        (
            "(see @a.py:10-40).",
            [Reference("a.py:10-40)."), Reference("a.py", (10, 40)), Reference("a.py:10-40")],
        ),
        ("@really?", [Reference("really?"), Reference("really")]),
        ("@...", [Reference("...")]),
    ],
)
def test_what_it_may_mean_comes_with_the_likeliest_first(
    message: str, meanings: list[Reference]
) -> None:
    assert [list(one) for one in references(message)] == [meanings]


def test_not_more_than_a_hundred_are_looked_at() -> None:
    assert len(list(references("@a " * 1000))) == 100
