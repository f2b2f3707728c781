"""The keys for breakpoints: set them, take them away, and run on to the next, in either direction."""

from textual import on

from prefix_lab.debugger import Breakpoint
from prefix_lab.terminal.lines import Lines
from prefix_lab.terminal.running import next_hit
from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.where import EXPECTED, breakpoint_at, label


class Stopping(ReplayScreen):
    """Running on is a worker of textual's: the screen stays alive, and Esc or any move ends it."""

    def action_ask_breakpoint(self) -> None:
        self.ask("break at", EXPECTED, lambda text: self.toggle(breakpoint_at(text, self.state.step)))

    def action_break_here(self) -> None:
        self.break_at(self.state.step.line)

    @on(Lines.Clicked, "#source")
    def clicked_source(self, event: Lines.Clicked) -> None:
        if self.state.sources.lines(self.state.step.file):
            self.break_at(event.number + 1)

    def break_at(self, line: int) -> None:
        try:
            self.toggle(breakpoint_at(str(line), self.state.step))
        except ValueError as error:
            self.say(str(error))

    def toggle(self, breakpoint: Breakpoint) -> None:
        is_set = self.state.toggle(breakpoint)
        self.show(f"{label(breakpoint)}: " + ("c runs on to it, C runs back to it." if is_set else "taken away."))

    def action_clear(self) -> None:
        self.state.breakpoints.clear()
        self.show("No breakpoint is set now.")

    def action_run_on(self, backwards: bool) -> None:
        if not self.state.breakpoints:
            self.say("No breakpoint is set: b sets one. G goes to the last step.")
            return
        self.say("Looking for the next breakpoint …  Esc gives up.")
        self.run_worker(self.run_on(backwards), exclusive=True)

    async def run_on(self, backwards: bool) -> None:
        state = self.state
        found = await next_hit(state.recording, state.breakpoints, state.index, backwards)
        if found is None:
            self.say(f"No breakpoint is reached {'before' if backwards else 'after'} this step.")
            return
        state.goto(found[0])
        self.show(f"Stopped at {label(found[1])}.")
