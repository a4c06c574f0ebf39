"""Downloads from a hub: resumed, checked, and with errors that say what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import hub
from tests.models.conftest import Stages
from tests.models.fake_hub import REVISION, FakeHub

ID = "openchat/opencoderplus"
BIG = bytes(range(256)) * 4000


@pytest.fixture
def fake(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with one model, which HF_ENDPOINT names."""
    files = {
        "config.json": b"{}",
        "vocab.json": b"{}",
        "README.md": b"not needed",
        "pytorch_model.bin": BIG,
        "training_args.bin": b"not needed",
    }
    with FakeHub(ID, files) as fake:
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        monkeypatch.setattr("time.sleep", lambda _: None)
        yield fake


def fetch(folder: Path, progress: Stages) -> None:
    """Download what a pull of the whole model would."""
    repository = hub.inspect(ID)
    folder.mkdir(exist_ok=True)
    small = hub.small_files(repository, weights=True)
    hub.download(repository, small, folder, progress)
    hub.download(repository, hub.weight_files(repository, folder), folder, progress)


def test_a_repository_is_described_with_commit_sizes_and_hashes(fake: FakeHub) -> None:
    repository = hub.inspect(ID)
    assert repository.revision == REVISION
    assert repository.files["pytorch_model.bin"].size == len(BIG)
    assert len(repository.files["pytorch_model.bin"].sha256 or "") == 64
    assert len(repository.files["config.json"].git_sha1 or "") == 40


def test_only_the_files_that_are_needed_are_fetched(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    fetch(tmp_path / "d", progress)
    assert fake.fetched() == ["config.json", "vocab.json", "pytorch_model.bin"]
    assert (tmp_path / "d" / "pytorch_model.bin").read_bytes() == BIG


def test_nothing_is_asked_for_but_the_model(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    fetch(tmp_path / "d", progress)
    assert all(ID in path for path, _ in fake.requests)


def test_progress_counts_all_bytes_up_to_the_total(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    fetch(tmp_path / "d", progress)
    for wanted in ("downloading", "checking"):
        done = [d for stage, d, total in progress.calls if (stage, total) == (wanted, len(BIG))]
        assert done == sorted(done)
        assert done[-1] == len(BIG)


def test_safetensors_are_preferred_to_bin(fake: FakeHub, tmp_path: Path) -> None:
    fake.files["model.safetensors"] = BIG
    repository = hub.inspect(ID)
    assert not hub.is_pickled(repository)
    assert [f.name for f in hub.weight_files(repository, tmp_path)] == ["model.safetensors"]


def test_a_broken_connection_is_resumed_where_it_stopped(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    fake.cut["pytorch_model.bin"] = 600_000
    fetch(tmp_path / "d", progress)
    spans = [span for path, span in fake.requests if path.endswith("pytorch_model.bin")]
    assert spans == ["", "bytes=600000-"]
    assert (tmp_path / "d" / "pytorch_model.bin").read_bytes() == BIG


def test_a_later_run_goes_on_with_what_an_earlier_one_left(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "pytorch_model.bin.part").write_bytes(BIG[:1000])
    repository = hub.inspect(ID)
    wanted = hub.weight_files(repository, folder)
    assert hub.missing_bytes(wanted, folder) == len(BIG) - 1000
    hub.download(repository, wanted, folder, progress)
    assert fake.requests[-1][1] == "bytes=1000-"
    assert (folder / "pytorch_model.bin").read_bytes() == BIG
    assert hub.missing_bytes(wanted, folder) == 0


def test_a_part_that_was_complete_is_only_checked(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    (tmp_path / "pytorch_model.bin.part").write_bytes(BIG)
    repository = hub.inspect(ID)
    hub.download(repository, hub.weight_files(repository, tmp_path), tmp_path, progress)
    assert fake.fetched() == []
    assert (tmp_path / "pytorch_model.bin").read_bytes() == BIG


def test_a_connection_that_always_breaks_off_ends_in_an_error_and_keeps_what_came(
    fake: FakeHub, tmp_path: Path, progress: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = hub.inspect(ID)
    wanted = hub.weight_files(repository, tmp_path)
    fake.cut["pytorch_model.bin"] = 5000
    monkeypatch.setattr("time.sleep", lambda _: fake.cut.update({"pytorch_model.bin": 0}))
    with pytest.raises(ModelError, match=r"pytorch_model\.bin .*failed.*goes on where it stopped"):
        hub.download(repository, wanted, tmp_path, progress)
    assert (tmp_path / "pytorch_model.bin.part").read_bytes() == BIG[:5000]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "vocab.json"])
def test_a_file_that_arrives_damaged_is_named_and_fetched_anew_next_time(
    fake: FakeHub, tmp_path: Path, progress: Stages, name: str
) -> None:
    fake.rotten.add(name)
    with pytest.raises(ModelError, match=rf"{name} arrived damaged .*run the same command again"):
        fetch(tmp_path / "d", progress)
    fake.rotten.clear()
    fetch(tmp_path / "d", progress)
    assert (tmp_path / "d" / name).read_bytes() == fake.files[name]


def test_a_file_that_is_gone_from_the_hub_is_named(
    fake: FakeHub, tmp_path: Path, progress: Stages
) -> None:
    repository = hub.inspect(ID)
    del fake.files["config.json"]
    with pytest.raises(ModelError, match=r"config\.json .* failed: .*goes on where it stopped"):
        hub.download(repository, [repository.files["config.json"]], tmp_path, progress)


def test_an_unknown_repository_is_said_to_be_so(fake: FakeHub) -> None:
    with pytest.raises(ModelError, match="nobody/nothing: there is no such repository"):
        hub.inspect("nobody/nothing")


def test_a_hub_that_cannot_be_reached_names_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"could not ask http://127\.0\.0\.1:9 for .*HF_ENDPOINT"):
        hub.inspect(ID)


def test_a_shard_that_the_hub_lacks_is_named(fake: FakeHub, tmp_path: Path) -> None:
    fake.files["model.safetensors.index.json"] = b'{"weight_map": {"x": "model-1.safetensors"}}'
    repository = hub.inspect(ID)
    (tmp_path / "model.safetensors.index.json").write_bytes(
        fake.files["model.safetensors.index.json"]
    )
    with pytest.raises(ModelError, match=r"lacks model-1\.safetensors"):
        hub.weight_files(repository, tmp_path)


def test_a_repository_without_config_or_weights_says_so(fake: FakeHub, tmp_path: Path) -> None:
    del fake.files["pytorch_model.bin"]
    with pytest.raises(ModelError, match="no weights in a known form"):
        hub.weight_files(hub.inspect(ID), tmp_path)
    del fake.files["config.json"]
    with pytest.raises(ModelError, match=r"has no config\.json"):
        hub.small_files(hub.inspect(ID), weights=False)
