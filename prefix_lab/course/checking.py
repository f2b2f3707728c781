"""What all checks of exercises are made of: a verdict, a learner's answer looked at with care, and a note of success.

A check returns its praise, or raises `NotYet` at the first thing that is wrong, the plain mistake before the subtle
one. `exercise` makes a verdict of either, so that a lesson runs top to bottom before anything is solved. All that is
said is whole sentences, each of them one template whose places have names.
"""

from __future__ import annotations

import functools
import html
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab.breakpoints.live import Asked
from prefix_lab.breakpoints.stopping import StopAt
from prefix_lab.course import passport, progress
from prefix_lab.course.ready import Verdict, cell_to_run
from prefix_lab.locale import N_, _, paragraph

DICE = random.Random()  # of our own: the learner's random numbers stay as they are
SIZES = (3, 5, 7, 11, 13)  # odd primes, so that two axes, or twice one of them, are never mistaken for each other
LONGEST, MOST = 60, 12  # signs of a learner's value that are repeated, and parts of a list

TODO = N_("Put your answer in place of `...`, and run the cell again.")
NO_FUNCTION = N_(
    "Give the check your function itself, by its name and without brackets behind it; it was given {given}."
)
FORGOTTEN = N_("Your function gave None: what it makes has to be handed back, with `return`.")
RAISED = N_("Your {what} raised {kind}: {said}.")
NO_DICT = N_("The dictionary of the cell is wanted, filled in; your answer is {given}, of type {kind}.")
LINE_GONE = N_("The line {line!r} is gone. Put it back as it was.")
NO_PAIR = N_("Two things are wanted, as in `return {names}`. Your function gave {given}.")
NO_NUMBER = N_("For {asked}, {name} gives {given}, and a number is wanted.")
OTHER_NUMBER = N_("For {asked}, {name} gives {given}, and it should be {right}.")
WHOLE = N_("A whole number is wanted: `//` in place of `/`.")
NO_TENSOR = N_("A tensor is expected for {name}, and it is {given}, of type {kind}.")
OTHER_SHAPE = N_("The shape of {name} is {given}, expected {axes} = {right}.")
OTHER_ORDER = N_("Every axis is there, in another order.")
OTHER_NUMBERS = N_("The shape of {name} is right, {axes} = {right}, and the numbers are not.")
NOT_A_NUMBER = N_("NaN is among them.")
ROUNDED = N_("The numbers of {name} are right, but rounded: they are {given}, expected {right}.")
NO_CHOICE = N_("Choose one of {letters}, as a text; this is {given}.")
NO_STOP = N_("Give the check the stop itself: `with stop_at(…) as stop:` makes it, and `stop` is its name.")
NEVER_STOPPED = N_("The program has not come to a stop: run the cell with `stop_at` to its end, and then this one.")
LESSON_TYPED = N_(
    "At this stop the lesson typed, and you watched. Run the cell by itself, and type at the prompt what you want to "
    "know."
)
NOTHING_ASKED = N_(
    "You came to {function} and left without asking anything. Run the cell again, and before you leave type `p` and "
    "the name of what you want to see."
)
NOT_THERE = N_(
    "You have not stood in `{function}` yet: you asked in `{there}`. `s` steps into a call, `u` climbs to the caller, "
    "`w` shows the whole stack."
)
OTHER_FRAME = N_("You saw it in `{there}`, with `{command}`. It is to be seen in `{function}`: `u` and `d` lead there.")
TOO_EARLY = N_(
    "In `{function}` you typed `{command}` at line {line}, before it had a value there: `n` runs the line that makes "
    "it. (Or is a name spelt otherwise? `ll` shows the source.)"
)
NOT_SEEN = N_("You stood in `{function}`, and what is to be seen was not printed there. You asked: {commands}.")
NO_QUESTION = N_("The first argument is the question: run the cell that shows it, and then this one.")
NOT_TRIED = TODO, NO_STOP, NEVER_STOPPED, LESSON_TYPED, NO_QUESTION


