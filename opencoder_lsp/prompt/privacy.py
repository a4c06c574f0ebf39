"""
Which files may be shown to a model: the one place that decides, for whatever would show them.

| | the user works on it or attaches it | gathered as context |
|---|---|---|
| named by `privacy.exclude`, or a link to such a file | no | no |
| left out by a `.opencoderignore` | no | no |
| left out by git | only to an engine on this machine | no |
| in none of the workspace's folders | only to an engine on this machine | no |
| never saved | yes | only to an engine on this machine |

Where no folder is open, what is on the screen is the workspace: outside of it is nothing then, but
nothing is gathered for an engine on another machine. `privacy.remote = "any"` lets such an engine
have what one on this machine gets of the files that the user works on. Paths are judged as they
are written and as links resolve them.
"""

import ipaddress
import os
import unicodedata
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from opencoder_lsp.prompt.files import resolved
from opencoder_lsp.prompt.ignoring import ignored_by_git, ignored_by_us, is_below
from opencoder_lsp.settings import Settings

_MOST_LINKS = 40  # as Linux: more is a loop, path_resolution(7)


def may_send(
    path: str, settings: Settings, folders: Sequence[str] = (), *, gathered: bool = False
) -> bool:
    """
    Tell whether the text of the file at `path` may go to the engine that the settings name.

    `folders` are the workspace's, `gathered` is whether nobody asked for this very file. `path`
    is a plain path, not a URI, and empty for a document that was never saved; the file need not
    exist.
    """
    return not refusal(path, settings, folders, gathered=gathered)


def refusal(
    path: str, settings: Settings, folders: Sequence[str] = (), *, gathered: bool = False
) -> str:
    """Return why `may_send` says no, for the user; "" where it says yes."""
    remote = any(map(is_remote, engines(settings)))
    if not path:
        return "a document that was never saved" if gathered and remote else ""
    path = os.path.normpath(path)
    if not _harmless(path, settings.privacy.exclude):
        return "its name is one of the setting privacy.exclude"
    if not os.path.isabs(path) or not _possible(path):
        return "no file has such a path" if gathered else ""
    paths = dict.fromkeys((path, resolved(path)))
    if any(ignored_by_us(each, folders) for each in paths):
        return "a .opencoderignore leaves it out"
    if not gathered and not (remote and settings.privacy.remote == "workspace"):
        return ""
    if any(ignored_by_git(each) for each in paths):
        return "git ignores it, and privacy.remote is `workspace`"
    roots = {root for folder in folders for root in (folder, resolved(folder))}
    if not folders:
        return "no folder is open" if gathered and remote else ""
    if not all(any(is_below(each, root) for root in roots) for each in paths):
        return "it is outside of the workspace, and privacy.remote is `workspace`"
    return ""


def engines(settings: Settings) -> tuple[str, str]:
    """Return the addresses that code goes to, for completions and for chat; "" is our engine."""
    url = settings.engine.url
    return settings.completion.url or url, settings.chat.url or url


def is_remote(url: str) -> bool:
    """Tell whether the engine at `url`, as in the setting `engine.url`, is another machine's."""
    host = urlsplit(url).hostname if url.startswith("http") else None
    if host is None or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _harmless(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether no pattern matches the name or a folder of the file, or of what links to it."""
    names = [_folded(pattern) for pattern in patterns if not pattern.endswith("/")]
    folders = [_folded(pattern[:-1]) for pattern in patterns if pattern.endswith("/")]
    try:
        hops = [*_hops(path), resolved(path)]
    except OSError:  # a circle of links
        return False
    for hop in hops:
        *above, name = _folded(hop).split("/")
        if _matches(name, names) or any(_matches(folder, folders) for folder in above):
            return False
    return True


def _possible(path: str) -> bool:
    """Tell whether a file can have this path: URIs can say what no file system can."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _hops(path: str) -> Iterator[str]:
    """Yield `path` and what each symbolic link on the way to the file points to."""
    path = path.rstrip("/")
    for _ in range(_MOST_LINKS):
        yield path
        # A link among the folders does not change the file's name.
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path)).rstrip("/")
    raise OSError("too many symbolic links")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
