"""Where the demo puts its cursor."""

from pathlib import Path

import pytest

from opencoder_lsp.cli.demo import default_file, find_hole
from opencoder_lsp.errors import OpencoderError

SOURCE = '''import os


def size(path):
    """Say how large a file is."""
    status = os.stat(path)
    number = status.st_size
    return number // 1024


x = size("a")
'''


def test_the_hole_is_after_a_return_or_an_assignment_inside_a_function() -> None:
    hole = find_hole(SOURCE, Path("size.py"))
    assert (hole.first, hole.last) == (3, 7)
    assert hole.lines[hole.line][: hole.character].endswith("return ")
    assert hole.taken == "number // 1024"


def test_the_document_of_the_hole_lacks_only_what_was_taken() -> None:
    hole = find_hole(SOURCE, Path("size.py"))
    assert hole.text() == SOURCE.replace("number // 1024", "")


def test_a_file_that_is_not_python_gets_a_hole_too() -> None:
    hole = find_hole("int f(int a) {\n  return a * a;\n}\n", Path("f.c"))
    assert hole.taken == "a * a;"


@pytest.mark.parametrize("source", ["def broken(:\n    value = 12345678\n", "just_one_long_name\n"])
def test_a_file_that_does_not_parse_gets_a_hole_too(source: str) -> None:
    assert find_hole(source, Path("broken.py")).taken


def test_a_file_with_crlf_keeps_its_line_ends() -> None:
    source = SOURCE.replace("\n", "\r\n")
    hole = find_hole(source, Path("size.py"))
    assert hole.taken == "number // 1024"
    assert hole.text() == source.replace("number // 1024", "")


@pytest.mark.parametrize("source", ["", "\n\n", "x\n"])
def test_a_file_with_nothing_to_complete_is_an_error_that_names_it(source: str) -> None:
    with pytest.raises(OpencoderError, match=r"x\.py has no line"):
        find_hole(source, Path("x.py"))


def test_the_default_file_is_real_and_has_a_hole() -> None:
    path = default_file()
    hole = find_hole(path.read_text(encoding="utf-8"), path)
    assert hole.taken
