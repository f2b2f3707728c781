"""What the papers claim about prefixes, measured on the tiny models: `python -m prefix_lab.course.experiments NAME`.

Each experiment is a plot, a table and one plain sentence, drawn from a small file in `data` that says by which command,
with which versions and with which seeds it was made. `show("length")` gives them in a notebook. `pictures` looks into
one trained prefix.
"""

from prefix_lab.course.experiments.beside_others import FEW, LIMITS, PARAMETERS
from prefix_lab.course.experiments.cost import COST
from prefix_lab.course.experiments.of_the_prefix import ENCODER, LENGTH, PROJECTION, START
from prefix_lab.course.experiments.places import PLACE
from prefix_lab.course.experiments.runs import Experiment, Results
from prefix_lab.course.experiments.shown import Shown, shown
from prefix_lab.course.experiments.six_tasks import TASKS

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one for one in (LENGTH, PROJECTION, START, FEW, PLACE, ENCODER, LIMITS, COST, PARAMETERS, TASKS)
}
"""Every experiment by its name, in the order in which they are best read."""


def get_experiment(name: str) -> Experiment:
    """The experiment of that name. Raises `ValueError` for a name that there is not."""
    if name not in EXPERIMENTS:
        raise ValueError(f"name={name!r}, expected one of {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]


def show(name: str) -> Shown:
    """What the shipped file of an experiment says; nothing is run. Raises `ValueError` as `get_experiment`."""
    return shown(Results(get_experiment(name)))
