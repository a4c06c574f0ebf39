"""The editor's process, whose end is ours."""

import asyncio

_PERIOD = 2.0  # seconds


async def parent_gone(process_id: int) -> None:
    """
    Return when the process has ended: also as a zombie, or when another one has its number.

    Its pipe may stay open: any child that inherited it keeps it so.
    """
    import psutil

    try:
        parent = psutil.Process(process_id)
        # There is no event for this that macOS has, too
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(_PERIOD)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:  # it lives, and we may not look at it
        await asyncio.Event().wait()
