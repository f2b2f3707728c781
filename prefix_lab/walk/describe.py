"""What our side made at each stage, in words and numbers: by stage, the function that tells it."""

from collections.abc import Callable

from prefix_lab.walk import describe_making, describe_using
from prefix_lab.walk.results import Described
from prefix_lab.walk.sides import Run, Side

DESCRIPTIONS: dict[str, Callable[[Side, Run], Described]] = {
    "choose": describe_making.choose,
    "prepare": describe_making.prepare,
    "wrap": describe_making.wrap,
    "encode": describe_making.encode,
    "split": describe_making.split,
    "attend": describe_using.attend,
    "learn": describe_using.learn,
    "keep": describe_using.keep,
}
"""By the names of `prefix_lab.stages.STAGES`."""
