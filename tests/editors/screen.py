"""What a Neovim shows, as its user interface protocol tells it (`:help ui-linegrid`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell looks; colours are 0xRRGGBB, None for the default one."""

    foreground: int | None = None
    background: int | None = None
    bold: bool = False
    italic: bool = False
    strikethrough: bool = False

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> "Style":
        """Read the attributes of `hl_attr_define`."""
        foreground, background = attributes.get("foreground"), attributes.get("background")
        if attributes.get("reverse"):
            foreground, background = background, foreground
        flags = (bool(attributes.get(name)) for name in ("bold", "italic", "strikethrough"))
        return cls(foreground, background, *flags)


def _ignored(*arguments: object) -> None:
    """Take an event that says nothing of what is looked at here."""


class Screen:
    """
    A grid of cells, kept up to date by `redraw` events.

    It is as it was when they last flushed: of what is drawn since, half may be there only.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cursor = (0, 0)  # row and column
        self.mode = "normal"
        self.default = Style(0xFFFFFF, 0x000000)
        self._cells = [[(" ", 0)] * width for _ in range(height)]
        self._drawn = [[(" ", 0)] * width for _ in range(height)]
        self._drawn_cursor = (0, 0)
        self._styles = {0: Style()}

    @property
    def lines(self) -> list[str]:
        """The rows without the blanks at their ends; the second half of a wide one is ""."""
        return ["".join(text for text, _ in row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        """All rows."""
        return "\n".join(self.lines)

    def style_of(self, text: str) -> Style:
        """Return how the first character of a text looks, where it first stands on the screen."""
        for row, line in enumerate(self.lines):
            if (start := line.find(text)) >= 0:
                texts = [cell for cell, _ in self._cells[row]]
                columns = [column for column, cell in enumerate(texts) for _ in cell]
                return self.row(row)[columns[start]][1]
        raise AssertionError(f"{text!r} is not on the screen:\n{self.text}")

    def row(self, number: int) -> list[tuple[str, Style]]:
        """Return the cells of a row."""
        return [(text, self._styles.get(style, Style())) for text, style in self._cells[number]]

    def take(self, events: Iterable[Sequence[Any]]) -> bool:
        """Take a batch of events; return whether there is another screen now."""
        flushed = False
        for name, *calls in events:
            flushed = flushed or name == "flush"
            handler = getattr(self, f"_{name}", _ignored)
            for call in calls:
                handler(*call)
        return flushed

    def _grid_line(self, grid: int, row: int, column: int, cells: Any, *_: object) -> None:
        style = 0
        for text, *more in cells:
            style = more[0] if more else style
            for _again in range(more[1] if len(more) > 1 else 1):
                self._drawn[row][column] = (text, style)
                column += 1

    def _flush(self) -> None:
        self._cells = [row.copy() for row in self._drawn]
        self.cursor = self._drawn_cursor

    def _grid_clear(self, grid: int) -> None:
        self._drawn = [[(" ", 0)] * self.width for _ in range(self.height)]

    def _grid_cursor_goto(self, grid: int, row: int, column: int) -> None:
        self._drawn_cursor = (row, column)

    def _grid_scroll(
        self, grid: int, top: int, bottom: int, left: int, right: int, rows: int, columns: int
    ) -> None:
        span = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in span:
            self._drawn[row][left:right] = self._drawn[row + rows][left:right]

    def _hl_attr_define(self, id: int, attributes: Any, *_: object) -> None:
        self._styles[id] = Style.of(attributes)

    def _default_colors_set(self, foreground: int, background: int, *_: object) -> None:
        self.default = Style(foreground, background)

    def _mode_change(self, mode: str, index: int) -> None:
        self.mode = mode
