"""
The engine's process, as others see it: its socket, its lock, who it is, and how to end it.

The engine holds an exclusive flock on `SOCKET.lock` for its whole life and writes into it who it
is: JSON with pid, started (seconds since the epoch), version, model and folder. The kernel frees
the lock however the process ends, so the lock, not the file, says whether an engine lives.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from opencoder_lsp import __version__, paths
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models.registry import Model

log = logging.getLogger(__name__)

STOP_PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL; the engine drains for 5
_CLOCK_SLACK = 2.0  # seconds between a process's start and what it writes as such


@dataclass(frozen=True)
class EngineProcess:
    """A living engine; `started` is the operating system's start time of process `pid`."""

    pid: int
    started: float
    version: str
    model: str
    folder: str


def socket_path(model: Model) -> Path:
    """
    Return where the engine of this model and of this version of ours listens.

    Another version has another socket, so two versions never talk past each other. Creates the
    folder; raises OpencoderError where it cannot be this user's alone.
    """
    identity = f"{__version__}\n{model.folder.resolve()}"
    digest = hashlib.sha256(os.fsencode(identity)).hexdigest()[:16]
    return paths.private(paths.runtime()) / f"engine-{digest}.sock"


def running_engine(socket: Path) -> EngineProcess | None:
    """
    Return the process that owns this socket; None where there is none.

    None, too, in the instant in which it has the lock and has not yet written who it is. Raises
    EngineUnavailableError where its record cannot be read.
    """
    path = paths.lock_path(socket)
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineUnavailableError(f"cannot read {path} ({error.strerror})") from error
    with file:
        if _is_free(file.fileno()):
            return None
        return _identify(file.read(65536), socket)


def running_engines() -> dict[Path, EngineProcess]:
    """
    Return this user's engines of all models and versions, by socket, the oldest first.

    Engines whose `--socket` lies elsewhere than in our runtime folder are not seen. Raises
    OpencoderError where that folder is not this user's alone, whose files then mean nothing.
    """
    found = dict[Path, EngineProcess]()
    for file in paths.private(paths.runtime()).glob(paths.lock_path(Path("*")).name):
        socket = file.with_suffix("")
        if engine := running_engine(socket):
            found[socket] = engine
    return dict(sorted(found.items(), key=lambda item: item[1].started))


def check_owner(socket: Path) -> None:
    """Raise EngineUnavailableError for a socket that somebody else has put there."""
    try:
        owner = socket.lstat().st_uid
    except OSError:  # not there, or it cannot be connected to either
        return
    if owner != os.getuid():
        raise EngineUnavailableError(f"{socket} belongs to another user; remove it")


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _identify(record: str, socket: Path) -> EngineProcess | None:
    try:
        fields = json.loads(record)
        pid, written = int(fields["pid"]), float(fields["started"])
        process = psutil.Process(pid)
        started = process.create_time()
        # A pid left by an earlier engine may be another program's by now. The clock may have been
        # set since, so a command line that names the socket counts as well.
        if started > written + _CLOCK_SLACK and str(socket) not in process.cmdline():
            return None
        names = [str(fields.get(name, "")) for name in ("version", "model", "folder")]
        return EngineProcess(pid, started, *names)
    except (ValueError, TypeError, KeyError, psutil.Error):
        return None


def stop_engine(engine: EngineProcess, patience: float = STOP_PATIENCE) -> None:
    """
    End the process: SIGTERM, then SIGKILL if it is still there after `patience` seconds.

    Blocks. Does nothing to another process that has got the same pid meanwhile. Raises
    EngineUnavailableError where it does not end or is not ours to end.
    """
    try:
        process = psutil.Process(engine.pid)
        if process.create_time() != engine.started:
            return
        process.terminate()
        if not _ended(process, patience):
            log.warning("the engine (process %d) did not end when asked to; killing it", engine.pid)
            process.kill()
            if not _ended(process, STOP_PATIENCE):
                raise EngineUnavailableError(f"the engine (process {engine.pid}) cannot be ended")
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise EngineUnavailableError(
            f"the engine (process {engine.pid}) is not this user's to end"
        ) from None


def _ended(process: psutil.Process, patience: float) -> bool:
    """Wait for the end of a process that is not our child, which nothing announces."""
    end = time.monotonic() + patience
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class StartLock:
    """
    Held by the front that starts an engine, from before it looks for one until one answers.

    A file of its own (`SOCKET.start`): the engine's lock belongs to the engine.
    """

    def __init__(self, socket: Path) -> None:
        self._path = socket.with_name(socket.name + ".start")

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Yield whether the lock could be had at once; free it afterwards."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EngineUnavailableError(
                f"cannot write {self._path} ({error.strerror}), so no engine can be started"
            ) from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)
