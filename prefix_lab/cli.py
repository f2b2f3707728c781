"""The command line: `prefix-lab walk`."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from prefix_lab.walk.base import Base, CannotLoad, base_of_shape
from prefix_lab.walk.command import add_walk


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    args, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        args.refuse(f"unknown: {' '.join(unknown)}; the options are listed above, and told with --help")
    try:
        return args.run(args)
    except BrokenPipeError:  # whoever read the output has read enough: `prefix-lab walk | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130  # what a shell says of a program that Ctrl-C ended


def build_parser() -> argparse.ArgumentParser:
    """All commands. Each adds itself, and sets as defaults `run`, what it does, and `refuse`, for an unknown option."""
    parser = argparse.ArgumentParser(
        prog="prefix-lab",
        description="See what PEFT's prefix tuning does, stage by stage.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {own_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_walk(commands, load_default)
    return parser


def own_version() -> str:
    """The version that is installed; a checkout can be run without."""
    try:
        return version("prefix-lab")
    except PackageNotFoundError:
        return "not installed"


def load_default(config_only: bool) -> Base:
    """The tiny T5 that ships with the course."""
    from prefix_lab.course import load_tiny_t5

    try:
        model, tokenizer = load_tiny_t5()
    except FileNotFoundError as error:
        raise CannotLoad(str(error)) from error
    if config_only:
        return base_of_shape(model.config, "tiny_t5")
    return Base(model, tokenizer, "tiny_t5")
