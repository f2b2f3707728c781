"""Lesson 14's trials: a learner's line is put into one of `hunts`, and the mended copy is run against PEFT.

A trial takes the mended copy, and raises `NotYet` with the likely cause of what is still wrong. Sizes are drawn anew
each time.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import textwrap
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prefix_lab import get_peft_model_state_dict
from prefix_lab.course import hunts
from prefix_lab.course.checking import DICE, SIZES, TODO, NotYet, brief, is_open, kind
from prefix_lab.course.small_models import arriving, before, small_bert, small_gpt2, small_ids, small_t5

Copy = Callable[..., Any]
"""One of the ten: a class, or a function."""

STOPS = "With your line it stops, {kind}: {said}"
NO_TEXT = "{name} is {given}; a line of the copy is wanted, as text, in quotes."
AS_IT_STOOD = "That is the line as it stood. What should it say instead?"
EMPTY = "wrong is empty: copy the line that you think is wrong."
SEVERAL = "That line stands there more than once. Give it together with the line after it."
NO_LINE = "The copy has no such line. Copy a whole line from it into the quotes."
NEAR = "Did you mean: {line}"
NO_PYTHON = "With your line it is no Python any more: {said}, at {text!r}."
NOT_LOADED = "With your line the copy cannot be loaded, {kind}: {said}"
NAME_GONE = "With your line there is no {name} any more."


def hunted(copy: Copy, trial: Callable[[Copy], None], wrong: Any, right: Any, praise: str) -> str:
    """Mend, run, judge. Nothing that the mended copy does is raised."""
    mended = mend(copy, wrong, right)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trial(mended)
        except NotYet:
            raise
        except (Exception, SystemExit) as error:
            said = str(error).strip().partition("\n")[0]
            raise NotYet(STOPS, kind=kind(error), said=said) from error
    return praise


def mend(copy: Copy, wrong: Any, right: Any) -> Copy:
    """The copy anew with `right` where `wrong` stood; refused with the reason where that cannot be.

    `wrong` is a line of it, or a few in a row, `right` what is to stand there: any number of lines, none for an empty
    text. The indentation is that of the first line replaced.
    """
    if any(text is None or is_open(text) for text in (wrong, right)):
        raise NotYet(TODO)
    for name, text in (("wrong", wrong), ("right", right)):
        if not isinstance(text, str):
            raise NotYet(NO_TEXT, name=name, given=brief(text))
    lines = inspect.getsource(copy).splitlines()
    first, last = found(lines, [line.strip() for line in wrong.strip().splitlines()])
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if [line.strip() for line in right.strip().splitlines()] == [line.strip() for line in lines[first:last]]:
        raise NotYet(AS_IT_STOOD)
    new = textwrap.indent(textwrap.dedent(right.strip("\n")), indent).splitlines() if right.strip() else []
    if new:
        new[0] = indent + new[0].strip()
    return run("\n".join([*lines[:first], *new, *lines[last:]]) + "\n", copy)


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


def run(source: str, copy: Copy) -> Copy:
    """The copy that this source makes. It has a file's name, so that a debugger can show it."""
    file = f"<{copy.__name__}, mended>"
    mended = ModuleType(file)
    mended.__dict__.update({name: value for name, value in vars(hunts).items() if value is not copy})
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        exec(compile(source, file, "exec"), mended.__dict__)
    except SyntaxError as error:
        raise NotYet(NO_PYTHON, said=error.msg, text=error.text) from error
    except Exception as error:
        raise NotYet(NOT_LOADED, kind=kind(error), said=str(error)) from error
    if copy.__name__ not in vars(mended):
        raise NotYet(NAME_GONE, name=copy.__name__)
    return getattr(mended, copy.__name__)


def by_peft() -> ModuleType:
    import peft

    return peft


def with_prefixes(model: Any, copy: Copy, *args: Any, **wanted: Any) -> tuple[Any, Any]:
    """The model with the copy's prefix before it, and with PEFT's: see `small_models.before`."""
    return before(model, copy, *args, **wanted), before(model, by_peft(), *args, **wanted)


def equal(one: Tensor, other: Tensor, said: str, **places: Any) -> None:
    """Two tensors are equal, bit for bit, or else that is said."""
    if not torch.equal(one, other):
        raise NotYet(said, **places)


