"""Pull models into the models folder, verify them, and list what is there."""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from opencoder_lsp import paths
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import assemble, config, registry, sources, tokenizer_files
from opencoder_lsp.models.known import KNOWN, KnownModel, known
from opencoder_lsp.models.manifest import MANIFEST, Manifest
from opencoder_lsp.models.registry import Model

log = logging.getLogger(__name__)

_LOCK_POLL = 0.2


class Progress(Protocol):
    """Told how far a stage is, in bytes or steps; `total` is None where it cannot be known."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show it; called often, from the thread that pulls."""
        ...


@dataclass(frozen=True)
class _Job:
    """One pull: `fetch(work, target)` fills `target` and returns the manifest's `source`."""

    name: str
    known: KnownModel | None
    fetch: Callable[[Path, Path], str]
    keep_if_intact: bool


def pull(name_or_folder: str, *, tokenizer_only: bool = False, progress: Progress) -> Model:
    """
    Make a known model, or the weights in a folder, ready to run; returns it.

    A known model that is here and intact is left alone; a damaged one is pulled again. Raises
    ModelError, naming the cause and the cure.
    """
    job = _job(name_or_folder, tokenizer_only, progress)
    target = paths.models() / job.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(job.name, progress):
            if job.keep_if_intact and _intact(target, tokenizer_only, progress):
                return registry.open_model(target)
            _pull_into(target, job, tokenizer_only, progress)
            return registry.open_model(target)
    except OSError as error:
        raise ModelError(f"cannot pull {job.name}: {error}") from error


def verify(name_or_folder: str, progress: Progress) -> Manifest:
    """
    Check the sha256 of every file of a pulled model, and that the files fit together.

    Raises ModelError naming the first bad file and the cure.
    """
    folder = registry.find(name_or_folder)
    manifest = Manifest.load(folder)
    manifest.verify(folder, progress)
    assemble.check(folder, weights=manifest.weights)
    return manifest


def pulled() -> list[Model]:
    """Return all pulled models; one whose manifest cannot be read is left out, with a warning."""
    models = list[Model]()
    for folder in registry.pulled_folders():
        try:
            manifest = Manifest.load(folder)
        except ModelError as error:
            log.warning("%s", error)
        else:
            models.append(Model(manifest.name, folder, manifest, manifest.template))
    return models


def _job(name_or_folder: str, tokenizer_only: bool, progress: Progress) -> _Job:
    if model := known(name_or_folder):
        source = sources.demo if model.hub_id is None else sources.hub
        return _Job(
            model.name,
            model,
            lambda work, target: source(
                model, work, target, weights=not tokenizer_only, progress=progress
            ),
            keep_if_intact=True,
        )
    folder = Path(name_or_folder).expanduser().absolute()
    if folder.parent == paths.models() or Path(name_or_folder).name == name_or_folder:
        here = paths.models() / folder.name
        if (here / MANIFEST).exists() and (folder == here or not folder.is_dir()):
            return _pulled_before(here, tokenizer_only, progress)
    if not folder.is_dir():
        raise ModelError(
            f"unknown model {name_or_folder!r}: neither a known one "
            f"({', '.join(sorted(KNOWN))}) nor a folder"
        )
    _refuse_name_of_another(folder)
    return _Job(
        folder.name,
        None,
        lambda _, target: sources.folder(
            folder, target, weights=not tokenizer_only, progress=progress
        ),
        keep_if_intact=False,
    )


def _pulled_before(here: Path, tokenizer_only: bool, progress: Progress) -> _Job:
    """A model in our own folder: go back to where it came from."""
    source = Manifest.load(here).source
    if known(here.name):
        return _job(here.name, tokenizer_only, progress)
    if not source.startswith(sources.FOLDER):
        raise ModelError(f"{here} does not say where it came from; pull its source again")
    return _job(source.removeprefix(sources.FOLDER), tokenizer_only, progress)


def _refuse_name_of_another(folder: Path) -> None:
    if known(folder.name) or folder.name.startswith("."):
        raise ModelError(f"{folder} cannot be pulled under the name {folder.name}; rename it")
    here = paths.models() / folder.name
    if (here / MANIFEST).exists() and Manifest.load(here).source != f"{sources.FOLDER}{folder}":
        raise ModelError(
            f"another model of the name {folder.name} is in {here}; remove that folder, or rename "
            f"{folder}"
        )


def _intact(target: Path, tokenizer_only: bool, progress: Progress) -> bool:
    if not (target / MANIFEST).exists():
        return False
    try:
        manifest = Manifest.load(target)
        if not (manifest.weights or tokenizer_only):
            return False
        manifest.verify(target, progress)
        assemble.check(target, weights=manifest.weights)
    except ModelError as error:
        log.warning("pulling again: %s", error)
        return False
    return True


def _pull_into(target: Path, job: _Job, tokenizer_only: bool, progress: Progress) -> None:
    """Fill a folder beside `target`, then put it there in one step."""
    work = target.parent / f".{job.name}.partial"
    shutil.rmtree(work, ignore_errors=True)
    staging, old = work / "model", work / "old"
    try:
        staging.mkdir(parents=True)
        source = job.fetch(work, staging)
        _describe(staging, job, source, weights=not tokenizer_only, progress=progress)
        if target.exists():
            target.rename(old)
        staging.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _describe(staging: Path, job: _Job, source: str, *, weights: bool, progress: Progress) -> None:
    """Write the manifest of a finished folder."""
    settings = config.read(staging)
    context = config.context_length(settings)
    if model := job.known:
        template, licence = model.template, model.licence
        context = min(context, model.context_length)
        stops = tokenizer_files.control_ids(staging, model.stop_tokens)
        if len(stops) != len(model.stop_tokens):
            raise ModelError(
                f"the tokenizer of {job.name} lacks one of {', '.join(model.stop_tokens)}"
            )
    else:
        template = assemble.guess_template(staging, settings)
        stops = assemble.guess_stops(staging, settings)
        licence = "see the model's source"
    Manifest(
        name=job.name,
        architecture=config.architecture(settings),
        template=template,
        stop_ids=stops,
        context_length=context,
        licence=licence,
        source=source,
        files=Manifest.record(staging, progress),
        weights=weights,
    ).save(staging)


@contextmanager
def _locked(name: str, progress: Progress) -> Iterator[None]:
    """Wait until no other process pulls `name`; the lock ends with the process that holds it."""
    path = paths.models() / f".{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"waiting for another pull of {name}", 0, None)
                time.sleep(_LOCK_POLL)
        yield
    finally:
        os.close(descriptor)
