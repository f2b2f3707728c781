"""`prefix-lab record`, `replay` and `dap`: what they take. What they need is imported when they run."""

import argparse
from collections.abc import Callable
from typing import Any

RECORD = "run a Python script, and keep what each of its lines did"
REPLAY = "walk through a recording, forwards and backwards"
DAP = "serve a recording to an editor's debugger, which then steps both ways"
SUFFIX = ".recording"
KEEPS = ("shapes", "statistics", "small")
MAX_STEPS = 2_000_000
STEPS_SHOWN = 20
IDLE_SECONDS = 8 * 3600


def add_record(subparsers: Any) -> None:
    """Add the command that records."""
    parser = subparsers.add_parser(
        "record",
        help=RECORD,
        usage="prefix-lab record [options] SCRIPT [args ...]\n       prefix-lab record [options] -m MODULE [args ...]",
        description="Run SCRIPT as `python SCRIPT args` would, and save what each line did, for `prefix-lab replay`. "
        "Options stand before SCRIPT; all that follows it is its own.",
        epilog="exit status: the script's own; 2 if an option is refused",
        allow_abbrev=False,
    )
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT [args ...]", help="a Python file")
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="a module instead")
    parser.add_argument(
        "--include",
        action="append",
        metavar="NAME",
        help="record this package, module, file or folder; may be given several times (the script's file)",
    )
    parser.add_argument(
        "--output", metavar="FILE", help=f"where to save (SCRIPT's name, with {SUFFIX}, in this folder)"
    )
    parser.add_argument(
        "--keep", choices=KEEPS, default="shapes", help="of tensors: shapes; statistics too; numbers of small ones too"
    )
    parser.add_argument(
        "--watch", action="append", default=[], metavar="EXPR", help="evaluate this after each line; several times"
    )
    parser.add_argument(
        "--max-steps", type=at_least(1), default=MAX_STEPS, metavar="N", help=f"stop recording there ({MAX_STEPS:,})"
    )
    parser.set_defaults(run=run_record, refuse=parser.error)


def add_replay(subparsers: Any) -> None:
    """Add the command that replays."""
    parser = subparsers.add_parser(
        "replay",
        help=REPLAY,
        description="Walk through a recording in the terminal, with source, values and stack; ? shows the keys. In a "
        "pipe, or with --print, an outline and some steps as plain lines.",
        epilog="exit status: 0; 2 if an option or the file is refused",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="what `prefix-lab record` or Recording.save wrote")
    parser.add_argument("--print", action="store_true", dest="printed", help="plain lines, also in a terminal")
    parser.add_argument("--from", type=at_least(0), dest="first", default=0, metavar="N", help="start at this step (0)")
    parser.add_argument(
        "--count", type=at_least(0), default=STEPS_SHOWN, metavar="M", help=f"print so many steps ({STEPS_SHOWN})"
    )
    parser.set_defaults(run=run_replay, refuse=parser.error)


def add_dap(subparsers: Any) -> None:
    """Add the command that serves."""
    parser = subparsers.add_parser(
        "dap",
        help=DAP,
        description="Speak the Debug Adapter Protocol over a recording: an editor sets breakpoints, steps and runs "
        "forwards and backwards, and shows the values. On standard input and output, or on a port.",
        epilog="exit status: 0; 1 if what came was not the protocol; 2 if an option or the file is refused",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="what `prefix-lab record` or Recording.save wrote")
    parser.add_argument(
        "--port", type=port_number, metavar="N", help="listen on this port of this machine alone; 0 takes a free one"
    )
    parser.add_argument(
        "--idle",
        type=at_least(1),
        default=IDLE_SECONDS,
        metavar="S",
        help=f"end after S silent seconds ({IDLE_SECONDS})",
    )
    parser.set_defaults(run=run_dap, refuse=parser.error)


def at_least(least: int) -> Callable[[str], int]:
    """A whole number from `least` up, as an option's type; anything else is refused with what was expected."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} was given, expected a whole number of at least {least}")
        return int(text)

    return number


def port_number(text: str) -> int:
    """A port's number, as an option's type."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} was given, expected a port's number, from 0 to 65535")
    return int(text)


def run_record(args: argparse.Namespace) -> int:
    """The whole of `prefix-lab record`; returns the script's exit status."""
    from prefix_lab.terminal.record_script import record_script

    return record_script(args)


def run_replay(args: argparse.Namespace) -> int:
    """The whole of `prefix-lab replay`."""
    from prefix_lab.terminal.replay_file import replay_file

    return replay_file(args)


def run_dap(args: argparse.Namespace) -> int:
    """The whole of `prefix-lab dap`."""
    from prefix_lab.terminal.dap import serve_file

    return serve_file(args)
