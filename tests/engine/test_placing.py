"""Models on several devices: what goes where, and that the answers are those of one device."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from torch import nn

from opencoder_lsp.engine import attention, cache, loading, machine, quantizing, weights
from opencoder_lsp.engine.cache import SlotMemory
from opencoder_lsp.engine.int8 import Int8Linear, quantized
from opencoder_lsp.errors import ModelError
from opencoder_lsp.models.needs import Needs
from opencoder_lsp.models.placement import Placement
from opencoder_lsp.settings import Settings
from tests.engine.test_loading import answer, load
from tests.engine.test_runner import PROMPTS, VOCABULARY, ask, generation, output, run
from tests.engine.test_runner import make_runner as runner_of
from tests.fakes.checkpoints import CONTEXT, Architecture, make_checkpoint, make_model

ARCHITECTURES: list[Architecture] = ["gpt_bigcode", "llama"]
GB = 10**9


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how many bytes are free on each GPU, and of main memory."""

    def give(*free: int, memory: int = 0) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (free[int(str(gpu)[-1])], GB))
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        monkeypatch.setattr(machine, "free_memory", lambda: memory)

    return give


def config(architecture: Architecture) -> dict[str, Any]:
    """Return a config of tiny layers and an embedding of 6 MB."""
    return dict(make_model(architecture).config.to_dict())


def device_map(architecture: Architecture, *pairs: str) -> dict[str, int | str]:
    return weights.device_map(config(architecture), Settings.load(cli=pairs).engine)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_that_fits_is_on_one_gpu_and_on_the_cpu_where_that_is_asked_for(
    architecture: Architecture, gpus: Any
) -> None:
    gpus(GB, 8 * GB)
    assert device_map(architecture) == {"": 1}
    assert device_map(architecture, "engine.device=cpu") == {"": "cpu"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_placement_names_every_part_of_the_model_once(architecture: Architecture) -> None:
    names = weights.named(config(architecture), Placement(0, (0, None)))
    model = make_model(architecture)
    for name, _ in model.named_parameters():
        assert len([part for part in names if name.startswith(f"{part}.")]) == 1, name
    for part in names:
        model.get_submodule(part)
    assert sorted(names.values(), key=str) == [0] * (len(names) - 1) + ["cpu"]


def test_what_fits_nowhere_is_said_before_anything_is_read_with_the_cure(gpus: Any) -> None:
    gpus(1000)
    with pytest.raises(ModelError, match=r"needs .* there are 0\.[0-9] GB; set engine\.quantiz"):
        device_map("llama")
    with pytest.raises(ModelError, match=r"there are 0\.[0-9] GB; set engine\.device to cpu$"):
        device_map("llama", "engine.quantization=int8")


def test_steps_are_as_long_as_the_memory_that_is_left_allows(gpus: Any) -> None:
    needs = Needs.of(config("gpt_bigcode"))
    on_gpus = on("cuda:0", "cuda:1")
    gpus(1000 * needs.step, 300 * needs.step)
    assert weights.longest_step(on_gpus, needs) == 300
    gpus(1000 * needs.step, 3 * needs.step)
    assert weights.longest_step(on_gpus, needs) == 64
    assert weights.longest_step(make_model(), needs) > 1 << 20


@pytest.mark.parametrize(("most", "chunk"), [(3000, 2048), (1500, 1024), (64, 64), (100, 64)])
def test_a_chunk_is_shorter_where_a_gpu_has_little_memory_left(most: int, chunk: int) -> None:
    assert loading._fitting(2048, most) == chunk


def offloading(architecture: Architecture) -> dict[str, int | str]:
    """Return a device map whose last layer waits elsewhere, as on a CPU it can: on the disk."""
    named = weights.named(config(architecture), Placement(0, (0, None)))
    return {part: "disk" if where == "cpu" else "cpu" for part, where in named.items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_that_wait_elsewhere_give_the_same_answer(
    architecture: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_checkpoint(tmp_path / "tiny", make_model(architecture))
    expected = answer(load(folder, "engine.dtype=float32"))
    monkeypatch.setattr(weights, "device_map", lambda *_: offloading(architecture))
    loaded = load(folder, "engine.dtype=float32")
    waiting = [p for p in loaded.runner._model.parameters() if p.device.type == "meta"]  # type: ignore[attr-defined]
    assert waiting
    assert answer(loaded) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_int8_weights_wait_elsewhere_as_well(architecture: Architecture, tmp_path: Path) -> None:
    attention.register()
    outputs = []
    for waits in (False, True):
        model = make_model(architecture, vocab_size=VOCABULARY)
        model.set_attn_implementation(attention.NAME)
        round_weights(model)
        if waits:
            dispatch_model(model, offloading(architecture), offload_dir=tmp_path, main_device="cpu")
            assert any(layer.weight.device.type == "meta" for layer in rounded(model))
        runner = runner_of(model)
        for prompt in PROMPTS:
            request = ask(prompt)
            run(generation(runner), request)
            outputs.append(output(request))
    half = len(PROMPTS)
    assert outputs[:half] == outputs[half:]


def round_weights(model: Any) -> None:
    """Quantize a model that is in memory."""
    weights = {name: one.data for name, one in model.named_parameters()}
    quantizing.replace(model)
    for name, layer in model.named_modules():
        if isinstance(layer, Int8Linear):
            for part, tensor in zip(
                ("weight", "weight_scale"), quantized(weights[f"{name}.weight"]), strict=True
            ):
                setattr(layer, part, nn.Parameter(tensor, False))
            if layer.bias is not None:
                layer.bias = nn.Parameter(weights[f"{name}.bias"], False)


def rounded(model: Any) -> list[Int8Linear]:
    return [layer for layer in model.modules() if isinstance(layer, Int8Linear)]


def on(*devices: torch.device | str) -> SimpleNamespace:
    """Be a module with parameters on these devices."""
    parameters = [SimpleNamespace(device=torch.device(device)) for device in devices]
    return SimpleNamespace(parameters=lambda: iter(parameters), weight=parameters[0])


def test_keys_and_values_lie_where_their_layer_is_computed() -> None:
    model = make_model("llama", vocab_size=VOCABULARY)
    model.model.layers[1].to("meta")  # as a layer is whose weights come for each step
    memory = SlotMemory.for_model(model, CONTEXT, 1)
    assert [block.device.type for block in memory._blocks] == ["cpu", "cpu"]
    layers = [on("cuda:1"), on("cuda:2"), on("meta")]
    spread = SimpleNamespace(
        get_input_embeddings=lambda: on("cuda:1"), base_model=SimpleNamespace(layers=layers)
    )
    where = [torch.device(device) for device in ("cuda:1", "cuda:2", "cuda:1")]
    assert cache._devices(spread) == where
