"""Who may import whom (one way), and which modules may touch torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "opencoder_lsp"
HEAVY = {"torch", "transformers", "accelerate", "safetensors", "gguf"}
TORCH_MODULES = {
    "runner",
    "sampling",
    "weights",
    "fused_gpt_bigcode",
    "fused_layer",
    "fused_llama",
    "int8",
    "quantizing",
    "fusing",
    "packing",
    "convert",
    "attention",
    "cache",
}
BASE = {"settings", "settings_descriptions", "errors", "paths"}
MAY_IMPORT = {
    "settings": {
        "settings_descriptions",
        "settings_sections",
        "settings_sources",
        "errors",
        "paths",
    },
    "settings_descriptions": set[str](),
    "settings_sections": set[str](),
    "settings_sources": {"settings_descriptions", "errors"},
    "errors": set[str](),
    "paths": {"errors"},
    "models": BASE,
    "prompt": {"models", *BASE},
    "client": {"prompt", "models", "settings_sections", *BASE},
    "database": {"errors", "paths"},
    "markdown": set[str](),
    "stats": {"database", *BASE},
    "conversations": {"database", "markdown", *BASE},
    "serving": {"errors"},
    "engine": {"prompt.tokenizer", "prompt.stops", "serving", "models", *BASE},
    "lsp": {"prompt", "client", "conversations", "stats", "models", *BASE},
    "api": {"prompt", "client", "conversations", "serving", "models", "settings_sections", *BASE},
    # The engine's schedule is pure Python, and is simulated.
    "bench": {
        *("prompt", "client", "models", "engine.machine", "engine.generation", "engine.healing"),
        *("engine.request", "engine.scheduler", "engine.step", "engine.text", *BASE),
    },
    "cli": {
        *("prompt", "client", "conversations", "stats", "models", "lsp", "api", "bench"),
        *("markdown", *BASE),
    },
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in ("__init__", "__main__"):
            yield ".".join(parts), path


def imports(path: Path) -> Iterator[str]:
    """Name everything that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """Return the room of a module: the folder or file below the package."""
    return module.split(".")[0]


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_imports_go_one_way(module: str, path: Path) -> None:
    own = room(module)
    for name in imports(path):
        if not name.startswith("opencoder_lsp."):
            continue
        target = name.removeprefix("opencoder_lsp.")
        allowed = {own, "__version__", *MAY_IMPORT[own]}
        ok = any(target == one or target.startswith(f"{one}.") for one in allowed)
        assert ok or room(target) == own or target == "prompt", f"{module} imports {target}"


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_torch_is_imported_only_where_the_model_runs(module: str, path: Path) -> None:
    heavy = {name.split(".")[0] for name in imports(path)} & HEAVY
    parts = module.split(".")
    runs_it = (parts[0] == "engine" and parts[-1] in TORCH_MODULES) or module == "bench.bandwidth"
    assert not heavy or runs_it, f"{module}: {heavy}"


def test_the_language_server_can_be_imported_without_anything_heavy() -> None:
    code = (
        "import sys, opencoder_lsp.cli.main, opencoder_lsp.lsp.server\n"
        f"print(sorted(set(sys.modules) & {HEAVY | {'tokenizers', 'aiohttp', 'huggingface_hub'}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
