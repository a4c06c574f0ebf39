"""Where holes are cut."""

from collections.abc import Mapping

import pytest

from opencoder_lsp.bench.holes import Hole, Kind, cut
from opencoder_lsp.bench.sources import Source

HELPERS = '''"""Helpers, of which nobody should complete the words."""


def measure_length(text):
    # a comment is no code
    return len(text)  # nor is a line that ends in one
'''
MAIN = """from helpers import measure_length
import helpers


def report_lines(lines):
    for current in lines:
        total = measure_length(current)
        other = helpers.measure_length(current)
        print(total, other)
    return sorted(lines)
"""


def source(files: Mapping[str, str] | None = None, name: str = "work") -> Source:
    return Source(name, "", files or {"helpers.py": HELPERS, "main.py": MAIN})


def holes(
    files: Mapping[str, str] | None = None, count: int = 100, seed: int = 7, kind: Kind = "line"
) -> list[Hole]:
    return cut([source(files)], count, seed, kind)


def test_a_hole_and_what_was_taken_away_make_the_file() -> None:
    for hole in holes():
        assert hole.whole == {"helpers.py": HELPERS, "main.py": MAIN}[hole.path]
        lines = hole.holed.split("\n")
        assert lines[hole.line] == hole.whole.split("\n")[hole.line][: hole.character]
        assert hole.truth
        assert hole.tail == ""


def test_the_same_seed_gives_the_same_holes_and_another_one_others() -> None:
    assert holes(count=6) == holes(count=6)
    assert [hole.id for hole in holes(count=6)] != [hole.id for hole in holes(count=6, seed=8)]


def test_half_of_the_holes_are_inside_identifiers_and_half_in_front_of_one() -> None:
    found = holes(count=6)
    assert sum(hole.inside for hole in found) == 3
    for hole in found:
        before, after = hole.prefix[-1], hole.truth[0]
        assert after.isidentifier()
        assert before.isidentifier() == hole.inside


def test_there_is_at_most_one_hole_in_a_line() -> None:
    found = holes()
    assert len({(hole.path, hole.line) for hole in found}) == len(found)


def test_comments_docstrings_and_keywords_are_not_cut_into() -> None:
    for seed in range(30):
        for hole in holes(seed=seed):
            assert "comment" not in hole.whole.split("\n")[hole.line]
            assert "Helpers" not in hole.truth
            assert not (hole.inside and hole.truth.startswith(("eturn", "turn", "rom ", "mport")))


def test_every_source_gets_the_same_share() -> None:
    files = {f"m{number}.py": MAIN.replace("lines", f"l{number}") for number in range(3)}
    found = cut([source(files, "one"), source(files, "two")], 11, 7)
    counts = [sum(hole.source == name for hole in found) for name in ("one", "two")]
    assert counts == [6, 5]
    odd = cut([source(files, "one"), source(files, "two")], 10, 7)
    assert sum(hole.inside for hole in odd) == 5


def test_the_answer_is_elsewhere_where_it_names_what_is_imported_from_another_file() -> None:
    seen = {}
    for seed in range(40):
        for hole in holes(seed=seed):
            if hole.path == "main.py":
                seen[hole.line, hole.truth] = hole.elsewhere
    assert seen[6, "measure_length(current)"]
    assert not seen[6, "current)"]
    assert any(elsewhere for (line, _), elsewhere in seen.items() if line == 7)
    assert not any(elsewhere for (line, _), elsewhere in seen.items() if line in (4, 5, 8, 9))


def test_all_answers_are_elsewhere_where_only_those_are_wanted() -> None:
    files = {
        "a.py": "from b import longer\n" + "x = longer(1)\ny = shorter(2)\n" * 20,
        "b.py": "def longer(x):\n    return x\n",
    }
    cut = holes(files, kind="elsewhere")
    assert len(cut) == 21  # the import, too
    assert all(hole.elsewhere and "longer" in hole.whole.splitlines()[hole.line] for hole in cut)


def test_a_name_that_only_happens_to_be_defined_elsewhere_is_not_meant() -> None:
    files = {"a.py": "def request():\n    return None\n", "b.py": "def send(request):\n    pass\n"}
    assert not any(hole.elsewhere for seed in range(20) for hole in holes(files, seed=seed))


def test_python_that_does_not_parse_has_no_holes() -> None:
    assert holes({"a.py": "def broken(:\n    value = other_value\n"}) == []


def test_other_languages_are_cut_by_their_words() -> None:
    text = "// a comment\nint total = first_value + second_value;\n"
    found = holes({"a.c": text})
    assert [hole.line for hole in found] == [1]


def test_line_ends_and_letters_of_any_kind_keep_their_places() -> None:
    text = "größe = übergabe(wert)\r\nzahl = größe + größe\r\n"
    for seed in range(10):
        for hole in holes({"a.py": text}, seed=seed):
            assert hole.whole == text
            assert "\r" not in hole.truth
            assert hole.suffix.startswith("\r\n")


def test_paired_holes_keep_the_brackets_that_an_editor_closed() -> None:
    text = "result = call_it(first[index_of(key)], second)\n" * 4
    tails = {}
    for seed in range(60):
        for hole in holes({"a.py": text}, seed=seed, kind="paired"):
            tails[hole.truth] = hole.tail
            assert hole.holed == hole.prefix + hole.tail + hole.suffix
    assert tails["second)"] == ")"
    assert tails["key)], second)"] == ")])"
    assert tails["index_of(key)], second)"] == "])"
    assert "first" not in {truth.split("[")[0] for truth, tail in tails.items() if not tail}


def test_a_bracket_that_is_closed_on_another_line_makes_no_paired_hole() -> None:
    assert holes({"a.py": "result = call_it(first,\n    second)\n"}, kind="paired") == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_as_many_holes_as_are_wanted(count: int) -> None:
    assert len(holes(count=count)) == count
