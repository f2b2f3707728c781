"""`prefix-lab export`: a recording as one HTML page that needs no kernel and no network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefix_lab.debugger import Recording

EXPORT = "write a recording, or the walk of the tiny T5, as one HTML page"
LANGUAGES = ("en", "zh")


def add_export(subparsers: Any, record_walk: Any) -> None:
    """Add the command. `record_walk()` records the walk that is written when no file is named."""
    parser = subparsers.add_parser(
        "export",
        help=EXPORT,
        description="Write one HTML file in which a recording can be walked through, forwards and backwards, in any "
        "browser, with no kernel and no network. Its address keeps the place: walk.html#step=120.",
        epilog="exit status: 0; 2 if an option or the file is refused",
        allow_abbrev=False,
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="what `prefix-lab record` or Recording.save wrote (PEFT's own walk)"
    )
    parser.add_argument("--output", metavar="PAGE", help="where to write (FILE's name with .html, in this folder)")
    parser.add_argument("--title", default="", help="what heads the page (the file's name)")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of buttons and headings (en)")
    parser.set_defaults(run=lambda args: export(args, record_walk), refuse=parser.error)


def export(args: argparse.Namespace, record_walk: Any) -> int:
    """The whole of the command; returns its exit status."""
    try:
        recording, name = opened(args.file, record_walk)
        page = Path(args.output) if args.output else Path(f"{name}.html")
        recording.to_html(page, title=args.title or name, language=args.language)
    except (ValueError, OSError) as error:
        print(f"prefix-lab export: {error}", file=sys.stderr)
        return 2
    print(f"{page}: {len(recording):,} steps, {page.stat().st_size / 1e3:,.0f} kB. Open it in any browser.")
    return 0


def opened(file: str | None, record_walk: Any) -> tuple[Recording, str]:
    """The recording, and what it is called."""
    if file is None:
        return record_walk(), "walk"
    from prefix_lab.debugger import Recording

    return Recording.load(file), Path(file).stem
