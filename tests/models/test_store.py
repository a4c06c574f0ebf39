"""Pulling models: from the hub, from a folder, whole or for the tokenizer only."""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import conversion, registry, store
from opencoder_lsp.models.manifest import Manifest
from opencoder_lsp.settings import Settings
from tests.models.checkpoints import (
    EOT,
    ID,
    SHARDS,
    contents,
    same,
    weights_in,
    write_model,
)
from tests.models.conftest import Stages
from tests.models.fake_hub import REVISION, FakeHub


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """An empty hub, which HF_ENDPOINT names."""
    with FakeHub(ID, {}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_bf16_shards_from_the_hub_are_taken_as_they_are(
    hub: FakeHub, source: Path, home: Path, progress: Stages
) -> None:
    weights = write_model(source)
    hub.files = contents(source)
    model = store.pull("opencoder", progress=progress)
    assert model.folder == home / "data" / "models" / "opencoderplus"
    assert sorted(p.name for p in model.folder.iterdir()) == [
        "config.json",
        *SHARDS,
        "model.safetensors.index.json",
        "opencoder.json",
        "tokenizer.json",
    ]
    assert same(weights_in(model.folder), weights)
    assert model.manifest.source == f"{hub.url}/{ID}@{REVISION}"
    assert (model.template, model.manifest.stop_ids) == ("opencoder", [278, 0])
    assert model.manifest.context_length == 64
    assert model.manifest.licence == "BigCode OpenRAIL-M v1"
    assert "converting the weights" not in progress.names


def test_bin_shards_from_the_hub_become_the_same_weights_as_safetensors(
    hub: FakeHub, source: Path, progress: Stages
) -> None:
    weights = write_model(source, pickled=True)
    hub.files = contents(source)
    model = store.pull("opencoderplus", progress=progress)
    assert same(weights_in(model.folder), weights)
    assert not list(model.folder.glob("*.bin"))
    assert progress.names == [
        "downloading",
        "checking",
        "reading the tokenizer",
        "converting the weights",
    ]


def test_what_was_pulled_loads_and_generates(hub: FakeHub, source: Path, progress: Stages) -> None:
    write_model(source, pickled=True)
    hub.files = contents(source)
    folder = store.pull("opencoderplus", progress=progress).folder
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = torch.tensor([tokenizer.encode("User:").ids])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False
    )
    assert made.shape[1] > ids.shape[1]


def test_the_download_is_removed_when_it_is_done_and_kept_when_it_is_not(
    hub: FakeHub, source: Path, home: Path, progress: Stages
) -> None:
    write_model(source)
    hub.files = contents(source)
    hub.rotten.add(SHARDS[1])
    with pytest.raises(ModelError, match="arrived damaged"):
        store.pull(ID, progress=progress)
    kept = home / "cache" / "downloads" / "openchat--opencoderplus" / REVISION
    assert (kept / SHARDS[0]).exists()
    hub.rotten.clear()
    hub.requests.clear()
    store.pull(ID, progress=progress)
    assert hub.fetched() == [SHARDS[1]]
    assert not kept.parent.exists()


def test_the_download_of_an_older_commit_is_removed(
    hub: FakeHub, source: Path, home: Path, progress: Stages
) -> None:
    old = home / "cache" / "downloads" / "openchat--opencoderplus" / ("f" * 40)
    old.mkdir(parents=True)
    write_model(source)
    hub.files = contents(source)
    hub.rotten.add(SHARDS[1])
    with pytest.raises(ModelError):
        store.pull(ID, progress=progress)
    assert not old.exists()


def test_an_intact_model_is_not_fetched_again(hub: FakeHub, source: Path, progress: Stages) -> None:
    write_model(source)
    hub.files = contents(source)
    first = store.pull(ID, progress=progress)
    hub.requests.clear()
    assert store.pull(ID, progress=progress) == first
    assert store.pull(ID, tokenizer_only=True, progress=progress) == first
    assert hub.requests == []


def test_a_damaged_model_is_repaired_by_the_command_that_the_error_names(
    hub: FakeHub, source: Path, progress: Stages
) -> None:
    write_model(source)
    hub.files = contents(source)
    folder = store.pull(ID, progress=progress).folder
    data = bytearray((folder / SHARDS[0]).read_bytes())
    data[-1] ^= 1
    (folder / SHARDS[0]).unlink()
    (folder / SHARDS[0]).write_bytes(data)
    with pytest.raises(ModelError, match=rf"{SHARDS[0]} is damaged.*models pull opencoderplus"):
        store.verify("opencoderplus", progress)
    store.pull("opencoderplus", progress=progress)
    assert store.verify("opencoderplus", progress).name == "opencoderplus"


