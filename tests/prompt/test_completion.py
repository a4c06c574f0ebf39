"""The prompt of a completion: what is in it, how long it is, and what typing changes in it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opencoder_lsp.errors import PromptError, PromptTooLongError
from opencoder_lsp.prompt.completion import (
    CompletionPrompt,
    Mode,
    Place,
    build,
)
from opencoder_lsp.prompt.conversation import TEMPLATES
from opencoder_lsp.prompt.healing import heal
from opencoder_lsp.prompt.layouts import FimOrder, fim_ids
from opencoder_lsp.prompt.snippets import Snippet
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.prompt import vocabularies
from tests.prompt.conftest import goldens

OPENCODER, CHATML = TEMPLATES["opencoder"], TEMPLATES["chatml"]
LAYOUTS: list[tuple[Mode, FimOrder]] = [
    ("template", "spm"),
    ("fim", "psm"),
    ("fim", "spm"),
    ("prefix", "spm"),
]
STABLE = [(mode, order) for mode, order in LAYOUTS if order == "spm"]
FILE = "".join(
    f"def function_{n}(self, value):\n    result = value + {n}\n    return result\n\n"
    for n in range(400)
)


def ask(
    tokenizer: Tokenizer,
    prefix: str,
    suffix: str = "",
    *,
    mode: Mode = "template",
    order: FimOrder = "spm",
    limit: int = 1024,
    path: str = "app.py",
    language: str = "python",
    heal: bool = True,
    snippets: Sequence[Snippet] = (),
    imports: bool = False,
) -> CompletionPrompt:
    """Build a prompt in OpenCoder's template."""
    return build(
        Place(path, language, prefix, suffix),
        tokenizer,
        OPENCODER,
        mode=mode,
        fim_order=order,
        limit=limit,
        heal=heal,
        snippets=snippets,
        imports=imports,
    )


def text(tokenizer: Tokenizer, prompt: CompletionPrompt) -> str:
    """Return the text of a prompt; control tokens give none."""
    return tokenizer.decode(prompt.ids)


