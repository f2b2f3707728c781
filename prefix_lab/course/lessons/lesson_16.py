"""Lesson 16: PEFT 0.4.0 of July 2023 beside today's: what moved, what is handed on, and a length that broke."""

from __future__ import annotations

from typing import Any

from prefix_lab.course.checking import DICE, NotYet, brief, called, chosen, exercise, filled_in, plain, seen_there
from prefix_lab.course.small_models import record_walk
from prefix_lab.debugger import Recording
from prefix_lab.debugger.stages import known_stages, runs_of_stage
from prefix_lab.locale import N_, _
from prefix_lab.widgets import Mirror, Stepper
from prefix_lab.widgets.table import Table, table
from prefix_lab.years.beside import WORDS, then_and_now
from prefix_lab.years.environment import CannotHave

_walks: dict[tuple[str, int], Recording] = {}


def walked(where: str, prefix_len: int = 20) -> Recording | None:
    """`record_walk` with all values compared, once in a session. A release that cannot be had is said; then it is
    None."""
    if (where, prefix_len) not in _walks:
        try:
            asks = None if prefix_len == 20 else False  # one question is enough
            _walks[where, prefix_len] = record_walk(where, prefix_len=prefix_len, keep="statistics", install=asks)
        except CannotHave as problem:
            if asks is None:
                print(problem)
            return None
    return _walks[where, prefix_len]


WITHOUT = {
    "choose": N_(
        "PEFT 0.4.0 is not here, so this is today's alone. Beside 0.4.0 there is a `=` at choose, prepare, wrap and "
        "encode, and a `≠` at split and attend."
    ),
    "prepare": N_(
        "PEFT 0.4.0 is not here, so this is today's alone. In 0.4.0 `get_peft_model` makes a dictionary of the model's "
        "config and calls `_prepare_prompt_learning_config`; `add_adapter` calls it again, when all is filled in. The "
        "dictionary has no entry `num_hidden_layers`, so the arrow goes on to the `elif` with `num_layers`."
    ),
    "split": N_(
        "PEFT 0.4.0 is not here, so this is today's alone. In 0.4.0 `get_prompt` ends with the split: a tuple of three "
        "tensors (4, 2, 4, 20, 32), one for each layer. The first 4 are the layer's own key and value, and a key and a "
        "value for cross-attention; the 20 are virtual tokens."
    ),
    "project": N_(
        "PEFT 0.4.0 is not here, so there is nothing to step through. Of what it does, the text above tells."
    ),
}
"""What stands there in 0.4.0, for those who cannot have it."""


def side_by_side(then: Recording | None, now: Recording, stage: str, end: bool = False) -> Mirror | Stepper:
    """Both walks in step, where a stage begins or ends; without the old one today's, and what there is in the other."""
    if then is not None:
        mirror = Mirror(then, now, labels=("2023", _("now")), height="640px")
        mirror.goto_stage(stage, end=end)
        return mirror
    print(_(WITHOUT[stage]))
    row = next(one for one in known_stages() if one.name == stage)
    run = runs_of_stage(now, row)[0]
    return Stepper(now, at=run.last if end else run.first, height="560px")


DECIDES = "elif past_key_value.shape[2] != key_value_states.shape[1]:"
"""The line of T5's attention in transformers 4.31.0 that decides where cross-attention's keys come from."""


def where_it_decides(then: Recording | None) -> Stepper | None:
    """A stepper before that line, where it runs first."""
    if then is None:
        print(_(WITHOUT["project"]))
        return None
    return Stepper(then, at=next(step for step in then.steps if step.text == DECIDES), height="560px")


def loss_of(walk: Recording | None) -> float | str:
    """The loss at the end of a walk."""
    return walk.cursor(len(walk) - 1).locals["loss"].facts["mean"] if walk else _("not here")


def all_changes(then: Recording | None, now: Recording) -> Table | None:
    """What `prefix-lab walk --peft 0.4.0` prints, as a table."""
    if then is None:
        print(_(WITHOUT["project"]))
        return None
    rows = []
    for one in then_and_now(then, now):
        lines = [line for line in one.lines() if line[0] not in ("then", "now")]
        rows += [("" if at else one.stage, _(WORDS[word]), said) for at, (word, said) in enumerate(lines)]
    return table((N_("stage"), "", ""), rows)


EQUAL_UNTIL = {
    "a": N_("Further: behind the sign of `encode` there is a `=` as well. From the same seed came the same numbers."),
    "c": N_("The numbers are the same, but go to the end of `split`: what carries them is no longer the same thing."),
    "d": N_("Look at `split` and at `attend`: the sign there is ≠."),
}


@exercise("equal_until")
def check_equal_until(answer: Any) -> str:
    """`answer` is the letter of the last stage whose result is equal."""
    chosen(answer, "b", EQUAL_UNTIL)
    return _("Three years, and the same seed gives the same prefix, to the last bit. What came after it has changed.")


PREPARED = {"then": "num_layers", "now": "num_hidden_layers", "no_longer": "get_peft_model"}
OTHER_NAME = N_("{line}: not {given}. It is the name in the branch into which the arrow goes.")
OTHER_WAY_ROUND = N_("{line}: {given} is the other year's. Which side of the mirror is which?")
STILL = N_("`add_adapter` calls it in both. Which function does so in 2023 alone?")
ITSELF = N_("That is the function that is called. Who calls it, the first time in 2023?")
OTHER_CALLER = N_("no_longer: not {given}. At the first run of `prepare` in 2023, look at the call stack.")


