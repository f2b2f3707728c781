"""What every lesson's checks hold to: the solution passes, a mistake is told its cause, nothing a learner does raises.

Solutions are those of the notebooks; `mistakes` has the wrong answers, and how they are written.
"""

import ast
import contextlib
import importlib
import inspect
import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

import jupytext
import numpy
import pytest
import torch

from notebooks.build import lessons
from prefix_lab.course import after_exercise, table
from prefix_lab.course.checking import Verdict, brief
from prefix_lab.course.progress import EXERCISES, LESSONS
from tests.course import stops, stops_04_to_07, stops_08_to_10
from tests.course.mistakes import ALSO_RIGHT, MISTAKES
from tests.course.test_capstone import QUESTIONS

PEFT_ASKS_BY_AN_OLD_NAME = "`is_gradient_checkpointing` is deprecated"
pytestmark = [
    pytest.mark.usefixtures("no_tracer"),
    pytest.mark.filterwarnings(f"ignore:{PEFT_ASKS_BY_AN_OLD_NAME}:FutureWarning"),
]


@pytest.fixture
def no_tracer():
    """Coverage or a debugger may watch the test run itself."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    assert sys.gettrace() is None
    sys.settrace(before)


MODULES = {one.number: importlib.import_module(f"prefix_lab.course.lessons.lesson_{one.number:02}") for one in LESSONS}
CHECKS = {
    name: check for module in MODULES.values() for name, check in vars(module).items() if hasattr(check, "exercise")
}

IN_CAPSTONE = (*QUESTIONS, "check_own_compared", "check_own_results")


class Solution:
    """A lesson's own answer to a check, what else it is given, such as a stop, and the cell that has them."""

    def __init__(self, check: str, cell: str, names: dict[str, Any]):
        self.check, self.cell, self.names = check, cell, names
        *self.first, self.answer = self.ran(cell)
        self.is_function = inspect.isfunction(self.answer)

    def ran(self, cell: str) -> tuple[Any, ...]:
        """What the cell, perhaps with a change in it, gives its check."""
        given: list[tuple[Any, ...]] = []
        names = self.names | {self.check: lambda *answers: given.append(answers)}
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():  # what a debugger prints at a stop
            warnings.filterwarnings("ignore", PEFT_ASKS_BY_AN_OLD_NAME, FutureWarning)
            exec(cell.replace("question, ", "None, ").replace("prediction, ", "None, "), names)
        return given[-1]

    def written(self, mistake: Any) -> tuple[Any, ...]:
        """What the check is given for an answer as `mistakes` writes it."""
        if isinstance(mistake, tuple):
            assert mistake[0] in self.cell, mistake
            return self.ran(self.cell.replace(*mistake))
        answer = self.giving(mistake) if isinstance(mistake, str) and self.is_function else mistake
        return *self.first, answer

    def giving(self, expression: str) -> Callable[..., Any]:
        """A function of the solution's arguments that gives something else."""
        arguments = list(inspect.signature(self.answer).parameters)

        def answer(*given: Any) -> Any:
            names = dict(zip(arguments, given, strict=True)) | {"right": lambda: self.answer(*given)}
            return eval(expression, self.names | names)

        return answer


def found_solutions() -> dict[str, Solution]:
    found: dict[str, Solution] = {}
    for source in lessons():
        code = [cell for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"]
        names: dict[str, Any] = {}
        for cell in code:  # the imports and functions of a lesson: what a solution may use of the cells before it
            defined = [one for one in ast.parse(cell.source).body if isinstance(one, DEFINITIONS)]
            exec(compile(ast.Module(defined, []), source.name, "exec"), names)
        for cell in code:
            checks = [name for name in CHECKS if f"{name}(" in cell.source and name not in (*LIVE, *IN_CAPSTONE)]
            if "solution" in cell.metadata.get("tags", []) and checks:
                found[checks[0]] = Solution(checks[0], cell.source, names)
    return found


LIVE = stops.LIVE | stops_04_to_07.LIVE | stops_08_to_10.LIVE
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef)
SOLUTIONS = found_solutions()
FUNCTIONS = [name for name, solution in SOLUTIONS.items() if callable(solution.answer)]
NOTHING_BACK = ("check_step",)  # what it does to its arguments comes first
IN_THE_STEPPER = ("check_first_shape",)


