"""Documents' URIs as paths."""

from pathlib import Path

import pytest
from lsprotocol import types

from opencoder_lsp.lsp.folders import WorkspaceFolders


def folders(*uris: str) -> WorkspaceFolders:
    result = WorkspaceFolders()
    given = [types.WorkspaceFolder(uri, "name") for uri in uris]
    result.initialize(types.InitializeParams(types.ClientCapabilities(), workspace_folders=given))
    return result


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///project/a%20b/%C3%A9.py", "/project/a b/é.py"),
        ("file:///project/100%25.py", "/project/100%.py"),
        ("git:/project/.env?%7B%7D", "/project/.env"),
        ("vscode-notebook-cell:/project/a.ipynb#W0", "/project/a.ipynb"),
        ("untitled:Untitled-1", ""),
        ("untitled:/project/.env", "/project/.env"),
        ("http://[broken", "http://[broken"),
        ("", ""),
    ],
)
def test_a_uri_of_any_scheme_has_the_path_that_counts_for_privacy(uri: str, path: str) -> None:
    assert WorkspaceFolders.file_path(uri) == path


def test_a_path_is_shown_below_the_innermost_folder_that_holds_it() -> None:
    ours = folders("file:///home/me/project", "file:///home/me/project/packages/core")
    assert ours.shown_path("file:///home/me/project/src/a.py") == "src/a.py"
    assert ours.shown_path("file:///home/me/project/packages/core/b.py") == "b.py"
    assert ours.shown_path("file:///home/me/other/c.py") == "c.py"
    assert ours.shown_path("file:///home/me/project2/d.py") == "d.py"


def test_folders_come_and_go() -> None:
    ours = folders("file:///a")
    change = types.WorkspaceFoldersChangeEvent(
        added=[types.WorkspaceFolder("file:///b", "b")],
        removed=[types.WorkspaceFolder("file:///a", "a")],
    )
    ours.change(types.DidChangeWorkspaceFoldersParams(change))
    assert ours.shown_path("file:///b/x/y.py") == "x/y.py"
    assert ours.shown_path("file:///a/x/y.py") == "y.py"


def test_an_editor_that_knows_only_one_root_is_understood() -> None:
    ours = WorkspaceFolders()
    ours.initialize(types.InitializeParams(types.ClientCapabilities(), root_uri="file:///w"))
    assert ours.shown_path("file:///w/x/y.py") == "x/y.py"


def test_conversations_belong_to_the_folders_without_links_the_outermost_first(
    tmp_path: Path,
) -> None:
    real = tmp_path.resolve() / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    ours = folders((tmp_path / "link" / "sub").as_uri(), (tmp_path / "link").as_uri())
    assert ours.workspaces == [str(real), str(real / "sub")]
    assert folders().workspaces == [""]
