"""The widgets as a learner meets them in JupyterLab: controls are moved, and every number and picture follows."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from prefix_lab.widgets import ParameterBars, ReshapeView, ShapeFlow, TensorView
from tests.browser.jupyterlab import notebook, open_page, take_both, take_picture
from tests.browser.test_accessibility import serious

CELLS = [
    "from prefix_lab.widgets import ParameterBars, ReshapeView, ShapeFlow, TensorView\nShapeFlow()",
    "ParameterBars()",
    "from peft import PrefixTuningConfig, get_peft_model\n"
    "from prefix_lab.course import load_tiny_t5\n"
    "config = PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20)\n"
    "ParameterBars(get_peft_model(load_tiny_t5()[0], config))",
    "ReshapeView()",
    "view = ReshapeView('T5', sizes={'layers': 4, 'batch': 1, 'prefix_len': 2})\nview.change(step=5)\nview",
    "own = ReshapeView(24, 'view(2, 3, 4).permute(2, 0, 1).split(2)')\nown.change(step=2)\nown",
    "import torch\n"
    "key = torch.randn(4, 4, 20, 32, generator=torch.Generator().manual_seed(0))\n"
    "key[0, 0, 3, 5:9] = float('nan')\nkey[0, 0, 7, 20] = float('inf')\nkey[0, 0, 8, 21] = -float('inf')\n"
    "TensorView(key, 'batch heads prefix_len head_dim')",
    "TensorView(torch.linspace(-1, 1, 1_200_000).view(1200, 1000), '<b>rows</b> hidden')",
]


@pytest.fixture(scope="module")
def opened(lab, either):
    with notebook(lab, either, "widgets.ipynb", CELLS, height=1300) as opened:
        yield opened.page


@pytest.fixture
def cell(opened):
    """A cell by its number, brought into view; it has its picture."""

    def brought(number):
        found = opened.locator(".jp-Notebook .jp-Cell").nth(number)
        found.locator(".jp-OutputArea").first.scroll_into_view_if_needed()
        return found

    return brought


def picture(cell):
    return cell.locator(".jp-OutputArea svg[role='img']").first


def slider(cell, name):
    """The handle that takes the keyboard, beside the box with this name."""
    return cell.get_by_role("slider", name=re.compile(f"^{name}, as a slider"))


def write(place, name, number):
    """Type a number into the box with this name, as a reader would."""
    box = place.get_by_label(name, exact=True)
    box.select_text()
    box.press_sequentially(str(number))
    box.press("Enter")


def boxed_slider(cell, name):
    """The same where ipywidgets draws it."""
    return cell.locator(".widget-hbox", has=cell.page.get_by_label(name, exact=True)).get_by_role("slider")


@pytest.mark.parametrize(
    ("picture_of", "name", "words"),
    [
        (lambda: ParameterBars().children[1].value, "What trains, beside the 222,903,552", "LoRA, r=8 on q, v"),
        (
            lambda: TensorView(np.eye(2), "batch hidden").drawing.picture,
            "Heat map of a tensor (batch, hidden)",
            "max 1",
        ),
    ],
)
def test_a_screen_reader_hears_the_name_of_each_picture_and_its_text(browser, picture_of, name, words):
    page = browser.new_page()
    page.set_content(picture_of())
    heard = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    told = next(one for one in heard if one["role"]["value"] == "image")
    page.close()
    assert told["name"]["value"].startswith(name)
    assert words in told["description"]["value"]


def test_shape_flow_follows_its_controls(opened, cell):
    flow = cell(0)
    table = flow.locator("table").first
    expect(picture(flow)).to_contain_text("18432")
    take_both(opened, "flow")
    slider(flow, "prefix_len").press("ArrowRight")  # by keyboard alone
    expect(table).to_contain_text("387,072")
    write(flow, "prefix_len", 400)
    expect(table).to_contain_text("7,372,800")  # twice as far as the slider went
    assert slider(flow, "prefix_len").bounding_box()["width"] > 0
    sizes = "all => all.map(one => one.getBoundingClientRect().height)"
    assert min(picture(flow).locator("text").evaluate_all(sizes)) > 12
    tracks = flow.get_by_role("slider").evaluate_all("all => all.map(one => one.clientWidth)")
    assert min(tracks) > 150
    flow.get_by_label("projection", exact=True).check()
    flow.get_by_label("model", exact=True).select_option("t5-3b")
    expect(table).to_contain_text("823,")
    assert flow.get_by_text("token_dim=4096").first.is_visible()
    take_picture(opened, "flow-t5-3b")
    flow.get_by_label("model", exact=True).select_option("llama-3-8b")
    expect(picture(flow)).to_contain_text("kv_heads")
    flow.get_by_label("dtype", exact=True).select_option("bfloat16")
    expect(picture(flow)).to_contain_text("to(bfloat16)")
    slider(flow, "layers").press("ArrowLeft")
    expect(table).to_contain_text("choose a real model")
    assert flow.get_by_label("model", exact=True).input_value() == "own sizes, one stack of layers"


def test_parameter_bars_follow_their_controls_and_count_a_module(opened, cell):
    expect(picture(cell(2))).to_contain_text("prefix (prompt_encoder.default)")
    bars = cell(1)
    expect(picture(bars)).to_contain_text("884,736 · 0.3953 %")
    take_both(opened, "bars")
    bars.get_by_label("model", exact=True).select_option("llama-3-8b")
    expect(picture(bars)).to_contain_text("q_proj, v_proj")
    boxed_slider(bars, "r of LoRA").press("ArrowRight")
    expect(picture(bars)).to_contain_text("r=9")


def test_reshape_view_is_walked_and_a_number_followed_with_pointer_and_keys(opened, cell):
    view = cell(3)
    said, live = view.locator(".pr-step"), view.get_by_role("status")
    expect(said).to_contain_text("Step 0 of 5: the start")
    for _ in range(3):
        view.get_by_role("button", name="Next").click()
    expect(said).to_contain_text("Step 3 of 5: permute(")
    flying = "all => all.filter(one => getComputedStyle(one).animationName === 'pr-fly').length"
    assert view.locator(".pr-fly").evaluate_all(flying) == 96
    take_picture(opened, "reshape-permute")
    view.locator("[data-step='3'][data-place='50']").click()
    expect(live).to_contain_text("Number 24 stands in the table: row 1, which is virtual token 1, and column 8.")
    expect(live).to_contain_text("It is read as a key. Layers: 1; head 0, virtual token 1, channel 0.")
    expect(view.locator(".pr-path li").last).to_contain_text("key of layer 1, batch 0, heads 0, prefix_len 1")
    picture = view.get_by_role("group", name="Click a number")
    picture.press("ArrowRight")
    expect(live).to_contain_text("Number 25 stands in the table")
    picture.press("n")
    expect(said).to_contain_text("Step 4 of 5: split(2)")
    expect(view.locator(".pr-line")).to_have_count(1)
    take_both(opened, "reshape-followed")
    view.get_by_label("whole row of the table").check()
    expect(live).to_contain_text("Row 1 of the table is virtual token 1: 16 numbers.")
    write(view, "layer", 0)
    expect(live).to_contain_text("Layers: 0; head 0")
    opened.keyboard.press("Escape")
    view.get_by_label("What if it were view, not permute?").check()
    view.get_by_text("╱ stands where it should not").wait_for()
    take_both(opened, "reshape-mistake")
    assert view.locator("desc").first.text_content().startswith("Step 4 of 5")


def test_the_dead_half_of_an_encoder_decoder_is_crossed_and_says_that_it_goes_nowhere(opened, cell):
    view = cell(4)
    expect(view.locator(".pr-step")).to_contain_text("Step 5 of 6: split(4)")
    assert view.locator(".pr-dead").count() == 128
    view.locator("[data-step='5']:has(.pr-dead)").first.click()
    expect(view.get_by_role("status")).to_contain_text("It has nowhere to go")
    expect(view.locator(".pr-path li").last).to_contain_text("✗ nowhere")
    take_both(opened, "reshape-t5")
    view.get_by_text("Other sizes").click()
    write(view, "layers", 3)
    expect(view.locator(".pr-dead")).to_have_count(0)
    view.get_by_label("projection", exact=True).check()
    expect(view.locator(".pr-path li")).to_have_count(9)


def test_reshape_view_shows_a_learners_own_steps(opened, cell):
    expect(cell(5).locator(".pr-step")).to_contain_text("Step 2 of 3: permute(2, 0, 1)")
    cell(5).locator("[data-step='2'][data-place='3']").click()
    expect(cell(5).get_by_role("status")).to_contain_text("Number 12 of the first tensor ends here: piece 0")
    take_picture(opened, "reshape-own")


@pytest.mark.parametrize(
    ("make", "width", "scheme"), [(ShapeFlow, 1280, "light"), (lambda: ReshapeView("T5"), 390, "dark")]
)
def test_a_page_without_a_kernel_mounts_the_same_module_and_axe_finds_nothing_serious(browser, make, width, scheme):
    widget = make()
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_content(
        "<!doctype html><html lang='en'><title>A widget</title><style>:root { color-scheme: light dark }"
        f"{widget._css}</style><main id='here'></main>"
    )
    mount = """async ([script, state]) => {
        const widget = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
        window.gone = widget.default.mount(document.getElementById('here'), state);
    }"""
    page.evaluate(mount, [widget._esm, widget.state])
    page.locator("svg[role=img]").first.wait_for()
    page.locator("summary").evaluate_all("all => all.forEach((one) => one.click())")
    write(page, "layers", 5)
    if make is ShapeFlow:
        expect(page.locator("svg[role=img]").first).to_contain_text("10 ×")
    else:
        expect(page.locator("svg[role=img]").first).to_contain_text("2·layers·hidden 40")
    assert serious(page, "html") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("window.gone()")
    page.close()


def test_tensor_view_says_the_number_under_the_pointer_and_the_one_that_keys_lead_to(opened, cell):
    view = cell(6)
    said, heat = view.get_by_role("status"), view.get_by_role("group", name="Point at a cell")
    view.get_by_role("button", name="Read again").wait_for()
    picture(view).get_by_text("+Inf", exact=True).wait_for()
    take_both(opened, "tensor")
    heat.press("ArrowDown")
    expect(said).to_contain_text("batch 0, heads 0, prefix_len 0, head_dim 0: -1.1258")
    heat.press("ArrowRight")
    expect(said).to_contain_text("prefix_len 0, head_dim 1: -1.152")
    heat.hover()
    expect(said).not_to_contain_text("prefix_len 0,")
    held = said.inner_text()
    heat.click()
    picture(view).hover(position={"x": 100, "y": 100})
    expect(said).to_have_text(held)
    take_picture(opened, "tensor-cell")


def test_a_big_tensor_is_thinned_out_and_says_so(opened, cell):
    cell(7).get_by_text("Too big to draw whole").first.wait_for()
    assert cell(7).locator(".jp-OutputArea b", has_text="rows").count() == 0  # a name is text, never markup
    take_picture(opened, "tensor-sampled")


def test_a_notebook_opened_again_without_its_kernel_shows_every_widget_still(lab, window):
    cells = ["from prefix_lab.widgets import ShapeFlow\nShapeFlow()"]
    with notebook(lab, window, "still.ipynb", cells) as opened:
        opened.page.get_by_role("img", name="The journey").wait_for()
        assert not opened.page.get_by_text("A still of a widget").is_visible()
        opened.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        opened.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page = open_page(lab, window, "still.ipynb")
    page.get_by_text("A still of a widget").wait_for()
    page.get_by_text("The journey of a prefix: t5-base").wait_for()
    page.get_by_text("(2, 20, 18432)").wait_for()
    assert not page.get_by_text("model not found").is_visible()
    take_both(page, "still")
    page.close()
