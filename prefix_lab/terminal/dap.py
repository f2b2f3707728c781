"""`prefix-lab dap`: a recording served to an editor, on standard input and output or on a port."""

import argparse
import sys

from prefix_lab.debugger import Recording
from prefix_lab.debugger.dap import Limits, serve_port, serve_stdio


def serve_file(args: argparse.Namespace) -> int:
    """Load and serve; returns the exit status."""
    try:
        recording = Recording.load(args.file)
        len(recording)
    except ValueError as error:
        args.refuse(str(error))
    limits = Limits(idle=args.idle)
    if args.port is None:
        return serve_here(recording, limits, args)
    try:
        serve_port(recording, args.port, limits, listening, complain)
    except OSError as error:
        args.refuse(f"argument --port: {args.port} cannot be had ({error.strerror}). Give another, or 0 for a free one")
    print(f"prefix-lab dap: no client came for {args.idle} seconds", file=sys.stderr)
    return 0


def serve_here(recording: Recording, limits: Limits, args: argparse.Namespace) -> int:
    if sys.stdin is not None and sys.stdin.isatty():
        print("prefix-lab dap: waiting for an editor's words on standard input; --port N is for those that connect, "
              "and prefix-lab replay for people", file=sys.stderr)  # fmt: skip
    try:
        reason = serve_stdio(recording, limits)
    except ValueError as error:
        args.refuse(str(error))
    complain(reason)
    return 1 if reason else 0


def listening(port: int) -> None:
    print(f"listening on 127.0.0.1:{port}, for one client at a time; Ctrl-C ends", flush=True)


def complain(reason: str) -> None:
    if reason:
        print(f"prefix-lab dap: {reason}", file=sys.stderr)
