"""Conversations as Markdown and JSON."""

import json

from opencoder_lsp.conversations.entries import Attachment, Conversation, Entry
from opencoder_lsp.conversations.export import named, to_json, to_markdown

ATTACHED = (Attachment("a.py", "python", "x = 1\n", 10, 40), Attachment("b.c", "c", "int x;"))
CONVERSATION = Conversation(
    "id",
    "What is it?",
    "/home/me/project",
    1_750_000_000.0,
    1_750_000_100.0,
    (
        Entry("user", "What is it?", ATTACHED, time=1.5, id="q"),
        Entry("assistant", "A **number**.", finish_reason="stop", model="demo", time=2.5, id="a"),
        Entry("user", "Show me.", id="q2"),
        Entry("assistant", "```python\nx = ", finish_reason="length", id="a2"),
        Entry("user", "More.", id="q3"),
        Entry("assistant", "Well", finish_reason="stopped", id="a3"),
    ),
)


def test_markdown_has_the_title_and_every_message_in_its_order() -> None:
    text = to_markdown(CONVERSATION)
    assert text.startswith("# What is it?\n\n*2025-06-1")
    assert (
        "in `/home/me/project`*\n\n## Question\n\nWhat is it?\n\n*attached: `a.py`, lines" in text
    )
    assert "## Answer of demo\n\nA **number**.\n\n## Question\n\nShow me." in text
    assert text.endswith("## Question\n\nMore.\n\n## Answer\n\nWell\n\n*(stopped)*\n")


def test_a_code_block_that_was_cut_off_does_not_swallow_what_follows() -> None:
    assert "```python\nx =\n```\n\n*(cut off" in to_markdown(CONVERSATION)


def test_json_has_everything_and_says_what_it_is() -> None:
    data = json.loads(json.dumps(to_json(CONVERSATION)))
    assert (data["format"], data["version"]) == ("opencoder-lsp conversation", 1)
    assert (data["id"], data["title"], data["workspace"]) == (
        "id",
        "What is it?",
        "/home/me/project",
    )
    assert (data["created"], data["updated"]) == (1_750_000_000.0, 1_750_000_100.0)
    question, answer = data["messages"][:2]
    assert question["attachments"][0] == {
        "path": "a.py",
        "language": "python",
        "firstLine": 10,
        "lastLine": 40,
        "mentioned": False,
        "text": "x = 1\n",
    }
    assert answer == {
        "id": "a",
        "role": "assistant",
        "content": "A **number**.",
        "attachments": [],
        "finishReason": "stop",
        "model": "demo",
        "time": 2.5,
    }


def test_an_attachment_is_named_with_its_lines() -> None:
    assert named(Attachment("a.py", "", "", 3, 3)) == "`a.py`, line 3"
    assert named(Attachment("a.py", "", "", 3, 5)) == "`a.py`, lines 3 to 5"
    assert named(Attachment("a.py", "", "")) == "`a.py`"
