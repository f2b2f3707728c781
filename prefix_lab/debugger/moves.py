"""All that a key does, in the stepper, its page and the terminal's replay: an entry each, with one name and one key.

Keys are a debugger's function keys, and letters as in vim and pdb; of moves, a capital goes the same way backwards.
They bear a browser's names. `says` is the help's text, in English: whoever shows it translates it.
"""

from __future__ import annotations

from typing import NamedTuple

PAGE, TERMINAL = "page", "terminal"


class Move(NamedTuple):
    """`by` is a move of the cursor's, `step_over` for `over`, and `back` says that it goes backwards. `travels` is any
    other entry that leads to another step. `word` is on the page's button, and an entry without one has no button;
    `group` begins a group of buttons, those that are `main` stand on a phone, too. `hint` is in the terminal's bottom
    line. `only` is where it has a meaning, if not in both."""

    does: str
    keys: tuple[str, ...]
    says: str
    word: str = ""
    hint: str = ""
    by: str = ""
    back: bool = False
    travels: bool = False
    group: bool = False
    main: bool = False
    only: str = ""


MOVES = (
    Move("first", ("g", "Home"), "First step", "|◀", travels=True),
    Move("runBack", ("C", "Shift+F5"), "Run back to the breakpoint before", "◀◀", travels=True),
    Move("outBack", ("O",), "Step out, backwards: to the call itself", "◀ out", by="out", back=True, group=True),
    Move(
        "overBack",
        ("N", "p", "k", "Shift+F10"),
        "Step over, backwards: the line before, in this function",
        "◀ over",
        "back",
        by="over",
        back=True,
        main=True,
    ),
    Move("inBack", ("S", "ArrowLeft"), "Step in, backwards: the step before this one", "◀ in", by="in", back=True),
    Move(
        "in",
        ("s", "l", "ArrowRight", "F11"),
        "Step in: the very next step, into calls",
        "in ▶",
        "into",
        by="in",
        group=True,
        main=True,
    ),
    Move(
        "over", ("n", "j", "F10"), "Step over: the next line of this function", "over ▶", "over", by="over", main=True
    ),
    Move("out", ("o", "Shift+F11"), "Step out: to the caller, after this call", "out ▶", "leave", by="out", main=True),
    Move("run", ("c", "F5"), "Run to the next breakpoint", "▶▶", "run", travels=True, group=True),
    Move("last", ("G", "End"), "Last step", "▶|", travels=True),
    Move("endBack", ("R",), "Back to the first step of this call", by="end", back=True),
    Move("end", ("r",), "On to the last step of this call: its return", by="end"),
    Move("stageBefore", ("[",), "Stage before", "◀ stage", travels=True, group=True),
    Move("nextStage", ("]",), "Next stage", "stage ▶", travels=True),
    Move("undo", ("u",), "Undo the last jump", "undo", travels=True, group=True),
    Move("breakHere", ("b", "F9"), "Set or take away a breakpoint at this line", "break", "break"),
    Move("stopAt", ("B",), "Stop elsewhere: at a stage, a function, a line, a condition"),
    Move("stopWhen", ("w",), "Stop when a name's value changes"),
    Move("clear", ("D",), "Take all breakpoints away"),
    Move("logged", ("L",), "What the log points say"),
    Move("skipHere", ("x",), "Step past this function from now on, or into it again"),
    Move("mark", ("m",), "Mark this step, to ask later what has changed since"),
    Move("since", ("=",), "What has changed between the mark and here"),
    Move("find", ("/",), "Search lines, functions and values", "search", "find"),
    Move("match", (".", "F3"), "The next place that was found", only=TERMINAL),
    Move("matchBack", (",", "Shift+F3"), "The place before that was found", only=TERMINAL),
    Move("calls", ("i",), "All calls, as a tree", hint="calls"),
    Move("history", ("h",), "History: every value that a name took in this call"),
    Move("value", ("v",), "Value: all that is known of it, with statistics and parts", hint="value", only=TERMINAL),
    Move("number", (":", "t"), "Go to a step by its number", only=TERMINAL),
    Move("up", ("ArrowUp", "PageUp"), "Look further up in the source", only=TERMINAL),
    Move("down", ("ArrowDown", "PageDown"), "Look further down", only=TERMINAL),
    Move("aside", ("<",), "Look to the left, in long lines", only=TERMINAL),
    Move("along", (">",), "Look to the right", only=TERMINAL),
    Move("full", ("f",), "Full window", "full", only=PAGE),
    Move("help", ("?", "F1"), "Help: all keys", "?", "help"),
    Move("close", ("Escape",), "Close what is open; give up a search; leave the full window"),
    Move("quit", ("q", "Control+c"), "Quit", hint="quit", only=TERMINAL),
)

SHOWN = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "Escape": "Esc", "Control+c": "Ctrl+C"}
"""Keys as people say them, where they say something else."""


def moves_of(where: str) -> list[Move]:
    """The entries that a page has, or the terminal, in the order of the toolbar and of the help."""
    return [one for one in MOVES if one.only in ("", where)]