def masks_for(ids: Tensor) -> list[tuple[str, Tensor | None]]:
    """No mask, a mask of ones, and one with padding on the left, as for texts that are to go on."""
    padded = torch.ones_like(ids)
    for text in range(1, len(ids)):
        padded[text, : 2 * text] = 0
    return [("no mask", None), ("a mask of ones", torch.ones_like(ids)), ("padding", padded)]


def training(model: Any) -> list[str]:
    """The names of the parameters that train."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trial_01(copy: Copy) -> None:
    """Who trains, with a table alone and with the projection; then one gradient."""
    heads, head_dim, prefix_len = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for projection in (False, True):
        ours, theirs = with_prefixes(model, copy, prefix_len, prefix_projection=projection)
        said, expected = training(ours), training(theirs)
        base = [name for name in said if not name.startswith("prompt_encoder.")]
        missing = [name for name in expected if name not in said]
        if not said:
            raise NotYet("Still nothing trains: what is frozen after the encoder is attached, and what should be?")
        if base and missing:
            raise NotYet(
                "Now {name} and others of the base train, and the prefix does not: the wrong way round.", name=base[0]
            )
        if base:
            raise NotYet("The prefix trains, and parameters of the base model too, as {name}: freeze it.", name=base[0])
        if missing:
            said = "With prefix_projection={projection}, {name} does not train yet."
            raise NotYet(said, projection=projection, name=missing[0])
    ids = small_ids()
    gradients = [first_gradient(one, input_ids=ids, labels=ids) for one in (ours, theirs)]
    equal(*gradients, "The right parameters train, but their gradient is not PEFT's.")


def first_gradient(model: Any, **batch: Tensor) -> Tensor:
    model(**batch).loss.backward()
    return next(parameter.grad for parameter in model.parameters() if parameter.grad is not None)


def trial_02(copy: Copy) -> None:
    """The blocks, number by number, and those of PEFT's own prompt."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4).split(2)
    given = copy(prefix, layers, heads)
    if not isinstance(given, list | tuple) or not all(isinstance(block, Tensor) for block in given):
        raise NotYet("hunt_2 gives {given}, expected a tuple of tensors, one a layer.", given=brief(given))
    if len(given) != layers:
        raise NotYet(
            "The blocks are {given}, expected one for each of {layers} layers.", given=len(given), layers=layers
        )
    shape, expected = tuple(given[0].shape), tuple(right[0].shape)
    if shape != expected:
        swapped = shape == right[0].transpose(2, 3).shape
        said = "A block's shape is {shape}, expected (key and value, batch, heads, prefix_len, head_dim) = {expected}."
        cause = "heads and prefix_len have not changed places." if swapped else ""
        raise NotYet(said, cause, shape=shape, expected=expected)
    if not all(map(torch.equal, given, right)):
        by_view = torch.equal(torch.cat(given), prefix.reshape(2 * layers, batch, heads, prefix_len, head_dim))
        cause = "Look at which old axis each number of permute takes."
        if by_view:
            cause = "reshape alone renumbers and moves no axis."
        raise NotYet("The shape of the blocks is right, the numbers are not where they belong.", cause)
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.expand(2, -1, -1)
    for block, one in zip(copy(prefix, layers, heads), theirs.get_prompt(2).layers, strict=True):
        equal(block, torch.stack([one.keys, one.values]), "With a trained table, PEFT's keys and values are others.")


