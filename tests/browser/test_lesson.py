"""The first lesson, as a learner meets it in JupyterLab."""

import pytest

from tests.browser.conftest import run_all, take_picture

LESSON = "en/02_step_into_get_peft_model.ipynb"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_the_first_lesson_runs_top_to_bottom_in_jupyterlab(open_notebook, theme, width):
    page = open_notebook(LESSON, theme=theme, width=width)
    run_all(page)
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.get_by_text("(batch, prefix_len, 2·layers·hidden) = (2, 20, 768)").count() > 0
    for stage in ("choose", "encode", "split"):
        page.get_by_role("heading", name=f"· {stage}").scroll_into_view_if_needed()
        page.mouse.wheel(0, 500)
        take_picture(page, f"lesson-02-{stage}-{theme}-{width}")
