"""The extension in VS Code itself: a recording walked through forwards and backwards, as its user does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from prefix_lab.course import record_walk
from tests.browser import chromium
from tests.browser.jupyterlab import FLAGS
from tests.vscode.code_server import ROOT, running

SECONDS = 60_000


class Workbench:
    """VS Code in a page, by what a person sees and clicks."""

    def __init__(self, page: Page):
        self.page = page

    def command(self, text: str) -> None:
        self.page.keyboard.press("F1")
        self.page.locator(".quick-input-widget input").fill(f">{text}")
        self.page.locator(".quick-input-list .monaco-list-row", has_text=text).first.click()

    def choose(self, text: str) -> None:
        self.page.locator(".quick-input-list .monaco-list-row", has_text=text).first.click()

    def press(self, label: str) -> None:
        """A button of the debugger's bar; waits until the recording stands elsewhere."""
        before = self.standing()
        self.page.locator(
            f".debug-toolbar .action-label[aria-label^='{label}'], .action-label[aria-label^='{label}']"
        ).first.click()
        self.page.wait_for_function(
            "before => document.querySelector('.statusbar')?.innerText.match(/step \\d+ of \\d+/)?.[0] !== before",
            arg=before,
        )

    def standing(self) -> str:
        found = re.search(r"step \d+ of \d+", self.page.locator(".statusbar").inner_text())
        return found[0] if found else ""

    def stack(self) -> Locator:
        return self.page.locator(".debug-call-stack .monaco-list-row")

    def top(self) -> str:
        return self.stack().filter(has_text=".py").first.inner_text().replace("\n", " ")

    def variables(self) -> list[str]:
        rows = self.page.locator(
            ".debug-variables .monaco-list-row, .pane:has([aria-label^='Variables']) .monaco-list-row"
        )
        return [one.replace("\n", " ") for one in rows.all_inner_texts()]

    def stages(self) -> Locator:
        return self.page.locator(".pane:has([aria-label^='Stages of the walk']) .monaco-list-row")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder with a recording of PEFT's walk, and the environment of these tests as its own."""
    made = tmp_path_factory.mktemp("folder")
    record_walk("peft", model=False).save(made / "walk.recording")
    (made / ".venv").symlink_to(ROOT / ".venv")
    return made


@pytest.fixture(scope="session")
def page(folder, tmp_path_factory) -> Iterator[Page]:
    with running(tmp_path_factory.mktemp("code")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        opened = browser.new_page(viewport={"width": 1500, "height": 950})
        opened.set_default_timeout(SECONDS)
        opened.goto(f"{address}/?folder={folder}")
        opened.locator(".monaco-workbench .statusbar").wait_for()
        yield opened
        browser.close()


@pytest.fixture(scope="session")
def bench(page) -> Workbench:
    return Workbench(page)


def test_f5_on_a_recording_opens_it_and_the_stages_lead_through_it(bench):
    page = bench.page
    page.locator(".explorer-folders-view .monaco-list-row", has_text="walk.recording").dblclick()
    page.frame_locator("iframe.webview").frame_locator("iframe").get_by_role(
        "button", name="Walk through it"
    ).wait_for()
    page.keyboard.press("F5")
    bench.stack().filter(has_text="walk").first.wait_for()
    bench.stages().filter(has_text="encode").first.click()
    bench.stack().filter(has_text="PrefixEncoder.forward").first.wait_for()
    page.screenshot(path="/tmp/w/vs_encode.png")
    assert "PrefixEncoder.forward" in bench.top()


def test_it_steps_forwards_and_backwards_and_shows_named_axes(bench):
    for _ in range(3):
        bench.press("Step Over")
    page = bench.page
    page.screenshot(path="/tmp/w/vs_steps.png")
    assert any("prefix_len" in one for one in bench.variables())
    there = bench.standing()
    bench.press("Step Back")
    assert bench.standing() != there
    bench.press("Reverse")
    page.screenshot(path="/tmp/w/vs_reverse.png")
