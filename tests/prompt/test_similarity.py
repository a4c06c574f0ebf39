"""Which part of a text is most like the code around the cursor."""

from hypothesis import given
from hypothesis import strategies as st

from opencoder_lsp.prompt.similarity import CHUNK, chunks, most_similar, near, words

PARTS = [f"def handler_{n}(request_{n}):\n    answer_{n} = call_{n}()\n" * 10 for n in range(20)]


def test_the_chunk_with_the_same_names_is_found() -> None:
    around = words("request_7 answer_7 call_7 handler_7")
    best = most_similar(around, chunks("".join(PARTS)))
    assert best is not None
    assert best[1].text == PARTS[7]
    assert best[0] == 1.0


def test_what_has_nothing_in_common_is_not_found() -> None:
    assert most_similar(words("something else entirely"), chunks("".join(PARTS))) is None
    assert most_similar(words(""), chunks("".join(PARTS))) is None
    assert most_similar(words("x"), chunks("")) is None


def test_words_of_every_program_say_nothing() -> None:
    assert words("return self if None else True") == frozenset()
    assert words("Übung x1 a 12 _b") == {"Übung", "x1", "_b"}


@given(st.text("ab\n", max_size=300))
def test_every_line_is_in_a_chunk(text: str) -> None:
    cut = chunks(text)
    seen = {one.first + n: line for one in cut for n, line in enumerate(one.text.splitlines())}
    assert [seen[n] for n in sorted(seen)] == text.splitlines()
    assert all(one.text.count("\n") <= CHUNK for one in cut)


def test_only_the_lines_next_to_the_cursor_are_near() -> None:
    prefix = "".join(f"before_{n}\n" for n in range(100))
    suffix = "".join(f"after_{n}\n" for n in range(100))
    around = near(prefix + "he", "re\n" + suffix)
    assert "here" in around
    assert "before_99" in around
    assert "after_0" in around
    assert "before_50" not in around
    assert "after_50" not in around


def test_a_very_long_line_is_looked_at_near_the_cursor_only() -> None:
    assert len(near("x" * 1_000_000, "y" * 1_000_000)) < 50_000