class NotYet(Exception):
    """What a check has found, in sentences that are translated here; `places` are what stands in their places.

    `cause` is the last sentence as it stands in the catalogue, without the learner's values: the likely mistake.
    """

    def __init__(self, *sentences: str, **places: Any):
        self.cause = next(filter(None, reversed(sentences)), "")
        super().__init__(paragraph(*(_(sentence).format(**places) for sentence in sentences)))


def exercise(key: str, stage: str | None = None) -> Callable[[Callable[..., str]], Callable[..., Verdict]]:
    """Mark a check as that of an exercise, by its key in `progress.EXERCISES`: when it passes, that is noted.

    When it does not, the cause is, without the answer: once, until another is found. What was not tried is none.

    With a `stage`, the stop among what the check is given stamps that page of the learner's passport, with the other
    answers beside it. What was asked by hand when the cell ran before counts as well: to correct an answer, nobody has
    to look again. The learner's random numbers go on afterwards as if no check had been.
    """

    def marked(check: Callable[..., str]) -> Callable[..., Verdict]:
        looked: dict[str, StopAt] = {}

        @functools.wraps(check)
        def checked(*answers: Any, **named: Any) -> Verdict:
            for stop in [*answers, *named.values()]:
                if isinstance(stop, StopAt) and stop.by == "hand" and stop.hits:
                    before, looked[key] = looked.get(key, stop), stop
                    if before is not stop:
                        stop.visits[:0], stop.asked[:0] = before.visits, before.asked
                        stop.earlier = len(before.asked)
            try:
                with torch.random.fork_rng(devices=[]):
                    praise = check(*answers, **named)
            except NotYet as found:
                if found.cause not in NOT_TRIED:
                    progress.note_missed(key, found.cause)
                checked.verdict = Verdict(False, str(found))
                return checked.verdict
            progress.note(key)
            given = [*answers, *named.values()]
            stops = [one for one in given if isinstance(one, StopAt) and one.visits]
            if stage is not None and stops:
                answers_given = [one for one in given if not isinstance(one, StopAt | nn.Module)]
                passport.stamp(stage, key, stops[0], [" ".join(repr(one).split()) for one in answers_given])
            checked.verdict = Verdict(True, praise)
            return checked.verdict

        checked.verdict = Verdict(False, TODO)  # what it said last
        checked.exercise = key
        checked.stage = stage
        return checked

    return marked


class Later(NamedTuple):
    """What would answer an exercise: it opens with a click, when the reader has tried."""

    number: int
    shown: Any

    @property
    def title(self) -> str:
        return _("Exercise {number} first. Then open this: it has the answer.").format(number=self.number)

    def _repr_html_(self) -> str:
        return f"<details><summary>{html.escape(self.title)}</summary>{self.shown._repr_html_()}</details>"

    def __repr__(self) -> str:
        return f"{self.title}\n{self.shown!r}"


def after_exercise(number: int, shown: Any) -> Later:
    """A picture or a table that answers an exercise, folded until it is wanted."""
    return Later(number, shown)


def generator() -> torch.Generator:
    """Random numbers for tensors that are not the learner's."""
    return torch.Generator().manual_seed(DICE.randrange(2**31))