def trial_03(copy: Copy) -> None:
    """No mask, a mask of ones, and padding."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    for what, mask in masks_for(ids):
        mask_arrives(ours, ids, what, mask, prefix_len)
        answers = [one(input_ids=ids, attention_mask=mask).logits for one in (ours, theirs)]
        equal(*answers, "With {what}, the logits are not PEFT's.", what=what)


def mask_arrives(model: Any, ids: Tensor, what: str, mask: Tensor | None, prefix_len: int) -> None:
    """At the base model's door, the mask has grown by ones in front."""
    [arrived] = arriving(model.base_model, "attention_mask", lambda: model(input_ids=ids, attention_mask=mask))
    if mask is None:
        return
    if arrived is None:
        said = "With {what}, no mask arrives at the base model: padding would be read as text."
        raise NotYet(said, what=what)
    if arrived.shape[1] == mask.shape[1]:
        said = "With {what}, the mask arrives as long as the text; the model reads prefix_len more positions."
        raise NotYet(said, what=what)
    expected = (mask.shape[0], prefix_len + mask.shape[1])
    if tuple(arrived.shape) != expected:
        said = "With {what}, a mask {given} arrives, expected (batch, prefix_len+tokens) = {expected}."
        raise NotYet(said, what=what, given=tuple(arrived.shape), expected=expected)
    if not arrived[:, :prefix_len].all():
        behind = arrived[:, -prefix_len:].all() and torch.equal(arrived[:, :-prefix_len].long(), mask)
        said = "With {what}, zeros stand where the virtual tokens are: 0 hides, 1 shows."
        if behind:
            said = "With {what}, the virtual tokens' ones stand behind the text: the cache has them before it."
        raise NotYet(said, what=what)


def trial_04(copy: Copy) -> None:
    """Which row each layer's key and value is."""
    prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 4)
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.detach().expand(2, -1, -1)
    rows = prefix.view(2, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)
    given = [(one.keys, one.values) for one in copy(prefix, layers, heads).layers]
    if len(given) != layers:
        raise NotYet("The cache has {given} layers, expected {layers}.", given=len(given), layers=layers)
    if given[0][0].shape != rows[0].shape:
        said = "A key's shape is {given}, expected (batch, heads, prefix_len, head_dim) = {right}."
        raise NotYet(said, given=tuple(given[0][0].shape), right=tuple(rows[0].shape))
    numbers = [tuple(row_of(one, rows) for one in two) for two in given]
    right = [(2 * layer, 2 * layer + 1) for layer in range(layers)]
    if numbers == [two[::-1] for two in right]:
        raise NotYet("Each layer has its two rows, but as (value, key): the key comes first.")
    if numbers == right[::-1]:
        raise NotYet("Each layer has a key and its value, but those of the layer at the other end.")
    for layer, (two, expected) in enumerate(zip(numbers, right, strict=True)):
        if two != expected:
            said = "Layer {layer} reads rows {given}, expected {right}: its key and its value are neighbours."
            raise NotYet(said, layer=layer, given=two, right=expected)


def row_of(one: Tensor, rows: Tensor) -> int | None:
    return next((number for number, row in enumerate(rows) if torch.equal(one, row)), None)


