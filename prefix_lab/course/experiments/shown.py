"""What came out of an experiment: a plot, a table, and one plain sentence whether the claim holds here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.course.experiments.runs import Experiment, Interval, Results, Setting
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _, language, paragraph
from prefix_lab.locale.room import columns
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure
from prefix_lab.widgets.table import Table, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Column(NamedTuple):
    """How a number is told: under which head, times what, in which format."""

    head: str
    times: float = 1
    format: str = "g"


COLUMNS = {
    "prefix_len": Column(N_("virtual tokens")),
    "layout": Column(N_("layout")),
    "rate": Column(N_("highest learning rate")),
    "width": Column(N_("width of the projection")),
    "start": Column(N_("start")),
    "examples": Column(N_("examples")),
    "method": Column(N_("what trains")),
    "layers": Column(N_("layers in each stack")),
    "size": Column(N_("tokens or rank")),
    "place": Column(N_("read by")),
    "order": Column(N_("order")),
    "task": Column(N_("task")),
    "task_type": Column(N_("task")),
    "right": Column(N_("right to the letter, %"), 100, ".1f"),
    "correct": Column(N_("right as a whole, %"), 100, ".1f"),
    "loss": Column(N_("loss, nats a token"), 1, ".3f"),
    "trained": Column(N_("numbers trained"), 1, ",.0f"),
    "alive": Column(N_("rows with a gradient, %"), 100, ".0f"),
    "moved": Column(N_("first attention moved, %"), 100, ".1f"),
    "training": Column(N_("training step, 1 = full"), 1, ".2f"),
    "generation": Column(N_("writing, 1 = no prefix"), 1, ".2f"),
    "forward": Column(N_("forward, % of step"), 100, ".0f"),
    "backward": Column(N_("backward, % of step"), 100, ".0f"),
    "update": Column(N_("update, % of step"), 100, ".0f"),
    "building": Column(N_("making the prefix, % of step"), 100, ".0f"),
}
"""Every name of a setting or of a measured number, and how it is told."""

VALUES: dict[tuple[str, Any], str] = {
    ("layout", "peft"): N_("PEFT's"),
    ("layout", "paper"): N_("the paper's"),
    ("examples", None): N_("all"),
    ("width", 0): N_("no projection"),
    ("method", "full"): N_("whole model"),
    ("size", 0): "",
    ("method", "instruction"): N_("nothing, told in words"),
    ("method", "head"): N_("a new head alone"),
    ("method", "paper"): N_("prefix, the paper's layout"),
    ("method", "prefix"): N_("prefix"),
    ("method", "PEFT's prefix"): N_("PEFT's prefix"),
    ("method", "nothing"): N_("nothing"),
    ("order", "prefix"): N_("prefix"),
    ("order", "infix"): N_("infix"),
    ("place", "embeddings"): N_("embeddings"),
    ("place", "lower half"): N_("lower half"),
    ("place", "upper half"): N_("upper half"),
    ("place", "all layers"): N_("all layers"),
    ("start", "random"): N_("random numbers"),
    ("start", "zero"): N_("zeros"),
    ("start", "words"): N_("other words"),
    ("start", "instruction"): N_("the instruction"),
}
"""Values that are told by another name."""

LOOKS = [(COLOURS["prefix_len"], "o"), (COLOURS["source"], "s"), (COLOURS["layers"], "^"), (COLOURS["head_dim"], "D")]
LOOKS += [(COLOURS["heads"], "v"), (COLOURS["hidden"], "P"), (COLOURS["vocab"], "X")]


class Shown(NamedTuple):
    """An experiment's results, to see or to read."""

    experiment: Experiment
    plot: Drawn
    table: Table
    sentence: str

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{as_html(line)}</p>" for line in (_(self.experiment.claim), self.how))
        end = f"<p><b>{as_html(self.sentence)}</b></p>"
        return f"<h2>{escape(_(self.experiment.title))}</h2>{head}{self.plot.svg}{self.table._repr_html_()}{end}"

    def __repr__(self) -> str:
        title = _(self.experiment.title)
        head = f"{title}\n{'=' * columns(title)}\n{_(self.experiment.claim)}\n{self.how}"
        return f"{head}\n\n{self.table}\n\n{self.sentence}"

    @property
    def how(self) -> str:
        """How it was measured, in sentences."""
        how = self.experiment.how
        return paragraph(*map(_, (how,) if isinstance(how, str) else how))


def shown(results: Results) -> Shown:
    """Plot, table and sentence. Raises `LookupError` while a cell is missing: part of it would mislead."""
    if missing := len(results.missing()):
        raise LookupError(
            f"{results.path} has {len(results.cells)} of {len(results.wanted())} cells, and a part would mislead: run "
            f"`python -m prefix_lab.course.experiments {results.experiment.name}`, which measures the {missing} others."
        )
    return Shown(results.experiment, plot(results), as_table(results), results.experiment.conclude(results))


def as_html(text: str) -> str:
    """A sentence whose words in backticks are code."""
    return re.sub(r"`(.*?)`", r"<code>\1</code>", escape(text))


