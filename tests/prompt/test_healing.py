"""Which text left of the cursor the model writes anew."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.prompt.healing import FirstBlank, heal
from opencoder_lsp.prompt.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("prefix", "kept", "forced"),
    [
        ("", "", ""),
        ("imp", "", "imp"),
        ("x = ", "x =", " "),
        ("x = foo", "x =", " foo"),
        ("x.fo", "x.", "fo"),
        ("f(", "f(", ""),
        ("f():\n", "f():", "\n"),
        ("f():\n    ", "f():", "\n    "),
        ("f():\n    ret", "f():", "\n    ret"),
        ("f():\n\n\t", "f():", "\n\n\t"),
        ("f():\r\n    ret", "f():", "\n    ret"),
        ("    ", "", "    "),
        ("# 你好", "#", " 你好"),
        ("snake_case_9", "", "snake_case_9"),
        ("x\x1d", "x\x1d", ""),
        ("x\f \t", "x\f", " \t"),
    ],
)
def test_the_prompt_ends_before_blanks_and_partial_word(
    prefix: str, kept: str, forced: str
) -> None:
    assert heal(prefix) == (kept, forced)


@given(prefix=st.text(" \n\ta1_.(", max_size=60))
def test_what_is_kept_and_what_is_forced_make_the_prefix(prefix: str) -> None:
    kept, forced = heal(prefix)
    assert kept + forced == prefix
    assert not kept[-1:].isspace()
    assert not (kept[-1:].isalnum() and forced[:1].isalnum())


@settings(max_examples=500)
@given(prefix=st.text(max_size=20))
def test_every_forced_text_can_be_written_by_every_vocabulary(
    each_kind: Tokenizer, prefix: str
) -> None:
    forced = heal(prefix)[1]
    assert each_kind.decode(each_kind.encode(forced)) == forced


@pytest.mark.parametrize("run", ["x", " ", "\n", "漢"])
def test_of_a_very_long_run_only_an_end_is_forced(run: str) -> None:
    starts = []
    for length in range(500, 700):
        kept, forced = heal("# " + run * length)
        assert kept + forced == "# " + run * length
        assert 16 <= len(forced) <= 64
        starts.append(len(kept))
    moves = [after - before for before, after in pairwise(starts)]
    assert sum(move != 0 for move in moves) <= 200 / 20 + 1


@pytest.mark.parametrize(
    ("expects", "pieces", "text"),
    [
        (True, ["", " Paris", " is"], "Paris is"),
        (True, ["  two"], " two"),
        (True, ["Paris", " is"], "Paris is"),
        (True, ["\n", " x"], "\n x"),
        (False, [" Paris"], " Paris"),
    ],
)
def test_one_blank_is_taken_off_an_answer_where_one_is_expected(
    expects: bool, pieces: list[str], text: str
) -> None:
    blank = FirstBlank(expects)
    assert "".join(map(blank.without, pieces)) == text
