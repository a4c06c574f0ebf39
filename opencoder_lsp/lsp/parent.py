"""The editor's process, whose end is ours."""

import asyncio
import logging

log = logging.getLogger(__name__)

_PERIOD = 2.0  # seconds


async def parent_gone(process_id: int) -> None:
    """
    Return when the process has ended: also as a zombie, or when another one has its number.

    Its pipe may stay open: any child that inherited it keeps it so. Never returns where we may not
    look at the process, nor for a number that none can have.
    """
    import psutil

    parent: psutil.Process | None = None
    while True:
        try:
            parent = parent or psutil.Process(process_id)
            if not parent.is_running() or parent.status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        except (psutil.AccessDenied, ValueError):
            await asyncio.Event().wait()
        except OSError as error:  # such as no file handles left; that passes
            log.info("cannot look at the editor's process: %s", error.strerror)
        # There is no event for this that macOS has, too.
        await asyncio.sleep(_PERIOD)
