"""The command line: `prefix-lab walk | record | replay | …`, what each command takes, and who does it.

What a command needs is imported when it runs, so that `--help` is there at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefix_lab.locale import N_, _
from prefix_lab.locale.room import wrapped
from prefix_lab.terminal.signs import all_signs

if TYPE_CHECKING:
    from prefix_lab.debugger import Recording
    from prefix_lab.walk.model import Base

WALK = N_("walk from get_peft_model to a saved prefix, with PEFT beside every stage")
RECORDED = N_("what `prefix-lab record` or Recording.save wrote")
KEEPS = ("shapes", "statistics", "small")
MAX_STEPS = 2_000_000
STEPS_SHOWN = 20
IDLE_SECONDS = 8 * 3600


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
    parser = Parser(
        prog="prefix-lab",
        description=_("See what PEFT's prefix tuning does, stage by stage; record and replay any Python script."),
    )
    shown = f"%(prog)s {own_version()}"
    parser.add_argument("--version", action="version", version=shown, help=_("show the version and exit"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = next((word for word in words if not word.startswith("-")), None)
    add_walk(commands, chosen=command == "walk")
    add_record(commands)
    add_replay(commands)
    add_dap(commands)
    add_export(commands)
    add_progress(commands)
    add_passport(commands)
    add_class(commands)
    return parser


class Help(argparse.HelpFormatter):
    """Lines are broken by the room that they take, where a Chinese sign takes two cells."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))


class Parser(argparse.ArgumentParser):
    """One whose help is in the reader's language, argparse's own words too; commands below it are of its kind."""

    def __init__(self, **told: Any):
        super().__init__(**{"formatter_class": Help, "allow_abbrev": False} | told)
        self._positionals.title, self._optionals.title = _("positional arguments"), _("options")
        self._actions[0].help = _("show this help message and exit")


def own_version() -> str:
    """The version that is installed; a checkout can be run without."""
    try:
        return version("prefix-lab")
    except PackageNotFoundError:
        return "not installed"


def add_walk(commands: Any, chosen: bool) -> None:
    """Add `walk`: its line in the list of commands alone, unless it is to run, since it imports torch."""
    if chosen:
        from prefix_lab.walk.command import add_walk as add

        add_years(add(commands, load_default))
    else:
        commands.add_parser("walk", help=_(WALK))


def add_years(parser: argparse.ArgumentParser) -> None:
    """The walk's options for a PEFT of another year."""
    add, walk_today = parser.add_argument, parser.get_default("run")
    add("--peft", metavar="VERSION", help=_("that release of PEFT beside today's, such as 0.4.0; installed once"))
    add("--transformers", metavar="VERSION", help=_("the transformers for it (that of its month)"))
    add("--yes", action="store_true", help=_("install it without a question"))
    parser.set_defaults(run=lambda args: run_years(args) if args.peft else walk_today(args))


def run_years(args: argparse.Namespace) -> int:
    """Each stage of the walk, in an old PEFT and in today's."""
    from prefix_lab.course import record_walk
    from prefix_lab.walk.command import DEFAULTS
    from prefix_lab.years.beside import as_text, then_and_now
    from prefix_lab.years.environment import release

    fitting = ("prefix_len", "projection")
    for name, default in DEFAULTS.items():
        if name not in fitting and getattr(args, name) != default:
            args.refuse(f"--{name.replace('_', '-')} does not go with --peft, which walks through the tiny T5")
    asked = f"peft=={args.peft}" + (f" transformers=={args.transformers}" if args.transformers else "")
    try:
        options = {"prefix_len": args.prefix_len, "projection": args.projection, "model": False, "keep": "statistics"}
        options["named"] = False  # no axis is shown
        then = record_walk(asked, install=args.yes or None, **options)
        print(as_text(then_and_now(then, record_walk("peft", **options)), release(asked)))
    except ValueError as error:
        args.refuse(str(error))
    except RuntimeError as error:
        print(f"prefix-lab walk: {error}", file=sys.stderr)
        return 2
    return 0


