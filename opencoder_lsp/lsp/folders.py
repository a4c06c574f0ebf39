"""Workspace folders, and documents' URIs as paths."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from opencoder_lsp.prompt.files import resolved


class WorkspaceFolders:
    """What the editor has open as folders."""

    def __init__(self) -> None:
        self._roots: list[PurePosixPath] = []

    @property
    def paths(self) -> list[str]:
        """The folders' paths, the innermost first."""
        return [str(root) for root in self._roots]

    @property
    def workspaces(self) -> list[str]:
        """What conversations belong to: the folders without links, the outermost first, or ""."""
        return sorted(map(resolved, self.paths)) or [""]

    def initialize(self, params: types.InitializeParams) -> None:
        """Take the folders of `initialize`, by whichever of its fields."""
        uris = [folder.uri for folder in params.workspace_folders or []]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        self._add(uris)

    def change(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Take `workspace/didChangeWorkspaceFolders`."""
        removed = {PurePosixPath(self.file_path(folder.uri)) for folder in params.event.removed}
        self._roots = [root for root in self._roots if root not in removed]
        self._add(folder.uri for folder in params.event.added)

    @staticmethod
    def file_path(uri: str) -> str:
        """
        Return the path of a URI, of whatever scheme, or "" where it has none (never saved).

        What follows another scheme (`git:`, `vscode-notebook-cell:`) is the file that it shows.
        """
        try:
            parts = urlsplit(uri)
        except ValueError:  # such as an unclosed bracket in the host
            return uri
        path = unquote(parts.path)
        return "" if parts.scheme == "untitled" and "/" not in path else path

    def shown_path(self, uri: str) -> str:
        """Return a path for a prompt: below its workspace folder, or only the name."""
        path = PurePosixPath(self.file_path(uri))
        for root in self._roots:
            if path.is_relative_to(root):
                return str(path.relative_to(root))
        return path.name

    def _add(self, uris: Iterable[str]) -> None:
        roots = {*self._roots, *(PurePosixPath(self.file_path(uri)) for uri in uris)}
        self._roots = sorted(roots, key=lambda root: len(root.parts), reverse=True)
