"""The picture of a class: a field for each learner and lesson, and bars for the exercises where most are stuck."""

from __future__ import annotations

from contextlib import suppress
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from prefix_lab.course.classroom import NOBODY, SHOWN, STUCK, Class, Hard, hardest, most_often, short, titled
from prefix_lab.course.progress import EXERCISES
from prefix_lab.locale import N_, _
from prefix_lab.locale.room import is_wide, wrapped
from prefix_lab.widgets.colours import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FULL, MISSED = COLOURS["prefix_len"], COLOURS["head_dim"]
DRAWN = COLOURS["source"]
CHINESE = "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei", "SimHei"
STANDING = N_("Who stands where: {learners} learners, exercises solved in each lesson")
LESSON = N_("lesson")
STUCK_NOW = N_("stuck: no right answer yet")
FOUND = N_("solved after a wrong answer")
LEARNERS = N_("learners")
NO_FONT = (
    "path={path!r}: matplotlib finds no font with Chinese signs, and the picture would have boxes. Save it as .svg, "
    "which takes the viewer's font, or install one, such as Noto Sans CJK."
)


def draw(found: Class, path: str | Path) -> None:
    """Write the picture as .png or .svg. Raises `ValueError` for another ending, or where no font has its signs."""
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"path={str(path)!r}: a plot is saved as .png or .svg.")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("--plot needs matplotlib: pip install 'prefix-lab[lab]'") from error
    hard = hardest(found)[:SHOWN]
    shown = "".join([_(STANDING), *(one.name for one in found.learners), *map(most_often, hard)])
    chinese = fonts() if any(map(is_wide, shown)) else []
    if path.suffix == ".png" and any(map(is_wide, shown)) and not chinese:
        raise ValueError(NO_FONT.format(path=str(path)))
    look = {"font.family": ["DejaVu Sans", *chinese], "svg.fonttype": "none", "svg.hashsalt": "prefix_lab"}
    with rc_context(look | {"text.parse_math": False}):  # a file's name may have dollar signs
        high = 1.2 + 0.27 * len(found.learners), 1.2 + 0.66 * len(hard)
        figure = Figure(figsize=(9.6, sum(high)), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=high)
        draw_standing(above, found)
        draw_stuck(below, hard, len(found.learners))
        fixed = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=150, facecolor="white", metadata=fixed)


def fonts() -> list[str]:
    """Those with Chinese signs that are installed, also since matplotlib made its list of fonts."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    getLogger("matplotlib.font_manager").setLevel(ERROR)  # it tells of each weight that a font lacks
    listed = {font.fname for font in fontManager.ttflist}
    for file in findSystemFonts():
        if file not in listed:
            with suppress(Exception):  # whatever is wrong with a font that nobody asked for
                fontManager.addfont(file)
    names = {font.name for font in fontManager.ttflist}
    return [name for name in CHINESE if name in names]


def draw_standing(axes: Axes, found: Class) -> None:
    """The fuller a field, the more of that lesson is solved; the number in it says how many exercises are."""
    from matplotlib.patches import Rectangle

    for y, one in enumerate(found.learners):
        for x, exercises in enumerate(EXERCISES.values()):
            solved = one.solved(x)
            part = solved / len(exercises)
            axes.add_patch(Rectangle((x, y), 0.94, 0.9, facecolor=DRAWN, alpha=part, edgecolor="none"))
            axes.add_patch(Rectangle((x, y), 0.94, 0.9, facecolor="none", edgecolor="#bbbbbb", linewidth=0.5))
            if solved:
                ink = "white" if part > 0.6 else "black"
                axes.text(x + 0.47, y + 0.47, f"{solved}", color=ink, fontsize=8, ha="center", va="center")
    axes.set_xlim(0, len(EXERCISES))
    axes.set_ylim(len(found.learners), 0)
    heads = [f"{number:02}\n/{len(exercises)}" for number, exercises in EXERCISES.items()]
    axes.set_xticks([x + 0.47 for x in range(len(heads))], heads, fontsize=8)
    axes.set_yticks([y + 0.47 for y in range(len(found.learners))], [short(one.name) for one in found.learners])
    axes.set_xlabel(_(LESSON))
    plain(axes, _(STANDING).format(learners=len(found.learners)))


def draw_stuck(axes: Axes, hard: list[Hard], learners: int) -> None:
    """A bar for each exercise, its name and the cause that most had above it."""
    for y, one in enumerate(hard):
        axes.barh(y + 0.55, one.stuck, height=0.22, color=FULL, label=_(STUCK_NOW) if y == 0 else None)
        axes.barh(y + 0.55, one.found, 0.22, one.stuck, color=MISSED, alpha=0.35, label=_(FOUND) if y == 0 else None)
        axes.text(0, y + 0.05, titled(one.key), fontsize=9, weight="bold", va="center", in_layout=False)
        cause, *more = wrapped(most_often(one), 112)
        axes.text(0, y + 0.3, cause + " …" * bool(more), fontsize=8, va="center", in_layout=False)
    axes.set_xlim(0, learners)
    axes.set_ylim(max(1, len(hard)) - 0.2, -0.2)
    axes.set_yticks([])
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel(_(LEARNERS))
    plain(axes, _(STUCK) if hard else _(NOBODY))
    if hard:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, frameon=False)


def plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, weight="bold")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
