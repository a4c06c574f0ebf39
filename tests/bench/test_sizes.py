"""What a token costs to read and to keep, against models that are really there."""

from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.bench import sizes
from opencoder_lsp.models import config as model_config
from tests.fakes.checkpoints import Architecture, make_checkpoint, make_model


@pytest.mark.parametrize("architecture", ["gpt_bigcode", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_step_reads_all_weights_but_tables_of_which_it_needs_a_row(
    tmp_path: Path, architecture: Architecture, tied: bool
) -> None:
    model = make_model(architecture, tie_word_embeddings=tied, vocab_size=49153)
    folder = make_checkpoint(tmp_path / "m", model, shards=False)
    read = sum(parameter.numel() for parameter in model.parameters())
    if architecture == "gpt_bigcode":
        read -= model.transformer.wpe.weight.numel()
    if not tied:
        read -= model.get_input_embeddings().weight.numel()
    assert sizes.weights_read(folder, "bfloat16") == 2 * read
    assert sizes.weights_read(folder, "float32") == 4 * read


@pytest.mark.parametrize(
    ("architecture", "changes", "heads"),
    [
        ("gpt_bigcode", {}, 1),
        ("gpt_bigcode", {"multi_query": False}, 4),
        ("llama", {}, 2),
        ("llama", {"num_key_value_heads": 4}, 4),
    ],
)
def test_a_token_keeps_keys_and_values_of_each_layer(
    tmp_path: Path, architecture: Architecture, changes: dict[str, Any], heads: int
) -> None:
    folder = make_checkpoint(tmp_path / "m", make_model(architecture, **changes), shards=False)
    assert sizes.kv_bytes_per_token(folder, "bfloat16") == 2 * 2 * heads * 16 * 2


def test_opencoderplus_keeps_20_kib_for_a_token(tmp_path: Path) -> None:
    config = {"model_type": "gpt_bigcode", "n_embd": 6144, "n_head": 48, "n_layer": 40}
    model_config.write(tmp_path, {**config, "n_positions": 8192, "vocab_size": 49153})
    assert sizes.kv_bytes_per_token(tmp_path, "bfloat16") == 20 * 1024
    assert sizes.weights_read(tmp_path, "bfloat16") == pytest.approx(31.0e9, rel=0.01)
