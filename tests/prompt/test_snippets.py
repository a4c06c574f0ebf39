"""Snippets of other files, as text."""

from opencoder_lsp.prompt.snippets import Snippet, as_comments, as_file, as_section, fitting, joined
from opencoder_lsp.prompt.tokenizer import Tokenizer


def test_each_form_has_the_path_and_plain_line_ends() -> None:
    snippet = Snippet("src/a.py", "x = 1\r\ny = 2")
    assert as_section(snippet, "python") == "`src/a.py`:\n```python\nx = 1\ny = 2\n```\n"
    assert as_comments(snippet, "lua") == "-- src/a.py:\n-- x = 1\n-- y = 2\n"
    assert as_file(snippet) == "src/a.py\nx = 1\ny = 2\n"


def test_what_is_taken_fits_the_room_and_what_is_too_long_is_passed_over(small: Tokenizer) -> None:
    snippets = [Snippet(f"{n}.py", "x" * n) for n in (40, 200, 30, 20)]
    costs = {snippet: small.count(as_file(snippet)) + 1 for snippet in snippets}
    room = costs[snippets[0]] + costs[snippets[2]]
    assert fitting(snippets, as_file, small, room) == (snippets[0], snippets[2])
    assert fitting(snippets, as_file, small, room - 1) == (snippets[0], snippets[3])
    assert fitting(snippets, as_file, small, 0) == ()


def test_neighbours_of_one_file_share_its_heading() -> None:
    snippets = [Snippet("a", "1\n"), Snippet("a", "2"), Snippet("a", "3\n"), Snippet("b", "4")]
    assert joined(snippets) == [Snippet("a", "1\n\n2\n\n3\n"), Snippet("b", "4")]
    assert joined([Snippet("a", "1"), Snippet("b", "2"), Snippet("a", "3")]) == [
        Snippet("a", "1"),
        Snippet("b", "2"),
        Snippet("a", "3"),
    ]
