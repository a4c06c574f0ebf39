"""P13, P20, S10, S11, S13: what no line of ours may do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pygls.constants import ATTR_EXECUTE_IN_THREAD

import opencoder_lsp
from opencoder_lsp.lsp.server import create_server
from opencoder_lsp.settings import Settings

PACKAGE = Path(opencoder_lsp.__file__).parent
RUN_CODE = {"pickle", "marshal", "shelve", "dill", "jinja2"}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every file of ours."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            yield str(file.relative_to(PACKAGE)), node


@pytest.mark.fault("S10", "S13")
def test_nothing_of_ours_runs_what_files_hold() -> None:
    imported, loads = set[tuple[str, str]](), set[tuple[str, str]]()
    for file, node in nodes():
        if isinstance(node, ast.Import):
            imported |= {(file, alias.name.partition(".")[0]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((file, (node.module or "").partition(".")[0]))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            given = {key.arg: ast.unparse(key.value) for key in node.keywords}
            loads.add((file, given.get("weights_only", "")))
    # Old weights are converted in a process of its own, and there only tensors are read.
    assert loads == {("engine/convert.py", "True")}
    assert {(file, name) for file, name in imported if name in RUN_CODE} == {
        ("engine/convert.py", "pickle")  # for the name of its error
    }


@pytest.mark.fault("S11")
def test_no_code_of_others_is_trusted() -> None:
    trusted = [
        ast.unparse(node.value)
        for _, node in nodes()
        if isinstance(node, ast.keyword) and node.arg == "trust_remote_code"
    ]
    assert "True" not in trusted


@pytest.mark.fault("P13", "P20")
def test_no_handler_runs_in_a_thread() -> None:
    manager = create_server(Settings()).protocol.fm
    handlers = {**manager.builtin_features, **manager.features, **manager.commands}
    assert handlers
    assert not [
        name for name, handler in handlers.items() if hasattr(handler, ATTR_EXECUTE_IN_THREAD)
    ]
