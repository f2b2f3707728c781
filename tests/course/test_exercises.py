"""What every lesson's checks hold to: the solution passes, a mistake is told its cause, nothing a learner does raises.

Solutions are those of the notebooks. A lesson's own mistakes stand in its test file, in `MISTAKES`: check → cause → the
answer that is to be told it.
"""

import ast
import importlib
from typing import Any

import jupytext
import pytest
import torch

from notebooks.build import lessons
from prefix_lab.course.checking import Verdict
from prefix_lab.course.progress import EXERCISES, LESSONS

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

MODULES = {one.number: importlib.import_module(f"prefix_lab.course.lessons.lesson_{one.number:02}") for one in LESSONS}
CHECKS = {
    check.exercise: check
    for module in MODULES.values()
    for check in vars(module).values()
    if hasattr(check, "exercise")
}
MISTAKES = [
    (check, cause, answer)
    for one in LESSONS
    for check, mistakes in getattr(
        importlib.import_module(f"tests.course.lessons.test_lesson_{one.number:02}"), "MISTAKES", {}
    ).items()
    for cause, answer in mistakes.items()
]


def defined_in(cell: str) -> list[ast.stmt]:
    """The imports, functions and classes of a cell: what a solution may use of the cells before it."""
    return [one for one in ast.parse(cell).body if isinstance(one, ast.Import | ast.ImportFrom | ast.FunctionDef)]


def found_solutions() -> dict[Any, Any]:
    """Check → the answer that the lesson's own solution gives it, where that is no list of two texts."""
    found: dict[Any, Any] = {}
    for source in lessons():
        cells = jupytext.read(source, fmt="py:percent").cells
        code = [cell for cell in cells if cell.cell_type == "code"]
        namespace: dict[str, Any] = {}
        for cell in code:
            exec(compile(ast.Module(defined_in(cell.source), []), source.name, "exec"), namespace)
        for check in CHECKS.values():
            if check.__name__ in namespace:
                namespace[check.__name__] = lambda *answers, check=check: found.setdefault(check, answers[-1])
        for cell in code:
            if "solution" in cell.metadata.get("tags", []) and "check_hunt" not in cell.source:
                calls = cell.source.replace("question, ", "None, ").replace("prediction, ", "None, ")
                exec(calls, namespace)
    return found


SOLUTIONS = found_solutions()
FUNCTIONS = [check for check, solution in SOLUTIONS.items() if callable(solution)]


def name_of(value: Any) -> str | None:
    return getattr(value, "__name__", None) or (value if isinstance(value, str) else None)


def test_each_exercise_of_the_table_has_a_check_and_a_solution():
    asked = {(number, place) for number, titles in EXERCISES.items() for place in range(1, len(titles) + 1)}
    hunts = {(14, place) for place in MODULES[14].HUNTS}
    assert {*CHECKS} | hunts == asked
    assert {*SOLUTIONS} == {*CHECKS.values()}


@pytest.mark.parametrize(
    ("check", "cause", "answer"), MISTAKES, ids=[f"{check.__name__}-{cause}" for check, cause, _ in MISTAKES]
)
def test_a_mistake_is_told_its_cause(check, cause, answer):
    told = [check(answer) for _ in range(3)]
    assert not any(verdict.passed for verdict in told)
    assert any(cause in verdict.text for verdict in told), told  # one wrong number may have two causes


@pytest.mark.parametrize("check", SOLUTIONS, ids=name_of)
def test_each_check_tells_at_least_two_wrong_answers_apart(check):
    asked_in_the_stepper = ("check_first_shape", "check_prefix_tokens", "check_viewed", "check_grown_mask")
    mistakes = [cause for one, cause, _ in MISTAKES if one is check]
    assert len(mistakes) >= 2 or check.__name__ in asked_in_the_stepper


@pytest.mark.parametrize("check", FUNCTIONS, ids=name_of)
def test_the_solution_passes_whatever_the_sizes(check):
    for _ in range(10):
        assert check(SOLUTIONS[check]).passed


@pytest.mark.parametrize("check", FUNCTIONS, ids=name_of)
def test_a_check_leaves_the_learners_random_numbers_and_gradients_alone(check):
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    check(SOLUTIONS[check])
    assert torch.equal(torch.rand(3), first)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("check", FUNCTIONS, ids=name_of)
def test_what_a_learners_function_says_when_it_raises_is_told_as_text(check):
    def hostile(*arguments):
        raise ValueError("<script>alert(1)</script>")

    verdict = check(hostile)
    assert isinstance(verdict, Verdict)
    assert not verdict.passed
    assert "<script>" not in verdict._repr_html_()


@pytest.mark.parametrize("check", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("given", [None, -1, 0.5, "text", [], {}, torch.ones(2), torch.tensor(float("nan"))])
def test_no_answer_makes_a_check_raise(check, given):
    assert not check(lambda *arguments: given).passed
    assert not check(lambda *arguments: (given, given)).passed