def trial_05(copy: Copy) -> None:
    """Who trains, with and without modules of the user's own; what is saved after a step."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_bert(2, heads, head_dim), small_ids()
    for own in (None, ["pooler"]):
        ours, theirs = with_prefixes(model, copy, prefix_len, modules_to_save=own and [*own])
        trains_as(training(ours), training(theirs), own)
        for one in (ours, theirs):
            one(input_ids=ids, labels=torch.tensor([0, 2])).loss.backward()
            with torch.no_grad():
                for parameter in one.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(parameter.grad)
        kept = get_peft_model_state_dict(ours)
        right = by_peft().get_peft_model_state_dict(theirs)
        if different := sorted(kept.keys() ^ right.keys()):
            said = "With modules_to_save={own}, what is saved differs from PEFT's in {name}."
            raise NotYet(said, own=own, name=different[0])
        for name in kept:
            equal(
                kept[name],
                right[name],
                "With modules_to_save={own}, what is saved after a step is not PEFT's.",
                own=own,
            )


def trains_as(said: list[str], expected: list[str], own: list[str] | None) -> None:
    """What trains is what PEFT trains."""
    missing = [name for name in expected if name not in said]
    extra = [name for name in said if name not in expected]
    if not extra and not missing:
        return
    cause = (
        "With modules_to_save={own}, {name} does not train: when are the modules copied, and when is the head named?"
    )
    if extra and any("classifier" in name for name in extra):
        cause = (
            "With modules_to_save={own}, {name} trains: that is the model's own head, not the adapter's copy of it, "
            "and it is never saved."
        )
    elif extra:
        cause = "With modules_to_save={own}, {name} trains, which PEFT leaves frozen."
    elif all("pooler" in name for name in missing):
        cause = (
            "With modules_to_save={own}, the module that the user named does not train: the head is wanted besides, "
            "not instead."
        )
    raise NotYet(cause, own=own, name=(extra or missing)[0])


def trial_06(copy: Copy) -> None:
    """Models of other depth, width and heads, each after another; what each config says afterwards, and what trains."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    depths = [small_gpt2(4, heads, head_dim), small_gpt2(2, heads, head_dim), small_gpt2(3, heads, head_dim)]
    widths = [small_gpt2(2, heads, head_dim), small_gpt2(2, 2 * heads, head_dim), small_gpt2(2, heads, 2 * head_dim)]
    for models, what in ((depths, "layers"), (widths, "heads and widths")):
        given = copy(models, prefix_len)
        if not isinstance(given, list) or len(given) != len(models):
            raise NotYet("hunt_6 gives no list with a wrapped model for each model.")
        if any(one.get_base_model() is not model for one, model in zip(given, models, strict=True)):
            raise NotYet("The models that come back are not wrapped ones of those that went in.")
        shared = len({id(one.peft_config["default"]) for one in given}) == 1
        for number, (one, model) in enumerate(zip(given, models, strict=True), 1):
            alone = before(model, by_peft(), prefix_len)
            mine, right = one.peft_config["default"], alone.peft_config["default"]
            for field in ("num_layers", "token_dim", "num_attention_heads", "encoder_hidden_size"):
                if getattr(mine, field) != getattr(right, field):
                    told = {"field": field, "given": getattr(mine, field), "right": getattr(right, field)}
                    said = (
                        "Of three models that differ in {what}, number {number} has {field}={given}, and alone {right}."
                    )
                    cause = "They share one config, and the first model's sizes stay in it." if shared else ""
                    raise NotYet(said, cause, what=what, number=number, **told)
            if one.get_nb_trainable_parameters() != alone.get_nb_trainable_parameters():
                said = "Of three models that differ in {what}, number {number} trains more or fewer numbers than alone."
                raise NotYet(said, what=what, number=number)


def trial_07(copy: Copy) -> None:
    """Labels with padding, what of them arrives, loss and logits; and no labels."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids, labels = small_t5(2, heads, head_dim), small_ids(), small_ids(2, 6, seed=3)
    labels[1, 4:] = -100
    ours, theirs = with_prefixes(model, copy, prefix_len)
    batch = {"input_ids": ids, "labels": labels}
    [arrived] = arriving(ours.base_model, "labels", lambda: ours(**batch))
    [first] = arriving(ours.base_model, "decoder_input_ids", lambda: ours(**batch))
    if arrived is None:
        raise NotYet("No labels arrive at the base model, which computes the loss from them.")
    if first is not None and torch.equal(first, labels):
        raise NotYet("The decoder is given the very tokens that it is asked for: it can copy them.")
    if not torch.equal(arrived, labels):
        if torch.equal(arrived[:, :-1], labels[:, 1:]):
            raise NotYet("The labels arrive one place early, and T5 moves its decoder's input by one itself.")
        if torch.equal(arrived[:, 1:], labels[:, :-1]):
            raise NotYet("The labels arrive one place late: the decoder is asked for the token that it has just read.")
        raise NotYet("Other labels arrive at the base model than those that were given.")
    mine, right = ours(**batch), theirs(**batch)
    equal(mine.loss, right.loss, "The labels arrive as they are, but the loss is not PEFT's.")
    equal(mine.logits, right.logits, "The labels arrive as they are, but the logits are not PEFT's.")
    answers = [one(input_ids=ids, decoder_input_ids=ids).logits for one in (ours, theirs)]
    equal(*answers, "Without labels, the logits are not PEFT's.")


def trial_08(copy: Copy) -> None:
    """In which precision the prefix lives, in which it is read, three steps of training, and where it lives."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for precision in (torch.bfloat16, torch.float32):
        base = small_t5(2, heads, head_dim).to(precision)
        ours, theirs = with_prefixes(base, copy, prefix_len)
        mine, right = (one.prompt_encoder["default"].embedding.weight for one in (ours, theirs))
        if mine.dtype != right.dtype:
            said = "Before a base in {precision} the prefix is kept in {given}, PEFT's in {right}."
            raise NotYet(said, precision=precision, given=mine.dtype, right=right.dtype)
        rounded = "The prefix before a base in {precision} does not start as PEFT's: something rounded it on the way."
        equal(mine, right, rounded, precision=precision)
        keys = [one.get_prompt(2).self_attention_cache.layers[0].keys for one in (ours, theirs)]
        if keys[0].dtype != keys[1].dtype:
            said = "A base in {precision} gets keys in {given}: its attention layers need their own precision."
            raise NotYet(said, precision=precision, given=keys[0].dtype)
        equal(*keys, "The keys before a base in {precision} are not PEFT's.", precision=precision)
        ids = small_ids()
        for one, weight in ((ours, mine), (theirs, right)):
            optimizer = torch.optim.AdamW([weight], 1e-3)
            for _ in range(3):
                optimizer.zero_grad()
                one(input_ids=ids, labels=ids).loss.backward()
                optimizer.step()
        equal(
            mine, right, "After three steps before a base in {precision} the prefix is not PEFT's.", precision=precision
        )
    away = before(model.to("meta"), copy, prefix_len).prompt_encoder["default"].embedding.weight
    if away.device.type != "meta":
        raise NotYet("The prefix does not follow the base model to its device any more.")


