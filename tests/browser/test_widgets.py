"""The widgets as a learner meets them in JupyterLab: controls are moved, and every number and picture follows."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from prefix_lab.widgets import ParameterBars, ReshapeView, TensorView
from tests.browser.jupyterlab import notebook, open_page, take_both, take_picture

CELLS = [
    "from prefix_lab.widgets import ParameterBars, ReshapeView, ShapeFlow, TensorView\nShapeFlow()",
    "ParameterBars()",
    "from peft import PrefixTuningConfig, get_peft_model\n"
    "from prefix_lab.course import load_tiny_t5\n"
    "config = PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20)\n"
    "ParameterBars(get_peft_model(load_tiny_t5()[0], config))",
    "ReshapeView()",
    "view = ReshapeView('T5')\nview.step.value = 4\nview",
    "view = ReshapeView(24, 'view(2, 3, 4).permute(2, 0, 1).split(2)')\nview.step.value = 2\nview",
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


def boxed_slider(cell, name):
    """The same where ipywidgets draws it."""
    return cell.locator(".widget-hbox", has=cell.page.get_by_label(name, exact=True)).get_by_role("slider")


@pytest.mark.parametrize(
    ("picture_of", "name", "words"),
    [
        (lambda: ParameterBars().children[1].value, "What trains, beside the 222,903,552", "LoRA, r=8 on q, v"),
        (lambda: ReshapeView().drawing.value, "Step 0 of 3", "What the encoder made"),
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
    typed = flow.get_by_label("prefix_len", exact=True)
    typed.select_text()
    typed.press_sequentially("400")
    typed.press("Enter")
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


def test_reshape_view_is_walked_with_buttons_and_keys(opened, cell):
    view = cell(3)
    said = view.locator("code", has_text="of 3").first
    expect(said).to_contain_text("Step 0 of 3: the start")
    view.get_by_role("button", name="Next").click()
    expect(said).to_contain_text("Step 1 of 3: view(")
    view.get_by_role("slider").first.focus()
    opened.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Step 2 of 3: permute(")
    flying = "all => all.filter(one => getComputedStyle(one).animationName === 'prefix-lab-fly').length"
    assert view.locator(".prefix-lab-fly").evaluate_all(flying) == 96
    take_picture(opened, "reshape-permute")
    opened.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Step 3 of 3: split(2)")
    view.get_by_label("What if it were view, not permute?").check()
    view.get_by_text("stands where it should not").wait_for()
    take_both(opened, "reshape-mistake")
    assert picture(view).locator("desc").first.text_content().startswith("Step 3 of 3")


def test_reshape_view_shows_a_learners_own_steps_and_an_encoder_decoder(opened, cell):
    expect(cell(4).locator("code", has_text="of 4").first).to_contain_text("Step 4 of 4: split(4)")
    cell(4).get_by_text("◥ there already").first.wait_for()
    take_both(opened, "reshape-t5")
    expect(cell(5).locator("code", has_text="of 3").first).to_contain_text("Step 2 of 3: permute(2, 0, 1)")
    take_picture(opened, "reshape-own")


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
