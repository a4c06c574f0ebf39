"""API keys: read from a file that only its owner can read, compared in constant time."""

import hashlib
import hmac
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from opencoder_lsp.errors import SettingsError
from opencoder_lsp.serving.refusals import RefusedError

_LINE = re.compile(r"(?P<name>[\w.-]{1,64}):(?P<key>[!-~]{16,256})", re.ASCII)
_FORM = "each line is name:key, the key of 16 or more characters, none of them a blank"


class Keys:
    """
    The keys that open the API, by the names under which they are logged and counted.

    `at_once` is how many answers may be made for one key side by side.
    """

    def __init__(self, keys: Mapping[str, str], at_once: int) -> None:
        self._digests = {name: _digest(key.encode()) for name, key in keys.items()}
        self._at_once = at_once
        self._at_work = Counter[str]()

    @property
    def names(self) -> list[str]:
        """The names of all keys."""
        return list(self._digests)

    def name_of(self, key: bytes) -> str | None:
        """Return the name of a key; None for another one. Takes as long for any key."""
        given, found = _digest(key), None
        for name, digest in self._digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Hold one of the answers of a key; raises RefusedError (429) where it has too many."""
        if self._at_work[name] >= self._at_once:
            message = f"this key has {self._at_once} answers under way already"
            raise RefusedError(429, message, code="concurrency_limit", retry_after=1)
        self._at_work[name] += 1
        try:
            yield
        finally:
            self._at_work[name] -= 1


def read_keys(path: Path) -> dict[str, str]:
    """Read a file of keys; raises SettingsError, naming the cure, where it is not fit to be one."""
    try:
        with path.open("rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            text = file.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"cannot read the keys in {path}: {why}") from None
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingsError(f"line {number} of {path} is no key: {_FORM}")
        if match["name"] in keys or match["key"] in keys.values():
            raise SettingsError(f"line {number} of {path} has a name or key a second time")
        keys[match["name"]] = match["key"]
    if not keys:
        cure = f'echo "me:$(openssl rand -hex 32)" >> {path}'
        raise SettingsError(f"there is no key in {path}; for one, run: {cure}")
    return keys


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"{path} is not a file of keys")
    if status.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError(f"others can get at the keys in {path}; run: chmod 600 {path}")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
