"""The page that `recording.to_html` writes, opened from the disk with the network off."""

import re

import pytest

from prefix_lab.debugger import Breakpoint
from tests.browser.jupyterlab import take_picture
from tests.browser.steppers import View, hostile_recording, moves_of, page_from_disk, type_into, walk_of

KEYS = {"in": "s", "inBack": "S", "over": "n", "overBack": "N", "out": "o", "outBack": "O"}


@pytest.fixture(scope="module")
def walk():
    return walk_of()


@pytest.fixture(scope="module")
def file(walk, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "walk #1.html"
    walk.to_html(path, title="The walk")
    return path


@pytest.fixture(scope="module")
def opened(either, file):
    with page_from_disk(either, file) as (page, wrong):
        page.goto(file.as_uri())
        View(page).at(0)
        yield page, wrong


@pytest.fixture
def view(opened):
    """The page, at its first step, with nothing set; what it complained of fails the test."""
    page, wrong = opened
    page.evaluate("localStorage.clear()")
    page.reload()
    page.goto(page.url.split("#")[0] + "#step=0")
    yield View(page).at(0)
    assert wrong == []


def test_the_page_of_the_walk_is_small(file):
    assert file.stat().st_size < 410_000


def test_every_key_moves_as_pythons_cursor_does(view, walk):
    for start in (0, len(walk) // 3, len(walk) // 2, len(walk) - 1):
        for does, there in moves_of(walk, start).items():
            view.page.evaluate(f"location.hash = 'step={start}'")
            view.at(start).press(KEYS[does])
            view.at(there)
            assert view.line() == walk.steps[there].line, (start, does)
    view.press("g")
    view.at(0).press("G")
    view.at(len(walk) - 1).press("u")
    view.at(0)


def test_it_runs_to_a_breakpoint_with_a_condition_and_back(view, walk):
    stop = Breakpoint("PrefixEncoder.forward")
    cursor = walk.cursor()
    cursor.run_to(stop)
    view.page.evaluate(f"location.hash = 'step={cursor.index + 1}'")
    view.at(cursor.index + 1).press("b", "g")
    view.at(0).press("c")
    view.at(cursor.index + 1)
    view.press("G")
    view.at(len(walk) - 1).press("C")
    view.at(cursor.index + 1)
    condition = view.root.locator(".pl-condition")
    type_into(condition, "prefix.shape[1] == 99")
    view.press("g")
    view.at(0).press("c")
    view.says("No breakpoint is reached in this direction.")
    type_into(condition, "prefix.shape[1] ==")
    view.root.locator(".pl-problem", has_text="missing").wait_for()
    type_into(condition, "prefix.shape[1] == 20")
    view.press("c")
    view.at(cursor.index + 1)


def stand(view, step):
    view.page.evaluate(f"location.hash = 'step={step}'")
    return view.at(step)


def test_a_breakpoint_at_a_def_stops_at_the_call_and_one_that_never_can_is_hollow(view, walk):
    call = next(step for step in walk.steps if step.event == "call" and step.function == "PrefixEncoder.forward")
    stand(view, call.index + 1).scroll_to(call.line).click()
    view.root.locator(f".pl-stop[data-line='{call.line}']").wait_for()
    view.press("g")
    view.at(0).press("c")
    view.at(call.index).press("G")
    view.at(len(walk) - 1).press("C")
    stand(view, call.index + 1)
    never = (
        next(line for line in range(call.line, call.line + 9) if walk.line_text(call.file, line).strip() == "else:") + 1
    )
    view.scroll_to(never).click()
    view.says(f"Line {never} never ran in this recording")
    assert view.root.locator(f".pl-stop[data-line='{never}'] .pl-mark").inner_text() == "○"
    view.root.locator(".pl-breakpoints li", has_text="never ran").wait_for()
    view.scroll_to(never).click()
    view.root.locator(f".pl-stop[data-line='{never}']").wait_for(state="detached")
    assert view.root.locator(".pl-news").inner_text() == ""  # what was said is no longer so


def test_it_stops_where_a_names_value_changes_at_a_stage_and_says_what_log_points_say(view, walk):
    forward = "PrefixEncoder.forward"
    call = next(step.index for step in walk.steps if step.event == "call" and step.function == forward)
    bound = next(step.index for step in walk.find(name="prefix_tokens", function=forward))
    stand(view, bound + 1)
    view.root.locator("[data-name='prefix_tokens']").hover()
    view.root.get_by_role("button", name="Stop when its value changes: prefix_tokens").click()
    view.says("▶▶ runs to where prefix_tokens changes")
    view.press("g")
    view.at(0).press("c")
    view.at(bound).says("Stopped at prefix_tokens changes in PrefixEncoder.forward.")
    view.press("R")
    view.at(call).press("r")
    view.press("C")
    view.at(bound)
    view.press("B")
    view.page.keyboard.type("nowhere")
    view.page.keyboard.press("Enter")
    problem = view.root.locator(".pl-pane-breakpoints > .pl-problem")
    problem.get_by_text("No function or stage of this recording is called nowhere.").wait_for()
    for typed, often in (("encode", "1×"), ("raises ZeroDivisionError", "0×"), ("forward if self is None", "")):
        type_into(view.root.locator(".pl-pane-breakpoints > form input"), typed)
        view.root.locator(".pl-breakpoints li", has_text=typed.split()[0]).get_by_text(often).first.wait_for()
    view.press("g")
    view.at(0).press("c")
    view.at(call).says("Stopped at encode.")
    type_into(view.root.locator(".pl-pane-breakpoints > form input"), f"{forward} hit 1 log prefix {{prefix.shape}}")
    said = view.root.locator(".pl-said button")
    said.get_by_text("prefix (2, 20)").wait_for()
    view.press("g")
    view.at(0).press("L")
    view.page.keyboard.press("Enter")
    view.at(call)
    view.root.locator(".pl-said [aria-current]").wait_for()
    view.press("D")
    view.says("No breakpoint is set now.")
    assert (said.count(), view.root.locator("[aria-pressed='true']").count()) == (0, 0)


def test_keys_are_for_the_name_that_has_the_focus_and_ask_where_none_has(view, walk):
    bound = next(step.index for step in walk.find(name="prefix_tokens", function="PrefixEncoder.forward"))
    stand(view, bound + 1).press("w")
    box = view.root.locator(".pl-pane-breakpoints > form input")
    assert box.input_value() == "prefix_tokens changes"
    view.page.keyboard.type("prefix")
    view.page.keyboard.press("Enter")
    view.root.locator(".pl-breakpoints li", has_text="prefix changes in PrefixEncoder.forward").wait_for()
    name = view.root.locator("[data-name='prefix'] .pl-name")
    name.focus()
    view.page.keyboard.press("w")
    view.root.locator(".pl-breakpoints li", has_text="prefix changes").wait_for(state="detached")
    view.press("h")
    view.root.locator(".pl-history h4", has_text="prefix_tokens").wait_for()
    view.press("i")
    view.root.locator("[data-tab='calls'][aria-selected='true']").wait_for()


def test_a_condition_or_watch_on_what_was_not_recorded_says_what_was(view, walk):
    call = next(step for step in walk.steps if step.event == "call" and step.function == "PrefixEncoder.forward")
    stand(view, call.index + 1).press("b")
    box = view.root.locator(".pl-condition")
    assert box.bounding_box()["y"] + 10 < view.root.locator(".pl-side").evaluate(
        "one => one.getBoundingClientRect().bottom"
    )
    for typed, said in {
        "nonsense == 3": "nonsense was not recorded here. Known: self, prefix.",
        "self.layer_idx == 2": "layer_idx was not recorded here. Known: ",
        "prefx is None": "prefx was not recorded here. Known: prefix, self.",
    }.items():
        type_into(box, typed)
        view.root.locator(".pl-breakpoints .pl-problem", has_text=said).wait_for()
        assert box.evaluate("one => one === document.activeElement")
    view.press("c")
    view.says("No breakpoint is reached in this direction. prefx was not recorded here.")
    type_into(box, "prefix.shape[0] == 2")
    view.root.locator(".pl-gutter[title='prefix.shape[0] == 2']").wait_for()
    assert view.root.locator(".pl-breakpoints .pl-problem").inner_text() == ""
    watch = view.root.get_by_label("Watches").get_by_role("textbox")
    type_into(watch, "prefx")
    view.root.locator(".pl-watches", has_text="Known: prefix, self.").wait_for()


def test_a_search_follows_the_typing_and_goes_with_its_text(view):
    view.press("/")
    box = view.root.get_by_role("searchbox")
    box.press_sequentially("get_prom")
    view.root.locator(".pl-found li button", has_text="get_prompt").first.wait_for()
    box.press_sequentially("xyz")
    view.root.locator(".pl-found", has_text="Nothing was found.").wait_for()
    box.fill("")
    assert view.root.locator(".pl-found li").count() == 0


def test_steps_go_past_comprehensions_and_past_what_the_reader_names(view, walk):
    inside = next(step.index for step in walk.steps if step.function.endswith("<genexpr>"))
    cursor = walk.cursor(inside - 1)
    cursor.step_over()
    stand(view, inside - 1).press("s")
    view.at(cursor.index).press("S")
    view.at(inside - 1).root.get_by_role("button", name="Remove: <genexpr>").click()
    view.press("s")
    view.at(inside).press("x")
    view.says(f"Steps go past {walk.steps[inside].function} from now on.")
    stand(view, inside - 1).press("s")
    view.at(cursor.index)
    box = view.root.get_by_label("Stepped past").get_by_role("textbox")
    type_into(box, "nowhere")
    view.root.locator(".pl-pane-skipping", has_text="is called nowhere.").wait_for()
    type_into(box, "transformers/")
    view.root.get_by_role("button", name="Remove: transformers/").wait_for()


def test_what_has_changed_since_a_mark_is_listed(view, walk):
    call = next(step for step in walk.steps if step.event == "call" and step.function == "PrefixEncoder.forward")
    view.press("=")
    view.says("No step is marked")
    stand(view, call.index + 1).press("m")
    view.says(f"Step {call.index + 1:,} is marked")
    view.press("n", "n", "n")
    there = view.at(call.index + 4).step
    view.press("=")
    rows = view.root.locator(".pl-history li")
    view.root.locator(".pl-history h4", has_text=f"step {call.index + 1:,} and step {there:,}").wait_for()
    names = [text.split()[0] for text in rows.all_inner_texts()]
    assert names == ["In", *(one.name for one in walk.changed(call.index + 1, there))]


def test_the_bands_of_the_stages_are_walked_by_keys_and_the_current_one_is_marked(view, walk):
    view.press("]", "]")
    view.root.locator(".pl-band[aria-current='step']", has_text="prepare").wait_for()
    bands = view.root.get_by_role("toolbar", name="Stages of the walk")
    assert bands.locator("[tabindex='0']").count() == 1
    bands.locator("[tabindex='0']").focus()
    view.page.keyboard.press("ArrowRight")
    band = bands.locator("[tabindex='0']")
    first = int(band.get_attribute("data-first"))
    view.page.keyboard.press("Enter")
    view.at(first)
    view.root.locator(f".pl-band[aria-current='step'][data-first='{first}']").wait_for()


def test_a_move_that_leads_nowhere_says_why(view, walk):
    view.press("S")
    view.says("This is the first step.")
    step = next(step.index for step in walk.steps if step.index > 1000 and step.depth == 0)
    stand(view, step).press("O")
    view.says("No recorded step is outside this call on that side.")
    view.press("u")
    view.says("No jump to undo.")


def test_history_maker_watches_search_and_calls_work_with_no_kernel(view, walk):
    cursor = walk.cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    while "past_key_values" not in cursor.locals:
        cursor.step_over()
    view.page.evaluate(f"location.hash = 'step={cursor.index}'")
    view.at(cursor.index).variable("past_key_values").locator(".pl-name").click()
    steps = [step.index for step, _ in cursor.history("past_key_values")]
    rows = view.root.locator(".pl-history ol button")
    rows.first.wait_for()  # the pieces of the page are unpacked first
    assert rows.all_inner_texts() == [f"Step {step:,}" for step in steps]
    rows.first.click()
    view.at(steps[0]).press("u")
    view.at(cursor.index).tab("variables")
    view.variable("prefix_tokens").hover()
    view.variable("prefix_tokens").locator(".pl-maker").click()
    number = cursor.locals["prefix_tokens"].number
    made = next(step.index for step in walk.steps if any(one.number == number for one in step.changed.values()))
    view.at(made).press("u")
    watch = view.at(cursor.index).root.get_by_label("Watches").get_by_role("textbox")
    watch.fill("past_key_values.shape[1] * 2")
    watch.press("Enter")
    view.root.locator(".pl-watches", has_text="40").wait_for()
    view.press("/")
    view.root.get_by_role("searchbox").fill("get_prompt")
    view.root.get_by_role("searchbox").press("Enter")
    take_picture(view.page, "page-search")
    view.root.locator(".pl-found-function button").first.click()
    view.root.locator(".pl-where", has_text="get_prompt").wait_for()
    calls = view.tab("calls")
    calls.locator(".pl-opener").first.focus()
    view.page.keyboard.press("Enter")
    calls.locator("button[title]", has_text="get_peft_model").first.click()
    view.root.locator(".pl-where", has_text="get_peft_model:").wait_for()
    assert walk.steps[view.step].event == "call"


def test_the_address_keeps_the_step_and_leads_to_it(view, opened):
    page, _ = opened
    view.press("n", "n", "n")
    page.wait_for_function("location.hash !== '#step=0'")
    kept = view.step
    assert page.url.endswith(f"#step={kept}")
    page.reload()
    assert view.at(kept).step == kept
    page.evaluate("location.hash = 'step=120'")
    view.at(120)
    for nonsense in ("step=abc", "step=-5", "step=999999999", "step=1.5", "step=120&x=<b>"):
        page.evaluate("(hash) => (location.hash = hash)", nonsense)
        page.wait_for_timeout(50)
        view.root.locator(".pl-current").wait_for()
        assert view.root.locator(".pl-current").count() == 1, nonsense
    page.goto(page.url.split("#")[0] + "#step=999999999")
    page.reload()
    view.root.locator(".pl-current").wait_for()


def test_paper_gets_the_source_and_the_variables_without_buttons(browser, file):
    with page_from_disk(browser, file) as (page, wrong):
        page.goto(file.as_uri() + "#step=120")
        view = View(page).at(120)
        page.emulate_media(media="print")
        assert not view.root.locator(".pl-toolbar").is_visible()
        assert view.root.locator(".pl-current").is_visible()
        assert view.root.locator(".pl-variables").is_visible()
        sheets = page.pdf()
        assert sheets.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", sheets)) <= 3
        take_picture(page, "page-print")
        assert wrong == []


def test_nothing_moves_by_itself_where_motion_is_unwelcome(browser, file):
    with page_from_disk(browser, file, reduced_motion="reduce") as (page, _):
        page.goto(file.as_uri())
        View(page).at(0)
        durations = "getComputedStyle(document.querySelector('.pl-cursor')).transitionDuration"
        assert page.evaluate(durations) == "0s"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1920), ("light", 700)])
