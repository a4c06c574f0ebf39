"""The traces of typing: what an editor makes of each key."""

import pytest

from opencoder_lsp.bench.trace import Trace
from tests.benchmarks.keys import Press, Typist, editing, recorded


def replayed(text: str, presses: list[Press]) -> str:
    """Apply the changes of keys to a text, as a server does, and check the cursors on the way."""
    for press in presses:
        lines = text.split("\n")
        starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
        start, end = (starts[line] + character for line, character in (press.start, press.end))
        text = text[:start] + press.text + text[end:]
        assert "".join(press.place) == text
        left = text.split("\n")[: press.cursor[0] + 1]
        assert "\n".join([*left[:-1], left[-1][: press.cursor[1]]]) == press.place[0]
    return text


def test_the_recorded_trace_has_200_keys_that_can_be_replayed() -> None:
    text, presses = recorded()
    assert len(presses) == 200
    end = replayed(text, presses)
    assert "rows = shared[best.index]\n        if best is oldest or (not best.busy" in end
    assert all(0.09 <= press.gap <= 0.17 for press in presses)
    assert 0.2 < sum(press.reads for press in presses) / len(presses) < 0.6
    assert recorded() == (text, presses)


def test_the_script_of_edits_has_everything_in_it() -> None:
    text, presses = editing()
    end = replayed(text, presses)
    assert 'return [f"slot {slot.index}: {slot.rows}" for slot in self._slots]' in end
    assert sum(press.jumped for press in presses) == 3
    assert any(press.start != press.end and not press.text for press in presses)
    assert any(len(press.text) == 2 for press in presses)
    assert 150 < len(presses) < 250
    assert text == Trace.recorded().text


def test_pairs_are_closed_typed_over_and_deleted_together() -> None:
    typist = Typist("f", closes_pairs=True)
    typist.cursor = 1
    opened = typist.press("(")
    assert (opened.text, opened.typed, opened.place) == ("()", "(", ("f(", ")"))
    closed = typist.press(")")
    assert (closed.start, closed.end, closed.text) == ((0, 2), (0, 3), ")")
    assert closed.place == ("f()", "")
    typist.cursor = 2
    deleted = typist.delete()
    assert (deleted.start, deleted.end, deleted.place) == ((0, 1), (0, 3), ("f", ""))


def test_nothing_is_closed_in_front_of_a_word_nor_an_apostrophe_behind_one() -> None:
    typist = Typist(" a", closes_pairs=True)
    typist.cursor = 1
    assert typist.press("(").text == "("
    typist = Typist("don", closes_pairs=True)
    typist.cursor = 3
    assert typist.press("'").text == "'"


@pytest.mark.parametrize("script", ["jump nowhere at all", "jump", "dance", "back x"])
def test_a_script_with_a_mistake_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match=r"the text has no|no such action|invalid literal"):
        editing(script)
