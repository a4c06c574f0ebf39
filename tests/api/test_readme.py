"""The README's examples of the API, as they stand there."""

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.api.process import ServeProcess
from tests.fakes.engine import FakeEngine

README = Path(__file__).parents[2] / "README.md"


def example(language: str, process: ServeProcess) -> str:
    """Return the section's only code block of a language, for the port of a process."""
    text = README.read_text(encoding="utf-8")
    section = text.partition("## As an API")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert "127.0.0.1:18888" in block
    return str(block).replace("18888", str(process.port))


async def output(*command: str) -> str:
    """Run a program that ends well and return what it prints."""
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, err = await program.communicate()
    assert program.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
async def test_curl_gets_an_answer(process: ServeProcess, fake: FakeEngine) -> None:
    fake.answer("Swap its ends.")
    answer = json.loads(await output("sh", "-c", example("sh", process)))
    assert answer["choices"][0]["message"]["content"] == "Swap its ends."


async def test_the_official_client_streams_an_answer(
    process: ServeProcess, fake: FakeEngine
) -> None:
    fake.answer("A monoid in the category of endofunctors.")
    printed = await output(sys.executable, "-c", example("python", process))
    assert printed == "A monoid in the category of endofunctors."
