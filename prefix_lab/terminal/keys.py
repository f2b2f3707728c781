"""The keys of a replay, and what each does: the entries of `debugger/moves.py`, as textual binds them."""

import asyncio
from array import array
from functools import partial

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.worker import get_current_worker

from prefix_lab.debugger import stops
from prefix_lab.debugger.moves import SHOWN, TERMINAL, Move, moves_of
from prefix_lab.debugger.placing import Interrupted, PlacedBreakpoint, nearest
from prefix_lab.debugger.shown import before_it
from prefix_lab.debugger.text import visible
from prefix_lab.locale import N_, _, ngettext, paragraph
from prefix_lab.terminal import panes
from prefix_lab.terminal.lines import READING, Choices, Lines
from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.state import EXPECTED, breakpoint_at

OUTERMOST = N_("No recorded step is outside this call on that side.")
KEYS = moves_of(TERMINAL)
ACTIONS = {
    "first": "goto_end(False)",
    "last": "goto_end(True)",
    "run": "run_on(False)",
    "runBack": "run_on(True)",
    "nextStage": "stage(False)",
    "stageBefore": "stage(True)",
    "undo": "undo",
    "breakHere": "break_here",
    "stopAt": "ask_breakpoint",
    "stopWhen": "ask_name",
    "clear": "clear",
    "logged": "logged",
    "skipHere": "skip_here",
    "mark": "mark",
    "since": "since",
    "find": "ask_search",
    "match": "match(False)",
    "matchBack": "match(True)",
    "calls": "calls",
    "history": "ask_history",
    "value": "ask_value",
    "number": "ask_step",
    "up": "scroll(-{by})",
    "down": "scroll({by})",
    "aside": "sideways(-20)",
    "along": "sideways(20)",
    "help": "help",
    "close": "give_up",
    "quit": "quit",
}
"""What an entry does here, but for the cursor's moves."""
FAR = ("PageUp", "PageDown")
SIGNS = {",": "comma", "Control+c": "ctrl+c"}


def bindings() -> list[Binding]:
    """For textual. The bottom line shows those with a hint."""
    return [
        Binding(
            named(key),
            action_of(move, key),
            _(move.hint or move.says),
            show=bool(move.hint) and key == move.keys[0],
            key_display=SHOWN.get(key, key),
        )
        for move in KEYS
        for key in move.keys
    ]


def action_of(move: Move, key: str) -> str:
    return f"step('{move.by}', {move.back})" if move.by else ACTIONS[move.does].format(by=10 if key in FAR else 1)


