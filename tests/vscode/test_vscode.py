"""The extension in VS Code itself: a recording walked through forwards and backwards, as its user does it.

The tests of one session follow each other as a person's morning does.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import peft
import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect, sync_playwright

from prefix_lab.course import record_walk
from prefix_lab.debugger import Recording
from tests.browser import chromium
from tests.browser.jupyterlab import FLAGS
from tests.vscode.code_server import ROOT, running

SECONDS = 90_000
SCRIPT = """\
class Box:
    def __init__(self, size):
        self.size = size
        self.label = f"box of {size}"


def weigh(box):
    if box.size == 3:
        raise ValueError(f"{box.label} is too heavy")
    return box.size * 2


print([weigh(Box(size)) for size in range(3)])
weigh(Box(3))
"""
KERNEL = """\
import debugpy
import torch
debugpy.listen(("127.0.0.1", 5678))
print("it listens", flush=True)
debugpy.wait_for_client()
x = torch.zeros(2, 3)
breakpoint()
x = x + 1
"""
WALK = "Walk: from get_peft_model to a saved prefix"


def spaced(text: str) -> re.Pattern:
    """A text whose blanks may be of any kind: VS Code writes some that do not break."""
    return re.compile(re.escape(text).replace("\\ ", r"\s*"))


class Workbench:
    """VS Code in a page, by what a person sees and clicks."""

    def __init__(self, page: Page):
        self.page = page

    def command(self, text: str, choice: str = "") -> None:
        typed = self.page.locator(".quick-input-widget input").first
        for _ in range(20):  # a page inside a tab that is just opening takes the key, and does nothing with it
            self.page.keyboard.press("F1")
            try:
                typed.fill(f">{text}", timeout=SECONDS / 30)
                break
            except TimeoutError:
                self.page.keyboard.press("Escape")
        self.choose(text)
        if choice:
            self.choose(choice)

    def wait_for_extension(self) -> None:
        """Extensions are read after the workbench is shown; until then their commands are not offered."""
        offered = self.page.locator(".quick-input-list .monaco-list-row", has_text="Walk through this recording").first
        for _ in range(20):
            self.page.keyboard.press("F1")
            self.page.locator(".quick-input-widget input").first.fill(">Walk through this recording")
            try:
                offered.wait_for(timeout=SECONDS / 20)
                return self.page.keyboard.press("Escape")
            except TimeoutError:
                self.page.keyboard.press("Escape")
        raise AssertionError("the extension is not there")

    def choose(self, text: str | re.Pattern) -> None:
        self.page.locator(".quick-input-list .monaco-list-row", has_text=text).first.click()

    def start(self, name: str) -> None:
        """An entry of launch.json."""
        self.command("Debug: Select and Start Debugging", name)

    def open_recording(self, name: str) -> None:
        self.page.locator(".explorer-folders-view .monaco-list-row", has_text=name).dblclick()
        self.shows_recording()

    def shows_recording(self) -> None:
        tab = self.page.frame_locator("iframe.webview").frame_locator("iframe")
        tab.get_by_role("button", name="Walk through it").wait_for()

    def stop(self) -> None:
        self.page.keyboard.press("Shift+F5")
        expect(self.page.locator(".debug-toolbar")).to_be_hidden()
        self.forget_breakpoints()

    def moves(self, label: str) -> None:
        """A button of the debugger's bar."""
        self.page.locator(f".debug-toolbar .action-label[aria-label^='{label}']").click()

    def press(self, label: str, step: int) -> None:
        """A button of the debugger's bar, and the step to which it leads."""
        self.moves(label)
        self.stands_at(step)

    def stands_at(self, step: int) -> None:
        expect(self.page.locator(".statusbar")).to_contain_text(re.compile(rf"step {step} of"))

    def keys_are_in(self, stage: str) -> None:
        focused = self.pane("Stages").locator(".monaco-list:focus .monaco-list-row.focused")
        expect(focused).to_contain_text(stage)

    def pane(self, title: str) -> Locator:
        return self.page.locator(f".pane:has(.pane-header[aria-label^='{title}'])")

    def row(self, title: str, text: str | re.Pattern) -> Locator:
        return self.pane(title).locator(".monaco-list-row", has_text=text).first

    def stands_in(self, function: str) -> None:
        expect(self.pane("Call Stack").locator(".monaco-list-row").filter(has_text=".py").first).to_contain_text(
            function
        )

    def menu(self, variable: str, item: str) -> None:
        """An entry of a variable's menu, which is another's or closes when the pane is filled anew meanwhile.

        By its key: a click that comes at once is taken for the end of the first.
        """
        found = self.page.locator(".monaco-menu .action-item", has_text=item).first
        own = re.compile(rf"^{variable} =")
        meant = self.pane("Variables").locator(".monaco-list-row.focused", has_text=own)
        for _ in range(20):
            self.row("Variables", own).click(button="right")
            try:
                meant.wait_for(timeout=SECONDS / 30)
                found.hover(timeout=SECONDS / 30)
                self.page.locator(".monaco-menu .action-item.focused", has_text=item).wait_for(timeout=SECONDS / 30)
            except TimeoutError:
                self.page.keyboard.press("Escape")
            else:
                self.page.keyboard.press("Enter")
                return found.wait_for(state="hidden")
        raise AssertionError(f"no {item!r} in the menu of {variable}")

    def in_the_editor(self, text: str) -> Locator:
        """A line of the source, by what it says."""
        return self.page.locator(".view-line", has_text=spaced(text)).first

    def breakpoint_here(self, command: str, typed: str, kind: str = "") -> None:
        """On the cursor's line, with a condition or a message, or what the widget calls it."""
        self.command(command)
        self.page.locator(".breakpoint-widget .monaco-editor.focused").wait_for()
        if kind:
            self.page.locator(".breakpoint-widget select").first.select_option(label=kind)
            self.page.locator(".breakpoint-widget .monaco-editor .view-lines").first.click()
        self.page.keyboard.insert_text(typed)
        self.page.keyboard.press("Enter")
        self.page.locator(".breakpoint-widget").wait_for(state="detached")

    def forget_breakpoints(self) -> None:
        pane = self.pane("Breakpoints")
        pane.hover()
        pane.locator(".action-label[aria-label='Remove All Breakpoints']").click()
        expect(
            pane.locator(".monaco-list-row", has_text=re.compile("boxes.py|model.py|encode|prefix_tokens"))
        ).to_have_count(0)

    def says(self, text: str) -> None:
        """In the debugger's console, a notice or a dialog."""
        said = self.page.locator(".repl, .notifications-toasts, .monaco-dialog-box").filter(has_text=text).first
        said.wait_for()


