"""The keys that open a list: the calls, the history of a name, all of a value, the keys themselves."""

from functools import partial

from rich.text import Text
from textual import on

from prefix_lab.terminal import panes
from prefix_lab.terminal.choices import READING, Choices
from prefix_lab.terminal.details import details, values_at
from prefix_lab.terminal.keys import KEYS
from prefix_lab.terminal.lines import Lines
from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.visible import count_of, visible


class Listing(ReplayScreen):
    """Lists stand over the replay. From some of them, Enter jumps to a step."""

    def jump_from(self, choices: Choices, steps: list[int]) -> None:
        def chosen(number: int | None) -> None:
            if number is not None and steps[number] < len(self.state.recording):
                self.goto(steps[number])

        self.push_screen(choices, chosen)

    def read(self, title: str, rows: list[Text]) -> None:
        self.push_screen(Choices(title, len(rows), rows.__getitem__, keys=READING))

    def action_calls(self) -> None:
        rows = panes.call_rows(self.state.recording)
        at = max((number for number, (_, step) in enumerate(rows) if step <= self.state.index), default=0)
        title = visible(f"Calls in {self.named or 'this recording'}")
        self.jump_from(Choices(title, len(rows), lambda number: rows[number][0], at), [step for _, step in rows])

    def action_ask_history(self) -> None:
        names = [*self.state.step.locals, *self.state.step.watches]
        self.ask("history of", ", ".join(names) or "no name has a value here", self.history, known=names)

    def history(self, name: str) -> None:
        state = self.state
        try:
            values = state.recording.history(name, state.index)
        except KeyError as error:
            raise ValueError(error.args[0]) from None
        past = sum(step.index <= state.index for step, _ in values)
        title = f"{visible(name)} in {visible(state.step.function)}: {count_of(len(values), 'value')}"
        row = partial(panes.history_line, values)
        self.jump_from(Choices(title, len(values), row, max(past - 1, 0)), [step.index for step, _ in values])

    def action_ask_value(self) -> None:
        names = list(values_at(self.state.step))
        self.ask("value of", ", ".join(names) or "no name has a value here", self.value, known=names)

    def value(self, name: str) -> None:
        known = values_at(self.state.step)
        if name not in known:
            raise ValueError(f"{name!r} has no value here. Names that have: {', '.join(known) or 'none'}.")
        self.read(f"{visible(name)} at step {self.state.index:,}", list(details(name, known[name])))

    @on(Lines.Clicked, "#locals")
    def clicked_local(self, event: Lines.Clicked) -> None:
        names = list(self.state.step.locals)
        if event.number < len(names):
            self.value(names[event.number])

    @on(Lines.Clicked, "#stack")
    def clicked_stack(self, event: Lines.Clicked) -> None:
        self.goto(self.stack[event.number])

    def action_help(self) -> None:
        width = max(len(key.shown) for key in KEYS)
        self.read("Keys", [Text.assemble((f"{key.shown:<{width}}  ", panes.NUMBER), key.says) for key in KEYS])
