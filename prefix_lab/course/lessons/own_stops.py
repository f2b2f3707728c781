"""Lesson 15: the five questions, each answered at a stop in PEFT's or transformers' own code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from prefix_lab.course.checking import (
    TODO,
    NotYet,
    brief,
    exercise,
    filled_in,
    is_open,
    plain,
    seen_there,
)
from prefix_lab.locale import N_, _

WRAPPERS = ("PeftModelForCausalLM", "peft.peft_model.PeftModelForCausalLM")
NO_CLASS = N_("The class's name is wanted, as a text; you gave {given}.")
BASE_CLASS = N_("{given} is the class of the base, or of the config. The question is what PEFT puts around it.")
PLAIN_CLASS = N_("A PeftModel takes LoRA without a task_type. Your config has one, and a prefix cannot do without.")
OTHER_CLASS = N_("Not {given}: the table in the last line of `get_peft_model` has another class for your task_type.")
NOT_BY = {
    "peft_type": N_("Not peft_type: it makes the config's class. LoRA with the same task_type gets the same wrapper."),
    "model_type": N_("Not model_type: nobody looks at the model. A T5 with this config would get the same class."),
}
CHOICES = N_("{name} is one of {choices}; you gave {given}.")


@exercise("capstone_wrapper", stage="choose")
def check_own_class(stop: Any, answer: Any) -> str:
    """Which class wraps a decoder, and what picked it; seen in `get_peft_model` or in the class itself."""
    given, by = filled_in(answer, ("class", "by"))
    seen_in(stop, ("get_peft_model", "PeftModelForCausalLM.__init__"), WRAPPERS)
    name = getattr(given, "__name__", given)
    if not isinstance(name, str):
        raise NotYet(NO_CLASS, given=brief(given))
    if name.endswith("Config") or not name.startswith("Peft"):
        raise NotYet(BASE_CLASS, given=brief(name))
    if name != "PeftModelForCausalLM":
        raise NotYet(PLAIN_CLASS if name == "PeftModel" else OTHER_CLASS, given=brief(name))
    one_of("by", by, "task_type", NOT_BY)
    return _("The task_type alone picks it, from a table.")


def seen_in(stop: Any, functions: Sequence[str], shown: Sequence[str]) -> None:
    """As `seen_there`, for a thing that can be seen in more than one function; the first is the one that is named."""
    first: NotYet | None = None
    for function in functions:
        try:
            seen_there(stop, function, shown)
            return
        except NotYet as problem:
            first = first or problem
    if first:
        raise first


def one_of(name: str, given: Any, right: str, wrong: Mapping[str, str]) -> None:
    """A choice among identifiers; each wrong one is explained."""
    if given not in (right, *wrong):
        raise NotYet(CHOICES, name=name, choices=", ".join(map(repr, sorted((right, *wrong)))), given=brief(given))
    if given != right:
        raise NotYet(wrong[given])


NO_FACTOR = N_("That is token_dim times num_layers. What is the 2 for?")
ONE_KEY = N_("That is the width of one key. Every layer has a key and a value.")
WHOLE_TABLE = N_("That is the whole table: the width, times the virtual tokens.")
NOT_WIDE = N_("{given} it is not: token_dim · num_layers · 2 = {right}.")
NOT_USED = {
    "transform.0.weight": N_("There is no transform here: without prefix_projection the encoder is one table."),
    "prompt_tokens": N_("prompt_tokens are the numbers 0, 1, 2, …, one for each virtual token: they have no width."),
    "attention_mask": N_("A mask has one column for each key that may be read, however wide a key is."),
}


@exercise("capstone_width", stage="wrap")
def check_own_width(model: Any, stop: Any, answer: Any) -> str:
    """What token_dim · num_layers · 2 is for this model, and what is that wide; seen where the encoder is made."""
    given, used_in = filled_in(answer, ("number", "used_in"))
    config = model.peft_config["default"]
    width, layers = config.token_dim, config.num_layers
    right = 2 * layers * width
    seen_there(stop, "PrefixEncoder.__init__", str(right))
    if plain(given) != right:
        causes = {width * layers: NO_FACTOR, width: ONE_KEY, right * config.num_virtual_tokens: WHOLE_TABLE}
        cause = causes.get(plain(given), "") if isinstance(plain(given), int) else ""
        raise NotYet(NOT_WIDE, cause, given=brief(given), right=f"{width} · {layers} · 2")
    one_of("used_in", used_in, "embedding.weight", NOT_USED)
    return _("A row of the table is as wide as all keys and values of one virtual token.")


NO_WIDTH = N_("The mask's width is one whole number; you gave {given}.")
NOT_GROWN = N_("That is the width before PEFT has put its part in front. Which of the two did you print?")
TWICE_GROWN = N_("The prefix stands in the mask once.")
INPUT_GREW = N_("The input is as long as ever: a prefix adds keys and values, and no tokens.")
OTHER_WIDTH = N_("{name} is not {given} wide in the frame where you stood.")


@exercise("capstone_mask", stage="attend")
def check_own_mask(model: Any, stop: Any, answer: Any) -> str:
    """How wide mask and input arrive in the base; seen in the base's forward."""
    given = filled_in(answer, ("attention_mask", "input_ids"))
    prefix_len = model.peft_config["default"].num_virtual_tokens
    inner = type(model.get_base_model()).forward.__qualname__
    stood = [one.shapes for one in getattr(stop, "visits", ()) if one.function == inner]
    longest = last_size(stood[-1].get("input_ids", "")) if stood else 0
    seen_there(stop, inner, str(prefix_len + longest))
    mask, tokens = map(plain, given)
    if not isinstance(mask, int) or not isinstance(tokens, int):
        raise NotYet(NO_WIDTH, given=brief((mask, tokens)))
    if mask != prefix_len + longest:
        causes = {longest: NOT_GROWN, 2 * prefix_len + longest: TWICE_GROWN}
        raise NotYet(OTHER_WIDTH, causes.get(mask, ""), name="attention_mask", given=mask)
    if tokens != longest:
        raise NotYet(OTHER_WIDTH, INPUT_GREW if tokens == mask else "", name="input_ids", given=tokens)
    return _("The mask has a column for each key: the prefix's, and then the text's.")


