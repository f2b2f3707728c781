"""The keys that move: over, in and out, to either end, back from a jump; and those that only look around."""

from functools import partial

from prefix_lab.terminal.screen import ReplayScreen


class Moving(ReplayScreen):
    """Each move has a direction; at either end it stays, and says so."""

    def action_over(self, backwards: bool) -> None:
        self.move(self.state.cursor.step_over, backwards)

    def action_into(self, backwards: bool) -> None:
        self.move(self.state.cursor.step_in, backwards)

    def action_out(self, backwards: bool) -> None:
        self.move(self.state.cursor.step_out, backwards)

    def move(self, by, backwards: bool) -> None:
        self.workers.cancel_all()
        moved = self.state.move(partial(by, backwards))
        self.show("" if moved else f"This is the {'first' if backwards else 'last'} step.")

    def action_goto_end(self, last: bool) -> None:
        self.goto(len(self.state.recording) - 1 if last else 0)

    def action_undo(self) -> None:
        self.workers.cancel_all()
        self.show("" if self.state.undo() else "No jump to undo.")

    def action_ask_step(self) -> None:
        self.ask("go to step", f"0 to {len(self.state.recording) - 1:,}", self.goto_number)

    def goto_number(self, text: str) -> None:
        digits = text.replace(",", "").replace("_", "")
        last = len(self.state.recording) - 1
        if not digits.isdecimal() or len(digits) > 12 or int(digits) > last:
            raise ValueError(f"{text!r} is no step; type a number from 0 to {last:,}.")
        self.goto(int(digits))

    def action_scroll(self, by: int) -> None:
        self.lines("source").scroll_relative(y=by, animate=False)

    def action_sideways(self, by: int) -> None:
        self.lines("source").sideways(by)
