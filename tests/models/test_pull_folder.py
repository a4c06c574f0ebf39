"""Pulling the weights that lie in a folder of the user's."""

from pathlib import Path

import pytest
import torch

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import registry, store
from opencoder_lsp.settings import Settings
from tests.models.checkpoints import (
    LLAMA,
    SHARDS,
    random_weights,
    same,
    weights_in,
    write_config,
    write_model,
    write_shards,
    write_vocabulary,
)
from tests.models.conftest import Stages


@pytest.mark.parametrize("pickled", [False, True])
def test_a_folder_of_weights_is_pulled_under_its_own_name(
    source: Path, home: Path, progress: Stages, pickled: bool
) -> None:
    weights = write_model(source, pickled=pickled)
    model = store.pull(str(source), progress=progress)
    assert (model.name, model.folder) == ("tiny", home / "data" / "models" / "tiny")
    assert (model.template, model.manifest.stop_ids) == ("opencoder", [278, 0])
    assert same(weights_in(model.folder), weights)
    assert registry.resolve(Settings.load(cli=["model.name=tiny"])) == model


def test_other_float_types_in_a_folder_become_bf16(source: Path, progress: Stages) -> None:
    weights = write_model(source, dtype=torch.float32)
    model = store.pull(str(source), progress=progress)
    expected = {name: tensor.bfloat16() for name, tensor in weights.items()}
    assert same(weights_in(model.folder), expected)


def test_bf16_safetensors_of_a_folder_take_no_second_place_on_the_disk(
    source: Path, progress: Stages
) -> None:
    write_model(source)
    folder = store.pull(str(source), progress=progress).folder
    assert all((source / name).samefile(folder / name) for name in SHARDS)


def test_a_folder_of_links_as_in_the_cache_of_the_hub_is_pulled_as_files(
    source: Path, tmp_path: Path, progress: Stages
) -> None:
    write_model(tmp_path / "blobs")
    source.mkdir()
    for path in (tmp_path / "blobs").iterdir():
        (source / path.name).symlink_to(path)
    folder = store.pull(str(source), progress=progress).folder
    assert not any(path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize(("context", "template"), [(2048, "openchat"), (8192, "openchat_8192")])
def test_a_llama_folder_with_end_of_turn_speaks_openchat(
    source: Path, progress: Stages, context: int, template: str
) -> None:
    write_config(source, LLAMA, max_position_embeddings=context, eos_token_id=2)
    write_vocabulary(source)
    write_shards(source, random_weights(LLAMA), pickled=False)
    model = store.pull(str(source), progress=progress)
    assert (model.template, model.manifest.context_length) == (template, context)
    assert model.manifest.stop_ids == [278, 0, 2]


def test_a_changed_folder_is_pulled_again(source: Path, progress: Stages) -> None:
    write_model(source)
    first = store.pull(str(source), progress=progress)
    changed = random_weights()
    changed["transformer.ln_f.bias"] += 1
    for name in SHARDS:
        (source / name).unlink()
    write_shards(source, changed, pickled=False)
    second = store.pull(str(source), progress=progress)
    assert second.manifest.files != first.manifest.files
    assert same(weights_in(second.folder), changed)


def test_a_pulled_folder_can_be_pulled_again_by_its_name(source: Path, progress: Stages) -> None:
    write_model(source)
    first = store.pull(str(source), progress=progress)
    (first.folder / "tokenizer.json").unlink()
    assert store.pull("tiny", progress=progress) == first
    assert store.pull(str(first.folder), progress=progress) == first


def test_two_folders_of_one_name_do_not_overwrite_each_other(
    source: Path, tmp_path: Path, progress: Stages
) -> None:
    write_model(source)
    write_model(tmp_path / "other" / "tiny")
    store.pull(str(source), progress=progress)
    with pytest.raises(ModelError, match="another model of the name tiny"):
        store.pull(str(tmp_path / "other" / "tiny"), progress=progress)


def test_a_folder_cannot_take_the_name_of_a_known_model(
    tmp_path: Path, home: Path, progress: Stages
) -> None:
    write_model(tmp_path / "demo")
    with pytest.raises(ModelError, match="cannot be pulled under the name demo"):
        store.pull(str(tmp_path / "demo"), progress=progress)


@pytest.mark.parametrize("pickled", [False, True])
def test_a_wrong_shape_is_named_with_its_file_and_nothing_is_left(
    source: Path, home: Path, progress: Stages, pickled: bool
) -> None:
    write_model(source)
    weights = random_weights()
    weights["transformer.wpe.weight"] = torch.zeros(65, 16, dtype=torch.bfloat16)
    for name in SHARDS:
        (source / name).unlink()
    (source / "model.safetensors.index.json").unlink()
    write_shards(source, weights, pickled=pickled)
    with pytest.raises(
        ModelError, match=r"00001-of-00002\.\w+ has transformer\.wpe\.weight of shape \[65, 16\]"
    ):
        store.pull(str(source), progress=progress)
    models = home / "data" / "models"
    assert [p.name for p in models.iterdir()] == [".tiny.lock"]


@pytest.mark.fault("F60")
def test_a_tokenizer_larger_than_the_model_is_refused(source: Path, progress: Stages) -> None:
    write_model(source)
    write_config(source, vocab_size=278)
    with pytest.raises(ModelError, match="has 279 tokens, but the model has only 278"):
        store.pull(str(source), tokenizer_only=True, progress=progress)


def test_an_unknown_name_is_refused_with_what_is_known(home: Path, progress: Stages) -> None:
    with pytest.raises(
        ModelError, match=r"unknown model 'gpt-4'.*demo, openchat, openchat_8192, opencoderplus"
    ):
        store.pull("gpt-4", progress=progress)
