"""What the panes say of a step, line by line. All text of the program is text, never markup."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache, lru_cache

from rich.style import Style
from rich.syntax import Syntax
from rich.text import Span, Text

from prefix_lab.debugger import Recording, Step, Summary
from prefix_lab.debugger.comparing import Change
from prefix_lab.debugger.shown import before_it, facts_of, given_by, happening, place_of, text_of
from prefix_lab.debugger.stages import bands
from prefix_lab.debugger.steps import NONE
from prefix_lab.debugger.summary import as_summary
from prefix_lab.debugger.text import visible
from prefix_lab.locale import N_, _
from prefix_lab.locale.room import columns, padded
from prefix_lab.terminal.state import ReplayState

DIM, GHOST, COMING = "#7f848e", "italic #7f9f7f", "italic bold #98c379"
CHANGED, IN_PLACE, FAILED, NUMBER = "bold #e5c07b", "bold #c678dd", "bold #e06c75", "#61afef"
HERE, STOP, SAYS, RAN = "▶", "●", "◇", "│"
NEW, SAME = "●", "≈"
NAMES = 24  # columns that names may take
ROOM = 20  # columns, with less than that a value is not begun beside its line
BAR = 20
DEEPEST = 20  # indents of a call tree
LEGEND = N_("{new} changed just now  {same} in place")
KEPT = 16  # frames, and files: those that a walk in and out of calls comes back to
THEME = "one-dark"
TAB = 4
MOST = 500_000  # characters: a longer file would take seconds, and is shown without colours


def heading(state: ReplayState) -> Text:
    """Where a step is, and what happens there."""
    step = state.step
    thread = _("  thread {name}").format(name=visible(step.thread)) if state.threads > 1 else ""
    place = (f" {place_of(step.file, step.line)}", "bold")
    function = _("  in {function}").format(function=visible(step.function))
    found = Text.assemble(place, (function, DIM), thread, "  ")
    gives = given(step)
    said = {
        "call": _("is called; its arguments are below") if gives else _("begins"),
        "line": _("this line runs next, and gives  {given}").format(given=gives) if gives else _("this line runs next"),
        "resume": happening(step),
    }
    return found.append(said.get(step.event, gives), FAILED if step.event == "exception" else COMING)


def given(step: Step) -> str:
    """What a step bound, changed, returned or raised, as it stands beside its line."""
    in_place = step.in_place
    found = [
        f"{visible(name)} {SAME if name in in_place else '='} {text_of(value)}" for name, value in step.changed.items()
    ]
    return ", ".join(found if step.value is None else [*found, happening(step)])


def source_line(state: ReplayState, lines: list[Text], number: int, width: int) -> Text:
    """A line of the file with its marks, its number, and what it gave when it last ran in this frame, if it fits."""
    step = state.step
    ran = frame_steps(state.recording, step.frame)
    here, visited = number == step.line, ran.visited(number, step.index)
    found = Text()
    set_here = [one for one in state.breakpoints if (one.file, one.line) == (step.file, number)]
    found.append((SAYS if set_here[0].says else STOP) if set_here else " ", FAILED)
    found.append(HERE if here else RAN if visited else " ", COMING if here else GHOST)
    found.append(f"{number:>{gutter_width(lines) - 3}} ", "bold" if here else "" if visited else DIM)
    found.append_text(lines[number - 1])
    at = step.index if here and given(step) else ran.giving(number, step.index)
    if at is not None and found.cell_len + ROOM <= width:
        found.append(f"   {'→ ' if at == step.index else ''}")
        found.append(given(state.recording.steps[at]), COMING if at == step.index else GHOST)
    return found


def gutter_width(lines: list[Text]) -> int:
    """The columns before a line's text: two marks, the number, a space."""
    return len(str(len(lines))) + 4


