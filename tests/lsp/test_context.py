"""When snippets are gathered, and when they are chosen anew."""

import asyncio
import threading
from pathlib import Path

import pytest
from lsprotocol import types

from opencoder_lsp.lsp import context
from opencoder_lsp.lsp.context import PAUSE, Context
from opencoder_lsp.lsp.documents import Documents
from opencoder_lsp.lsp.folders import WorkspaceFolders
from opencoder_lsp.lsp.gathering import Job, gather
from opencoder_lsp.lsp.notebooks import Notebooks
from opencoder_lsp.prompt.completion import Place
from opencoder_lsp.prompt.context import Material
from opencoder_lsp.settings import CompletionSettings, Settings

UTIL = "def double(number):\n    return 2 * number\n"
CODE = "from util import double\n\nx = 1\ny = "


class Desk:
    """An editor's documents in a workspace, and a clock that stands still."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.now = 1000.0
        self.settings = Settings()
        self.documents = Documents()
        self.folders = WorkspaceFolders()
        folder = types.WorkspaceFolder(work.as_uri(), "work")
        self.folders.initialize(
            types.InitializeParams(types.ClientCapabilities(), workspace_folders=[folder])
        )
        self.context = Context(
            lambda: self.documents,
            Notebooks(lambda: self.documents),
            self.folders,
            lambda: self.settings,
            lambda: self.now,
        )

    def uri(self, name: str) -> str:
        return (self.work / name).as_uri()

    def open(self, name: str, text: str) -> None:
        self.documents.open(types.TextDocumentItem(self.uri(name), "python", 1, text))
        self.context.opened(self.uri(name))

    def type(self, name: str, line: int, text: str) -> None:
        uri, at = self.uri(name), types.Position(line, 0)
        change = types.TextDocumentContentChangePartial(types.Range(at, at), text)
        document = self.documents.get(uri)
        assert document is not None
        identifier = types.VersionedTextDocumentIdentifier(document.version + 1, uri)
        self.documents.change(identifier, [change])
        self.context.changed(uri, [change])

    def ask(self, prefix: str, suffix: str = "\nend\n", name: str = "app.py") -> list[str]:
        place = Place(name, "python", prefix, suffix)
        return [snippet.text for snippet in self.context.snippets(self.uri(name), place)]

    async def rest(self) -> None:
        """Wait until nothing is being gathered, nor will be."""
        self.now += 100
        async with asyncio.timeout(60):
            await self.context.settled()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(context, "PERIOD", 0.0)  # a period is nothing to wait for in a test
    (tmp_path / "util.py").write_text(UTIL, encoding="utf-8")
    return Desk(tmp_path)


async def test_what_belongs_to_a_file_is_ready_for_the_first_request(desk: Desk) -> None:
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == [UTIL]


async def test_a_request_takes_what_is_ready_and_never_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def slow(job: Job) -> Material:
        assert go.wait(60)
        return gather(job)

    monkeypatch.setattr(context, "gather", slow)
    desk.open("app.py", CODE)
    await asyncio.sleep(0)
    assert desk.ask(CODE) == []
    assert desk.context.is_gathering
    go.set()
    await desk.rest()
    assert desk.ask(CODE) == [UTIL]


async def test_typing_at_a_place_changes_nothing_until_the_user_rests(desk: Desk) -> None:
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == [UTIL]
    (desk.work / "util.py").write_text("def double(other): ...\n", encoding="utf-8")
    desk.type("app.py", 2, "# ")
    await desk.rest()
    desk.now -= 100  # the waiting above took no time
    assert desk.ask(CODE + "dou") == [UTIL]
    assert desk.ask(CODE + "doub", ")\nend\n") == [UTIL]  # an auto-closed bracket
    assert desk.ask(CODE + "double(1)\n") == [UTIL]
    desk.now += 2 * PAUSE
    assert desk.ask(CODE + "double(1)\n") == ["def double(other): ...\n"]


async def test_another_place_gets_what_is_best_there(desk: Desk) -> None:
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == [UTIL]
    (desk.work / "util.py").write_text("def double(other): ...\n", encoding="utf-8")
    desk.type("app.py", 2, "# ")
    await desk.rest()
    desk.now -= 100
    assert desk.ask("from util import double\n", "\nx = 1\ny = ") == ["def double(other): ...\n"]


async def test_what_is_edited_elsewhere_comes_along_and_goes_when_it_is_closed(desk: Desk) -> None:
    desk.open("other.py", "")
    desk.open("app.py", "x = ")
    desk.type("other.py", 0, "def freshly_written(): ...\n")
    await desk.rest()
    desk.ask("x = ")
    await desk.rest()
    assert desk.ask("x = ") == ["def freshly_written(): ...\n"]
    desk.documents.close(desk.uri("other.py"))
    desk.context.closed(desk.uri("other.py"))
    desk.ask("x = ")
    await desk.rest()
    assert desk.ask("x = ") == []


async def test_a_document_that_is_closed_meanwhile_leaves_nothing(desk: Desk) -> None:
    desk.open("app.py", CODE)
    desk.documents.close(desk.uri("app.py"))
    desk.context.closed(desk.uri("app.py"))
    await desk.rest()
    assert desk.ask(CODE) == []


async def test_a_reopened_document_of_the_same_version_is_the_new_one(desk: Desk) -> None:
    desk.open("app.py", "")
    await desk.rest()
    assert desk.ask("") == []
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == [UTIL]


async def test_without_the_setting_there_are_none(desk: Desk) -> None:
    desk.settings = Settings(completion=CompletionSettings(context=False))
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == []


async def test_a_failure_costs_the_snippets_only_and_tells_no_code(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(job: Job) -> Material:
        raise RuntimeError(job.file.text)

    monkeypatch.setattr(context, "gather", fail)
    desk.open("app.py", CODE)
    await desk.rest()
    assert desk.ask(CODE) == []
    assert "gathering snippets failed" in caplog.text
    assert "double" not in caplog.text


async def test_closing_ends_what_goes_on(desk: Desk) -> None:
    desk.open("app.py", CODE)
    desk.context.close()
    await desk.rest()
    assert desk.ask(CODE) == []
    desk.context.close()