def test_it_fits_the_window_in_both_schemes(browser, file, scheme, width):
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with page_from_disk(browser, file, **look) as (page, wrong):
        page.goto(file.as_uri() + "#step=120")
        View(page).at(120)
        fits = (
            "[document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollHeight <= innerHeight]"
        )
        assert page.evaluate(fits) == [True, True]
        take_picture(page, f"page-{scheme}-{width}")
        assert wrong == []


def test_its_labels_are_chinese_when_asked(browser, walk, tmp_path, monkeypatch):
    path = tmp_path / "走.html"
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    walk.to_html(path, title="前缀微调")
    with page_from_disk(browser, path) as (page, wrong):
        page.goto(path.as_uri() + "#step=120")
        view = View(page).at(120)
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert view.root.get_by_role("button", name="单步进入：紧接着的一步，会进入调用", exact=True).count() == 1
        seen = view.root.locator(".pl-toolbar, h3, .pl-tabs").all_inner_texts()
        english = re.findall(
            r"\b(?:over|out|stage|undo|Variables|Watches|Breakpoints|Search|History)\b", " ".join(seen)
        )
        assert english == []
        take_picture(page, "page-zh")
        assert wrong == []


def test_hostile_values_are_text_and_nothing_runs(browser, tmp_path):
    recording = hostile_recording(tmp_path)
    path = tmp_path / "hostile.html"
    recording.to_html(path, title="</title><script>window.pwned=20</script>")
    with page_from_disk(browser, path) as (page, wrong):
        page.goto(path.as_uri())
        view = View(page).at(0)
        explore(view, recording)
        assert page.evaluate("window.pwned") is None
        assert page.locator("#stepper img, #stepper script, #stepper style").count() == 0
        assert page.title() == "</title><script>window.pwned=20</script>"
        take_picture(page, "page-hostile")
        assert wrong == []


