"""
The engine process: `python -m opencoder_lsp.engine --model FOLDER --socket PATH [--set K=V …]`.

Exit codes: 0 not needed any more or asked to end, 1 failed, 2 wrong usage, 3 another engine holds
the socket's lock, 4 it cannot be written, as on a full disk (where a log may say nothing either).
"""

import argparse
import asyncio
import functools
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from opencoder_lsp import __version__, settings
from opencoder_lsp.engine import lifetime, loading
from opencoder_lsp.engine.core import Engine
from opencoder_lsp.engine.server import SIGNALS, serve
from opencoder_lsp.engine.status import Health, Status
from opencoder_lsp.errors import ModelError, OpencoderError, SettingsError
from opencoder_lsp.models.manifest import Manifest

log = logging.getLogger("opencoder_lsp.engine")

_STOP_SECONDS = 5.0  # for the step in flight at the end


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an engine to its end and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m opencoder_lsp.engine", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a pulled model's folder")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _prepare_environment()
    # Held back until there is something to drain, so that the exit code is the same at any time.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        chosen = settings.from_process(options.set)
        lifetime.private_folder(options.socket.parent)
        return run(options.model.absolute(), options.socket.absolute(), chosen)
    except lifetime.AlreadyRunningError as error:
        log.info("%s", error)
        return 3
    except lifetime.UnwritableError as error:
        log.error("%s", error)
        return 4
    except SettingsError as error:
        log.error("%s", error)
        return 2
    except OpencoderError as error:
        log.error("%s", error)
        return 1


def run(folder: Path, socket: Path, chosen: settings.Settings) -> int:
    """Hold the lock, serve, and say how it ended; raises AlreadyRunningError."""
    health = Health(
        model=_name(folder),
        folder=str(folder),
        version=__version__,
        pid=os.getpid(),
        settings=chosen.engine.of_process(),
    )
    info = {
        "pid": health.pid,
        "started": psutil.Process().create_time(),
        "version": health.version,
        "model": health.model,
        "folder": health.folder,
    }
    with lifetime.lock(socket, info):
        with lifetime.bound_socket(socket) as listener:
            log.info(
                "engine %s of %s, pid %d, on %s", __version__, health.model, health.pid, socket
            )
            status = Status(health)
            load = functools.partial(loading.load, folder, chosen)
            engine = Engine(
                load,
                status,
                queue_limit=chosen.engine.queue,
                request_seconds=chosen.engine.request_seconds,
            )
            asyncio.run(
                serve(
                    listener,
                    engine,
                    status,
                    linger=chosen.engine.linger,
                    step_seconds=chosen.engine.step_seconds,
                )
            )
        stopped = engine.stop(0 if engine.lost else _STOP_SECONDS)
        log.info("engine ended")
        code = 1 if engine.lost else 0
        if not stopped:
            # Still loading or in a long step: a Python exit would wait for it, or crash beside it.
            logging.shutdown()
            os._exit(code)
        return code


def _prepare_environment() -> None:
    """Set what torch and transformers read when they are loaded."""
    # The weights are here; nothing is to be asked for on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _name(folder: Path) -> str:
    try:
        return Manifest.load(folder).name
    except ModelError:
        return folder.name  # the engine thread finds the same fault, and says it in /health


if __name__ == "__main__":
    sys.exit(main())
