"""The command line: `prefix-lab walk | record | replay | dap | export`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from prefix_lab.terminal.command import add_dap, add_record, add_replay, run_record
from prefix_lab.terminal.export import add_export
from prefix_lab.terminal.progress_command import add_progress
from prefix_lab.terminal.signs import all_signs

if TYPE_CHECKING:
    from prefix_lab.walk.base import Base

WALK = "walk from get_peft_model to a saved prefix, with PEFT beside every stage"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with all_signs():
            args, unknown = build_parser(words).parse_known_args(words)
            if unknown:
                args.refuse(f"unknown: {' '.join(unknown)}; the options are listed above, and told with --help")
            if args.run is not run_record:
                return args.run(args)
        return args.run(args)  # what a script prints is its own, and so are its errors
    except BrokenPipeError:  # whoever read the output has read enough: `prefix-lab walk | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130  # what a shell says of a program that Ctrl-C ended


def build_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """All commands. Each adds itself, and sets as defaults `run`, what it does, and `refuse`, for an unknown option."""
    parser = argparse.ArgumentParser(
        prog="prefix-lab",
        description="See what PEFT's prefix tuning does, stage by stage; record and replay any Python script.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {own_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = next((word for word in words if not word.startswith("-")), None)
    add_walk(commands, chosen=command == "walk")
    add_record(commands)
    add_replay(commands)
    add_dap(commands)
    add_export(commands, record_seed_walk)
    add_progress(commands, show_progress, forget)
    return parser


def record_seed_walk() -> Any:
    """PEFT's own walk on the tiny T5, recorded."""
    from prefix_lab.course import record_walk

    return record_walk()


def show_progress() -> Any:
    """What is done of the course."""
    from prefix_lab.course.contents import show_progress as show

    return show()


def forget(lesson: str) -> None:
    """Forget what is done of a lesson, or of "all". Raises `ValueError` for another word."""
    from prefix_lab.course import progress
    from prefix_lab.course.contents import lesson as find

    if lesson == "all":
        progress.reset()
    else:
        progress.reset(find(int(lesson) if lesson.isdecimal() else lesson).number)


def add_walk(commands: Any, chosen: bool) -> None:
    """Add `walk`: its line in the list of commands alone, unless it is to run, since it imports torch."""
    if chosen:
        from prefix_lab.walk.command import add_walk as add

        add(commands, load_default)
    else:
        commands.add_parser("walk", help=WALK)


def own_version() -> str:
    """The version that is installed; a checkout can be run without."""
    try:
        return version("prefix-lab")
    except PackageNotFoundError:
        return "not installed"


def load_default(config_only: bool) -> Base:
    """The tiny T5 that ships with the course."""
    from prefix_lab.course import load_tiny_t5
    from prefix_lab.walk.base import Base, CannotLoad, base_of_shape

    try:
        model, tokenizer = load_tiny_t5()
    except FileNotFoundError as error:
        raise CannotLoad(str(error)) from error
    if config_only:
        return base_of_shape(model.config, "tiny_t5")
    return Base(model, tokenizer, "tiny_t5")
