"""
The language server, whose launcher starts engines without torch: `tests.fakes.quick_engine`.

    python quick_front.py [arguments of quick_engine.py]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from opencoder_lsp.client import child
from opencoder_lsp.lsp.server import run
from opencoder_lsp.models.registry import Model
from opencoder_lsp.settings import Settings, from_process

ENGINE = Path(__file__).parents[1] / "fakes" / "quick_engine.py"


def command(settings: Settings, model: Model, socket: Path) -> list[str]:
    """Stand in for `child.engine_command`."""
    engine = [sys.executable, str(ENGINE), *sys.argv[1:]]
    engine += ["--model", str(model.folder), "--socket", str(socket)]
    return [*engine, *(f"--set={pair}" for pair in child.engine_settings(settings))]


if __name__ == "__main__":
    child.engine_command = command  # before the launcher, which takes it as its default, is there
    sys.exit(run(from_process()))
