"""Lesson 15: the learner's own batch, loop, texts and files; `own_rows` and `own_stops` have the rest."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prefix_lab.course.checking import (
    DICE,
    TODO,
    NotYet,
    brief,
    called,
    exercise,
    filled_in,
    generator,
    is_open,
    kind,
    plain,
)
from prefix_lab.course.lessons.own_rows import check_own_data, check_own_split
from prefix_lab.course.lessons.own_stops import (
    check_own_class,
    check_own_file,
    check_own_gradient,
    check_own_mask,
    check_own_width,
)
from prefix_lab.course.small_models import quiet, small_gpt2, small_ids
from prefix_lab.course.tiny import FOLDER, load_tiny
from prefix_lab.locale import N_, _

__all__ = [
    "check_own_batch",
    "check_own_class",
    "check_own_compared",
    "check_own_data",
    "check_own_file",
    "check_own_fit",
    "check_own_gradient",
    "check_own_load",
    "check_own_mask",
    "check_own_results",
    "check_own_split",
    "check_own_width",
    "usable",
]
IGNORED = -100

NO_BATCH = N_("A dictionary with input_ids, attention_mask and labels is wanted; your function gave {given}.")
PART_GONE = N_("{name} is missing.")
NO_GRID = N_("{name} is {given}, and a tensor of whole numbers, (batch, longest), is wanted.")
OTHER_GRID = N_("{name} has the shape {given}, expected (batch, longest) = {right}.")
READ_MASK = N_(
    "The mask has to be 1 for each token of a row and 0 for padding: row {row} has {given} ones, expected {right}."
)
IDS = N_("Row {row} of input_ids is not its source, its target and the end, in this order.")
END_HIDDEN = N_(
    "Right with this tokenizer. With one that fills up with its end, as OpenAI's GPT-2 does, your labels lose the end "
    "of a target, or gain others: leave out by length, and not by the token."
)
NO_END = N_("The end is missing: without `tokenizer.eos_token_id` the model never learns to stop.")
END_UNLEARNT = N_("The end is in input_ids, but its label is -100: the model would never learn to stop.")
SOURCE_COUNTS = N_("The source counts in the loss: its labels should be -100.")
PADDING_COUNTS = N_("Padding counts in the loss: its labels should be -100, and not {given}.")
SHIFTED = N_("The labels are shifted by one. The model does that itself: a label stands where its token stands.")
LABELS = N_("The labels of row {row} are wrong: -100 for the source, then the target and the end as in input_ids.")


@exercise("capstone_batch")
def check_own_batch(answer: Any) -> str:
    """`answer(tokenizer, rows)` is a batch whose loss counts target and end alone; padding may stand on either side."""
    tokenizer = load_tiny("gpt2")[1]
    words = ["noodles", "soup", "the", "harbour", "cheap", "good", "pizza"]
    rows = [
        (f"{' '.join(DICE.sample(words, 5 - n))} =", f" {' '.join(DICE.sample(words, 1 + 2 * n))}") for n in range(3)
    ]
    given = called(answer, tokenizer, [*rows, rows[0]])
    if not isinstance(given, Mapping):
        raise NotYet(NO_BATCH, given=brief(given))
    right = our_batch(tokenizer, [*rows, rows[0]])
    for name, wanted in right.items():
        look_at_grid(name, given.get(name), wanted)
    ids, mask, labels = (given[name].tolist() for name in right)
    for number, (source, target) in enumerate([*rows, rows[0]]):
        look_at_row(number, tokenizer, source, target, ids[number], mask[number], labels[number])
    end_as_pad(answer, rows)
    return _("Target and end count in the loss, source and padding do not.")


def end_as_pad(answer: Any, rows: list[tuple[str, str]]) -> None:
    """Where a tokenizer fills up with its end, as OpenAI's GPT-2 does, each target's own end still counts."""
    tokenizer = load_tiny("gpt2")[1]
    tokenizer.pad_token = tokenizer.eos_token
    labels = called(answer, tokenizer, rows)["labels"].tolist()
    if any(row.count(tokenizer.eos_token_id) != 1 for row in labels):
        raise NotYet(END_HIDDEN)


def look_at_grid(name: str, given: Any, wanted: Tensor) -> None:
    if given is None:
        raise NotYet(PART_GONE, name=name)
    if is_open(given):
        raise NotYet(TODO)
    if not isinstance(given, Tensor) or given.is_floating_point() or given.dim() != 2:
        raise NotYet(NO_GRID, name=name, given=brief(given))
    if given.shape[0] != wanted.shape[0] or given.shape[1] < wanted.shape[1] - 1:
        raise NotYet(OTHER_GRID, name=name, given=tuple(given.shape), right=tuple(wanted.shape))


def look_at_row(
    row: int, tokenizer: Any, source: str, target: str, ids: list[int], mask: list[int], labels: list[int]
) -> None:
    """One row of a batch against its two texts; `row` is its number."""
    if not len(ids) == len(mask) == len(labels):
        raise NotYet(OTHER_GRID, name="labels", given=len(labels), right=len(ids))
    read, said = tokenizer(source).input_ids, tokenizer(target).input_ids
    end = tokenizer.eos_token_id
    whole = [*read, *said, end]
    tokens = [token for token, one in zip(ids, mask, strict=True) if one]
    if tokens == whole[:-1]:
        raise NotYet(NO_END)
    if sum(mask) != len(whole):
        raise NotYet(READ_MASK, row=row, given=sum(mask), right=len(whole))
    if tokens != whole:
        raise NotYet(IDS, row=row)
    padding = [label for label, one in zip(labels, mask, strict=True) if not one]
    if wrong := [label for label in padding if label != IGNORED]:
        raise NotYet(PADDING_COUNTS, given=wrong[0])
    learnt = [label for label, one in zip(labels, mask, strict=True) if one]
    wanted = [*[IGNORED] * len(read), *said, end]
    if learnt == whole:
        raise NotYet(SOURCE_COUNTS)
    if learnt == [*wanted[:-1], IGNORED]:
        raise NotYet(END_UNLEARNT)
    if learnt[:-1] == wanted[1:]:
        raise NotYet(SHIFTED)
    if learnt != wanted:
        raise NotYet(LABELS, row=row)


NOT_ALL = N_("For {steps} steps your function gave {given}; a list of as many losses is wanted.")
NO_PLAIN = N_("The losses are {kind}s: with `.item()` they are plain numbers, and hold no graph.")
STILL = N_("The prefix has not moved: is there a `step()` of the optimizer, and did it get the prefix?")
BASE_MOVED = N_("Numbers of the base have changed: a prefix is trained with the base as it was.")
GREW = N_("The gradients of all steps were added up: `zero_grad()` has to come before each `backward()`.")
NO_GRADIENT = N_("No gradient has reached the prefix: is there a `backward()`?")
BACKWARDS = N_("The loss rises: did you go against the sign of the gradient, or is something trained twice?")
OTHER_LOSSES = N_("The first loss is {given:.3f}, and the model's own on this batch is {right:.3f}.")
NOT_EVAL = N_("The model is in training mode still: `model.eval()` at the end, before anything is written with it.")


@exercise("capstone_fit")
def check_own_fit(answer: Any) -> str:
    """`answer(model, batch, steps, rate)` trains a prefix, with any optimizer, and gives the losses."""
    model, batch, steps = small_prefix(), {"input_ids": small_ids(4)}, 6
    batch |= {"attention_mask": torch.ones_like(batch["input_ids"]), "labels": batch["input_ids"]}
    weight = model.prompt_encoder["default"].embedding.weight
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    with torch.no_grad():
        first = model(**batch).loss.item()
    gradients: list[Tensor] = []
    weight.register_hook(lambda gradient: gradients.append(gradient.clone()))
    losses = called(answer, model, batch, steps, 0.05)
    if is_open(losses):
        raise NotYet(TODO)
    if not isinstance(losses, list | tuple) or len(losses) != steps:
        raise NotYet(NOT_ALL, steps=steps, given=brief(losses))
    if not all(isinstance(loss, float) for loss in losses):
        raise NotYet(NO_PLAIN, kind=kind(losses[0]))
    if not gradients:
        raise NotYet(NO_GRADIENT)
    if any(not torch.equal(one, before[name]) for name, one in model.named_parameters() if one is not weight):
        raise NotYet(BASE_MOVED)
    if torch.equal(weight, before["prompt_encoder.default.embedding.weight"]):
        raise NotYet(STILL)
    if weight.grad is not None and (weight.grad - sum(gradients)).norm() < 0.01 * weight.grad.norm():
        raise NotYet(GREW)
    if abs(losses[0] - first) > 1e-3 * first:
        raise NotYet(OTHER_LOSSES, given=losses[0], right=first)
    if losses[-1] >= losses[0]:
        raise NotYet(BACKWARDS)
    if model.training:
        raise NotYet(NOT_EVAL)
    return _("The loss falls, the prefix moves, and nothing else does.")


def small_prefix() -> Any:
    """A small GPT-2 with PEFT's prefix before it."""
    import peft

    torch.manual_seed(DICE.randrange(2**31))
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    model = peft.get_peft_model(small_gpt2(layers=2), config)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # else a loss in training mode is another
    return model


