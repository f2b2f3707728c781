"""A lesson, and a recording made in a notebook's cells, as a learner meets them in JupyterLab."""

import pytest

from tests.browser.jupyterlab import change, notebook, run_all, take_both, take_picture

CELLS = [
    "from peft import PrefixTuningConfig, get_peft_model\n"
    "from prefix_lab.course import load_tiny_t5\n"
    "from prefix_lab.debugger import Breakpoint, record\n"
    "base, tokenizer = load_tiny_t5()\n"
    "batch = tokenizer(['garden', 'piano'], padding=True, return_tensors='pt')\n"
    "config = PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20, prefix_projection=True)",
    "def double(x):\n    y = x + x\n    return y\n\n"
    "with record() as cell:\n    answer = double('<b>bold</b>')\n\n"
    "[step for step in cell.steps if step.event == 'line']",
    "with record(include=['peft']) as recording:\n"
    "    model = get_peft_model(base, config)\n"
    "    model(**batch, labels=batch.input_ids).loss.backward()\n"
    "recording",
    "cursor = recording.cursor()\n"
    "cursor.run_to(Breakpoint('PrefixEncoder.forward'))\n"
    "cursor.step_over()\ncursor.step_over()\n"
    "print(cursor.step.text)\ncursor.locals, cursor.changed",
]


@pytest.mark.parametrize(
    ("lesson", "said", "seen"),
    [
        (
            "00_start_here",
            "we eat noodles in the old town.",
            ("See it work", "Where it stands", "And in a T5", "A stop"),
        ),
        ("01_step_into_get_peft_model", "trainable params: 15,360", ("Four lines", "Ours beside PEFT's")),
    ],
)
def test_the_first_lessons_run_top_to_bottom_in_jupyterlab(open_notebook, lesson, said, seen):
    page = open_notebook(f"en/{lesson}.ipynb")
    run_all(page)
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.get_by_text(said).count() > 0
    assert page.get_by_text("Several cells were run at once, so the lesson types here.").count() > 0
    for theme, width in (("light", 1280), ("dark", 1920)):
        change(page, theme, width)
        for heading in seen:
            page.get_by_role("heading", name=heading).scroll_into_view_if_needed()
            page.mouse.wheel(0, 500)
            take_picture(page, f"lesson-{lesson[:2]}-{heading.partition(' ')[0]}-{theme}-{width}")


def test_the_last_link_of_a_lesson_opens_the_next_one(open_notebook):
    page = open_notebook("en/00_start_here.ipynb")
    page.get_by_role("link", name="01 · Step into get_peft_model").click()
    page.locator(".lm-TabBar-tab.jp-mod-current", has_text="01_step_into_get_peft_model.ipynb").wait_for()


def test_a_recording_unfolds_below_its_cell(lab, window):
    with notebook(lab, window, "recording.ipynb", CELLS) as opened:
        page = opened.page
        assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
        assert page.get_by_text("y = x + x | y = '<b>bold</b><b>bold</b>'").count() == 1  # a cell's own lines, as text
        assert page.locator(".jp-OutputArea b", has_text="Recording of").count() == 1
        unfolded = page.locator("details").filter(has_text="PeftModelForSeq2SeqLM.forward").first
        assert unfolded.count() == 1
        assert page.get_by_text("prefix_tokens = self.embedding(prefix)", exact=False).count() > 0
        assert page.get_by_text("Tensor (2, 20, 128) float32").count() > 0
        page.locator(".jp-OutputArea b", has_text="Recording of").scroll_into_view_if_needed()
        take_both(page, "recording")
