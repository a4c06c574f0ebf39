"""Which peers are found, and how each is started, spoken to and ended."""

import asyncio
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.errors import EngineError
from tests.benchmarks import peers
from tests.benchmarks.peers import BATCHING, GENERATE, LLAMA, PEERS, VLLM, Missing, Peer

MODEL = Path("/models/demo")


def found(environment: dict[str, str], name: str) -> Peer | Missing:
    """Return one of the peers of an environment."""
    return next(peer for peer in peers.find(environment, MODEL, 3) if peer.name == name)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file that can be run, called llama-server."""
    file = tmp_path / "llama-server"
    file.write_text("#!/bin/sh\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_every_peer_is_there_or_said_to_be_missing_with_what_to_set() -> None:
    everybody = peers.find({"PATH": "/nowhere"}, MODEL, 2)
    assert tuple(peer.name for peer in everybody) == PEERS
    missing = {peer.name: peer.reason for peer in everybody if isinstance(peer, Missing)}
    assert missing.keys() == {LLAMA, VLLM}
    assert "OPENCODER_BENCH_LLAMA_SERVER" in missing[LLAMA]
    assert "OPENCODER_BENCH_VLLM" in missing[VLLM]


def test_llama_server_is_taken_from_the_path_or_as_it_is_named(program: Path) -> None:
    weights = {"OPENCODER_BENCH_GGUF": str(program)}
    for where in (
        {"PATH": str(program.parent)},
        {"PATH": "/nowhere", "OPENCODER_BENCH_LLAMA_SERVER": str(program)},
    ):
        peer = found(weights | where, LLAMA)
        assert isinstance(peer, Peer)
        assert peer.command[:3] == [str(program), "-m", str(program)]
        assert peer.command[peer.command.index("-t") + 1] == "3"
        assert peer.body["cache_prompt"] is True


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"OPENCODER_BENCH_LLAMA_SERVER": "/no/such"}, "/no/such is no program"),
        ({}, "OPENCODER_BENCH_GGUF is not set"),
        ({"OPENCODER_BENCH_GGUF": "/no/such"}, "/no/such is no file"),
    ],
)
def test_llama_server_without_program_or_weights_is_missing(
    program: Path, environment: dict[str, str], says: str
) -> None:
    peer = found({"PATH": str(program.parent)} | environment, LLAMA)
    assert isinstance(peer, Missing)
    assert says in peer.reason


def test_vllm_runs_in_the_python_that_is_named_on_as_many_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {5, 2, 7, 9}, raising=False)
    peer = found({"OPENCODER_BENCH_VLLM": sys.executable}, VLLM)
    assert isinstance(peer, Peer)
    assert peer.command[0] == sys.executable
    assert str(MODEL) in peer.command
    assert peer.environment["VLLM_CPU_OMP_THREADS_BIND"] == "2,5,7"
    gone = found({"OPENCODER_BENCH_VLLM": "/no/such/python"}, VLLM)
    assert isinstance(gone, Missing)
    assert "/no/such/python" in gone.reason


def script(code: str, **more: Any) -> Peer:
    """Make a peer of some Python code."""
    return Peer(name="scripted", command=[sys.executable, "-c", code], **more)


async def test_a_server_that_ends_at_once_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(EngineError, match="did not start; its log is"):
        async with peers.running(script("import sys; sys.exit('no weights')"), log):
            pass
    assert "no weights" in log.read_text(encoding="utf-8")


PIPE = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "leave" in asked:
        continue
    print(json.dumps({"id": asked["id"]}), flush=True)
    tokens = asked["tokens"] - (asked["prompt"] == [13])
    print(json.dumps({"id": asked["id"], "tokens": tokens}), flush=True)
    if asked["prompt"] == [0]:
        break
"""


async def test_a_process_behind_a_pipe_answers_is_left_and_ends(tmp_path: Path) -> None:
    async with peers.running(script(PIPE, protocol="pipe"), tmp_path / "log") as target:
        timing = await target.ask([1, 2], 5)
        assert (timing.tokens, timing.total >= timing.first > 0) == (5, True)
        assert (await target.ask([1], 5, leave=True)).tokens == 1
        both = await asyncio.gather(target.ask([3], 7), target.ask([4], 8))
        assert [timing.tokens for timing in both] == [7, 8]
        with pytest.raises(EngineError, match="made 12 tokens instead of 13"):
            await target.ask([13], 13)


async def test_a_process_behind_a_pipe_that_ends_is_an_error_of_whatever_is_asked_then(
    tmp_path: Path,
) -> None:
    async with peers.running(script(PIPE, protocol="pipe"), tmp_path / "log") as target:
        await target.ask([0], 1)
        for _ in range(20):  # while it ends, and when it has: the pipe takes no more
            with pytest.raises(EngineError, match="process ended"):
                await target.ask([1], 1)


@pytest.mark.parametrize("name", [GENERATE, BATCHING])
async def test_transformers_generates_what_is_asked_for(
    roomy_model: Path, tmp_path: Path, name: str
) -> None:
    peer = next(one for one in peers.find({}, roomy_model, 1) if one.name == name)
    assert isinstance(peer, Peer)
    async with peers.running(peer, tmp_path / "log") as target:
        timing = await target.ask(list(range(10, 30)), 6)
        assert timing.tokens == 6
        assert timing.total > timing.first > 0
        if target.concurrent:
            prompts = ([number] * 9 for number in range(5, 8))
            answers = await asyncio.gather(*(target.ask(prompt, 4) for prompt in prompts))
            assert [answer.tokens for answer in answers] == [4, 4, 4]
            assert (await target.ask([7] * 20, 50, leave=True)).tokens == 1
