"""How long a reader waits for the stepper in JupyterLab, and how much is sent, at three lengths of a recording."""

import random
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from tqdm import tqdm

from benchmarks.peers import lines_of, ours
from benchmarks.timing import columns, verdict
from tests.browser import chromium
from tests.browser.jupyterlab import FLAGS, jupyterlab, open_page

SIZES = (1_000, 100_000, 1_000_000)
PLACES, MOVES = 20, 10  # places drawn at random, and moves made at each
KEYS = ("s", "n", "o", "S", "N", "O")  # in, over, out, and the same backwards
PICTURE_S, STEP_MS, JUMP_MS, NEVER_MS, OPENING_KB = 1, 16, 50, 100, 300
NEVER = "layer == -1 or seed == -1"
FIRST_PICTURE = """() => new Promise(done => {
    const seen = () => document.querySelector('.pl-current') && (watching.disconnect(), done(performance.now()));
    const watching = new MutationObserver(seen);
    watching.observe(document.body, {childList: true, subtree: true});
    document.addEventListener('keydown', event => window.pressed ??= performance.now(), true);
})"""
MOVE = """async keys => {
    const root = document.querySelector('.pl-root'), times = [];
    const where = root.querySelector('.pl-where'), news = root.querySelector('.pl-news');
    for (const key of keys) {
        const start = performance.now();
        const drawn = new Promise(done => {
            const watching = new MutationObserver(() => { watching.disconnect(); done(); });
            for (const one of [where, news]) watching.observe(one, {childList: true});  // at an end, it says so
        });
        root.querySelector('.pl-code').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        await drawn;
        root.querySelector('.pl-lines').getBoundingClientRect();  // the browser lays it out
        times.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
    }
    return times;
}"""
JUMP = """async share => {
    const track = document.querySelector('.pl-track'), box = track.getBoundingClientRect();
    const where = document.querySelector('.pl-where'), start = performance.now();
    const drawn = new Promise(done => {
        const watching = new MutationObserver(() => { watching.disconnect(); done(); });
        watching.observe(where, {childList: true});
        setTimeout(() => { watching.disconnect(); done(); }, 5000);
    });
    const at = {clientX: box.left + share * box.width, clientY: box.top + 5, bubbles: true, pointerId: 1};
    track.setPointerCapture = () => null;
    track.dispatchEvent(new PointerEvent('pointerdown', at));
    await drawn;
    return performance.now() - start;
}"""


class Measured(NamedTuple):
    """Seconds to the first picture, kB at opening; milliseconds of each step, of each jump, and of each run to a
    condition that never holds; bytes of each step."""

    picture: float
    opening: float
    steps: list[float]
    jumps: list[float]
    never: list[float]
    sent: float


def main(runs: int) -> None:
    """Print the table. `runs` is how often each length is opened."""
    path = chromium.find()
    assert path, chromium.HELP
    found: dict[int, list[Measured]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for size in SIZES:
            write_notebook(lab.root, size)
        for _ in tqdm(range(min(runs, 5)), desc="opening", leave=False):
            for size in SIZES:
                page = open_page(lab, browser, f"stepper-{size}.ipynb")
                found[size].append(measured(page))
                page.close()
        browser.close()
    Console().print(table(found))


def write_notebook(folder: Path, size: int) -> None:
    """A notebook whose first cell opens a recording of so many steps, and whose second shows it."""
    recording = ours(1 + size // lines_of(1), max_steps=size)
    recording.save(folder / f"{size}.recording")
    cells = [
        "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Stepper\n"
        f"recording = Recording.load('{size}.recording')\nlen(recording)",
        f"Stepper(recording, at={size // 2})",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=kernel)
    nbformat.write(notebook, folder / f"stepper-{size}.ipynb")


def measured(page: Page) -> Measured:
    """One opening, then moves from places drawn at random."""
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    page.reload()  # so that the socket is listened to from its beginning
    page.wait_for_function("document.querySelectorAll('.jp-Notebook .jp-Cell').length === 2", timeout=90_000)
    page.wait_for_timeout(3_000)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".jp-CodeCell .jp-OutputArea-executeResult", timeout=90_000)
    before = sum(received)
    page.evaluate(f"window.picture = ({FIRST_PICTURE})(); window.pressed = undefined; null")
    page.keyboard.press("Shift+Enter")
    picture = page.evaluate("window.picture.then(seen => seen - window.pressed)")
    opening = sum(received) - before
    drawn, steps, jumps = random.Random(0), [], []
    before = sum(received)
    for _ in range(PLACES):
        jumps.append(page.evaluate(JUMP, drawn.random()))
        steps += page.evaluate(MOVE, [drawn.choice(KEYS) for _ in range(MOVES)])
    sent = (sum(received) - before) / (PLACES * (MOVES + 1))
    page.locator(".pl-code").focus()
    page.keyboard.press("b")
    page.locator(".pl-condition").fill(NEVER)
    page.keyboard.press("Enter")
    never = []
    for _ in range(PLACES):
        page.evaluate(JUMP, drawn.random())
        never += page.evaluate(MOVE, ["c"])
    return Measured(picture / 1e3, opening / 1e3, steps, jumps, never, sent)


def last_twentieth(times: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def table(found: dict[int, list[Measured]]) -> Any:
    made = columns(
        f"the stepper in JupyterLab, {PLACES} places × {MOVES} moves by keys: median, 95th percentile",
        *("", *(f"{size:,} steps" for size in SIZES), "aim"),
    )
    each = list(found.values())
    picture = [statistics.median(one.picture for one in many) for many in each]
    opening = [max(one.opening for one in many) for many in each]
    steps = [sorted(time for one in many for time in one.steps) for many in each]
    jumps = [sorted(time for one in many for time in one.jumps) for many in each]
    never = [sorted(time for one in many for time in one.never) for many in each]
    late = list(map(last_twentieth, steps))
    made.add_row("first picture, s", *(f"{one:.2f}" for one in picture), verdict("< 1 s", max(picture) < PICTURE_S))
    made.add_row(
        "sent at opening, kB", *(f"{one:.0f}" for one in opening), verdict("< 300 kB", max(opening) < OPENING_KB)
    )
    made.add_row(
        "a step, ms",
        *(f"{statistics.median(times):.1f}, {p95:.1f}" for times, p95 in zip(steps, late, strict=True)),
        verdict("p95 < 16 ms", max(late) < STEP_MS),
    )
    made.add_row(
        "a jump to anywhere, ms",
        *(f"{statistics.median(times):.0f}, {last_twentieth(times):.0f}" for times in jumps),
        verdict("p95 < 50 ms", max(map(last_twentieth, jumps)) < JUMP_MS),
    )
    made.add_row(
        "a condition that never holds, ms",
        *(f"{statistics.median(times):.0f}, {last_twentieth(times):.0f}" for times in never),
        verdict("p95 < 100 ms", max(map(last_twentieth, never)) < NEVER_MS),
    )
    made.add_row("sent for a move, bytes", *(f"{statistics.mean(one.sent for one in many):,.0f}" for many in each), "")
    return made
