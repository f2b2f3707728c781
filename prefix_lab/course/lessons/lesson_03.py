"""Lesson 03: what the optimizer gets, one step of training, how far each row moved, and where attention looks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import DICE, SIZES, NotYet, brief, called, exercise, generator, same_tensor, tried
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

STACKS = ("encoder", "decoder", "cross-attention")


def draw_rows(moved: Tensor, layers: int) -> Drawn:
    """How far each virtual token's share of each row moved: (prefix_len, rows), rows by stack, layer, key and value."""
    prefix_len, rows = moved.shape
    figure = new_figure(9.6, 4.2)
    axes = figure.add_subplot()
    drawn_map = axes.imshow(moved.T.numpy(), cmap="viridis", aspect="auto", vmin=0)
    names = [f"{stack} {layer} {part}" for stack in STACKS for layer in range(layers) for part in ("key", "value")]
    axes.set_yticks(range(rows), names[:rows])
    axes.set_xticks(range(0, prefix_len, max(1, prefix_len // 10)))
    for line in range(2 * layers, rows, 2 * layers):
        axes.axhline(line - 0.5, color="white", linewidth=2)
    plain_axes(axes, "how far training moved it", "virtual token, 0 to prefix_len - 1", "row: stack, layer, part")
    axes.tick_params(length=0)
    bar = figure.colorbar(drawn_map, ax=axes, pad=0.01)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.set_label("distance over hidden", color=INK, fontsize=9)
    means = moved.mean(0).view(-1, 2 * layers).mean(1).tolist()
    told = ", ".join(f"{stack} {mean:.2f}" for stack, mean in zip(STACKS, means, strict=False))
    still = int((moved.sum(0) == 0).sum())
    said = f"{rows} rows of {prefix_len} virtual tokens. Mean distance: {told}. Rows that never moved: {still}."
    return drawn(figure, "Which rows of the prefix learnt", said)


def draw_attention(
    output: Any, prefix_len: int, source: Sequence[str], target: Sequence[str], layer: int, head: int
) -> Drawn:
    """Left, how much each head of each layer looks at the prefix; right, one cross-attention head letter by letter.

    `output` is that of a forward pass with `output_attentions=True`, of one text.
    """
    shares = torch.cat(
        [
            torch.stack([one[0, ..., :prefix_len].sum(-1).mean(-1) for one in output[name]])
            for name in ("encoder_attentions", "decoder_attentions", "cross_attentions")
        ]
    ).detach()  # (3·layers, heads): the share of attention that goes to the prefix, mean over the queries
    layers, heads = len(shares) // len(STACKS), shares.shape[1]
    figure = new_figure(9.6, 4.0)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5])
    left.imshow(shares.numpy(), cmap="viridis", aspect="auto", vmin=0, vmax=1)
    for row, line in enumerate(shares.tolist()):
        for column, share in enumerate(line):
            colour = "black" if share > 0.6 else "white"
            left.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=colour)
    left.set_yticks(range(len(shares)), [f"{stack} {number}" for stack in STACKS for number in range(layers)])
    left.set_xticks(range(heads))
    for line in range(layers, len(shares), layers):
        left.axhline(line - 0.5, color="white", linewidth=2)
    plain_axes(left, "attention that goes to the prefix, %", "head", "stack and layer")
    looks = output["cross_attentions"][layer][0, head].detach()  # (target, prefix_len+source)
    right.imshow(looks.numpy(), cmap="viridis", aspect="auto", vmin=0, vmax=1)
    right.axvline(prefix_len - 0.5, color=COLOURS["prefix_len"], linewidth=2)
    places = range(prefix_len, prefix_len + len(source))
    right.set_xticks([prefix_len / 2 - 0.5, *places], ["the prefix", *source])
    right.set_yticks(range(len(target)), target)
    plain_axes(right, f"cross-attention {layer}, head {head}", "reads", "writes")
    for axes in (left, right):
        axes.tick_params(length=0, labelsize=9, colors=INK)
    most = looks[:, prefix_len:].argmax(1).tolist()
    pairs = ", ".join(f"{one} from {source[place]}" for one, place in zip(target, most, strict=True))
    told = ", ".join(
        f"{stack} {100 * part:.0f} %"
        for stack, part in zip(STACKS, shares.view(-1, layers * heads).mean(1).tolist(), strict=True)
    )
    said = f"On the prefix: {told}. What cross-attention {layer}, head {head}, reads most while it writes: {pairs}."
    return drawn(figure, "Where attention looks", said)


def sharpest(output: Any, source: int, prefix_len: int) -> tuple[int, int]:
    """The layer and head of the cross-attention that looks hardest at single tokens of the source."""
    peaks = torch.stack(
        [one[0, :, :, prefix_len : prefix_len + source].amax(-1).mean(-1) for one in output["cross_attentions"]]
    )
    best = int(peaks.argmax())
    return best // peaks.shape[1], best % peaks.shape[1]


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


