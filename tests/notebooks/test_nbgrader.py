"""A lesson for nbgrader: each exercise has a locked cell with points, and what the learner gets holds no solution."""

import pytest

from notebooks.nbgrader import assignment
from prefix_lab.course.progress import EXERCISES


@pytest.mark.parametrize("number", [2, 14])
def test_each_exercise_has_its_points_and_its_solution_stands_between_marks_alone(number):
    cells = assignment(number, "en").cells
    points = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [cell.metadata.nbgrader.points for cell in points] == [one.level for one in EXERCISES[number]]
    assert all(cell.metadata.nbgrader.locked for cell in points)
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        stub, mark, solution = cell.source.partition("### BEGIN SOLUTION")
        assert bool(mark) == bool(cell.metadata.get("nbgrader", {}).get("solution"))
        assert "Solution</summary>" not in stub
        assert not mark or "check_" in solution


def test_what_nobody_types_is_read_from_the_passport():
    said = {cell.id: cell.source for cell in assignment(2, "zh").cells if cell.id.endswith("points")}
    assert ["passport.json" in source for source in said.values()] == [False, False, True, False]
    assert 'assert "same_line" in read_passport("passport.json").solved' in [*said.values()][2]
