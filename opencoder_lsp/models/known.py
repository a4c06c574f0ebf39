"""The models that can be pulled by name. Nothing here needs torch."""

import math
from dataclasses import dataclass
from typing import Any

from opencoder_lsp.models import config as model_config

_OPENRAIL = "BigCode OpenRAIL-M v1"
_LLAMA_LICENCE = "that of LLaMA: research only, nothing commercial"
_END_OF_TEXT = "<|endoftext|>"
_END_OF_TURN = "<|end_of_turn|>"
_BF16 = 2  # bytes


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """
    A model that can be pulled by name.

    `shape` has those keys of its config.json on which sizes depend; `download_bytes` is what a
    pull transfers at most. `hub_id` is None where the model does not come from the Hugging Face
    hub, and `template` empty where the model was trained on text alone (a base model).
    """

    name: str
    title: str
    licence: str
    template: str
    stop_tokens: tuple[str, ...]
    shape: dict[str, Any]
    download_bytes: int
    hub_id: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return model_config.context_length(self.shape)

    @property
    def weights_bytes(self) -> int:
        """Bytes of all weights in bf16."""
        return _BF16 * sum(math.prod(shape) for shape in model_config.tensors(self.shape).values())


def _starcoder(vocabulary: int = 49152) -> dict[str, Any]:
    """15.5 billion parameters; one head of keys and values (bigcode-project/Megatron-LM)."""
    return {
        "model_type": "gpt_bigcode",
        "n_embd": 6144,
        "n_head": 48,
        "n_inner": 24576,
        "n_layer": 40,
        "n_positions": 8192,
        "multi_query": True,
        "vocab_size": vocabulary,
    }


def _llama_13b(context: int) -> dict[str, Any]:
    """The first LLaMA of 13 billion parameters, with one more token (arXiv:2302.13971)."""
    return {
        "model_type": "llama",
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_attention_heads": 40,
        "num_hidden_layers": 40,
        "max_position_embeddings": context,
        "vocab_size": 32001,
    }


DEMO = KnownModel(
    name="demo",
    title="SmolLM2-135M-Instruct, a small model that runs on any CPU",
    licence="Apache-2.0",
    template="chatml",
    stop_tokens=("<|im_end|>", _END_OF_TEXT),
    shape={
        "model_type": "llama",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "num_hidden_layers": 30,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "vocab_size": 49152,
    },
    download_bytes=92_871_040,
    aliases=("smollm2", "SmolLM2-135M-Instruct"),
)
OPENCODERPLUS = KnownModel(
    name="opencoderplus",
    title="OpenCoderPlus, 15.5 billion parameters, for GPUs with 40 GB (24 GB with int8 weights)",
    licence=_OPENRAIL,
    template="opencoder",
    stop_tokens=(_END_OF_TURN, _END_OF_TEXT),
    shape=_starcoder(49153),
    download_bytes=31_100_000_000,
    hub_id="openchat/opencoderplus",
    aliases=("opencoder",),
)


def _openchat(name: str, context: int) -> KnownModel:
    return KnownModel(
        name=name,
        title=f"OpenChat on LLaMA-13B, for conversations of {context} tokens",
        licence=_LLAMA_LICENCE,
        template=name,
        stop_tokens=(_END_OF_TURN, "</s>"),
        shape=_llama_13b(context),
        download_bytes=26_100_000_000,
        hub_id=f"openchat/{name}",
    )


def _base(name: str, title: str, shape: dict[str, Any], download_bytes: int) -> KnownModel:
    """Return a model of the StarCoder family that completes code and does not chat."""
    return KnownModel(
        name=name,
        title=f"{title}: completes code, does not chat",
        licence=_OPENRAIL,
        template="",
        stop_tokens=(_END_OF_TEXT,),
        shape=shape,
        download_bytes=download_bytes,
        hub_id=f"bigcode/{name}",
    )


_TINY_STARCODER = {
    **_starcoder(),
    "n_embd": 768,
    "n_head": 12,
    "n_inner": 3072,
    "n_layer": 20,
}
KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        DEMO,
        OPENCODERPLUS,
        _openchat("openchat", 2048),
        _openchat("openchat_8192", 8192),
        _base("starcoder", "StarCoder, 15.5 billion parameters", _starcoder(), 63_200_000_000),
        _base(
            "starcoderbase", "StarCoderBase, 15.5 billion parameters", _starcoder(), 63_200_000_000
        ),
        _base(
            "tiny_starcoder_py", "164 million parameters for Python", _TINY_STARCODER, 660_000_000
        ),
    )
}


def known(name: str) -> KnownModel | None:
    """Return the known model of this name, alias or hub id, whatever its letter case."""
    wanted = name.strip().casefold()
    for model in KNOWN.values():
        if wanted in {n.casefold() for n in (model.name, model.hub_id or "", *model.aliases) if n}:
            return model
    return None
