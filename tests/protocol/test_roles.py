"""Completions and chats that have an engine and a model of their own."""

from pathlib import Path

from opencoder_lsp.prompt.conversation import TEMPLATES, Message, fit
from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.fakes.engine import FakeEngine
from tests.fakes.model_folder import make_tokenizer_folder
from tests.fakes.remote import Remote
from tests.protocol.conftest import StartEditor


async def test_each_role_speaks_to_its_own_model_in_its_own_template(
    start: StartEditor, fake: FakeEngine, tmp_path: Path
) -> None:
    folder = make_tokenizer_folder(tmp_path / "talker", "opencoder", name="talker")
    tokenizer = Tokenizer.load(folder)
    end = tokenizer.control_id("<|end_of_turn|>")
    async with Remote("vLLM", tokenizer, end=end) as remote:
        remote.cards = [{"id": "coder"}, {"id": "/models/talker"}]
        env = {"OPENCODER_CHAT_URL": remote.url, "OPENCODER_CHAT_MODEL": str(folder)}
        editor = await start(env=env)
        before = await editor.command("opencoder.status")
        remote.say("Hello.", "<|end_of_turn|>")
        answer = await editor.command("opencoder.chat", {"message": "hi"})
        editor.open("x = ")
        items = await editor.complete(0, 4)
        status = await editor.command("opencoder.status")
        await editor.shutdown_session()
        assert await editor.exited() == 0
    assert answer["text"] == "Hello."
    (asked,) = remote.completions
    assert asked["model"] == "/models/talker"
    wanted = fit(TEMPLATES["opencoder"], tokenizer, [Message("user", "hi")], 512).encoded
    assert asked["prompt"] == wanted.ids
    assert end in asked["stop_token_ids"]
    assert len(items) == len(fake.requests) == 1
    assert before["chat"]["engine"]["kind"] == "loading"
    assert status["model"] == {"name": "tiny", "template": "chatml"}
    assert status["engine"]["health"]["model"] == "fake"
    assert status["chat"]["model"] == {"name": "talker", "template": "opencoder"}
    assert status["chat"]["engine"]["kind"] == "ready"
    assert status["chat"]["engine"]["health"]["model"] == "/models/talker"