def without_source(step: Step) -> list[Text]:
    """Instead of a file whose text is not known."""
    return [
        Text(" " + _("The text of {file} was not there when this was recorded.").format(file=visible(step.file)), DIM),
        Text.assemble((f" {HERE} {step.line} ", "bold"), (given(step), COMING)),
    ]


def local_lines(step: Step) -> list[Text]:
    """The frame's names, those that the step before has given or changed in place marked; then the watches."""
    last = before_it(step)
    fresh, in_place = (set(last.changed), last.in_place) if last else (set(), frozenset())
    held, watches = step.locals, step.watches
    width = min(NAMES, max(map(columns, [*map(visible, held), *map(visible, watches)]), default=0))
    found = [local_line(name, value, width, name in fresh, name in in_place) for name, value in held.items()]
    gone = sorted(fresh - held.keys())
    found += [Text.assemble(f"  {padded(visible(name), width)}  ", (_("(deleted)"), DIM)) for name in gone]
    for text, value in watches.items():
        found.append(Text.assemble(("⌕ ", NUMBER), f"{padded(visible(text), width)}  ", text_of(value)))
    return found or [Text("  " + _("no names yet"), DIM)]


def local_line(name: str, value: Summary, width: int, fresh: bool, in_place: bool) -> Text:
    mark, style = (SAME, IN_PLACE) if in_place else (NEW, CHANGED) if fresh else (" ", "")
    return Text.assemble((f"{mark} ", style), (padded(visible(name), width), style or NUMBER), "  ", text_of(value))


def stack_line(step: Step, here: bool) -> Text:
    place = (f"  {place_of(step.file, step.line)}", DIM)
    return Text.assemble((f"{HERE if here else ' '} ", COMING), visible(step.function), place)


def breakpoint_lines(state: ReplayState) -> list[Text]:
    return [Text.assemble((f"{SAYS if one.says else STOP} ", FAILED), visible(one.label)) for one in state.breakpoints]


def position(state: ReplayState) -> Text:
    """How far along: the step's number as `:` and `--from` take it, and a bar."""
    count = len(state.recording)
    full = round(BAR * state.index / max(count - 1, 1))
    return Text.assemble(
        (" " + _("step {step:,}").format(step=state.index), "bold"),
        (" " + _("of 0 to {last:,}").format(last=count - 1) + "  ", DIM),
        ("━" * full, NUMBER),
        ("━" * (BAR - full), "#3e4451"),
    )


def history_line(values: list[tuple[Step, Summary]], number: int) -> Text:
    step, value = values[number]
    at, line = _("step {step:,}").format(step=step.index), _("line {line}").format(line=step.line)
    return Text.assemble(f"{at}  ", (f"{line}  ", DIM), (text_of(value), CHANGED))


def said_line(rows: list[tuple[int, str]], number: int) -> Text:
    """What a log point says at a step."""
    step, said = rows[number]
    return Text.assemble((_("step {step:,}").format(step=step), DIM), "  ", visible(said))


def stage_line(recording: Recording, step: int) -> str:
    """The innermost stage around a step, and what it is, or that it goes on there."""
    around = [(run, name, said) for name, said, runs in bands(recording) for run in runs]
    run, name, said = max(one for one in around if one[0].first <= step <= one[0].last)
    if run.first != step:
        return _("Stage {stage} goes on here: what it called has returned.").format(stage=name)
    return _("Stage {stage}: {sentence}").format(stage=name, sentence=_(said))


def change_line(one: Change) -> Text:
    """A name's value before and now, and the call that it is of."""
    now = (_("(deleted)"), DIM) if one.now is None else (text_of(one.now), IN_PLACE if one.in_place else CHANGED)
    before = f"{SAME} " if one.in_place else "" if one.before is None else f"{text_of(one.before)} → "
    function = _("  in {function}").format(function=visible(one.step.function))
    return Text.assemble((f"{visible(one.name)}  ", NUMBER), before, now, (function, DIM))


