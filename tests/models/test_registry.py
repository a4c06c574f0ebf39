"""Which model the settings mean, without torch."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import registry
from opencoder_lsp.models.manifest import Manifest
from opencoder_lsp.settings import Settings

ENOUGH = 80_000_000_000


def settings(*pairs: str) -> Settings:
    """Settings with some `name=value`."""
    return Settings.load(cli=pairs)


def put(
    home: Path, name: str, *, weights: bool = True, template: str = "chatml", source: str = "test"
) -> Path:
    """Make a model folder as a pull would leave it."""
    folder = home / "data" / "models" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    Manifest(
        name=name,
        architecture="gpt_bigcode",
        template=template,
        stop_ids=[0],
        context_length=64,
        licence="none",
        source=source,
        files=Manifest.record(folder),
        weights=weights,
    ).save(folder)
    return folder


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs that hold any model."""
    monkeypatch.setattr(registry, "gpu_memory", lambda: ENOUGH)


@pytest.fixture
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU."""
    monkeypatch.setattr(registry, "gpu_memory", lambda: 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo", "demo"),
        ("DEMO", "demo"),
        ("opencoderplus", "opencoderplus"),
        ("OpenCoder", "opencoderplus"),
        ("openchat/opencoderplus", "opencoderplus"),
        ("OpenChat/OpenCoderPlus ", "opencoderplus"),
    ],
)
def test_a_model_is_known_by_name_alias_and_hub_id(name: str, expected: str) -> None:
    model = registry.known(name)
    assert model is not None
    assert model.name == expected


@pytest.mark.parametrize("name", ["", "gpt-4", "./demo", "openchat/other"])
def test_other_names_are_not_known(name: str) -> None:
    assert registry.known(name) is None


def test_auto_with_nothing_pulled_says_what_to_run(home: Path) -> None:
    with pytest.raises(ModelError, match="opencoder-lsp models pull demo") as caught:
        registry.resolve(settings())
    assert "models pull opencoderplus" in str(caught.value)


@pytest.mark.usefixtures("gpus")
def test_auto_takes_the_demo_model_where_only_that_is_pulled(home: Path) -> None:
    put(home, "demo")
    assert registry.resolve(settings()).name == "demo"
    assert "not pulled" in registry.explain_choice(settings())


@pytest.mark.usefixtures("gpus")
def test_auto_takes_opencoderplus_where_the_gpus_hold_it(home: Path) -> None:
    put(home, "demo")
    put(home, "opencoderplus", template="opencoder")
    assert registry.resolve(settings()).name == "opencoderplus"
    assert "GPUs can hold it" in registry.explain_choice(settings())


@pytest.mark.parametrize(
    ("memory", "name"), [(33_100_000_000, "opencoderplus"), (32 * 10**9, "demo")]
)
def test_auto_leaves_room_beside_the_weights(
    home: Path, monkeypatch: pytest.MonkeyPatch, memory: int, name: str
) -> None:
    put(home, "demo")
    put(home, "opencoderplus")
    monkeypatch.setattr(registry, "gpu_memory", lambda: memory)
    assert registry.resolve(settings()).name == name


@pytest.mark.usefixtures("no_gpus")
def test_auto_says_both_numbers_when_opencoderplus_does_not_fit(home: Path) -> None:
    put(home, "opencoderplus")
    with pytest.raises(ModelError, match=r"needs 33\.0 GB of GPU memory and there are 0\.0 GB"):
        registry.resolve(settings())
    put(home, "demo")
    assert "33.0 GB" in registry.explain_choice(settings())


@pytest.mark.usefixtures("gpus")
def test_auto_does_not_count_gpus_that_the_engine_may_not_use(home: Path) -> None:
    put(home, "demo")
    put(home, "opencoderplus")
    assert registry.resolve(settings("engine.device=cpu")).name == "demo"


@pytest.mark.usefixtures("gpus")
def test_auto_does_not_take_a_model_without_weights(home: Path) -> None:
    put(home, "demo")
    put(home, "opencoderplus", weights=False)
    assert registry.resolve(settings()).name == "demo"


@pytest.mark.usefixtures("no_gpus")
def test_with_an_engine_elsewhere_a_tokenizer_is_enough(home: Path) -> None:
    put(home, "opencoderplus", weights=False)
    assert registry.resolve(settings("engine.url=http://gpu:1")).name == "opencoderplus"


def test_without_an_engine_elsewhere_a_tokenizer_is_not_enough(home: Path) -> None:
    put(home, "demo", weights=False)
    with pytest.raises(ModelError, match=r"without its weights.*opencoder-lsp models pull demo"):
        registry.resolve(settings("model.name=demo"))


def test_a_known_model_that_is_not_pulled_says_what_to_run(home: Path) -> None:
    with pytest.raises(ModelError, match="run: opencoder-lsp models pull opencoderplus"):
        registry.resolve(settings("model.name=openchat/OpenCoderPlus"))


def test_an_unknown_name_lists_what_is_known(home: Path) -> None:
    put(home, "mine")
    with pytest.raises(ModelError, match=r"'gpt-4'.*demo, mine, opencoderplus"):
        registry.resolve(settings("model.name=gpt-4"))


def test_a_pulled_folder_is_found_by_name_and_by_path(home: Path, tmp_path: Path) -> None:
    folder = put(home, "mine", source=f"folder {tmp_path / 'mine'}")
    (tmp_path / "mine").mkdir()
    for name in ("mine", str(folder), str(tmp_path / "mine")):
        assert registry.resolve(settings(f"model.name={name}")).folder == folder


def test_a_folder_of_bare_weights_says_how_to_prepare_it(home: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(ModelError, match=f"run: opencoder-lsp models pull {bare}"):
        registry.resolve(settings(f"model.name={bare}"))


def test_the_template_setting_wins_over_the_manifest(home: Path) -> None:
    put(home, "demo")
    assert registry.resolve(settings("model.name=demo")).template == "chatml"
    changed = settings("model.name=demo", "model.template=openchat")
    assert registry.resolve(changed).template == "openchat"


def test_a_model_without_template_asks_for_the_setting(home: Path) -> None:
    put(home, "base", template="")
    with pytest.raises(ModelError, match=r"set model\.template"):
        registry.resolve(settings("model.name=base"))
    assert registry.resolve(settings("model.name=base", "model.template=chatml")).name == "base"


def test_a_damaged_model_is_named_with_the_cure(home: Path) -> None:
    (put(home, "demo") / "config.json").write_text("longer")
    with pytest.raises(ModelError, match=r"config\.json has 6 bytes.*models pull demo"):
        registry.resolve(settings("model.name=demo"))


class FakeNvml:
    """Stands in for pynvml with GPUs of 10, 20 and 30 bytes."""

    NVMLError = RuntimeError

    def __init__(self) -> None:
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{'abc'[handle]}000"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=10 * (handle + 1), free=0)


@pytest.mark.parametrize(
    ("visible", "memory"),
    [
        (None, 60),
        ("", 0),
        ("-1", 0),
        ("2", 30),
        ("0,1", 30),
        ("0,7,1", 10),
        ("GPU-b", 20),
        ("GPU-c000, GPU-a000", 40),
        ("GPU-", 0),
    ],
)
def test_gpu_memory_is_that_of_the_visible_gpus(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, memory: int
) -> None:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert registry.gpu_memory() == memory
    assert fake.open == 0


def test_a_machine_without_nvidia_driver_has_no_gpu_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoDriver(FakeNvml):
        def nvmlInit(self) -> None:
            raise RuntimeError("driver not loaded")

    monkeypatch.setitem(sys.modules, "pynvml", NoDriver())
    assert registry.gpu_memory() == 0


def test_resolving_a_model_imports_nothing_heavy() -> None:
    code = (
        "import sys; from opencoder_lsp.models import registry, store;"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'huggingface_hub', 'sentencepiece'}"
        " & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