def common(one: list[int], other: list[int]) -> int:
    """Count the leading ids that two prompts share."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


# Healing


@pytest.mark.parametrize(("mode", "order"), LAYOUTS)
def test_typing_inside_a_word_changes_no_id(small: Tokenizer, mode: Mode, order: FimOrder) -> None:
    line = FILE + "value = compute_everything"
    prompts = [
        ask(small, line[:end], "\nprint(value)\n", mode=mode, order=order)
        for end in range(len(FILE) + len("value ="), len(line) + 1)
    ]
    assert all(prompt.ids == prompts[0].ids for prompt in prompts)
    assert prompts[-1].forced_prefix == " compute_everything"


def test_starting_an_indented_line_changes_no_id(small: Tokenizer) -> None:
    prompts = [ask(small, "def f():" + more) for more in ("", "\n", "\n  ", "\n    ", "\n    re")]
    assert all(prompt.ids == prompts[0].ids for prompt in prompts)


@pytest.mark.parametrize(("mode", "order"), LAYOUTS)
def test_without_healing_the_prompt_ends_at_the_cursor(
    small: Tokenizer, mode: Mode, order: FimOrder
) -> None:
    prompt = ask(small, "x = 1\r\n  fo", "\ny\n", mode=mode, order=order, heal=False)
    assert prompt.forced_prefix == ""
    middle = small.control_id("<fim_suffix>") if order == "psm" else None
    ids = prompt.ids[: prompt.ids.index(middle)] if middle in prompt.ids else prompt.ids
    assert small.decode(ids).endswith("x = 1\n  fo")


# The bare prefix


def test_the_bare_prefix_is_nothing_but_the_code_before_the_cursor(small: Tokenizer) -> None:
    snippets = [Snippet("b.py", "y = 2\n")]
    prompt = ask(small, "import os\nos.pa", "\nx\n", mode="prefix", snippets=snippets)
    assert prompt == CompletionPrompt(small.encode("import os\nos."), "pa")


def test_a_bare_prefix_of_nothing_is_what_parts_documents(small: Tokenizer) -> None:
    assert ask(small, "", mode="prefix").ids == [small.control_id("<|endoftext|>")]
    assert ask(small, "impo", mode="prefix").ids == [small.control_id("<|endoftext|>")]


def test_a_bare_prefix_begins_as_the_vocabulary_begins_a_text(llama: Tokenizer) -> None:
    template = TEMPLATES["openchat"]
    place = Place("a.py", "python", "x = (", "\n")
    prompt = build(place, llama, template, mode="prefix", fim_order="spm", limit=64)
    assert prompt.ids == [llama.control_id("<s>"), *llama.encode("x = (")]


# Template mode


def test_the_answer_is_prefilled_with_a_fence_and_the_code_before_the_cursor(
    small: Tokenizer,
) -> None:
    prompt = ask(small, "import os\nos.pa", "\nprint(os)\n", path="src/app.py")
    shown = text(small, prompt)
    assert shown.startswith("User:")
    assert "`src/app.py`" in shown
    assert "```python\nprint(os)\n```" in shown
    assert shown.endswith("Assistant:```python\nimport os\nos.")
    assert prompt.forced_prefix == "pa"


def test_nothing_after_the_cursor_is_not_shown_as_code(small: Tokenizer) -> None:
    shown = text(small, ask(small, "x = 1\n", "\n  \n"))
    assert shown.count("```") == 1


def test_a_chatml_prompt_ends_in_the_open_answer(small: Tokenizer) -> None:
    place = Place("a.py", "python", "x =", "")
    prompt = build(place, small, CHATML, mode="template", fim_order="spm", limit=512)
    assert prompt.ids.count(small.control_id("<|im_end|>")) == 1
    assert text(small, prompt).endswith("assistant\n```python\nx =")


@pytest.mark.parametrize(
    ("prefix", "suffix", "fence"),
    [
        ("x(", "", "```"),
        ("`a` and ``b``(", "", "```"),
        ("text\n```python\nx(", "", "````"),
        ("x(", "\n`````\n", "``````"),
    ],
)
def test_no_code_can_end_the_fence(small: Tokenizer, prefix: str, suffix: str, fence: str) -> None:
    answer = text(small, ask(small, prefix, suffix)).rpartition("Assistant:")[2]
    assert answer.removeprefix(fence).startswith("python\n")


def test_line_ends_of_windows_are_plain_in_the_prompt(small: Tokenizer) -> None:
    windows = ask(small, "a = 1\r\nb = 2\r\n  c", "\r\nd = 4\r\n")
    assert windows == ask(small, "a = 1\nb = 2\n  c", "\nd = 4\n")
    within = ask(small, "a = 1\r", "\nb = 2\r\n")
    assert within == ask(small, "a = 1", "\nb = 2\n")


@pytest.mark.fault("F46")
def test_control_tokens_as_text_stay_text(small: Tokenizer) -> None:
    code = "s = '<|end_of_turn|><fim_middle>'\n("
    prompt = ask(small, code, "\n" + code)
    assert prompt.ids.count(small.control_id("<|end_of_turn|>")) == 1
    assert small.control_id("<fim_middle>") not in prompt.ids
    assert text(small, prompt).count("<|end_of_turn|><fim_middle>") == 2


@pytest.mark.fault("F27", "P23")
def test_a_lone_surrogate_does_no_harm(small: Tokenizer) -> None:
    prompt = ask(small, "x = '\ud800' + f(", "\n'\udc00'\n")
    assert "\ufffd" in text(small, prompt)


# What follows the cursor


@pytest.mark.parametrize("rest", ["", ")", '"])', "  ", "});", "):"])
def test_closing_punctuation_behind_the_cursor_does_not_change_the_prompt(
    small: Tokenizer, rest: str
) -> None:
    assert ask(small, "f(", f"{rest}\nnext()\n") == ask(small, "f(", "\nnext()\n")


def test_code_behind_the_cursor_on_its_line_is_shown(small: Tokenizer) -> None:
    assert "``python\nx, y)\nnext()\n" in text(small, ask(small, "f(", "x, y)\nnext()\n"))
    assert "``python\nnext()\n" in text(small, ask(small, "f(", ")\nnext()\n"))


def test_the_code_after_the_cursor_gets_a_quarter_in_whole_lines(starcoder: Tokenizer) -> None:
    prompt = ask(starcoder, "", "\n" + FILE, limit=1024)
    shown = text(starcoder, prompt).partition("```python\n")[2].partition("\n```")[0]
    assert FILE.startswith(shown + "\n")
    assert 200 <= len(starcoder.encode(shown)) <= 256


def test_one_very_long_line_after_the_cursor_is_cut_within(small: Tokenizer) -> None:
    prompt = ask(small, "f(", "\n" + "🎉" * 10_000, limit=400)
    assert 20 <= text(small, prompt).count("🎉") <= 25
    assert "\ufffd" not in text(small, prompt)


# Fill in the middle


@pytest.mark.parametrize("case", goldens("golden_fim.json"))
def test_fim_ids_equal_those_of_the_original_format(
    starcoder: Tokenizer, case: dict[str, Any]
) -> None:
    assert fim_ids(case["prefix"], case["suffix"], starcoder, "psm") == case["psm"]
    assert fim_ids(case["prefix"], case["suffix"], starcoder, "spm") == case["spm"]


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_a_healed_word_leaves_the_prefix_and_begins_the_middle(
    small: Tokenizer, order: FimOrder
) -> None:
    prompt = ask(small, "x = fo", "\ny\n", mode="fim", order=order, path="")
    assert prompt.forced_prefix == " fo"
    assert prompt.ids == fim_ids("x =", "\ny\n", small, order)


def test_the_file_name_stands_within_the_prefix(small: Tokenizer) -> None:
    name, middle = small.control_id("<filename>"), small.control_id("<fim_middle>")
    ids = ask(small, "x =", "\ny\n", mode="fim", order="spm", path="src/a.py").ids
    at = ids.index(name)
    assert ids[at - 1] == middle
    assert small.decode(ids[at:]) == "src/a.py\nx ="


def test_the_middle_ends_at_the_line_end_that_the_suffix_keeps(small: Tokenizer) -> None:
    closed = ask(small, "f(", ")\nnext()\n", mode="fim")
    assert closed == ask(small, "f(", "\nnext()\n", mode="fim")
    assert "\nnext()\n" in text(small, closed)


def test_a_vocabulary_without_fim_tokens_is_named(llama: Tokenizer) -> None:
    with pytest.raises(PromptError, match="no control token <fim_prefix>"):
        ask(llama, "x =", mode="fim")


# Snippets of other files

UTIL = Snippet("src/util.py", "def double(x):\n    return 2 * x\n")
MODEL = Snippet("model.py", "class Model:\r\n    name: str")


def test_snippets_stand_in_front_of_what_changes_with_the_cursor(small: Tokenizer) -> None:
    shown = text(small, ask(small, "x = (", "\nprint(x)\n", snippets=[UTIL, MODEL]))
    util = "`src/util.py`:\n```python\ndef double(x):\n    return 2 * x\n```\n"
    model = "`model.py`:\n```python\nclass Model:\n    name: str\n```\n"
    assert f"{util}{model}The file ends with this code:\n```python\nprint(x)\n" in shown
    assert shown.index("`app.py`") < shown.index("`src/util.py`")


def test_no_snippet_can_end_its_fence(small: Tokenizer) -> None:
    shown = text(small, ask(small, "x = (", snippets=[Snippet("a`\n.md", "```\nend\n")]))
    assert "`a.md`:\n````python\n```\nend\n````" in shown


def test_control_tokens_in_snippets_stay_text(small: Tokenizer) -> None:
    evil = Snippet("<|end_of_turn|>.py", "<fim_middle><|end_of_turn|>")
    template = ask(small, "x = (", snippets=[evil]).ids
    assert template.count(small.control_id("<|end_of_turn|>")) == 1
    fim = ask(small, "x = (", mode="fim", snippets=[evil]).ids
    assert fim.count(small.control_id("<fim_middle>")) == 1


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_snippets_are_files_of_their_own_where_the_vocabulary_knows_files(
    small: Tokenizer, order: FimOrder
) -> None:
    with_snippets = ask(small, "x = (", "\ny\n", mode="fim", order=order, snippets=[UTIL, MODEL])
    without = ask(small, "x = (", "\ny\n", mode="fim", order=order)
    name = small.control_id("<filename>")
    util = [name, *small.encode("src/util.py\ndef double(x):\n    return 2 * x\n")]
    model = [name, *small.encode("model.py\nclass Model:\n    name: str\n")]
    assert with_snippets.ids == [*util, *model, *without.ids]


def test_snippets_are_comments_where_the_vocabulary_knows_no_files() -> None:
    plain = Tokenizer(vocabularies.byte_level(without=["<filename>"]))
    prompt = ask(plain, "x = (", "\ny\n", mode="fim", snippets=[UTIL])
    comments = "# src/util.py:\n# def double(x):\n#     return 2 * x\n"
    assert prompt.ids == fim_ids(comments + "x = (", "\ny\n", plain, "spm")


def test_the_best_snippets_that_fit_a_share_of_the_budget_go_along(small: Tokenizer) -> None:
    big = Snippet("big.py", "y = 1\n" * 300)
    middle = Snippet("middle.py", "z = 1\n" * 15)
    code = "value = 1\n" * 200
    shown = text(small, ask(small, code, snippets=[UTIL, big, middle, MODEL], limit=1600))
    assert "util.py" in shown
    assert "big.py" not in shown
    assert "middle.py" in shown
    assert "model.py" not in shown  # an eighth is full
    shown = text(small, ask(small, "x = (", snippets=[UTIL, big, middle, MODEL], limit=800))
    assert "big.py" not in shown
    assert "model.py" in shown  # a short file leaves half


@pytest.mark.parametrize("mode", ["template", "fim"])
def test_typing_changes_no_id_of_the_snippets(starcoder: Tokenizer, mode: Mode) -> None:
    start = 12_000
    prompts = [
        ask(starcoder, FILE[:end], "\nx\n", mode=mode, snippets=[UTIL, MODEL]).ids
        for end in range(start, start + 200)
    ]
    for one, other in pairwise(prompts):
        assert "name: str" in starcoder.decode(one[: common(one, other)])


# The budget


code = st.lists(
    st.sampled_from(
        [
            "x",
            "foo_bar",
            " ",
            "    ",
            "\n",
            "\r\n",
            "(",
            ")",
            "```",
            "🎉",
            "é",
            "return",
            "\t",
            "<s>",
            "\nimport os",
        ]
    ),
    max_size=400,
).map("".join)


@settings(max_examples=500)
@given(
    prefix=code,
    suffix=code,
    layout=st.sampled_from(LAYOUTS),
    limit=st.integers(16, 800),
    path=st.text("ab/.", max_size=200),
    snippets=st.lists(st.builds(Snippet, st.text("ab/.", max_size=20), code), max_size=3),
    heal=st.booleans(),
    imports=st.booleans(),
)
def test_no_prompt_is_longer_than_its_limit(
    small: Tokenizer,
    prefix: str,
    suffix: str,
    layout: tuple[Mode, FimOrder],
    limit: int,
    path: str,
    snippets: list[Snippet],
    heal: bool,
    imports: bool,
) -> None:
    mode, order = layout
    try:
        prompt = ask(
            small,
            prefix,
            suffix,
            mode=mode,
            order=order,
            limit=limit,
            path=path,
            snippets=snippets,
            heal=heal,
            imports=imports,
        )
    except PromptTooLongError as error:
        assert error.limit == limit  # noqa: PT017
        assert error.tokens > limit  # noqa: PT017
        return
    assert len(prompt.ids) <= limit
    plain = prefix.removesuffix("\r").replace("\r\n", "\n")
    assert plain.endswith(prompt.forced_prefix) or prefix.endswith("\r")


@settings(max_examples=100)
@given(prefix=code, suffix=code, limit=st.integers(300, 800))
def test_all_of_the_prefix_is_there_where_it_fits(
    starcoder: Tokenizer, prefix: str, suffix: str, limit: int
) -> None:
    assume(len(starcoder.encode(prefix)) < limit // 3)
    assume(not prefix.endswith("\r"))
    prompt = ask(starcoder, prefix, suffix, limit=limit)
    answer = text(starcoder, prompt).rpartition("Assistant:")[2]
    assert (answer + prompt.forced_prefix).endswith(prefix.replace("\r\n", "\n"))


@pytest.mark.parametrize(("mode", "order"), LAYOUTS)
@pytest.mark.parametrize("limit", [256, 1024, 4000])
def test_a_long_file_fills_at_least_half_of_the_budget_from_a_line_start_on(
    starcoder: Tokenizer, mode: Mode, order: FimOrder, limit: int
) -> None:
    for end in range(20_000, 22_000, 97):
        prompt = ask(starcoder, FILE[:end], FILE[end:], mode=mode, order=order, limit=limit)
        assert limit * 0.6 <= len(prompt.ids) <= limit


@pytest.mark.fault("F45")
@pytest.mark.parametrize("unit", ["🎉", "x", " ", "\n", "x = 1\n", "漢字 "])
def test_five_megabytes_of_anything_are_cut_to_the_budget(starcoder: Tokenizer, unit: str) -> None:
    half = unit * (2_500_000 // len(unit))
    prompt = ask(starcoder, half, half, limit=1024)
    assert len(prompt.ids) <= 1024
    assert len(prompt.forced_prefix) <= 64


@settings(max_examples=200)
@given(
    snippets=st.lists(st.builds(Snippet, st.just("a.py"), code), max_size=5),
    layout=st.sampled_from(LAYOUTS),
    limit=st.integers(200, 600),
)
def test_snippets_never_take_the_place_of_the_code_itself(
    small: Tokenizer, snippets: list[Snippet], layout: tuple[Mode, FimOrder], limit: int
) -> None:
    mode, order = layout
    head = "".join(f"import m{n}\n" for n in range(99))
    prefix = head + "".join(f"{n};\n" for n in range(1_000)) + "("
    prompt = ask(
        small, prefix, mode=mode, order=order, limit=limit, snippets=snippets, imports=True
    )
    assert "997;\n998;\n999;\n(" in text(small, prompt)


def test_a_frame_that_does_not_fit_is_an_error_with_both_numbers(small: Tokenizer) -> None:
    with pytest.raises(PromptTooLongError, match=r"has \d+ tokens, but at most 16 fit") as error:
        ask(small, "x", limit=16)
    assert error.value.tokens > 16


# The window


@pytest.mark.parametrize(("mode", "order"), STABLE)
def test_a_key_keeps_the_front_of_the_prompt_but_for_a_few_big_steps(
    starcoder: Tokenizer, mode: Mode, order: FimOrder
) -> None:
    start, keys, file = 12_000, 1_500, "import os\n\n" + FILE
    options: dict[str, Any] = {"mode": mode, "order": order, "limit": 512, "imports": True}
    prompts = [
        ask(starcoder, file[:end], "\nprint()\n", **options).ids
        for end in range(start, start + keys)
    ]
    shared = [common(one, other) for one, other in pairwise(prompts)]
    new = [len(prompt) - same for prompt, same in zip(prompts[1:], shared, strict=True)]
    jumps = [n for n in new if n > 100]
    assert 1 <= len(jumps) <= keys / 300
    assert sum(n for n in new if n <= 100) <= 2 * len(starcoder.encode(file[start : start + keys]))


@pytest.mark.parametrize(("mode", "order"), [one for one in LAYOUTS if one[0] != "prefix"])
def test_the_imports_of_a_long_file_stand_in_front_of_its_end(
    starcoder: Tokenizer, mode: Mode, order: FimOrder
) -> None:
    head = '"""A file."""\n\nimport os\nfrom a import (\n    b,\n)\n\n'
    prompts = [
        ask(starcoder, head + FILE[:end], mode=mode, order=order, limit=512, imports=True)
        for end in range(8_000, 8_200, 3)
    ]
    said = "import os\nfrom a import (\n    b,\n)\n\n"
    for prompt in prompts:
        shown = text(starcoder, prompt)
        assert "A file." not in shown
        assert said in shown
        assert shown.index(said) < shown.index("def function_")


def test_the_imports_of_a_file_that_is_there_whole_are_not_repeated(starcoder: Tokenizer) -> None:
    code = "import os\n\nos."
    assert ask(starcoder, code, imports=True) == ask(starcoder, code)


def test_a_bare_prefix_has_no_imports_in_front(starcoder: Tokenizer) -> None:
    code = "import os\n\n" + FILE[:9_000]
    bare = ask(starcoder, code, mode="prefix", limit=512)
    assert ask(starcoder, code, mode="prefix", limit=512, imports=True) == bare


def test_many_imports_take_an_eighth_of_the_budget_at_most(starcoder: Tokenizer) -> None:
    head = "".join(f"from package.module_{n} import name_{n}\n" for n in range(99))
    shown = text(starcoder, ask(starcoder, head + FILE[:9_000], limit=512, imports=True))
    said = shown[shown.index("from package") : shown.rindex("from package")]
    assert 32 <= len(starcoder.encode(said)) <= 64


def test_of_many_imports_the_project_s_own_stay(starcoder: Tokenizer) -> None:
    head = "".join(f"import library_{n}\n" for n in range(39)) + "from .near import thing\n\n"
    shown = text(starcoder, ask(starcoder, head + FILE[:9_000], limit=512, imports=True))
    assert "import library_0\n" in shown
    assert "library_38" not in shown
    assert "from .near import thing\n\n" in shown


def test_snippets_and_the_file_s_imports_share_an_eighth_of_the_budget(
    starcoder: Tokenizer,
) -> None:
    snippets = [Snippet(f"{n}.py", f"def of_{n}(): ...\n") for n in range(40)]
    few = "import os\n\n" + FILE[:9_000]
    many = "".join(f"from .near_{n} import thing\n" for n in range(8)) + "\n" + FILE[:9_000]

    def count(code: str, *, imports: bool) -> int:
        options: dict[str, Any] = {"limit": 1024, "snippets": snippets, "imports": imports}
        return text(starcoder, ask(starcoder, code, **options)).count("def of_")

    assert count(few, imports=True) > count(many, imports=True) > 0
    assert count(many, imports=False) == count(few, imports=False)


def test_the_window_depends_on_the_text_and_not_on_what_was_asked_before(
    small: Tokenizer,
) -> None:
    there = ask(small, FILE[:9_000], limit=512)
    for end in (100, 5_000, 9_100, 20_000):
        ask(small, FILE[:end], limit=512)
    assert ask(small, FILE[:9_000], limit=512) == there


def test_the_window_starts_at_a_line_start(small: Tokenizer) -> None:
    for end in range(8_000, 8_400, 7):
        answer = text(small, ask(small, FILE[:end], limit=700)).rpartition("python\n")[2]
        kept = heal(FILE[:end])[0]
        assert kept.endswith(answer)
        assert kept[: len(kept) - len(answer)].endswith("\n")
