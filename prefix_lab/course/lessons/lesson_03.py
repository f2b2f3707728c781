"""Lesson 03: what is to be learnt, one step of training, where its gradient is, and how far each row moved."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    chosen,
    exercise,
    filled_in,
    generator,
    plain,
    seen_there,
    tried,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.tasks import IGNORED
from prefix_lab.locale import N_, _
from prefix_lab.widgets.picture import INK, new_figure

PARTS = ("key", "value")


def draw_rows(moved: Tensor) -> Drawn:
    """How far each row of each virtual token moved: (prefix_len, 2·layers), a key and a value for each layer."""
    prefix_len, rows = moved.shape
    figure = new_figure(9.6, 3.4)
    axes = figure.add_subplot()
    drawn_map = axes.imshow(moved.T.numpy(), cmap="viridis", aspect="auto", vmin=0)
    kinds = [_("key of layer {layer}"), _("value of layer {layer}")]
    names = [kinds[row % 2].format(layer=row // 2) for row in range(rows)]
    axes.set_yticks(range(rows), names)
    axes.set_xticks(range(prefix_len))
    plain_axes(axes, _("How far training moved each row"), _("virtual token"))
    axes.tick_params(length=0)
    bar = figure.colorbar(drawn_map, ax=axes, pad=0.01)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.set_label(_("length of the change"), color=INK, fontsize=9)
    means = moved.mean(0).tolist()
    said = _(
        "{rows} rows of {prefix_len} virtual tokens. Mean distance: {told}. Rows that never moved: {still}."
    ).format(
        rows=rows,
        prefix_len=prefix_len,
        told=", ".join(f"{name} {mean:.2f}" for name, mean in zip(names, means, strict=True)),
        still=int((moved.sum(0) == 0).sum()),
    )
    return drawn(figure, _("Which rows of the prefix learnt"), said)


NO_LABELS = N_("A list of labels is wanted; your function gave {given}.")
HOW_MANY_LABELS = N_("A record of {record} tokens and a sentence of {sentence} need {wanted} labels; you gave {given}.")
NO_RECORD = N_("Each token needs its label, those of the record too: theirs say that there is nothing to learn.")
BOTH_SIDES = N_("This has the model learn the record as well: it would learn to invent places.")
NOTHING_LEFT = N_("Nothing is left to learn: the sentence's tokens are their own labels.")
RECORD_ALONE = N_("This is the other way round: the record is given, and the sentence is to be learnt.")
ANOTHER_NUMBER = N_("{given} stands for a token, which the model would learn to write. The number left out is -100.")
SHIFTED = N_("These are moved by one place. The model's forward does that itself: label and token stand side by side.")
SENTENCE_FIRST = N_("The record comes first in what the model reads, so its labels come first, too.")
OTHER_LABELS = N_("First -100 for each token of the record, then the sentence's own tokens.")


@exercise("labels")
def check_labels(answer: Any) -> str:
    """`answer(record, sentence)` are the labels of the two lists of tokens, one behind the other."""
    count, more = DICE.sample(SIZES, 2)
    record, sentence = ([DICE.randrange(3, 200) for _ in range(length)] for length in (count, more))
    result = called(answer, list(record), list(sentence))
    if isinstance(result, Tensor):
        result = result.tolist()
    if not isinstance(result, list | tuple) or not all(type(plain(one)) is int for one in result):
        raise NotYet(NO_LABELS, given=brief(result))
    given, hidden = [plain(one) for one in result], [IGNORED] * count
    right = hidden + sentence
    if len(given) != len(right):
        cause = NO_RECORD if given == sentence else ""
        raise NotYet(HOW_MANY_LABELS, cause, record=count, sentence=more, wanted=len(right), given=len(given))
    if given != right:
        causes = (
            (record + sentence, BOTH_SIDES),
            ([IGNORED] * len(right), NOTHING_LEFT),
            (record + [IGNORED] * more, RECORD_ALONE),
            (sentence + hidden, SENTENCE_FIRST),
            ([*right[1:], IGNORED], SHIFTED),
            ([IGNORED, *right[:-1]], SHIFTED),
        )
        cause = next((said for wrong, said in causes if given == wrong), OTHER_LABELS)
        if given[count:] == sentence and len({*given[:count]}) == 1:
            cause = ANOTHER_NUMBER
        raise NotYet(cause, given=given[0])
    return N_("The record is read, and only the sentence is learnt.")


class Wrapped(nn.Module):
    """A frozen base, a prefix that trains, and a head that trains: the least that a training loop can meet."""

    def __init__(self, hidden: int, prefix_len: int):
        super().__init__()
        random = generator()
        self.base = nn.Parameter(1 + torch.rand(hidden, generator=random), requires_grad=False)
        self.prefix = nn.Parameter(torch.randn(prefix_len, hidden, generator=random))
        self.head = nn.Parameter(1 + torch.rand(hidden, generator=random))

    def forward(self, x: Tensor) -> Any:
        """An output with a loss, as transformers' models give it."""
        return Output((((self.prefix.mean(0) + x) * self.base * self.head) ** 2).mean())


class Output(NamedTuple):
    """Only the loss counts here."""

    loss: Tensor


MOVES = N_("The prefix moves as it should.")
HAND_BACK = N_("Hand the loss back, with `return`.")
GRAPH_ALIVE = N_("Return loss.item(): a tensor keeps its graph alive.")
NOT_THE_LOSS = N_("Return the loss, not {given}.")
OTHER_LOSS = N_("But what you return is not this batch's loss.")


