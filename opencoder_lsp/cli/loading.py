"""A session that shows a spinner while the model loads."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from opencoder_lsp.cli.session import Session
from opencoder_lsp.cli.terminal import errors


@asynccontextmanager
async def ready_session(
    pairs: Sequence[str], folders: Sequence[Path] = ()
) -> AsyncIterator[Session]:
    """
    Start the language server and wait for its model, with a status line on standard error.

    `pairs` are settings as for `--set`, `folders` the workspace's.
    """
    with errors.status("starting the language server") as line:

        def show(message: str, percent: int | None) -> None:
            line.update(f"{message or 'loading the model'}{f' {percent} %' if percent else ''}")

        session = Session(pairs, folders=folders, on_loading=show)
        await session.__aenter__()
        try:
            await session.ready()
        except BaseException:
            await session.__aexit__(None, None, None)
            raise
    try:
        yield session
    finally:
        await session.__aexit__(None, None, None)
