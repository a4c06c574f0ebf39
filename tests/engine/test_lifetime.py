"""Lock, socket and leases."""

import asyncio
import json
import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from opencoder_lsp import paths
from opencoder_lsp.engine.lifetime import (
    AlreadyRunningError,
    Lifetime,
    UnwritableError,
    bound_socket,
    lock,
    private_folder,
)
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.paths import lock_path
from tests.fakes.runner import WAIT


@pytest.mark.fault("F57")
def test_only_one_can_hold_a_lock(socket_path: Path) -> None:
    with lock(socket_path, {"pid": 1}):
        with pytest.raises(AlreadyRunningError), lock(socket_path, {"pid": 2}):
            pass
        assert json.loads(lock_path(socket_path).read_text()) == {"pid": 1}
    with lock(socket_path, {"pid": 3}):
        assert json.loads(lock_path(socket_path).read_text()) == {"pid": 3}


@pytest.mark.fault("F58")
def test_what_a_lock_file_held_before_is_gone(socket_path: Path) -> None:
    lock_path(socket_path).write_text("x" * 1000)
    with lock(socket_path, {}):
        assert lock_path(socket_path).read_text() == "{}"


@pytest.mark.fault("F62")
def test_a_lock_that_cannot_be_written_is_named(socket_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(UnwritableError, match=str(lock_path(socket_path))):
            lock(socket_path, {"pid": 1}).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with lock(socket_path, {"pid": 2}):  # it was not kept
        pass


def test_the_lock_file_is_for_this_user_alone(socket_path: Path) -> None:
    with lock(socket_path, {}):
        assert stat.S_IMODE(lock_path(socket_path).stat().st_mode) == 0o600


@pytest.mark.fault("S5")
def test_the_socket_is_for_this_user_alone_and_goes_at_the_end(socket_path: Path) -> None:
    before = os.umask(0)
    try:
        with bound_socket(socket_path):
            assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
            assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert not socket_path.exists()


@pytest.mark.fault("F58")
def test_a_stale_socket_is_replaced(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_path))
    with bound_socket(socket_path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path))


@pytest.mark.fault("F59")
def test_a_path_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpencoderError, match="cannot bind"), bound_socket(tmp_path / ("x" * 120)):
        pass


@pytest.mark.fault("F59")
def test_a_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(OpencoderError, match="chmod 700"):
        private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755  # it is not ours to change


@pytest.mark.fault("F59")
def test_the_runtime_folder_is_made_and_tightened() -> None:
    private_folder(paths.runtime())
    paths.runtime().chmod(0o755)
    private_folder(paths.runtime())
    assert stat.S_IMODE(paths.runtime().stat().st_mode) == 0o700


async def ends(lifetime: Lifetime) -> None:
    async with asyncio.timeout(WAIT):
        await lifetime.until_end()


async def stays(lifetime: Lifetime) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await lifetime.until_end()


async def test_leases_and_requests_keep_it_alive() -> None:
    lifetime = Lifetime(0)
    with lifetime.lease():
        with lifetime.request():
            await stays(lifetime)
        await stays(lifetime)
    await ends(lifetime)


async def test_it_waits_for_its_first_lease_however_short_it_lingers() -> None:
    await stays(Lifetime(0, first=1000))
    await ends(Lifetime(0, first=0.01))


async def test_a_lease_that_comes_while_it_lingers_is_in_time() -> None:
    lifetime = Lifetime(0.15, first=0)
    task = asyncio.create_task(lifetime.until_end())
    await asyncio.sleep(0)
    with lifetime.lease():
        done, _ = await asyncio.wait({task}, timeout=0.4)
        assert not done
    await asyncio.wait_for(task, WAIT)


async def test_a_drain_ends_it_at_once_and_waits_for_requests() -> None:
    lifetime = Lifetime(1000)
    with lifetime.lease():
        lifetime.drain()
        await ends(lifetime)
        await lifetime.until_free(WAIT)
        with lifetime.request():
            waiting = asyncio.create_task(lifetime.until_free(WAIT))
            done, _ = await asyncio.wait({waiting}, timeout=0.05)
            assert not done
        await asyncio.wait_for(waiting, WAIT)


async def test_a_drain_waits_no_longer_than_told_and_not_at_all_when_told_twice() -> None:
    lifetime = Lifetime(1000)
    with lifetime.request():
        await asyncio.wait_for(lifetime.until_free(0.02), WAIT)
        lifetime.drain()
        lifetime.drain()
        await asyncio.wait_for(lifetime.until_free(1000), WAIT)


async def test_without_a_model_it_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opencoder_lsp.engine.lifetime._ERROR_SECONDS", 0.01)
    lifetime = Lifetime(1000)
    with lifetime.lease():
        pass
    lifetime.shorten()
    await ends(lifetime)