NO_TEXTS = N_("{name} is {given}, and a list of texts is wanted, one for each held-out row.")
OTHER_COUNT = N_("{name} has {given} texts, and there are {right} held-out rows.")
RIGHT_CHANGED = N_("`right` holds no texts. Put it back as it was.")
NOTHING_NEW = N_("Before and after are the same, word for word. Was `after` written with the prefix switched on?")
COPIED = N_("`after` is `right` itself, the same object: it has to be what the model writes.")
COUNTED = N_(
    "Right to the letter: {before} of {all} before, {after} after. Right words: {words_before} before, {words_after} "
    "after."
)
ONE_FOR_ALL = N_(
    "It writes the same for every row: it has learnt a sentence, and not to read. Try more rows, or fewer steps."
)
ADVICE = N_("Try more steps, another rate, a shorter target, or more rows; and read what it writes.")


@exercise("capstone_learnt")
def check_own_results(answer: Any) -> str:
    """`answer` has what was written before and after, and what is right; after has to be nearer."""
    before, after, right = filled_in(answer, ("before", "after", "right"))
    if not texts_in(right):
        raise NotYet(RIGHT_CHANGED)
    for name, given in (("before", before), ("after", after)):
        if not texts_in(given):
            raise NotYet(NO_TEXTS, name=name, given=brief(given))
        if len(given) != len(right):
            raise NotYet(OTHER_COUNT, name=name, given=len(given), right=len(right))
    if after is right:
        raise NotYet(COPIED)
    if list(before) == list(after):
        raise NotYet(NOTHING_NEW)
    exact = [
        sum(one.strip() == other.strip() for one, other in zip(some, right, strict=True)) for some in (before, after)
    ]
    words = [right_words(some, right) for some in (before, after)]
    said = {"before": exact[0], "after": exact[1], "all": len(right)}
    said |= {"words_before": f"{words[0]:.0%}", "words_after": f"{words[1]:.0%}"}
    if exact[1] < exact[0] or (exact[1] == exact[0] and words[1] <= words[0]):
        raise NotYet(COUNTED, ONE_FOR_ALL if len(right) > 1 and len({*after}) == 1 else ADVICE, **said)
    return _(COUNTED).format(**said)