def test_the_tokenizer_alone_needs_neither_weights_nor_the_engine_extra(
    hub: FakeHub, source: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(source, pickled=True)
    hub.files = contents(source)
    monkeypatch.setattr(conversion, "_NEEDED", ("torch_that_is_not_here",))
    model = store.pull(ID, tokenizer_only=True, progress=progress)
    assert not any(name.endswith(".bin") for name in hub.fetched())
    assert not model.manifest.weights
    assert sorted(model.manifest.files) == ["config.json", "tokenizer.json"]
    with pytest.raises(ModelError, match="without its weights"):
        registry.resolve(Settings.load(cli=["model.name=opencoderplus"]))


def test_the_whole_model_replaces_its_tokenizer(
    hub: FakeHub, source: Path, progress: Stages
) -> None:
    write_model(source)
    hub.files = contents(source)
    store.pull(ID, tokenizer_only=True, progress=progress)
    assert store.pull(ID, progress=progress).manifest.weights


def test_without_the_engine_extra_nothing_large_is_fetched_that_needs_it(
    hub: FakeHub, source: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(source, pickled=True)
    hub.files = contents(source)
    monkeypatch.setattr(conversion, "_NEEDED", ("torch_that_is_not_here",))
    cure = r'torch_that_is_not_here; run in the checkout .*: pip install "\.\[engine\]"'
    for name in (ID, "demo"):
        with pytest.raises(ModelError, match=cure):
            store.pull(name, progress=progress)
    assert hub.fetched() == []


@pytest.mark.fault("F62")
def test_a_full_disk_is_noticed_before_the_download_with_both_numbers(
    hub: FakeHub, source: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(source)
    hub.files = contents(source)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_500_000))
    with pytest.raises(ModelError, match=r"not enough disk space .* 0\.1 GB needed, 2\.5 MB free"):
        store.pull(ID, progress=progress)
    assert not any(name in SHARDS for name in hub.fetched())


def test_a_failed_pull_leaves_the_model_that_was_there(source: Path, progress: Stages) -> None:
    write_model(source)
    first = store.pull(str(source), progress=progress)
    (source / SHARDS[1]).unlink()
    with pytest.raises(ModelError, match=rf"{SHARDS[1]} is missing"):
        store.pull(str(source), progress=progress)
    first.manifest.verify(first.folder)


def test_what_a_killed_pull_left_behind_is_cleared_away(
    source: Path, home: Path, progress: Stages
) -> None:
    stale = home / "data" / "models" / ".tiny.partial" / "model"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_bytes(b"half")
    write_model(source)
    model = store.pull(str(source), progress=progress)
    assert "model.safetensors" not in model.manifest.files
    assert not stale.parent.exists()


def test_a_second_pull_of_one_name_waits_for_the_first(
    source: Path, home: Path, progress: Stages
) -> None:
    write_model(source)
    lock = home / "data" / "models" / ".tiny.lock"
    lock.parent.mkdir(parents=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    waiting = threading.Event()

    def notice(stage: str, done: int, total: int | None) -> None:
        progress(stage, done, total)
        if stage.startswith("waiting"):
            assert not (home / "data" / "models" / "tiny").exists()
            waiting.set()

    thread = threading.Thread(target=store.pull, args=(str(source),), kwargs={"progress": notice})
    thread.start()
    assert waiting.wait(30)
    os.close(descriptor)
    thread.join(30)
    assert progress.names[:2] == ["waiting for another pull of tiny", "reading the tokenizer"]
    assert Manifest.load(home / "data" / "models" / "tiny").name == "tiny"


def test_the_list_of_pulled_models_leaves_out_what_is_damaged(
    source: Path, tmp_path: Path, progress: Stages
) -> None:
    assert store.pulled() == []
    for name in ("b", "a", "c"):
        write_model(tmp_path / name)
        store.pull(str(tmp_path / name), progress=progress)
    (tmp_path / "home" / "data" / "models" / "c" / "opencoder.json").write_text("{")
    assert [model.name for model in store.pulled()] == ["a", "b"]


def test_the_end_of_turn_is_a_control_token_of_what_was_pulled(
    source: Path, progress: Stages
) -> None:
    write_model(source)
    folder = store.pull(str(source), tokenizer_only=True, progress=progress).folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode(f"a{EOT}").ids[-1] == 278
    tokenizer.encode_special_tokens = True
    assert 278 not in tokenizer.encode(f"a{EOT}").ids