def call_rows(recording: Recording) -> list[tuple[Text, int]]:
    """The call tree, a line for each entry, with the step to go to."""
    rows: list[tuple[Text, int]] = []
    waiting = [(call, 0) for call in reversed(recording.calls)]
    while waiting:
        call, depth = waiting.pop()
        count = f"  {call.count:,}×" if call.count > 1 else ""
        place = f"  {place_of(call.file, call.line)}"
        if call.first < len(recording):  # one that ran already may have none
            place = "  " + _("step {step:,}, {place}").format(step=call.first, place=place.strip())
        said = Text.assemble("  " * min(depth, DEEPEST), visible(call.function), (count, CHANGED), (place, DIM))
        rows.append((said, call.first))
        waiting += [(inner, depth + 1) for inner in reversed(call.calls)]
    return rows


def values_at(step: Step) -> dict[str, Summary]:
    """What can be asked for at a step: the locals, the watches, what the step binds, what it gives its caller."""
    return {**given_by(step), **step.locals, **step.watches}


def details(name: str, value: Summary, depth: int = 0) -> Iterator[Text]:
    """A line for the value, then its facts, then its parts, each a level further in."""
    indent = "  " * depth
    type_name = (f"  {visible(value.type)}", DIM)
    yield Text.assemble(indent, (visible(name), NUMBER), "  ", text_of(value), type_name)
    for fact, known in facts_of(value).items():
        yield Text.assemble(f"{indent}  ", (visible(fact), DIM), "  ", known)
    for inner, part in value.parts:
        yield from details(inner, as_summary(part), depth + 1)


class FrameSteps:
    """The steps of one frame by their lines: what each line gave when it last ran.

    The frame is walked once; every question after that is a search in what was found.
    """

    def __init__(self, recording: Recording, frame: int):
        columns = recording.columns
        self.first: dict[int, int] = {}
        self.gave: dict[int, array] = {}
        step = columns.frame_first[frame]
        while step != NONE:
            line = columns.places[columns.step_place[step]][2]
            self.first.setdefault(line, step)
            if columns.step_bound[step] != NONE:
                self.gave.setdefault(line, array("I")).append(step)
            step = columns.step_after[step]

    def visited(self, line: int, step: int) -> bool:
        """Whether the line was reached before this step."""
        return self.first.get(line, NONE) < step

    def giving(self, line: int, step: int) -> int | None:
        """The last step before this one at which the line bound, changed or returned something."""
        steps = self.gave.get(line, ())
        at = bisect_left(steps, step)
        return steps[at - 1] if at else None


@lru_cache(maxsize=KEPT)
def frame_steps(recording: Recording, frame: int) -> FrameSteps:
    """A frame's steps, remembered for the frames that were asked for last."""
    return FrameSteps(recording, frame)


@lru_cache(maxsize=KEPT)
def coloured_lines(recording: Recording, file: str) -> list[Text]:
    """A file's lines as they were when recorded, with Python's colours; none when its text is not known."""
    return coloured(recording.sources.get(file, ""))


def coloured(source: str) -> list[Text]:
    """The lines, without what would steer a terminal."""
    if not source:
        return []
    lines = [visible(line.rstrip("\r").expandtabs(TAB)) for line in source.split("\n")]
    if len(source) > MOST:
        return list(map(Text, lines))
    found = Syntax("", "python", theme=THEME).highlight("\n".join(lines))
    found.style = ""
    found.spans = [Span(span.start, span.end, without_background(span.style)) for span in found.spans]
    parts = found.split("\n", allow_blank=True)[: len(lines)]
    same = [part.plain for part in parts] == lines
    return list(parts) if same else list(map(Text, lines))


@cache
def without_background(style: Style | str) -> Style:
    """The pane has a background of its own, and marks the current line with another."""
    plain = Style.parse(style) if isinstance(style, str) else style
    return Style(color=plain.color, bold=plain.bold, italic=plain.italic, underline=plain.underline)
