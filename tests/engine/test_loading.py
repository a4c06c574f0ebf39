"""From a model folder to tokens: what loads, and what is refused with the file and the cure."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from opencoder_lsp.engine import loading, machine, weights
from opencoder_lsp.engine.core import Loaded
from opencoder_lsp.engine.generation import Generation
from opencoder_lsp.engine.request import Event, Finish, Params, Request
from opencoder_lsp.engine.text import TextStream
from opencoder_lsp.errors import ModelError
from opencoder_lsp.settings import EngineSettings, Settings
from tests.fakes.checkpoints import (
    CONTEXT,
    END_OF_TEXT,
    END_OF_TURN,
    make_checkpoint,
    make_model,
    make_scripted,
    write_manifest,
)
from tests.fakes.runner import LETTERS, FakeRunner

PROMPT = [40, 41, 42]
RETURN = 267  # any id that is no stop id


def load(folder: Path, *settings: str, report: Callable[[float], None] | None = None) -> Loaded:
    """Load on the CPU, whatever the machine has; tests/engine/test_gpu.py is for the rest."""
    chosen = Settings.load(cli=["engine.device=cpu", *settings])
    return loading.load(folder, chosen, report or (lambda _: None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it should be, which no test changes."""
    return make_checkpoint(tmp_path_factory.mktemp("whole") / "tiny")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


def answer(loaded: Loaded, **params: Any) -> tuple[list[int], Finish]:
    """Generate greedily; return the output's ids and how it ended."""
    events: list[Event] = []
    generation = Generation(loaded.runner, loaded.prefixes, loaded.chunk, Counter(), lambda: None)
    params = {"max_tokens": 8, "stop_ids": frozenset({END_OF_TEXT, END_OF_TURN}), **params}
    text = TextStream(loaded.vocabulary)
    request = Request("r", list(PROMPT), Params(**params), text, events.append, CONTEXT)
    generation.add(request)
    while not generation.idle:
        generation.step()
    assert isinstance(events[-1], Finish)
    return request.ids[len(PROMPT) :], events[-1]


@pytest.mark.parametrize("architecture", ["gpt_bigcode", "llama"])
def test_shards_in_bfloat16_load_and_say_what_generate_says(
    architecture: Any, tmp_path: Path
) -> None:
    model = make_model(architecture)
    folder = make_checkpoint(tmp_path / "tiny", model)
    assert len(list(folder.glob("model-0000*.safetensors"))) >= 2
    loaded = load(folder, "engine.dtype=float32")
    ids = torch.tensor([PROMPT])
    plain = model.float().generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=8,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert answer(loaded, stop_ids=frozenset())[0] == plain[0, len(PROMPT) :].tolist()


@pytest.mark.parametrize("stop", [END_OF_TEXT, END_OF_TURN])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_generation_stops_on_the_first_and_on_the_last_id(
    stop: int, dtype: str, tmp_path: Path
) -> None:
    scripted = make_scripted({4: stop}, otherwise=RETURN)
    loaded = load(make_checkpoint(tmp_path / "tiny", scripted), f"engine.dtype={dtype}")
    ids, finish = answer(loaded)
    assert ids == [RETURN, RETURN]
    assert finish == Finish("stop", 3, 2, 0)
    ids, _ = answer(loaded, stop_ids=frozenset({RETURN + 1}))
    assert ids == [RETURN, RETURN, stop] + [RETURN] * 5  # never on an id that was not asked for


def test_what_is_loaded_is_described(whole: Path) -> None:
    progress: list[float] = []
    loaded = load(whole, "engine.dtype=bfloat16", report=progress.append)
    assert (loaded.device, loaded.dtype) == ("cpu", "bfloat16")
    assert (loaded.vocab_size, loaded.context_length) == (49153, CONTEXT)
    assert loaded.prompt_tokens_auto == CONTEXT - 1
    assert progress == sorted(progress)
    assert len(progress) > 5
    assert progress[-1] == 1.0


@pytest.mark.parametrize("value", [True, False])
def test_the_setting_says_whether_lookup_is_used(whole: Path, value: bool) -> None:
    assert load(whole, f"engine.lookup={value}").lookup is value


def test_the_number_of_slots_is_the_settings_and_their_bytes_are_said(whole: Path) -> None:
    few = load(whole, "engine.slots=2", "engine.dtype=float32")
    assert few.runner.slots == 2
    # Keys and values, 2 layers, 1 head (multi-query), 16 numbers of 4 bytes.
    assert few.kv_bytes == 2 * 2 * 1 * 16 * 4 * CONTEXT * 2
    assert load(whole).runner.slots == 8


def test_slots_that_do_not_fit_are_said_with_the_cure(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 100_000)
    with pytest.raises(ModelError, match=r"engine\.slots is 3.*lower engine\.context or engine"):
        load(whole, "engine.slots=3")


def test_the_context_can_be_made_shorter_but_not_longer(whole: Path) -> None:
    assert load(whole, "engine.context=100").context_length == 100
    with pytest.raises(ModelError, match=rf"engine\.context is 1000.* at most {CONTEXT}"):
        load(whole, "engine.context=1000")


