"""`opencoder-lsp doctor`: each thing that must be well, and what to do where it is not."""

import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version

import psutil
from rich.text import Text

from opencoder_lsp import paths
from opencoder_lsp.cli.engine_findings import engine_findings
from opencoder_lsp.cli.remote_findings import Finding
from opencoder_lsp.cli.terminal import console, print_json
from opencoder_lsp.client.roles import by_engine
from opencoder_lsp.conversations.store import Store
from opencoder_lsp.errors import OpencoderError, SettingsError
from opencoder_lsp.models import config as model_config
from opencoder_lsp.models import gpus, registry, store
from opencoder_lsp.models.conversion import INSTALL_ENGINE
from opencoder_lsp.models.fitting import Machine, fits
from opencoder_lsp.settings import Settings, from_process


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.platform(terse=True)}"
    return Finding("Python", "ok", detail)


def _torch(settings: Settings) -> Finding:
    if importlib.util.find_spec("torch") is None:
        if all(own.engine.url for _, own in by_engine(settings)):
            return Finding("torch", "ok", "not installed, not needed with engine.url")
        return Finding("torch", "bad", "not installed", INSTALL_ENGINE)
    packages = ("torch", "transformers")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("torch", "bad", f"{missing[0]} is not installed", INSTALL_ENGINE)
    detail = ", ".join(f"{name} {version(name)}" for name in packages)
    return Finding("torch", "ok", detail)


def _gpu() -> Finding:
    memory = gpus.memory().total
    if not memory:
        return Finding("GPU", "note", "no NVIDIA GPU found", "small models run on the CPU as well")
    return Finding("GPU", "ok", f"{memory / 1e9:.1f} GB of memory in all")


def _memory() -> Finding:
    memory, cores = psutil.virtual_memory(), os.cpu_count()
    detail = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free, {cores} cores"
    if memory.available < 1.5e9:
        return Finding("memory", "bad", detail, "close something: the demo model needs 1.5 GB")
    return Finding("memory", "ok", detail)


def _disk() -> Finding:
    folder = paths.data()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < 1e9:
        return Finding("disk", "bad", f"{free / 1e9:.1f} GB free for models", "free some space")
    return Finding("disk", "ok", f"{free / 1e9:.1f} GB free in {paths.data()}")


def _settings_file(problem: SettingsError | None) -> Finding:
    file = paths.config_file()
    if problem is not None:
        return Finding("settings", "bad", str(problem), "until then the defaults are looked at")
    return Finding("settings", "ok", f"{file}{'' if file.exists() else ' (not there: defaults)'}")


def _models() -> Iterator[Finding]:
    for model in store.pulled():
        try:
            model.manifest.check_sizes(model.folder)
        except OpencoderError as error:
            yield Finding(f"model {model.name}", "bad", str(error))
        else:
            kind = "weights and tokenizer" if model.manifest.weights else "tokenizer only"
            yield Finding(f"model {model.name}", "ok", f"{kind} in {model.folder}")


def _needs(settings: Settings) -> Iterator[Finding]:
    """What each model that is here takes, and where it fits; by arithmetic, nothing is loaded."""
    machine = Machine.here()
    for model in store.pulled() if not settings.engine.url else ():
        what = f"memory for {model.name}"
        try:
            both = fits(model_config.read(model.folder), settings.engine, machine)
        except OpencoderError:  # the line of the model says what is wrong
            continue
        mine = next(fit for fit in both if fit.quantization == settings.engine.quantization)
        detail = f"{mine.sum}: {mine.outcome}"
        if mine.where and "slowly" not in mine.where:
            yield Finding(what, "ok", detail)
            continue
        smaller = next((fit for fit in both if fit is not mine and fit.total < mine.total), None)
        cure = f"this machine has {machine.words}"
        if smaller and smaller.where:
            cure = f"set engine.quantization to int8: {smaller.sum}, {smaller.outcome}"
        yield Finding(what, "note", detail, cure)


def _choices(settings: Settings) -> Iterator[Finding]:
    """Say which model runs, for each role where their engines differ."""
    for roles, own in by_engine(settings):
        what = f"model for {roles[0]}" if len(roles) == 1 else "model to run"
        try:
            yield Finding(what, "ok", registry.explain_choice(own))
        except OpencoderError as error:
            yield Finding(what, "bad", str(error))


def _runtime() -> Finding:
    try:
        folder = paths.private(paths.runtime())
    except (OpencoderError, OSError) as error:
        return Finding("socket folder", "bad", str(error), f"set {paths.HOME_VARIABLE}")
    return Finding("socket folder", "ok", f"{folder} (mode 0700)")


def _logs() -> Finding:
    folder = paths.logs()
    try:
        with tempfile.TemporaryFile(dir=paths.private(folder)):
            return Finding("logs", "ok", f"{folder}")
    except (OpencoderError, OSError) as error:
        return Finding("logs", "bad", f"cannot write to {folder}: {error}", "see its owner")


def _conversations() -> Finding:
    store = Store()
    if not store.path.exists():
        return Finding("conversations", "ok", f"none yet in {store.path}")
    try:
        return Finding("conversations", "ok", f"{len(store.summaries())} in {store.path}")
    except OpencoderError as error:
        return Finding("conversations", "bad", str(error))


def findings(settings: Settings, problem: SettingsError | None = None) -> Iterator[Finding]:
    """Look at everything, one thing after the other; `problem` is what keeps settings from use."""
    checks: list[Callable[[], Finding]] = [
        _python,
        lambda: _torch(settings),
        _gpu,
        _memory,
        _disk,
        lambda: _settings_file(problem),
        _runtime,
        _logs,
        _conversations,
    ]
    for check in checks:
        yield check()
    yield from _models()
    yield from _needs(settings)
    yield from _choices(settings)
    yield from engine_findings(settings)


def _settings(pairs: Sequence[str]) -> tuple[Settings, SettingsError | None]:
    """Return the settings and what is wrong with the user's own; SettingsError for bad `pairs`."""
    try:
        from_process()
    except SettingsError as error:
        return Settings(), error
    return from_process(pairs), None


def run_doctor(pairs: Sequence[str], *, as_json: bool) -> int:
    """Print every finding; 1 where one of them is bad."""
    report = list(findings(*_settings(pairs)))
    if as_json:
        print_json([asdict(finding) for finding in report])
    else:
        style = {"ok": "green", "note": "yellow", "bad": "bold red"}
        for finding in report:
            line = Text(f"{finding.state:5} ", style=style[finding.state])
            line.append(f"{finding.what}: ", style="bold").append(finding.detail, style="default")
            console.print(line, soft_wrap=True)
            if finding.cure:
                console.print(f"      → {finding.cure}", soft_wrap=True)
    return int(any(finding.state == "bad" for finding in report))
