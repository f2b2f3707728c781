"""As a reader does it, in both browsers, from the disk and from a server, with nothing from elsewhere."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

ENGLISH, CHINESE = "en", "zh"
START, BEFORE = "lessons/00_start_here.html", "lessons/07_from_one_vector_to_keys_and_values.html"
FUNCTION = "functions/peft_model.PeftModel.get_prompt.html"
DEAD = "No layer reads it", "没有哪一层读它"


def stepper(page: Page, name: str):
    """A stepper that has come alive."""
    page.locator(f"#{name}").scroll_into_view_if_needed()
    found = page.locator(f"#{name}.pl-alive .pl-root").first
    found.wait_for()
    return found


def step_of(root) -> int:
    return int(re.search(r"[\d,]+", root.locator(".pl-where").inner_text())[0].replace(",", ""))


def test_a_stepper_steps_and_a_copy_of_the_address_leads_to_the_same_line(page, address):
    page.goto(f"{address}/{ENGLISH}/{START}")
    root = stepper(page, "s1")
    before = step_of(root)
    root.focus()
    for _ in range(3):
        page.keyboard.press("s")
    expect(root.locator(".pl-where")).to_contain_text(f"Step {before + 3} of")
    link = page.url
    assert link.endswith(f"#at=s1&step={before + 3}")
    page.goto("about:blank")
    page.goto(link)
    expect(stepper(page, "s1").locator(".pl-where")).to_contain_text(f"Step {before + 3} of")


def test_two_recordings_side_by_side_move_together(page, address):
    page.goto(f"{address}/{CHINESE}/{BEFORE}")
    mirror = page.locator(".pl-alive .pl-mirror")
    page.locator(".pl-site[data-live*='pairs']").scroll_into_view_if_needed()
    mirror.wait_for()
    before = page.url
    mirror.locator(".pl-code").first.focus()
    page.keyboard.press("[")
    page.wait_for_function("before => location.href !== before", arg=before)
    assert re.search(r"#at=s\d+&ours=\d+&theirs=\d+$", page.url)
    link, said = page.url, mirror.locator("[role=status]").first.inner_text()
    page.goto("about:blank")
    page.goto(link)
    expect(mirror.locator("[role=status]").first).to_have_text(said)
    at = "Math.abs(document.querySelector(\".pl-site[data-live*='pairs']\").getBoundingClientRect().top)"
    page.wait_for_function(f"{at} < 100")


def test_a_question_is_answered_without_a_kernel(page, address):
    page.goto(f"{address}/{ENGLISH}/{START}")
    question = stepper(page, "s2").locator(".pl-question")
    question.locator("input").fill("(batch, prefix_len)")
    question.get_by_role("button", name="Check").click()
    expect(question.locator("[role=status]")).to_contain_text("you gave 2, it has 3")
    question.locator("input").fill("(batch, prefix_len, 2·layers·hidden)")
    question.get_by_role("button", name="Check").click()
    expect(question.locator("[role=status]")).to_contain_text("Right.")


def test_the_sliders_of_the_journey_move_its_numbers(page, address):
    page.goto(f"{address}/{ENGLISH}/lessons/08_how_gpt2_and_llama_read_it.html")
    flow = page.locator(".pl-site", has=page.locator(".pm-root"))
    page.locator(".pl-site[data-live*='ShapeFlow']").scroll_into_view_if_needed()
    flow.locator(".pm-root").wait_for()
    before = flow.inner_text()
    slider = flow.locator("input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.pm-root').parentElement.innerText !== before", arg=before
    )


@pytest.mark.parametrize(
    ("language", "asked", "found"),
    [
        (ENGLISH, "EncoderDecoderCache", "09 · How T5"),
        (CHINESE, "前缀微调", "从这里开始"),
        (CHINESE, "侦探故事", "09 · T5"),
    ],
)
def test_both_languages_are_searched(page, address, language, asked, found):
    page.goto(f"{address}/{language}/index.html")
    box = page.locator("input[name=q]").first
    box.fill(asked)
    box.press("Enter")
    expect(page.locator("#search-results")).to_contain_text(found)


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_the_front_page_walks_by_itself_until_a_key_takes_over(page, address, language):
    page.goto(f"{address}/{language}/index.html")
    root = stepper(page, "walk")
    caption, first = page.locator(".pl-player p"), step_of(root)
    said = caption.inner_text()
    page.wait_for_function("said => document.querySelector('.pl-player p').textContent !== said", arg=said)
    assert step_of(root) > first
    assert "#at=" not in page.url
    root.focus()
    at = step_of(root)
    page.keyboard.press("s")
    page.wait_for_url(re.compile(r"#at=walk&step=\d+$"))
    assert abs(step_of(root) - at) <= 40  # it may have gone on once more before the key
    expect(page.locator(".pl-play")).to_have_attribute("aria-pressed", "false")


def test_who_wants_less_motion_starts_the_walk_by_hand(browser, address):
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"{address}/{ENGLISH}/index.html")
    stepper(page, "walk")
    play = page.locator(".pl-play")
    expect(play).to_have_attribute("aria-pressed", "false")
    play.click()
    expect(play).to_have_attribute("aria-pressed", "true")
    page.close()


def test_the_other_language_has_the_same_page(page, address):
    page.goto(f"{address}/{ENGLISH}/{BEFORE}")
    page.locator(".pl-language").first.click()
    page.wait_for_url(f"**/{CHINESE}/{BEFORE}")
    page.locator(".pl-language").first.click()
    page.wait_for_url(f"**/{ENGLISH}/{BEFORE}")


def test_a_functions_page_leads_into_the_recording(page, address):
    page.goto(f"{address}/{ENGLISH}/{FUNCTION}")
    link = page.locator("a[href^='#at=gpt2']").nth(1)
    step = re.search(r"step=(\d+)", link.get_attribute("href"))[1]
    link.click()
    expect(stepper(page, "gpt2").locator(".pl-where")).to_contain_text(f"Step {int(step):,} of")


def reshape(page: Page, number: int):
    """A ReshapeView of the page that has come alive."""
    place = page.locator(".pl-site[data-live*='ReshapeView']").nth(number)
    place.scroll_into_view_if_needed()
    place.locator(".pr-root").wait_for()
    return place.locator(".pr-root")


def test_a_number_is_followed_to_the_layer_that_reads_it(page, address):
    page.goto(f"{address}/{ENGLISH}/{BEFORE}")
    view = reshape(page, 0)
    view.get_by_role("button", name="Next").click()
    expect(view.locator(".pr-path [aria-current=step]")).not_to_have_text(
        view.locator(".pr-path button").first.inner_text()
    )
    view.locator(".pr-cell").nth(3).click()
    expect(view.locator(".pr-chosen").first).to_be_visible()
    expect(view.locator(".pr-said")).to_contain_text("Layers: 0")


@pytest.mark.parametrize(("language", "dead"), [(ENGLISH, DEAD[0]), (CHINESE, DEAD[1])])
def test_a_new_reader_finds_the_dead_half_of_a_t5s_prefix(page, address, language, dead):
    page.goto(f"{address}/{language}/index.html")
    page.locator("article a[href='lessons/09_how_t5_reads_it.html']").click()
    view = reshape(page, 0)
    crossed = view.locator(".pr-cell:has(.pr-dead)")
    expect(crossed.first).to_be_visible()
    crossed.first.click()
    expect(view.locator(".pr-said")).to_contain_text(dead)


def test_a_server_has_the_site_under_any_path(page, served):
    page.goto(f"{served}/index.html")
    page.wait_for_url(f"{served}/en/index.html")
    stepper(page, "walk")
    page.locator(".pl-first").click()
    root = stepper(page, "s1")
    before = step_of(root)
    root.focus()
    page.keyboard.press("s")
    expect(root.locator(".pl-where")).to_contain_text(f"Step {before + 1} of")
    page.goto(f"{served}/{CHINESE}/search.html?q=前缀微调")
    expect(page.locator("#search-results")).to_contain_text("从这里开始")


def test_the_walk_is_the_still_picture_on_paper(browser, address):
    page = browser.new_page()
    page.goto(f"{address}/{ENGLISH}/{START}")
    stepper(page, "s1")
    page.emulate_media(media="print")
    assert page.locator("#s1 .pl-still").is_visible()
    assert not page.locator("#s1 .pl-root").is_visible()
    page.close()


@pytest.mark.parametrize("path", ["index.html", START, FUNCTION])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_window_and_axe_finds_nothing_serious(browser, address, path, width):
    page = browser.new_page(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page.goto(f"{address}/{ENGLISH}/{path}")
    page.locator(".pl-site").first.scroll_into_view_if_needed()
    page.locator(".pl-alive .pl-root").first.wait_for()
    page.wait_for_function("!document.querySelector('.pl-track:not([aria-valuenow])')")  # those below are coming
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]})
    page.close()
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:5]) for one in serious] == []
