"""From tapes to columns: what happened, in arrays that can be entered at any step.

A tape says only what was new, in the order in which it was seen. Reading it once from the start gives each step its
place (event, function, line), its frame, the step before and after it in that frame, and what it bound; now and then
all locals of a frame are noted, so that a reader who jumps has not far to go. Several tapes are read turn by turn.

What a tape lacks, since an interrupt or an error of the recorder's own came between, costs no more than itself: a line
says which function it is of, and with one that is not the innermost frame's the reader looks for its frame anew.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prefix_lab.debugger.steps import CALL, EXCEPTION, IN_PLACE, LINE, NONE, RESUMED, RETURN, VALUE, YIELD, Columns
from prefix_lab.debugger.summary import ATOMS, Summary
from prefix_lab.debugger.tape import Tape, is_step
from prefix_lab.debugger.tokens import CodeInfo, LineInfo, Mark, Missing, Others, Running, Token, Touched, Watch

DEEPEST = 0xFFFF  # frames around one; what lies deeper is said to lie there
SNAPSHOT_EVERY = 128  # steps of one frame


class FrameState:
    """A frame while its tape is read."""

    __slots__ = ("held", "info", "last", "line", "line_names", "names", "number", "since", "single", "step", "sure")

    def __init__(self, number: int, info: CodeInfo):
        self.number, self.info, self.line = number, info, info.first_line
        self.held: dict[int, int] = {}
        self.last = NONE  # its last step so far
        self.names: tuple | None = None  # what the line that runs may bind, while it is not known
        self.line_names: tuple | None = None
        self.step, self.sure, self.single, self.since = NONE, True, False, 0


class ThreadState:
    """A thread while its tape is read."""

    def __init__(self):
        self.stack: list[FrameState] = []
        self.left: FrameState | None = None  # the frame that was left last
        self.raised: Any = None  # by the last step, if it was an exception


class Decoder:
    """Reads tapes into columns, up to `max_steps` steps."""

    def __init__(self, max_steps: int):
        self.columns, self.max_steps = Columns(), max_steps
        self.name_ids: dict[str, int] = {"": VALUE}
        self.value_ids: dict[type, dict[Any, int]] = defaultdict(dict)
        self.binding_ids: dict[int, int] = {}
        self.run_ids: dict[tuple[int, ...], int] = {}
        self.function_ids: dict[int, int] = {}
        self.place_ids: dict[tuple[int, int, int], int] = {}
        self.line_places: dict[int, tuple[int, tuple, bool]] = {}
        self.argument_names: dict[int, tuple] = {}
        self.paused: dict[int, FrameState] = {}  # by number; a generator may go on in another thread
        self.out_of_place = 0  # times that a line was not of the frame that should be the innermost one

    def read(self, tapes: Iterable[Tape]) -> Columns:
        columns, tapes = self.columns, list(tapes)
        columns.threads = unlike(tape.thread for tape in tapes)
        states = [ThreadState() for _ in tapes]
        full = False
        for number, start, end in in_order(tapes):
            tape = tapes[number]
            if not full:
                first = len(columns)
                start = self.feed(states[number], tape.items, start, end)
                if len(columns) > first:
                    columns.turn_first.append(first)
                    columns.turn_thread.append(number)
                # Where one tape was full, the others may go on for a while; what they say then lacks what it says.
                full = len(columns) >= self.max_steps or (tape.full_at is not None and end == len(tape.items))
            columns.left_out += sum(map(is_step, tape.items[start:end]))
        return columns.link()

    def feed(self, state: ThreadState, items: list[Any], index: int, end: int) -> int:
        """Read a stretch of one tape; where it stopped."""
        stack, room, steps = state.stack, self.max_steps, self.columns.step_place
        line_places, step, values, binding, bind = self.line_places, self.step, self.value, self.binding, self.bind
        while index < end:
            item = items[index]
            cls = type(item)
            if cls is LineInfo:
                if len(steps) >= room:
                    return index
                index += 1
                if not stack or (frame := stack[-1]).info is not item.info:
                    frame = self.found_again(state, item.info)
                place, names, frame.sure, frame.single = line_places.get(id(item)) or self.line_place(item)
                frame.line = item.line
                frame.names = frame.line_names = names
                frame.step = step(state, place, frame)
                state.raised = None
            elif cls is CodeInfo or cls is Mark or cls is Running:
                if len(steps) >= room:
                    return index
                index = self.mark(state, item, items, index + 1)
            elif not stack or (frame := stack[-1]).names is None:
                index += 1
            elif frame.single and frame.sure and cls is not Missing and cls is not Summary:
                # As `take`, for the commonest of lines: one that binds one name to a plain value.
                name = frame.names[0][0]
                frame.held[name] = number = values(item)
                frame.names = None
                bind(frame.step, (binding(name, number, 0),))
                index += 1
            else:
                names, frame.names = frame.names, None
                index = self.take(frame, frame.step, names, frame.sure, items, index)
        return index

    def mark(self, state: ThreadState, item: CodeInfo | Mark | Running, items: list[Any], index: int) -> int:
        """A token that is not a line, at `index - 1`; where what belongs to it ends."""
        if type(item) is CodeInfo:
            frame = self.new_frame(state, item, items[index])
            index += 1
            step = self.event(state, CALL, frame)
            if item.pauses:
                self.may_pause(frame, items[index], [step], [self.columns.frame_caller[frame.number]])
                index += 1
            return self.take(frame, step, self.arguments(item), True, items, index)
        if type(item) is Running:
            frame = self.new_frame(state, item.info, 0)
            if item.number is not None:
                self.may_pause(frame, item.number, [], [])
            frame.held = {self.name(name): self.value(value) for name, value in item.held.items()}
            self.expect(frame, item.line)
            return index
        match item.name:
            case "resume":
                return self.resume(state, items[index + 1], *items[index + 2], index + 3)
            case "again":
                if state.stack:
                    self.expect(state.stack[-1], *items[index])
                return index + 1
            case "lost":
                if state.stack:
                    state.stack[-1].names = None
                return index
            case "unwind":
                self.leave(state, items[index])
                return index + 1
            case "return":
                self.ending(state, RETURN, items[index + 1])
                self.leave(state, items[index])
                return index + 2
            case "yield":
                self.ending(state, YIELD, items[index])
                self.leave(state, None)
                return index + 1
            case _:
                # The one with which a recording ends may have been the last that the program said, too.
                if index + 1 < len(items) or state.raised is not items[index]:
                    self.ending(state, EXCEPTION, items[index])
                    state.raised = items[index]
                return index + 1

    def may_pause(self, frame: FrameState, number: int, entered: list[int], callers: list[int]) -> None:
        self.paused[number] = frame
        self.columns.entries[frame.number] = (array("I", entered), array("I", callers))

    def resume(self, state: ThreadState, number: int, place: LineInfo | None, index: int) -> int:
        """A frame that paused goes on."""
        frame = self.paused.get(number)
        if frame is None:
            return index
        steps, callers = self.columns.entries[frame.number]
        callers.append(state.stack[-1].last if state.stack else NONE)
        state.stack.append(frame)
        self.expect(frame, place)  # what was sent is bound now
        frame.step = self.event(state, RESUMED, frame)
        steps.append(frame.step)
        return index

    def expect(self, frame: FrameState, place: LineInfo | None) -> None:
        """The values that this line binds follow, perhaps once more."""
        if place is not None and place.info is frame.info:
            frame.line, (_, frame.line_names, _, frame.single) = place.line, self.line_place(place)
        frame.names, frame.sure = frame.line_names, False

    def found_again(self, state: ThreadState, info: CodeInfo) -> FrameState:
        """The frame of a line that is not in the innermost one: one further out, or one that nobody saw begin."""
        self.out_of_place += 1
        stack = state.stack
        if not any(frame.info is info for frame in stack):
            return self.new_frame(state, info, 0)
        while stack[-1].info is not info:
            self.leave(state, None)
        return stack[-1]

    def ending(self, state: ThreadState, event: int, value: Any) -> None:
        """A return, yield or exception, with its value."""
        frame = state.stack[-1] if state.stack else state.left
        if frame is not None:
            step = self.event(state, event, frame)
            self.bind(step, [self.binding(VALUE, self.value(value), 0)])
            frame.names = None

    def leave(self, state: ThreadState, time: int | None) -> None:
        if state.stack:
            state.left = state.stack.pop()
            state.left.names = None
            if time is not None:
                self.columns.frame_ended[state.left.number] = time

    def new_frame(self, state: ThreadState, info: CodeInfo, begun: int) -> FrameState:
        columns = self.columns
        function = numbered(self.function_ids, id(info), columns.functions, (info.file, info.function, info.first_line))
        number = len(columns.frame_function)
        columns.frame_function.append(function)
        columns.frame_caller.append(state.stack[-1].last if state.stack else NONE)
        columns.frame_begun.append(begun)
        columns.frame_ended.append(0)
        frame = FrameState(number, info)
        state.stack.append(frame)
        return frame

    def event(self, state: ThreadState, event: int, frame: FrameState) -> int:
        """A step that is no line, at the line where the frame stands."""
        state.raised = None
        return self.step(state, self.place(event, self.columns.frame_function[frame.number], frame.line), frame)

    def step(self, state: ThreadState, place: int, frame: FrameState) -> int:
        """One more step of a frame."""
        columns = self.columns
        step = len(columns.step_place)
        columns.step_place.append(place)
        columns.step_frame.append(frame.number)
        depth = len(state.stack) - 1
        columns.step_depth.append(depth if 0 <= depth <= DEEPEST else DEEPEST * (depth > 0))
        columns.step_bound.append(NONE)
        frame.last = step
        frame.since += 1
        if frame.since >= SNAPSHOT_EVERY or (frame.since == 1 and frame.held):
            frame.since = 1
            columns.snapshots[step] = array("I", [number for pair in frame.held.items() for number in pair])
        return step

    def take(self, frame: FrameState, step: int, names: tuple, sure: bool, items: list[Any], index: int) -> int:
        """The values that follow, for these names; where they end. Keeps what is new."""
        held, values, found = frame.held, self.columns.values, []
        for name, kind in names:
            if index >= len(items):
                break
            value = items[index]
            if isinstance(value, Token):
                break
            index += 1
            if kind is Others:
                found += self.others(held, value if type(value) is dict else {})
                continue
            if type(value) is Missing:
                if kind is not Touched and held.pop(name, None) is not None:
                    found.append(self.binding(name, NONE, 0))
                continue
            if kind is Touched and value is None:
                continue
            number = self.value(value)
            before = held.get(name)
            if number == before and not (kind is str and sure):
                continue
            held[name] = number
            flag = 0
            if before is not None and number != before:
                old = values[before]
                same = type(old) is Summary and old.number is not None and type(value) is Summary
                flag = IN_PLACE if kind is Touched or (same and old.number == value.number) else 0
            found.append(self.binding(name, number, flag))
        if found and step != NONE:  # a frame that ran already may bind a name before it takes a step
            self.bind(step, found)
        return index

    def others(self, held: dict[int, int], changed: dict[str, Any]) -> Iterator[int]:
        """Bind anew what a line has changed without naming it."""
        for text, value in changed.items():
            name, number = self.name_ids.get(text, VALUE), self.value(value)
            if held.get(name, number) != number:
                held[name] = number
                yield self.binding(name, number, IN_PLACE)

    def bind(self, step: int, bindings: Sequence[int]) -> None:
        """What a step bound; steps that bind the same share one run of numbers."""
        key = tuple(bindings)
        at = self.run_ids.get(key)
        if at is None:
            runs = self.columns.runs
            at = self.run_ids[key] = len(runs)
            runs.append(len(key))
            runs.extend(key)
        self.columns.step_bound[step] = at

    def line_place(self, place: LineInfo) -> tuple[int, tuple | None, bool, bool]:
        """A line's place, the names that it takes with their kinds, whether it surely binds them, and just one."""
        info = place.info
        number = self.place(LINE, self.function_ids[id(info)], place.line)
        names = (place.names,) if isinstance(place.names, str) else place.names or ()
        kinds = self.kinds(names) or None
        single = kinds is not None and len(kinds) == 1 and kinds[0][1] is str
        found = self.line_places[id(place)] = (number, kinds, place.sure, single)
        return found

    def arguments(self, info: CodeInfo) -> tuple:
        if id(info) not in self.argument_names:
            self.argument_names[id(info)] = self.kinds(info.arguments)
        return self.argument_names[id(info)]

    def kinds(self, names: Iterable) -> tuple:
        found = []
        for name in names:
            if type(name) is Watch:
                number = self.name(f"watch: {name.text}")
                self.columns.watches.add(number)
                found.append((number, Watch))
            elif type(name) is Others:
                found.append((VALUE, Others))
            elif name is not None:
                found.append((self.name(str(name)), type(name)))
        return tuple(found)

    def name(self, text: str) -> int:
        return numbered(self.name_ids, text, self.columns.names, text)

    def place(self, event: int, function: int, line: int) -> int:
        key = (event, function, line)
        return numbered(self.place_ids, key, self.columns.places, key)

    def value(self, value: Any) -> int:
        cls = type(value)
        key = value
        if cls not in ATOMS:  # a summary, or what a describer of another package gave
            key = id(value)
        elif cls is float or cls is complex:  # NaN is not equal to itself, and 0.0 is to -0.0
            key = repr(value)
        known = self.value_ids[cls]
        number = known.get(key)
        if number is None:  # not by `numbered`: this is the hot path
            number = known[key] = len(self.columns.values)
            self.columns.values.append(value)
        return number

    def binding(self, name: int, value: int, flag: int) -> int:
        key = (value << 32 | name) << 1 | flag
        number = self.binding_ids.get(key)
        if number is None:
            columns = self.columns
            number = self.binding_ids[key] = len(columns.binding_name)
            columns.binding_name.append(name)
            columns.binding_value.append(value)
            columns.binding_flag.append(flag)
        return number


def numbered(numbers: dict[Any, int], key: Any, table: list[Any], entry: Any) -> int:
    """The number of a key: the place of its entry in a table, where it is put when it is met first."""
    number = numbers.get(key)
    if number is None:
        number = numbers[key] = len(table)
        table.append(entry)
    return number


def in_order(tapes: list[Tape]) -> Iterator[tuple[int, int, int]]:
    """The turns of all threads, as (tape, start, end), in the order in which they were had."""
    found = []
    for number, tape in enumerate(tapes):
        ends = [start for _, start in tape.turns[1:]] + [len(tape.items)]
        for (turn, start), end in zip(tape.turns, ends, strict=False):
            found.append((turn, number, start, min(end, len(tape.items))))
    for _, number, start, end in sorted(found):
        if start < end:
            yield number, start, end


def unlike(names: Iterable[str]) -> list[str]:
    """Names of threads, those that occur again with a number."""
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name} ({len(found) + 1})")
    return found
