"""The replay's screen: source above, locals, stack and breakpoints below, then a line for words and one for keys."""

from collections.abc import Callable

from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input, Static

from prefix_lab.debugger import Recording
from prefix_lab.debugger.text import visible
from prefix_lab.locale import _, paragraph
from prefix_lab.terminal import panes
from prefix_lab.terminal.lines import Lines, Prompt
from prefix_lab.terminal.state import ReplayState


class ReplayScreen(App[None]):
    """What is to be seen, and what every action ends with: `show` for a step, `say` for a sentence."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #heading, #position, #message { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #heading { background: $primary 25%; }
    #source { height: 1fr; }
    #below { height: 38%; min-height: 6; }
    #locals, #stack, #breakpoints { border: round $primary 60%; border-title-color: $text; }
    #locals { width: 3fr; height: 1fr; border-subtitle-color: $text-muted; }
    #beside { width: 2fr; }
    #stack { height: 1fr; }
    #breakpoints { height: auto; max-height: 50%; display: none; }
    #message { color: $warning; }
    """

    def __init__(self, recording: Recording, name: str = "", first: int = 0):
        super().__init__()
        self.state = ReplayState(recording, first)
        self.named = name

    def compose(self) -> ComposeResult:
        yield Static(id="heading")
        yield Lines("source")
        with Horizontal(id="below"):
            yield Lines("locals")
            with Vertical(id="beside"):
                yield Lines("stack")
                yield Lines("breakpoints")
        yield Static(id="position")
        yield Static(id="message")
        yield Prompt()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.lines("locals").border_title = _("locals")
        self.lines("locals").border_subtitle = _(panes.LEGEND).format(new=panes.NEW, same=panes.SAME)
        self.lines("stack").border_title = _("stack, this call first")
        self.lines("breakpoints").border_title = _("breakpoints")
        self.call_after_refresh(self.show, self.welcome())

    def welcome(self) -> str:
        ended = self.state.recording.exception
        said = _("It ended with {error}; G goes to the end.").format(error=ended) if ended else ""
        return paragraph(said, _("n: next line  s: into a call  N: a line back  i: all calls  ?: all keys"))

    def lines(self, id: str) -> Lines:
        return self.query_one(f"#{id}", Lines)

    def show(self, message: str = "") -> None:
        """The step where the cursor stands, in all panes."""
        self.show_source()
        self.show_below()
        self.query_one("#heading", Static).update(panes.heading(self.state))
        self.query_one("#position", Static).update(panes.position(self.state))
        self.say(message)

    def show_source(self) -> None:
        state, pane = self.state, self.lines("source")
        lines = panes.coloured_lines(state.recording, state.step.file)
        if not lines:
            instead = panes.without_source(state.step)
            pane.fill(len(instead), instead.__getitem__)
            return

        def make(number: int) -> Text:
            return panes.source_line(state, lines, number + 1, pane.width + pane.left)

        pane.fill(len(lines), make, marked=state.step.line - 1, fixed=panes.gutter_width(lines))

    def show_below(self) -> None:
        state, step = self.state, self.state.step
        held, stops = panes.local_lines(step), panes.breakpoint_lines(state)
        self.lines("locals").fill(len(held), held.__getitem__)
        self.stack = state.recording.stack(step.index)
        self.lines("stack").fill(
            len(self.stack), lambda number: panes.stack_line(state.recording.steps[self.stack[number]], not number)
        )
        self.lines("breakpoints").fill(len(stops), stops.__getitem__)
        self.lines("breakpoints").display = bool(stops)

    def say(self, message: str) -> None:
        self.query_one("#message", Static).update(Text(" " + visible(message)))

    def goto(self, index: int, message: str = "") -> None:
        """Jump, and show; what was being searched for is given up."""
        self.workers.cancel_all()
        self.state.goto(index)
        self.show(message)

    def ask(self, label: str, placeholder: str, take: Callable[[str], None], value: str = "", known=()) -> None:
        """Ask for a word; `take` gets it, and raises `ValueError` for one that will not do."""
        self.say(_("Enter takes it, Esc closes."))
        self.query_one(Prompt).ask(label, visible(placeholder), take, value, list(known))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        prompt = self.query_one(Prompt)
        self.say("")
        try:
            prompt.take(event.value.strip())
        except ValueError as error:
            self.say(str(error))
        else:
            prompt.close()

    def action_give_up(self) -> None:
        self.workers.cancel_all()
        self.query_one(Prompt).close()
        self.say("")
