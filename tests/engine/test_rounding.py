"""
The demo model in bfloat16 beside transformers' `generate`: the same text, but for roundings.

The engine's products, norms and attention add up in another order than transformers', so that of
two tokens nearly equal in likelihood it may choose the other. Nothing more may differ.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from opencoder_lsp.engine import loading
from opencoder_lsp.engine.request import Params, Request
from opencoder_lsp.engine.runner import TorchRunner
from opencoder_lsp.engine.sampling import Sampler
from opencoder_lsp.engine.step import Work
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import Settings
from tests.fakes.runner import LETTERS

PROMPTS = (
    "def fibonacci(n):\n    ",
    "import os\nimport sys\n\n\ndef main() -> int:\n",
    "The quick brown fox",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "for (int i = 0; i < n; i++) {\n",
    "SELECT name, count(*) FROM users",
    "# Read a file line by line\nwith open(path) as file:\n",
    "Once upon a time there was a",
    "const add = (a, b) =>",
    "def test_addition():\n    assert ",
)
NEW = 24
ROUNDING = 0.25  # between neighbours in bfloat16 from 32 to 64, where the largest logits are


class Recorder(Sampler):
    """Greedy, and keeps the logits of each step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def choose(self, logits: Tensor, works: Sequence[Work]) -> list[int]:
        self.seen.append(logits[0].float())
        return [int(logits[0].float().argmax())]


@pytest.fixture
def folder(demo_home: Path) -> Iterator[Path]:
    """The demo model's folder; threads as they were, afterwards."""
    threads = torch.get_num_threads()
    yield demo_home / "data" / "models" / "demo"
    torch.set_num_threads(threads)


def say(runner: TorchRunner, prompt: list[int]) -> tuple[list[int], list[Tensor]]:
    """Return `NEW` tokens of the engine, and the logits of each."""
    recorder = Recorder()
    runner._sampler = recorder
    request = Request("r", list(prompt), Params(), TextStream(LETTERS), lambda _: None, 256)
    request.slot = start = 0
    for _ in range(NEW):
        [token] = runner.step([Work(request, start, len(request.ids) - start, sample=True)])
        assert isinstance(token, int)
        start = len(request.ids)
        request.ids.append(token)
    return request.ids[len(prompt) :], recorder.seen


def generate(model: LlamaForCausalLM, prompt: list[int]) -> tuple[list[int], list[Tensor]]:
    """Return the same of transformers."""
    ids = torch.tensor([prompt])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return made.sequences[0, len(prompt) :].tolist(), [row[0].float() for row in made.logits]


def test_the_text_is_that_of_generate_or_the_first_other_token_was_as_likely(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "measure", lambda *_, **__: 1000.0)
    settings = Settings.load(cli=["engine.dtype=bfloat16", "engine.device=cpu", "engine.threads=1"])
    runner = loading.load(folder, settings, lambda _: None).runner
    assert isinstance(runner, TorchRunner)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer, same = Tokenizer.load(folder), 0
    for prompt in PROMPTS:
        ids = list(tokenizer.encode(prompt))
        ours, logits = say(runner, ids)
        theirs, expected = generate(model, ids)
        first = next((n for n in range(NEW) if ours[n] != theirs[n]), NEW)
        same += first == NEW
        for mine, right in zip(logits[: first + 1], expected[: first + 1], strict=True):
            assert (mine - right).abs().max() <= 4 * ROUNDING
            # What we choose is, by their numbers, as likely as what they choose.
            assert right.max() - right[mine.argmax()] <= ROUNDING
    assert same >= len(PROMPTS) // 2
