"""What the model is asked about selected code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.conversation import Message
from opencoder_lsp.prompt.tasks import (
    CodeSelection,
    Kind,
    Problem,
    Task,
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


WHOLE = CodeSelection(
    "shop/basket.py",
    "python",
    "def total(self):\n    return sum(self.prices) + tax",
    scope="class Basket:",
    imports="from shop import prices",
    problems=(Problem(2, "undefined name 'tax' (Pyflakes F821)"),),
)


def question(task: Task) -> str:
    message, *begun = next(task.conversations())
    assert message.role == "user"
    assert begun == ([Message("assistant", task.opening)] if task.opening else [])
    return message.content


def test_to_fix_code_the_model_sees_all_that_is_known_of_it() -> None:
    assert (
        question(Task("fix", WHOLE))
        == """\
Fix this code from `shop/basket.py`. Answer with all of the corrected code in one code block, \
changing nothing that is right, and say below it in one sentence what was wrong.

It stands in:
```python
class Basket:
```

The file imports:
```python
from shop import prices
```

What is said of it:
- line 2 (`return sum(self.prices) + tax`): undefined name 'tax' (Pyflakes F821)

```python
def total(self):
    return sum(self.prices) + tax
```"""
    )


@pytest.mark.parametrize(
    ("language", "form"),
    [
        ("python", "a docstring in triple quotes"),
        ("typescript", "a JSDoc comment"),
        ("rust", "a `///` doc comment"),
        ("cobol", "a documentation comment"),
    ],
)
def test_documentation_is_asked_for_in_the_form_of_the_language(language: str, form: str) -> None:
    task = Task("document", CodeSelection("a", language, "x"))
    assert question(task).startswith(f"Write {form} for this code from `a`:")


def test_tests_are_asked_for_in_their_framework_and_for_their_file() -> None:
    asked = question(Task("test", WHOLE, framework="pytest", target="tests/test_basket.py"))
    assert asked.startswith("Write tests for this code from `shop/basket.py` with pytest.")
    assert "It is saved as `tests/test_basket.py`." in asked
    without = question(Task("test", CodeSelection("", "ada", "x")))
    assert "the usual test framework of the language" in without
    assert "saved" not in without


def test_a_refactoring_says_what_the_user_wants() -> None:
    asked = question(Task("refactor", WHOLE, "use math.fsum\n"))
    assert asked.startswith("Rewrite this code from `shop/basket.py`: use math.fsum\nAnswer with")
    assert "simpler" in question(Task("refactor", WHOLE))


@pytest.mark.parametrize("kind", ["fix", "document", "test"])
def test_the_user_s_wish_goes_along_with_the_other_tasks(kind: Kind) -> None:
    assert "\nMind this, too: be brief\n" in question(Task(kind, WHOLE, "be brief"))
    assert "Mind" not in question(Task(kind, WHOLE, "  "))


def test_where_it_is_too_long_imports_go_first_then_the_scope_then_the_problems() -> None:
    asked = [message.content for (message,) in Task("fix", WHOLE).conversations()]
    parts = ("The file imports:", "It stands in:", "What is said of it:", "def total(self):")
    assert [[part in text for part in parts] for text in asked] == [
        [True, True, True, True],
        [False, True, True, True],
        [False, False, True, True],
        [False, False, False, True],
    ]


@pytest.mark.parametrize(
    ("language", "code", "opening"),
    [
        ("python", "@a\ndef f(\n    b,\n):\n    pass", 'def f(\n    b,\n):\n    """'),
        ("python", "class A:\n    x = 1", 'class A:\n    """'),
        ("python", "def f(): return 1", '"""'),
        ("typescript", "f() {}", "/**\n * "),
        ("go", "func f() {}", "// "),
    ],
)
def test_documentation_is_begun_for_the_model(language: str, code: str, opening: str) -> None:
    task = Task("document", CodeSelection("a", language, code))
    assert task.opening == f"```{language}\n{opening}"


def test_nothing_is_begun_where_nothing_is_known_to_fit() -> None:
    assert Task("document", CodeSelection("a", "cobol", "x")).opening == ""
    assert Task("fix", WHOLE).opening == ""
    assert Task("test", CodeSelection("a.ts", "typescript", "f()")).opening == ""


def test_what_is_begun_is_complete_where_it_ends_and_not_before() -> None:
    task = Task("document", CodeSelection("a", "python", "def f():\n    pass"))
    assert task.end(f"{task.opening}Do it.") is None
    assert task.end(f'{task.opening}Do it.""') is None
    whole = f'{task.opening}Do it."""'
    assert task.end(f"{whole}\n    pass") == len(whole)
    script = Task("document", CodeSelection("a", "java", "void f() {}"))
    assert script.end(f"{script.opening}Does.\n */ void") == len(f"{script.opening}Does.\n */")
    assert Task("fix", WHOLE).end('"""x"""') is None


def test_a_model_that_begins_anew_is_not_cut_off_and_means_only_that() -> None:
    task = Task("document", CodeSelection("a", "python", "def f():\n    pass"))
    for own in ('"""Do it."""', '\n```python\n"""Do it."""\n```', "```"):
        assert task.end(task.opening + own) is None
        assert task.meant(task.opening + own) == own
    assert task.meant(f"{task.opening}Do it.") == f"{task.opening}Do it."
    assert Task("fix", WHOLE).meant("```x```") == "```x```"


@pytest.mark.parametrize(
    ("path", "scope", "line"),
    [
        ("src/shop/basket.py", "", "from shop.basket import total"),
        ("shop/__init__.py", "", "from shop import total"),
        ("basket.py", "class Basket:", "from basket import Basket"),
        ("my-shop/basket.py", "", ""),
        ("", "", ""),
    ],
)
def test_tests_with_pytest_begin_with_their_imports(path: str, scope: str, line: str) -> None:
    code = "    def total(self):\n        pass" if scope else "def total():\n    pass"
    selection = CodeSelection(path, "python", code, scope=scope)
    opening = Task("test", selection, framework="pytest").opening
    assert opening == (f"```python\nimport pytest\n\n{line}\n\n\ndef test_" if line else "")
    assert Task("test", selection, framework="unittest").opening == ""


def test_what_is_not_there_is_not_dropped_again() -> None:
    bare = CodeSelection("a.py", "python", "x = 1", problems=(Problem(1, "bad"),))
    assert len(list(Task("fix", bare).conversations())) == 2


def test_a_problem_cannot_break_out_of_its_line_and_is_not_too_long() -> None:
    code = CodeSelection("", "", "a `b`", problems=(Problem(1, "two\nlines " + "x" * 999),) * 50)
    asked = question(Task("fix", code))
    assert "- line 1 (`a b`): two lines xxx" in asked
    assert "x" * 301 not in asked
    assert asked.count("- line 1") == 20


def test_braces_in_a_wish_are_text() -> None:
    assert "use {0} and {code}" in question(Task("refactor", WHOLE, "use {0} and {code}"))


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
