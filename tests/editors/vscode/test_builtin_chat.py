"""`@opencoder` in VS Code's own chat, and the model for other extensions, without any sign-in."""

from pathlib import Path
from typing import Any

from opencoder_lsp.prompt.tokenizer import Tokenizer
from tests.editors.vscode.code_server import CodeServer
from tests.editors.vscode.window import opened
from tests.editors.vscode.workbench import MARKS, Workbench
from tests.fakes.engine import FakeEngine

pytestmark = MARKS


def chat(person: Workbench) -> Any:
    """Return VS Code's own chat."""
    return person.page.locator(".interactive-session")


async def ask(person: Workbench, question: str) -> str:
    """Ask in VS Code's chat, where `@opencoder` stays once it was written; return the prompt."""
    asked = person.asked()
    await person.type(question)
    await person.press("Enter")
    await person.engine.until(lambda: person.asked() > asked)
    tokenizer = Tokenizer.load(person.server.data.parent / "model")
    return tokenizer.decode(person.engine.requests[-1]["prompt"])


async def says(person: Workbench, text: str) -> None:
    """Wait for a text in an answer."""
    await chat(person).locator(".interactive-response").get_by_text(text).last.wait_for()


async def test_opencoder_answers_in_vs_codes_chat_and_other_extensions_may_ask_the_model(
    browser: Any, server: CodeServer, engine: FakeEngine, home: Path
) -> None:
    folder = home / "work" / "builtin"
    folder.mkdir(parents=True)
    offered = {"chat.disableAIFeatures": False, "opencoder.builtinChat.enabled": True}
    server.set(offered)
    try:
        async with opened(browser, server, engine, folder) as person:
            await person.ready()
            await asks_opencoder(person)
            await asks_the_model(person)
    finally:
        server.set(dict.fromkeys(offered))


async def asks_opencoder(person: Workbench) -> None:
    """Ask about selected code, and then about the answer."""
    await person.open("def add(a, b):\n    return a + b\n")
    await person.press("Control+a")
    await person.command(">Chat: Open Chat")
    await chat(person).get_by_text("OpenCoder (tiny)").first.wait_for()
    await person.type("@opencoder ")
    known = chat(person).locator(".view-line span[class*=chat-session-text]")
    await known.filter(has_text="@opencoder").wait_for()
    person.engine.answer("It is a **sum**.\n\n<b>so</b>\n")
    assert "def add(a, b)" in await ask(person, "/explain briefly")
    await says(person, "It is a sum.")
    await says(person, "<b>so</b>")
    await person.picture("builtin-chat")
    person.engine.answer("Of two numbers.")
    prompt = await ask(person, "Of what?")
    assert prompt.index("briefly") < prompt.index("It is a") < prompt.index("Of what?")
    await says(person, "Of two numbers.")


async def asks_the_model(person: Workbench) -> None:
    """Ask from another extension, which finds no model once the setting is off."""
    person.engine.answer(["It ", "is 42."])
    await person.command(">Probe: Ask a Language Model")
    await person.notification('OpenCoder (tiny) says ["It ","is 42."]')
    await person.command(">Probe: Turn the Built-in Chat On or Off")
    await person.notification("the built-in chat is off")
    await person.command(">Probe: Ask a Language Model")
    await person.notification("there is no model")
