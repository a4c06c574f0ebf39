"""Answers of a model that become edits: the cases of `tests/lsp/answers`, and laws for all."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.errors import AnswerError
from opencoder_lsp.lsp.code_blocks import blocks, written
from opencoder_lsp.lsp.docstrings import documented
from opencoder_lsp.prompt.tasks import fenced
from tests.lsp.answers import Case, cases


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_an_answer_becomes_the_edit_that_the_case_says(case: Case) -> None:
    assert case.outcome() == (case.end, case.expected)


@given(code=st.text("`~a b\n", max_size=60), other=st.text("ab\n", max_size=20))
def test_code_in_a_fence_of_ours_comes_out_as_it_went_in(code: str, other: str) -> None:
    first, second = blocks(f"Words.\n{fenced(code, 'py')}\nMore.\n{fenced(other, '')}")
    assert first.code == code.removesuffix("\n")
    assert second.code == other.removesuffix("\n")
    assert first.closed
    assert second.closed


@given(text=st.text(st.sampled_from("a\\\"' \n{}é\t"), min_size=1, max_size=40))
def test_any_text_can_be_a_docstring_and_the_code_stays(text: str) -> None:
    try:
        new = documented("    def f(self):\n        return 1", text)
    except AnswerError:
        assert not text.strip()
        return
    (frame,) = ast.parse("if 1:\n" + new).body
    assert isinstance(frame, ast.If)
    (node,) = frame.body
    assert isinstance(node, ast.FunctionDef)
    assert ast.unparse(node.body[-1]) == "return 1"
    plain = ast.get_docstring(node)
    assert plain is not None
    assert plain.split() == text.split()


def test_a_new_file_is_the_longest_block_that_parses() -> None:
    answer = "```sh\npip install pytest\n```\n```python\nimport a\n\ndef test_a():\n    a.b()\n```"

    def fault(code: str) -> str:
        return "is shell" if "pip install pytest" in code else ""

    assert written(answer, fault, cut=False).startswith("import a\n")
    with pytest.raises(AnswerError, match="never fits"):
        written(answer, lambda code: "it never fits", cut=False)
    with pytest.raises(AnswerError, match="only words"):
        written("No.", fault, cut=False)
