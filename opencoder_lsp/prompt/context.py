"""Which files may be shown to a model at all."""

import os
import unicodedata
from collections.abc import Iterator
from fnmatch import fnmatchcase

from opencoder_lsp.settings import Settings

_MOST_LINKS = 40  # as Linux: more is a loop, path_resolution(7)


def may_send(path: str, settings: Settings) -> bool:
    """
    Tell whether the text of the file at `path` may go to a model.

    False where its name, or that of any file on the way when it is a symbolic link, matches a
    pattern of `privacy.exclude` (file names, letter case ignored), and for links that run in
    circles. A document that was never saved has the empty path, which is allowed. `path` is a
    plain path, not a URI; the file need not exist.
    """
    if not path:
        return True
    patterns = [_folded(pattern) for pattern in settings.privacy.exclude]
    try:
        names = [_folded(os.path.basename(hop)) for hop in _hops(path)]
    except OSError:  # a circle of links
        return False
    return not any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


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
