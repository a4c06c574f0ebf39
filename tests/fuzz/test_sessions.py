"""Whole sessions: what was kept first, then those of a seed, in this process and in others."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder
from tests.fuzz.case import Case, kept
from tests.fuzz.generator import Generator
from tests.fuzz.player import Player, Wrong
from tests.fuzz.servers import as_process, in_process
from tests.fuzz.shrinking import shrunk
from tests.loads.figures import Figures
from tests.loads.scale import SCALE, SEED

Play = Callable[[Case], Awaitable[float]]  # returns the seconds of the longest wait


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without weights."""
    return make_tokenizer_folder(tmp_path_factory.mktemp("model") / "fuzz", name="fuzz")


@pytest.fixture
def play_here(folder: Path, _own_home: Path) -> Play:
    """Play a session to a server in this process."""

    async def play(case: Case) -> float:
        async with FakeEngine(_own_home / "s") as engine:
            settings = Settings.load(cli=[f"engine.url={engine.url}", f"model.name={folder}"])
            async with in_process(settings) as server:
                player = Player(
                    server.reader, server.writer, engine, SCALE.hang_seconds, server.documents
                )
                await player.play(case, server.exited)
                await player.close()
                return player.longest

    return play


@pytest.fixture
def play_there(folder: Path, _own_home: Path) -> Play:
    """Play a session to a server process."""

    async def play(case: Case) -> float:
        async with FakeEngine(_own_home / "s") as engine:
            ours = {"OPENCODER_ENGINE_URL": engine.url, "OPENCODER_MODEL_NAME": str(folder)}
            async with as_process({**os.environ, **ours}) as server:
                player = Player(server.reader, server.writer, engine, SCALE.hang_seconds)
                await player.play(case, server.exited)
                await player.close()
                return player.longest

    return play


async def problem_of(play: Play, case: Case) -> str:
    """Play a session and return the problem, "" where all goes well."""
    try:
        await play(case)
    except Wrong as problem:
        return str(problem)
    return ""


async def fuzz(play: Play, seconds: float, seed: int) -> tuple[int, float]:
    """
    Play sessions for a while; return how many, and the longest wait for an answer.

    One that fails is cut down and kept.
    """
    longest, end = 0.0, time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > end:
            return number, longest
        case = Generator(seed + number).case()
        try:
            longest = max(longest, await play(case))
        except Wrong as problem:
            kind, _, details = str(problem).partition("\n")

            async def fails(shorter: Case, kind: str = kind) -> bool:
                return (await problem_of(play, shorter)).partition("\n")[0] == kind

            path = (await shrunk(case, fails)).save(kind)
            pytest.fail(f"seed {seed + number}: {kind}; kept as {path}\n{details}")
    raise AssertionError


@pytest.mark.parametrize("path", kept(), ids=lambda path: path.stem)
async def test_what_went_wrong_once_goes_well(path: Path, play_here: Play) -> None:
    assert await problem_of(play_here, Case.load(path)) == ""


@pytest.mark.timeout(SCALE.fuzz_seconds + 120)
async def test_sessions_in_this_process_go_well(play_here: Play, figures: Figures) -> None:
    count, longest = await fuzz(play_here, SCALE.fuzz_seconds, SEED)
    note(figures, "sessions", count, longest)


@pytest.mark.timeout(SCALE.fuzz_seconds + 120)
async def test_sessions_with_a_server_process_go_well(play_there: Play, figures: Figures) -> None:
    count, longest = await fuzz(play_there, SCALE.fuzz_seconds, SEED + 1_000_000)
    note(figures, "sessions with a process", count, longest)


def note(figures: Figures, what: str, count: int, longest: float) -> None:
    figures.add("L15", f"{what} in {SCALE.fuzz_seconds:g} s", f"{count} without a mistake")
    wait = f"{longest * 1e3:.0f} ms"
    figures.add("L15", f"{what}: longest wait for an answer", wait, "< 2 s")
