"""`opencoder-lsp bench quality`: how good the suggestions of a model are, as tables and JSON."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types

from opencoder_lsp import paths
from opencoder_lsp.bench import quality_figures, sources
from opencoder_lsp.bench.holes import Kind, cut
from opencoder_lsp.bench.modes import usable
from opencoder_lsp.bench.quality import Measurement, Server, StartServer
from opencoder_lsp.bench.results import Results
from opencoder_lsp.bench.sources import Source
from opencoder_lsp.bench.verdict import Suggestion
from opencoder_lsp.cli.files import language_of
from opencoder_lsp.cli.quality_tables import show
from opencoder_lsp.cli.session import Cursor, Session, inserted
from opencoder_lsp.cli.terminal import console, stage_bars
from opencoder_lsp.client.roles import for_role
from opencoder_lsp.errors import OpencoderError
from opencoder_lsp.models import registry
from opencoder_lsp.prompt.conversation import TEMPLATES
from opencoder_lsp.prompt.languages import LANGUAGES
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import from_process

# Else it is what an engine makes of the load at its start, and two runs could not be compared.
_OWN = ["completion.prompt_tokens=1024"]
_TEXT = {"markdown", "plaintext", "json", "yaml", "toml"}  # in which there is no code to complete


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command was asked for; `packages` and `folders` may be empty."""

    folders: Sequence[Path]
    packages: Sequence[str]
    modes: Sequence[str]
    holes: int
    seed: int
    kind: Kind
    file: Path | None


class _Server:
    """See `Server`: our language server, asked as by somebody who types."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def suggestion(
        self, path: Path, text: str, place: tuple[int, int]
    ) -> tuple[Suggestion | None, float]:
        document = self._session.open(path, language_of(path), text)
        # Who opens a file looks at it before the first key: other files have been read by then.
        while (await self._session.command("opencoder.status", {})).get("gathering"):
            pass
        began = time.perf_counter()
        kind = types.InlineCompletionTriggerKind.Automatic
        items = await self._session.items(Cursor(path, *place), kind)
        seconds = time.perf_counter() - began
        self._session.close(document)
        await self._session.command("opencoder.status", {})  # it has done so by now
        return (_suggestion(items[0], place) if items else None), seconds


def _suggestion(item: types.InlineCompletionItem, place: tuple[int, int]) -> Suggestion:
    if item.range is None:
        return Suggestion(inserted(item), place, place)
    start, end = item.range.start, item.range.end
    return Suggestion(inserted(item), (start.line, start.character), (end.line, end.character))


def _start(own: Sequence[str]) -> StartServer:
    @asynccontextmanager
    async def start(pairs: Sequence[str], folders: Sequence[Path]) -> AsyncIterator[Server]:
        async with Session([*_OWN, *own, *pairs], folders=folders) as session:
            await session.ready()
            yield _Server(session)

    return start


def run_bench_quality(wanted: Wanted, pairs: Sequence[str]) -> int:
    """Measure with progress bars on standard error, then print; raises OpencoderError."""
    settings = for_role(from_process(pairs), "completion")
    model = registry.resolve(settings)
    modes, missing = usable(wanted.modes, Tokenizer.load(model.folder), TEMPLATES[model.template])
    suffixes = [suffix for suffix, language in LANGUAGES.items() if language not in _TEXT]
    packages = wanted.packages or ([] if wanted.folders else sources.PACKAGES)
    cache = paths.cache() / "packages"
    found = asyncio.run(sources.gather(wanted.folders, packages, suffixes, cache))
    holes = cut(found, wanted.holes, wanted.seed, wanted.kind)
    if not holes:
        raise OpencoderError("there is no line of code in which a hole could be cut")
    results = Results(wanted.file, _about(wanted, found, model.name, pairs))
    complete = True
    with stage_bars() as bars:
        run = Measurement(settings, model, found, holes, modes, results, _start(pairs), bars)
        try:
            asyncio.run(run.run())
        except KeyboardInterrupt:
            complete = False
    if run.no_likelihood:
        missing.append(f"no log-likelihood: {run.no_likelihood}")
    own = list(results)
    if not own:
        return 130
    modes_figures = quality_figures.figures(own, holes)
    compared = quality_figures.differences(own, holes, wanted.seed)
    results.figures = quality_figures.as_json(modes_figures, compared)
    results.save()
    show(model.name, found, holes, modes_figures, compared)
    for line in missing:
        console.print(line, soft_wrap=True)
    return 0 if complete else 130


def _about(
    wanted: Wanted, found: Sequence[Source], model: str, pairs: Sequence[str]
) -> dict[str, Any]:
    """Return what has to be the same for results to be of one run."""
    code = []
    for source in found:
        digest = hashlib.sha256()
        for path, text in source.files.items():
            digest.update(f"{path}\0{text}\0".encode())
        own = {"name": source.name, "version": source.version, "sha256": digest.hexdigest()}
        code.append(own)
    return {
        "holes": wanted.holes,
        "seed": wanted.seed,
        "kind": wanted.kind,
        "model": model,
        "settings": [*_OWN, *pairs],
        "code": code,
    }
