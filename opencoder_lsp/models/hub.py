"""
Download a model repository from the Hugging Face hub, or another at HF_ENDPOINT.

huggingface_hub knows the API, tokens and errors; the files themselves are streamed here, because
its own download forgets the part of a file that it had when it is stopped (huggingface_hub 2),
and one file may have ten gigabytes.
"""

import hashlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import checkpoint, tokenizer_files
from opencoder_lsp.models.config import CONFIG
from opencoder_lsp.models.manifest import ProgressCallback, sha256

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_TIMEOUT = 30.0


@dataclass(frozen=True)
class RemoteFile:
    """One file in a repository: `size` in bytes; one of the hashes is known, or none."""

    name: str
    size: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True)
class Repository:
    """What a repository held when it was asked; `revision` is a commit."""

    hub_id: str
    endpoint: str
    revision: str
    files: dict[str, RemoteFile]


def inspect(hub_id: str) -> Repository:
    """Ask the hub what the repository has; raises ModelError where it cannot be asked."""
    from huggingface_hub import HfApi, constants

    # Else the library tells the hub, in a header and a request of its own, what it runs under.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        info = HfApi(endpoint=endpoint).model_info(hub_id, files_metadata=True, timeout=_TIMEOUT)
    except _errors() as error:
        raise ModelError(
            f"could not ask {endpoint} for {hub_id}: {_describe(error)}; check the network, or "
            "HF_ENDPOINT and HF_TOKEN where you use them"
        ) from error
    files = dict[str, RemoteFile]()
    for sibling in info.siblings or []:
        lfs = sibling.lfs.sha256 if sibling.lfs else None
        sha1 = None if lfs else sibling.blob_id
        files[sibling.rfilename] = RemoteFile(sibling.rfilename, sibling.size or 0, lfs, sha1)
    if not info.sha:
        raise ModelError(f"{endpoint} did not say which commit of {hub_id} it has")
    return Repository(hub_id, endpoint, info.sha, files)


def small_files(repository: Repository, *, weights: bool) -> list[RemoteFile]:
    """
    Return config and tokenizer files, and the weights' index where `weights`.

    Raises ModelError where config.json is missing.
    """
    if CONFIG not in repository.files:
        raise ModelError(f"{repository.hub_id} has no {CONFIG}")
    names = [CONFIG, *tokenizer_files.SOURCES]
    if weights:
        names.append(_weights(repository)[1])
    return [repository.files[name] for name in names if name in repository.files]


def weight_files(repository: Repository, folder: Path) -> list[RemoteFile]:
    """Return the weight files, by the index in `folder`; raises ModelError for a missing one."""
    single, index = _weights(repository)
    names = sorted(set(checkpoint.read_index(folder / index).values())) if index else [single]
    for name in names:
        if name not in repository.files:
            raise ModelError(f"{repository.hub_id} lacks {name}, which its {index} names")
    return [repository.files[name] for name in names]


def is_pickled(repository: Repository) -> bool:
    """Whether the weights are .bin files, which must be converted."""
    return checkpoint.PICKLED in _weights(repository)


def _weights(repository: Repository) -> tuple[str, str]:
    """Names of the single weight file and the index, the latter empty where there is none."""
    for single, index in (
        (checkpoint.SAFETENSORS, checkpoint.SAFETENSORS_INDEX),
        (checkpoint.PICKLED, checkpoint.PICKLED_INDEX),
    ):
        if index in repository.files:
            return single, index
        if single in repository.files:
            return single, ""
    raise ModelError(f"{repository.hub_id} has no weights in a known form")


def missing_bytes(files: list[RemoteFile], folder: Path) -> int:
    """Return how many bytes of `files` are not in `folder` yet, whole or in part."""
    return sum(file.size - min(file.size, _have(file, folder)) for file in files)


def download(
    repository: Repository, files: list[RemoteFile], folder: Path, progress: ProgressCallback
) -> None:
    """
    Put `files` into `folder`, going on where an earlier run stopped, and check their hashes.

    Raises ModelError with the cause; what has arrived stays.
    """
    total = sum(file.size for file in files)
    before = 0
    for file in files:
        if not (folder / file.name).exists():
            _fetch(repository, file, folder, progress, (before, total))
            part = _part(file, folder)
            if not _intact(file, part, progress, (before, total)):
                part.unlink()
                raise ModelError(
                    f"{file.name} arrived damaged from {repository.endpoint} (its hash differs); "
                    "run the same command again"
                )
            part.rename(folder / file.name)
        before += file.size


def _fetch(
    repository: Repository,
    file: RemoteFile,
    folder: Path,
    progress: ProgressCallback,
    at: tuple[int, int],
) -> None:
    failures = 0
    while True:
        before = _have(file, folder)
        try:
            _stream(repository, file, _part(file, folder), progress, at)
            return
        except _errors() as error:
            failures = 0 if _have(file, folder) > before else failures + 1
            status = getattr(getattr(error, "response", None), "status_code", None)
            if failures >= _ATTEMPTS or (status is not None and 400 <= status < 500):
                raise ModelError(
                    f"the download of {file.name} from {repository.endpoint} failed: "
                    f"{_describe(error)}; run the same command again, it goes on where it stopped"
                ) from error
            log.warning("the download of %s broke off; trying again", file.name)
            time.sleep(min(10.0, 0.25 * 2**failures))


def _stream(
    repository: Repository,
    file: RemoteFile,
    part: Path,
    progress: ProgressCallback,
    at: tuple[int, int],
) -> None:
    """Append to `part` until it has the size of `file`; raises one of `_errors`."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    have = _have_part(part)
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size and have:
        return
    url, headers = _request(repository, file, have)
    session: Any = get_session()
    with session.stream("GET", url, headers=headers, timeout=_TIMEOUT) as response:
        if response.status_code >= 400:
            response.read()
            hf_raise_for_status(response)
        resumed = response.status_code == 206
        have = have if resumed else 0
        with part.open("ab" if resumed else "wb") as target:
            for piece in response.iter_bytes():
                target.write(piece)
                have += len(piece)
                progress("downloading", at[0] + min(have, file.size), at[1])
    if have != file.size:
        raise OSError(f"{have} bytes came instead of {file.size}")


def _request(repository: Repository, file: RemoteFile, have: int) -> tuple[str, dict[str, str]]:
    """Return URL and headers that ask for what follows the first `have` bytes of a file."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(
        repository.hub_id, file.name, revision=repository.revision, endpoint=repository.endpoint
    )
    # Compressed bytes could not be continued by their offset.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    return url, headers


def _intact(file: RemoteFile, path: Path, progress: ProgressCallback, at: tuple[int, int]) -> bool:
    if file.sha256:
        return sha256(path, "checking", progress, *at) == file.sha256
    if file.git_sha1:
        content = path.read_bytes()
        blob = b"blob %d\0" % len(content) + content
        return hashlib.sha1(blob, usedforsecurity=False).hexdigest() == file.git_sha1
    return True


def _part(file: RemoteFile, folder: Path) -> Path:
    return folder / f"{file.name}.part"


def _have(file: RemoteFile, folder: Path) -> int:
    whole = folder / file.name
    return whole.stat().st_size if whole.exists() else _have_part(_part(file, folder))


def _have_part(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _errors() -> tuple[type[Exception], ...]:
    """What a request can raise; HTTPError is httpx' or httpx2's, by the release of the library."""
    from huggingface_hub import errors

    http: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return (http, errors.OfflineModeIsEnabled, errors.HFValidationError, OSError)


def _describe(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its licence must be accepted on the hub first, and HF_TOKEN set"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it needs an HF_TOKEN"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids it"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
