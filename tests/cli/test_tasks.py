"""`explain`, `fix`, `document`, `test` and `refactor` as processes, with a scripted engine."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opencoder_lsp.cli.edits import FileEdit
from opencoder_lsp.cli.tasks import Part, parse_part
from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

CODE = "import os\r\n\r\ndef add(a, b):\r\n    return a - b\r\n"
FIXED = "```python\ndef add(a, b):\n    return a + b\n```"
DIFF = (
    "--- a/module.py\n+++ b/module.py\n@@ -1,4 +1,4 @@\n import os\r\n \r\n def add(a, b):\r\n"
    "-    return a - b\r\n+    return a + b\r\n"
)
TESTS = "```python\nfrom module import add\n\ndef test_add():\n    assert add(1, 2) == 3\n```"


@dataclass
class Project:
    """A folder with a file, and an engine that says what a test scripts."""

    folder: Path
    model: Path
    fake: FakeEngine

    @property
    def file(self) -> Path:
        return self.folder / "module.py"

    async def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run `opencoder-lsp` in the folder and return what it prints, byte for byte."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "opencoder_lsp", *arguments),
            *("--set", f"engine.url={self.fake.url}", "--set", f"model.name={self.model}"),
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "300", "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, said = (part.decode() for part in await process.communicate())
        assert process.returncode == code, output + said
        return output, said

    def asked(self) -> str:
        """Return the newest prompt."""
        return Tokenizer.load(self.model).decode(self.fake.requests[-1]["prompt"])


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    model = make_tokenizer_folder(tmp_path / "model")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        project = Project(folder, model, fake)
        project.file.write_bytes(CODE.encode())
        yield project


def patch(folder: Path, diff: str) -> None:
    """Let git apply a diff."""
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff.encode(), check=True)


async def test_an_explanation_of_a_part_is_printed(project: Project) -> None:
    project.fake.answer("It **subtracts**.")
    output, _ = await project.run("explain", "module.py:3-4")
    assert output == "It **subtracts**.\n"
    assert "```python\ndef add(a, b):\n    return a - b\n```" in project.asked()
    assert "import os" not in project.asked()


async def test_without_lines_all_of_a_file_is_explained_and_json_is_for_scripts(
    project: Project,
) -> None:
    project.fake.answer("It subtracts.", finish_reason="length")
    output, _ = await project.run("explain", "module.py", "--json")
    result = json.loads(output)
    assert (result["text"], result["finishReason"]) == ("It subtracts.", "length")
    assert "```python\nimport os\n\ndef add(a, b):" in project.asked()


async def test_a_fix_is_printed_as_a_diff_that_patch_takes(project: Project) -> None:
    project.fake.answer(FIXED)
    output, _ = await project.run("fix", "module.py:4", "be brief")
    assert output == DIFF
    assert "Mind this, too: be brief" in project.asked()
    assert project.file.read_bytes() == CODE.encode()
    patch(project.folder, output)
    assert project.file.read_bytes() == CODE.replace("a - b", "a + b").encode()


async def test_apply_writes_the_file_and_keeps_its_mode(project: Project) -> None:
    project.file.chmod(0o754)
    project.fake.answer(FIXED)
    output, said = await project.run("refactor", "module.py:3-4", "add", "--apply")
    assert output == DIFF
    assert "written: module.py" in said
    assert "Rewrite this code from `module.py`: add\n" in project.asked()
    assert project.file.read_bytes() == CODE.replace("a - b", "a + b").encode()
    assert stat.S_IMODE(project.file.stat().st_mode) == 0o754
    assert os.listdir(project.folder) == ["module.py"]


async def test_a_file_that_changes_meanwhile_is_not_written(project: Project) -> None:
    project.fake.answer(FIXED)
    project.fake.pause_after(1)
    run = asyncio.create_task(project.run("fix", "module.py:4", "--apply", code=1))
    await project.fake.paused()
    project.file.write_text("mine = 1\n", encoding="utf-8")
    project.fake.resume()
    _, said = await run
    assert "has changed meanwhile" in said
    assert project.file.read_text(encoding="utf-8") == "mine = 1\n"
    assert os.listdir(project.folder) == ["module.py"]


async def test_a_docstring_is_written(project: Project) -> None:
    project.fake.answer('"""Add."""')
    await project.run("document", "module.py:4", "--apply")
    expected = CODE.replace("b):\r\n", 'b):\r\n    """Add."""\r\n')
    assert project.file.read_bytes() == expected.encode()


async def test_tests_are_a_new_file(project: Project) -> None:
    (project.folder / "tests").mkdir()
    project.fake.answer(TESTS)
    output, _ = await project.run("test", "module.py:4", "--apply")
    new = TESTS.removeprefix("```python\n").removesuffix("```")
    assert output.startswith("--- /dev/null\n+++ b/tests/test_module.py\n@@ -0,0 +1,4 @@\n+from")
    assert (project.folder / "tests" / "test_module.py").read_text(encoding="utf-8") == new


async def test_an_answer_that_is_no_edit_ends_with_1_and_says_why(project: Project) -> None:
    project.fake.answer("I see \x1b[31mnothing wrong.")
    output, said = await project.run("fix", "module.py", "--apply", code=1)
    assert output == ""
    assert "I see [31mnothing wrong.\nno edit: the answer has no code, only words" in said
    assert project.file.read_bytes() == CODE.encode()


async def test_json_has_the_diff_too(project: Project) -> None:
    project.fake.answer(FIXED)
    result = json.loads((await project.run("fix", "module.py:4", "--json"))[0])
    assert result["diff"] == DIFF
    assert result["applied"] is False
    assert result["text"] == FIXED
    project.fake.answer("")
    result = json.loads((await project.run("fix", "module.py", "--json", code=1))[0])
    assert result["diff"] is result["edit"] is None
    assert result["reason"] == "the model answered nothing"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["document", "module.py"], 2, "say which function or class to document"),
        (["fix", "module.py:9-3"], 2, "FILE:FIRST-LAST"),
        (["fix", "module.py:1", "--set", "engine.x=1"], 2, "unknown setting"),
        (["explain", "module.py:3-99"], 1, "module.py has 5 lines, not 99"),
        (["explain", "missing.py"], 1, "cannot read missing.py"),
        (["document", "module.py:1"], 1, "there is no function or class to document there"),
    ],
)
async def test_what_cannot_be_done_is_said(
    project: Project, arguments: list[str], code: int, says: str
) -> None:
    assert says in (await project.run(*arguments, code=code))[1]


def test_a_part_is_a_file_a_line_or_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_part("a.py") == Part(Path("a.py"))
    assert parse_part("a.py:7") == Part(Path("a.py"), 7)
    assert parse_part("a.py:7-9") == Part(Path("a.py"), 7, 9)
    assert parse_part("a.py:7:9") == Part(Path("a.py:7"), 9)
    (tmp_path / "odd:1").touch()
    assert parse_part("odd:1") == Part(Path("odd:1"))
    with pytest.raises(SettingsError):
        parse_part("a.py:0")


def test_a_last_line_without_an_end_is_said_in_the_diff() -> None:
    diff = FileEdit(Path("a"), "x", "y").diff()
    end = "\n\\ No newline at end of file\n"
    assert diff == f"--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x{end}+y{end}"


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a" / "test_a.py"
    FileEdit(path, None, "new\n").write()
    assert path.read_text(encoding="utf-8") == "new\n"
    with pytest.raises(OpencoderError, match="is there meanwhile"):
        FileEdit(path, None, "newer\n").write()
    with pytest.raises(OpencoderError, match="cannot write"):
        FileEdit(path / "b", None, "x").write()
    assert path.read_text(encoding="utf-8") == "new\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old", encoding="utf-8")
    link.symlink_to(file)
    FileEdit(link, "old", "new").write()
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8") == "new"
