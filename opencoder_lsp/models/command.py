"""Running a command for what it writes."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import IO


@contextlib.contextmanager
def running(
    command: Sequence[str], *, stderr: int | IO[bytes], env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """
    Run `command`, without input, while the block reads its `stdout` and waits for its end.

    A process that the block leaves behind, as by an exception, is killed. Raises OSError where
    it cannot be started.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=env,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait()  # behind Ctrl+C, `Popen` itself would wait for a moment only