@pytest.mark.fault("S10")
def test_a_folder_with_only_bin_files_is_refused_with_the_cure(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "tiny", pickled=True)
    with pytest.raises(ModelError, match=r"\.bin.*opencoder-lsp models pull"):
        load(folder)


@pytest.mark.fault("F60")
def test_a_folder_that_was_not_pulled_is_refused_with_the_cure(folder: Path) -> None:
    (folder / "opencoder.json").unlink()
    with pytest.raises(ModelError, match=f"models pull {folder}"):
        load(folder)


@pytest.mark.fault("F60")
def test_a_folder_with_only_a_tokenizer_is_refused_with_the_cure(folder: Path) -> None:
    manifest = json.loads((folder / "opencoder.json").read_text())
    (folder / "opencoder.json").write_text(json.dumps({**manifest, "weights": False}))
    with pytest.raises(ModelError, match=r"only the tokenizer.*models pull tiny"):
        load(folder)


SHARD = "model-00002-of-00002.safetensors"


@pytest.mark.fault("F60")
@pytest.mark.parametrize("name", [SHARD, "tokenizer.json", "config.json"])
def test_a_missing_file_is_named_with_the_cure(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing.*models pull"):
        load(folder)


@pytest.mark.fault("F60")
@pytest.mark.parametrize("known", [True, False], ids=["as pulled", "pulled like that"])
def test_a_truncated_shard_is_named_with_the_cure(folder: Path, known: bool) -> None:
    with (folder / SHARD).open("r+b") as file:
        file.truncate((folder / SHARD).stat().st_size - 1)
    if not known:
        write_manifest(folder)
    with pytest.raises(ModelError, match=rf"{SHARD}.*(models pull|download)"):
        load(folder)


@pytest.mark.fault("F60")
def test_a_tensor_of_the_wrong_shape_is_named_with_its_file(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_inner": 128}))
    write_manifest(folder)
    with pytest.raises(ModelError, match=r"safetensors has .*c_fc.*shape.*models pull tiny"):
        load(folder)


@pytest.mark.fault("F60")
def test_a_missing_tensor_is_never_replaced_by_random_numbers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": 3}))
    write_manifest(folder)
    with pytest.raises(ModelError, match=r"lack .* tensors, such as transformer\.h\.2"):
        load(folder)


@pytest.mark.fault("S11")
@pytest.mark.parametrize(
    "key",
    ["auto_map", "trust_remote_code", "_attn_implementation", "_attn_implementation_internal"],
)
def test_a_config_that_asks_for_code_is_refused(folder: Path, key: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: "evil--kernel"}))
    write_manifest(folder)
    with pytest.raises(ModelError, match=key):
        load(folder)


@pytest.mark.fault("S11")
def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mamba"}))
    write_manifest(folder, architecture="gpt_bigcode")
    with pytest.raises(ModelError, match=r"mamba.*gpt_bigcode, llama"):
        load(folder)


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"engine\.device"):
        weights.choose_device(EngineSettings(device="cuda"))
    assert weights.choose_device(EngineSettings()) == "cpu"


@pytest.mark.parametrize(
    ("setting", "device", "fast", "dtype"),
    [
        ("auto", "cpu", True, torch.bfloat16),
        ("auto", "cpu", False, torch.float32),
        ("auto", "cuda", False, torch.bfloat16),
        ("float32", "cuda", True, torch.float32),
        ("bfloat16", "cpu", False, torch.bfloat16),
    ],
)
def test_the_type_of_weights_follows_the_setting_then_the_machine(
    setting: Any, device: str, fast: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "has_fast_bf16", lambda: fast)
    assert weights.choose_dtype(EngineSettings(dtype=setting), device) is dtype


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Loading sets torch's threads for the whole process; set them back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_number_of_threads_is_the_settings(whole: Path) -> None:
    load(whole, "engine.threads=1")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("auto", "chunk"), [(256, 256), (500, 256), (813, 512), (1024, 512), (4096, 2048)]
)
def test_a_chunk_is_what_is_prefilled_in_about_a_quarter_of_a_second(auto: int, chunk: int) -> None:
    assert loading._chunk(auto) == chunk


@pytest.mark.parametrize(("context", "warmed"), [(1000, [2, 4, 8, 16]), (10, [2, 4, 8])])
def test_steps_that_verify_a_draft_are_warmed_as_far_as_they_fit(
    context: int, warmed: list[int]
) -> None:
    runner = FakeRunner()
    assert loading.measure(runner, LETTERS, context, (2, 4, 8, 16)) > 0
    assert [len(draft) for draft in runner.drafts if draft] == warmed
    for [(_, start, count)], draft in zip(runner.steps, runner.drafts, strict=True):
        assert start + count + len(draft) < context


def test_no_drafts_are_warmed_where_the_setting_is_off(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts: list[Sequence[int]] = []

    def measure(*arguments: Any) -> float:
        drafts.append(arguments[3])
        return 1000.0

    monkeypatch.setattr(loading, "measure", measure)
    load(whole)
    load(whole, "engine.lookup=false")
    assert drafts == [(2, 4, 8, 16), ()]
