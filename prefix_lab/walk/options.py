"""The walk's options: what they take, how they refuse the rest, and a command line that says them again."""

import argparse
import shlex
from typing import Any

DEFAULTS = {
    "model": None,
    "config_only": False,
    "prefix_len": 20,
    "projection": False,
    "batch": 2,
    "token_dim": None,
    "seed": 0,
    "json": False,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them, with their defaults."""
    parser.add_argument("--model", type=some_name, metavar="NAME", help="a folder, a shipped size, or a hub's name")
    parser.add_argument("--config-only", action="store_true", help="shapes and counts only: no weights, no network")
    parser.add_argument("--prefix-len", type=at_least(1, 20), metavar="N", help="virtual tokens (20)")
    parser.add_argument("--projection", action="store_true", help="put the MLP behind the virtual tokens")
    parser.add_argument("--batch", type=at_least(1, 2), metavar="N", help="texts at once (2)")
    parser.add_argument(
        "--token-dim", type=at_least(1, 384), metavar="N", help="heads x head_dim, if that is not d_model"
    )
    parser.add_argument("--seed", type=at_least(0, 0), metavar="N", help="what all random numbers start from (0)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.set_defaults(**DEFAULTS)


class at_least:
    """A whole number from `least` up, as an option's type; anything else is refused with what was expected."""

    def __init__(self, least: int, example: int):
        self.least, self.example = least, example

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not self.least <= number < 2**63:
            wanted = f"a whole number of at least {self.least}, and below 2**63"
            raise argparse.ArgumentTypeError(f"{text!r} was given, expected {wanted}: {self.example}, say")
        return number


def some_name(text: str) -> str:
    """A name that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name was given, expected a folder, a size or a hub's name")
    return text


def command_line(options: dict[str, Any], **changes: Any) -> str:
    """What to type for these options with these changes; what is as by default is left out."""
    words = ["prefix-lab", "walk"]
    for name, default in DEFAULTS.items():
        value = changes.get(name, options.get(name, default))
        if value == default:
            continue
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)
