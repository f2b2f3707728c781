"""Training as it happens: a bar with the loss and the exact match so far, drawn anew while a loop runs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from prefix_lab.course.shown import Drawn, drawn, plain_axes


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
