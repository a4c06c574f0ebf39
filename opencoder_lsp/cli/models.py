"""`opencoder-lsp models`: list, pull and verify."""

from rich.table import Table

from opencoder_lsp.cli.terminal import console, print_json, stage_bars
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import registry, store
from opencoder_lsp.settings import Settings


def list_models(settings: Settings, *, as_json: bool) -> None:
    """Print the known and the pulled models, and which one would run."""
    here = {model.name: model for model in store.pulled()}
    try:
        choice = registry.explain_choice(settings)
    except ModelError as error:
        choice = str(error)
    rows = []
    for name in dict.fromkeys([*registry.KNOWN, *here]):
        known, model = registry.KNOWN.get(name), here.get(name)
        rows.append(
            {
                "name": name,
                "title": known.title if known else "local model",
                "pulled": model is not None,
                "weights": bool(model and model.manifest.weights),
                "size": known.weights_bytes if known else _weights_bytes(model),
                "licence": known.licence if known else (model.manifest.licence if model else ""),
                "folder": str(model.folder) if model else "",
            }
        )
    if as_json:
        print_json({"models": rows, "choice": choice})
        return
    table = Table("model", "what it is", "weights", "licence", "here", box=None, pad_edge=False)
    for row in rows:
        here_text = "no" if not row["pulled"] else "yes" if row["weights"] else "tokenizer only"
        size = f"{int(str(row['size'])) / 1e9:.1f} GB"
        table.add_row(str(row["name"]), str(row["title"]), size, str(row["licence"]), here_text)
    console.print(table)
    console.print(f"\n{choice}")


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
