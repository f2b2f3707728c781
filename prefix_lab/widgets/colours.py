"""One colour for each axis, the same in every picture, widget and page.

Each has a contrast of at least 4 with white and with JupyterLab's dark ground, so it may be a line, a frame or a
filled cell in either theme. Text is never written in it: the name of the axis stands beside the colour.
"""

import re

COLOURS = {
    "batch": "#2575d0",
    "prefix_len": "#c64b40",
    "layers": "#18862a",
    "heads": "#895ec8",
    "kv_heads": "#ad51a7",
    "head_dim": "#946f01",
    "hidden": "#018585",
    "source": "#007da6",
    "target": "#5e6bd4",
    "vocab": "#787804",
    "ff": "#b26301",
    "encoder_hidden": "#0f8467",
}
OTHER = "#767676"


def colours_of(expression: str) -> list[str]:
    """The colours of the axes that an expression names, in its order: `2·layers·hidden` has two. Grey for a number."""
    names = re.findall(r"[^\W\d]\w*", expression.split("|")[0])
    return [COLOURS.get(name, OTHER) for name in names] or [OTHER]
