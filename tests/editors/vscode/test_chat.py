"""The chat in the side bar of VS Code."""

from typing import Any

import pytest

from tests.api.web.test_hostile import HOSTILE, canary
from tests.editors.vscode.workbench import MARKS, Workbench

__all__ = ["canary"]  # a fixture

pytestmark = MARKS

READABLE = 4.5  # the least contrast of text: WCAG 2.2, 1.4.3

# The chat's background, and each text on it with its contrast as WCAG counts it.
COLOURS = """(chat) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [red, green, blue] = numbers(colour).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const back = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    const opacity = numbers(colour)[3] ?? 1;
    if (opacity === 1) return colour;
    const below = numbers(back(one.parentElement));
    const mixed = numbers(colour).slice(0, 3)
      .map((own, n) => own * opacity + below[n] * (1 - opacity));
    return `rgb(${mixed.join(" ")})`;
  };
  const texts = [];
  const walker = document.createTreeWalker(chat, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !one.checkVisibility()) continue;
    const [high, low] = [getComputedStyle(one).color, back(one)].map(light).sort((a, b) => b - a);
    texts.push({ text: walker.currentNode.data, contrast: (high + 0.05) / (low + 0.05) });
  }
  return { back: getComputedStyle(chat).backgroundColor, texts };
}"""

# Keeps in mind that a button has said it, which is there for a moment only.
COPIED = """(one) => {
  one.copied = new Promise((resolve) =>
    new MutationObserver(() => one.textContent === "Copied" && resolve(true))
      .observe(one, { childList: true }));
}"""


async def new(person: Workbench) -> None:
    """Begin a new conversation."""
    await person.command("New Chat")
    await person.chat.get_by_text("Ask something to begin").wait_for()


def button(person: Workbench, name: str) -> Any:
    """Return a button of the chat."""
    return person.chat.get_by_role("button", name=name, exact=True)


async def test_an_answer_streams_is_stopped_goes_on_and_is_regenerated(person: Workbench) -> None:
    await new(person)
    person.engine.answer("One, two, three.")
    person.engine.pause_after(2)
    await person.ask("Count.")
    await person.chat.get_by_text("One, two,").wait_for()
    await button(person, "Stop the answer").click()
    await person.chat_says("Stopped.")
    person.engine.resume()
    person.engine.answer("three.")
    await button(person, "Continue this answer").click()
    await person.chat.get_by_text("One, two, three.").wait_for()
    await person.chat_says("The answer is complete")
    person.engine.answer("Four.")
    await button(person, "Regenerate the answer").click()
    await person.chat.get_by_text("Four.").wait_for()
    await person.chat_says("The answer is complete")
    await person.said("Count.", "Four.")


async def test_the_last_question_is_edited_and_a_turn_deleted(person: Workbench) -> None:
    await new(person)
    await person.turn("Hello", "Hi.")
    await person.turn("Why?", "So.")
    await button(person, "Edit this question").click()  # there is one: the last question's
    await person.chat.get_by_role("textbox", name="Edit question").fill("How?")
    person.engine.answer("Like this.")
    await button(person, "Save and send; what follows is replaced").click()
    await person.chat.get_by_text("Like this.").wait_for()
    await person.chat_says("The answer is complete")
    await person.said("Hello", "Hi.", "How?", "Like this.")
    await button(person, "Delete this question and its answer").first.click()
    await person.chat.get_by_text("Hello").wait_for(state="detached")
    await person.said("How?", "Like this.")


async def test_files_and_selections_go_along_once(person: Workbench) -> None:
    file = await person.open("def add(a, b):\n    return a + b\n")
    name = f"{file.parent.name}/mean.py"
    await new(person)
    await button(person, "Attach the open file").click()
    await button(person, f"Do not attach {name}").wait_for()
    await person.turn("What is it?", "A sum.")
    await person.chat.get_by_text(f"With {name}.").wait_for()
    await button(person, f"Do not attach {name}").wait_for(state="detached")
    await person.page.locator(".editor-instance .view-lines").first.click()
    await person.press("Control+Home", "Shift+End")
    await person.command("Attach Selection to Chat")
    await button(person, f"Do not attach {name}:1").click()
    await button(person, f"Do not attach {name}:1").wait_for(state="detached")


async def test_a_file_that_is_named_is_offered_and_goes_along_and_a_secret_one_does_not(
    person: Workbench,
) -> None:
    # All but the last letter of the name finds one more, so one knows what was looked for.
    for name in ("src/parser.py", "src/parsing.md", "src/party.md", "parser.key", ".env"):
        file = person.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# {name}\n", encoding="utf-8")
    await new(person)
    box = person.chat.get_by_role("textbox", name="Your question")
    await box.press_sequentially("Is @pars")
    options = person.chat.get_by_role("listbox", name="Files").get_by_role("option")
    await person.has_texts(options, ["parser.py src/", "parsing.md src/"])
    await box.press("ArrowDown")
    await person.chat.get_by_role("option", name="parsing.md", selected=True).wait_for()
    await person.picture("file-choice")
    assert await box.get_attribute("aria-activedescendant") == await options.last.get_attribute(
        "id"
    )
    await box.press("Tab")
    await button(person, "Do not attach src/parsing.md").wait_for()
    await box.press_sequentially("right?")
    assert await box.input_value() == "Is src/parsing.md right?"
    await box.press("Enter")
    await person.chat.get_by_text("With src/parsing.md.").wait_for()
    await person.chat_says("The answer is complete")
    asked = person.asked()
    await person.ask("And @.env?")
    await person.chat_says(".env is not sent to a model")
    assert person.asked() == asked


