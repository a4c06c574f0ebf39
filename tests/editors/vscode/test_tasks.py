"""Explain, fix, document, test and refactor in VS Code: what is shown, accepted, and undone."""

from typing import Any

from tests.editors.vscode.workbench import MARKS, STATUS, Workbench

pytestmark = MARKS

SOURCE = "def add(a, b):\n    return a - b\n"
REVIEWED = "✓ accept, ✗ discard"  # in the title of a change
FIXED = "def add(a, b):\n    return a + b\n"


def thread(person: Workbench) -> Any:
    """Return the explanation that is open."""
    return person.page.locator(".review-widget")


async def close(person: Workbench) -> None:
    """Close the explanation."""
    await thread(person).get_by_role("button", name="Close").click()
    await thread(person).wait_for(state="detached")


async def looks_at(person: Workbench, name: str = "mean.py") -> None:
    """Wait until a file itself is in front, where one can type."""
    tab = person.page.locator(f".tab.active[data-resource-name='{name}']")
    await tab.filter(has_not_text=REVIEWED).wait_for()
    plain = ".monaco-editor.focused:not(.monaco-diff-editor *)"
    await person.page.locator(f".editor-instance {plain}").first.wait_for()


async def compares(person: Workbench) -> None:
    """Wait until a change is in front, to be accepted or discarded."""
    await person.page.locator(".tab.active").filter(has_text=REVIEWED).wait_for()
    await person.page.locator(".monaco-diff-editor .monaco-editor.focused").first.wait_for()


async def proposed(person: Workbench, title: str, answer: str) -> None:
    """Ask for a change of the whole file that is open, and look at it."""
    person.engine.default = f"```python\n{answer}```\n"
    await person.press("Control+a")
    await person.command(title)
    await compares(person)


async def test_an_explanation_grows_under_the_code_and_can_be_asked_further(
    person: Workbench,
) -> None:
    await person.open(SOURCE)
    person.engine.default = "It **takes** b from a.\n\n```python\nadd(2, 1)\n```\n"
    person.engine.pause_after(2)
    await person.press("Control+a")
    await person.command("Explain")
    await thread(person).get_by_text("It takes").wait_for()
    assert await thread(person).get_by_text("add(2, 1)").count() == 0
    await person.page.locator(f"{STATUS} .codicon-sync").wait_for()  # it is busy
    person.engine.resume()
    await thread(person).get_by_text("add(2, 1)").wait_for()
    await person.has_texts(thread(person).locator(".comment-body strong"), ["takes"])
    await person.picture("explanation")
    person.engine.default = "Because *minus* does."
    await thread(person).locator(".monaco-editor").last.click()
    await person.type("Why is that?")
    await person.press("Control+Enter")
    await thread(person).get_by_text("Because minus does.").wait_for()
    await person.has_texts(thread(person).get_by_text("Why is that?"), ["Why is that?"])
    await thread(person).get_by_role("button", name="Go On in Chat").click()
    await person.chat.get_by_text("Because minus does.").wait_for()
    assert (await person.messages())[-2:] == ["Why is that?", "Because minus does."]
    await close(person)


async def test_an_explanation_is_stopped_and_the_engine_with_it(person: Workbench) -> None:
    await person.open(SOURCE)
    person.engine.default = "It goes on and on and on."
    person.engine.pause_after(2)
    before = person.engine.cancellations
    await person.page.locator(".view-lines").get_by_text("return").click(button="right")
    await person.page.get_by_role("menuitem", name="OpenCoder").click()
    await person.page.get_by_role("menuitem", name="Explain").hover()
    await person.press("Enter")
    await thread(person).get_by_text("It goes").wait_for()
    await thread(person).get_by_role("button", name="Stop").click()
    await thread(person).get_by_text("Stopped.").wait_for()
    await person.engine.cancelled(before + 1)
    await close(person)


async def test_what_the_lightbulb_offers_is_shown_the_same_way(person: Workbench) -> None:
    await person.open(SOURCE)
    await person.press("Control+a", "Control+.")
    person.engine.default = "It takes b from a."
    await person.page.get_by_text("Explain with OpenCoder").click()
    await thread(person).get_by_text("It takes b from a.").wait_for()
    await close(person)


