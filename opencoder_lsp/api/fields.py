"""The fields of OpenAI's API, and of servers like it, that are not read here."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from opencoder_lsp.serving.refusals import RefusedError

log = logging.getLogger(__name__)

# They change no answer, whatever they say.
_WITHOUT_EFFECT = {
    "user",
    "store",
    "metadata",
    "prediction",
    "service_tier",
    "parallel_tool_calls",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "add_generation_prompt",
}
# They would, so that anything but what means "off" is refused. Those below the line are vLLM's and
# llama.cpp's.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "moderation": (),
    "web_search_options": (),
    "reasoning_effort": ("none",),
    "verbosity": ("medium",),
    "echo": (False,),
    # ---
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "prompt_embeds": (),
    "images": ([],),
    "grammar": ("",),
    "json_schema": (),
    "structured_outputs": (),
    "logits_processors": ([],),
    "allowed_token_ids": ([],),
    "bad_words": ([],),
    "min_p": (0,),
    "typical_p": (1,),
    "repetition_penalty": (1,),
    "repeat_penalty": (1,),
    "length_penalty": (1,),
    "min_tokens": (0,),
    "ignore_eos": (False,),
    "use_beam_search": (False,),
    "include_stop_str_in_output": (False,),
}
_PREFIXES = ("guided_",)
_MOST_NAMED = 20


def check_others(fields: Mapping[str, Any], choices: int) -> None:
    """
    Look at what a body has besides the fields that are read.

    Raises RefusedError (400) for what would change the answer and cannot; the rest is logged by
    name, never by value. `choices` is what `best_of` may say.
    """
    unknown = list[str]()
    for name, value in fields.items():
        off = {**_UNSUPPORTED, "best_of": (choices,)}.get(name)
        if name.startswith(_PREFIXES):
            off = ()
        if off is not None and value is not None and value not in off:
            message = f"{name} is not supported"
            raise RefusedError(400, message, param=name, code="unsupported_parameter")
        if off is None and name not in _WITHOUT_EFFECT:
            unknown.append(name)
    # A name is the client's, too: nothing but what looks like one is written down.
    named = [name for name in unknown[:_MOST_NAMED] if re.fullmatch(r"[A-Za-z_][\w-]{0,40}", name)]
    if named:
        log.info("fields that nothing reads: %s", ", ".join(sorted(named)))
