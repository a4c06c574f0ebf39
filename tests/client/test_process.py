"""Who holds the engine's lock, and ending that process."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from opencoder_lsp import paths
from opencoder_lsp.cli import engine as cli
from opencoder_lsp.client.crashes import Crashes
from opencoder_lsp.client.process import (
    EngineProcess,
    StartLock,
    check_owner,
    running_engine,
    running_engines,
    socket_path,
    stop_engine,
)
from opencoder_lsp.client.roles import ROLES, for_role
from opencoder_lsp.errors import EngineUnavailableError, ModelError, OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.paths import lock_path
from opencoder_lsp.settings import Settings
from tests.fakes.model_folder import make_tokenizer_folder

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); "
HEARING = "print('up', flush=True); "


@contextmanager
def process(code: str) -> Iterator[EngineProcess]:
    """Run a process that waits for its end, and describe it as an engine."""
    command = [sys.executable, "-c", code + "import threading; threading.Event().wait()"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        try:
            assert child.stdout.readline() == "up\n"
            yield EngineProcess(child.pid, psutil.Process(child.pid).create_time(), "", "", "")
        finally:
            child.kill()


@contextmanager
def locked(path: Path, record: object) -> Iterator[None]:
    """Hold the lock of this socket with `record` in it."""
    with lock_path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(record if isinstance(record, str) else json.dumps(record))
        file.flush()
        yield


def own_record(**changes: object) -> dict[str, object]:
    started = psutil.Process().create_time()
    own = {"pid": os.getpid(), "started": started, "version": "1", "model": "m", "folder": "/f"}
    return {**own, **changes}


def test_the_holder_of_the_lock_is_the_engine(tmp_path: Path) -> None:
    with locked(tmp_path / "s", own_record()):
        engine = running_engine(tmp_path / "s")
    assert engine is not None
    assert (engine.pid, engine.model, engine.folder) == (os.getpid(), "m", "/f")


def test_without_a_lock_file_there_is_no_engine(tmp_path: Path) -> None:
    assert running_engine(tmp_path / "s") is None


@pytest.mark.fault("F58")
def test_a_lock_file_that_nobody_holds_is_no_engine(tmp_path: Path) -> None:
    lock_path(tmp_path / "s").write_text(json.dumps(own_record()))
    assert running_engine(tmp_path / "s") is None


@pytest.mark.fault("F58")
def test_a_pid_that_has_got_another_program_is_no_engine(tmp_path: Path) -> None:
    with locked(tmp_path / "s", own_record(started=1.0)):
        assert running_engine(tmp_path / "s") is None


@pytest.mark.fault("F58")
@pytest.mark.parametrize("record", ["", '{"pid": 1', "[]", '{"pid": "x"}', '{"pid": 4194305}'])
def test_a_half_written_record_is_no_engine_yet(tmp_path: Path, record: str) -> None:
    with locked(tmp_path / "s", record):
        assert running_engine(tmp_path / "s") is None


def test_looking_at_the_lock_leaves_it_free(tmp_path: Path) -> None:
    lock_path(tmp_path / "s").touch()
    assert running_engine(tmp_path / "s") is None
    with lock_path(tmp_path / "s").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def old_engine(
    model: str = "old[bold]", version: str = "0.0", socket: Path | None = None
) -> Iterator[EngineProcess]:
    """Run what stands in our runtime folder as the engine of another model and version."""
    socket = socket or paths.private(paths.runtime()) / f"engine-{version}.sock"
    with process(HEARING) as engine:
        record = {"pid": engine.pid, "started": engine.started, "version": version, "model": model}
        with locked(socket, record):
            yield engine


def test_engines_of_all_models_and_versions_are_found_the_oldest_first() -> None:
    assert running_engines() == {}
    with old_engine("b", "1") as older, old_engine("a", "0") as newer:
        lock_path(paths.runtime() / "engine-2.sock").write_text(json.dumps(own_record()))
        found = running_engines()
        assert [socket.name for socket in found] == ["engine-1.sock", "engine-0.sock"]
        assert [engine.pid for engine in found.values()] == [older.pid, newer.pid]
        assert [engine.model for engine in found.values()] == ["b", "a"]


@pytest.mark.fault("F59")
def test_records_in_a_folder_that_is_not_ours_are_not_believed(tmp_path: Path) -> None:
    with old_engine():
        paths.runtime().rename(tmp_path / "elsewhere")
        paths.runtime().symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OpencoderError, match="not a folder of this user's own"):
            running_engines()


NOWHERE = Settings.load(cli=["engine.url=unix:/no[where]/s"])


def test_status_names_engines_of_other_models(capsys: pytest.CaptureFixture[str]) -> None:
    with old_engine() as engine:
        assert cli.show_status(NOWHERE, as_json=False) == 1
        said = capsys.readouterr().out
        assert "/no[where]/s" in said
        assert f"of old[bold], version 0.0 (process {engine.pid})" in said
        assert cli.show_status(NOWHERE, as_json=True) == 1
        (other,) = json.loads(capsys.readouterr().out)["others"]
        assert other["running"] is False
        assert (other["process"]["pid"], other["process"]["version"]) == (engine.pid, "0.0")
        assert other["memory"] > 1_000_000
        assert other["uptime"] >= 0


def test_status_without_a_model_names_the_engines_that_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with old_engine() as engine:
        with pytest.raises(ModelError, match="models pull"):
            cli.show_status(Settings(), as_json=False)
        assert f"(process {engine.pid})" in capsys.readouterr().out


def test_the_engine_that_the_settings_mean_is_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with old_engine():
        (socket,) = running_engines()
        cli.show_status(Settings.load(cli=[f"engine.url=unix:{socket}"]), as_json=True)
        assert json.loads(capsys.readouterr().out)["others"] == []


def test_stopping_everything_ends_engines_of_other_models(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with old_engine("a", "0") as first, old_engine("b", "1") as second:
        assert cli.stop(Settings(), everything=True) == 0
        said = capsys.readouterr().out
        for engine in (first, second):
            assert psutil.Process(engine.pid).status() == psutil.STATUS_ZOMBIE
            assert f"(process {engine.pid})" in said
    assert cli.stop(Settings(), everything=True) == 1
    assert "no engine is running" in capsys.readouterr().out


def test_stopping_ends_each_roles_engine_and_none_that_is_elsewhere_or_anothers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    coder, talker = (make_tokenizer_folder(tmp_path / name, weights=True) for name in "ab")
    settings = Settings.load(cli=[f"completion.model={coder}", f"chat.model={talker}"])
    sockets = [socket_path(registry.resolve(for_role(settings, role))) for role in ROLES]
    first, second = (old_engine(socket=socket) for socket in sockets)
    with first as one, second as two, old_engine() as other:
        assert cli.stop(settings) == 0
        said = capsys.readouterr().out
        assert f"another engine runs, of old[bold], version 0.0 (process {other.pid})" in said
        socket = next(at for at, engine in running_engines().items() if engine.pid == other.pid)
        assert cli.stop(Settings.load(cli=[f"engine.url=unix:{socket}"])) == 1
        assert f"the engine at unix:{socket} is not ours to stop" in capsys.readouterr().out
        states = [psutil.Process(engine.pid).status() for engine in (one, two, other)]
        assert [state == psutil.STATUS_ZOMBIE for state in states] == [True, True, False]


def test_an_engine_ends_when_asked() -> None:
    with process(HEARING) as engine:
        stop_engine(engine)
        assert psutil.Process(engine.pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.fault("F54")
def test_an_engine_that_does_not_listen_is_killed() -> None:
    with process(DEAF) as engine:
        stop_engine(engine, patience=0.1)
        assert psutil.Process(engine.pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.fault("F58")
def test_another_process_of_the_same_pid_is_left_alone() -> None:
    with process(HEARING) as engine:
        stop_engine(EngineProcess(engine.pid, engine.started - 60, "", "", ""))
        assert psutil.Process(engine.pid).status() != psutil.STATUS_ZOMBIE


def test_ending_a_process_that_is_gone_is_fine() -> None:
    with process(HEARING) as engine:
        pass
    stop_engine(engine)


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    lock_path(tmp_path / "s").mkdir()
    with pytest.raises(EngineUnavailableError, match=r"cannot read .*s\.lock \(Is a directory\)"):
        running_engine(tmp_path / "s")


def test_a_socket_of_our_own_or_of_nobody_is_connected_to(tmp_path: Path) -> None:
    check_owner(tmp_path / "s")
    (tmp_path / "s").touch()
    check_owner(tmp_path / "s")


@pytest.mark.fault("F59")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_a_socket_of_somebody_else_is_not_connected_to(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    os.chown(tmp_path / "s", 65534, 65534)
    with pytest.raises(EngineUnavailableError, match="belongs to another user; remove it"):
        check_owner(tmp_path / "s")


@pytest.mark.fault("F57")
def test_only_one_front_holds_the_start_lock(tmp_path: Path) -> None:
    with StartLock(tmp_path / "s").held() as first, StartLock(tmp_path / "s").held() as second:
        assert (first, second) == (True, False)
    with StartLock(tmp_path / "s").held() as third:
        assert third


@pytest.mark.fault("F56")
def test_starts_wait_longer_after_each_crash() -> None:
    now = 100.0
    crashes = Crashes(clock=lambda: now)
    assert crashes.wait() == 0
    crashes.note("it fell")
    assert crashes.wait() == 1
    crashes.note("it fell")
    assert crashes.wait() == 2
    now += 1.5
    assert crashes.wait() == 0.5
    assert not crashes.given_up


@pytest.mark.fault("F56")
def test_three_crashes_within_a_minute_end_the_trying_for_good() -> None:
    now = 100.0
    crashes = Crashes(clock=lambda: now)
    for _ in range(3):
        crashes.note("it fell")
        now += 20
    assert (crashes.given_up, crashes.reason) == (True, "it fell")
    now += 3600
    assert crashes.given_up
    crashes.forget()
    assert (crashes.given_up, crashes.wait()) == (False, 0)


def test_after_giving_up_a_crash_of_an_engine_that_others_have_started_counts_anew() -> None:
    now = 100.0
    crashes = Crashes(clock=lambda: now)
    for _ in range(4):
        crashes.note("it fell")
        now += 10
    assert crashes.given_up
    now += 60
    crashes.note("it fell")
    assert (crashes.given_up, crashes.wait()) == (False, 1)


def test_rare_crashes_are_forgotten() -> None:
    now = 100.0
    crashes = Crashes(clock=lambda: now)
    for _ in range(10):
        crashes.note("it fell")
        assert crashes.wait() <= 2
        now += 40
    assert not crashes.given_up