async def test_an_edit_from_the_lightbulb_is_looked_at_as_any_other(person: Workbench) -> None:
    await person.open(SOURCE)
    await person.press("Control+a", "Control+.")
    person.engine.default = f"```python\n{FIXED}```\n"
    await person.page.get_by_text("Refactor with OpenCoder").click()
    await compares(person)
    await person.press("Escape")
    await looks_at(person)


async def test_a_fix_is_a_diff_that_is_accepted_and_undone_in_one_step(person: Workbench) -> None:
    file = await person.open(SOURCE)
    await proposed(person, "Fix", FIXED)
    await person.page.locator(".diffOverview, .editor-instance .line-insert").first.wait_for()
    await person.picture("diff")
    assert file.read_text(encoding="utf-8") == SOURCE
    await person.press("Control+Enter")
    await looks_at(person)
    assert await person.save(file) == FIXED.encode()
    await person.press("Control+z")
    assert await person.save(file) == SOURCE.encode()


async def test_a_change_that_is_discarded_leaves_the_file_alone(person: Workbench) -> None:
    file = await person.open(SOURCE)
    await proposed(person, "Fix", FIXED)
    await person.page.get_by_role("button", name="Discard").first.click()
    await looks_at(person)
    await person.type("# mine\n")
    assert FIXED.encode() not in await person.save(file)


async def test_a_change_of_a_file_that_was_changed_since_is_not_made(person: Workbench) -> None:
    file = await person.open(SOURCE)
    await proposed(person, "Fix", FIXED)
    await person.press("Control+Tab")
    await looks_at(person)
    await person.press("Control+End")
    await person.type("# mine\n")
    await person.command("Accept")
    await person.notification("the file has changed since")
    assert await person.save(file) == f"{SOURCE}# mine\n".encode()


async def test_documentation_is_written_into_the_function(person: Workbench) -> None:
    file = await person.open(FIXED)
    person.engine.default = '"""Return the sum of a and b."""\n'
    await person.press("Control+Alt+o", "d")
    await compares(person)
    await person.press("Control+Enter")
    await looks_at(person)
    saved = (await person.save(file)).decode()
    assert saved == FIXED.replace(":\n", ':\n    """Return the sum of a and b."""\n', 1)


async def test_tests_are_a_new_file(person: Workbench) -> None:
    file = await person.open(FIXED)
    tests = "from mean import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
    await proposed(person, "Write Tests", tests)
    await person.press("Control+Enter")
    await looks_at(person, "test_mean.py")
    assert await person.save(file.parent / "test_mean.py") == tests.encode()


async def test_refactoring_asks_what_is_to_change(person: Workbench) -> None:
    await person.open(SOURCE)
    person.engine.default = f"```python\n{FIXED}```\n"
    await person.press("Control+a")
    await person.command("Refactor…")
    await person.page.locator(".quick-input-widget input.input").fill("Add them")
    await person.press("Enter")
    await compares(person)
    await person.press("Escape")


async def test_an_answer_without_a_change_is_said_so_and_can_be_read(person: Workbench) -> None:
    await person.open(SOURCE)
    person.engine.default = "There is nothing wrong with it."
    await person.press("Control+a")
    await person.command("Fix")
    message = await person.notification("nothing is changed")
    await message.get_by_role("button", name="Show the Answer").click()
    await person.page.get_by_text("There is nothing wrong").first.wait_for()


async def test_the_user_may_have_explanations_in_a_document(person: Workbench) -> None:
    async with person.settings({"opencoder.explain.view": "document"}):
        await person.open(SOURCE)
        person.engine.default = "It takes b from a."
        await person.command("Explain")
        await person.page.locator(".tab").filter(has_text="Explanation.md").wait_for()
        await person.page.locator(".view-lines").get_by_text("It takes b from a.").wait_for()


async def test_the_user_may_have_explanations_in_the_chat(person: Workbench) -> None:
    async with person.settings({"opencoder.explain.view": "chat"}):
        await person.open(SOURCE)
        person.engine.default = "It takes b from a."
        await person.press("Control+a")
        await person.command("Explain")
        await person.chat.get_by_text("It takes b from a.").wait_for()
        assert (await person.messages())[-2:] == ["Explain this code.", "It takes b from a."]
