"""The stepper, its mirror and the page around them say nothing that is not in the catalogue: see tests/locale."""

import pytest

from prefix_lab.widgets import Mirror
from tests.browser.steppers import View, end_of_prompt, page_from_disk, walk_of
from tests.browser.test_accessibility import busy
from tests.locale.conftest import brackets, folder  # noqa: F401  fixtures
from tests.locale.pseudo import names_of, untranslated
from tests.widgets.stepper.walks import walk

pytestmark = pytest.mark.usefixtures("brackets")
TYPED = ("Shift", "Home", "End", "Esc", "nothing")  # keys, and a watch of `busy`
SAID = """() => {
  const code = ".pl-text, .pl-value, .pl-name, .pl-file, .pl-ghost, .pl-fact, .pl-dtype, .pl-problem, bdi, kbd" +
    ", style, script";
  const found = [], heard = ["aria-label", "title", "placeholder", "alt", "aria-valuetext"];
  for (const one of document.querySelectorAll("body *")) {
    if (one.closest(code)) continue;
    for (const name of heard) found.push(one.getAttribute(name));
    for (const child of one.childNodes) if (child.nodeType === Node.TEXT_NODE) found.push(child.textContent);
  }
  return [...new Set(found.filter((text) => text?.trim()))];
}"""


def not_said(page, *recordings):
    """Every text of the page, and what a reader hears or sees on pointing, that has English words in it."""
    names = {name for one in recordings for name in names_of(one)}
    files = {
        part for one in recordings for file, *_ in one.columns.functions for part in file.replace(".", "/").split("/")
    }
    return [text for text in page.evaluate(SAID) if untranslated(text, *names, *files, *TYPED)]


def test_a_text_of_the_view_that_no_catalogue_has_is_found(browser, tmp_path):
    walk_of().to_html(tmp_path / "walk.html")
    with page_from_disk(browser, tmp_path / "walk.html") as (page, _):
        page.goto((tmp_path / "walk.html").as_uri())
        View(page).at(0).root.evaluate("(root) => { root.title = 'Never translated'; root.append('nor this'); }")
        assert not_said(page, walk_of()) == ["Never translated", "nor this"]


def test_a_stepper_says_nothing_that_is_not_in_the_catalogue(browser, tmp_path):
    recording = walk_of()
    recording.to_html(tmp_path / "walk.html")
    middle = end_of_prompt(recording)
    with page_from_disk(browser, tmp_path / "walk.html") as (page, _):
        page.goto(f"{(tmp_path / 'walk.html').as_uri()}#step={middle}")
        view = busy(View(page).at(middle))
        found = not_said(page, recording)
        for keys in ("G", "n", "m", "=", "g", "=", "x", "u", "C", "c", "]"):
            view.press(keys)
            found += not_said(page, recording)
        view.tab("calls").locator("li").first.wait_for()
        search = view.tab("search").get_by_role("searchbox")
        search.fill("prefix")
        search.press("Enter")
        view.root.locator(".pl-found li").first.wait_for()
        found += not_said(page, recording)
        view.press("?")
        page.get_by_role("dialog").wait_for()
        found += not_said(page, recording)
        page.get_by_role("dialog").get_by_role("button").last.click()
        for _ in range(4):
            found += not_said(page, recording)
            view.root.locator(".pl-tour-next").click()
        assert sorted(set(found)) == []


def test_a_mirror_says_nothing_that_is_not_in_the_catalogue(browser, tmp_path):
    recordings = walk("prefix_lab"), walk("peft")
    Mirror(*recordings).to_html(tmp_path / "mirror.html")
    with page_from_disk(browser, tmp_path / "mirror.html") as (page, _):
        page.goto((tmp_path / "mirror.html").as_uri())
        page.locator(".pl-compared li").first.wait_for()
        found = not_said(page, *recordings)
        for name in ("nextStage", "over", "out"):
            page.locator(f".pl-mirror > .pl-head [data-does={name}]").click()
            found += not_said(page, *recordings)
        assert sorted(set(found)) == []
