"""Commands that are run for what they write."""

import subprocess
import sys

import psutil
import pytest

from opencoder_lsp.models.command import running

FOR_EVER = "print('up', flush=True); import threading; threading.Event().wait()"


def test_lines_and_exit_code_are_passed_on() -> None:
    code = "import sys; sys.stdout.buffer.write(b'caf\\xc3\\xa9\\nb\\xff\\n'); sys.exit(7)"
    with running([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert list(process.stdout) == ["café\n", "b\ufffd\n"]
        assert process.wait() == 7


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, ValueError])
def test_leaving_by_an_exception_ends_the_process(leaving: type[BaseException]) -> None:
    processes: list[subprocess.Popen[str]] = []

    def leave() -> None:
        with running([sys.executable, "-c", FOR_EVER], stderr=subprocess.DEVNULL) as process:
            processes.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            raise leaving

    with pytest.raises(leaving):
        leave()
    (process,) = processes
    assert not psutil.pid_exists(process.pid)
    assert process.stdout is not None
    assert process.stdout.closed
