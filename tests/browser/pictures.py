"""The pictures that README shows, made anew from the real thing: `python -m tests.browser.pictures` (two minutes)."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from prefix_lab.debugger import Breakpoint
from tests.browser import chromium
from tests.browser.jupyterlab import FLAGS, jupyterlab, open_page, run_all
from tests.browser.steppers import View, page_from_disk, walk_of

DOCS = Path(__file__).parents[2] / "docs"
LESSON = "en/01_step_into_get_peft_model.ipynb"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        stepper(browser, Path(folder) / "walk.html")
        with jupyterlab(Path(folder)) as lab:
            lesson(open_page(lab, browser, LESSON))
        browser.close()


def stepper(browser, path) -> None:
    """PEFT's encoder at the line that makes the keys and values, in a page of its own."""
    cursor = walk_of().cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    while "past_key_values" not in cursor.step.changed:
        cursor.step_over()
    walk_of().to_html(path, title="PEFT's walk through prefix tuning")
    with page_from_disk(browser, path, viewport={"width": 1280, "height": 720}) as (page, _):
        page.goto(f"{path.as_uri()}#step={cursor.index}")
        View(page).at(cursor.index)
        page.screenshot(path=DOCS / "stepper.png")


def lesson(page) -> None:
    """The stage `encode` of lesson 1, in JupyterLab."""
    run_all(page)
    stage = page.locator(".prefix-lab-stage", has=page.locator("[aria-current]", has_text="encode")).first
    for _ in range(3):  # what lies above takes its place only when it comes into view
        stage.evaluate("(element) => element.scrollIntoView({ block: 'start' })")
        page.wait_for_timeout(500)
    page.screenshot(path=DOCS / "lesson.png")


if __name__ == "__main__":
    main()