async def test_code_is_inserted_applied_and_opened_as_a_file(person: Workbench) -> None:
    file = await person.open("a = 1\nb = 2\n")
    await new(person)
    answer = "Take the *next* number:\n\n```python\nc = 3\n```\n\nIt is the sum $c = a + b$.\n"
    await person.turn("What could come next?", answer)
    await person.chat.locator(".katex").wait_for()
    await person.picture("chat")
    copy = button(person, "Copy this code")
    await copy.evaluate(COPIED)
    await copy.click()
    await copy.evaluate("(one) => one.copied")
    await person.page.locator(".tab.active").click()  # who has not the focus reads no clipboard
    assert await person.page.evaluate("navigator.clipboard.readText()") == "c = 3\n"
    await button(person, "Insert this code at the cursor").click()
    assert await person.save(file) == b"c = 3a = 1\nb = 2\n"
    await person.press("Control+End", "ArrowUp", "Shift+End")
    await button(person, "Put this code in the place of the selection").click()
    await person.page.locator(".tab.active").filter(has_text="✓ accept, ✗ discard").wait_for()
    await person.page.get_by_role("button", name="Accept").first.click()
    await person.page.locator(".tab.active[data-resource-name='mean.py']").wait_for()
    assert await person.save(file) == b"c = 3a = 1\nc = 3\n"
    await button(person, "Open this code as a new file").click()
    await person.page.locator(".tab.active").filter(has_text="Untitled").wait_for()


async def test_a_conversation_is_there_again_after_a_reload_and_in_the_history(
    person: Workbench,
) -> None:
    await new(person)
    await person.turn("Remember this", "I do.")
    await new(person)
    await person.turn("And that", "That, too.")
    await person.load()
    await person.ready()
    await person.command("Open Chat")
    await person.chat.get_by_text("That, too.").wait_for()
    await person.said("And that", "That, too.")
    await person.command("Earlier Chats…")
    await person.choose("Remember this")
    await person.chat.get_by_text("I do.").wait_for()
    await person.said("Remember this", "I do.")
    await person.turn("Go on", "Gladly.")
    assert len(await person.messages()) == 4


async def test_an_engine_that_fails_keeps_the_question_which_can_be_asked_again(
    person: Workbench,
) -> None:
    await new(person)
    person.engine.fail_with(500, "the GPU has gone")
    await person.ask("Are you there?")
    await person.chat_says("Failed")
    await person.said("Are you there?")
    person.engine.answer("Yes.")
    await button(person, "Regenerate the answer").click()
    await person.chat.get_by_text("Yes.").wait_for()
    await person.chat_says("The answer is complete")
    await person.said("Are you there?", "Yes.")


async def test_the_chat_follows_the_theme_and_can_be_read_in_all_of_them(
    person: Workbench,
) -> None:
    await new(person)
    code = "```python\ndef add(a: int) -> str:\n    return f'{a + 1}'  # sum\n```\n"
    answer = f"Take `this`, [a link](https://example.org):\n\n{code}\n> quoted\n\n|a|\n|-|\n|1|\n"
    await person.turn("What is it?", answer)
    side = person.page.locator(".part.sidebar")
    backs = set()
    for theme, kind in (  # each of another kind than the one before; it is dark at first
        ("Light High Contrast", "vscode-high-contrast-light"),
        ("Dark Modern", "vscode-dark"),
        ("Dark High Contrast", "vscode-high-contrast"),
        ("Light Modern", "vscode-light"),
    ):
        await person.press("Control+k", "Control+t")
        await person.choose(theme)
        await person.chat.locator(f"body.{kind}").wait_for()
        await person.picture(f"chat {theme}")
        seen = await person.chat.locator(".chat").evaluate(COLOURS)
        assert seen["back"] == await side.evaluate("one => getComputedStyle(one).backgroundColor")
        assert [one for one in seen["texts"] if one["contrast"] < READABLE] == [], theme
        backs.add(seen["back"])
    assert len(backs) == 4


@pytest.mark.fault("F65")
async def test_hostile_markdown_is_inert_in_the_chat_and_under_the_code(
    person: Workbench, canary: tuple[str, list[str]]
) -> None:
    address, asked = canary
    await new(person)
    await person.turn("Be hostile", HOSTILE.format(canary=address))
    await person.chat.locator("article table").wait_for()
    made = ".messages :is(img, script, iframe, style, link, meta, object, embed, form)"
    assert await person.chat.locator(made).count() == 0
    frame = person.chat.locator("body")
    assert await frame.evaluate("() => window.hacked") is None
    places = "(body) => [...body.querySelectorAll('.messages a')].map((one) => one.protocol)"
    assert set(await frame.evaluate(places)) <= {"http:", "https:"}
    await person.open("def add(a, b):\n    return a + b\n")
    person.engine.answer(HOSTILE.format(canary=address))
    await person.press("Control+a")
    await person.command("Explain")
    thread = person.page.locator(".review-widget")
    await thread.get_by_text("Ask further").first.wait_for()
    assert await thread.locator(".comment-body :is(img, script, iframe, table img)").count() == 0
    assert await person.page.evaluate("window.hacked") is None
    await thread.get_by_role("button", name="Close").click()
    assert asked == []
    assert not [place for place in person.places if place.startswith(address)]
