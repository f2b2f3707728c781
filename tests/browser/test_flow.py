"""ShapeFlow and ParameterBars in JupyterLab: the sliders move, and every number follows."""

import nbformat
import pytest

from tests.browser.conftest import run_all, take_picture

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def opened(lab, open_notebook, name, cells, **look):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=KERNEL)
    nbformat.write(notebook, lab.root / f"{name}.ipynb")
    page = open_notebook(f"{name}.ipynb", **look)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # a short notebook is shown before its kernel is up
    run_all(page)
    return page


def slider(page, name):
    """The handle that takes the keyboard."""
    return page.locator(".widget-slider").filter(has=page.get_by_text(name, exact=True)).get_by_role("slider")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_shape_flow_follows_its_controls(lab, open_notebook, theme, width):
    cells = ["from prefix_lab.widgets.flow import ShapeFlow\nShapeFlow()"]
    page = opened(lab, open_notebook, "flow", cells, theme=theme, width=width)
    picture = page.locator(".jp-OutputArea svg[role='img']").first
    picture.wait_for()
    assert "18432" in picture.text_content()
    page.set_viewport_size({"width": width, "height": 1400})
    take_picture(page, f"flow-{theme}-{width}")
    slider(page, "prefix_len").press("ArrowRight")  # by keyboard alone
    page.wait_for_function("document.querySelector('.jp-OutputArea table').textContent.includes('387,072')")
    page.get_by_label("projection", exact=True).check()
    page.get_by_label("model", exact=True).select_option("t5-3b")
    page.wait_for_function("document.querySelector('.jp-OutputArea table').textContent.includes('822,')")
    assert page.get_by_text("token_dim=4096").first.is_visible()
    take_picture(page, f"flow-t5-3b-{theme}-{width}")
    page.get_by_label("model", exact=True).select_option("llama-3-8b")
    page.wait_for_function("document.querySelector('.jp-OutputArea svg').textContent.includes('kv_heads')")
    page.get_by_label("dtype", exact=True).select_option("bfloat16")
    page.wait_for_function("document.querySelector('.jp-OutputArea svg').textContent.includes('to(bfloat16)')")
    take_picture(page, f"flow-llama-{theme}-{width}")
    slider(page, "layers").press("ArrowLeft")
    page.wait_for_function("document.querySelector('.jp-OutputArea table').textContent.includes('choose a real model')")
    assert page.get_by_label("model", exact=True).input_value() == "own sizes, one stack of layers"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_parameter_bars_follow_their_controls_and_count_a_module(lab, open_notebook, theme, width):
    cells = [
        "from prefix_lab.widgets.parameters import ParameterBars\nParameterBars()",
        "from peft import PrefixTuningConfig, get_peft_model\n"
        "from prefix_lab.course import load_tiny_t5\n"
        "config = PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20)\n"
        "ParameterBars(get_peft_model(load_tiny_t5()[0], config))",
    ]
    page = opened(lab, open_notebook, "bars", cells, theme=theme, width=width)
    pictures = page.locator(".jp-OutputArea svg[role='img']")
    pictures.nth(1).wait_for()
    assert "884,736 · 0.3953 %" in pictures.first.text_content()
    assert "prefix (prompt_encoder.default)" in pictures.nth(1).text_content()
    page.set_viewport_size({"width": width, "height": 1100})
    take_picture(page, f"bars-{theme}-{width}")
    page.get_by_label("model", exact=True).select_option("llama-3-8b")
    page.wait_for_function("document.querySelector('.jp-OutputArea svg').textContent.includes('q_proj, v_proj')")
    slider(page, "r of LoRA").press("ArrowRight")
    page.wait_for_function("document.querySelector('.jp-OutputArea svg').textContent.includes('r=9')")