def last_size(shape: str) -> int:
    """Of a shape as a stop notes it, such as `(18, 23)  int64`, the last size."""
    found = re.search(r"(\d+)\)", shape)
    return int(found[1]) if found else 0


def names_from(answer: Any, refusal: str) -> list[str]:
    """The texts of a learner's list, or the one that stands for a list of one. Raises `NotYet` with this refusal."""
    if is_open(answer):
        raise NotYet(TODO)
    names = [answer] if isinstance(answer, str) else answer
    if not isinstance(names, list | tuple | set) or not all(isinstance(name, str) for name in names):
        raise NotYet(refusal, given=brief(answer))
    return [*names]


NAMES_WANTED = N_("A list of names is wanted; you gave {given}.")
FROZEN = N_("{name} is frozen: it belongs to the base, and gets none.")
NO_SUCH = N_("There is no parameter {name!r}. Its whole name is wanted, as named_parameters() has it.")
MISSING = N_("Another parameter has a gradient too.")


@exercise("capstone_gradient", stage="learn")
def check_own_gradient(model: Any, stop: Any, answer: Any) -> str:
    """Which parameters have a gradient after the first backward; seen after it has run, wherever."""
    names = names_from(answer, NAMES_WANTED)
    right = [name for name, one in model.named_parameters() if one.requires_grad]
    seen_in(stop, [*dict.fromkeys(one.function for one in getattr(stop, "asked", [])), "Tensor.backward"], right)
    known = {name for name, _one in model.named_parameters()}
    for name in names:
        if name not in known:
            raise NotYet(NO_SUCH, name=name)
        if name not in right:
            raise NotYet(FROZEN, name=name)
    if {*names} != {*right}:
        raise NotYet(MISSING)
    return _("The prefix's table alone: the base is frozen, so backward leaves nothing there.")


KEYS_WANTED = N_("A list of keys is wanted; you gave {given}.")
TABLE_NAME = N_("{given!r} is the parameter's name in the model. In the file, what it gives stands under another key.")
OTHER_KEYS = N_("You gave {given}; in the file stands {right}.")


@exercise("capstone_saved", stage="keep")
def check_own_file(stop: Any, answer: Any) -> str:
    """Which keys a saved prefix has; seen where PEFT gathers them."""
    keys = names_from(answer, KEYS_WANTED)
    seen_in(
        stop, ("get_peft_model_state_dict", "PeftModel.save_pretrained"), ("'prompt_embeddings'", "prompt_embeddings")
    )
    if wrong := [key for key in keys if key.startswith(("prompt_encoder", "embedding"))]:
        raise NotYet(TABLE_NAME, given=wrong[0])
    if keys != ["prompt_embeddings"]:
        raise NotYet(OTHER_KEYS, given=brief(keys), right="prompt_embeddings")
    return _("One tensor, whatever made it: a projection would leave no other trace.")
