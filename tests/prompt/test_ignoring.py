"""What git's lists and `.opencoderignore` leave out, compared with git itself."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencoder_lsp.prompt.ignoring import ignored_by_git, ignored_by_us

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def no_list_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Leave the lists of whoever runs the tests out of it."""
    config = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    return config


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        input=stdin,
        text=True,
        capture_output=True,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def ignored_by_real_git(top: Path, paths: Iterable[str]) -> set[str]:
    given = "".join(f"{path}\0" for path in paths)
    out = git(top, "check-ignore", "--no-index", "--stdin", "-z", stdin=given)
    return set(filter(None, out.split("\0")))


FILES = [
    "app.py",
    "app.log",
    "build/out.txt",
    "src/build/out.txt",
    "src/app.log",
    "src/keep.log",
    "src/deep/er/app.log",
    "src/deep/er/note.txt",
    "foo",
    "src/foo/bar",
]
pattern = st.sampled_from(
    [
        *("*.log", "!*.log", "!keep.log", "build", "build/", "/build", "/src/build/", "src"),
        *("src/*", "!src/keep.log", "src/**", "**/foo", "foo/", "deep/**/app.log", "#foo"),
        *("\\#foo", "*", "!*", "!src/", "app.?og", "app.[a-l]og", "  ", "foo ", "er/", "**"),
        *("[!s]*", "[^a]pp.py", "***", "a*.*g", "x[", "src//build", "*/", "!*/", "!*.py"),
        *("/*", "!/src", "src/deep", "**/er/*.txt", "*/er", "deep/*/app.log", "\\!x", "fo\\o"),
    ]
)
lists = st.fixed_dictionaries(
    {},
    optional={
        folder: st.lists(pattern, max_size=4) for folder in ("", "src", "src/deep", "src/deep/er")
    },
)


@needs_git
@settings(max_examples=80, deadline=None)
@given(lists=lists, excluded=st.lists(pattern, max_size=2))
def test_git_says_the_same(lists: dict[str, list[str]], excluded: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        git(top, "init", "-q")
        for file in FILES:
            write(top / file, "")
        for folder, patterns in lists.items():
            write(top / folder / ".gitignore", "\n".join(patterns))
        write(top / ".git" / "info" / "exclude", "\n".join(excluded))
        ours = {file for file in FILES if ignored_by_git(str(top / file))}
        assert ours == ignored_by_real_git(top, FILES)


def test_a_list_that_changes_counts_at_once(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    path = str(write(tmp_path / "a.py", ""))
    assert not ignored_by_git(path)
    write(tmp_path / ".gitignore", "*.py\n")
    assert ignored_by_git(path)
    write(tmp_path / ".gitignore", "*.pyc\n")
    assert not ignored_by_git(path)


def test_the_user_s_own_list_counts(tmp_path: Path, no_list_of_the_user: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(no_list_of_the_user / "git" / "ignore", "*.swp\n")
    assert ignored_by_git(str(tmp_path / "a.swp"))


def test_what_belongs_to_git_itself_is_left_out(tmp_path: Path) -> None:
    assert ignored_by_git(str(tmp_path / ".git" / "COMMIT_EDITMSG"))


@needs_git
def test_a_worktree_has_the_list_of_its_repository(tmp_path: Path) -> None:
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(main, *identity, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", "../other")
    write(main / ".git" / "info" / "exclude", "secret.txt\n")
    assert ignored_by_git(str(tmp_path / "other" / "secret.txt"))
    assert not ignored_by_git(str(tmp_path / "other" / "public.txt"))


def test_a_folder_is_left_out_where_all_that_is_in_it_is(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".gitignore", "build/\n*.log\n/*\n!/src/\n")
    assert ignored_by_git(str(tmp_path / "build"), is_folder=True)
    assert ignored_by_git(str(tmp_path / "src" / "build"), is_folder=True)
    assert ignored_by_git(str(tmp_path / "other"), is_folder=True)
    assert not ignored_by_git(str(tmp_path / "src"), is_folder=True)
    assert not ignored_by_git(str(tmp_path / "src" / "build"))


def test_nothing_is_ignored_where_there_is_no_git(tmp_path: Path) -> None:
    write(tmp_path / "src" / ".gitignore", "*\n")
    assert not ignored_by_git(str(tmp_path / "src" / "a.py"))


def test_our_list_counts_in_every_folder_of_the_workspace(tmp_path: Path) -> None:
    write(tmp_path / ".opencoderignore", "private/\n*.sql\n")
    write(tmp_path / "src" / ".opencoderignore", "!schema.sql\n")
    work = [str(tmp_path)]
    assert ignored_by_us(str(tmp_path / "private" / "a.py"), work)
    assert ignored_by_us(str(tmp_path / "src" / "dump.sql"), work)
    assert not ignored_by_us(str(tmp_path / "src" / "schema.sql"), work)
    assert not ignored_by_us(str(tmp_path / "src" / "a.py"), work)


def test_our_list_counts_without_a_workspace_up_to_git_s_root(tmp_path: Path) -> None:
    write(tmp_path / ".opencoderignore", "*\n")
    path = str(tmp_path / "src" / "a.py")
    assert not ignored_by_us(path, [])
    assert ignored_by_us(str(tmp_path / "a.py"), [])
    (tmp_path / ".git").mkdir()
    assert ignored_by_us(path, [])


def test_a_list_that_cannot_be_read_as_text_leaves_out_everything(tmp_path: Path) -> None:
    (tmp_path / ".opencoderignore").write_bytes(b"\xff\xfe*\0")
    assert ignored_by_us(str(tmp_path / "a.py"), [str(tmp_path)])


def test_a_pipe_named_like_a_list_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".opencoderignore")
    assert not ignored_by_us(str(tmp_path / "a.py"), [str(tmp_path)])


@pytest.mark.parametrize("evil", ["*a" * 100 + "b", "**/a/" * 200 + "b", "a?" * 50_000 + "*"])
def test_no_pattern_takes_for_ever(tmp_path: Path, evil: str) -> None:
    write(tmp_path / ".opencoderignore", evil + "\n")
    assert not ignored_by_us(str(tmp_path / ("a" * 250)), [str(tmp_path)])
    assert not ignored_by_us(str(tmp_path / "/".join("a" * 500)), [str(tmp_path)])


def test_a_class_of_characters_leaves_out_more_than_it_says(tmp_path: Path) -> None:
    write(tmp_path / ".opencoderignore", "a[[:digit:]].py\n")
    assert ignored_by_us(str(tmp_path / "a1.py"), [str(tmp_path)])
    assert not ignored_by_us(str(tmp_path / "b.py"), [str(tmp_path)])
