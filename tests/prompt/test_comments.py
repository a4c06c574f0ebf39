"""Text as comments of a language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.comments import commented


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("python", "# a\n#\n#   b\n"),
        ("rust", "// a\n//\n//   b\n"),
        ("sql", "-- a\n--\n--   b\n"),
        ("html", "<!-- a -->\n<!-- -->\n<!--   b -->\n"),
        ("css", "/* a */\n/* */\n/*   b */\n"),
        ("ocaml", "(* a *)\n(* *)\n(*   b *)\n"),
        ("somelanguage", "# a\n#\n#   b\n"),
        ("", "# a\n#\n#   b\n"),
    ],
)
def test_each_line_is_a_comment(language: str, expected: str) -> None:
    assert commented("a\n\n  b", language) == expected
    assert commented("a\r\n\r\n  b\r\n", language) == expected


@given(text=st.text("a*/-> \n<!", max_size=40))
@pytest.mark.parametrize(("language", "closing"), [("css", "*/"), ("html", "-->")])
def test_no_text_ends_its_comment(language: str, closing: str, text: str) -> None:
    for line in commented(text, language).splitlines():
        assert line.index(closing) == len(line) - len(closing)


@given(text=st.text(max_size=40))
def test_no_character_leaves_the_comment(text: str) -> None:
    assert all(line.startswith("#") for line in commented(text, "python").splitlines())
