"""`opencoder-lsp models`: list, pull and verify."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from opencoder_lsp.cli.terminal import console, print_json, stage_bars
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models import registry, store
from opencoder_lsp.models.fitting import Fit, Machine, fits
from opencoder_lsp.models.known import KNOWN
from opencoder_lsp.settings import Settings


def list_models(settings: Settings, *, as_json: bool) -> None:
    """Print the known and the pulled models, what they need, and which one would run."""
    here = {model.name: model for model in store.pulled()}
    try:
        choice = registry.explain_choice(settings)
    except ModelError as error:
        choice = str(error)
    machine = Machine.here()
    names = dict.fromkeys([*KNOWN, *here])
    rows = [_row(name, here.get(name)) for name in names]
    fitted = {name: _fits(name, here.get(name), settings, machine) for name in names}
    if as_json:
        for row in rows:
            row["needs"] = [_as_json(fit) for fit in fitted[str(row["name"])]]
        print_json({"models": rows, "choice": choice})
        return
    console.print(_table(rows))
    console.print(f"\n{choice}\n", soft_wrap=True)
    console.print(_needs_table(fitted, "float32" if settings.engine.dtype == "float32" else "bf16"))
    console.print(f"\nThis machine: {machine.words}.", soft_wrap=True)


def _row(name: str, model: registry.Model | None) -> dict[str, Any]:
    known = KNOWN.get(name)
    return {
        "name": name,
        "title": known.title if known else "local model",
        "pulled": model is not None,
        "weights": bool(model and model.manifest.weights),
        "size": known.weights_bytes if known else _weights_bytes(model),
        "licence": known.licence if known else (model.manifest.licence if model else ""),
        "folder": str(model.folder) if model else "",
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("model", "what it is", "weights", "licence", "here", box=None, pad_edge=False)
    for row in rows:
        here_text = "no" if not row["pulled"] else "yes" if row["weights"] else "tokenizer only"
        size = f"{row['size'] / 1e9:.1f} GB"
        table.add_row(row["name"], row["title"], size, row["licence"], here_text)
    return table


def _fits(
    name: str, model: registry.Model | None, settings: Settings, machine: Machine
) -> list[Fit]:
    """Return how a model would fit; nothing for one whose config.json cannot be read."""
    try:
        shape = KNOWN[name].shape if name in KNOWN or not model else model_config.read(model.folder)
    except ModelError:  # `doctor` says what is wrong with it
        return []
    return fits(shape, settings.engine, machine)


def _needs_table(fitted: Mapping[str, Sequence[Fit]], plain: str) -> Table:
    table = Table(
        *("model", "weights", "", "1000 tokens", "context", "to work", "in all", "on this machine"),
        box=None,
        pad_edge=False,
    )
    for name, both in fitted.items():
        for fit in both:
            needs = fit.needs
            table.add_row(
                name if fit.quantization == "none" else "",
                plain if fit.quantization == "none" else fit.quantization,
                f"{needs.weights / 1e9:.2f} GB",
                f"{needs.per_token / 1e3:.1f} MB",
                f"{needs.slot / 1e9:.2f} GB",
                f"{fit.beside / 1e9:.2f} GB",
                f"{fit.total / 1e9:.1f} GB",
                fit.outcome,
            )
    return table


def _as_json(fit: Fit) -> dict[str, Any]:
    return {
        "quantization": fit.quantization,
        "weights": fit.needs.weights,
        "per_1000_tokens": 1000 * fit.needs.per_token,
        "context": fit.needs.context,
        "slot": fit.needs.slot,
        "work": fit.beside,
        "total": fit.total,
        "where": fit.where,
        "slots": fit.slots,
    }


def _weights_bytes(model: registry.Model | None) -> int:
    if model is None:
        return 0
    files = model.manifest.files
    return sum(record.size for name, record in files.items() if name.endswith(".safetensors"))


def pull_model(name: str, *, tokenizer_only: bool) -> registry.Model:
    """Pull with progress bars, and say where the model is."""
    with stage_bars() as bars:
        model = store.pull(name, tokenizer_only=tokenizer_only, progress=bars)
    console.print(f"{model.name} is ready in {model.folder}", soft_wrap=True)
    console.print(f"licence: {model.manifest.licence}")
    return model


def verify_model(name: str) -> None:
    """Check every hash with a progress bar."""
    with stage_bars() as bars:
        manifest = store.verify(name, bars)
    console.print(f"{manifest.name}: all {len(manifest.files)} files are as they were pulled")
