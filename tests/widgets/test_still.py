"""Where no widget lives, each shows what it is all the same: run in a real kernel, exported by the real nbconvert."""

import re

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from prefix_lab.widgets import ParameterBars, ReshapeView, ShapeFlow, TensorView

CELLS = {
    "from prefix_lab.widgets import *\nShapeFlow()": ("The journey of a prefix", "(2, 20, 18432)</td>"),
    "ParameterBars()": ('<img alt="What trains', "884,736"),
    "ReshapeView()": ('<img alt="Step 0 of 3', "Step 3 of 3: split(2)"),
    "import torch\nTensorView(torch.eye(2), 'batch hidden')": ('<img alt="Heat map', "(batch, hidden) = (2, 2)"),
    "from prefix_lab.debugger import record\ndef double(number):\n    twice = 2 * number\n    return twice\n"
    "with record(double) as recording:\n    double(21)\nStepper(recording, at=2)": (
        "→     4      return twice",
        "twice   42",
    ),
    "Mirror(recording, recording)": ("&lt;Mirror of ours and theirs&gt;",),
}


@pytest.fixture(scope="module")
def ran():
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return NotebookClient(made).execute()


@pytest.mark.parametrize("keeps_widgets", [True, False])
def test_a_notebook_that_nbconvert_exports_reads_whole(ran, keeps_widgets):
    metadata = ran.metadata if keeps_widgets else {name: ran.metadata[name] for name in ("kernelspec", "language_info")}
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=ran.cells, metadata=metadata))
    outputs = page.split('<div class="jp-Cell-outputWrapper">')[1:]
    for output, said in zip(outputs, CELLS.values(), strict=True):
        assert all(one in output for one in said), said
        assert "run this cell there to use it" in output


def test_a_viewer_that_takes_svg_and_styles_out_keeps_the_picture_and_the_words(ran):
    for cell in ran.cells:
        _, still = (output.data["text/html"] for output in cell.outputs)
        assert "<svg" not in still
        assert "<script" not in still
        assert "<table" in still or "monospace" in re.search(r"<pre style=.*?>", still)[0]


@pytest.mark.parametrize("make", [ShapeFlow, ParameterBars, ReshapeView, lambda: TensorView(np.eye(2))])
def test_a_terminal_gets_the_text_once(make):
    shown = make()
    data, _ = InteractiveShell().display_formatter.format(shown)
    assert repr(shown) == str(shown) == data["text/plain"] == shown.text
