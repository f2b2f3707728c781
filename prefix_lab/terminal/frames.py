"""The steps of one frame by their lines, so that a pane can say what each line gave when it last ran."""

from array import array
from bisect import bisect_left
from functools import lru_cache

from prefix_lab.debugger import Recording
from prefix_lab.debugger.decode import NONE

KEPT = 16  # frames: those that a walk in and out of calls comes back to


class FrameSteps:
    """One frame. It is walked once; every question after that is a search in what was found."""

    def __init__(self, recording: Recording, frame: int):
        columns = recording.columns
        self.first: dict[int, int] = {}
        self.gave: dict[int, array] = {}
        step = columns.frame_first[frame]
        while step != NONE:
            line = columns.places[columns.step_place[step]][2]
            self.first.setdefault(line, step)
            if columns.step_bound[step] != NONE:
                self.gave.setdefault(line, array("I")).append(step)
            step = columns.step_after[step]

    def visited(self, line: int, step: int) -> bool:
        """Whether the line was reached before this step."""
        return self.first.get(line, NONE) < step

    def giving(self, line: int, step: int) -> int | None:
        """The last step before this one at which the line bound, changed or returned something."""
        steps = self.gave.get(line, ())
        at = bisect_left(steps, step)
        return steps[at - 1] if at else None


@lru_cache(maxsize=KEPT)
def frame_steps(recording: Recording, frame: int) -> FrameSteps:
    """A frame's steps, remembered for the frames that were asked for last."""
    return FrameSteps(recording, frame)