def named(name: str, value: Any) -> str:
    """A setting's value as a reader says it."""
    if (name, value) in VALUES:
        return _(VALUES[name, value])
    return f"{value:,}" if isinstance(value, int) else str(value)


def told(name: str, found: Interval) -> str:
    """Mean and interval, `86.3 ± 2.1`; the mean alone where all seeds agree."""
    times, form = COLUMNS[name][1:]
    mean = f"{times * found.mean:{form}}"
    return f"{mean} ± {times * found.half:{form}}" if found.half else mean


def as_table(results: Results) -> Table:
    """A row for each setting: what was set, then what was measured."""
    names = results.experiment.columns
    rows = []
    for setting in results.experiment.settings:
        cells = [
            named(name, setting[name]) if name in setting else told(name, results.mean(name, **setting))
            for name in names
        ]
        rows.append(cells)
    made, seeds = results.made, len(results.seeds)
    below = _("Mean and 95 % interval (Student's t) of {seeds} seeds. Measured by: {command}")
    return table([COLUMNS[name].head for name in names], rows, below.format(seeds=seeds, command=made["command"]))


def plot(results: Results) -> Drawn:
    """The key number over `x`, with its intervals: a line for each value of `by`, a panel for each of `panel`."""
    experiment = results.experiment
    panels = results.values(experiment.panel) if experiment.panel else [None]
    long_names = sum(len(str(place)) for place in results.values(experiment.x)) > 50
    figure = new_figure(9.6 if len(panels) > 1 or long_names else 6.4, 3.2)
    every = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    said = []
    for axes, panel in zip(every, panels, strict=True):
        chosen = {experiment.panel: panel} if experiment.panel else {}
        title = f"{_(COLUMNS[experiment.panel].head)}: {named(experiment.panel, panel)}" if experiment.panel else ""
        said += [f"{title}. {line}" if title else line for line in draw_lines(axes, results, chosen)]
        first = _(COLUMNS[experiment.key].head) if axes is every[0] else ""
        plain_axes(axes, title, _(COLUMNS[experiment.x].head), first, axis="y")
    if experiment.by:
        handles, labels = every[0].get_legend_handles_labels()
        look = {"frameon": False, "labelcolor": INK, "fontsize": 8, "title": _(COLUMNS[experiment.by].head)}
        legend = figure.legend(handles, labels, loc="outside right upper", **look)
        legend.get_title().set(color=INK, fontsize=8)
    return drawn(figure, _(experiment.title), "\n".join(said))


def draw_lines(axes: Axes, results: Results, chosen: Setting) -> list[str]:
    """One panel; returns what each line shows, in words."""
    experiment, said = results.experiment, []
    settings = [one for one in experiment.settings if chosen.items() <= one.items()]
    groups = list(dict.fromkeys(one.get(experiment.by) for one in settings))
    places = list(dict.fromkeys(place_of(results, one) for one in settings))
    numeric = all(isinstance(place, int | float) for place in places)
    times = COLUMNS[experiment.key].times
    for number, group in enumerate(groups):
        some = [one for one in settings if one.get(experiment.by) == group]
        means = [results.mean(experiment.key, **one) for one in some]
        here = [place_of(results, one) for one in some]
        colour, marker = LOOKS[number % len(LOOKS)]
        axes.errorbar(
            here if numeric else [places.index(place) + 0.12 * (number - (len(groups) - 1) / 2) for place in here],
            [times * one.mean for one in means],
            [times * one.half for one in means],
            label=named(experiment.by, group) if experiment.by else None,
            color=colour,
            marker=marker,
            markersize=5,
            capsize=3,
            linewidth=1.2 if numeric else 0,
            elinewidth=1.2,
        )
        pairs = zip(here, means, strict=True)
        line = ", ".join(f"{named(experiment.x, place)}: {told(experiment.key, mean)}" for place, mean in pairs)
        said.append(f"{named(experiment.by, group)}: {line}" if experiment.by else line)
    if experiment.log:
        axes.set_xscale("symlog" if 0 in places else "log")
        axes.minorticks_off()
    if experiment.x in settings[0]:
        axes.set_xticks(places if numeric else range(len(places)), [named(experiment.x, place) for place in places])
    else:
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.axhline(0, color=FAINT, linewidth=0.8)
    return said


def place_of(results: Results, setting: Setting) -> Any:
    """Where a setting stands along the axis of `x`, which may be measured, as the numbers that train are."""
    name = results.experiment.x
    return setting[name] if name in setting else round(results.mean(name, **setting).mean)


LOOK = "font-family: system-ui; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark"


def page(every: Iterable[Shown]) -> str:
    """All of them as one HTML page that needs nothing beside it."""
    title, code = _("What the papers claim, measured"), language().replace("_", "-")
    parts = "".join(f"<section>{one._repr_html_()}</section>" for one in every)
    return (
        f'<!doctype html>\n<html lang="{code}"><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body style="{LOOK}"><h1>{title}</h1>{parts}</body></html>\n'
    )
