"""
What `.gitignore`, git's other lists and `.opencoderignore` leave out.

The rules are those of gitignore(5): the last pattern that matches decides, a list in a deeper
folder comes before one above it, and what is in a folder that is left out cannot be taken back.
`core.excludesFile` is looked for only in its usual place.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from opencoder_lsp.prompt.files import Stamp, read_text, stamp_of
from opencoder_lsp.prompt.gitignore import Pattern, patterns, verdict

OWN_LIST = ".opencoderignore"
_LARGEST = 1_000_000  # bytes of a list


def ignored_by_git(path: str, *, is_folder: bool = False) -> bool:
    """
    Tell whether git leaves out the file at this absolute path; so it does what is in `.git`.

    With `is_folder` it is a folder's path, of which it leaves out all that is in it.
    """
    if "/.git/" in path:
        return True
    top = git_root(path)
    if top is None:
        return False
    beside = [_list(one) for one in _lists_beside(top)]
    return _ignored(path, top, ".gitignore", beside, is_folder)


def ignored_by_us(path: str, folders: Sequence[str]) -> bool:
    """
    Tell whether a `.opencoderignore` leaves out the file at this absolute path.

    They count from the outermost of the workspace's folders and of git's root on, where the file
    is in one, else only in its own folder.
    """
    above = [folder for folder in folders if is_below(path, folder)]
    root = git_root(path)
    top = min([*above, root or os.path.dirname(path)], key=len)
    return _ignored(path, top, OWN_LIST, [])


def git_root(path: str) -> str | None:
    """Return the folder above `path` that is the top of a working tree, if there is one."""
    folder = os.path.dirname(path)
    while True:
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def is_below(path: str, folder: str) -> bool:
    """Tell whether one absolute path is in the folder at another."""
    return path.startswith(folder if folder.endswith("/") else folder + "/")


def _ignored(
    path: str,
    top: str,
    name: str,
    others: Sequence[tuple[Pattern, ...]],
    leads_to_folder: bool = False,
) -> bool:
    names = os.path.relpath(path, top).split("/")
    folders = list(accumulate(names[:-1], os.path.join, initial=top))
    lists = [(n, _list(os.path.join(folder, name))) for n, folder in enumerate(folders)]
    lists = [(start, own) for start, own in reversed(lists) if own]
    if not any([*lists, *others]):
        return False
    for end in range(1, len(names) + 1):
        is_folder, says = leads_to_folder or end < len(names), None
        for start, own in lists:
            if says is None and start < end:
                says = verdict(own, names[start:end], is_folder)
        for other in others:
            if says is None:
                says = verdict(other, names[:end], is_folder)
        if says:
            return True
    return False


def _lists_beside(top: str) -> list[str]:
    """Return the lists of a working tree that are not in it, the first before the others."""
    git = os.path.join(top, ".git")
    if not os.path.isdir(git):  # a worktree or submodule: a file that says where it is
        text = read_text(git, _LARGEST) or ""
        git = os.path.join(top, text.removeprefix("gitdir:").strip())
        git = os.path.join(git, (read_text(os.path.join(git, "commondir"), _LARGEST) or "").strip())
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return [os.path.join(git, "info", "exclude"), os.path.join(config, "git", "ignore")]


def _list(path: str) -> tuple[Pattern, ...]:
    stamp = stamp_of(path)
    return () if stamp is None else _read(path, stamp)


@lru_cache(512)
def _read(path: str, stamp: Stamp) -> tuple[Pattern, ...]:
    text = read_text(path, _LARGEST)
    # What cannot be read leaves out everything.
    return patterns(["*"] if text is None else (line.rstrip("\r") for line in text.split("\n")))
