"""The keys of a replay, and what each does.

They are a debugger's function keys, and letters as in vim and pdb; a capital goes the same way backwards.
"""

import asyncio
from array import array
from functools import partial
from typing import NamedTuple

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.worker import get_current_worker

from prefix_lab.debugger.placing import PlacedBreakpoint, nearest
from prefix_lab.debugger.text import count_of, visible
from prefix_lab.terminal import panes
from prefix_lab.terminal.lines import READING, Choices, Lines
from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.state import EXPECTED, breakpoint_at

OUTERMOST = "No recorded step is outside this call on that side."


class Key(NamedTuple):
    """Keys that do one thing. `names` are textual's, `shown` is what people say, `hint` is for the bottom line."""

    names: str
    action: str
    shown: str
    says: str
    hint: str = ""


# A terminal without newer protocols says F13 and up for Shift with a function key: F23 is Shift+F11.
KEYS = (
    Key("n,j,f10", "step('over', False)", "n  j  F10", "step over: the next line of this function", "over"),
    Key("s,l,right,f11", "step('in', False)", "s  l  →  F11", "step in: the very next step, into calls", "in"),
    Key("o,shift+f11,f23", "step('out', False)", "o  Shift+F11", "step out: to the caller, after this call", "out"),
    Key("N,p,k,shift+f10,f22", "step('over', True)", "N  p  k  Shift+F10", "step over, backwards", "back"),
    Key("S,left", "step('in', True)", "S  ←", "step in, backwards: the step before this one"),
    Key("O", "step('out', True)", "O", "step out, backwards: to the call itself"),
    Key("c,f5", "run_on(False)", "c  F5", "run on to the next breakpoint", "run"),
    Key("C,shift+f5,f17", "run_on(True)", "C  Shift+F5", "run backwards to the breakpoint before"),
    Key("b", "ask_breakpoint", "b", "set a breakpoint, or take it away by typing it again", "break"),
    Key("f9", "break_here", "F9", "the same for the current line; so does a click on any line"),
    Key("B", "clear", "B", "take all breakpoints away"),
    Key("x", "skip_here", "x", "step past this function from now on, or into it again"),
    Key("m", "mark", "m", "mark this step, to ask later what has changed since"),
    Key("equals_sign", "since", "=", "what has changed between the mark and here"),
    Key("slash", "ask_search", "/", "search in source lines and values", "find"),
    Key("full_stop,f3", "match(False)", ".  F3", "the next place that was found"),
    Key("comma,shift+f3,f15", "match(True)", ",  Shift+F3", "the place before that was found"),
    Key("i", "calls", "i", "calls: all of them as a tree; Enter goes there", "calls"),
    Key("h", "ask_history", "h", "history: every value that a name took in this call"),
    Key("v", "ask_value", "v", "value: all that is known of it, with statistics and parts", "value"),
    Key("colon,t", "ask_step", ":  t", "go to a step by its number"),
    Key("g,home", "goto_end(False)", "g  Home", "the first step"),
    Key("G,end", "goto_end(True)", "G  End", "the last step"),
    Key("u", "undo", "u", "undo the last jump"),
    Key("up", "scroll(-1)", "↑  PageUp", "look further up in the source"),
    Key("down", "scroll(1)", "↓  PageDown", "look further down"),
    Key("less_than_sign", "sideways(-20)", "<", "look to the left, in long lines"),
    Key("greater_than_sign", "sideways(20)", ">", "look to the right"),
    Key("question_mark,f1", "help", "?  F1", "this help", "help"),
    Key("escape", "give_up", "Esc", "close what was opened; give up a search"),
    Key("q,ctrl+c", "quit", "q", "quit", "quit"),
)
UNLISTED = (Key("pageup", "scroll(-10)", "", ""), Key("pagedown", "scroll(10)", "", ""))


def bindings() -> list[Binding]:
    """For textual. The bottom line shows those with a hint."""
    return [
        Binding(key.names, key.action, key.hint or key.says, show=bool(key.hint), key_display=key.shown.split("  ")[0])
        for key in (*KEYS, *UNLISTED)
    ]


