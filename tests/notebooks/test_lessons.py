"""Every lesson as people run it: from the top, each cell again, in any order, and after a restart.

One kernel a lesson goes through it three times: as it is opened, with its stubs and all its steps; then solved, every
cell that does not train twice, and every exercise also with its stub between the two; then solved, from the bottom,
where each has to mean what it meant. After the first time, trainings and measurements are cut short: what they do to a
kernel stays.
"""

import re
import symtable
from contextlib import contextmanager

import pytest
from nbclient import NotebookClient
from nbclient.util import run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from notebooks.build import HERE, build, lessons
from prefix_lab.course.ready import code_cells, names_made

# Allowed to differ: where an object lies in memory; which widget a still stands for; the numbers of breakpoints, which
# debuggers count on; and how many predictions were right so far.
MASKS = (
    r"\x1b\[[0-9;]*m",
    r"0x[0-9a-f]+",
    r"prefix-lab-[0-9a-f]{32}",
    r"(?m)^\d+(?=[-> ]+\d+ )",
    r"(?<=[Bb]reakpoint )\d+",
    r"\[\d+ of \d+ right.*\]",
)
# Allowed to differ: a list of what is set now.
SHOWS_WHAT_IS_SET_NOW = ("breakpoints()",)
TRAINS = re.compile(r"\btrain\(|\bsteps ?=|subprocess")
WIDGET = "application/vnd.jupyter.widget-view+json"

pytestmark = pytest.mark.usefixtures("peft_of_2023")


