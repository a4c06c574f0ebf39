"""A tiny model in whose context every workload of the benchmarks fits."""

from pathlib import Path

from opencoder_lsp.models.manifest import MANIFEST, Manifest

CONTEXT = 8192


def make_roomy_model(folder: Path) -> Path:
    """Make a tiny Llama of 8192 tokens in a folder, as `models pull` would leave it."""
    from tests.fakes.checkpoints import make_checkpoint, make_model  # they import torch

    model = make_model("llama", max_position_embeddings=CONTEXT)
    make_checkpoint(folder, model, shards=False)
    manifest = Manifest.load(folder).model_copy(update={"context_length": CONTEXT})
    (folder / MANIFEST).unlink()
    manifest.save(folder)
    return folder
