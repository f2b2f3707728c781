"""Widgets whose numbers are computed in the page: in a notebook Python is told of each move, and a page needs none.

How a static page shows one, with no kernel and no network:

    state = ShapeFlow("t5-base").state          # a dict for JSON: {"data": …, "chosen": …}
    script, style = ShapeFlow._esm, ShapeFlow._css

`script` is one ES module that imports nothing; write it to a file, or put it into a `data:` or `blob:` address:

    import widget from "./flow.js";
    const gone = widget.mount(element, state);  // gone() takes its listeners away

`style` goes into a `<style>`, once. Texts in `state` are in the language of the process that made it. A notebook that
was run keeps the same two dicts in its widget state, under `data` and `chosen`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from prefix_lab.widgets.picture import TextForm

STYLE = (Path(__file__).parent / "moving.css").read_text(encoding="utf-8")


class Moving(TextForm, anywidget.AnyWidget):
    """`data` is what the page needs to compute by itself, texts in the reader's language among it; `chosen` is where
    its controls stand, moved from the page or from Python."""

    data = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)

    @property
    def state(self) -> dict[str, Any]:
        """What `mount` takes, for JSON."""
        return {"data": self.data, "chosen": self.chosen}