@exercise("prepared")
def check_prepared(answer: Any) -> str:
    """From which name num_layers is read, then and now, and who prepared in 2023 and does so no longer."""
    for line, given in zip(PREPARED, filled_in(answer, PREPARED), strict=True):
        right, name = PREPARED[line], given.strip("()` ").rpartition(".")[2] if isinstance(given, str) else given
        if name == right:
            continue
        if line == "no_longer":
            causes = {"add_adapter": STILL, "_prepare_prompt_learning_config": ITSELF}
            raise NotYet(causes.get(name, OTHER_CALLER) if isinstance(name, str) else OTHER_CALLER, given=brief(given))
        other = PREPARED["now" if line == "then" else "then"]
        raise NotYet(OTHER_WAY_ROUND if name == other else OTHER_NAME, line=line, given=brief(given))
    return _(
        "Asked as a dictionary, a T5's config has no num_hidden_layers; asked as an object, it answers to that name. "
        "Another branch, the same number."
    )


GET_PROMPT = "PeftModel.get_prompt"
HANDED_ON = {"now": "EncoderDecoderCache", "cross_then": 20, "cross_now": 0}
NOT_A_TUPLE = N_("That is what the split gives, then and now. Today the function goes on: what does it hand back?")
ONE_PART = N_("That is one half of it: a cache that has one for self-attention and one for cross-attention.")
OTHER_KIND = N_("now: not {given}. At the end of the function, print `type(past_key_values)`.")
NO_COUNT = N_("{line}: a number of virtual tokens is wanted, and you gave {given}.")
FOUR = N_("Four is how many tensors a layer has: own key, own value, cross key, cross value. How many tokens in each?")
TODAYS = N_("{line}: 0 is today's. Look at the tuple of 2023: are there no virtual tokens in the last two of its four?")
OTHER_COUNT = N_("{line}: not {given}. The axes are (4, batch, heads, prefix_len, head_dim).")
OTHER_PART = N_("So many are in self-attention's part. What is in `past_key_values.cross_attention_cache`?")


@exercise("handed_on")
def check_handed_on(stop: Any, answer: Any) -> str:
    """What get_prompt hands back today, and how many virtual tokens it holds for cross-attention, then and now."""
    kind, *counts = filled_in(answer, HANDED_ON)
    name = getattr(kind, "__name__", kind)
    name = name.rpartition(".")[2].rstrip("'>") if isinstance(name, str) else name
    if name != "EncoderDecoderCache":
        causes = {"tuple": NOT_A_TUPLE, "DynamicCache": ONE_PART}
        raise NotYet(causes.get(name, OTHER_KIND) if isinstance(name, str) else OTHER_KIND, given=brief(kind))
    for line, given in zip(("cross_then", "cross_now"), map(plain, counts), strict=True):
        if isinstance(given, bool) or not isinstance(given, int):
            raise NotYet(NO_COUNT, line=line, given=brief(given))
        if given != HANDED_ON[line]:
            causes = {4: FOUR, 0: TODAYS, 20: OTHER_PART}
            raise NotYet(causes.get(given, OTHER_COUNT), line=line, given=given)
    seen_there(stop, GET_PROMPT, ("0", "DynamicCache(layers=[])"), {"20": OTHER_PART})
    return _("Cross-attention begins empty today, and fills from the text. In 2023 it was handed keys as well: why?")


NO_BOOL = N_(
    "For {prefix_len} virtual tokens and {source} of text your function gives {given}; True or False is wanted."
)
OTHER_ANSWER = N_("For {prefix_len} virtual tokens and {source} of text your function gives {given}.")
OTHER_BRANCH = N_("With != the condition is true, and then the keys are made of the text: that is the good case.")
NEVER = N_("There is a case in which the last `else` runs, and hands on what came from the prefix.")
AT_LEAST = N_("Longer or shorter makes no difference: the line asks whether two numbers are the same.")
ALWAYS = N_("With 20 virtual tokens and 7 tokens of text all went well.")


@exercise("text_unread")
def check_text_unread(answer: Any) -> str:
    """`answer(prefix_len, source)`: did cross-attention of 2023 take the prefix's keys in place of the text's?"""
    source = DICE.randrange(5, 30)
    other = source + DICE.randrange(1, 4)
    given = {}
    for pair in ((source, source), (other, source), (source, other)):
        given[pair] = result = plain(called(answer, *pair))
        if not isinstance(result, bool):
            raise NotYet(NO_BOOL, prefix_len=pair[0], source=pair[1], given=brief(result))
    same, more, fewer = given.values()
    if (same, more, fewer) == (True, False, False):
        return _("Equal, and nothing else: one length of a batch, and the decoder does not see your text.")
    wrong = next(pair for pair in given if given[pair] != (pair[0] == pair[1]))
    causes = {(False, True, True): OTHER_BRANCH, (False, False, False): NEVER, (True, True, True): ALWAYS}
    told = {"prefix_len": wrong[0], "source": wrong[1], "given": given[wrong]}
    raise NotYet(OTHER_ANSWER, causes.get((same, more, fewer), AT_LEAST), **told)
