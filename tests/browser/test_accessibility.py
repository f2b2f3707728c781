"""What assistive technology finds in the stepper: axe's rules, names of controls, and the order of the Tab key."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.jupyterlab import change, notebook
from tests.browser.steppers import View, end_of_prompt, page_from_disk, views, walk_of

OPENING = (
    "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Mirror, Stepper, predict\n"
    "recording = Recording.load('access.recording')"
)
# The panes with source and state stand in this order on the screen, too.
ORDER = ["pl-toolbar", "pl-code", "pl-split", "pl-tabs", "pl-panel", "pl-track"]


def serious(page, selector):
    """What axe finds below an element that hinders people: the rule and where."""
    # axe's own text, since its rules would stop a page's policy from letting a script element in.
    found = Axe().run(page, context=selector, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (one["id"], [(node["target"], node.get("failureSummary")) for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def busy(view):
    """Open what a reader may have open: a breakpoint with a wrong condition, watches, parts."""
    view.press("b")
    view.root.locator(".pl-condition").fill("1 +")
    watch = view.root.locator(".pl-pane-watches input")
    for text in ("batch_size * 2", "nothing"):
        watch.fill(text)
        watch.press("Enter")
    view.root.locator(".pl-watches li").nth(1).wait_for()
    for opener in view.root.locator(".pl-opener").all()[:3]:
        opener.click()
    return view


def middle():
    return end_of_prompt(walk_of())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    for language in ("en", "zh"):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PREFIX_LAB_LANGUAGE", language)
            walk_of().to_html(folder / f"{language}.html", title="The walk")
    return folder


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_axe_finds_nothing_serious_in_the_page(browser, files, language, scheme):
    path = files / f"{language}.html"
    with page_from_disk(browser, path, color_scheme=scheme) as (page, _):
        page.goto(f"{path.as_uri()}#step={middle()}")
        view = busy(View(page).at(middle()))
        assert serious(page, "html") == []
        view.variable("past_key_values").locator(".pl-name").first.click()
        view.root.locator(".pl-history li").first.wait_for()
        assert serious(page, ".pl-root") == []
        search = view.tab("search").get_by_role("searchbox")
        search.fill("prefix")
        search.press("Enter")
        view.root.locator(".pl-found li").first.wait_for()
        assert serious(page, ".pl-root") == []
        view.tab("calls").locator(".pl-opener").first.click()
        view.root.locator(".pl-calls ul ul li").first.wait_for()
        assert serious(page, ".pl-root") == []
        view.press("?")
        page.get_by_role("dialog").wait_for()
        assert serious(page, "dialog") == []


def test_tab_goes_from_the_buttons_to_the_source_the_panes_and_the_timeline(browser, files):
    path = files / "en.html"
    with page_from_disk(browser, path) as (page, _):
        page.goto(path.as_uri())
        view = View(page).at(0)
        view.root.locator(".pl-toolbar button").first.focus()
        met = []
        for _ in range(60):
            found = page.evaluate(
                "(all) => all.find((one) => document.activeElement?.closest('.' + one)) ?? ''", ["pl-bands", *ORDER]
            )
            if found and found not in met:
                met.append(found)
            page.keyboard.press("Tab")
        assert [one for one in met if one in ORDER] == ORDER


def test_every_control_has_a_name_and_moves_are_announced(browser, files):
    path = files / "en.html"
    with page_from_disk(browser, path) as (page, _):
        page.goto(f"{path.as_uri()}#step={middle()}")
        view = busy(View(page).at(middle()))
        controls = view.root.locator("button:visible, input, [role=slider], [role=separator]").all()
        nameless = "(one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.title)"
        assert [one.evaluate("(one) => one.outerHTML") for one in controls if one.evaluate(nameless)] == []
        assert view.track.get_attribute("aria-valuetext") == f"Step {middle():,} of {len(walk_of()):,}"
        assert view.root.locator("[aria-current=step][class*=pl-line]").count() == 1
        assert view.root.locator("[aria-live=polite]").count() >= 1


def test_axe_finds_nothing_serious_in_jupyterlab(lab, window):
    walk_of().save(lab.root / "access.recording")
    cells = [
        OPENING,
        "stepper = Stepper(recording)\nstepper",
        "Mirror(recording, recording)",
        "predict(recording, 'encode', 'past_key_values')",
    ]
    with notebook(lab, window, "access.ipynb", cells) as opened:
        page = opened.page
        page.locator(".pl-root .pl-current").nth(3).wait_for(state="attached")
        opened.python(f"stepper.step = {middle()}")
        busy(views(opened)[0].at(middle()))
        for theme in ("light", "dark"):
            change(page, theme, 1280)
            for kind in (".jp-Cell:nth-child(2) .pl-root", ".pl-mirror", ".jp-Cell:last-child .pl-root"):
                if page.locator(kind).count():
                    page.locator(kind).first.scroll_into_view_if_needed()
                    assert serious(page, kind) == [], (theme, kind)
