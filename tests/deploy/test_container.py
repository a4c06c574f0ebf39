"""The container file: as far as it can be looked at without building it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.recipes import DEPLOY

ROOT = Path(__file__).parents[2]
KNOWN = {
    *("FROM", "ARG", "ENV", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK"),
    *("ENTRYPOINT", "CMD"),
}


def instructions() -> list[tuple[str, str]]:
    """Return the file's instructions, each with what follows its name, in one line."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.partition(" ") for line in whole.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def all_of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def test_it_has_known_instructions_only_and_begins_with_an_image() -> None:
    names = [name for name, _ in instructions()]
    assert set(names) <= KNOWN
    assert names[0] == "FROM"
    assert re.fullmatch(r"python:3\.\d+-slim", all_of("FROM")[0])


def test_its_shell_lines_are_shell() -> None:
    for line in all_of("RUN"):
        done = subprocess.run(["sh", "-n", "-c", line], capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_what_it_copies_is_there() -> None:
    for line in all_of("COPY"):
        *sources, target = line.split()
        assert target.startswith("/src/")
        if not (ROOT / "pyproject.toml").exists():
            pytest.skip("not in a checkout")
        for source in sources:
            assert (ROOT / source).exists(), source


def test_it_is_not_root_who_serves_and_only_with_keys(tmp_path: Path) -> None:
    order = [name for name, _ in instructions()]
    assert all_of("USER") == ["opencoder"]
    assert order.index("USER") < order.index("CMD")
    assert json.loads(all_of("ENTRYPOINT")[0]) == ["opencoder-lsp"]
    command = json.loads(all_of("CMD")[0])
    keys = command.index("--api-keys-file") + 1
    assert command[keys].startswith("/run/secrets/")
    # The command takes these options: it only lacks the file.
    missing = tmp_path / "keys"
    command[keys] = str(missing)
    done = subprocess.run(
        [sys.executable, "-m", "opencoder_lsp", *command], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert str(missing) in done.stderr


def test_its_health_check_is_python() -> None:
    (line,) = all_of("HEALTHCHECK")
    program = json.loads(line.partition("CMD")[2])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "healthcheck", "exec")
