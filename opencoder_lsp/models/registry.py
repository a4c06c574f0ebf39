"""The known models, and which one the settings mean. Nothing here needs torch."""

from dataclasses import dataclass
from pathlib import Path

from opencoder_lsp import paths
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import gpus
from opencoder_lsp.models.fitting import why_not_on
from opencoder_lsp.models.known import DEMO, KNOWN, OPENCODERPLUS, known
from opencoder_lsp.models.manifest import MANIFEST, Manifest
from opencoder_lsp.settings import Settings

AUTO = "auto"


@dataclass(frozen=True)
class Model:
    """A pulled model, and the conversation template that it is used with."""

    name: str
    folder: Path
    manifest: Manifest
    template: str


def resolve(settings: Settings) -> Model:
    """
    Return the model that `settings` mean, its files present and of the right size.

    Raises ModelError, naming the command to run, where it is not pulled or cannot be used. Where
    an engine elsewhere is set, a folder without weights will do.
    """
    return _choose(settings)[0]


def explain_choice(settings: Settings) -> str:
    """Say in one line which model runs and why; raises ModelError as `resolve` does."""
    model, why = _choose(settings)
    return f"{model.name} ({model.folder}): {why}"


def _choose(settings: Settings) -> tuple[Model, str]:
    if settings.model.name != AUTO:
        return _open(find(settings.model.name), settings), "the settings say so"
    large, small = (paths.models() / m.name for m in (OPENCODERPLUS, DEMO))
    remote = bool(settings.engine.url)
    fallback = "it is not pulled"
    if (large / MANIFEST).exists():
        if remote:
            return _open(large, settings), "it is pulled, and engine.url is set"
        fallback = _why_not(large, settings)
        if not fallback:
            return _open(large, settings), "it is pulled and the GPUs can hold it"
    if (small / MANIFEST).exists():
        return _open(small, settings), f"OpenCoderPlus does not run here: {fallback}"
    if (large / MANIFEST).exists():
        raise ModelError(
            f"OpenCoderPlus does not run here: {fallback}. For the small demo model (about 93 MB) "
            "run: opencoder-lsp models pull demo; to run OpenCoderPlus all the same, set "
            "model.name to opencoderplus"
        )
    raise ModelError(
        "no model is pulled; for the small demo model (about 93 MB) run: opencoder-lsp models "
        "pull demo; for OpenCoderPlus (31 GB) run: opencoder-lsp models pull opencoderplus"
    )


def find(name: str) -> Path:
    """
    Return the folder, with a manifest, of a known or pulled model or of a path.

    Raises ModelError naming what to run, or what is known.
    """
    if model := known(name):
        folder = paths.models() / model.name
        if not (folder / MANIFEST).exists():
            raise ModelError(
                f"the model {model.name} is not pulled; run: opencoder-lsp models pull {model.name}"
            )
        return folder
    if Path(name).name == name and (paths.models() / name / MANIFEST).exists():
        return paths.models() / name
    folder = Path(name).expanduser().absolute()
    if (folder / MANIFEST).exists():
        return folder
    if not folder.is_dir():
        have = sorted({*KNOWN, *(f.name for f in pulled_folders())})
        raise ModelError(
            f"unknown model {name!r}: neither a known or pulled one ({', '.join(have)}) nor a "
            "folder"
        )
    copy = paths.models() / folder.name
    if (copy / MANIFEST).exists() and Manifest.load(copy).source == f"folder {folder}":
        return copy
    raise ModelError(
        f"{folder} is not prepared for the engine; run: opencoder-lsp models pull {folder}"
    )


def pulled_folders() -> list[Path]:
    """Return the folders of all pulled models, damaged ones too, in order of their names."""
    try:
        folders = sorted(paths.models().iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f for f in folders if not f.name.startswith(".") and (f / MANIFEST).is_file()]


def open_model(folder: Path, template: str = "") -> Model:
    """Return the pulled model in `folder`; raises ModelError where a file is not as pulled."""
    manifest = Manifest.load(folder)
    manifest.check_sizes(folder)
    return Model(manifest.name, folder, manifest, template or manifest.template)


def _open(folder: Path, settings: Settings) -> Model:
    model = open_model(folder, settings.model.template)
    if not model.manifest.weights and not settings.engine.url:
        raise ModelError(
            f"the model {model.name} was pulled without its weights, for an engine elsewhere; set "
            f"engine.url, or run: opencoder-lsp models pull {model.name}"
        )
    return model


def _why_not(folder: Path, settings: Settings) -> str:
    """Why the large model does not run on this machine; empty where it does."""
    if not Manifest.load(folder).weights:
        return "only its tokenizer is pulled"
    if settings.engine.device == "cpu":
        return "engine.device is cpu"
    if fault := gpus.torch_fault():
        return fault
    # All of the memory counts, not only what is free: an engine that runs already has filled it.
    return why_not_on(OPENCODERPLUS.shape, settings.engine, [gpu.total for gpu in gpus.each()])