def load_default(config_only: bool) -> Base:
    """The tiny T5 that ships with the course."""
    from prefix_lab.course import load_tiny_t5
    from prefix_lab.walk.model import Base, CannotLoad, base_of_shape

    try:
        model, tokenizer = load_tiny_t5()
    except FileNotFoundError as error:
        raise CannotLoad(str(error)) from error
    if config_only:
        return base_of_shape(model.config, "tiny_t5")
    return Base(model, tokenizer, "tiny_t5")


def add_command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], **told: str) -> Any:
    """A command by what it is called, what does it, and what `--help` tells of it."""
    parser = commands.add_parser(name, **told)
    parser.set_defaults(run=run, refuse=parser.error)
    return parser


def add_record(commands: Any) -> None:
    parser = add_command(
        commands,
        "record",
        run_record,
        help=_("run a Python script, and keep what each of its lines did"),
        usage="prefix-lab record [options] SCRIPT [args ...]\n       prefix-lab record [options] -m MODULE [args ...]",
        description=_(
            "Run SCRIPT as `python SCRIPT args` would, and save what each line did, for `prefix-lab replay`. "
            "Options stand before SCRIPT; all that follows it is its own."
        ),
        epilog=_("exit status: the script's own; 2 if an option is refused"),
    )
    add = parser.add_argument
    add("script", nargs=argparse.REMAINDER, metavar="SCRIPT [args ...]", help=_("a Python file"))
    add("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help=_("a module instead"))
    add(
        "--include",
        action="append",
        metavar="NAME",
        help=_("record this package, module, file or folder; may be given several times (the script's file)"),
    )
    add("--output", metavar="FILE", help=_("where to save (SCRIPT's name, with .recording, in this folder)"))
    add(
        "--keep",
        choices=KEEPS,
        default="shapes",
        help=_("of tensors: shapes; statistics too; numbers of small ones too"),
    )
    add("--watch", action="append", default=[], metavar="EXPR", help=_("evaluate this after each line; several times"))
    add("--secrets", action="store_true", help=_("keep texts named password, api_key and the like, too"))
    add(
        "--max-steps",
        type=at_least(1),
        default=MAX_STEPS,
        metavar="N",
        help=_("stop recording there ({steps:,})").format(steps=MAX_STEPS),
    )


def run_record(args: argparse.Namespace) -> int:
    from prefix_lab.terminal.record import record_script

    return record_script(args)


def add_replay(commands: Any) -> None:
    parser = add_command(
        commands,
        "replay",
        run_replay,
        help=_("walk through a recording, forwards and backwards"),
        description=_(
            "Walk through a recording in the terminal, with source, values and stack; ? shows the keys. In a "
            "pipe, or with --print, an outline and some steps as plain lines."
        ),
        epilog=_("exit status: 0; 2 if an option or the file is refused"),
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=_(RECORDED))
    add("--print", action="store_true", dest="printed", help=_("plain lines, also in a terminal"))
    add("--from", type=at_least(0), dest="first", default=0, metavar="N", help=_("start at this step (0)"))
    add(
        "--count",
        type=at_least(0),
        default=STEPS_SHOWN,
        metavar="M",
        help=_("print so many steps ({steps})").format(steps=STEPS_SHOWN),
    )


def run_replay(args: argparse.Namespace) -> int:
    from prefix_lab.terminal.replay import replay_file

    return replay_file(args)


def add_dap(commands: Any) -> None:
    parser = add_command(
        commands,
        "dap",
        run_dap,
        help=_("serve a recording to an editor's debugger, which then steps both ways"),
        description=_(
            "Speak the Debug Adapter Protocol over a recording: an editor sets breakpoints, steps and runs "
            "forwards and backwards, and shows the values. On standard input and output, or on a port."
        ),
        epilog=_("exit status: 0; 1 if what came was not the protocol; 2 if an option or the file is refused"),
    )
    add = parser.add_argument
    add("file", metavar="FILE", help=_(RECORDED))
    add(
        "--port",
        type=at_least(0, 65535),
        metavar="N",
        help=_("listen on this port of this machine alone; 0 takes a free one"),
    )
    add(
        "--idle",
        type=at_least(1),
        default=IDLE_SECONDS,
        metavar="S",
        help=_("end after S silent seconds ({seconds})").format(seconds=IDLE_SECONDS),
    )


def run_dap(args: argparse.Namespace) -> int:
    """Serve a recording to an editor, on standard input and output or on a port."""
    from prefix_lab.debugger import Recording
    from prefix_lab.debugger.dap import refuse_stdio, serve_port, serve_stdio
    from prefix_lab.shapes import with_kept_names

    def listening(port: int) -> None:
        said = _("listening on {address}, for one client at a time; Ctrl-C ends")
        print(said.format(address=f"127.0.0.1:{port}"), flush=True)

    def complain(reason: str) -> None:
        if reason:
            print(f"prefix-lab dap: {reason}", file=sys.stderr)

    try:
        recording = with_kept_names(Recording.load(args.file))
    except ValueError as error:
        if args.port is None and sys.stdin is not None and not sys.stdin.isatty():
            refuse_stdio(str(error))
        args.refuse(str(error))
    if args.port is None:
        if sys.stdin is not None and sys.stdin.isatty():
            complain(
                _(
                    "waiting for an editor's words on standard input; --port N is for those that connect, and "
                    "prefix-lab replay for people"
                )
            )
        reason = serve_stdio(recording, args.idle)
        complain(reason)
        return 1 if reason else 0
    try:
        serve_port(recording, args.port, args.idle, listening, complain)
    except OSError as error:
        why = os.strerror(error.errno)
        args.refuse(f"argument --port: {args.port} cannot be had ({why}). Give another, or 0 for a free one")
    complain(_("no client came for {seconds} seconds").format(seconds=args.idle))
    return 0


def at_least(least: int, most: int = 10**18 - 1) -> Callable[[str], int]:
    """A whole number in these bounds, as an option's type; anything else is refused with what was expected."""
    expected = f"a whole number of at least {least}" if most > 65535 else f"a port's number, from {least} to {most}"

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} was given, expected {expected}")
        return int(text)

    return number


