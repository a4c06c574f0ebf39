"""Edits of a document: only what differs, and exactly that."""

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from opencoder_lsp.lsp.documents import Document, Spot
from opencoder_lsp.lsp.selection import Lines, behind
from opencoder_lsp.lsp.workspace_edits import EditSupport, changes

LINES = st.lists(st.sampled_from(["a\n", "b\r\n", "é\n", "\n", "😀 c\n"]), max_size=8)


@given(above=LINES, old=LINES.filter(bool), below=LINES, new=LINES, end=st.sampled_from(["", "x"]))
def test_the_changes_make_the_lines_what_they_should_be(
    above: list[str], old: list[str], below: list[str], new: list[str], end: str
) -> None:
    before, after = "".join(old), "".join(new)
    document = Document("file:///a", "c", 1, "".join([*above, before, *below, end]))
    first, last = len(above), len(above) + len(old) - 1
    lines = Lines(first, last, document.slice(Spot(first, 0), behind(document, last)))
    for edit in reversed(changes(document, lines, after)):
        document.apply([types.TextDocumentContentChangePartial(edit.range, edit.new_text)])
    assert document.text == "".join([*above, after, *below, end])


def test_lines_that_stay_are_not_in_the_changes() -> None:
    document = Document("file:///a", "c", 1, "a\nb\nc\nd\n")
    (edit,) = changes(document, Lines(0, 3, document.text), "a\nB\nc\nd\n")
    assert (edit.range.start.line, edit.range.end.line, edit.new_text) == (1, 2, "B\n")
    assert changes(document, Lines(0, 3, document.text), document.text) == []


def test_what_a_client_does_not_say_it_does_not_understand() -> None:
    assert EditSupport.of(types.ClientCapabilities()) == EditSupport(False, False, False, False)
    edit = types.WorkspaceEditClientCapabilities(
        resource_operations=[types.ResourceOperationKind.Create],
        change_annotation_support=types.ChangeAnnotationsSupportOptions(),
    )
    workspace = types.WorkspaceClientCapabilities(workspace_edit=edit)
    support = EditSupport.of(types.ClientCapabilities(workspace=workspace))
    assert support == EditSupport(versions=False, annotations=False, new_files=True, applies=False)
