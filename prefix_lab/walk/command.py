"""`prefix-lab walk`: load a model, walk with it, and show each stage as it is done."""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.walk.about import about
from prefix_lab.walk.as_json import as_json
from prefix_lab.walk.base import Base, load_base, shipped_sizes, size_like
from prefix_lab.walk.example import example
from prefix_lab.walk.layout import Row, rows_about, rows_of, rows_of_end, rows_of_refusal
from prefix_lab.walk.options import add_options, command_line
from prefix_lab.walk.paint import Painter
from prefix_lab.walk.results import StageResult
from prefix_lab.walk.run import walk
from prefix_lab.walk.task import choose_task

EQUAL, DIFFERENT, REFUSED = 0, 1, 2

EPILOG = """
exit status: 0 if PEFT gives the same at every stage, or is not installed; 1 if a stage differs or the walk has to end
early; 2 if an option or the model is refused
"""


def add_walk(subparsers: Any, load_default: Callable[[bool], Base]) -> None:
    """Add the command. `load_default` gives the base model that ships; True asks for its shapes only."""
    parser = subparsers.add_parser(
        "walk",
        help="walk from get_peft_model to a saved prefix, with PEFT beside every stage",
        description="Walk through prefix tuning stage by stage, and hold each stage against PEFT's own result. "
        "Without --model, the tiny T5 that ships.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add_options(parser)
    parser.set_defaults(run=lambda args: run_walk(args, load_default), refuse=parser.error)


def run_walk(args: argparse.Namespace, load_default: Callable[[bool], Base]) -> int:
    """The whole command; returns its exit status."""
    try:
        base = load_base(args.model, args.config_only) if args.model else load_default(args.config_only)
        task, _ = choose_task(base.model.config)
        batch, texts = example(base, task, args.batch, args.seed)
    except ValueError as error:  # CannotLoad, or a model that reads no text
        Painter(sys.stderr).paint(refusal(str(error), args))
        return REFUSED
    config = PrefixTuningConfig(
        task_type=task,
        num_virtual_tokens=args.prefix_len,
        token_dim=args.token_dim,
        prefix_projection=args.projection,
    )
    head = about(base, config, batch, texts, args.seed)
    page = None if args.json else Painter(sys.stdout)
    if page:
        page.paint(rows_about(head))
    results = []
    for result in walk(base.model, config, batch, seed=args.seed):
        results.append(result)
        if page:
            page.paint(rows_of(len(results), result, head.versions["peft"], again(args, result)))
    if page:
        page.paint(rows_of_end(results, head.versions["peft"]))
    else:
        print(as_json(head, results, again(args, results[-1])))
    return DIFFERENT if results[-1].stop or any(result.equal is False for result in results) else EQUAL


def again(args: argparse.Namespace, result: StageResult) -> str:
    """The command line that gets past the stage where the walk ended; empty if it did not end, or none is known."""
    if not result.stop or not result.stop.way_out:
        return ""
    option = {"num_virtual_tokens": "prefix_len", "token_dim": "token_dim"}
    return command_line(vars(args), **{option[name]: value for name, value in result.stop.way_out.items()})


def refusal(why: str, args: argparse.Namespace) -> Iterator[Row]:
    """A model that cannot be had: why, and what works, with the other options as they were."""
    default = command_line(vars(args), model=None)
    shape = command_line(vars(args), model=size_like(args.model or ""), config_only=True)
    return rows_of_refusal(why, default, shape, shipped_sizes())