def add_export(commands: Any) -> None:
    parser = add_command(
        commands,
        "export",
        run_export,
        help=_("write a recording, or the walk of the tiny T5, as one HTML page or a trace for Perfetto"),
        description=_(
            "Write one HTML file in which a recording can be walked through, forwards and backwards, in any "
            "browser, with no kernel and no network. Its address keeps the place: walk.html#step=120."
        ),
        epilog=_("exit status: 0; 2 if an option or the file is refused"),
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help=_("{file} (PEFT's own walk)").format(file=_(RECORDED)))
    parser.add_argument("--output", metavar="PAGE", help=_("where to write (FILE's name with .html, in this folder)"))
    parser.add_argument("--title", default="", help=_("what heads the page (the file's name)"))
    parser.add_argument(
        "--perfetto",
        action="store_true",
        help=_("instead, calls on a time line, a track for each thread: FILE's name with .json, for ui.perfetto.dev"),
    )


def run_export(args: argparse.Namespace) -> int:
    from prefix_lab.debugger.perfetto import write_trace

    try:
        recording, name = opened(args.file)
        if args.perfetto and args.title:
            args.refuse("--title heads a page, and --perfetto writes none")
        page = Path(args.output or (f"{name}.json" if args.perfetto else f"{name}.html"))
        if args.perfetto:
            write_trace(recording, page)
        else:
            recording.to_html(page, title=args.title or name)
    except (ValueError, OSError) as error:
        print(f"prefix-lab export: {error}", file=sys.stderr)
        return 2
    said = _("{page}: {steps:,} steps, {size:,.0f} kB. Open it in any browser.")
    if args.perfetto:
        said = _("{page}: {steps:,} steps, {size:,.0f} kB. Open it in ui.perfetto.dev; it stays on your machine.")
    print(said.format(page=page, steps=len(recording), size=page.stat().st_size / 1e3))
    return 0