def brief(given: Any, most: int = MOST) -> str:
    """A learner's value on one line; of what is long, how long it is."""
    if isinstance(given, Tensor) and given.dim():
        return _("a tensor {shape}").format(shape=tuple(given.shape))
    if not isinstance(given, list | tuple):
        text = " ".join(repr(given).split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    parts = [brief(one, max(1, most // 3)) for one in given[:most]]
    parts += [_("… {count} in all").format(count=len(given))] * (len(given) > most)
    text = f"[{', '.join(parts)}]" if isinstance(given, list) else f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    return text if len(text) <= 2 * LONGEST or most == 1 else brief(given, most // 2)


def plain(given: Any) -> Any:
    """A number of torch or numpy as Python's own; all else as it is."""
    return given.item() if getattr(given, "ndim", None) == 0 else given


def kind(given: Any) -> str:
    return type(given).__name__


def is_open(answer: Any) -> bool:
    """Whether a stub's place still holds `...`, alone or inside."""
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    return answer is ... or (isinstance(answer, list | tuple | set) and any(map(is_open, answer)))


def called(answer: Any, *arguments: object) -> Any:
    """What the learner's function gives; refused when it is still a stub, raises, or forgets its `return`."""
    result = tried(answer, *arguments)
    if result is None:
        raise NotYet(FORGOTTEN)
    return result


def tried(answer: Any, *arguments: object) -> Any:
    """As `called`, for a function that need not give anything."""
    if is_open(answer):
        raise NotYet(TODO)
    if not callable(answer):
        raise NotYet(NO_FUNCTION, given=brief(answer))
    try:
        result = answer(*arguments)
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        raise raised(N_("function"), error) from error
    if is_open(result):
        raise NotYet(TODO)
    return result


def raised(what: str, error: Exception, *more: str) -> NotYet:
    """What the learner's code raised; for a name that is not there, with the cell to run first."""
    advice = "{advice}" if (advised := cell_to_run(error)) else ""
    return NotYet(RAISED, advice, *more, what=_(what), kind=kind(error), said=str(error).rstrip("."), advice=advised)


def filled_in(answer: Any, lines: Iterable[str]) -> list[Any]:
    """The learner's answers from a dictionary that was to be filled in, in the order of `lines`."""
    if answer is ...:
        raise NotYet(TODO)
    if not isinstance(answer, dict):
        raise NotYet(NO_DICT, given=brief(answer), kind=kind(answer))
    for line in lines:
        if line not in answer:
            raise NotYet(LINE_GONE, line=line)
    if is_open(found := [answer[line] for line in lines]):
        raise NotYet(TODO)
    return found


def pair(result: Any, names: str, wanted: Any = object) -> tuple[Any, Any]:
    """Two things that a learner's function gives, as in `return names`."""
    if isinstance(result, tuple | list) and len(result) == 2:
        if wanted is not Tensor:
            result = tuple(map(plain, result))
        if all(isinstance(one, wanted) for one in result):
            return tuple(result)
    raise NotYet(NO_PAIR, names=names, given=brief(result))


def same_number(answer: Any, given: Mapping[str, Any], right: int, causes: Mapping[Any, str], otherwise: str) -> None:
    """Hold what the learner's function gives for the values of `given` against the right number.

    `causes` has the likely mistake for a wrong number, `otherwise` a word for every other.
    """
    number = plain(result := called(answer, *given.values()))
    places = {"asked": ", ".join(f"{key}={value}" for key, value in given.items()), "name": _("your function")}
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise NotYet(NO_NUMBER, otherwise, given=brief(result), **places)
    if number != right:
        raise NotYet(OTHER_NUMBER, causes.get(number, otherwise), given=number, right=right, **places)
    if not isinstance(number, int):
        raise NotYet(OTHER_NUMBER, WHOLE, given=number, right=right, **places)


def close(result: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and numbers, but for the last digits of a sum."""
    return result.shape == other.shape and torch.allclose(result.float(), other.float(), rtol=1e-4, atol=1e-5)


def same_tensor(
    result: Any,
    right: Tensor,
    axes: str,
    shapes: Mapping[tuple[int, ...], str],
    numbers: Mapping[str, Tensor],
    otherwise: tuple[str, str],
    same: Callable[[Tensor, Tensor], bool] = close,
    name: str = "",
) -> None:
    """Hold a tensor of the learner's against `right`, whose axes are `axes`.

    `shapes` has the likely mistake for a wrong shape, `numbers` the wrong tensor that each mistake makes, `otherwise` a
    word for every other shape and every other number. `name` says which one it is, where there are several.
    """
    name = name or _("your result")
    if not isinstance(result, Tensor):
        raise NotYet(NO_TENSOR, name=name, given=brief(result), kind=kind(result))
    shape, places = tuple(result.shape), {"name": name, "axes": axes, "right": tuple(right.shape)}
    if shape != right.shape:
        same_axes = sorted(shape) == sorted(right.shape)
        cause = shapes.get(shape, OTHER_ORDER if same_axes else otherwise[0])
        raise NotYet(OTHER_SHAPE, cause, given=shape, **places)
    if same(result, right):
        return
    if result.isnan().any():
        raise NotYet(OTHER_NUMBERS, NOT_A_NUMBER, **places)
    if result.dtype != right.dtype and close(result, right.to(result.dtype)):
        raise NotYet(ROUNDED, name=name, given=result.dtype, right=right.dtype)
    cause = next((said for said, wrong in numbers.items() if same(result, wrong)), otherwise[1])
    raise NotYet(OTHER_NUMBERS, cause, **places)


def chosen(answer: Any, right: str, causes: Mapping[str, str]) -> None:
    """Hold the letter of a learner's choice against the right one; `causes` says of each other one why it is wrong."""
    if is_open(answer):
        raise NotYet(TODO)
    letter = answer.strip(" ()").lower() if isinstance(answer, str) else answer
    if letter != right:
        cause = next((said for one, said in causes.items() if one == letter), NO_CHOICE)
        raise NotYet(cause, letters=", ".join(sorted([right, *causes])), given=brief(answer))


def answered_shape(prediction: Any, answer: Any) -> str:
    """For `predict(...)`: the answer to its question, by names or numbers, from a cell instead of the picture."""
    if answer is None or is_open(answer):
        raise NotYet(TODO)
    if not hasattr(prediction, "answer_with"):
        raise NotYet(NO_QUESTION)
    text = ", ".join(map(str, answer)) if isinstance(answer, list | tuple) else str(answer)
    said = prediction.answer_with(f"({text.strip().strip('()')})")
    if not prediction.is_right:
        raise NotYet("{said}", said=said)
    return said.removeprefix(_("Right.")).lstrip()


MOVES = re.compile(
    r"(n|next|s|step|c|cont|continue|r|return|unt|until|u|up|d|down|w|where|bt|l|list|ll|longlist|source|b|break|tbreak"
    r"|h|help|q|quit|exit|EOF)\b"
)
"""Commands that lead somewhere or show source, and no value."""


def seen_there(
    stop: Any, function: str, shown: str | Iterable[str] = (), causes: Mapping[str, str] | None = None
) -> Asked | None:
    """Hold what the learner asked a debugger against what there is to see; the question that showed it.

    `function` is the qualified name of the function to stand in, `shown` a text, or several of which one is enough,
    that an answer there holds; without it, any command that was typed there will do. How it was asked does not matter,
    but a listing of source shows no value. `causes` has the likely mistake for another text that was printed there.
    What was asked in another debugger is not known: that it stopped is enough, and None is given.
    """
    if is_open(stop):
        raise NotYet(TODO)
    if not isinstance(stop, StopAt):
        raise NotYet(NO_STOP)
    if not stop.visits:
        raise NotYet(NEVER_STOPPED)
    if stop.by == "lesson":
        raise NotYet(LESSON_TYPED)
    if stop.by == "debugger":
        return None
    wanted = (shown,) if isinstance(shown, str) else tuple(shown)
    asked = [one for one in stop.asked if not (MOVES.match(one.command) and wanted)]
    here = [one for one in asked if one.function == function]
    if found := next((one for one in here if not wanted or any(holds(one.answer, text) for text in wanted)), None):
        return found
    if not [one for one in stop.asked if not MOVES.match(one.command)]:
        raise NotYet(NOTHING_ASKED, function=stop.visits[0].function)
    for one in asked:
        if any(holds(one.answer, text) for text in wanted):
            raise NotYet(OTHER_FRAME, there=one.function, command=one.command, function=function)
    if not here:
        raise NotYet(NOT_THERE, function=function, there=asked[-1].function)
    now = stop.asked[stop.earlier :]
    here = [one for one in here if one in now] or here  # what was wrong at an earlier run may be forgotten by now
    for text, cause in (causes or {}).items():
        if any(holds(one.answer, text) for one in here):
            raise NotYet(cause)
    for one in here:
        if re.search(r"\b(NameError|UnboundLocalError)\b", one.answer):
            raise NotYet(TOO_EARLY, function=function, command=one.command, line=one.line)
    raise NotYet(NOT_SEEN, function=function, commands=", ".join(f"`{one.command}`" for one in here))


def holds(answer: str, text: str) -> bool:
    """Whether an answer has this text, and not as part of a longer word or number."""
    return re.search(rf"(?<![\w.]){re.escape(text)}(?!\w|\.\w)", answer) is not None
