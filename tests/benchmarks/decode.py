"""Decode and prefill speed of the engine beside transformers' `generate`, on the same weights."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from opencoder_lsp.client.engine import CompletionRequest, EngineClient
from opencoder_lsp.client.launcher import Launcher
from opencoder_lsp.settings import Settings

TOKENS = 64
PREFILL = 1024
ROUNDS = 5

# Runs in a process of its own, so that its threads and memory do not disturb the engine's.
PEER = """
import sys, time, torch
from transformers import LlamaForCausalLM
folder, threads, tokens, prefill, rounds = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
def once(length, new, seed):
    ids = torch.arange(100 + seed, 100 + seed + length)[None] % 40000 + 100
    start = time.perf_counter()
    with torch.inference_mode():
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                       max_new_tokens=new, min_new_tokens=new, pad_token_id=0)
    return time.perf_counter() - start
once(32, 4, 0)
decode = min((once(32, tokens + 1, r) - once(32, 1, r)) / tokens for r in range(rounds))
print(1 / decode, min(once(prefill, 1, r) for r in range(rounds)))
"""


async def _once(client: EngineClient, length: int, new: int, seed: int) -> tuple[float, int]:
    """Return the seconds that one greedy request took and the tokens that it made."""
    prompt = [(100 + seed + i) % 40000 + 100 for i in range(length)]
    request = CompletionRequest(prompt=prompt, max_tokens=new, stop_token_ids=[])
    start = time.perf_counter()
    async with client.complete(request) as stream:
        async for _ in stream:
            pass
    assert stream.usage is not None
    return time.perf_counter() - start, stream.usage.completion_tokens


async def _ours(settings: Settings) -> tuple[float, float]:
    """Return tokens per second of decoding and seconds of a prefill."""
    launcher = Launcher(settings)
    client = await launcher.client()
    await _once(client, 32, 4, 0)
    decode, prefill = [], []
    for seed in range(ROUNDS):
        # A repeated prompt is found in its slot, so the second request is decoding only.
        await _once(client, 32, 1, seed)
        seconds, made = await _once(client, 32, TOKENS, seed)
        decode.append(seconds / made)
    for seed in range(ROUNDS):
        prefill.append((await _once(client, PREFILL, 1, 7 * (seed + 1)))[0])
    await launcher.stop()
    return 1 / min(decode), min(prefill)


def run(home: Path) -> None:
    """Print both engines' figures and their ratios."""
    os.environ["OPENCODER_HOME"] = str(home)
    threads = os.cpu_count()
    folder = home / "data" / "models" / "demo"
    arguments = [str(number) for number in (threads, TOKENS, PREFILL, ROUNDS)]
    command = [sys.executable, "-c", PEER, str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peer_decode, peer_prefill = map(float, done.stdout.split())
    settings = Settings.load(
        cli=["model.name=demo", "engine.lookup=false", f"engine.threads={threads}"]
    )
    decode, prefill = asyncio.run(_ours(settings))
    print(f"engine beside transformers generate (demo model, bf16, {threads} threads)")
    print(f"  {'':24}{'engine':>10}{'generate':>10}{'ratio':>8}")
    print(f"  {'decode, tokens/s':24}{decode:10.1f}{peer_decode:10.1f}{decode / peer_decode:8.2f}")
    ratio = peer_prefill / prefill
    print(f"  {f'prefill {PREFILL}, s':24}{prefill:10.2f}{peer_prefill:10.2f}{ratio:8.2f}")
