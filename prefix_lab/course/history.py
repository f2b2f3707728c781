"""How a training went: the loss of each step and what was right as it went on, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefix_lab.course.loading import tokenizer_of
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.tasks import TaskOfExamples
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import new_figure
from prefix_lab.widgets.table import Table, table

UNCHANGED = N_(
    "{trained:,} numbers trained; the other {frozen:,} are the same to the last bit (fingerprint {fingerprint})."
)
ALL_TRAINED = N_("All {trained:,} numbers trained.")


class History(list[float]):
    """The loss of every step; `scores` has (step, share of held-out examples that were right) beside it.

    Shown as a table, in a notebook with the picture above it.
    """

    def __init__(self, steps: int):
        super().__init__()
        self.steps = steps
        self.scores: list[tuple[int, float]] = []
        self.below = ""

    @property
    def text(self) -> str:
        """Where the training is, in a line."""
        said = [_("step {step} of {steps}").format(step=len(self), steps=self.steps)]
        said += [_("loss {loss:.4f}").format(loss=self[-1])] if self else []
        said += [_("right {percent:.1f} %").format(percent=100 * self.scores[-1][1])] if self.scores else []
        return " · ".join(said)

    def table(self) -> Table:
        """One row for each measurement: the step, the mean loss since the last one, and what was right, in percent."""
        rows, before = [], 0
        for step, share in self.scores or [(len(self), None)]:
            since = self[before:step]
            loss = f"{sum(since) / len(since):.4f}" if since else ""
            rows.append((step, loss, "" if share is None else f"{100 * share:.1f}"))
            before = step
        return table((N_("step"), N_("loss, mean since the last"), N_("right, %")), rows, self.below)

    def plot(self) -> Drawn:
        """Loss and what was right over the steps."""
        return draw_training(self, self.scores, self.steps)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return (self.plot().svg if self else "") + self.table()._repr_html_()


def before_and_after(model: Any, task: TaskOfExamples, tokenizer: Any = None, count: int = 8) -> Table:
    """What a wrapped model answers to held-out examples without its adapter and with it, side by side.

    Raises `ValueError` for a model without an adapter.
    """
    if not hasattr(model, "disable_adapter"):
        name = type(model).__name__
        raise ValueError(f"model is a {name} without an adapter. Wrap it first: get_peft_model(model, config).")
    tokenizer, some = tokenizer or tokenizer_of(model), task.examples("test")[:count]
    with model.disable_adapter():
        before = task.answers(model, tokenizer, some)
    after = task.answers(model, tokenizer, some)
    rows = [
        (task.source(example), as_text(old), as_text(new), as_text(task.target(example)))
        for example, old, new in zip(some, before, after, strict=True)
    ]
    return table((N_("held-out example"), N_("without the adapter"), N_("with it"), N_("a right answer")), rows)


def as_text(answer: Any) -> str:
    """An answer as a person reads it."""
    return answer if isinstance(answer, str) else " ".join(answer)


def draw_training(losses: Sequence[float], scores: Sequence[tuple[int, float]], steps: int) -> Drawn:
    """Two curves side by side: the loss, and what was right."""
    figure = new_figure(9.6, 2.7)
    left, right = figure.subplots(1, 2)
    left.plot(range(1, len(losses) + 1), losses, color=COLOURS["prefix_len"], linewidth=1)
    left.set(xlim=(0, steps), ylim=(0, None))
    plain_axes(left, _("loss of each batch"), _("step"), _("cross entropy, nats a token"), axis="y")
    at, percent = [step for step, share in scores], [100 * share for step, share in scores]
    right.plot(at, percent, color=COLOURS["prefix_len"], marker="o", markersize=4, linewidth=1.4)
    right.set(xlim=(-0.02 * steps, 1.02 * steps), ylim=(-3, 103))
    plain_axes(right, _("held-out examples that are right"), _("step"), _("right, %"), axis="y")
    loss = _("The loss went from {first:.2f} to {last:.4f} in {count} steps.")
    one, right = _("{percent:.1f} % at step {step}"), _("Right: {measured}.")
    measured = ", ".join(one.format(percent=100 * share, step=step) for step, share in scores)
    loss = loss.format(first=losses[0], last=losses[-1], count=len(losses))
    return drawn(figure, _("Training the prefix"), paragraph(loss, right.format(measured=measured)))