NO_LIST = "A list of parameters is wanted; your function gave {given}."


@exercise("what_trains")
def check_what_trains(answer: Any) -> str:
    """`answer(model)` is a list of the parameters that train."""
    model = Wrapped(*DICE.sample(SIZES, 2))
    result = called(answer, model)
    try:
        found = list(result)
    except TypeError:
        raise NotYet(NO_LIST, given=brief(result)) from None
    if any(isinstance(one, tuple) for one in found):
        raise NotYet("These are pairs of name and parameter; an optimizer wants the parameters alone.")
    if any(isinstance(one, str) for one in found):
        raise NotYet("These are names; an optimizer wants the parameters themselves.")
    if not all(isinstance(one, Tensor) for one in found):
        raise NotYet("Not everything in your list is a parameter.")
    ids = {id(one) for one in found}
    if id(model.base) in ids:
        raise NotYet("The frozen base is among them: ask each parameter whether it has requires_grad.")
    if not ids:
        raise NotYet("The list is empty: are those that train left out, and the frozen ones taken?")
    if {id(model.prefix), id(model.head)} - ids:
        raise NotYet("One that trains is missing. A name is not enough to go by: some models train a head, too.")
    if not isinstance(result, list):
        raise NotYet("Right, but it can be gone through only once. Make it a list; clipping needs it again.")
    return "All that has requires_grad, and nothing else."


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
        raise NotYet("The prefix moves as it should. Hand the loss back, with `return`.")
    if any(isinstance(one, Tensor) for one in given):
        raise NotYet("The prefix moves as it should. Return loss.item(): a tensor keeps its graph alive.")
    if not all(isinstance(one, float) for one in given):
        raise NotYet("The prefix moves as it should. Return the loss, not {given}.", given=brief(given[0]))
    if any(abs(one - two) > 1e-5 * max(1.0, abs(two)) for one, two in zip(given, expected, strict=True)):
        raise NotYet("The prefix moves as it should, but what you return is not this batch's loss.")
    return "Forward, forget the old gradient, backward, step."


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
        return "The prefix did not move and has no gradient: is loss.backward() there, before optimizer.step()?"
    if model.prefix.grad is None or not model.prefix.grad.any():
        return "The gradient was forgotten before the step: zero_grad belongs before backward, not between it and step."
    return "The prefix has its gradient but did not move: optimizer.step() uses it, behind backward."


def other_way(model: Wrapped, fresh: Wrapped, batches: list[dict[str, Tensor]]) -> str:
    """Why three steps led elsewhere."""
    optimizer = optimizer_of(fresh)
    for batch in batches:
        fresh(**batch).loss.backward()
        optimizer.step()
    if torch.allclose(model.prefix, fresh.prefix, atol=1e-6):
        return "The first step is right, the next ones are too long: gradients add up until zero_grad forgets them."
    return "The prefix moves, but elsewhere than with forward, zero_grad, backward, step on each batch."


@exercise("moved")
def check_moved(answer: Any) -> str:
    """`answer(before, after, rows)` is (prefix_len, rows): the distance over hidden."""
    prefix_len, rows, hidden = DICE.sample(SIZES, 3)
    random = generator()
    before, after = (torch.randn(prefix_len, rows * hidden, generator=random) for _ in range(2))
    change = (after - before).view(prefix_len, rows, hidden)
    right = change.norm(dim=2)  # (prefix_len, rows)
    result = called(answer, before, after, rows)
    shapes = {
        (rows, prefix_len): "The two axes are in the other order.",
        (prefix_len, hidden): "This is the distance over the rows; take it over hidden, the last axis of three.",
        (prefix_len,): "This is one distance a virtual token: cut the width into rows and hidden first, with view.",
        (prefix_len, rows, hidden): "This is the change itself; its length over hidden is one number a row.",
        (): "This is one number for all: say along which axis, as in norm(dim=...).",
    }
    numbers = {
        "A row's numbers lie side by side, so in the view rows come before hidden.": (
            (after - before).view(prefix_len, hidden, rows).norm(dim=1)
        ),
        "This is how long the rows are now, not how far they moved.": after.view(prefix_len, rows, hidden).norm(dim=2),
        "This is the sum of the absolute changes; take norm, as a ruler does.": change.abs().sum(2),
        "This is the square of the distance.": right**2,
    }
    otherwise = (
        "view makes three axes, norm(dim=...) takes the last of them away.",
        "What is asked for is the square root of the summed squares of after - before.",
    )
    same_tensor(result, right, "(prefix_len, rows)", shapes, numbers, otherwise)
    return "One distance for each virtual token and each row."
