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
from prefix_lab.debugger.text import visible
from prefix_lab.locale import N_, _, ngettext, paragraph
from prefix_lab.terminal import panes
from prefix_lab.terminal.lines import READING, Choices, Lines
from prefix_lab.terminal.screen import ReplayScreen
from prefix_lab.terminal.state import EXPECTED, breakpoint_at

OUTERMOST = N_("No recorded step is outside this call on that side.")


class Key(NamedTuple):
    """Keys that do one thing. `names` are textual's, `shown` is what people say, `hint` is for the bottom line."""

    names: str
    action: str
    shown: str
    says: str
    hint: str = ""


# A terminal without newer protocols says F13 and up for Shift with a function key: F23 is Shift+F11.
KEYS = (
    Key("n,j,f10", "step('over', False)", "n  j  F10", N_("step over: the next line of this function"), N_("over")),
    Key(
        "s,l,right,f11", "step('in', False)", "s  l  →  F11", N_("step in: the very next step, into calls"), N_("into")
    ),
    Key(
        "o,shift+f11,f23",
        "step('out', False)",
        "o  Shift+F11",
        N_("step out: to the caller, after this call"),
        N_("leave"),
    ),
    Key("N,p,k,shift+f10,f22", "step('over', True)", "N  p  k  Shift+F10", N_("step over, backwards"), N_("back")),
    Key("S,left", "step('in', True)", "S  ←", N_("step in, backwards: the step before this one")),
    Key("O", "step('out', True)", "O", N_("step out, backwards: to the call itself")),
    Key("c,f5", "run_on(False)", "c  F5", N_("run on to the next breakpoint"), N_("run")),
    Key("C,shift+f5,f17", "run_on(True)", "C  Shift+F5", N_("run backwards to the breakpoint before")),
    Key("b", "ask_breakpoint", "b", N_("set a breakpoint, or take it away by typing it again"), N_("break")),
    Key("f9", "break_here", "F9", N_("the same for the current line; so does a click on any line")),
    Key("B", "clear", "B", N_("take all breakpoints away")),
    Key("x", "skip_here", "x", N_("step past this function from now on, or into it again")),
    Key("m", "mark", "m", N_("mark this step, to ask later what has changed since")),
    Key("equals_sign", "since", "=", N_("what has changed between the mark and here")),
    Key("slash", "ask_search", "/", N_("search in source lines and values"), N_("find")),
    Key("full_stop,f3", "match(False)", ".  F3", N_("the next place that was found")),
    Key("comma,shift+f3,f15", "match(True)", ",  Shift+F3", N_("the place before that was found")),
    Key("i", "calls", "i", N_("calls: all of them as a tree; Enter goes there"), N_("calls")),
    Key("h", "ask_history", "h", N_("history: every value that a name took in this call")),
    Key("v", "ask_value", "v", N_("value: all that is known of it, with statistics and parts"), N_("value")),
    Key("colon,t", "ask_step", ":  t", N_("go to a step by its number")),
    Key("g,home", "goto_end(False)", "g  Home", N_("the first step")),
    Key("G,end", "goto_end(True)", "G  End", N_("the last step")),
    Key("u", "undo", "u", N_("undo the last jump")),
    Key("up", "scroll(-1)", "↑  PageUp", N_("look further up in the source")),
    Key("down", "scroll(1)", "↓  PageDown", N_("look further down")),
    Key("less_than_sign", "sideways(-20)", "<", N_("look to the left, in long lines")),
    Key("greater_than_sign", "sideways(20)", ">", N_("look to the right")),
    Key("question_mark,f1", "help", "?  F1", N_("this help"), N_("help")),
    Key("escape", "give_up", "Esc", N_("close what was opened; give up a search")),
    Key("q,ctrl+c", "quit", "q", N_("quit"), N_("quit")),
)
UNLISTED = (Key("pageup", "scroll(-10)", "", ""), Key("pagedown", "scroll(10)", "", ""))


def bindings() -> list[Binding]:
    """For textual. The bottom line shows those with a hint."""
    return [
        Binding(
            key.names, key.action, _(key.hint or key.says), show=bool(key.hint), key_display=key.shown.split("  ")[0]
        )
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
        ends = _("This is the first step.") if backwards else _("This is the last step.")
        self.show("" if moved else ends if end else _(OUTERMOST))

    def action_goto_end(self, last: bool) -> None:
        self.goto(len(self.state.recording) - 1 if last else 0)

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
        self.ask(_("break at"), _(EXPECTED), lambda text: self.toggle(breakpoint_at(text, self.state.step)))

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
        self.show(paragraph(breakpoint.moved, said.format(place=breakpoint.label)))

    def action_clear(self) -> None:
        self.state.breakpoints.clear()
        self.show(_("No breakpoint is set now."))

    def action_run_on(self, backwards: bool) -> None:
        if not self.state.breakpoints:
            self.say(_("No breakpoint is set: b sets one. G goes to the last step."))
            return
        self.say(_("Looking for the next breakpoint …  Esc gives up."))
        self.run_worker(self.run_on(backwards), exclusive=True)

    async def run_on(self, backwards: bool) -> None:
        state, worker = self.state, get_current_worker()

        def search() -> tuple[int, list[PlacedBreakpoint]] | None:
            return nearest(state.breakpoints, state.index, backwards, given_up=lambda: worker.is_cancelled)

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
        width = max(len(key.shown) for key in KEYS)
        self.read(_("Keys"), [Text.assemble((f"{key.shown:<{width}}  ", panes.NUMBER), _(key.says)) for key in KEYS])
