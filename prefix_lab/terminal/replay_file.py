"""`prefix-lab replay`: a screen where there is one, else plain lines."""

import argparse
import os
import sys

from prefix_lab.debugger import Recording
from prefix_lab.terminal.printed import check_first, printed
from prefix_lab.terminal.signs import has_signs

DRAWN = "▶●│━…"  # by the replay's screen


def replay_file(args: argparse.Namespace) -> int:
    """Load and show; returns the exit status."""
    on_screen = not args.printed and has_screen()
    if on_screen:
        print("reading …", end="\r", file=sys.stderr, flush=True)  # a million steps take seconds
    try:
        recording = Recording.load(args.file)
        check_first(recording, args.first)
    except ValueError as error:
        args.refuse(str(error))
    if on_screen and len(recording):
        from prefix_lab.terminal.app import Replay

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
