"""What is known of Markdown."""

import pytest

from opencoder_lsp.markdown import closed


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("```python\nx = 1", "\n```"),
        ("````\n```\nx", "\n````"),
        ("~~~\n```\nx", "\n~~~"),
        ("   ```\nx", "\n```"),
        ("```\nx\n``", "\n```"),
        ("```\na\n```\ntext\n```\nb", "\n```"),
        ("```\na\n``` no end", "\n```"),
        ("```\n~~~", "\n```"),
    ],
)
def test_an_open_code_block_is_closed(text: str, end: str) -> None:
    assert closed(text) == text + end
    assert closed(text + end) == text + end


@pytest.mark.parametrize(
    "text",
    ["", "plain", "```\nx\n```", "````\n```\n````", "``` a ` b\nx", "    ```\nindented", "a ```"],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert closed(text) == text
