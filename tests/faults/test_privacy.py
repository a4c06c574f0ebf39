"""F46, F66, S19: what an editor's texts and settings must not bring about."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import FIRST, LAST
from tests.faults.session import ask, chat, document, suggested
from tests.protocol.conftest import StartEditor
from tests.protocol.editor import Editor, capabilities
from tests.protocol.raw import RawServer

CANARY = "correct horse battery staple"
LINE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 9}}


def explain(uri: str) -> dict[str, Any]:
    """Return the params of the command that explains the first line of a document."""
    return {"command": "opencoder.explain", "arguments": [{"uri": uri, "range": LINE}]}


async def asked_about(editor: Editor, text: str) -> None:
    """Bring a text into every part of a prompt that an editor can reach."""
    uri = f"file:///project/{quote(text)}.py"
    editor.open(f"# {text}\nx = ", uri=uri, language=text)
    assert len(await editor.complete(1, 4, uri=uri)) == 1
    selection = {"uri": uri, "range": {**LINE, "end": {"line": 1, "character": 4}}}
    await editor.command("opencoder.explain", selection)
    await editor.command("opencoder.chat", {"message": text, "attachments": [selection]})


@pytest.mark.fault("F46", "S17")
async def test_no_text_of_an_editor_s_becomes_a_control_token(
    editor: Editor, fake: FakeEngine, tokenizer_folder: Path
) -> None:
    tokenizer = Tokenizer.load(tokenizer_folder)
    controls = [tokenizer.control_id(token) for token in (*FIRST, *LAST)]
    hostile = "".join((*FIRST, *LAST))
    await asked_about(editor, "harmless")
    await asked_about(editor, hostile)
    counts = [[body["prompt"].count(id) for id in controls] for body in fake.requests]
    assert counts[3:] == counts[:3]
    for body in fake.requests[3:]:
        assert hostile in tokenizer.decode(body["prompt"])


@pytest.mark.fault("F66")
async def test_no_secret_reaches_an_engine_or_the_log(
    raw: RawServer, fake: FakeEngine, tokenizer_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(CANARY)
    (tmp_path / "settings.py").symlink_to(tmp_path / ".env")
    names = (".env", ".ENV", "%2Eenv", "a/../.env", "id_rsa", "server.pem", "settings.py")
    secrets = [f"{tmp_path.as_uri()}/{name}" for name in names]
    secrets += [f"git:{tmp_path}/.env?%7B%7D", f"vscode-notebook-cell:{tmp_path}/.env#a"]
    plain = f"{tmp_path.as_uri()}/plain.py"
    async with raw:
        await raw.initialize(rootUri=tmp_path.as_uri())
        raw.send("textDocument/didOpen", document("x = ", plain))
        for number, uri in enumerate(secrets):
            raw.send("textDocument/didOpen", document(f"{CANARY}\nx = ", uri))
            assert await suggested(raw, number, ask(1, 4, uri)) is None, uri
            attached = chat("What is this?")
            attached["arguments"][0]["attachments"] = [{"uri": uri, "range": LINE}]
            for params in (explain(uri), attached):
                answer = await raw.request("command", "workspace/executeCommand", params)
                assert answer["error"]["code"] == -32602, uri
                assert "privacy.exclude" in answer["error"]["message"]
        assert fake.requests == []
        assert await suggested(raw, "plain", ask(0, 4, plain)) == "fake .answer"
        answer = await raw.request("end", "workspace/executeCommand", explain(plain))
        assert answer["result"]["text"] == "fake .answer"
        await raw.request("shutdown", "shutdown")
        raw.send("exit")
        assert await raw.exited() == 0
        assert CANARY not in await raw.errors()
    tokenizer = Tokenizer.load(tokenizer_folder)
    prompts = [tokenizer.decode(body["prompt"]) for body in fake.requests]
    assert len(prompts) == 2
    assert not [prompt for prompt in prompts if "horse" in prompt]


@pytest.mark.fault("S19")
async def test_no_editor_leads_the_server_to_another_engine(
    start: StartEditor, fake: FakeEngine, tmp_path: Path
) -> None:
    async with FakeEngine(tmp_path / "other.sock") as other:
        machine = {"engine": {"url": other.url, "device": "cuda"}, "model": {"name": "/etc"}}
        editor = await start(
            capabilities(configuration=True), settings=machine, configuration=machine
        )
        editor.open("x = ")
        assert len(await editor.complete(0, 4)) == 1
        await editor.command("opencoder.restartEngine")
        await editor.command("opencoder.chat", {"message": "Hello"})
        assert len(fake.requests) == 2
        assert (other.requests, other.connections) == ([], 0)
