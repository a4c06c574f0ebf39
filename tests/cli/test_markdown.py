"""Markdown that is drawn while it comes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from opencoder_lsp.cli.markdown import MarkdownStream, printable, split

pieces = st.lists(
    st.sampled_from(["a", "word ", "\n", "\n\n", "```", "~~~\n", "- ", "    ", "1. "])
)


@pytest.mark.parametrize(
    ("complete", "rest"),
    [
        ("", "a paragraph"),
        ("", "a paragraph\n\n"),
        ("a paragraph\n\n", "another"),
        ("one\n\ntwo\n\n", "three\n"),
        ("", "- a list\n\n  that goes on"),
        ("- a list\n\n", "no more of it"),
        ("", "```\ncode\n\nmore code"),
        ("```\ncode\n\nmore code\n```\n\n", "text"),
        ("", "````\n```\n\ncode"),
        ("# Title\n\n", "```python"),
    ],
)
def test_a_block_is_complete_where_another_has_begun(complete: str, rest: str) -> None:
    assert split(complete + rest) == (complete, rest)


@given(pieces)
def test_what_is_complete_stays_so_whatever_comes(parts: list[str]) -> None:
    text, done = "", ""
    for part in parts:
        text += part
        complete, rest = split(text)
        assert complete + rest == text
        # Only the first characters of a line may yet turn out to be something else.
        assert complete.startswith(done)
        done = complete


def test_everything_is_drawn_once_on_the_way_and_at_the_end() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=False, width=40)
    with MarkdownStream(console) as stream:
        for character in "One *two*.\n\n- three\n\n```\nfour\n```\n\nfive":
            stream.add(character)
        assert "One two." in file.getvalue()
        assert "five" not in file.getvalue()
    drawn = file.getvalue()
    for word in ("One two.", "• three", "four", "five"):
        assert drawn.count(word) == 1


def test_what_a_terminal_would_obey_is_left_out() -> None:
    assert printable("a\x1b[2J\x07\x9b\r\n\tb\x7f é 😀") == "a[2J\n\tb é 😀"
