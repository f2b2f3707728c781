"""A stage's two sources on a page without a script: what is marked is in view, at any width and in both schemes."""

import pytest

from prefix_lab.course import show_stage
from tests.browser.jupyterlab import take_picture
from tests.browser.test_accessibility import serious

HIDDEN = """all => all.filter(one => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1)
    .map(one => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize(
    ("width", "scheme", "columns"), [(390, "light", 1), (900, "dark", 1), (1280, "light", 1), (1920, "dark", 2)]
)
def test_marked_lines_are_in_view_and_nothing_scrolls_inside(browser, tmp_path, width, scheme, columns):
    html = show_stage("attend", mark=("get_prompt(", "prefix_attention_mask = torch"))._repr_html_()
    path = tmp_path / "stage.html"
    path.write_text(f'<!doctype html><html lang="en"><title>attend</title><main style="margin: 0 40px">{html}</main>')
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(path.as_uri())
    for pane in page.locator("figure").all():
        assert pane.locator("mark").first.bounding_box()["y"] < pane.bounding_box()["y"] + 300
    assert page.locator(".prefix-lab-stage, .prefix-lab-stage *:not(span)").evaluate_all(HIDDEN) == []
    assert len({box.bounding_box()["x"] for box in page.locator("figure").all()}) == columns
    fold = page.locator("details").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.locator("pre").is_visible()
    assert serious(page, "main") == []
    take_picture(page, f"stage-{scheme}-{width}")
    page.close()
