"""ReshapeView and TensorView as a learner sees them in JupyterLab."""

import nbformat
import pytest

from tests.browser.conftest import run_all, take_picture

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
RESHAPE = [
    "from prefix_lab.widgets.reshape import ReshapeView\nReshapeView()",
]
OTHERS = [
    "from prefix_lab.widgets.reshape import ReshapeView\nview = ReshapeView('T5')\nview.step.value = 4\nview",
    "view = ReshapeView(24, 'view(2, 3, 4).permute(2, 0, 1).split(2)')\nview.step.value = 2\nview",
]
TENSOR = [
    "import torch\nfrom prefix_lab.widgets.tensor import TensorView\n"
    "key = torch.randn(4, 4, 20, 32, generator=torch.Generator().manual_seed(0))\n"
    "key[0, 0, 3, 5:9] = float('nan')\nkey[0, 0, 7, 20] = float('inf')\nkey[0, 0, 8, 21] = -float('inf')\n"
    "TensorView(key, 'batch heads prefix_len head_dim')",
    "TensorView(torch.linspace(-1, 1, 1_200_000).view(1200, 1000), '<b>rows</b> hidden')",
]


def opened(lab, open_notebook, name, cells, **look):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=KERNEL)
    nbformat.write(notebook, lab.root / name)
    page = open_notebook(name, **look)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # a short notebook is shown before its kernel is up
    run_all(page)
    page.set_viewport_size({"width": look["width"], "height": 1300})
    return page


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_reshape_view_is_walked_with_buttons_and_keys(lab, open_notebook, theme, width):
    page = opened(lab, open_notebook, "reshape.ipynb", RESHAPE, theme=theme, width=width)
    page.locator("code", has_text="Step 0 of 3: the start").wait_for()
    take_picture(page, f"reshape-start-{theme}-{width}")
    page.get_by_role("button", name="Next").click()
    page.locator("code", has_text="Step 1 of 3: view(").wait_for()
    take_picture(page, f"reshape-view-{theme}-{width}")
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.locator("code", has_text="Step 2 of 3: permute(").wait_for()
    assert page.evaluate("document.getAnimations().filter(one => one.animationName == 'prefix-lab-fly').length") == 96
    take_picture(page, f"reshape-permute-{theme}-{width}")
    page.keyboard.press("ArrowRight")
    page.locator("code", has_text="Step 3 of 3: split(2)").wait_for()
    take_picture(page, f"reshape-split-{theme}-{width}")
    page.get_by_label("What if it were view, not permute?").check()
    page.locator("code", has_text="Step 3 of 3").wait_for()
    page.get_by_text("stands where it should not").wait_for()
    take_picture(page, f"reshape-mistake-{theme}-{width}")
    assert page.locator(".jp-OutputArea svg[role='img'] desc").first.text_content().startswith("Step 3 of 3")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_reshape_view_shows_a_learners_own_steps_and_an_encoder_decoder(lab, open_notebook, theme, width):
    page = opened(lab, open_notebook, "others.ipynb", OTHERS, theme=theme, width=width)
    page.locator("code", has_text="Step 4 of 4: split(4)").scroll_into_view_if_needed()
    page.get_by_text("◥ there already").last.wait_for()
    take_picture(page, f"reshape-t5-{theme}-{width}")
    own = page.locator("code", has_text="Step 2 of 3: permute(2, 0, 1)")
    own.scroll_into_view_if_needed()
    take_picture(page, f"reshape-own-{theme}-{width}")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1920)])
def test_tensor_view_shows_a_slice_and_says_what_was_sampled(lab, open_notebook, theme, width):
    page = opened(lab, open_notebook, "tensor.ipynb", TENSOR, theme=theme, width=width)
    page.get_by_text("Colours span").first.wait_for()
    page.get_by_text("+Inf").first.scroll_into_view_if_needed()
    take_picture(page, f"tensor-{theme}-{width}")
    sampled = page.get_by_text("Too big to draw whole").first
    sampled.scroll_into_view_if_needed()
    take_picture(page, f"tensor-sampled-{theme}-{width}")
    assert page.locator(".jp-OutputArea b", has_text="rows").count() == 0  # a name is text, never markup
