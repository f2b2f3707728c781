"""Views of many lines, of which only those on the screen are made: a million cost no more than ten."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, Static

from prefix_lab.locale import N_, _

MARGIN = 3  # lines that stay visible around the marked one
GOING = N_("↑ ↓ move   Enter goes there   Esc closes")
READING = N_("↑ ↓ move   Esc closes")


class Lines(ScrollView, can_focus=False):
    """Lines of text, cut at the right edge. One of them may be marked."""

    COMPONENT_CLASSES: ClassVar = {"lines--marked"}
    DEFAULT_CSS = """
    Lines {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-color: $primary 60%;
    }
    Lines > .lines--marked { background: #2f4562; }
    """

    class Clicked(Message):
        """A line was clicked; `number` counts from 0."""

        def __init__(self, lines: "Lines", number: int):
            super().__init__()
            self.lines, self.number = lines, number

        @property
        def control(self) -> "Lines":
            return self.lines

    def __init__(self, id: str | None = None):
        super().__init__(id=id)
        self.count = 0
        self.marked: int | None = None
        self.left = 0  # columns that are out of sight, after
        self.fixed = 0  # these, which always stay
        self.make: Callable[[int], Text] = lambda number: Text()

    def fill(self, count: int, make: Callable[[int], Text], marked: int | None = None, fixed: int = 0) -> None:
        """Show `count` lines; `make(number)` gives one, when it is to be seen."""
        self.count, self.make, self.fixed = count, make, fixed
        self.virtual_size = Size(self.size.width, count)
        self.mark(marked)

    def mark(self, number: int | None) -> None:
        """Mark a line, and scroll if it is not well in sight."""
        self.marked = number
        self.refresh()
        height = self.scrollable_content_region.height
        if number is None or not height:
            return
        margin = min(MARGIN, (height - 1) // 2)
        top = self.scroll_offset.y
        if not top + margin <= number < top + height - margin:
            self.scroll_to(y=max(0, number - height // 2), animate=False, force=True)  # before it has a scroll bar, too

    def sideways(self, by: int) -> None:
        """Show what is further to the right, or back to the left."""
        self.left = max(0, self.left + by)
        self.refresh()

    @property
    def width(self) -> int:
        """The columns that a line has."""
        return self.scrollable_content_region.width

    def on_resize(self) -> None:
        self.mark(self.marked)

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y + self.scroll_offset.y < self.count:
            self.post_message(self.Clicked(self, offset.y + self.scroll_offset.y))

    def render_line(self, y: int) -> Strip:
        number, width = y + self.scroll_offset.y, self.width
        if number >= self.count:
            return Strip.blank(width, self.rich_style)
        text = self.make(number).copy()
        text.truncate(self.left + width, overflow="ellipsis")
        style = self.rich_style
        if number == self.marked:
            style += self.get_component_rich_style("lines--marked", partial=True)
        whole = Strip(text.render(self.app.console))
        strip = Strip.join([whole.crop(0, self.fixed), whole.crop(self.fixed + self.left)])
        return strip.adjust_cell_length(width).apply_style(style)


class Choices(ModalScreen[int | None]):
    """A list over the replay, to choose a line from, or only to read.

    Gives the number of the line that Enter or a click chose; None when it was closed.
    """

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
            yield Static(_(self.keys), id="keys", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(Lines).fill, self.count, self.make, self.at)

    def action_move(self, by: int) -> None:
        self.at = min(max(self.at + by, 0), max(self.count - 1, 0))
        self.query_one(Lines).mark(self.at)

    def action_choose(self) -> None:
        self.dismiss(self.at if self.count else None)

    def on_lines_clicked(self, event: Lines.Clicked) -> None:
        self.dismiss(event.number)


class Prompt(Horizontal):
    """The line in which a replay asks for a word: a breakpoint, a text, a number, a name.

    Hidden until `ask`; a `ValueError` of what takes the answer is said, and the answer can be mended.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt Label { color: $accent; text-style: bold; padding: 0 1; }
    Prompt Input { width: 1fr; }
    """

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        yield Input(compact=True, disabled=True)

    def ask(self, label: str, placeholder: str, take: Callable[[str], None], value: str, known: list[str]) -> None:
        """Show it, with `value` typed already. `known` words are offered while typing; → takes one."""
        self.take = take
        self.query_one(Label).update(label)
        box = self.query_one(Input)
        box.disabled, box.placeholder, box.value = False, placeholder, value
        box.suggester = SuggestFromList(known) if known else None
        self.display = True
        box.focus()

    def close(self) -> bool:
        """Hide it; whether it was there."""
        was_open, self.display = self.display, False
        self.query_one(Input).disabled = True  # keys are the replay's own again
        return was_open
