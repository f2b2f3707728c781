"""A live stop with JupyterLab's own debugger on: part of `make course`, since beside other kernels the debugger may be
on its way for longer than a stop waits for it, and then pdb opens instead.
"""

from tests.browser.jupyterlab import Notebook, take_picture
from tests.browser.test_breakpoints import CHOSEN, COMING, after, ends, run
from tests.browser.test_live import opened, output, types

__all__ = ["opened"]
ON = COMING.replace("initialize", "attach")
GONE = COMING.replace("IsComing", "IsGone").replace("initialize", "disconnect")


def test_with_the_bug_on_it_stops_in_the_side_bar_and_the_breakpoint_goes_with_the_block(opened: Notebook):
    page = opened.page
    page.evaluate(ON)
    page.locator(".jp-DebuggerBugButton").first.click()
    page.wait_for_function("window.debuggerIsComing")
    run(page, 1)
    first = page.locator(CHOSEN).inner_text(timeout=60_000)
    assert "prefix_tuning/model.py:" in first
    take_picture(page, "live-with-the-bug")
    after(page, "next", first)
    page.locator("[data-command='debugger:continue']").first.click()
    ends(page, 1)
    said = output(page, 1)
    assert "Your debugger is on, so it stops in PrefixEncoder.forward, peft/tuners/prefix_tuning/model.py" in said
    assert "the block ended" in said
    assert "So it is." in said
    page.locator(".lm-TabBar-tab", has_text="live").first.click()
    page.evaluate(GONE)
    page.locator(".jp-DebuggerBugButton").first.click()
    page.wait_for_function("window.debuggerIsGone")
    run(page, 2)
    ends(page, 2)
    run(page, 1)
    types(page, "c")
    ends(page, 1)
