"""Commands as processes: what they print and with which code they end."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opencoder_lsp import __version__
from opencoder_lsp.client.launcher import socket_path
from opencoder_lsp.models import registry
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.checkpoints import make_checkpoint
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder


def command(
    *arguments: str, code: int = 0, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `opencoder-lsp`, check its exit code and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "opencoder_lsp", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {}), "COLUMNS": "300"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_help_names_every_command() -> None:
    text = command("--help").stdout
    names = "lsp demo complete chat explain fix document test refactor models engine bench doctor"
    for name in (*names.split(), "stats"):
        assert f" {name} " in text


def test_the_version_is_printed() -> None:
    assert command("--version").stdout.strip() == f"opencoder-lsp {__version__}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["engine", "status", "--set", "engine.colour=red"], "unknown setting 'engine.colour'"),
        (["complete", "x.py"], "a place is FILE:LINE:COL, counted from 1"),
        (["complete", "x.py:0:1"], "a place is FILE:LINE:COL, counted from 1"),
        (["complete", "x.py:2:00"], "a place is FILE:LINE:COL, counted from 1"),
        (["complete", "x.py:1:1", "--set", "engine.x=1"], "unknown setting 'engine.x'"),
        (["chat", "hello", "--set", "engine.x=1"], "unknown setting 'engine.x'"),
        (["models", "pul"], "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: list[str], says: str) -> None:
    assert says in command(*arguments, code=2).stderr


def test_an_unknown_model_lists_what_is_known() -> None:
    done = command("engine", "status", "--set", "model.name=gpt-5", code=1)
    assert "gpt-5" in done.stderr
    assert "opencoderplus" in done.stderr


def test_completing_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n", encoding="utf-8")
    done = command("complete", f"{file}:1:1", code=1)
    assert "models pull demo" in done.stderr


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("missing.py:1:1", "cannot read"),
        ("a.py:3:1", "has 2 lines, not 3"),
        ("a.py:1:7", "has 6 columns to put a cursor in, not 7"),
        ("b.bin:1:1", "is not UTF-8 text"),
    ],
)
def test_a_place_that_is_not_in_the_file_is_an_error_with_the_numbers(
    tmp_path: Path, place: str, says: str
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00")
    assert says in command("complete", str(tmp_path / place), code=1).stderr


def test_models_list_says_what_is_known_and_what_to_pull() -> None:
    listing = json.loads(command("models", "list", "--json").stdout)
    assert {"demo", "opencoderplus"} <= {row["name"] for row in listing["models"]}
    assert not any(row["pulled"] for row in listing["models"])
    assert "models pull" in listing["choice"]


def test_engine_status_and_stop_say_that_none_runs(demo_environment: dict[str, str]) -> None:
    assert (
        "no engine is running"
        in command("engine", "status", code=1, environment=demo_environment).stdout
    )
    status = command("engine", "status", "--json", code=1, environment=demo_environment)
    assert json.loads(status.stdout)["running"] is False
    assert (
        "no engine is running"
        in command("engine", "stop", code=1, environment=demo_environment).stdout
    )


def test_doctor_without_a_model_is_bad_and_names_the_cure() -> None:
    done = command("doctor", "--json", code=1)
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert findings["model to run"]["state"] == "bad"
    assert "models pull demo" in findings["model to run"]["detail"]
    assert findings["Python"]["state"] == findings["socket folder"]["state"] == "ok"


def test_doctor_with_the_demo_model_finds_everything_well(
    demo_environment: dict[str, str],
) -> None:
    text = command("doctor", environment=demo_environment).stdout
    assert "model to run: demo" in text
    assert {line.split()[0] for line in text.splitlines()} <= {"ok", "note", "→"}


def test_doctor_names_a_damaged_file_of_a_model(
    demo_environment: dict[str, str], demo_home: Path
) -> None:
    models = Path(demo_environment["OPENCODER_HOME"]) / "data" / "models"
    models.unlink()
    (models / "demo").mkdir(parents=True)
    for file in (demo_home / "data" / "models" / "demo").iterdir():
        if file.name != "tokenizer.json":
            shutil.copyfile(file, models / "demo" / file.name)
    text = command("doctor", code=1, environment=demo_environment).stdout
    assert "tokenizer.json" in text
    assert "models pull demo" in text


def test_complete_prints_what_the_demo_model_suggests(
    demo_environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "mean.py"
    file.write_text("def mean(values):\n    return sum(values) / len(", encoding="utf-8")
    done = command("complete", f"{file}:2:30", environment=demo_environment)
    assert done.stdout.startswith("values)")


def test_chat_streams_an_answer_of_the_demo_model(demo_environment: dict[str, str]) -> None:
    arguments = ["chat", "--set", "chat.temperature=0", "--set", "chat.max_tokens=24"]
    done = command(*arguments, "What is the capital of France?", environment=demo_environment)
    assert "Paris" in done.stdout


@pytest.mark.fault("F60")
def test_verify_names_a_file_with_a_flipped_bit_and_ends_with_1(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "model")
    assert "files are as they were pulled" in command("models", "verify", str(model)).stdout
    file = sorted(model.glob("*.safetensors"))[1]
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    assert file.name in command("models", "verify", str(model), code=1).stderr


def test_brackets_in_what_is_printed_stay_as_they_are() -> None:
    text = command("doctor", "--set", "model.name=no[such/model]", code=1).stdout
    assert "no[such/model]" in text


async def chat(fake: FakeEngine, model: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run `chat` on a fake engine and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opencoder_lsp", "chat", *arguments),
        *("--set", f"engine.url={fake.url}", "--set", f"model.name={model}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(stdin)
    assert process.returncode == 0
    return output.decode()


async def test_chat_prints_json_and_reads_its_message_from_standard_input(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        fake.answer("Fine.")
        answer = json.loads(await chat(fake, model, "--json", "-", stdin=b"How are you?"))
        assert (answer["text"], answer["finishReason"]) == ("Fine.", "stop")
        assert "How are you?" in Tokenizer.load(model).decode(fake.requests[0]["prompt"])


async def test_that_the_engine_has_other_settings_is_said_beside_the_answer(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model", weights=True)
    own = ["--set", f"model.name={model}", "--set", "engine.threads=1"]
    settings = Settings.load(cli=own[1::2])
    async with FakeEngine(socket_path(registry.resolve(settings)), settings={"threads": 2}):
        done = await asyncio.to_thread(command, "chat", "hello", *own)
    assert done.stdout == "fake .answer\n"
    assert done.stderr.startswith("OpenCoder: the engine that runs has other settings")
    assert done.stderr.endswith("run: opencoder-lsp engine stop\n")


async def test_ctrl_c_in_an_answer_ends_with_130_and_frees_the_engine(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        fake.pause_after(1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "opencoder_lsp", "chat", "hello"),
            *("--set", f"engine.url={fake.url}", "--set", f"model.name={model}"),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        await fake.paused()
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
        assert process.returncode == 130
        assert b"Traceback" not in said
        await fake.cancelled()


async def test_a_conversation_sends_what_was_said_before(tmp_path: Path) -> None:
    model = make_tokenizer_folder(tmp_path / "model")
    async with FakeEngine(tmp_path / "engine.sock") as fake:
        fake.answer("Hello Zoe.")
        fake.answer("Zoe.")
        spoken = b"My name is Zoe.\nWhat is my name?\n\n"
        assert (await chat(fake, model, stdin=spoken)).count("Zoe.") == 2
        first, second = (Tokenizer.load(model).decode(body["prompt"]) for body in fake.requests)
        assert "What is my name?" not in first
        assert second.index("My name is Zoe.") < second.index("Hello Zoe.")
        assert second.index("Hello Zoe.") < second.index("What is my name?")


def test_the_demo_shows_a_completion_an_explanation_and_timings(
    demo_environment: dict[str, str],
) -> None:
    limit = ["--set", "chat.max_tokens=32", "--set", "completion.max_tokens=16"]
    text = command("demo", *limit, environment=demo_environment).stdout
    assert not any("╯" in line.rstrip()[:-1] for line in text.splitlines())  # each has its lines
    assert "completion at textwrap.py" in text
    assert "explanation of textwrap.py" in text
    assert "ms to the first token" in text
    assert "nothing to suggest" not in text


def test_settings_stand_behind_the_command_or_are_for_the_language_server() -> None:
    says = command("--set", "engine.threads=1", "models", "list", code=2).stderr
    assert "write --set behind the command" in says
    assert "unknown setting 'x'" in command("--set", "x=1", code=2).stderr
