"""Which decoder layer reads which row of the prefix, as a picture: half of the rows are read by none."""

from __future__ import annotations

from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.flow.cost import readers_of_rows
from prefix_lab.widgets.flow.svg import Picture
from prefix_lab.widgets.picture import FAINT
from prefix_lab.widgets.sizes import Sizes

SHOWN = 48  # more cells than this would be too narrow for their numbers
WIDTH, HEIGHT, CELL = 9.8, 0.85, 0.3


def draw_rows(sizes: Sizes, title: str, text: str) -> str:
    """A cell for each of the 2·layers rows, the layers that read it below; as `<svg>`. `text` says it in words."""
    readers = readers_of_rows(sizes.layers, sizes.readers, sizes.encoder_decoder)
    shown = min(2 * sizes.layers, SHOWN)
    step = WIDTH / max(shown, 12)  # few rows do not become wide
    picture = Picture(0.05, WIDTH, HEIGHT)
    for row in range(shown):
        left, alive = row * step, row in readers
        look = {"fill": COLOURS["layers"], "fill_opacity": 0.35} if alive else {"fill": "none"}
        picture.box(left, 0.25, step * 0.92, CELL, stroke=FAINT, **look)
        picture.words(left + 0.46 * step, 0.14, str(row), 7.5)
        if not alive:
            picture.line((left, 0.25), (left + 0.92 * step, 0.25 + CELL), stroke=FAINT)
            picture.line((left, 0.25 + CELL), (left + 0.92 * step, 0.25), stroke=FAINT)
        elif row % 2 == 0:
            picture.words(left + 0.96 * step, 0.68, ", ".join(map(str, readers[row])), 7.5)
    return picture.svg(title, text)
