"""A recording as plain lines, for pipes and files: the outline, then steps, one to a line."""

from collections.abc import Iterator

from prefix_lab.debugger import Recording
from prefix_lab.terminal.visible import count_of, visible, visible_outline


def check_first(recording: Recording, first: int) -> None:
    """Raises `ValueError` when there is no step `first` to begin with."""
    steps = len(recording)
    if first and first >= steps:
        last = f"the last of {count_of(steps, 'step')} is {steps - 1}" if steps else "the recording has no steps"
        raise ValueError(f"argument --from: {first} was given, and {last}")


def printed(recording: Recording, first: int, count: int) -> Iterator[str]:
    """The outline, `count` steps from `first` on, and how to see more."""
    steps = len(recording)
    yield from visible_outline(recording).split("\n")
    end = min(first + count, steps)
    if first < end:
        yield ""
    for index in range(first, end):
        yield visible(repr(recording.steps[index]))
    if end < steps:
        yield f"… {count_of(steps - end, 'step')} more: --from {end} --count {count}"