def texts_in(given: Any) -> bool:
    return isinstance(given, list | tuple) and len(given) > 0 and all(isinstance(one, str) for one in given)


def right_words(written: Sequence[str], right: Sequence[str]) -> float:
    """The share of the words of what is right that were written."""
    found = total = 0
    for one, other in zip(written, right, strict=True):
        wanted = Counter(other.split())
        found += (wanted & Counter(one.split())).total()
        total += wanted.total()
    return found / max(1, total)


NO_MODEL = N_("A model with an adapter is wanted, and your function gave {given}.")
BASE_ALONE = N_("That is the base alone, a {kind}: the saved prefix is not before it.")
NEW_PREFIX = N_("The model has a prefix, but not the saved one: `get_peft_model` makes a new one at random.")
SAME_BASE = N_("Two calls gave models on one and the same base. Load the base inside the function.")
OTHER_TASK = N_("The prefix is the saved one, and the model writes something else: is the base another one?")
DROPS = N_("The model is in training mode; `eval()` before anything is written with it.")


@exercise("capstone_load")
def check_own_load(answer: Any) -> str:
    """`answer(base_name, folder)` is the saved prefix on a base loaded anew."""
    import peft
    from transformers import AutoModelForCausalLM

    base_name = str(FOLDER / "gpt2")
    torch.manual_seed(DICE.randrange(2**31))
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    with quiet(), tempfile.TemporaryDirectory() as place:
        saved = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base_name), config).eval()
        saved.save_pretrained(place)
        given = called(answer, base_name, Path(place))
        again = called(answer, base_name, Path(place))
    if not isinstance(given, peft.PeftModel):
        raise NotYet(
            BASE_ALONE if isinstance(given, torch.nn.Module) else NO_MODEL, given=brief(given), kind=kind(given)
        )
    found, wanted = (one.get_prompt_embedding_to_save("default") for one in (given, saved))
    if found.shape != wanted.shape or not torch.equal(found, wanted):
        raise NotYet(NEW_PREFIX)
    if given.training:
        raise NotYet(DROPS)
    ids = generator_ids(len(load_tiny("gpt2")[1]))
    with torch.no_grad():
        if not torch.equal(given(input_ids=ids).logits, saved(input_ids=ids).logits):
            raise NotYet(OTHER_TASK)
    if again.get_base_model() is given.get_base_model():
        raise NotYet(SAME_BASE)
    return _("The saved prefix, a new base, and the same logits to the last bit.")


