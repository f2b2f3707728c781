"""Lesson 11's pictures: training as it happens, which rows of the prefix moved, and where attention looks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes

STACKS = ("encoder", "decoder", "cross-attention")


def digest(module: nn.Module) -> str:
    """A short fingerprint of every number of a module: one changed bit anywhere, and it is another."""
    found = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        found.update(name.encode() + tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


class LiveTraining:
    """A progress bar with the loss and the exact match so far, drawn anew while a loop runs.

    `add(loss)` after each step, `measured(share)` after each measurement; `every` is how often the bar moves, `start`
    and `goal` are the exact match before and the one to reach. In a terminal each measurement is a line of text.
    """

    def __init__(self, steps: int, every: int = 10, start: float = 0.0, goal: float | None = None):
        self.steps, self.every, self.goal = steps, every, goal
        self.losses: list[float] = []
        self.matches = [(0, start)]
        self.svg = ""
        self.handle = shown(self)

    def add(self, loss: float) -> None:
        """One more step."""
        self.losses.append(loss)
        if len(self.losses) % self.every == 0:
            self.refresh()

    def measured(self, share: float) -> None:
        """What share of words is right now."""
        self.matches.append((len(self.losses), share))
        self.svg = self.final().svg
        if self.handle is None:
            print(self.text)
        self.refresh()

    def refresh(self) -> None:
        """Show how far it is."""
        if self.handle is not None:
            self.handle.update(self)

    @property
    def text(self) -> str:
        """Where the training is, in a line."""
        loss = f" · loss {self.losses[-1]:.4f}" if self.losses else ""
        return f"step {len(self.losses)} of {self.steps}{loss} · exact match {100 * self.matches[-1][1]:.1f} %"

    def final(self) -> Drawn:
        """Loss and exact match over the steps."""
        return draw_training(self.losses, self.matches, self.steps, self.goal)

    def _repr_html_(self) -> str:
        bar = f"<progress value='{len(self.losses)}' max='{self.steps}' style='width: 16em'></progress>"
        return f"<div>{bar} {escape(self.text)}</div>{self.svg}"

    def __repr__(self) -> str:
        return self.text


def shown(what: Any) -> Any:
    """Displayed where there is a notebook, with a handle to change it; None in a terminal."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    shell = get_ipython()
    return display(what, display_id=True) if shell is not None and hasattr(shell, "kernel") else None


def draw_training(
    losses: Sequence[float], matches: Sequence[tuple[int, float]], steps: int, goal: float | None
) -> Drawn:
    """Two curves side by side; the dashed line is `goal`."""
    from prefix_lab.widgets.colours import COLOURS
    from prefix_lab.widgets.picture import INK, new_figure

    figure = new_figure(9.6, 2.7)
    left, right = figure.subplots(1, 2)
    left.plot(range(1, len(losses) + 1), losses, color=COLOURS["prefix_len"], linewidth=1)
    left.set(xlim=(0, steps), ylim=(0, None))
    plain_axes(left, "loss of each batch", "step", "cross entropy, nats a token", axis="y")
    at, percent = [step for step, _ in matches], [100 * share for _, share in matches]
    right.plot(at, percent, color=COLOURS["prefix_len"], marker="o", markersize=4, linewidth=1.4)
    right.set(xlim=(-0.02 * steps, 1.02 * steps), ylim=(-3, 103))
    plain_axes(right, "held-out words that are right to the letter", "step", "exact match, %", axis="y")
    said = f"The loss went from {losses[0]:.2f} to {losses[-1]:.4f} in {len(losses)} steps. Exact match: "
    said += ", ".join(f"{100 * share:.1f} % at step {step}" for step, share in matches) + "."
    if goal is not None:
        right.axhline(100 * goal, color=INK, linewidth=0.9, linestyle="--", label="with the written instruction")
        right.legend(loc="lower right", frameon=False, labelcolor=INK, fontsize=8)
        said += f" With the written instruction it is {100 * goal:.1f} %."
    return drawn(figure, "Training the prefix", said)


def draw_rows(moved: Tensor, layers: int) -> Drawn:
    """How far each virtual token's share of each row moved: (prefix_len, rows), rows by stack, layer, key and value."""
    from prefix_lab.widgets.picture import INK, new_figure

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
    from prefix_lab.widgets.colours import COLOURS
    from prefix_lab.widgets.picture import INK, new_figure

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