def test_each_exercise_of_the_table_has_a_check_and_a_solution_and_each_check_tells_mistakes_apart():
    asked = [one.key for exercises in EXERCISES.values() for one in exercises]
    assert len(asked) == len({*asked})
    hunts = {f"hunt_{place}" for place in MODULES[14].hunts.BUGS}
    assert {check.exercise for check in CHECKS.values()} | hunts == {*asked}
    assert {*SOLUTIONS, *LIVE, *IN_CAPSTONE} == {*CHECKS}
    assert {*MISTAKES, *IN_THE_STEPPER, *LIVE, *IN_CAPSTONE} == {*CHECKS}
    assert all(len(mistakes) > 2 for mistakes in MISTAKES.values())


@pytest.mark.parametrize(("check", "cause"), [(check, cause) for check, causes in MISTAKES.items() for cause in causes])
def test_a_mistake_is_told_its_cause_in_whole_sentences(check, cause):
    answers = SOLUTIONS[check].written(MISTAKES[check][cause])
    told = [CHECKS[check](*answers) for _ in range(3)]
    assert not any(verdict.passed for verdict in told)
    assert any(cause.lower() in verdict.text.lower() for verdict in told), told  # one wrong number may have two causes
    for verdict in told:
        assert verdict.text[-1] in ".?)…", verdict
        assert not any(twice in verdict.text for twice in ("?.", "..", ":.", "  ")) or "..." in verdict.text
        assert "<script>" not in verdict._repr_html_()
        assert len(verdict.text) < 500


@pytest.mark.parametrize(
    ("check", "cause"), [(check, cause) for check, live in LIVE.items() for cause in live.mistakes]
)
def test_what_was_not_seen_at_a_stop_or_is_answered_wrongly_is_told_its_cause(check, cause):
    verdict = CHECKS[check](*LIVE[check].mistakes[cause])
    assert not verdict.passed
    assert cause.lower() in verdict.text.lower()
    assert verdict.text[-1] in ".?)"
    assert len(verdict.text) < 500


@pytest.mark.parametrize("check", LIVE)
def test_what_was_seen_at_a_stop_and_answered_passes(check):
    verdicts = [CHECKS[check](*given) for given in LIVE[check].right]
    assert all(verdict.passed for verdict in verdicts), verdicts


@pytest.mark.parametrize("check", MISTAKES)
def test_the_solution_passes_whatever_the_sizes_and_in_other_forms(check):
    solution = SOLUTIONS[check]
    for _ in range(10 if solution.is_function else 1):
        assert CHECKS[check](*solution.first, solution.answer).passed
    for other in ALSO_RIGHT.get(check, ()):
        verdict = CHECKS[check](*solution.written(other))
        assert verdict.passed, (other, verdict)


@pytest.mark.parametrize("check", MISTAKES)
def test_a_check_leaves_the_learners_random_numbers_and_gradients_alone_and_prints_nothing(check, capsys):
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    CHECKS[check](*SOLUTIONS[check].first, SOLUTIONS[check].answer)
    assert torch.equal(torch.rand(3), first)
    assert torch.is_grad_enabled()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("check", FUNCTIONS)
def test_what_a_learners_function_says_when_it_raises_is_told_as_text(check):
    def hostile(*arguments):
        raise ValueError("<script>alert(1)</script>")

    verdict = CHECKS[check](hostile)
    assert isinstance(verdict, Verdict)
    assert not verdict.passed
    assert "<script>" not in verdict._repr_html_()


GIVEN = [-1, 0.5, "text", [], {}, torch.ones(2), torch.tensor(float("nan")), [*range(500)], numpy.ones(3), (1,)]


@pytest.mark.parametrize("check", FUNCTIONS)
@pytest.mark.parametrize("given", GIVEN, ids=brief)
def test_no_answer_makes_a_check_raise_or_say_too_much(check, given):
    for answer in (lambda *arguments: given, lambda *arguments: (given, given), given):
        verdict = CHECKS[check](answer)
        assert not verdict.passed
        assert len(verdict.text) < 500


@pytest.mark.parametrize(
    "check", [name for name in FUNCTIONS if SOLUTIONS[name].is_function and name not in NOTHING_BACK]
)
def test_a_forgotten_return_is_told_and_so_is_a_function_that_was_called(check):
    assert "`return`" in CHECKS[check](lambda *arguments: None).text
    assert "without brackets" in CHECKS[check](3).text
    assert "Put your answer" in CHECKS[check](lambda *arguments: ...).text


def test_what_would_answer_an_exercise_is_folded_until_it_is_wanted():
    shown = after_exercise(2, table(("model",), [("<b>",)]))
    assert shown._repr_html_().startswith("<details><summary>Exercise 2 first. Then open this: it has the answer.</")
    assert "&lt;b&gt;" in shown._repr_html_()
    assert repr(shown).startswith("Exercise 2 first.")
