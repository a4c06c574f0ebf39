"""
Pictures of the plugin for its README, of a real session with the demo model.

    python -m tests.editors.picture       # writes editors/neovim/screen.svg anew

The demo model must be pulled (`opencoder-lsp models pull demo`).
"""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from tests.editors.neovim import NVIM
from tests.editors.screen import Screen, Style
from tests.editors.window import PLUGIN, window

SOURCE = "def mean(values):\n    return sum(values) / len(\n\n\nprint(mean([1, 2]))\n"
_READY = "require('opencoder').statusline() == 'OpenCoder'"
_WIDTH, _HEIGHT, _SIZE = 8.4, 18, 14  # pixels of a cell, and of the font
_GAP = 14
Cells = list[tuple[str, Style]]


def _colour(value: int | None, default: int | None) -> str:
    return f"#{value if value is not None else default or 0:06x}"


def _runs(row: Cells) -> Iterator[tuple[int, str, Style]]:
    column = 0
    for style, cells in groupby(row, key=lambda cell: cell[1]):
        texts = [text for text, _ in cells]
        yield column, "".join(texts), style
        column += len(texts)


def frame_of(screen: Screen) -> list[Cells]:
    """Return what is on a screen now."""
    return [screen.row(number) for number in range(screen.height)]


def _drawn(frame: Sequence[Cells], default: Style, top: float) -> Iterator[str]:
    width, height = len(frame[0]) * _WIDTH, len(frame) * _HEIGHT
    back = _colour(default.background, 0)
    yield f'<rect x="0" y="{top}" width="{width:.0f}" height="{height}" rx="4" fill="{back}"/>'
    for number, row in enumerate(frame):
        y = top + number * _HEIGHT
        for column, text, style in _runs(row):
            x, length = column * _WIDTH, len(text) * _WIDTH
            if style.background not in (None, default.background):
                fill = _colour(style.background, 0)
                yield (
                    f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{_HEIGHT}" '
                    f'fill="{fill}"/>'
                )
            if text.strip():
                fill = _colour(style.foreground, default.foreground)
                weight = ' font-weight="bold"' if style.bold else ""
                slant = ' font-style="italic"' if style.italic else ""
                yield (
                    f'<text x="{x:.1f}" y="{y + 13}" textLength="{length:.1f}" fill="{fill}"'
                    f'{weight}{slant} xml:space="preserve">{escape(text)}</text>'
                )


def svg(frames: Sequence[Sequence[Cells]], default: Style) -> str:
    """Draw screens below one another."""
    width = len(frames[0][0]) * _WIDTH
    parts, top = [], 0.0
    for frame in frames:
        parts += list(_drawn(frame, default, top))
        top += len(frame) * _HEIGHT + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {top - _GAP:.0f}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{_SIZE}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


async def record(folder: Path) -> str:
    """Complete a line and explain it, and return the pictures."""
    file = folder / "mean.py"
    file.write_text(SOURCE, encoding="utf-8")
    environment = {"OPENCODER_MODEL_NAME": "demo"}
    before = "vim.o.laststatus = 0 vim.o.ruler = false"
    setup = "{ settings = { chat = { temperature = 0 } } }"
    options = {"before": before, "setup": setup}
    async with window(
        NVIM, folder, file, environment=environment, size=(84, 20), **options
    ) as person:
        await person.lua("vim.o.cmdheight = 1 vim.o.showmode = false")
        await person.holds(_READY)
        await person.type("jA")
        await person.shows("    return sum(values) / len(values)")
        frames = [frame_of(person.screen)[:6]]
        await person.type("<Tab><Esc>")
        await person.holds("vim.api.nvim_get_mode().mode == 'n'")
        await person.type(":1,2OpenCoder explain<CR>")
        await person.shows("Explain …")
        await person.hides("Explain …")
        frames.append(frame_of(person.screen)[:-1])
        return svg(frames, person.screen.default)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        text = asyncio.run(record(Path(name)))
    (PLUGIN / "screen.svg").write_text(text, encoding="utf-8")
