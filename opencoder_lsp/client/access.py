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
_SERVICE = "opencoder-lsp"  # the name of our entries in the system's keyring


@dataclass(frozen=True)
class Access:
    """A bearer key ("" for none) and a file of certificate authorities ("" for the system's)."""

    key: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def tls(self, url: str) -> ssl.SSLContext | bool:
        """
        Return what checks the certificates of the server at `url`, as aiohttp takes it.

        Raises SettingsError where the file of authorities does not do.
        """
        if not url.startswith("https:"):
            return True  # aiohttp's default
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

    Reads the file of keys or asks the system's keyring, which may take as long as the user needs to
    unlock it; raises SettingsError, naming the cure, where there is no key to be had.
    """
    engine = settings.engine
    if url.startswith("unix:"):
        return Access()
    sources = [name for name in ("key_file", "keyring") if getattr(engine, name)]
    if not sources:
        return Access(ca_file=engine.ca_file)
    if urlsplit(url).username is not None:
        sources.insert(0, "url")
    if len(sources) > 1:
        names = " and ".join(f"engine.{name}" for name in sources)
        raise SettingsError(f"there is a key of the engine in {names}; take it from one of them")
    several = bool(settings.completion.url or settings.chat.url)
    key = _from_keyring(url, several) if engine.keyring else _from_file(url, settings, several)
    return Access(key, engine.ca_file)


def _from_file(url: str, settings: Settings, several: bool) -> str:
    path = settings.engine.key_file
    keys = _keys(Path(path).expanduser())
    if several and "" in keys:
        raise SettingsError(f"{path} does not say which server a key is for: {_FORM}")
    return keys.get(origin(url), keys.get("", ""))


def _from_keyring(url: str, several: bool) -> str:
    """Return the key in the system's keyring; of `several` servers, one may need none."""
    where = _address(url)
    if not where:
        return ""  # nobody answers there, which is said when somebody asks
    try:
        import keyring
    except ImportError:
        raise SettingsError(
            "engine.keyring needs a library; run: pip install keyring, or use engine.key_file"
        ) from None
    try:
        key = keyring.get_password(_SERVICE, where)
    except Exception as error:  # boundary: what a keyring of the system raises is its own
        raise SettingsError(
            f"the system's keyring cannot be read ({type(error).__name__}); unlock it, if there is "
            "one, or use engine.key_file"
        ) from None
    cure = f"run: keyring set {_SERVICE} {where}"
    if key is None and not several:
        raise SettingsError(f"the system's keyring has no key for {where}; {cure}")
    if key and not _KEY.fullmatch(key):
        raise SettingsError(f"what the system's keyring has for {where} is no key; {cure}")
    return key or ""


def _address(url: str) -> str:
    """Return the origin as people write it, which is the user's name of an entry in a keyring."""
    whole = origin(url)
    scheme, _, rest = whole.partition("://")
    return whole.removesuffix(f":{_PORTS[scheme]}") if rest else ""


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
