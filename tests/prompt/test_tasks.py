"""What the model is asked about selected code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.tasks import (
    CodeSelection,
    explain,
    fence_for,
    fenced,
    info_string,
    shown_path,
)


def test_the_question_names_the_file_and_shows_the_code() -> None:
    (message,) = explain(CodeSelection("src/app.py", "python", "def f():\n    return 1\n"))
    assert message.role == "user"
    assert "`src/app.py`" in message.content
    assert message.content.endswith("\n\n```python\ndef f():\n    return 1\n```")


def test_a_selection_without_a_file_is_explained_too() -> None:
    (message,) = explain(CodeSelection("", "", "x = 1"))
    assert "from" not in message.content
    assert message.content.endswith("\n\n```\nx = 1\n```")


def test_line_ends_of_windows_become_plain_ones() -> None:
    assert fenced("a\r\nb\r\n", "c") == "```c\na\nb\n```"


@given(code=st.text("`~ab\n", max_size=60))
def test_no_code_ends_its_own_block(code: str) -> None:
    first, *lines, last = fenced(code, "md").split("\n")
    assert first == f"{last}md"
    assert set(last) == {"`"}
    assert len(last) >= 3
    assert "\n".join(lines) == code.removesuffix("\n")
    assert last not in code


def test_a_fence_is_longer_than_the_longest_run_of_all_its_texts() -> None:
    assert fence_for("", "a `b` ``") == "```"
    assert fence_for("```", "x ```` y") == "`````"


@pytest.mark.parametrize(
    ("language", "shown"),
    [("c++", "c++"), ("objective-c", "objective-c"), ("a`b\nc d", "abcd"), ("x" * 99, "x" * 32)],
)
def test_a_language_cannot_end_its_line(language: str, shown: str) -> None:
    assert info_string(language) == shown


def test_of_a_long_path_the_end_is_shown_from_a_folder_on() -> None:
    assert shown_path("a/b.py") == "a/b.py"
    assert shown_path("evil\n`name`.py") == "evilname.py"
    long = shown_path("/".join(["folder"] * 40) + "/last.py")
    assert len(long) <= 120
    assert long.startswith("folder/")
    assert long.endswith("/last.py")
    assert shown_path("x" * 500) == "x" * 120
