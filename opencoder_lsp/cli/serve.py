"""`opencoder-lsp serve`: the ChatCompletions API."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opencoder_lsp.api.keys import Keys, read_keys
from opencoder_lsp.api.security import Policy, is_loopback
from opencoder_lsp.api.server import bind, serve
from opencoder_lsp.api.sessions import Sessions
from opencoder_lsp.cli.terminal import console, errors
from opencoder_lsp.client.connection import Status
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import from_process

_ANY = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    api_keys_file: Path | None
    allow_remote: bool
    allow_hosts: Sequence[str]
    cors_origins: Sequence[str]
    key_concurrency: int


def policy_of(options: Options) -> Policy:
    """Return who is let in; raises SettingsError, naming the cure, for what would be unsafe."""
    host = "127.0.0.1" if options.host == "localhost" else options.host
    for origin in options.cors_origins:
        if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
            raise SettingsError("--cors-origin takes an origin without path: https://example.com")
    keys = None
    if options.api_keys_file is not None:
        keys = Keys(read_keys(options.api_keys_file), options.key_concurrency)
    if not is_loopback(host):
        missing = [] if keys else ["--api-keys-file FILE, so that only those with a key may ask"]
        if not options.allow_remote:
            missing.append("--allow-remote, since whoever has a key may then ask from elsewhere")
        if missing:
            raise SettingsError(
                f"--host {options.host} is open to other machines; give {' and '.join(missing)}; "
                "what is sent is not encrypted, so put a proxy with TLS in front of it"
            )
    names = frozenset(name.lower() for name in options.allow_hosts)
    return Policy(host, options.port, keys, frozenset(options.cors_origins), names)


def run_serve(options: Options, pairs: Sequence[str]) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    settings = from_process(pairs)
    policy = policy_of(options)
    listener = bind(policy.host, options.port)
    sessions = Sessions()
    _introduce(policy, listener.getsockname()[1], sessions)
    asyncio.run(serve(listener, policy, settings, Told(), _warn, sessions))
    _say("stopped")
    return 0


def _introduce(policy: Policy, port: int, sessions: Sessions) -> None:
    host = f"[{policy.host}]" if ":" in policy.host else policy.host
    _say(f"OpenAI-compatible API: http://{host}:{port}/v1 (described at http://{host}:{port}/docs)")
    if policy.keys is None:
        _say("no key is needed; it is open to programs on this machine and closed to web pages")
    else:
        _say(f"keys: {', '.join(policy.keys.names)}")
    named = socket.gethostname().lower() if policy.host in _ANY else host
    _open_page(f"http://{named}:{port}", sessions)
    if not policy.is_loopback:
        errors.print("OTHER MACHINES CAN REACH IT, and what they send is not encrypted")


def _open_page(url: str, sessions: Sessions) -> None:
    """Print the address of the chat page, which works once; when it was used, print the next."""
    _say(f"chat page, for the browser that opens this first: {url}{sessions.one_time_path()}")
    sessions.opened = lambda: _open_page(url, sessions)


class Told:
    """Says how the engine is, of its loading only every tenth percent."""

    _last: tuple[str, int] | None = None

    def __call__(self, status: Status) -> None:
        """Hear of a new status."""
        shown = (status.kind, (status.percent or 0) // 10)
        if status.kind != "loading" or shown != self._last:
            percent = "" if status.percent is None else f" ({status.percent} %)"
            _say(f"{status.message}{percent}")
        self._last = shown


def _warn(text: str) -> None:
    errors.print(text, soft_wrap=True)


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)