def explore(view, recording):
    """Visit every step, and open whatever opens at the last one."""
    for step in range(len(recording)):
        view.page.evaluate(f"location.hash = 'step={step}'")
        view.at(step)
    bounds = view.root.bounding_box()
    for tab in ("calls", "search", "history", "variables"):
        view.tab(tab)
    for name in ("keys", "__proto__", "values"):
        view.root.get_by_role("button", name=f"Show what is inside: {name}", exact=True).click()
    view.root.locator(".pl-inside").nth(2).wait_for()
    for name in ("constructor", "hasOwnProperty", "__proto__"):
        view.variable(name).locator(".pl-name").first.click()
        view.root.locator(".pl-history li button").first.wait_for()
        view.tab("variables")
    watch = view.root.get_by_label("Watches").get_by_role("textbox")
    for text in ("__proto__", "constructor", "toString", "keys['__proto__']", "'<img src=x onerror=window.pwned=30>'"):
        watch.fill(text)
        watch.press("Enter")
    view.root.locator(".pl-watches li").nth(4).wait_for()
    view.root.locator(".pl-watched", has_text="not known here").first.wait_for()  # each is worked out in its turn
    view.page.wait_for_function("![...document.querySelectorAll('.pl-watched')].some(one => one.textContent === '…')")
    said = view.root.locator(".pl-watched").all_inner_texts()
    assert said[1:3] == ["1", "not known here"]
    search = view.tab("search").get_by_role("searchbox")
    search.fill("pwned")
    search.press("Enter")
    view.root.locator(".pl-found-value").first.wait_for()
    view.tab("calls").locator(".pl-opener").first.click()
    view.root.locator(".pl-calls button[title]", has_text="ünïcode_名前").wait_for()
    view.tab("variables")
    assert view.root.bounding_box() == bounds


def test_a_handler_that_got_into_the_page_would_not_run(browser, file, tmp_path):
    path = tmp_path / "injected.html"
    text = file.read_text(encoding="utf-8")
    extra = "<img src=x onerror='window.pwned=1'><script>window.pwned=2</script>"
    extra += "<a id=a href='javascript:window.pwned=3'>a</a>"
    path.write_text(text.replace('<main id="stepper">', extra + '<main id="stepper">'), encoding="utf-8")
    with page_from_disk(browser, path) as (page, wrong):
        page.goto(path.as_uri())
        View(page).at(0)
        page.locator("#a").click()
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.pwned=4\" id=b>b</b>')")
        page.locator("#b").click()
        page.wait_for_timeout(50)
        assert page.evaluate("window.pwned") is None
        assert any("Content Security Policy" in said for said in wrong)