@exercise("step")
def check_step(answer: Any) -> str:
    """`answer(model, batch, optimizer)` does one step and returns the loss as a number."""
    hidden, prefix_len = DICE.sample(SIZES, 2)
    model, random = Wrapped(hidden, prefix_len), generator()
    fresh, twin = copy.deepcopy(model), copy.deepcopy(model)
    batches = [{"x": torch.randn(hidden, generator=random)} for _ in range(3)]
    expected = [plain_step(twin, batch, optimizer_of(twin)) for batch in batches]
    optimizer, start = optimizer_of(model), model.prefix.detach().clone()
    given, arrived = [], []  # the second: a gradient came back, even if it was forgotten at once
    model.prefix.register_hook(arrived.append)
    for batch in batches:
        given.append(tried(answer, model, batch, optimizer))
        if len(given) == 1 and torch.equal(model.prefix, start):
            raise NotYet(nothing_moved(model, bool(arrived)))
    if not torch.allclose(model.prefix, twin.prefix, atol=1e-6):
        raise NotYet(other_way(model, fresh, batches))
    if any(one is None for one in given):
        raise NotYet(MOVES, HAND_BACK)
    if any(isinstance(one, Tensor) for one in given):
        raise NotYet(MOVES, GRAPH_ALIVE)
    if not all(isinstance(one, float) for one in given):
        raise NotYet(MOVES, NOT_THE_LOSS, given=brief(given[0]))
    if any(abs(one - two) > 1e-5 * max(1.0, abs(two)) for one, two in zip(given, expected, strict=True)):
        raise NotYet(MOVES, OTHER_LOSS)
    return N_("Forward, forget the old gradient, backward, step.")


def optimizer_of(model: Wrapped) -> torch.optim.Optimizer:
    """Plain descent: its steps show what the gradients were."""
    return torch.optim.SGD([model.prefix, model.head], lr=0.01)


def plain_step(model: Wrapped, batch: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> float:
    """The step as it should be."""
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def nothing_moved(model: Wrapped, arrived: bool) -> str:
    """Why the first step left the prefix where it was; `arrived` says whether backward brought it a gradient."""
    if not arrived:
        return N_("The prefix did not move and has no gradient: is loss.backward() there, before optimizer.step()?")
    if model.prefix.grad is None or not model.prefix.grad.any():
        return N_(
            "The gradient was forgotten before the step: zero_grad belongs before backward, not between it and step."
        )
    return N_("The prefix has its gradient but did not move: optimizer.step() uses it, behind backward.")


def other_way(model: Wrapped, fresh: Wrapped, batches: list[dict[str, Tensor]]) -> str:
    """Why three steps led elsewhere."""
    optimizer = optimizer_of(fresh)
    for batch in batches:
        fresh(**batch).loss.backward()
        optimizer.step()
    if torch.allclose(model.prefix, fresh.prefix, atol=1e-6):
        return N_("The first step is right, the next ones are too long: gradients add up until zero_grad forgets them.")
    return N_("The prefix moves, but elsewhere than with forward, zero_grad, backward, step on each batch.")


SHOWN = ("prompt_encoder.default.embedding.weight", "(10, 1024)", "[10, 1024]")
TOO_EARLY = N_("You saw `{{}}`: `backward` has not run yet. `n` runs the line on which you stand; then ask again.")
NO_COUNT = N_("{name}: how many parameters had a gradient? A whole number is wanted, and this is {given}.")
OLD_GRADIENT = N_("before: `zero_grad` threw all gradients away, and `backward` had not made new ones yet.")
NONE_AFTER = N_("after: `n` in `one_step` runs `backward` to its end. What does `with_gradient()` print then?")
TOO_MANY = N_("after: `with_gradient()` prints a name and a shape for each. How many names were there?")
ANOTHER_SHAPE = N_("shape: it stands behind the name that `with_gradient()` printed, and this is {given}.")


@exercise("gradient", stage="learn")
def check_gradient(stop: Any, answer: Any = ...) -> str:
    """`answer` says how many parameters had a gradient before and after `backward`, and the shape of the one."""
    before, after, shape = filled_in(answer, ("before", "after", "shape"))
    if getattr(stop, "by", "") == "debugger":  # which shows all frames, and tells nobody what was looked at in them
        seen_there(stop, "Tensor.backward")
    else:
        seen_there(stop, "one_step", SHOWN, {"{}": TOO_EARLY})
    for name, one in (("before", before), ("after", after)):
        if not isinstance(plain(one), int) or isinstance(one, bool):
            raise NotYet(NO_COUNT, name=name, given=brief(one))
    if before != 0:
        raise NotYet(OLD_GRADIENT)
    if after != 1:
        raise NotYet(TOO_MANY if after > 1 else NONE_AFTER)
    if re.findall(r"\d+", str(shape)) != ["10", "1024"]:
        raise NotYet(ANOTHER_SHAPE, given=brief(shape))
    return N_("One line of torch's, and of all parameters the prefix alone has a gradient: as large as itself.")


WHY_NOT = {
    "a": N_("Then the loss would have no `grad_fn`, and `backward` would raise an error. You saw one: `p self`."),
    "c": N_("`backward` knows no optimizer: it fills `grad` before `step` reads it. Give the optimizer all of GPT-2, "
    "and still nothing in it would move."),
    "d": N_("Then the prefix would have no gradient either: it gets its own through GPT-2's layers."),
}  # fmt: skip


@exercise("why_none")
def check_why_none(answer: Any) -> str:
    """`answer` is the letter of the reason why no parameter of the base has a gradient."""
    chosen(answer, "b", WHY_NOT)
    return N_("Wrapping set `requires_grad` to False on all of GPT-2: gradients pass through it and are not kept.")
