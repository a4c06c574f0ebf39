"""`opencoder-lsp bench quality`: the command, through the real language server."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from opencoder_lsp.bench.holes import Hole, cut
from opencoder_lsp.bench.modes import Mode
from opencoder_lsp.bench.quality import Measurement, Server
from opencoder_lsp.bench.results import Results
from opencoder_lsp.bench.sources import Source, of_folder
from opencoder_lsp.bench.verdict import Suggestion
from opencoder_lsp.errors import EngineError
from opencoder_lsp.models import registry
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder

FILES = {
    "shop/prices.py": "def total(items):\n    return sum(item.price for item in items)\n",
    "shop/report.py": "from shop.prices import total\n\n\n"
    "def report(items):\n    amount = total(items)\n    print(amount)\n    return amount\n",
}
_PATIENCE = 60.0


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of code."""
    folder = tmp_path / "code"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder without weights."""
    return make_tokenizer_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """The engine that is asked."""
    async with FakeEngine(tmp_path / "e.sock", default="items\n") as engine:
        yield engine


async def start(
    *arguments: str | Path, environment: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opencoder_lsp", "bench", "quality", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {}), "COLUMNS": "200"},
    )


async def bench(*arguments: str | Path, code: int = 0, **how: Any) -> tuple[str, str]:
    process = await start(*arguments, **how)
    out, err = await process.communicate()
    assert process.returncode == code, out.decode() + err.decode()
    return out.decode(), err.decode()


def at(fake: FakeEngine, model: Path) -> list[str]:
    return ["--set", f"engine.url={fake.url}", "--set", f"model.name={model}"]


async def test_the_command_compares_modes_and_leaves_the_code_as_it_is(
    fake: FakeEngine, model: Path, code: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    modes = "--modes=prefix+healing,template+healing"
    out, _ = await bench(code, "--holes=4", modes, "--json", file, *at(fake, model))
    assert "4 holes, 2 of them inside identifiers, in code" in out
    assert "template+healing − prefix+healing" in out
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["figures"]["modes"].keys() == {"prefix", "prefix+healing", "template+healing"}
    for own in data["figures"]["modes"].values():
        assert (own["holes"], own["shown"]) == (4, 1.0)
        assert own["likelihood"] < 0
        assert own["computed"] is None  # the engine is not the benchmark's own
    assert {result["text"] for result in data["results"]} == {"items"}
    assert of_folder(code, (".py",)).files == FILES


async def test_prompts_hold_the_code_before_the_hole_and_not_what_was_taken(
    fake: FakeEngine, model: Path, code: Path
) -> None:
    await bench(code, "--holes=4", "--modes=prefix", *at(fake, model))
    tokenizer = Tokenizer.load(model)
    asked = [body for body in fake.requests if "logit_bias" not in body]
    holes = cut([of_folder(code, (".py",))], 4, 7)
    assert [tokenizer.decode(body["prompt"]) for body in asked] == [hole.prefix for hole in holes]
    assert all(body.get("forced_prefix", "") == "" for body in asked)


async def test_the_length_of_prompts_does_not_depend_on_how_fast_the_engine_is(
    model: Path, code: Path, tmp_path: Path
) -> None:
    (code / "shop" / "report.py").write_text("# what is far\n" * 300 + FILES["shop/report.py"])
    (code / "shop" / "prices.py").unlink()
    async with FakeEngine(tmp_path / "slow.sock", prompt_tokens_auto=256) as slow:
        await bench(code, "--holes=1", "--modes=prefix", *at(slow, model))
        usual = len(slow.requests[0]["prompt"])
        pair = "completion.prompt_tokens=400"
        await bench(code, "--holes=1", "--modes=prefix", "--set", pair, *at(slow, model))
        (asked,) = [body for body in slow.requests if "logit_bias" not in body][1:]
    assert 400 < usual <= 1024
    assert 256 < len(asked["prompt"]) <= 400


async def test_a_run_goes_on_where_it_was_and_asks_nothing_twice(
    fake: FakeEngine, model: Path, code: Path, tmp_path: Path
) -> None:
    where: list[str | Path] = [code, "--holes=3", "--json", tmp_path / "run.json", *at(fake, model)]
    await bench(*where, "--modes=prefix")
    asked = len(fake.requests)
    out, _ = await bench(*where, "--modes=prefix")
    assert len(fake.requests) == asked
    assert "3 holes" in out
    await bench(*where, "--modes=prefix+healing")
    data = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert [result["mode"] for result in data["results"]] == ["prefix"] * 3 + ["prefix+healing"] * 3


async def test_ctrl_c_prints_and_keeps_what_there_is(
    fake: FakeEngine, model: Path, code: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    process = await start(
        *(code, "--holes=6", "--modes=prefix+healing", "--json", file), *at(fake, model)
    )
    async with asyncio.timeout(_PATIENCE):
        # Each answer is followed by those that score it; by the third, the first is complete.
        await fake.until(lambda: sum("logit_bias" not in body for body in fake.requests) >= 3)
    fake.hold()
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 130, err.decode()
    assert "6 holes" in out.decode()
    assert "Traceback" not in err.decode()
    kept = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert 2 <= len(kept) < 12


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["--modes=clever"], 2, "'clever' is no mode"),
        (["--kind=odd"], 2, "odd"),
        (["/nowhere/at/all"], 1, "/nowhere/at/all is not a folder"),
        (["--packages=no such thing"], 1, "is not the name of a package"),
    ],
)
async def test_what_cannot_be_measured_is_an_error(
    fake: FakeEngine, model: Path, arguments: list[str], exit_code: int, says: str
) -> None:
    _, err = await bench(*arguments, *at(fake, model), code=exit_code)
    assert says in err


async def test_code_without_a_line_for_a_hole_is_an_error(
    fake: FakeEngine, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.py").write_text("# nothing\n", encoding="utf-8")
    _, err = await bench(tmp_path / "empty", *at(fake, model), code=1)
    assert "no line of code in which a hole could be cut" in err


class _Watching:
    """A language server that looks at the disk, and suggests what it finds there."""

    def __init__(self, fail_at: int = 0) -> None:
        self._fail_at = fail_at
        self.seen: list[tuple[Path, str, str]] = []
        self.folders: Sequence[Path] = ()
        self.pairs: list[Sequence[str]] = []

    @asynccontextmanager
    async def start(self, pairs: Sequence[str], folders: Sequence[Path]) -> AsyncIterator[Server]:
        self.pairs.append(pairs)
        self.folders = folders
        yield self

    async def suggestion(
        self, path: Path, text: str, place: tuple[int, int]
    ) -> tuple[Suggestion | None, float]:
        on_disk = dict(of_folder(self.folders[0], (".py",)).files)
        self.seen.append((path, text, on_disk.pop(str(path.relative_to(self.folders[0])))))
        assert on_disk.items() <= FILES.items()
        if len(self.seen) == self._fail_at:
            raise EngineError("the language server ended")
        return None, 0.5


def measurement(
    server: _Watching,
    holes: Sequence[Hole],
    source: Source,
    model: Path,
    url: str,
    file: Path | None = None,
) -> tuple[Measurement, Results]:
    settings = Settings.load(cli=[f"engine.url={url}", f"model.name={model}"])
    results = Results(file, {})
    modes = [Mode.parse("prefix"), Mode.parse("template+context")]
    found = registry.resolve(settings)
    run = Measurement(
        settings, found, [source], holes, modes, results, server.start, lambda *_: None
    )
    return run, results


async def test_the_file_on_disk_has_the_hole_while_it_is_asked_about(
    fake: FakeEngine, model: Path, code: Path
) -> None:
    source = of_folder(code, (".py",))
    holes = cut([source], 4, 7)
    server = _Watching()
    run, results = measurement(server, holes, source, model, fake.url)
    await run.run()
    assert len(server.seen) == 8
    for (path, text, on_disk), hole in zip(server.seen, [*holes, *holes], strict=True):
        assert on_disk == text == hole.holed
        assert path.is_relative_to(server.folders[0])
        assert path.as_posix().endswith(hole.path)
    assert not server.folders[0].exists()
    assert [result.likelihood for result in results] == [None] * 8  # no engine was asked
    assert [result.shown for result in results] == [False] * 8


async def test_a_run_that_fails_keeps_what_it_has(
    fake: FakeEngine, model: Path, code: Path, tmp_path: Path
) -> None:
    source, file = of_folder(code, (".py",)), tmp_path / "run.json"
    holes = cut([source], 4, 7)
    run, _ = measurement(_Watching(fail_at=3), holes, source, model, fake.url, file)
    with pytest.raises(EngineError, match="the language server ended"):
        await run.run()
    server = _Watching()
    again, results = measurement(server, holes, source, model, fake.url, file)
    await again.run()
    assert len(server.seen) == 8 - 2
    assert len(results) == 8


async def test_each_mode_has_a_server_of_its_own_at_the_tap(
    fake: FakeEngine, model: Path, code: Path
) -> None:
    source = of_folder(code, (".py",))
    server = _Watching()
    run, _ = measurement(server, cut([source], 1, 7), source, model, fake.url)
    await run.run()
    prompts = [[pair for pair in pairs if "prompt=" in pair] for pairs in server.pairs]
    assert prompts == [["completion.prompt=prefix"], ["completion.prompt=template"]]
    for pairs in server.pairs:
        assert pairs[0].startswith("engine.url=unix:")
        assert pairs[0] != f"engine.url={fake.url}"


@pytest.mark.timeout(400)
async def test_with_the_real_model_everything_is_measured(
    demo_environment: dict[str, str], code: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    arguments = ["--holes=2", "--modes=prefix+healing", "--json", str(file)]
    out, _ = await bench(code, *arguments, environment=demo_environment)
    assert "demo: 2 holes" in out
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]["modes"]
    for own in figures.values():
        assert own["computed"] > own["generated"] > 0
        assert own["likelihood"] < 0
        assert own["p50"] > 0
