"""A recording, made and shown in a notebook's cells, as a learner would in JupyterLab."""

import nbformat
import pytest

from tests.browser.conftest import run_all, take_picture

CELLS = [
    "from peft import PrefixTuningConfig, get_peft_model\n"
    "from prefix_lab.course import load_tiny_t5\n"
    "from prefix_lab.debugger import Breakpoint, record\n"
    "from prefix_lab.terminal.record import step_bar\n"
    "base, tokenizer = load_tiny_t5()\n"
    "batch = tokenizer(['garden', 'piano'], padding=True, return_tensors='pt')\n"
    "config = PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20, prefix_projection=True)",
    "def double(x):\n    y = x + x\n    return y\n\n"
    "with record() as cell:\n    answer = double('<b>bold</b>')\n\n"
    "[step for step in cell.steps if step.event == 'line']",
    "with step_bar() as bar, record(include=['peft'], progress=bar) as recording:\n"
    "    model = get_peft_model(base, config)\n"
    "    model(**batch, labels=batch.input_ids).loss.backward()\n"
    "recording",
    "cursor = recording.cursor()\n"
    "cursor.run_to(Breakpoint('PrefixEncoder.forward'))\n"
    "cursor.step_over()\ncursor.step_over()\n"
    "print(cursor.step.text)\ncursor.locals, cursor.changed",
]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_a_recording_unfolds_below_its_cell(lab, open_notebook, theme, width):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS], metadata=kernel)
    nbformat.write(notebook, lab.root / "recording.ipynb")
    page = open_notebook("recording.ipynb", theme=theme, width=width)
    run_all(page)
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.get_by_text("y = x + x | y = '<b>bold</b><b>bold</b>'").count() == 1  # a cell's own lines, as text
    assert page.locator(".jp-OutputArea b", has_text="Recording of").count() == 1
    unfolded = page.locator("details").filter(has_text="PeftModelForSeq2SeqLM.forward").first
    assert unfolded.count() == 1
    assert page.get_by_text("prefix_tokens = self.embedding(prefix)", exact=False).count() > 0
    assert page.get_by_text("Tensor (2, 20, 128) float32").count() > 0
    page.locator(".jp-OutputArea b", has_text="Recording of").scroll_into_view_if_needed()
    take_picture(page, f"recording-{theme}-{width}")
