"""`prefix-lab replay`: a screen where there is one; in pipes and files plain lines, an outline and a line a step."""

import argparse
import os
import sys
from collections.abc import Iterator

from prefix_lab.debugger import Recording
from prefix_lab.debugger.text import visible, visible_lines
from prefix_lab.locale import _, ngettext
from prefix_lab.shapes import with_kept_names
from prefix_lab.terminal.signs import has_signs

DRAWN = "▶●◇│━…"  # by the replay's screen


def replay_file(args: argparse.Namespace) -> int:
    """Load and show; returns the exit status."""
    on_screen = not args.printed and has_screen()
    if on_screen:
        print(_("reading …"), end="\r", file=sys.stderr, flush=True)  # a million steps take seconds
    try:
        recording = with_kept_names(Recording.load(args.file))
        check_first(recording, args.first)
    except ValueError as error:
        args.refuse(str(error))
    if on_screen and len(recording):
        from prefix_lab.terminal.keys import Replay

        Replay(recording, args.file, args.first).run()
        return 0
    for line in printed(recording, args.first, args.count):
        print(line)
    sys.stdout.flush()  # so that a reader who has gone away is noticed here, and not when Python ends
    return 0


def has_screen() -> bool:
    """Whether a full-screen program can run here: textual reads standard input, and draws on standard error."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if os.environ.get("TERM") == "dumb" or not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return has_signs(sys.stderr, DRAWN)


def check_first(recording: Recording, first: int) -> None:
    """Raises `ValueError` when there is no step `first` to begin with."""
    steps = len(recording)
    if first and first >= steps:
        last = f"the last of {steps:,} steps is {steps - 1}" if steps else "the recording has no steps"
        raise ValueError(f"argument --from: {first} was given, and {last}")


def printed(recording: Recording, first: int, count: int) -> Iterator[str]:
    """The outline, `count` steps from `first` on, and how to see more."""
    steps = len(recording)
    yield from visible_lines(repr(recording)).split("\n")
    end = min(first + count, steps)
    if first < end:
        yield ""
    for index in range(first, end):
        yield visible(repr(recording.steps[index]))
    if end < steps:
        more = ngettext(
            "… {count:,} step more: --from {first} --count {shown}",
            "… {count:,} steps more: --from {first} --count {shown}",
            steps - end,
        )
        yield more.format(count=steps - end, first=end, shown=count)