def named(key: str) -> str:
    """A browser's key by textual's name; a terminal without newer protocols says F13 and up for Shift with one."""
    if len(key) == 1 or key in SIGNS:
        return SIGNS.get(key, key)
    found = key.removeprefix("Arrow").lower()
    return f"{found},f{int(found[7:]) + 12}" if found.startswith("shift+f") else found


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
        end = self.state.index == (0 if backwards else len(self.state.recording) - 1) or move == "end"
        ends = _("This is the first step.") if backwards else _("This is the last step.")
        if move == "end":
            ends = _("This call begins here.") if backwards else _("This call ends here.")
        self.show("" if moved else ends if end else _(OUTERMOST))

    def action_goto_end(self, last: bool) -> None:
        self.goto(len(self.state.recording) - 1 if last else 0)

    def action_stage(self, backwards: bool) -> None:
        there = self.state.next_stage(backwards)
        if there is None:
            self.say(_("No stage begins in this direction."))
        else:
            self.goto(there, panes.stage_line(self.state.recording, there))

    def action_undo(self) -> None:
        self.workers.cancel_all()
        self.show("" if self.state.undo() else _("No jump to undo."))

    def action_ask_step(self) -> None:
        last = len(self.state.recording) - 1
        self.ask(_("go to step"), _("0 to {last:,}").format(last=last), self.goto_number)

    def goto_number(self, text: str) -> None:
        digits = text.replace(",", "").replace("_", "")
        last = len(self.state.recording) - 1
        if not digits.isdecimal() or len(digits) > 12 or int(digits) > last:
            no_step = _("{text} is no step; type a number from 0 to {last:,}.")
            raise ValueError(no_step.format(text=repr(text), last=last))
        self.goto(int(digits))

    def action_scroll(self, by: int) -> None:
        self.lines("source").scroll_relative(y=by, animate=False)

    def action_sideways(self, by: int) -> None:
        self.lines("source").sideways(by)

    def action_ask_breakpoint(self) -> None:
        set_now = [one.label for one in self.state.breakpoints]
        self.ask(_("stop at"), _(EXPECTED), self.stop_at, known=set_now)
        self.say(_("Enter takes it. Behind it, if you like: if i == 5, hit 3, log x is {x}"))

    def action_ask_name(self) -> None:
        names = list(self.state.step.locals)
        before = before_it(self.state.step)
        fresh = [name for name in names if before and name in before.changed]
        ask = partial(self.ask, _("stop when this changes"), ", ".join(names) or _("no name has a value here"))
        ask(lambda name: self.stop_at(f"{name} changes"), (fresh or names or [""])[0], known=names)

    def stop_at(self, text: str) -> None:
        self.toggle(breakpoint_at(text, self.state.step))

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
        is_set = self.state.toggle(breakpoint)
        said = _("{place}: c runs on to it, C runs back to it.") if is_set else _("{place}: taken away.")
        said = _("{place}: L lists what it says.") if is_set and breakpoint.says else said
        self.show(paragraph(breakpoint.moved, said.format(place=breakpoint.label)))

    def action_clear(self) -> None:
        self.state.breakpoints.clear()
        self.show(_("No breakpoint is set now."))

    @on(Lines.Clicked, "#breakpoints")
    def clicked_breakpoint(self, event: Lines.Clicked) -> None:
        self.toggle(self.state.breakpoints[event.number])

    def action_logged(self) -> None:
        if not any(one.says for one in self.state.breakpoints):
            self.say(_("No log point is set: B sets one, such as 30 log x is {x}"))
            return
        self.say(_("Searching …  Esc gives up."))
        self.run_worker(self.logged(), exclusive=True)

    async def logged(self) -> None:
        state, worker = self.state, get_current_worker()
        try:
            rows = await asyncio.to_thread(stops.said, state.recording, state.breakpoints, lambda: worker.is_cancelled)
        except Interrupted:
            return
        self.say("")
        past = sum(step <= state.index for step, said in rows)
        title = ngettext("Log points say {count:,} line", "Log points say {count:,} lines", len(rows))
        row = partial(panes.said_line, rows)
        steps = [step for step, said in rows]
        self.jump_from(Choices(title.format(count=len(rows)), len(rows), row, max(past - 1, 0)), steps)

    def action_run_on(self, backwards: bool) -> None:
        if all(one.says for one in self.state.breakpoints):
            self.say(_("No breakpoint is set: b sets one here, B elsewhere. G goes to the last step."))
            return
        self.say(_("Looking for the next breakpoint …  Esc gives up."))
        self.run_worker(self.run_on(backwards), exclusive=True)

    async def run_on(self, backwards: bool) -> None:
        state, worker = self.state, get_current_worker()

        def search() -> tuple[int, list[PlacedBreakpoint]] | None:
            stopping = [one for one in state.breakpoints if not one.says]
            return nearest(stopping, state.index, backwards, given_up=lambda: worker.is_cancelled)

        found = await asyncio.to_thread(search)
        if found is None:
            before, after = (
                _("No breakpoint is reached before this step."),
                _("No breakpoint is reached after this step."),
            )
            self.say(before if backwards else after)
            return
        state.goto(found[0])
        self.show(_("Stopped at {place}.").format(place=found[1][0].label))

    def action_skip_here(self) -> None:
        name = self.state.step.function
        past = _("Steps go past {name} from now on; x changes that.")
        into = _("Steps go into {name} from now on; x changes that.")
        self.say((past if self.state.toggle_skipped(name) else into).format(name=name))

    def action_mark(self) -> None:
        self.state.mark = self.state.index
        said = _("Step {step} is marked: = lists what has changed since.")
        self.say(said.format(step=f"{self.state.index:,}"))

    def action_since(self) -> None:
        state = self.state
        if state.mark is None:
            self.say(_("No step is marked: m marks the one where you stand."))
            return
        changes = state.recording.changed(state.mark, state.index)
        title = ngettext(
            "{count:,} name changed between step {first:,} and step {last:,}",
            "{count:,} names changed between step {first:,} and step {last:,}",
            len(changes),
        )
        title = title.format(count=len(changes), first=state.mark, last=state.index)
        self.read(title, [panes.change_line(one) for one in changes])

    def action_ask_search(self) -> None:
        self.ask(_("find"), _("text in a source line or a value"), self.search, self.state.searched)

    def search(self, text: str) -> None:
        if not text:
            raise ValueError(_("Type a text that stands in a source line or in a value."))
        self.say(_("Searching …  Esc gives up."))
        self.run_worker(self.find_all(text), exclusive=True)

    async def find_all(self, text: str) -> None:
        state = self.state
        steps = await asyncio.to_thread(state.recording.find, text=text)
        state.searched, state.matches = text, array("I", [step.index for step in steps])
        if not steps:
            self.say(_("{text} was not found.").format(text=repr(text)))
            return
        found = state.next_match(here=True)
        state.goto(steps[0].index if found is None else found)
        self.show(self.told_of_match())

    def action_match(self, backwards: bool) -> None:
        found = self.state.next_match(backwards)
        if not self.state.matches:
            self.say(_("Nothing was found yet: / asks for a text."))
        elif found is None:
            earlier, later = (
                _("No earlier place; found in all: {count:,}."),
                _("No later place; found in all: {count:,}."),
            )
            self.say((earlier if backwards else later).format(count=len(self.state.matches)))
        else:
            self.goto(found)
            self.say(self.told_of_match())

    def told_of_match(self) -> str:
        state = self.state
        number = state.matches.index(state.index) + 1
        said = ngettext(
            "{text}: {number:,} of {count:,} place.  . next  , previous",
            "{text}: {number:,} of {count:,} places.  . next  , previous",
            len(state.matches),
        )
        return said.format(text=repr(state.searched), number=number, count=len(state.matches))

    def jump_from(self, choices: Choices, steps: list[int]) -> None:
        def chosen(number: int | None) -> None:
            if number is not None and steps[number] < len(self.state.recording):
                self.goto(steps[number])

        self.push_screen(choices, chosen)

    def read(self, title: str, rows: list[Text]) -> None:
        self.push_screen(Choices(title, len(rows), rows.__getitem__, keys=READING))

    def action_calls(self) -> None:
        rows = panes.call_rows(self.state.recording)
        at = max((number for number, (row, step) in enumerate(rows) if step <= self.state.index), default=0)
        title = visible(_("Calls in {name}").format(name=self.named) if self.named else _("Calls in this recording"))
        self.jump_from(Choices(title, len(rows), lambda number: rows[number][0], at), [step for row, step in rows])

    def action_ask_history(self) -> None:
        names = [*self.state.step.locals, *self.state.step.watches]
        self.ask(_("history of"), ", ".join(names) or _("no name has a value here"), self.history, known=names)

    def history(self, name: str) -> None:
        state = self.state
        try:
            values = state.recording.history(name, state.index)
        except KeyError as error:
            raise ValueError(error.args[0]) from None
        past = sum(step.index <= state.index for step, value in values)
        title = ngettext("{name} in {function}: {count:,} value", "{name} in {function}: {count:,} values", len(values))
        title = title.format(name=visible(name), function=visible(state.step.function), count=len(values))
        row = partial(panes.history_line, values)
        self.jump_from(Choices(title, len(values), row, max(past - 1, 0)), [step.index for step, value in values])

    def action_ask_value(self) -> None:
        names = list(panes.values_at(self.state.step))
        self.ask(_("value of"), ", ".join(names) or _("no name has a value here"), self.value, known=names)

    def value(self, name: str) -> None:
        known = panes.values_at(self.state.step)
        if name not in known:
            said = _("{name} has no value here. Names that have: {known}.")
            raise ValueError(said.format(name=repr(name), known=", ".join(known) or _("none")))
        title = _("{name} at step {step:,}").format(name=visible(name), step=self.state.index)
        self.read(title, list(panes.details(name, known[name])))

    @on(Lines.Clicked, "#locals")
    def clicked_local(self, event: Lines.Clicked) -> None:
        names = list(self.state.step.locals)
        if event.number < len(names):
            self.value(names[event.number])

    @on(Lines.Clicked, "#stack")
    def clicked_stack(self, event: Lines.Clicked) -> None:
        self.goto(self.stack[event.number])

    def action_help(self) -> None:
        keys = ["  ".join(SHOWN.get(key, key) for key in one.keys) for one in KEYS]
        width = max(map(len, keys))
        rows = [(f"{shown:<{width}}  ", _(one.says)) for shown, one in zip(keys, KEYS, strict=True)]
        self.read(_("Keys"), [Text.assemble((shown, panes.NUMBER), says) for shown, says in rows])
