"""Which model the settings mean, without torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from opencoder_lsp.errors import ModelError
from opencoder_lsp.models import known, registry
from opencoder_lsp.models.gpus import Memory
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


def install_torch(version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a torch of this version be the one that is installed, or none."""
    site = tmp_path / "site"
    site.mkdir()
    if version:
        info = site / f"torch-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(site)])


@pytest.fixture
def cuda_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that can use NVIDIA's GPUs."""
    install_torch("2.13.0+cu130", tmp_path, monkeypatch)


@pytest.fixture
def gpus(cuda_torch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs that hold any model."""
    monkeypatch.setattr("opencoder_lsp.models.gpus.each", lambda: [Memory(ENOUGH)])


@pytest.fixture
def no_gpus(cuda_torch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU."""
    monkeypatch.setattr("opencoder_lsp.models.gpus.each", list)


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
    model = known.known(name)
    assert model is not None
    assert model.name == expected


@pytest.mark.parametrize("name", ["", "gpt-4", "./demo", "openchat/other"])
def test_other_names_are_not_known(name: str) -> None:
    assert known.known(name) is None


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
    ("version", "why"),
    [
        ("2.13.0+cpu", r"torch 2\.13\.0\+cpu is a build without CUDA"),
        ("2.5.1+cpu.cxx11.abi", "torch .* is a build without CUDA"),
        ("2.13.0+rocm6.4", "torch .* is a build without CUDA"),
        (None, "torch is not installed"),
        ("2.13.0", ""),
        ("2.13.0+cu130", ""),
        ("2.6.0a0+df5bbc09d1.nv24.12", ""),
    ],
)
def test_auto_does_not_count_gpus_that_torch_cannot_use(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, why: str
) -> None:
    put(home, "opencoderplus")
    monkeypatch.setattr("opencoder_lsp.models.gpus.each", lambda: [Memory(ENOUGH)])
    install_torch(version, tmp_path, monkeypatch)
    if not why:
        assert registry.resolve(settings()).name == "opencoderplus"
        return
    with pytest.raises(ModelError, match=f"OpenCoderPlus does not run here: {why}"):
        registry.resolve(settings())
    put(home, "demo")
    assert registry.resolve(settings()).name == "demo"
    assert re.search(why, registry.explain_choice(settings()))


@pytest.mark.usefixtures("cuda_torch")
@pytest.mark.parametrize(
    ("memory", "kind", "name"),
    [
        ([32_100_000_000], "none", "opencoderplus"),
        ([32_000_000_000], "none", "demo"),
        ([24_000_000_000] * 2, "none", "opencoderplus"),
        ([16_000_000_000] * 2, "none", "demo"),
        ([16_900_000_000], "int8", "opencoderplus"),
        ([16_800_000_000], "int8", "demo"),
    ],
)
def test_auto_leaves_room_beside_the_weights(
    home: Path, monkeypatch: pytest.MonkeyPatch, memory: list[int], kind: str, name: str
) -> None:
    put(home, "demo")
    put(home, "opencoderplus")
    monkeypatch.setattr("opencoder_lsp.models.gpus.each", lambda: [Memory(one) for one in memory])
    assert registry.resolve(settings(f"engine.quantization={kind}")).name == name


@pytest.mark.usefixtures("no_gpus")
def test_auto_says_both_numbers_when_opencoderplus_does_not_fit(home: Path) -> None:
    put(home, "opencoderplus")
    with pytest.raises(ModelError, match=r"needs 32\.0 GB of GPU memory and there are 0\.0 GB"):
        registry.resolve(settings())
    put(home, "demo")
    assert "32.0 GB" in registry.explain_choice(settings())
    assert "int8" not in registry.explain_choice(settings())


@pytest.mark.usefixtures("cuda_torch")
def test_auto_says_where_int8_weights_would_fit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, "demo")
    put(home, "opencoderplus")
    monkeypatch.setattr("opencoder_lsp.models.gpus.each", lambda: [Memory(24 * 10**9)])
    assert "there are 24.0 GB; it does fit with engine.quantization int8" in (
        registry.explain_choice(settings())
    )


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
    with pytest.raises(ModelError, match=r"'gpt-4'.*demo, mine, openchat, openchat_8192"):
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


def test_a_model_without_template_is_a_base_model_unless_the_setting_says_otherwise(
    home: Path,
) -> None:
    put(home, "base", template="")
    assert registry.resolve(settings("model.name=base")).template == ""
    changed = settings("model.name=base", "model.template=chatml")
    assert registry.resolve(changed).template == "chatml"


def test_a_damaged_model_is_named_with_the_cure(home: Path) -> None:
    (put(home, "demo") / "config.json").write_text("longer")
    with pytest.raises(ModelError, match=r"config\.json has 6 bytes.*models pull demo"):
        registry.resolve(settings("model.name=demo"))


def test_resolving_a_model_imports_nothing_heavy() -> None:
    code = (
        "import sys; from opencoder_lsp.models import registry, store;"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'huggingface_hub', 'sentencepiece'}"
        " & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
