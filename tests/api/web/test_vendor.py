"""What others have written is what npm has, has its licence beside it, and is not too much."""

import gzip
import hashlib
import json
import re

import pytest

from opencoder_lsp.api.page import FOLDER

VENDOR = FOLDER / "vendor"
VERSIONS = json.loads((VENDOR / "versions.json").read_text())
LARGEST = 400_000  # bytes, of the page as it is sent, without the fonts of formulas


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_files_of_others_are_unchanged_and_have_their_licence(name: str) -> None:
    folder = VENDOR / name
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == VERSIONS[name]["files"]
    assert "LICENSE" in found
    assert VERSIONS[name]["license"]


def test_nothing_else_lies_among_them() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {*VERSIONS, "README.md", "versions.json"}


def test_our_own_scripts_make_no_html_of_text_and_name_no_other_place() -> None:
    scripts = [path for path in FOLDER.rglob("*") if VENDOR not in path.parents and path.is_file()]
    assert len(scripts) > 10
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        wrong = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\son\w+="
        )
        assert not re.search(wrong, text), path
        places = set(re.findall(r"https?://[^\s\"'`)]+", text))
        assert places <= {"http://www.w3.org/2000/svg"}, path
        if path.suffix == ".js":
            assert text.count("\n") < 300, path


def test_the_page_is_not_too_much() -> None:
    sent = {
        path: len(gzip.compress(path.read_bytes(), mtime=0))
        for path in FOLDER.rglob("*")
        if path.suffix in (".html", ".css", ".js", ".svg")
    }
    assert sum(sent.values()) <= LARGEST
