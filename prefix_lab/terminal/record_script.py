"""`prefix-lab record`, from its words to its exit status."""

import argparse
import os
import sys
from contextlib import suppress

# The outline comes after the script, whose folder is by then the first in which modules are looked for.
from prefix_lab.debugger import calls, outline, record  # noqa: F401
from prefix_lab.terminal.output import Output, default_name
from prefix_lab.terminal.outside import WithoutOurs
from prefix_lab.terminal.program import Program, module, script
from prefix_lab.terminal.progress import step_bar
from prefix_lab.terminal.run import FAILED, run
from prefix_lab.terminal.signs import all_signs


def record_script(args: argparse.Namespace) -> int:
    """Run what the words name, save the recording, and return the status that the program ended with."""
    words = args.module or args.script
    if not words:
        args.refuse("SCRIPT is missing: give a Python file, or -m and a module, after the options")
    try:
        output = Output(args.output or default_name(words[0], bool(args.module)))
        program = (module if args.module else script)(words[0], words[1:])
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        print(
            f"prefix-lab record: {words[0]} is not Python as it stands, so nothing ran, and nothing is saved.",
            file=sys.stderr,
        )
        return FAILED
    except ValueError as error:
        args.refuse(str(error))
    return record_program(program, output, args)


def record_program(program: Program, output: Output, args: argparse.Namespace) -> int:
    stderr, process = sys.stderr, os.getpid()
    with step_bar() as seen:
        try:
            recorder = record(
                args.include or [program.file],
                keep=args.keep,
                watch=args.watch,
                max_steps=args.max_steps,
                progress=seen,
            )
        except ValueError as error:  # its text begins with the argument's name: `include: there is no module …`
            args.refuse(f"argument --{error}")
        # `record` keeps out the debugger's own frames, and knows nothing of those that stand around it here.
        recorder.session.scope = WithoutOurs(recorder.session.scope)
        recording, status = run(program, recorder)
    if os.getpid() != process:  # a child that the program forked comes to its end here, too; its parent saves
        return status
    with suppress(OSError, ValueError):  # of a reader who has gone, or a stream that the program closed, Python tells
        sys.stdout.flush()
    with all_signs(stderr):
        saved = output.save(recording, stderr)
    return status if saved else status or FAILED
