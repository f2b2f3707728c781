"""`prefix-lab walk`: its options, the walk with each stage shown as it is done, and its exit status."""

import argparse
import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

from prefix_lab import PrefixTuningConfig
from prefix_lab.locale import N_, _
from prefix_lab.walk.compare import Check
from prefix_lab.walk.model import Base, choose_task, example, load_base, size_like
from prefix_lab.walk.page import About, Painter, Row, about, rows_about, rows_of, rows_of_end, rows_of_refusal
from prefix_lab.walk.run import StageResult, walk
from prefix_lab.widgets.sizes import shipped

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
    parser.add_argument("--model", type=some_name, metavar="NAME", help=_("a folder, a shipped size, or a hub's name"))
    parser.add_argument("--config-only", action="store_true", help=_("shapes and counts only: no weights, no network"))
    parser.add_argument("--prefix-len", type=at_least(1, 20), metavar="N", help=_("virtual tokens (20)"))
    parser.add_argument("--projection", action="store_true", help=_("put the MLP behind the virtual tokens"))
    parser.add_argument("--batch", type=at_least(1, 2), metavar="N", help=_("texts at once (2)"))
    parser.add_argument(
        "--token-dim", type=at_least(1, 384), metavar="N", help=_("heads x head_dim, if that is not d_model")
    )
    parser.add_argument("--seed", type=at_least(0, 0), metavar="N", help=_("what all random numbers start from (0)"))
    parser.add_argument("--json", action="store_true", help=_("one JSON document instead of text"))
    parser.set_defaults(**DEFAULTS)


def at_least(least: int, example: int) -> Callable[[str], int]:
    """A whole number from `least` up, as an option's type; anything else is refused with what was expected."""

    def number(text: str) -> int:
        if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or not least <= int(text) < 2**63:
            wanted = f"a whole number of at least {least}, and below 2**63"
            raise argparse.ArgumentTypeError(f"{text!r} was given, expected {wanted}: {example}, say")
        return int(text)

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


EQUAL, DIFFERENT, REFUSED = 0, 1, 2

EPILOG = N_(
    "exit status: 0 if PEFT gives the same at every stage, or is not installed; 1 if a stage differs or the walk has "
    "to end early; 2 if an option or the model is refused"
)


def add_walk(subparsers: Any, load_default: Callable[[bool], Base]) -> argparse.ArgumentParser:
    """Add the command. `load_default` gives the base model that ships; True asks for its shapes only."""
    parser = subparsers.add_parser(
        "walk",
        help=_("walk from get_peft_model to a saved prefix, with PEFT beside every stage"),
        description=_(
            "Walk through prefix tuning stage by stage, and hold each stage against PEFT's own result. "
            "Without --model, the tiny T5 that ships."
        ),
        epilog=_(EPILOG),
    )
    add_options(parser)
    parser.set_defaults(run=lambda args: run_walk(args, load_default), refuse=parser.error)
    return parser


def run_walk(args: argparse.Namespace, load_default: Callable[[bool], Base]) -> int:
    """The whole command; returns its exit status."""
    try:
        base = load_base(args.model, args.config_only) if args.model else load_default(args.config_only)
        task = choose_task(base.model.config)[0]
        batch, texts = example(base, task, args.batch, args.seed)
    except ValueError as error:  # CannotLoad, or a model that reads no text
        Painter(sys.stderr).paint(refusal(str(error), args))
        return REFUSED
    if "pydevd" in sys.modules:
        from prefix_lab.shapes.finding import ready_for_debugger

        ready_for_debugger(base.model.config, args.projection)
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
    return rows_of_refusal(why, default, shape, sorted(shipped()))


def as_json(head: About, results: Sequence[StageResult], instead: str = "") -> str:
    """`equal` is true, false, or null where nothing was compared; `instead` gets past the error that ended a walk."""
    compared = [result.equal for result in results if result.equal is not None]
    axes = [dict(zip(("name", "size", "meaning"), axis, strict=True)) for axis in head.axes]
    stages = []
    for result in results:
        fields = result._asdict()
        stage = fields.pop("stage")
        stages.append({"name": stage.name, "sentence": _(stage.sentence), **fields, "equal": result.equal})
    document = {
        "about": {**head._asdict(), "axes": axes},
        "stages": stages,
        "complete": not results[-1].stop,
        "instead": instead or None,
        "equal": all(compared) if compared else None,
    }
    return json.dumps(plain(document), indent=2)


def plain(value: Any) -> Any:
    """What JSON has a form for: a NamedTuple as an object, an enum as its text, null for what is no finite number."""
    if isinstance(value, Check):
        value = {**value._asdict(), "equal": value.equal}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, str | int) else str(value)
