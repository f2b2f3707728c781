"""Every lesson, opened and run in a real JupyterLab as its reader would: `make course` prints how long each took.

The pictures are in build/pictures. Its time is why it is no part of `make test`, which runs the lessons in a kernel.
"""

import time

import pytest

from notebooks.build import lessons
from tests.browser.jupyterlab import run_all, take_picture


@pytest.mark.parametrize("lesson", lessons(), ids=lambda path: path.stem)
def test_a_lesson_runs_by_the_menu_and_shows_its_widgets(open_notebook, lesson):
    page = open_notebook(f"en/{lesson.stem}.ipynb")
    start = time.monotonic()
    run_all(page)
    took = time.monotonic() - start
    print(f"{lesson.stem}: {took:.1f} s")
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.get_by_text("Loading widget...").count() == 0
    take_picture(page, f"course-{lesson.stem}")