class Lesson:
    """A lesson's notebook in a kernel, cell by cell in any order; `stubs` and `solved` are the texts of its cells."""

    def __init__(self, path, client: NotebookClient):
        self.client = client
        self.stubs, self.solved = (
            {number: cell.source for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
            for notebook in (build(path, "en"), build(path, "en", solved=True))
        )
        self.exercises = [number for number in self.stubs if self.stubs[number] != self.solved[number]]

    def run(self, number: int, source: str) -> list[tuple[str, str]]:
        """What the cell puts out: kind and text."""
        cell = self.client.nb.cells[number]
        self.client.kc.execute("__import__('random').seed(0)", silent=True)  # what a lesson draws is the same each time
        cell.source = source
        self.client.execute_cell(cell, number)
        return told(cell)


def short(source: str) -> str:
    source = re.sub(r"\bsteps ?= ?\d+", "steps = 5", source)
    return re.sub(r"\bheld_out_words\(\)(?!\[)", "held_out_words()[:40]", source)


def told(cell: NotebookNode) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            before = found.pop()[1] if found and found[-1][0] == output.name else ""
            found.append((output.name, before + output.text))  # one text, in however many pieces it came
        elif output.output_type == "error":
            found.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            # A line on how far a long action is may have been there, and left nothing.
            found += [(kind, str(text)) for kind, text in output.data.items() if kind != WIDGET and text]
    for mask in MASKS:
        found = [(kind, re.sub(mask, "", text)) for kind, text in found]
    return found


@contextmanager
def opened(path):
    client = NotebookClient(
        build(path, "en"), timeout=120, allow_errors=True, resources={"metadata": {"path": str(HERE / "en")}}
    )
    with client.setup_kernel():
        yield Lesson(path, client)


def verdict(outputs: list[tuple[str, str]]) -> str:
    return next((text for kind, text in outputs if kind == "text/plain"), "nothing")


def complaints(number: int, outputs: list[tuple[str, str]]) -> list[str]:
    return [f"cell {number}, {kind}: {text}" for kind, text in outputs if kind in ("error", "stderr")]


def test_a_lesson_runs_as_it_is_opened_and_each_cell_means_the_same_again(lesson):
    with opened(lesson) as book:
        wrong, down, again = [], {}, {}
        as_opened = {number: book.run(number, source) for number, source in book.stubs.items()}
        for number, source in book.solved.items():
            down[number] = book.run(number, short(source))
            if number in book.exercises:
                stubbed = verdict(book.run(number, book.stubs[number]))
                forgot = stubbed == verdict(as_opened[number]) or "Answered in the picture" in stubbed
                wrong += [f"cell {number}, stub after its solution: {stubbed}"] * (not forgot)
                down[number] = book.run(number, source)
            elif not TRAINS.search(source):
                again[number] = book.run(number, short(source))
        up = {number: book.run(number, short(book.solved[number])) for number in reversed(down)}

    for run in (as_opened, down, again, up):
        wrong += [one for number, outputs in run.items() for one in complaints(number, outputs)]
    for number in book.exercises:
        verdicts = [verdict(run[number]).partition(":")[0] for run in (as_opened, down, up)]
        wrong += [f"cell {number}: {verdicts}"] * (verdicts != ["not yet", "right", "right"])
    for number in down.keys() - set(book.exercises):
        if not book.solved[number].startswith(SHOWS_WHAT_IS_SET_NOW):
            meant = [(when, run[number]) for when, run in (("at once", again), ("later", up)) if number in run]
            wrong += [f"cell {number}, {when}: {down[number]} → {one}" for when, one in meant if one != down[number]]
    assert wrong == []


def names_read(source: str) -> set[str]:
    """The names that a cell takes from outside, in its functions, too."""

    def read(table: symtable.SymbolTable) -> set[str]:
        top = table.get_type() == "module"
        own = {one.get_name() for one in table.get_symbols() if one.is_referenced() and (top or one.is_global())}
        return own.union(*map(read, table.get_children()))

    return read(symtable.symtable(source, "cell", "exec"))


def test_a_name_that_other_cells_read_is_made_in_one_cell(lesson):
    cells = [cell.source for cell in build(lesson, "en", solved=True).cells if cell.cell_type == "code"]
    made = [names_made(source) for source in cells]
    from_others = {name for source, own in zip(cells, made, strict=True) for name in names_read(source) - own}
    makers = {name: [source for source, own in zip(cells, made, strict=True) if name in own] for name in from_others}
    assert {name: found for name, found in makers.items() if len(found) > 1} == {}


def test_the_first_cell_says_that_it_comes_first_after_a_restart(lesson):
    first = next(cell for cell in build(lesson, "en").cells if cell.cell_type == "code")
    assert first.source.startswith("# first of all, and again after each restart\n")


FORGET = "for _name in {*globals()} - %s: del globals()[_name]"
REMEMBER = "%s = {*globals(), '_bare', '_set_up', '_name'}"
ADVICE = re.compile(r"not yet: `\w+` is made in the cell that begins with `(.+)`, under “(.+)”: run that one first\.")


def to_run_first(outputs: list[tuple[str, str]], cells: list[tuple[str, str]]) -> str:
    """The one cell that the advice below an error names."""
    said = ADVICE.match(verdict(outputs))
    assert said, outputs
    [found] = [text for heading, text in cells if heading == said[2] and text.startswith(f"{said[1]}\n")]
    return found


@pytest.mark.parametrize("half", [0, 1])
def test_after_a_restart_a_cell_runs_or_says_which_to_run_first(half):
    """One kernel for many lessons, each begun anew, its notebook named as JupyterLab does."""
    paths = lessons()[half::2]
    with opened(paths[0]) as book:
        scratch = len(book.client.nb.cells)
        book.client.nb.cells.append(new_code_cell(""))

        def run(source: str) -> list[tuple[str, str]]:
            return book.run(scratch, short(source))

        def follow(source: str) -> None:
            """Run a cell, and before it what it says has to be run before."""
            for _ in range(10):
                outputs = run(source)
                if not complaints(scratch, outputs):
                    return
                follow(to_run_first(outputs, cells))
            pytest.fail(f"the advice does not end: {outputs}")

        run(REMEMBER % "_bare")
        for path in paths:
            run(FORGET % "_bare")
            notebook = HERE / "en" / f"{path.stem}.ipynb"
            assert run(f"import os; os.environ['JPY_SESSION_NAME'] = {str(notebook)!r}") == []
            cells = code_cells(build(path, "en").cells)
            assert run(cells[0][1]) == []
            run(REMEMBER % "_set_up")
            texts = [text for _, text in cells]
            made = set().union(*map(names_made, texts[1:]))
            needy = [text for text in texts if (names_read(text) - names_made(text)) & made]
            for text in needy:
                run(FORGET % "_set_up")
                outputs = run(text)
                if complaints(scratch, outputs):
                    first = to_run_first(outputs, cells)
                    assert texts.index(first) < texts.index(text)
            for text in needy[-1:]:
                follow(text)


def test_a_training_that_was_interrupted_begins_anew_when_its_cell_is_run_again():
    [path] = [path for path in lessons() if path.stem == "03_train_it"]
    with opened(path) as book:
        numbers = list(book.solved)
        [training] = [number for number in numbers if "peft_model.train()" in book.solved[number]]
        for number in numbers[: numbers.index(training)]:
            book.run(number, short(book.solved[number]))
        whole = book.run(training, short(book.solved[training]))
        all_steps = build(path, "en").cells[training].source
        book.client.kc.execute(all_steps, stop_on_error=False)  # an error does not call off what waits behind it
        while run_sync(book.client.kc.get_iopub_msg)(timeout=60)["msg_type"] != "stream":
            pass
        run_sync(book.client.km.interrupt_kernel)()
        assert book.run(training, short(book.solved[training])) == whole