def trial_09(copy: Copy) -> None:
    """The two parts of the cache, two sources, and generation."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_t5(3, heads, head_dim), small_ids(2, prefix_len)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    cache = ours.get_prompt(2)
    if cache.get_seq_length() != prefix_len:
        said = "The decoder's self-attention has {given} positions of past, expected {prefix_len}."
        raise NotYet(said, given=cache.get_seq_length(), prefix_len=prefix_len)
    filled = len(cache.cross_attention_cache) and cache.cross_attention_cache.get_seq_length()
    updated = any(cache.is_updated.values())
    if filled and updated:
        raise NotYet(
            "Cross-attention still finds a cache that is full and says so: the encoder's output is never asked for."
        )
    if filled:
        raise NotYet(
            "Cross-attention is to fill its cache, but the prefix is still in it: the encoder's keys come behind it."
        )
    if updated:
        raise NotYet("Cross-attention's cache is empty, but is_updated says that it is filled already.")
    for source in (ids, ids.flip(0), small_ids(2, prefix_len + 2)):
        for mask in (None, torch.ones_like(source)):
            batch = {"input_ids": source, "attention_mask": mask, "labels": small_ids(2, 4, seed=3)}
            equal(
                ours(**batch).logits,
                theirs(**batch).logits,
                "Both parts of the cache look right, but the logits are not PEFT's.",
            )
    asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 5, "do_sample": False}
    written = [one.generate(**asked) for one in (ours, theirs)]
    equal(*written, "forward is PEFT's, but generate writes something else.")


def trial_10(copy: Copy) -> None:
    """The positions at each call while a text is written, with and without padding; then the text."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    for what, mask in masks_for(ids):
        asked = {"input_ids": ids, "max_new_tokens": 4, "do_sample": False}
        asked |= {} if mask is None else {"attention_mask": mask}
        calls = zip(*(positions_of(one, asked) for one in (ours, theirs)), strict=True)
        for call, (mine, right) in enumerate(calls, 1):
            same_positions(mine, right, what, call, prefix_len)
        written = [one.generate(**asked) for one in (ours, theirs)]
        equal(*written, "With {what}, the positions are right, but the text is not PEFT's.", what=what)


def positions_of(model: Any, asked: dict[str, Any]) -> list[Any]:
    """The positions at each call of the base model while a text is written."""
    return arriving(model.base_model, "position_ids", lambda: model.generate(**asked))


def same_positions(mine: Tensor | None, right: Tensor, what: str, call: int, prefix_len: int) -> None:
    if mine is None or mine.shape != right.shape:
        said = "With {what}, call {call} of the base model gets other positions than PEFT's in number."
        raise NotYet(said, what=what, call=call)
    if not torch.equal(mine, right):
        here, there = mine[0, -1].item(), right[0, -1].item()
        causes = {-prefix_len: "The prefix is not counted.", prefix_len: "The prefix is counted twice."}
        said = "With {what}, call {call} puts the last token at position {here}, PEFT at {there}."
        cause = causes.get(here - there, "Count what stands before it.")
        raise NotYet(said, cause, what=what, call=call, here=here, there=there)
