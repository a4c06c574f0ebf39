"""`opencoder-lsp bench quality` on another maker's server, which wants a key."""

import json
from pathlib import Path

import pytest

from opencoder_lsp.client.servers import Kind
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.bench.test_quality import bench, code, model
from tests.fakes.remote import Remote

__all__ = ["code", "model"]


@pytest.mark.parametrize("kind", ["vLLM", "llama-server"])
async def test_another_makers_server_is_measured_without_likelihoods(
    kind: Kind, model: Path, code: Path, tmp_path: Path
) -> None:
    keys, file = tmp_path / "keys", tmp_path / "run.json"
    keys.touch(0o600)
    async with Remote(kind, Tokenizer.load(model)) as remote:
        remote.key = "abc-123"
        keys.write_text(f"{remote.url} abc-123\n")
        for _ in range(40):  # of which some may be asked in advance
            remote.say("items\n")
        pairs = [f"completion.url={remote.url}", f"engine.key_file={keys}", f"model.name={model}"]
        sets = [word for pair in pairs for word in ("--set", pair)]
        out, _ = await bench(code, "--holes=3", "--modes=prefix", "--json", file, *sets)
        asked = {tuple(body["prompt"]) for body in remote.completions}
    assert len(asked) >= 3
    assert f"no log-likelihood: {kind}" in out
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]["modes"]["prefix"]
    assert (figures["holes"], figures["shown"], figures["likelihood"]) == (3, 1.0, None)
    (row,) = [
        line.split() for line in out.splitlines() if line.startswith("prefix ") and "%" in line
    ]
    assert "none" in row
