"""`prefix-lab progress`: which exercises of the course are solved."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_progress(subparsers: Any, show: Callable[[], Any], reset: Callable[[str], Any]) -> None:
    """Add the command. `show()` gives what is printed; `reset(text)` forgets a lesson, or "all"."""
    parser = subparsers.add_parser(
        "progress",
        help="which exercises of the course are solved",
        description="Show which exercises are solved. The notes are in a file on this machine, and stay there.",
        epilog="exit status: 0; 2 if an option is refused",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--reset", metavar="LESSON", help="forget a lesson's exercises, by its number, or all of them: all"
    )

    def run(args: argparse.Namespace) -> int:
        if args.reset is not None:
            try:
                reset(args.reset)
            except ValueError as error:
                parser.error(str(error))
        print(show())
        return 0

    parser.set_defaults(run=run, refuse=parser.error)
