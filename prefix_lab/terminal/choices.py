"""A list over the replay, to choose a line from, or only to read."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from prefix_lab.terminal.lines import Lines

GOING = "↑ ↓ move   Enter goes there   Esc closes"
READING = "↑ ↓ move   Esc closes"


class Choices(ModalScreen[int | None]):
    """Gives the number of the line that Enter or a click chose; None when it was closed."""

    DEFAULT_CSS = """
    Choices { align: center middle; }
    Choices > Vertical { width: 90%; height: 80%; border: round $primary; background: $surface; padding: 0 1; }
    Choices #title { height: auto; text-style: bold; margin-bottom: 1; }
    Choices #keys { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup", "move(-10)"),
        Binding("pagedown", "move(10)"),
        Binding("home,g", "move(-4294967296)"),
        Binding("end,G", "move(4294967296)"),
        Binding("enter", "choose"),
        Binding("escape,q,question_mark,ctrl+c", "dismiss(None)"),
    ]

    def __init__(self, title: str, count: int, make: Callable[[int], Text], at: int = 0, keys: str = GOING):
        super().__init__()
        self.said, self.count, self.make, self.at, self.keys = title, count, make, at, keys

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self.said), id="title")
            yield Lines("choices")
            yield Static(self.keys, id="keys", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(Lines).fill, self.count, self.make, self.at)

    def action_move(self, by: int) -> None:
        self.at = min(max(self.at + by, 0), max(self.count - 1, 0))
        self.query_one(Lines).mark(self.at)

    def action_choose(self) -> None:
        self.dismiss(self.at if self.count else None)

    def on_lines_clicked(self, event: Lines.Clicked) -> None:
        self.dismiss(event.number)
