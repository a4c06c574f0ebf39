"""Engines with other settings than ours, and engines of other models."""

import json
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from opencoder_lsp.client.launcher import Launcher, running_engines
from opencoder_lsp.client.sharing import check_memory, differences
from opencoder_lsp.client.wire import Health, read_health
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models.gpus import Memory
from opencoder_lsp.models.manifest import MANIFEST
from opencoder_lsp.settings import EngineSettings
from tests.client.conftest import Engines
from tests.fakes.model_folder import make_tokenizer_folder

GB = 1_000_000_000


def health(**settings: bool | int | float | str) -> Health:
    """An engine that was started with these settings, and what came out of them."""
    return Health(
        state="ready",
        device="cuda:0",
        dtype="bfloat16",
        context_length=8192,
        slots=4,
        settings={**EngineSettings().of_process(), **settings},
    )


def test_settings_of_its_own_are_no_difference() -> None:
    assert differences(EngineSettings(), health()) == ""
    own = EngineSettings(url="unix:/x", device="cuda", dtype="bfloat16", context=8192)
    assert differences(own, health()) == ""  # what `auto` and 0 came out as there


@pytest.mark.parametrize(
    ("own", "there", "says"),
    [
        ({"device": "cpu"}, {}, "engine.device is auto there and cpu here"),
        ({}, {"device": "cpu"}, "engine.device is cpu there and auto here"),
        ({"context": 4096}, {}, "engine.context is 0 there and 4096 here"),
        ({"threads": 2}, {"threads": 3}, "engine.threads is 3 there and 2 here"),
        ({"lookup": False}, {}, "engine.lookup is true there and false here"),
        ({"linger": 0.5}, {}, "engine.linger is 120 there and 0.5 here"),
    ],
)
def test_a_difference_is_named_with_both_values_and_the_cure(
    own: dict[str, object], there: dict[str, bool | int | float | str], says: str
) -> None:
    text = differences(EngineSettings.model_validate(own), health(**there))
    assert says in text
    assert text.count(" there and ") == 1
    assert text.endswith("run: opencoder-lsp engine stop")


def test_an_engine_that_names_no_settings_or_others_is_no_difference() -> None:
    assert differences(EngineSettings(threads=2), Health(state="ready")) == ""
    newer = read_health({"state": "ready", "settings": {"colour": "red"}})
    assert differences(EngineSettings(threads=2), newer) == ""


async def test_who_attaches_to_an_engine_with_other_settings_is_told(engines: Engines) -> None:
    await engines.launcher("engine.threads=2").client()
    assert engines.warnings == []
    await engines.launcher("engine.threads=2").client()
    assert engines.warnings == []
    other = engines.launcher("engine.threads=3", "engine.lookup=false")
    await other.client()
    await other.client()
    (text,) = engines.warnings
    assert "engine.threads is 2 there and 3 here; engine.lookup is true there" in text


@pytest.fixture
def another(engines: Engines, short: Path) -> Launcher:
    """A launcher of another model, whose weights are said to be large."""
    folder = make_tokenizer_folder(short / "other", name="other", weights=True)
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(10 * GB)  # a sparse file
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["model.safetensors"] = {"size": 10 * GB, "sha256": "0" * 64}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return engines.launcher(f"model.name={folder}", "engine.device=cpu")


def give(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))


async def test_an_engine_of_another_model_is_refused_where_both_do_not_fit(
    engines: Engines, another: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engines.launcher().client()
    (running,) = running_engines().values()
    give(monkeypatch, 11 * GB)
    with pytest.raises(EngineUnavailableError) as error:
        await another.client()
    assert str(error.value) == (
        "the engine of other needs 11.2 GB of memory, but 11.0 GB are free while another engine "
        f"runs, that of fake (process {running.pid}); to end it, run: opencoder-lsp engine stop "
        "--all"
    )
    assert len(engines.started()) == 1
    give(monkeypatch, 12 * GB)
    await another.client()  # a refusal is no crash
    assert len(engines.started()) == 2


async def test_the_only_engine_is_started_whatever_memory_there_seems_to_be(
    another: Launcher, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, 0)
    await another.client()
    assert len(engines.started()) == 1


async def test_an_engine_that_runs_is_attached_to_whatever_memory_there_is(
    engines: Engines, another: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await another.client()
    await engines.launcher().client()
    give(monkeypatch, 0)
    await engines.launcher().client()
    assert len(engines.started()) == 2


@pytest.mark.parametrize(
    ("fault", "pairs", "says"),
    [
        ("", [], "needs 12.0 GB of GPU memory, but 11.9 GB are free"),
        ("", ["engine.dtype=float32"], "needs 22.0 GB of GPU memory"),
        ("", ["engine.device=cpu"], "needs 11.2 GB of memory, but 1.0 GB are free"),
        ("a build without CUDA", [], "needs 11.2 GB of memory"),
    ],
)
async def test_the_memory_that_counts_is_that_of_the_device(
    engines: Engines,
    another: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    pairs: list[str],
    says: str,
) -> None:
    await engines.launcher().client()
    give(monkeypatch, GB)
    monkeypatch.setattr("opencoder_lsp.models.gpus.torch_fault", lambda: fault)
    monkeypatch.setattr("opencoder_lsp.models.gpus.memory", lambda: Memory(80 * GB, 11_900_000_000))
    with pytest.raises(EngineUnavailableError, match=says):
        check_memory(engines.settings(*pairs), another.model(), Path("/nowhere"))