def opened(file: str | None) -> tuple[Recording, str]:
    """The recording, and what it is called; with no file, PEFT's own walk on the tiny T5."""
    if file is None:
        from prefix_lab.course import record_walk

        return record_walk(), "walk"
    from prefix_lab.debugger import Recording
    from prefix_lab.shapes import with_kept_names

    return with_kept_names(Recording.load(file)), Path(file).stem


def add_progress(commands: Any) -> None:
    parser = add_command(
        commands,
        "progress",
        run_progress,
        help=_("which exercises of the course are solved"),
        description=_("Show which exercises are solved. The notes are in a file on this machine, and stay there."),
        epilog=_("exit status: 0; 2 if an option is refused"),
    )
    parser.add_argument(
        "--reset", metavar="LESSON", help=_("forget a lesson's exercises, by its number, or all of them: all")
    )


def run_progress(args: argparse.Namespace) -> int:
    from prefix_lab.course.progress import show_progress

    if args.reset is not None:
        try:
            forget(args.reset)
        except ValueError as error:
            args.refuse(str(error))
    print(show_progress())
    return 0


def forget(lesson: str) -> None:
    """Forget what is done of a lesson, or of "all". Raises `ValueError` for another word."""
    from prefix_lab.course import progress

    if lesson == "all":
        progress.reset()
    else:
        progress.reset(progress.lesson(int(lesson) if lesson.isdecimal() else lesson).number)


def add_passport(commands: Any) -> None:
    parser = add_command(
        commands,
        "passport",
        run_passport,
        help=_("what was seen at each stage, and how"),
        description=_(
            "Show the passport that the course's live stops have stamped: for each stage the frame, its tensors, what "
            "was asked and answered. A saved one has a checksum, which shows a change and is no proof."
        ),
        epilog=_("exit status: 0; 2 if an option is refused or the file cannot be written"),
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        help=_("write it, in place of showing it: as .html to print, as .txt or .json to hand in"),
    )


def run_passport(args: argparse.Namespace) -> int:
    from prefix_lab.course.passport import show_passport

    passport = show_passport()
    if args.save is not None:
        try:
            print(_("{file}: saved.").format(file=passport.save(args.save)))
        except (ValueError, OSError) as error:
            print(f"prefix-lab passport: {error}", file=sys.stderr)
            return 2
        return 0
    print(passport)
    return 0


def add_class(commands: Any) -> None:
    parser = add_command(
        commands,
        "class",
        run_class,
        help=_("who of a class stands where, from the passports in a folder"),
        description=_(
            "Read the passports that learners handed in, and print who stands where, at which exercises most are "
            "stuck, and on which misconception. A file that is none, or was altered, is named; nothing in it is run, "
            "and nothing is sent anywhere."
        ),
        epilog=_("exit status: 0; 2 if an option or the folder is refused, or a file cannot be written"),
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help=_("where the passports are, each in a folder of its own or side by side"))
    add("--csv", metavar="FILE", help=_("write a line for each learner and exercise, for a spreadsheet"))
    add("--plot", metavar="FILE", help=_("draw it, as .png or .svg"))


def run_class(args: argparse.Namespace) -> int:
    from prefix_lab.course.class_plot import draw
    from prefix_lab.course.classroom import read_class, save_csv

    saved = []
    try:
        found = read_class(args.folder)
        for path, save in ((args.csv, save_csv), (args.plot, draw)):
            if path is not None:
                save(found, path)
                saved.append(_("{path}: saved.").format(path=path))
    except (ValueError, OSError, ImportError) as error:
        print(f"prefix-lab class: {error}", file=sys.stderr)
        return 2
    print(found, *saved, sep="\n")
    return 0
