"""What it takes to talk to a server elsewhere: its key, and whose certificates are believed."""

import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import Settings

_FORM = "each line of it is `KEY`, or `https://host:port KEY` where there are several servers"
_KEY = re.compile(r"[\x21-\x7e]+")  # what an HTTP header can hold
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Access:
    """A bearer key ("" for none) and a file of certificate authorities ("" for the system's)."""

    key: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def tls(self) -> ssl.SSLContext:
        """Return what checks certificates; raises SettingsError where the file does not do."""
        path = Path(self.ca_file).expanduser() if self.ca_file else None
        try:
            return ssl.create_default_context(cafile=path)
        except OSError as error:  # ssl.SSLError is one
            why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else ""
            why = why or error.strerror or type(error).__name__
            raise SettingsError(f"engine.ca_file: cannot use {path}: {why}") from None


def access_to(url: str, settings: Settings) -> Access:
    """
    Return what the settings say of the server at `url`: a key is given to its own server only.

    Reads the file of keys; raises SettingsError, naming the cure, where it is not fit to be one.
    """
    engine = settings.engine
    if url.startswith("unix:"):
        return Access()
    if not engine.key_file:
        return Access(ca_file=engine.ca_file)
    if urlsplit(url).username is not None:
        raise SettingsError(
            "the key of the engine is in its address and in engine.key_file; take it from one"
        )
    several = bool(settings.completion.url or settings.chat.url)
    keys = _keys(Path(engine.key_file).expanduser())
    if several and "" in keys:
        path = engine.key_file
        raise SettingsError(f"{path} does not say which server a key is for: {_FORM}")
    return Access(keys.get(origin(url), keys.get("", "")), engine.ca_file)


def origin(url: str) -> str:
    """Return scheme, host and port, by which a key belongs to a server; "" where there are none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}" if parts.hostname else ""


def _keys(path: Path) -> dict[str, str]:
    """Read keys by origin, "" for that of whichever server there is."""
    keys: dict[str, str] = {}
    for number, line in enumerate(_private_text(path).splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        server = origin(words[0]) if len(words) == 2 else ""
        wrong = len(words) > 2 or (len(words) == 2 and not server)
        if wrong or server in keys or not _KEY.fullmatch(words[-1]):
            raise SettingsError(f"line {number} of {path} is no key, or the second one: {_FORM}")
        keys[server] = words[-1]
    if not keys:
        raise SettingsError(f"there is no key in {path}: {_FORM}")
    return keys


def _private_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(status.st_mode) & 0o077:
                raise SettingsError(f"others can get at the key in {path}; run: chmod 600 {path}")
            return file.read(65536).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"engine.key_file: cannot read {path}: {why}") from None
