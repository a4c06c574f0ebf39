"""
transformers as a process that generates: `… transformers_process generate|batching FOLDER THREADS`.

Reads JSON lines: {"id", "prompt", "tokens"}, or {"leave": id}. Writes {"ready"} once, and for each
request {"id"} with its first token, then {"id", "tokens"} at its end.
"""

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.generation import BaseStreamer, ContinuousBatchingConfig

_PAGE = 16  # tokens
_BLOCKS = 1024
_BATCH_TOKENS = 2048


def write(message: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def read() -> Iterator[dict[str, Any]]:
    """Iterate over the lines of the standard input."""
    for line in sys.stdin:
        yield json.loads(line)


class FirstToken(BaseStreamer):  # type: ignore[misc]
    """Tells of the first token behind the prompt of a request."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._seen = 0

    def put(self, value: Any) -> None:
        """Take the prompt, then each token."""
        self._seen += 1
        if self._seen == 2:
            write({"id": self._number})

    def end(self) -> None:
        """Do nothing: `generate` returns then."""


def generate(model: Any) -> None:
    """Answer one request after the other by `model.generate`."""
    for request in read():
        if "leave" in request:
            continue
        number, prompt = request["id"], torch.tensor([request["prompt"]])
        output = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=request["tokens"],
            eos_token_id=None,
            pad_token_id=0,
            streamer=FirstToken(number),
        )
        write({"id": number, "tokens": output.shape[1] - prompt.shape[1]})


def batching(model: Any) -> None:
    """Answer all requests at once by continuous batching."""
    manager = model.init_continuous_batching(
        generation_config=GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0),
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=_PAGE,
            num_blocks=_BLOCKS,
            max_batch_tokens=_BATCH_TOKENS,
            use_cuda_graph=False,
        ),
    )
    manager.start()
    threading.Thread(target=take, args=(manager,), daemon=True).start()
    begun = set[str]()
    for result in manager:
        if result.generated_tokens and result.request_id not in begun:
            begun.add(result.request_id)
            write({"id": int(result.request_id)})
        if result.is_finished():
            begun.discard(result.request_id)
            write({"id": int(result.request_id), "tokens": len(result.generated_tokens)})


def take(manager: Any) -> None:
    """Hand requests in, until there are no more."""
    for request in read():
        if "leave" in request:
            manager.cancel_request(str(request["leave"]))
            continue
        manager.add_request(
            request["prompt"],
            request_id=str(request["id"]),
            max_new_tokens=request["tokens"],
            streaming=True,
            eos_token_id=-1,
        )
    manager.stop(block=False)


def main(kind: str, folder: str, threads: int) -> None:
    """Load the model in bf16 and answer."""
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    write({"ready": True})
    with torch.inference_mode():
        (generate if kind == "generate" else batching)(model)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