def generator_ids(vocab: int) -> Tensor:
    return torch.randint(3, vocab, (2, 5), generator=generator())


WRONG_NUMBER = N_("{name}, {field}: you gave {given}, and it is {right}.")
ALL_NUMBERS = N_("Those are all numbers of the model, the frozen ones too.")
WHOLE_FOLDER = N_("Those are the bytes of the whole folder; the model card needs no memory.")
BASE_BYTES = N_("Four bytes a number gives the numbers alone; the file has a header besides.")
A_SHARE = N_("A count is wanted here, not a share.")
COMPARED = N_("{prefix} against {lora} bytes, {prefix_right} against {lora_right} of {all} right.")


@exercise("capstone_compared")
def check_own_compared(adapters: Any, right: Any, answer: Any) -> str:
    """`answer` has for each adapter what trains, its file's bytes, and how many of the held-out texts are right."""
    rows = filled_in(answer, adapters)
    for name, row in zip(adapters, rows, strict=True):
        model, folder = adapters[name]
        trained, everything = model.get_nb_trainable_parameters()
        size = (folder / "adapter_model.safetensors").stat().st_size
        number, length, count = map(plain, filled_in(row, ("trained", "bytes", "right")))
        folder_size = sum(file.stat().st_size for file in folder.iterdir())
        causes = {everything: ALL_NUMBERS}
        same(name, "trained", number, trained, causes)
        same(name, "bytes", length, size, {folder_size: WHOLE_FOLDER, 4 * trained: BASE_BYTES})
        if not isinstance(count, int) or not 0 <= count <= len(right):
            cause = A_SHARE if isinstance(count, float) else ""
            raise NotYet(WRONG_NUMBER, cause, name=name, field="right", given=brief(count), right=f"0–{len(right)}")
    (prefix, lora), names = rows, ("bytes", "right")
    said = {
        f"{label}{end}": row[name]
        for label, row in (("prefix", prefix), ("lora", lora))
        for name, end in zip(names, ("", "_right"), strict=True)
    }
    return _(COMPARED).format(all=len(right), **said)


def same(name: str, field: str, given: Any, right: int, causes: Mapping[int, str]) -> None:
    if given != right:
        cause = causes.get(given, "") if isinstance(given, int) else ""
        raise NotYet(WRONG_NUMBER, cause, name=name, field=field, given=brief(given), right=right)


STANDS_IN = N_("The lesson's own {name} stands in until yours passes its check.")


def usable(function: Callable[..., Any]) -> Callable[..., Any]:
    """The learner's function, when its check passes; else what stands in for it, and a line that says so."""
    name = getattr(function, "__name__", "")
    if name not in STAND_INS:
        raise ValueError(f"function={function!r}, expected one of {', '.join(STAND_INS)}, by its name.")
    check, ours = STAND_INS[name]
    if check(function).passed:
        return function
    print(_(STANDS_IN).format(name=name))
    return ours


def our_split(rows: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    mixed = random.Random(0).sample(rows, len(rows))
    return mixed[len(rows) // 4 :], mixed[: len(rows) // 4]


def our_batch(tokenizer: Any, rows: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    texts = [(tokenizer(one).input_ids, [*tokenizer(other).input_ids, tokenizer.eos_token_id]) for one, other in rows]
    fills = {"input_ids": tokenizer.pad_token_id, "attention_mask": 0, "labels": IGNORED}
    filled = {
        "input_ids": [torch.tensor(read + said) for read, said in texts],
        "attention_mask": [torch.ones(len(read + said), dtype=torch.long) for read, said in texts],
        "labels": [torch.tensor([IGNORED] * len(read) + said) for read, said in texts],
    }
    pad = torch.nn.utils.rnn.pad_sequence
    return {name: pad(some, batch_first=True, padding_value=fills[name]) for name, some in filled.items()}


def our_fit(model: Any, batch: Mapping[str, Tensor], steps: int, rate: float) -> list[float]:
    optimizer, losses = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=rate), []
    model.train()
    for _step in range(steps):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


STAND_INS = {
    "split": (check_own_split, our_split),
    "make_batch": (check_own_batch, our_batch),
    "fit": (check_own_fit, our_fit),
}
