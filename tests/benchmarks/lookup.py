"""
Decoding with prompt lookup and without, in turns, on the demo model.

Two prompts have the model write a file again that stands in the prompt; the others begin something
of which the prompt says little.
"""

import time
from collections import Counter
from pathlib import Path

import opencoder_lsp
from opencoder_lsp.engine import loading, machine
from opencoder_lsp.engine.core import Loaded
from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.request import Params, Request
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.settings import Settings

TOKENS = 64
ROUNDS = 3


def _prompts() -> dict[str, str]:
    """Return prompts by what they are."""
    package = Path(opencoder_lsp.__file__).parent
    prompts = {}
    for name in ("engine/slots.py", "paths.py"):
        text = (package / name).read_text(encoding="utf-8")[:2600]
        begin = "\n".join(text.split("\n")[:12])
        prompts[f"repeats {name}"] = f"```python\n{text}\n```\nOnce more:\n```python\n{begin}\n"
    store = (package / "models" / "store.py").read_text(encoding="utf-8")
    prompts["goes on in models/store.py"] = store[:3000]
    errors = (package / "errors.py").read_text(encoding="utf-8")
    prompts["goes on in errors.py"] = errors[:900]
    prompts["new code"] = (
        '"""A bank: customers, accounts and a ledger."""\n\nimport random\n\n\nclass Customer:\n'
    )
    prompts["new prose"] = "Once upon a time, in a small village by the sea,"
    return prompts


def _decode(loaded: Loaded, ids: list[int], lookup: bool) -> tuple[float, list[int], Counter[str]]:
    """Return the seconds from the first token to the last, the output, and what was counted."""
    totals = Counter[str]()
    request = Request(
        "r",
        list(ids),
        Params(max_tokens=TOKENS + 1),
        TextStream(loaded.vocabulary),
        lambda _event: None,
        loaded.context_length,
    )
    steps = Generation(
        loaded.runner, loaded.prefixes, loaded.chunk, totals, lambda: None, lookup=lookup
    )
    steps.add(request)
    while not steps.idle:
        steps.step()
    assert request.first_token is not None
    return time.monotonic() - request.first_token, request.ids[len(ids) :], totals


def run(home: Path) -> None:
    """Print tokens per second of both, best of some rounds, and what share of guesses was right."""
    threads = machine.cores()
    chosen = Settings.load(cli=[f"engine.threads={threads}"])
    loaded = loading.load(home / "data" / "models" / "demo", chosen, lambda _done: None)
    print(
        f"prompt lookup (demo model, {loaded.dtype}, {threads} threads, {TOKENS} tokens, tokens/s)"
    )
    print(f"  {'':28}{'plain':>8}{'lookup':>8}{'ratio':>8}{'drafted':>9}{'right':>7}  same output")
    for name, text in _prompts().items():
        ids = list(loaded.vocabulary.encode(text))
        runs = [[_decode(loaded, ids, lookup) for lookup in (False, True)] for _ in range(ROUNDS)]
        plain, fast = (TOKENS / min(pair[n][0] for pair in runs) for n in (0, 1))
        (_, before, _), (_, after, totals) = runs[0]
        print(
            f"  {name:28}{plain:8.1f}{fast:8.1f}{fast / plain:8.2f}"
            f"{totals['drafted_tokens']:9}{totals['accepted_tokens']:7}  {before == after}"
        )
