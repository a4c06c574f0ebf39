"""Starting the engine as a process that outlives us, and knowing how it ended if it did."""

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from opencoder_lsp.client import log_file
from opencoder_lsp.errors import EngineUnavailableError
from opencoder_lsp.models.conversion import INSTALL_ENGINE
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings


def engine_command(settings: Settings, model: Model, socket: Path) -> list[str]:
    """
    Return the command line of the engine of `model`.

    Raises EngineUnavailableError where this installation has no torch.
    """
    if importlib.util.find_spec("torch") is None:
        raise EngineUnavailableError(
            f"the engine is not installed; {INSTALL_ENGINE}; or set engine.url to an engine "
            "elsewhere"
        )
    command = [sys.executable, "-m", "opencoder_lsp.engine"]
    command += ["--model", str(model.folder), "--socket", str(socket)]
    return [*command, *(f"--set={pair}" for pair in engine_settings(settings))]


def engine_settings(settings: Settings) -> Iterator[str]:
    """
    Yield NAME=VALUE of every setting of the engine, defaults as well.

    It reads the user's file and its environment, too, where ours may have been overruled.
    """
    for name, value in settings.engine.of_process().items():
        yield f"engine.{name}={value}"


def _environment() -> dict[str, str]:
    """
    Return ours, with memory in huge pages where the system's C library is glibc.

    Reading all weights for each token, a tenth of the time goes into looking up small pages. The C
    library reads this when a process begins, so that the engine cannot set it. Source:
    "Memory Allocation Tunables" in glibc's manual; others ignore it.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "glibc.malloc.hugetlb" in tunables:
        return dict(os.environ)
    own = "glibc.malloc.hugetlb=1"
    return {**os.environ, "GLIBC_TUNABLES": f"{tunables}:{own}" if tunables else own}


class Child:
    """
    A started engine: a session of its own, no standard input, output to a log file.

    `exited` is done with the exit code (negative: the signal) when the process has ended.
    """

    def __init__(self, command: list[str], path: Path) -> None:
        self.log_file = path
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        with log_file.opened(path) as output:
            self._log_start = os.fstat(output).st_size
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineUnavailableError(
                    f"cannot start {command[0]}: {error.strerror}"
                ) from error
        # asyncio's own child processes are killed when the loop closes; this one must live on.
        threading.Thread(target=self._wait, name="engine-exit", daemon=True).start()

    @property
    def pid(self) -> int:
        """The engine's process id."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def last_words(self) -> str:
        """Return the last line that this process wrote to its log, shortened; "" if none."""
        return log_file.last_line(self.log_file, self._log_start)

    def _wait(self) -> None:
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            self._loop.call_soon_threadsafe(self._set_exited, code)

    def _set_exited(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)
