"""The line in which a replay asks for a word: a breakpoint, a text, a number, a name."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """Hidden until `ask`; a `ValueError` of what takes the answer is said, and the answer can be mended."""

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
