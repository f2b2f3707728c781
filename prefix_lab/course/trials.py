"""Lesson 14's trials: a learner's line is put into a branch of `rewrite`, and the mended file is run against PEFT.

In each situation everything that comes out is to be PEFT's, bit for bit; sizes are drawn anew each time. Where it is
not, the function is told that parts first from the right file, and what it gives.
"""

from __future__ import annotations

import difflib
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from prefix_lab.course import hunts
from prefix_lab.course.checking import DICE, TODO, NotYet, brief, is_open, kind
from prefix_lab.course.small_models import before, small_gpt2, small_ids, small_t5
from prefix_lab.locale import N_

STOPS = N_("With your line it stops, {kind}: {said}")
NO_TEXT = N_("{name} is {given}; a line of the file is wanted, as text, in quotes.")
AS_IT_STOOD = N_("That is the line as it stood. What should it say instead?")
EMPTY = N_("wrong is empty: copy the line that you think is wrong.")
SEVERAL = N_("That line stands there more than once. Give it together with the line after it.")
NO_LINE = N_("The file has no such line. Copy a whole line from it into the quotes.")
NEAR = N_("Did you mean: {line}")
NO_PYTHON = N_("With your line it is no Python any more: {said}, at {text!r}.")
NOT_LOADED = N_("With your line the file cannot be loaded, {kind}: {said}")
STILL = N_("With your line, the report still shows something else than with PEFT.")
PARTS_AT = N_("The first function that gives something else is {function}, at its call number {call}.")


def mend(module: ModuleType, wrong: Any, right: Any) -> ModuleType:
    """The file anew with `right` where `wrong` stood; refused with the reason where that cannot be.

    `wrong` is a line of it, or a few in a row, `right` what is to stand there: any number of lines, none for an empty
    text. The indentation is that of the first line replaced.
    """
    if any(text is None or is_open(text) for text in (wrong, right)):
        raise NotYet(TODO)
    for name, text in (("wrong", wrong), ("right", right)):
        if not isinstance(text, str):
            raise NotYet(NO_TEXT, name=name, given=brief(text))
    lines = Path(module.__file__).read_text(encoding="utf-8").splitlines()
    first, last = found(lines, [line.strip() for line in wrong.strip().splitlines()])
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if [line.strip() for line in right.strip().splitlines()] == [line.strip() for line in lines[first:last]]:
        raise NotYet(AS_IT_STOOD)
    new = textwrap.indent(textwrap.dedent(right.strip("\n")), indent).splitlines() if right.strip() else []
    if new:
        new[0] = indent + new[0].strip()
    try:
        return hunts.loaded("\n".join([*lines[:first], *new, *lines[last:]]) + "\n", f"{module.__name__}_mended")
    except SyntaxError as error:
        raise NotYet(NO_PYTHON, said=error.msg, text=error.text) from error
    except (Exception, SystemExit) as error:
        raise NotYet(NOT_LOADED, kind=kind(error), said=str(error)) from error


def found(lines: list[str], wanted: list[str]) -> tuple[int, int]:
    """The first and the last line, plus one, of a run of lines; refused where there is not exactly one such run."""
    if not wanted:
        raise NotYet(EMPTY)
    bare = [line.strip() for line in lines]
    at = [start for start in range(len(bare)) if bare[start : start + len(wanted)] == wanted]
    if len(at) > 1:
        raise NotYet(SEVERAL)
    if not at:
        near = difflib.get_close_matches(wanted[0], [line for line in bare if line], n=1, cutoff=0.5)
        raise NotYet(NO_LINE, NEAR if near else "", line=near[0] if near else "")
    return at[0], at[0] + len(wanted)


def hold_against_peft(mended: ModuleType, report: Callable[[ModuleType], Any]) -> None:
    """Raises `NotYet` for the first situation in which the file does not do what PEFT does; the report comes first."""
    import peft

    for said, situation in {STILL: report, **SITUATIONS}.items():
        run = fixed(situation)
        try:
            mine = hunts.parts(run(mended))
        except (Exception, SystemExit) as error:
            raise NotYet(STOPS, kind=kind(error), said=str(error).strip().partition("\n")[0]) from error
        if hunts.same(dict(mine), dict(hunts.parts(run(peft)))):
            continue
        apart = hunts.differences(hunts.visits(mended, run), hunts.visits(hunts.branch(0), run))
        if not apart:
            raise NotYet(said)
        raise NotYet(said, PARTS_AT, function=apart[0].function, call=apart[0].call)


