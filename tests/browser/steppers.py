"""What the tests of the stepper share: recordings to look at, pages with them, and what a view shows."""

import functools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from prefix_lab.course import record_walk
from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.cursor import COMPREHENSIONS
from tests.browser.jupyterlab import Notebook


class View:
    """One stepper on a page."""

    def __init__(self, page: Page, root: Locator | None = None):
        self.page, self.root = page, root or page.locator(".pl-root")
        self.code, self.track = self.root.locator(".pl-code"), self.root.locator(".pl-track")

    @property
    def step(self) -> int:
        return int(self.track.get_attribute("aria-valuenow") or -1)

    def at(self, step: int) -> "View":
        """Wait until the view stands there, with its source drawn."""
        self.root.locator(f".pl-track[aria-valuenow='{step}']").wait_for()
        self.root.locator(".pl-line.pl-current").wait_for()
        return self

    def do(self, does: str) -> None:
        self.root.locator(f".pl-toolbar [data-does='{does}']").click()

    def press(self, *keys: str) -> None:
        """Press keys with the focus in the source, where a reader's is."""
        self.code.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def tab(self, name: str) -> Locator:
        self.root.locator(f"[data-tab='{name}']").click()
        return self.root.locator(f"[data-panel='{name}']")

    def line(self) -> int:
        """The number of the current line."""
        return int(self.root.locator(".pl-current [data-line]").get_attribute("data-line"))

    def variable(self, name: str) -> Locator:
        exactly = re.compile(f"^{re.escape(name)}$")
        return self.root.locator(".pl-variable").filter(has=self.page.locator(".pl-name bdi", has_text=exactly)).first

    def says(self, text: str) -> None:
        """Wait until it tells this to the reader."""
        self.root.locator(".pl-news", has_text=text).wait_for()

    def scroll_to(self, line: int) -> Locator:
        """The gutter of a line, brought into view."""
        self.code.evaluate("(code, line) => (code.scrollTop = Math.max(0, (line - 5) * 20))", line)
        self.code.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.root.locator(f".pl-gutter[data-line='{line}']")


def type_into(box: Locator, text: str) -> None:
    """Write into a box as a person does, and press Enter: Firefox says "change" of typed text alone."""
    box.fill("")
    box.press_sequentially(text)
    box.press("Enter")


def views(opened: Notebook) -> list[View]:
    return [View(opened.page, root) for root in opened.page.locator(".pl-root").all()]


def moves_of(recording: Recording, step: int) -> dict[str, int]:
    """Where each move leads by Python's cursor; the same step where it does not move."""
    found = {}
    for does, method in (("in", "step_in"), ("over", "step_over"), ("out", "step_out")):
        for name, backwards in ((does, False), (f"{does}Back", True)):
            cursor = recording.cursor(step)
            cursor.skip = COMPREHENSIONS
            getattr(cursor, method)(backwards=backwards)
            found[name] = cursor.index
    return found


def end_of_prompt(recording: Recording) -> int:
    """A step with a config, a cache and tensors in view: the last line of `get_prompt`."""
    steps = recording.steps
    return next(step.index for step in steps if step.text == "return past_key_values" and "get_prompt" in step.function)


@contextmanager
def page_from_disk(browser: Browser, path: Path, **look: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page from a file with the network off, and a list of what went wrong: requests, errors, dialogs."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | look))
    wrong: list[str] = []
    context.set_offline(True)
    context.on("request", lambda request: request.url.split("#")[0] == path.as_uri() or wrong.append(request.url))
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    try:
        yield page, wrong
    finally:
        context.close()


@functools.cache
def walk_of(where: str = "peft", **options: Any) -> Recording:
    """The walk, recorded once for all tests."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")  # PEFT asks for it
        return record_walk(where, **options)


def recorded(path: Path, source: str, function: str = "run", **options: Any) -> Recording:
    """A recording of one function of a program, written to a file first; what it raises stays inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    module = ModuleType("program")
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), module.__dict__)
    with suppress(ValueError, RuntimeError), record([str(path)], **options) as recording:
        module.__dict__[function]()
    return recording


# What has broken pages: each is shown as text, and sets `pwned` if it ever runs.
HOSTILE = [
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=2</script>",
    "</script><script>window.pwned=3</script>",
    "<!--<script>",
    "]]>",
    '" onmouseover="window.pwned=4',
    "' autofocus onfocus='window.pwned=5",
    "`${window.pwned=6}`",
    "javascript:window.pwned=7",
    "&lt;b&gt; &amp;#60;",
    "\u202egnp.exe\u2066",
    "a\0b\x1b[31mred\x1b[0m\r\n\t\x07",
    "\u2028\u2029\ufeff\u200b",
    "\ud800 lone \udfff",
    "__proto__",
    "constructor",
    "{{7*7}} $(id) %s %n",
    "é漢字🙂",
    "</style><style>*{display:none}</style>",
]

HOSTILE_PROGRAM = '''"""</script><script>window.pwned = 8</script> <!-- -->"""


class Bad:
    def __repr__(self):
        return "</li><img src=x onerror=window.pwned=9>"


def ünïcode_名前(value):
    """A docstring: </script><!-- <img src=x onerror=window.pwned=10> ]]> \u202e"""
    return value


def run():
    constructor = 1
    __proto__ = {"__proto__": 2, "constructor": 3, "toString": 4}
    values = HOSTILE_VALUES
    keys = {value: number for number, value in enumerate(values)}
    bad = Bad()
    long = "<b>" * 333_334
    hasOwnProperty = valueOf = long
    for one in values:
        last = ünïcode_名前(one)
    raise ValueError("<img src=x onerror=window.pwned=11>" + last)
'''


def hostile_recording(folder: Path) -> Recording:
    """A recording whose names, values, file and error all try to be more than text."""
    source = HOSTILE_PROGRAM.replace("HOSTILE_VALUES", ascii(HOSTILE))
    return recorded(folder / "<img src=x onerror=window.pwned=12>" / '"><script>window.pwned=13<.py', source)
