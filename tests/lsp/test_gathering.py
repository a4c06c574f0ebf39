"""What is taken from other files, and what never is."""

import os
from pathlib import Path

import pytest

from opencoder_lsp.lsp.gathering import LARGEST, Job, OpenText, gather
from opencoder_lsp.prompt.context import Material, Rank, related
from opencoder_lsp.settings import EngineSettings, Settings

LOCAL = Settings()
REMOTE = Settings(engine=EngineSettings(url="https://example.org"))
UTIL = 'def double(number):\n    """Return twice a number."""\n    return 2 * number\n'


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with one module."""
    folder = tmp_path / "work"
    (folder / "pkg").mkdir(parents=True)
    write(folder / "pkg" / "util.py", UTIL)
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def opened(path: Path | None, text: str, *edits: tuple[int, int]) -> OpenText:
    shown = path.name if path else "Untitled"
    return OpenText(str(path) if path else "", shown, "python", text, edits)


def found(
    work: Path,
    text: str,
    *others: OpenText,
    at: str = "pkg/app.py",
    settings: Settings = LOCAL,
    folders: list[Path] | None = None,
) -> Material:
    paths = tuple(str(folder) for folder in ([work] if folders is None else folders))
    return gather(Job(opened(work / at, text), others, paths, settings))


def texts(material: Material) -> list[str]:
    return [option.snippet.text for option in material.options]


def paths(material: Material) -> set[str]:
    return {option.snippet.path for option in material.options}


@pytest.mark.parametrize(
    "statement",
    [
        "from pkg.util import double",
        "from .util import double",
        "from . import util\nutil.double()",
        "import pkg.util\npkg.util.double()",
        "import pkg.util as u\nu.double()",
        "from pkg.util import *\ndouble()",
        "from util import double",
    ],
)
def test_a_definition_is_found_however_it_is_imported(work: Path, statement: str) -> None:
    material = found(work, f"{statement}\n")
    assert UTIL in texts(material)
    assert paths(material) == {"pkg/util.py"}


def test_a_package_passes_on_what_its_modules_define(work: Path) -> None:
    write(work / "pkg" / "__init__.py", "from .middle import twice\nfrom .stars import *\n")
    write(work / "pkg" / "middle.py", "from .util import double as twice\n")
    write(work / "pkg" / "stars.py", "def starred(a):\n    return a\n")
    material = found(work, "from pkg import twice, starred, util\n", at="app.py")
    assert UTIL in texts(material)
    assert "def starred(a):\n    return a\n" in texts(material)


def test_modules_that_import_each_other_do_no_harm(work: Path) -> None:
    write(work / "one.py", "from two import thing\n")
    write(work / "two.py", "from one import thing\n")
    assert texts(found(work, "from one import thing\n", at="app.py")) == []


def test_what_is_open_counts_and_not_what_is_on_the_disk(work: Path) -> None:
    util = work / "pkg" / "util.py"
    material = found(work, "from .util import double\n", opened(util, "def double(new): ...\n"))
    assert "def double(new): ...\n" in texts(material)
    assert UTIL not in texts(material)


def test_a_module_is_read_anew_when_it_has_changed(work: Path) -> None:
    util = work / "pkg" / "util.py"
    assert texts(found(work, "from .util import double\n")) == [UTIL]
    write(util, "def double(changed_argument): ...\n")
    assert texts(found(work, "from .util import double\n")) == [
        "def double(changed_argument): ...\n"
    ]
    util.unlink()
    assert texts(found(work, "from .util import double\n")) == []


def test_script_files_are_found_by_their_relative_path(work: Path) -> None:
    write(work / "lib" / "util.ts", "export function twice(n: number): number {\n  return n;\n}\n")
    file = OpenText(str(work / "a.ts"), "a.ts", "typescript", "import { twice } from './lib/util'")
    material = gather(Job(file, (), (str(work),), LOCAL))
    assert texts(material) == ["export function twice(n: number): number {\n  return n;\n}\n"]


# What is never taken


@pytest.mark.parametrize("settings", [LOCAL, REMOTE])
@pytest.mark.parametrize(
    ("file", "line"),
    [(".gitignore", "util.py"), (".opencoderignore", "pkg/"), (".git/info/exclude", "*")],
)
def test_what_is_left_out_is_not_read(work: Path, settings: Settings, file: str, line: str) -> None:
    (work / ".git").mkdir()
    write(work / file, f"{line}\n")
    assert texts(found(work, "from .util import double\n", settings=settings)) == []


def test_a_secret_is_not_read_by_whatever_link(work: Path, tmp_path: Path) -> None:
    write(tmp_path / "credentials.py", "TOKEN = 'abc'\n")
    write(tmp_path / "outside.py", "VALUE = 'abc'\n")
    (work / "settings.py").symlink_to(tmp_path / "credentials.py")
    (work / "outside.py").symlink_to(tmp_path / "outside.py")
    (work / "folder").symlink_to(tmp_path)
    code = (
        "from settings import TOKEN\nfrom outside import VALUE\nfrom folder.outside import VALUE\n"
    )
    assert texts(found(work, code, at="app.py")) == []


def test_nothing_is_read_from_outside_of_the_workspace(work: Path) -> None:
    assert texts(found(work, "from .util import double\n", folders=[])) == []
    assert texts(found(work, "from .util import double\n", folders=[work / "other"])) == []
    assert texts(found(work, "from ..pkg.util import double\n", folders=[work / "pkg"])) != []
    assert texts(found(work, "from ..util import double\n", folders=[work / "pkg"])) == []


def test_the_file_itself_is_not_read_from_the_disk(work: Path) -> None:
    answer = "def answer():\n    return 42\n"
    app = write(work / "pkg" / "app.py", answer)
    os.link(app, work / "pkg" / "hard.py")
    (work / "pkg" / "soft.py").symlink_to("app.py")
    for module in ("app", "hard", "soft"):
        code = f"from .{module} import answer\nanswer()\n"
        for other in ((), (opened(work / "pkg" / f"{module}.py", answer),)):
            material = found(work, code, *other)
            assert texts(material) == []
            assert material.others == ()


def test_a_copy_of_the_file_is_not_taken_wherever_it_is(work: Path) -> None:
    own = "".join(f"value_{n} = compute({n})\n" for n in range(20))
    hole = own.replace("value_7 = compute(7)\n", "\n") + "from build.lib.app import value_7\n"
    copy = write(work / "build" / "lib" / "app.py", own)
    assert texts(found(work, hole)) == []
    material = found(work, hole, opened(copy, own, (1, 2)), opened(None, own))
    assert texts(material) == []
    assert material.others == ()


@pytest.mark.parametrize("data", [b"def double(): \0\n", b"\xff\xfe", b"#" * (LARGEST + 1)])
def test_binary_and_huge_files_are_passed_over(work: Path, data: bytes) -> None:
    (work / "pkg" / "util.py").write_bytes(data)
    assert texts(found(work, "from .util import double\n")) == []


def test_a_pipe_or_a_folder_in_a_module_s_place_keeps_nobody_waiting(work: Path) -> None:
    os.mkfifo(work / "pipe.py")
    (work / "folder.py").mkdir()
    assert texts(found(work, "from pipe import a\nfrom folder import b\n", at="app.py")) == []


def test_a_file_that_cannot_be_read_does_no_harm(work: Path) -> None:
    (work / "pkg" / "util.py").chmod(0)
    if os.access(work / "pkg" / "util.py", os.R_OK):
        pytest.skip("this user may read everything")
    assert texts(found(work, "from .util import double\n")) == []


def test_no_more_files_are_read_than_a_prompt_could_hold(work: Path) -> None:
    for number in range(300):
        write(work / f"m{number}.py", f"def thing_{number}(): ...\n")
    code = "".join(f"from m{number} import thing_{number}\n" for number in range(190))
    assert len(texts(found(work, code, at="app.py"))) == 64


# Open documents


def test_what_was_edited_elsewhere_is_taken_with_the_lines_around_it(work: Path) -> None:
    lines = "".join(f"line_{n} = {n}\n" for n in range(100))
    material = found(work, "x = 1\n", opened(work / "b.py", lines, (50, 51), (10, 10)))
    assert [option.rank for option in material.options] == [Rank.EDITED, Rank.EDITED]
    first, second = texts(material)
    assert "line_50 = 50\n" in first
    assert "line_10 = 10\n" in second
    assert first.startswith("line_47")
    assert first.endswith("line_58 = 58\n")


def test_an_edit_past_the_end_is_none(work: Path) -> None:
    assert texts(found(work, "", opened(work / "b.py", "x\n", (1000, 2000)))) == []


def test_what_is_alike_in_open_documents_of_the_language_is_taken(work: Path) -> None:
    like = "def handler(request, response):\n    response.send(request.body)\n"
    other = opened(work / "b.py", "zebra = 1\n" * 40 + like)
    markdown = OpenText(str(work / "c.md"), "c.md", "markdown", like)
    material = found(work, "", other, markdown)
    chosen = related(material, "def other(request, response):\n    response.", "")
    assert [snippet.path for snippet in chosen] == ["b.py"]
    assert like in chosen[0].text


def test_open_documents_are_judged_like_files(work: Path, tmp_path: Path) -> None:
    (work / ".git").mkdir()
    write(work / ".gitignore", "ignored.py\n")
    text = "def something(argument):\n    return argument\n"
    outside = opened(tmp_path / "outside.py", text, (0, 1))
    names = [work / "ignored.py", work / ".env", work / ".git" / "x.py"]
    assert texts(found(work, "", outside, *(opened(name, text, (0, 1)) for name in names))) == []
    assert texts(found(work, "", outside, folders=[])) == [text]
    assert texts(found(work, "", outside, folders=[], settings=REMOTE)) == []
    unsaved = opened(None, text, (0, 1))
    assert texts(found(work, "", unsaved)) == [text]
    assert texts(found(work, "", unsaved, settings=REMOTE)) == []


def test_a_binary_or_huge_open_document_is_passed_over(work: Path) -> None:
    for text in ("\0" + "word\n" * 9, "word\n" * LARGEST):
        material = found(work, "", opened(work / "b.py", text, (0, 1)))
        assert (material.options, material.others) == ((), ())


def test_documents_with_impossible_paths_do_no_harm(work: Path) -> None:
    text = "def something(argument):\n    return argument\n"
    for path in ("/\0.py", "/\ud800.py", f"{work}/\0.py"):
        strange = OpenText(path, "strange.py", "python", text, ((0, 1),))
        assert texts(found(work, "from .util import double\n", strange)) == [UTIL]
        job = Job(OpenText(path, "x", "python", "from util import double"), (), (str(work),), LOCAL)
        assert gather(job).own == frozenset({"from util import double"})
