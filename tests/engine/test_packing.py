"""Packed weights against plain ones: the same numbers, no second copy, and a way back."""

import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from opencoder_lsp.engine import loading, packing, weights
from opencoder_lsp.engine.request import Params, Request
from opencoder_lsp.engine.runner import TorchRunner
from opencoder_lsp.engine.sampling import Sampler
from opencoder_lsp.engine.step import Work
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.prompt.tokenizer import Tokenizer
from opencoder_lsp.settings import EngineSettings, Settings
from tests.fakes.checkpoints import make_checkpoint, make_model
from tests.fakes.runner import LETTERS

ARCHITECTURES = ("gpt_bigcode", "llama")
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
NEW = 16


def packable() -> bool:
    """Tell whether this computer's torch packs at all."""
    return packing.pack(torch.nn.Sequential(torch.nn.Linear(64, 64).bfloat16())) == 1


packs = pytest.mark.skipif(not packable(), reason="no packed bfloat16 weights on this CPU")


def bfloat16_model(architecture: Any = "llama", **changes: Any) -> Any:
    model = make_model(architecture, vocab_size=260, **changes).to(torch.bfloat16)
    return model.requires_grad_(False)


@packs
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 64, 300])
def test_a_packed_layer_gives_the_plain_product(rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    plain = torch.nn.Linear(192, 320, bias=bias).bfloat16().requires_grad_(False)
    packed = packing.PackedLinear(plain, packing._Operators())
    inputs = torch.randn(1, rows, 192).bfloat16()
    torch.testing.assert_close(
        packed(inputs), F.linear(inputs, plain.weight, plain.bias), rtol=2**-7, atol=2**-12
    )


@packs
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_model_has_no_plain_layer_and_the_same_logits(architecture: Any) -> None:
    ids = torch.arange(40)[None]
    model = bfloat16_model(architecture)
    expected = model(ids).logits
    layers = sum(isinstance(module, torch.nn.Linear) for module in model.modules())
    assert packing.pack(model) == layers > 8
    assert not any(isinstance(module, torch.nn.Linear) for module in model.modules())
    # Some products of a model differ by a rounding; what follows carries it on.
    torch.testing.assert_close(model(ids).logits, expected, rtol=2**-5, atol=2**-6)


@packs
@pytest.mark.parametrize("tied", [True, False])
def test_plain_weights_are_freed_but_for_a_tied_embedding(tied: bool) -> None:
    model = bfloat16_model(tie_word_embeddings=tied)
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    plain = [weakref.ref(module.weight) for module in linear]
    del linear
    packing.pack(model)
    assert sum(weight() is not None for weight in plain) == (1 if tied else 0)


@packs
def test_nothing_of_a_packed_model_lies_in_its_file(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what is mapped")
    folder = make_checkpoint(tmp_path / "tiny", make_model().to(torch.bfloat16))
    _, config = weights.check(folder)
    settings = EngineSettings(dtype="bfloat16", device="cpu")
    model = weights.load(folder, config, settings, lambda _: None)
    assert str(folder) not in maps.read_text()
    model.set_attn_implementation("eager")
    assert model(torch.arange(5)[None]).logits.isfinite().all()


def test_float32_is_left_as_it_is() -> None:
    model = make_model("llama", vocab_size=260)
    assert packing.pack(model) == 0
    assert type(model.lm_head) is torch.nn.Linear


class _NoOperators:
    def __init__(self) -> None:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute 'x'")


class _WrongOperators:
    def pack(self, weight: torch.Tensor, rows: int) -> torch.Tensor:
        return weight

    def linear(self, rows: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        return F.linear(rows, weight) * 1.02


class _RefusingOperators(_WrongOperators):
    def linear(self, rows: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        raise RuntimeError("could not create a primitive descriptor")


@packs
@pytest.mark.parametrize(
    ("operators", "cause"),
    [
        (_NoOperators, "no attribute"),
        (_WrongOperators, "differ from the plain product"),
        (_RefusingOperators, "could not create"),
    ],
)
def test_operators_that_do_not_fit_leave_the_model_plain_and_say_so_once(
    operators: Callable[[], Any],
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(packing, "_Operators", operators)
    model = bfloat16_model()
    before = dict(model.named_modules())
    with caplog.at_level(logging.INFO):
        assert packing.pack(model) == 0
    assert dict(model.named_modules()) == before
    [record] = caplog.records
    assert cause in record.getMessage()


class _Recorder(Sampler):
    """Greedy, and keeps the logits of each step."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def choose(self, logits: torch.Tensor, works: Sequence[Work]) -> list[int]:
        self.seen.append(logits[0].float())
        return [int(logits[0].float().argmax())]


def _greedy(runner: TorchRunner, prompt: list[int]) -> tuple[list[int], list[torch.Tensor]]:
    """Return `NEW` tokens, and the logits of each."""
    recorder = _Recorder()
    runner._sampler = recorder
    request = Request("r", list(prompt), Params(), TextStream(LETTERS), lambda _: None, 256)
    request.slot = start = 0
    for _ in range(NEW):
        [token] = runner.step([Work(request, start, len(request.ids) - start, sample=True)])
        assert isinstance(token, int)
        start = len(request.ids)
        request.ids.append(token)
    return request.ids[len(prompt) :], recorder.seen


@pytest.fixture
def folder(demo_home: Path) -> Iterator[Path]:
    """The demo model's folder; threads as they were, afterwards."""
    threads = torch.get_num_threads()
    yield demo_home / "data" / "models" / "demo"
    torch.set_num_threads(threads)


@packs
def test_the_demo_model_says_packed_what_it_says_plain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(cli=["engine.dtype=bfloat16", "engine.device=cpu", "engine.threads=1"])
    tokenizer = Tokenizer.load(folder)
    monkeypatch.setattr(loading, "measure", lambda *_: 1000.0)
    packed = loading.load(folder, settings, lambda _: None).runner
    monkeypatch.setattr(packing, "pack", lambda _: 0)
    plain = loading.load(folder, settings, lambda _: None).runner
    assert isinstance(plain, TorchRunner)
    assert isinstance(packed, TorchRunner)
    same = 0
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt)
        ours, logits = _greedy(packed, ids)
        theirs, expected = _greedy(plain, ids)
        first = next((n for n in range(NEW) if ours[n] != theirs[n]), NEW)
        same += first == NEW
        for mine, right in zip(logits[: first + 1], expected[: first + 1], strict=True):
            # From 32 to 64, where the largest are, neighbours in bfloat16 are 1/4 apart.
            assert (mine - right).abs().max() <= 1.0
            assert right.max() - right[mine.argmax()] <= 0.25
    assert same >= 7
