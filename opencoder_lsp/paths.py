"""Where things live: data, configuration, cache, logs, and the runtime folder of the engine."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import platformdirs

from opencoder_lsp.errors import OpencoderError

APP = "opencoder-lsp"
HOME_VARIABLE = "OPENCODER_HOME"
# sun_path holds 104 bytes on macOS and 108 on Linux, closing NUL included: unix(4), unix(7).
SOCKET_PATH_LIMIT = 100
_LONGEST_SOCKET_NAME = 48


def _folder(kind: str, default: Callable[[str], str]) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser().absolute() / kind if home else Path(default(APP))


def _short_runtime(name: str) -> str:
    # Not the folder of TMPDIR, whose path on macOS is nearly as long as a socket's may be.
    return f"/tmp/{name}-{os.getuid()}"


def _user_runtime(app: str) -> str:
    # platformdirs warns on standard error where the variable is not set, as on macOS or in cron.
    base = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(base, app) if base else _short_runtime(app)


def data() -> Path:
    """Models and conversations: large or precious, never deleted by us."""
    return _folder("data", platformdirs.user_data_dir)


def models() -> Path:
    """One folder for each pulled model."""
    return data() / "models"


def config_file() -> Path:
    """The user's TOML file of settings; it need not exist."""
    return _folder("config", platformdirs.user_config_dir) / "settings.toml"


def cache() -> Path:
    """What can be deleted at any time."""
    return _folder("cache", platformdirs.user_cache_dir)


def logs() -> Path:
    """Log files, without any text of the user's."""
    return _folder("logs", platformdirs.user_log_dir)


def runtime() -> Path:
    """
    The folder of the engine's socket and lock.

    A socket path may have about 100 bytes; where the usual folder is longer, a short one in /tmp
    stands in, named after the user and the folder that it replaces.
    """
    folder = _folder("run", _user_runtime)
    if len(os.fsencode(folder)) + 1 + _LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(_short_runtime(f"opencoder-{digest}"))


def private(folder: Path) -> Path:
    """
    Create `folder` for this user alone (mode 0700) and return it.

    Raises OpencoderError where it cannot be made, belongs to somebody else or is a symbolic link:
    another user could then stand between us and the engine.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        cure = f"set {HOME_VARIABLE} to a folder that you can write to"
        raise OpencoderError(f"cannot make {folder} ({error.strerror}); {cure}") from error
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise OpencoderError(
            f"{folder} is not a folder of this user's own; remove it, or set {HOME_VARIABLE}"
        )
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def lock_path(socket: Path) -> Path:
    """Return the file that the engine of this socket holds locked for its whole life."""
    return socket.with_name(socket.name + ".lock")
