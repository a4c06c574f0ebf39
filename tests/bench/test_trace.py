"""The recorded trace: replayed as it was, whatever becomes of the file."""

import hashlib

import pytest

from opencoder_lsp.bench.trace import Trace

# A changed trace makes figures of different versions incomparable: record another file instead.
RECORDED = "Which sequences have their keys and values in memory"


def test_edits_are_made_in_the_text_and_the_prefix_ends_at_the_cursor() -> None:
    trace = Trace("ab", ((2, 0, "c", False), (3, 0, "d", True), (0, 1, "x", False)))
    assert [(key.prefix, key.extends, key.hasty) for key in trace.replay()] == [
        ("abc", False, False),
        ("abcd", True, True),
        ("x", False, False),
    ]


def test_taking_back_the_last_token_is_no_extension() -> None:
    trace = Trace("ab", ((2, 0, "c", False), (2, 1, "", False), (2, 0, "d", False)))
    assert [(key.prefix, key.extends) for key in trace.replay()] == [
        ("abc", False),
        ("ab", False),
        ("abd", True),
    ]


@pytest.mark.parametrize("edit", [(3, 0, "x", False), (1, 2, "", False), (-1, 0, "x", False)])
def test_an_edit_outside_of_the_text_is_refused(edit: tuple[int, int, str, bool]) -> None:
    with pytest.raises(ValueError, match="characters"):
        list(Trace("ab", (edit,)).replay())


def test_the_recorded_trace_is_the_one_that_earlier_figures_were_measured_with() -> None:
    trace = Trace.recorded()
    assert RECORDED in trace.text
    keys = list(trace.replay())
    digest = hashlib.sha256("\0".join(key.prefix for key in keys).encode()).hexdigest()
    assert (len(keys), digest[:16]) == (132, "8c35deb39a7b3b94")


def test_the_recorded_trace_has_extensions_moves_and_haste_and_ends_with_patience() -> None:
    keys = list(Trace.recorded().replay())
    extensions = sum(key.extends for key in keys)
    assert 100 < extensions < len(keys) - 5
    assert 30 < sum(key.hasty for key in keys) < 60
    assert not keys[-1].hasty
