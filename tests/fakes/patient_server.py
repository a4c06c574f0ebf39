"""
The language server, in which no wait of its own comes to its end: for tests of what happens before.

    python patient_server.py

Somebody who works at an editor is not kept waiting: a stream that nobody takes over is closed, the
first of several choices is shown alone, the engine is asked where somebody rests, and the process
ends, all within a second or two. On a machine that stands still for so long, each of these comes
before what a test has asked for at once.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from opencoder_lsp import database
from opencoder_lsp.lsp import logs, protocol, server
from opencoder_lsp.lsp.ahead import Ahead
from opencoder_lsp.lsp.habits import Habits, Patience
from opencoder_lsp.settings import from_process

LONG = 3600.0  # seconds: what no test lives to see
END = 60.0  # for what has to end when it hangs

if __name__ == "__main__":
    serving: Any = server
    serving.Habits = partial(Habits, patience=Patience(LONG, LONG, LONG))
    serving.Ahead = partial(Ahead, rest=LONG)
    database._BUSY_TIMEOUT = END
    logs._LAST_WORDS = protocol._CANCEL_PATIENCE = END
    server._LAST_WORDS = server._EXIT_PATIENCE = END
    sys.exit(server.run(from_process([])))
