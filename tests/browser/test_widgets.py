"""The widgets as a learner meets them in JupyterLab: controls are moved, and every number and picture follows."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import notebook, take_both, take_picture

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
    """The handle that takes the keyboard."""
    return cell.locator(".widget-slider").filter(has=cell.page.get_by_text(name, exact=True)).get_by_role("slider")


def test_shape_flow_follows_its_controls(opened, cell):
    flow = cell(0)
    table = flow.locator("table").first
    expect(picture(flow)).to_contain_text("18432")
    take_both(opened, "flow")
    slider(flow, "prefix_len").press("ArrowRight")  # by keyboard alone
    expect(table).to_contain_text("387,072")
    flow.get_by_label("projection", exact=True).check()
    flow.get_by_label("model", exact=True).select_option("t5-3b")
    expect(table).to_contain_text("822,")
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
    slider(bars, "r of LoRA").press("ArrowRight")
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
    assert opened.evaluate("document.getAnimations().filter(one => one.animationName == 'prefix-lab-fly').length") == 96
    take_picture(opened, "reshape-permute")
    opened.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Step 3 of 3: split(2)")
    view.get_by_label("What if it were view, not permute?").check()
    view.get_by_text("stands where it should not").wait_for()
    take_both(opened, "reshape-mistake")
    assert picture(view).locator("desc").first.text_content().startswith("Step 3 of 3")


def test_reshape_view_shows_a_learners_own_steps_and_an_encoder_decoder(opened, cell):
    expect(cell(4).locator("code", has_text="of 4").first).to_contain_text("Step 4 of 4: split(4)")
    cell(4).get_by_text("◥ there already").last.wait_for()
    take_both(opened, "reshape-t5")
    expect(cell(5).locator("code", has_text="of 3").first).to_contain_text("Step 2 of 3: permute(2, 0, 1)")
    take_picture(opened, "reshape-own")


def test_tensor_view_shows_a_slice_and_says_what_was_sampled(opened, cell):
    cell(6).get_by_text("Colours span").first.wait_for()
    cell(6).get_by_text("+Inf").first.wait_for()
    take_both(opened, "tensor")
    cell(7).get_by_text("Too big to draw whole").first.wait_for()
    assert cell(7).locator(".jp-OutputArea b", has_text="rows").count() == 0  # a name is text, never markup
    take_picture(opened, "tensor-sampled")