def fixed(situation: Callable[[ModuleType], Any]) -> Callable[[ModuleType], Any]:
    """The situation with what it draws always drawn alike, and without the warnings of the libraries."""
    state = DICE.getstate()

    def run(by: ModuleType) -> Any:
        DICE.setstate(state)
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            return situation(by)

    return run


def drawn() -> tuple[int, int, int, int]:
    """prefix_len, layers, heads and head_dim, no two alike."""
    return tuple(DICE.sample((2, 3, 4, 5, 6), 4))


def going_on(by: ModuleType) -> Any:
    prefix_len, *sizes = drawn()
    model, ids = before(small_gpt2(*sizes), by, prefix_len), small_ids(3, 9)
    mask = torch.ones_like(ids)
    mask[1, :2], mask[2, :5] = 0, 0
    place = mask.cumsum(-1) - 1
    logits = [
        model(input_ids=ids, attention_mask=one, position_ids=two).logits
        for one, two in ((None, None), (mask, None), (mask, place.clamp(min=0)))
    ]
    return logits, model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=4, do_sample=False)


def answering(by: ModuleType) -> Any:
    prefix_len, *sizes = drawn()
    model, ids, labels = before(small_t5(*sizes), by, prefix_len), small_ids(2, 9), small_ids(2, 6, seed=3)
    mask = (labels % 5 > 0).long()
    first = model(input_ids=ids, labels=labels, decoder_attention_mask=mask)
    other = model(input_ids=ids.flip(0), labels=labels)
    written = model.generate(input_ids=ids, max_new_tokens=4, do_sample=False)
    return first.loss, first.logits, other.logits, written


def learning(by: ModuleType, precision: torch.dtype = torch.float32) -> Any:
    prefix_len, *sizes = drawn()
    model, ids = before(small_t5(*sizes).to(precision), by, prefix_len, prefix_projection=True), small_ids()
    trains = {name: one for name, one in model.named_parameters() if one.requires_grad}
    optimizer = torch.optim.AdamW(trains.values(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    return {name.removeprefix("prompt_encoder.default."): one for name, one in trains.items()}


def half_precision(by: ModuleType) -> Any:
    return learning(by, torch.bfloat16)


def keeping(by: ModuleType) -> Any:
    prefix_len, *sizes = drawn()
    model = before(small_gpt2(*sizes), by, prefix_len)
    for number, projected in enumerate((True, False)):
        model.add_adapter(
            f"adapter {number}",
            by.PrefixTuningConfig(
                task_type="CAUSAL_LM", num_virtual_tokens=prefix_len + number, prefix_projection=projected
            ),
        )
    model.set_adapter("adapter 1")
    return [model.get_prompt_embedding_to_save(name) for name in model.peft_config]


def serving(by: ModuleType) -> Any:
    prefix_len, *sizes = drawn()
    model, fresh, ids = before(small_gpt2(*sizes), by, prefix_len), before(small_gpt2(*sizes), by, 2), small_ids()
    model.add_adapter("second", by.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len + 1))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        fresh.load_adapter(Path(folder, "second"), "second")
    fresh.set_adapter("second")
    return fresh(input_ids=ids).logits


SITUATIONS: Mapping[str, Callable[[ModuleType], Any]] = {
    N_("The report is mended, but a GPT-2 that goes on, with padding and without, is not as in PEFT."): going_on,
    N_("The report is mended, but a T5 that answers one text after another is not as in PEFT."): answering,
    N_("The report is mended, but training with a projection is not as in PEFT."): learning,
    N_("The report is mended, but training before a base in bfloat16 is not as in PEFT."): half_precision,
    N_("The report is mended, but what is kept of several adapters is not as in PEFT."): keeping,
    N_("The report is mended, but an adapter that was saved and loaded is not as in PEFT."): serving,
}