@pytest.fixture(scope="session")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def folder(tmp_path_factory, port) -> Path:
    """A folder with a recording of PEFT's walk and a script, the project's launch.json, and its environment."""
    made = tmp_path_factory.mktemp("folder")
    record_walk("peft", model=False).save(made / "walk.recording")
    (made / "boxes.py").write_text(SCRIPT)
    (made / ".venv").symlink_to(ROOT / ".venv")
    notes = re.sub(r"^\s*//.*$", "", (ROOT / ".vscode" / "launch.json").read_text(), flags=re.MULTILINE)
    told = json.loads(notes)
    here = {"type": "prefix-lab", "request": "launch"}
    told["configurations"] += [
        {**here, "name": "My script", "script": "${workspaceFolder}/boxes.py"},
        {**here, "name": "No such file", "recording": "${workspaceFolder}/none.recording"},
        {"type": "prefix-lab", "request": "attach", "name": "By its port", "port": port},
    ]
    (made / ".vscode").mkdir()
    (made / ".vscode" / "launch.json").write_text(json.dumps(told))
    return made


@pytest.fixture(scope="session")
def page(folder, tmp_path_factory) -> Iterator[Page]:
    expect.set_options(timeout=SECONDS)
    with running(tmp_path_factory.mktemp("code")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        opened = browser.new_page(viewport={"width": 1500, "height": 1150})
        opened.set_default_timeout(SECONDS)
        opened.goto(f"{address}/?folder={folder}")
        opened.locator(".monaco-workbench .statusbar").wait_for()
        Workbench(opened).wait_for_extension()
        yield opened
        browser.close()


@pytest.fixture(scope="session")
def bench(page) -> Workbench:
    return Workbench(page)


@pytest.fixture(autouse=True)
def shown(page, request, tmp_path_factory) -> Iterator[None]:
    """What there was to see at the end of each test."""
    yield
    page.screenshot(path=tmp_path_factory.getbasetemp() / f"{request.node.name}.png")


def test_f5_on_a_recording_opens_it_and_its_stages_are_gone_to_by_click_and_by_keys(bench, folder):
    page = bench.page
    bench.open_recording("walk.recording")
    page.keyboard.press("F5")
    bench.stands_at(0)
    bench.keys_are_in("choose")
    for stage, step in (("prepare", 513), ("wrap", 540)):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        bench.stands_at(step)
        line = Recording.load(folder / "walk.recording").steps[step].line
        expect(page.locator(".statusbar")).to_contain_text(f"Ln {line}, Col 1")  # the editor had the keys meanwhile
        bench.keys_are_in(stage)
    page.keyboard.press("Alt+PageDown")
    bench.stands_at(1327)
    page.keyboard.press("Alt+PageUp")
    bench.stands_at(540)
    page.keyboard.press("Control+Alt+S")
    bench.choose(re.compile("^encode"))  # other stages' sentences name the encoder
    bench.stands_at(1390)
    bench.stands_in("PrefixEncoder.forward")


def test_a_walk_that_has_ended_is_begun_again_at_a_stage(bench):
    bench.page.keyboard.press("Shift+F5")
    expect(bench.pane("Stages")).to_contain_text("Choose a stage to walk on from there")
    bench.row("Stages", "split").click()
    bench.stands_at(1367)
    bench.row("Stages", "encode").click()
    bench.stands_at(1390)


def test_a_recording_that_was_opened_before_the_extension_was_there_is_no_binary_file(bench):
    bench.page.locator(".tab", has_text="walk.recording").click()
    bench.shows_recording()
    bench.command("View: Reopen Editor With...", "Text Editor")  # what it is opened with until then
    bench.shows_recording()
    bench.page.locator(".tab", has_text="model.py").first.click()


def test_it_steps_both_ways_with_named_axes_in_the_pane_beside_the_lines_and_above_the_pointer(bench):
    for step in (1391, 1392, 1393):
        bench.press("Step Over", step)
    expect(bench.page.locator(".statusbar")).to_contain_text("changed: prefix_tokens")
    value = "Tensor (batch 2, prefix_len 20, hidden 128) float32"
    expect(bench.pane("Variables")).to_contain_text(spaced(value))
    expect(bench.in_the_editor("prefix_tokens = self.embedding(prefix)")).to_contain_text(spaced(value))
    bench.page.locator(".codelens-decoration", has_text=spaced("called once")).filter(visible=True).first.wait_for()
    expect(bench.in_the_editor("self.embedding = torch.nn.Embedding(num_virtual")).not_to_contain_text("float32")
    bench.press("Step Back", 1392)
    bench.press("Step Over", 1393)
    bench.press("Step Over", 1394)
    bench.in_the_editor("return past_key_values").locator("span span", has_text="past_key_values").last.hover()
    bench.page.locator(".debug-hover-widget", has_text="layers").wait_for()


def test_a_condition_and_a_stage_stop_it_in_both_directions_and_a_log_point_only_tells(bench):
    bench.in_the_editor("return past_key_values").click()
    bench.breakpoint_here("Debug: Add Conditional Breakpoint", "prefix.shape[0] == 2")
    bench.press("Reverse", 0)
    bench.press("Continue", 1394)
    bench.press("Continue", 1518)
    bench.press("Reverse", 1394)
    bench.forget_breakpoints()
    bench.in_the_editor("return past_key_values").click()
    bench.breakpoint_here("Debug: Add Logpoint", "the encoder gives {past_key_values.shape}")
    pane = bench.pane("Breakpoints")
    pane.hover()
    pane.locator(".action-label[aria-label='Add Function Breakpoint']").click()
    pane.locator("input.input").fill("encode")
    bench.page.keyboard.press("Enter")
    bench.press("Continue", 1518)
    bench.press("Reverse", 1390)
    bench.stands_in("PrefixEncoder.forward")
    bench.says("the encoder gives (2, 20, 768)")
    bench.forget_breakpoints()


def test_a_names_change_stops_it_and_its_history_leads_back(bench):
    for step in (1391, 1392, 1393):
        bench.press("Step Over", step)
    bench.menu("prefix_tokens", "Break on Value Change")
    bench.row("Breakpoints", "prefix_tokens in PrefixEncoder.forward").wait_for()
    bench.press("Reverse", 1392)
    bench.press("Step Over", 1393)
    bench.menu("prefix_tokens", "Go where this value was made")
    bench.stands_at(1392)
    bench.press("Step Over", 1393)
    bench.menu("prefix_tokens", "History of a value")
    bench.choose("prefix_len 20, hidden 128")
    bench.stands_at(1392)
    bench.forget_breakpoints()


def test_it_becomes_a_page_that_any_browser_opens(bench, folder):
    bench.command("Export this recording as a page")
    asked = bench.page.locator(".quick-input-widget")
    expect(asked.locator("input").first).to_have_value(re.compile("walk.html"))
    asked.get_by_role("button", name="OK").click()
    bench.says("opens in any browser")
    assert "<title>walk</title>" in (folder / "walk.html").read_text()
    bench.stop()


def test_a_script_is_recorded_first_and_all_moves_of_a_debugger_lead_through_it(bench):
    page = bench.page
    bench.start("My script")
    bench.stands_in("boxes.py")
    bench.says("[0, 2, 4]")  # what it printed
    lens = spaced("called 4 times, raised an exception once")
    page.locator(".codelens-decoration", has_text=lens).filter(visible=True).first.wait_for()
    bench.in_the_editor("if box.size == 3:").click()
    bench.breakpoint_here("Debug: Add Conditional Breakpoint", "2", kind="Hit Count")
    bench.moves("Continue")
    bench.row("Variables", spaced("box = Box(size=1")).click()
    page.keyboard.press("ArrowRight")
    bench.row("Variables", spaced("label = 'box of 1'")).wait_for()
    bench.in_the_editor("if box.size == 3:").click()
    bench.command("Debug: Jump to Cursor", "the last time")
    bench.row("Variables", spaced("box = Box(size=3")).wait_for()
    bench.moves("Reverse")
    bench.row("Variables", spaced("box = Box(size=1")).wait_for()
    bench.forget_breakpoints()
    bench.moves("Continue")
    page.locator(".exception-widget", has_text="box of 3 is too heavy").wait_for()
    bench.row("Call Stack", "weigh").hover()
    bench.row("Call Stack", "weigh").get_by_label("Restart Frame").first.click()
    expect(bench.pane("Call Stack")).to_contain_text("Paused at the beginning of the call")
    bench.row("Variables", spaced("size = 3")).wait_for()
    page.locator(".repl-input-wrapper .view-lines").click()
    page.keyboard.insert_text("box.size * 7")
    page.keyboard.press("Enter")
    bench.says("21")
    bench.stop()


def test_a_recording_that_another_process_serves_is_walked_through_as_well(bench, folder, port):
    command = [sys.executable, "-m", "prefix_lab", "dap", "--port", str(port), "walk.recording"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert str(port) in server.stdout.readline()
            bench.start("By its port")
            bench.stands_at(0)
            bench.stop()
        finally:
            server.terminate()


def test_a_recording_that_is_not_there_says_so(bench):
    bench.start("No such file")
    bench.says("none.recording")
    bench.page.keyboard.press("Escape")


def test_debugpy_stops_in_pefts_encoder_and_the_pane_names_the_axes(bench):
    """By the entry as it stands in the project's launch.json, whether or not this walk's names were found before."""
    page = bench.page
    page.keyboard.press("Control+P")
    encoder = Path(peft.__file__).parent / "tuners" / "prefix_tuning" / "model.py"
    line = encoder.read_text().splitlines().index("        return past_key_values") + 1
    page.locator(".quick-input-widget input").first.fill(f"{encoder}:{line}")
    bench.choose("prefix_tuning")
    bench.in_the_editor("return past_key_values").click()
    page.keyboard.press("F9")
    bench.command("View: Show Run and Debug")  # a pane that comes with the stop shows its scopes folded
    bench.start(WALK)
    expect(bench.pane("Call Stack")).to_contain_text("Paused on breakpoint", timeout=3 * SECONDS)
    value = "past_key_values = Tensor (batch 2, prefix_len 20, 2·layers·hidden 768) float32"
    bench.row("Variables", spaced(value)).wait_for()
    bench.stop()


def test_a_kernel_that_listens_is_attached_to(bench, folder):
    with subprocess.Popen([sys.executable, "-c", KERNEL], cwd=folder, stdout=subprocess.PIPE, text=True) as kernel:
        try:
            assert "it listens" in kernel.stdout.readline()
            bench.start("Kernel: attach")
            bench.row("Variables", spaced("x = Tensor (2, 3) float32")).wait_for()
            bench.stop()
        finally:
            kernel.kill()
