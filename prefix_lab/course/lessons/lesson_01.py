"""Lesson 1: what was found out at stops in PEFT: the class, the names of the sizes, what is frozen, and who asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefix_lab.breakpoints.stopping import StopAt
from prefix_lab.course.checking import NotYet, brief, chosen, exercise, filled_in, plain, seen_there
from prefix_lab.locale import N_, _

CHOOSE, PREPARE, WRAP, ENCODE = (
    "get_peft_model",
    "_prepare_prompt_learning_config",
    "PeftModel._setup_prompt_encoder",
    "PrefixEncoder.forward",
)
CALLER, ASKS = "PeftModel.add_adapter", "PeftModel.get_prompt"

OTHER_ANSWER = N_("{line} is not {given}. Stop once more, and look at what stands there.")
TABLES = {
    "PEFT_TYPE_TO_CONFIG_MAPPING": N_("That table has configs, by method. Which one does the last `return` read?"),
    "PEFT_TYPE_TO_PREFIX_MAPPING": N_("That table is asked further up, for a warning. Go on to the last `return`."),
}
CLASSES = {
    "PeftModelForSeq2SeqLM": N_("That was T5's. What does the table have for *this* `peft_config.task_type`?"),
    "PeftModel": N_("`PeftModel` is for task types that the table does not have. Ask the table with this one."),
    "PeftModelForCausalLM": "",
}
EARLY = N_("You asked while it was still `None`. Go on with `n` until the field has a value, and ask again.")
SIZES = {
    "num_layers": (
        "num_hidden_layers",
        {
            "num_layers": N_(
                "`num_layers` is what a T5 calls it, and `model_config` has it. But the first `if` asks for another "
                "name, and the arrow goes in there: which line does it visit next?"
            )
        },
    ),
    "token_dim": (
        "d_model",
        {"hidden_size": N_("`hidden_size` is asked for first, and `model_config` has none: the arrow passes by.")},
    ),
    "num_attention_heads": (
        "num_heads",
        {
            "num_attention_heads": N_(
                "`num_attention_heads` is asked for first, and `model_config` has none: the arrow passes by."
            )
        },
    ),
}
TRAINED, BEHIND = 68, 0
TRUE_NUMBERS = N_("{line}: {given} is no number of parameters. Count with `p sum(…)`, as in the text.")
ONE_COUNTED = N_("{line}: not {given}. What did `p sum(…)` print {where}?")
WHERE = {"before": N_("where the function begins"), "after": N_("behind the loop")}
ONLY_BEGINNING = N_("You counted where the function begins. Go on, behind the loop that freezes, and count again.")
ONLY_BEHIND = N_("You counted behind the loop. Run the cell again, and count before you go on as well.")
NOT_CLIMBED = N_("You have not looked at the caller yet: `u` climbs to it, `w` shows all of them.")
CALLERS = {
    "__init__": N_("`__init__` is further up. Who stands directly above `_setup_prompt_encoder`?"),
    "get_peft_model": N_("`get_peft_model` is where it began. Who stands directly above `_setup_prompt_encoder`?"),
    "_setup_prompt_encoder": N_("That is the function you stopped in. `u` climbs to its caller."),
}
ASKERS = {
    "_call_impl": N_("`_call_impl` is torch's own, as the file above the arrow says. Climb further, to PEFT's."),
    "_wrapped_call_impl": N_("`_wrapped_call_impl` is torch's own. Climb once more, to PEFT's."),
    "forward": N_("A `forward` is at both ends of the way. The one that called the encoder stands between them."),
}
SHAPE, IN_SHAPE = (3, 10, 1024), (3, 10)
WENT_IN = N_("{given} is what went in: `prefix`. `r` runs to the end; then print the shape of `past_key_values`.")
NO_SHAPE = N_("A shape is wanted, such as (3, 20, 768), and this is {given}.")
OTHER_SHAPE = N_("It is not {given}. Print `past_key_values.shape` behind `r`.")
PREPARED = {
    "a": N_("So it was in 2023. Stop there and type `p peft_config.num_layers` at the last line: it is still open."),
    "c": N_("The encoder reads the sizes, so they have to be there already."),
    "d": N_("When the model runs, the encoder has long been made, with all its sizes."),
}


def name_of(given: Any) -> str:
    """A name as a learner writes it, of a function or class, or one of these itself."""
    text = getattr(given, "__name__", None) or str(given)
    return text.strip(" `()'\"").rpartition(".")[2]


def named(line: str, given: Any, right: str, causes: Mapping[str, str]) -> None:
    """Hold a name that was written down against the right one."""
    if (name := name_of(given)) != right:
        raise NotYet(causes.get(name) or OTHER_ANSWER, line=line, given=brief(given))


def seen_by_stepping(stop: Any, function: str) -> bool:
    """Whether the learner stepped into that function, or, by climbing or by `w`, saw its name."""
    if not isinstance(stop, StopAt) or stop.by in ("lesson", "debugger"):
        return isinstance(stop, StopAt) and stop.by == "debugger"  # where it was stepped is not known
    name = function.rpartition(".")[2]
    here = any(one.function == function for one in [*stop.visits, *stop.asked])
    return here or any(f"{name}(" in one.answer for one in stop.asked if one.command.split()[0] in ("w", "where", "bt"))


def seen_any(stop: Any, function: str, shown: Iterable[str], cause: str) -> None:
    """As `seen_there`; what was asked there and showed something else is told `cause`."""
    try:
        seen_there(stop, function, shown)
    except NotYet:
        if isinstance(stop, StopAt) and stop.by in ("hand", "list") and any(a.function == function for a in stop.asked):
            raise NotYet(cause) from None
        raise


@exercise("chosen", stage="choose")
def check_chosen(stop: Any, answer: Any) -> str:
    """`answer` has the name of the table, and of the class that was found in it."""
    table, kind = filled_in(answer, ("table", "class"))
    right = "PeftModelForCausalLM"
    if not seen_by_stepping(stop, f"{right}.__init__"):
        seen_there(stop, CHOOSE, (right, f"peft.peft_model.{right}"))
    named("table", table, "MODEL_TYPE_TO_PEFT_MODEL_MAPPING", TABLES)
    named("class", kind, right, CLASSES)
    return _("The task type is a key, the class its value: a dictionary decides what your model becomes.")


@exercise("sizes_from", stage="prepare")
def check_sizes_from(stop: Any, answer: Any) -> str:
    """`answer` has, for three fields of PEFT's config, the name in the model's config that each was read from."""
    given = filled_in(answer, SIZES)
    seen_there(stop, PREPARE, ("128", "3", "4"), {"None": EARLY})
    for (line, (right, causes)), name in zip(SIZES.items(), given, strict=True):
        named(line, name, right, causes)
    return _("Three fields, three names; another family of models has others for the same sizes.")


@exercise("frozen", stage="wrap")
def check_frozen(stop: Any, answer: Any) -> str:
    """`answer` has how many parameters of the base train before and behind the loop, and who called the function."""
    before, after, caller = filled_in(answer, ("before", "after", "called_by"))
    for line, number in (("before", before), ("after", after)):
        if isinstance(number, bool) or not isinstance(plain(number), int):
            raise NotYet(TRUE_NUMBERS, line=line, given=brief(number))
    seen_any(stop, WRAP, (str(TRAINED),), ONLY_BEHIND)
    seen_any(stop, WRAP, (str(BEHIND),), ONLY_BEGINNING)
    for line, number, right in (("before", before, TRAINED), ("after", after, BEHIND)):
        if plain(number) != right:
            raise NotYet(ONE_COUNTED, line=line, given=brief(number), where=_(WHERE[line]))
    if not seen_by_stepping(stop, CALLER):
        raise NotYet(NOT_CLIMBED)
    named("called_by", caller, "add_adapter", CALLERS)
    return _("Each parameter of the base is frozen before the encoder is made, so the encoder is all that trains.")


@exercise("asked_by", stage="encode")
def check_asked_by(stop: Any, answer: Any) -> str:
    """`answer` has the shape that the encoder hands back, and the function of PEFT's that asked for it."""
    shape, asker = filled_in(answer, ("shape", "asked_by"))
    seen_there(stop, ENCODE, [f"{left}{', '.join(map(str, SHAPE))}{right}" for left, right in ("[]", "()")])
    if isinstance(shape, str):
        shape = tuple(int(part) if part.strip().isdigit() else part for part in shape.strip(" ()[]").split(","))
    if not isinstance(shape, tuple | list):
        raise NotYet(NO_SHAPE, given=brief(shape))
    if tuple(shape) != SHAPE:
        raise NotYet(WENT_IN if tuple(shape) == IN_SHAPE else OTHER_SHAPE, given=brief(tuple(shape)))
    if not seen_by_stepping(stop, ASKS):
        raise NotYet(NOT_CLIMBED)
    named("asked_by", asker, "get_prompt", ASKERS)
    return _("3 texts, 10 virtual tokens, 2 · 4 layers · 128 numbers. `get_prompt` cuts them up next: lesson 07.")


@exercise("who_prepares")
def check_who_prepares(answer: Any) -> str:
    """`answer` is the letter of who prepares the config today."""
    chosen(answer, "b", PREPARED)
    return _("`add_adapter` has the config prepared, and then the encoder made. You came past it in exercise 3.")