class Replay(ReplayScreen):
    """`Replay(recording).run()` walks through a recording in the terminal, until q.

    Searches and runs are workers of textual's: over a million steps they take seconds, while the screen stays alive,
    and Esc or any move ends them. At either end a move stays, and says so.
    """

    BINDINGS = bindings()

    def action_step(self, move: str, backwards: bool) -> None:
        self.workers.cancel_all()
        by = getattr(self.state.cursor, f"step_{move}")
        moved = self.state.move(partial(by, backwards))
        end = self.state.index == (0 if backwards else len(self.state.recording) - 1)
        stays = f"This is the {'first' if backwards else 'last'} step." if end else OUTERMOST
        self.show("" if moved else stays)

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

    def action_ask_breakpoint(self) -> None:
        self.ask("break at", EXPECTED, lambda text: self.toggle(breakpoint_at(text, self.state.step)))

    def action_break_here(self) -> None:
        self.break_at(self.state.step.line)

    @on(Lines.Clicked, "#source")
    def clicked_source(self, event: Lines.Clicked) -> None:
        if panes.coloured_lines(self.state.recording, self.state.step.file):
            self.break_at(event.number + 1)

    def break_at(self, line: int) -> None:
        try:
            self.toggle(breakpoint_at(str(line), self.state.step))
        except ValueError as error:
            self.say(str(error))

    def toggle(self, breakpoint: PlacedBreakpoint) -> None:
        said = "c runs on to it, C runs back to it." if self.state.toggle(breakpoint) else "taken away."
        self.show(f"{breakpoint.moved} {breakpoint.label}: {said}".strip())

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
        state, worker = self.state, get_current_worker()

        def search() -> tuple[int, list[PlacedBreakpoint]] | None:
            return nearest(state.breakpoints, state.index, backwards, given_up=lambda: worker.is_cancelled)

        found = await asyncio.to_thread(search)
        if found is None:
            self.say(f"No breakpoint is reached {'before' if backwards else 'after'} this step.")
            return
        state.goto(found[0])
        self.show(f"Stopped at {found[1][0].label}.")

    def action_skip_here(self) -> None:
        name = self.state.step.function
        goes = "past" if self.state.toggle_skipped(name) else "into"
        self.say(f"Steps go {goes} {name} from now on; x changes that.")

    def action_mark(self) -> None:
        self.state.mark = self.state.index
        self.say(f"Step {self.state.index:,} is marked: = lists what has changed since.")

    def action_since(self) -> None:
        state = self.state
        if state.mark is None:
            self.say("No step is marked: m marks the one where you stand.")
            return
        changes = state.recording.changed(state.mark, state.index)
        title = f"{count_of(len(changes), 'name')} changed between step {state.mark:,} and step {state.index:,}"
        self.read(title, [panes.change_line(one) for one in changes])

    def action_ask_search(self) -> None:
        self.ask("find", "text in a source line or a value", self.search, self.state.searched)

    def search(self, text: str) -> None:
        if not text:
            raise ValueError("Type a text that stands in a source line or in a value.")
        self.say("Searching …  Esc gives up.")
        self.run_worker(self.find_all(text), exclusive=True)

    async def find_all(self, text: str) -> None:
        state = self.state
        steps = await asyncio.to_thread(state.recording.find, text=text)
        state.searched, state.matches = text, array("I", [step.index for step in steps])
        if not steps:
            self.say(f"{text!r} was not found.")
            return
        found = state.next_match(here=True)
        state.goto(steps[0].index if found is None else found)
        self.show(self.told_of_match())

    def action_match(self, backwards: bool) -> None:
        found = self.state.next_match(backwards)
        if not self.state.matches:
            self.say("Nothing was found yet: / asks for a text.")
        elif found is None:
            which = "earlier" if backwards else "later"
            self.say(f"No {which} place; {count_of(len(self.state.matches), 'place')} in all.")
        else:
            self.goto(found)
            self.say(self.told_of_match())

    def told_of_match(self) -> str:
        state = self.state
        number = state.matches.index(state.index) + 1
        return f"{state.searched!r}: {number:,} of {count_of(len(state.matches), 'place')}.  . next  , previous"

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
        names = list(panes.values_at(self.state.step))
        self.ask("value of", ", ".join(names) or "no name has a value here", self.value, known=names)

    def value(self, name: str) -> None:
        known = panes.values_at(self.state.step)
        if name not in known:
            raise ValueError(f"{name!r} has no value here. Names that have: {', '.join(known) or 'none'}.")
        self.read(f"{visible(name)} at step {self.state.index:,}", list(panes.details(name, known[name])))

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
