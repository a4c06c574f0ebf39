"""A fault is looked at where a user would see it: with the protocol's and the client's fixtures."""

from tests.client.conftest import engines, short
from tests.protocol.conftest import (
    command,
    editor,
    engine,
    env,
    fake,
    foreign,
    home,
    raw,
    start,
    tokenizer_folder,
)

__all__ = [
    "command",
    "editor",
    "engine",
    "engines",
    "env",
    "fake",
    "foreign",
    "home",
    "raw",
    "short",
    "start",
    "tokenizer_folder",
]
