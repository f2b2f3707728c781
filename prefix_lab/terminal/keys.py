"""The keys of a replay: a debugger's function keys, letters as in vim and pdb, capitals for the same way backwards."""

from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """Keys that do one thing. `names` are textual's, `shown` is what people say, `hint` is for the bottom line."""

    names: str
    action: str
    shown: str
    says: str
    hint: str = ""


# A terminal without newer protocols says F13 and up for Shift with a function key: F23 is Shift+F11.
KEYS = (
    Key("n,j,f10", "over(False)", "n  j  F10", "step over: the next line of this function", "over"),
    Key("s,l,right,f11", "into(False)", "s  l  →  F11", "step in: the very next step, into calls", "in"),
    Key("o,shift+f11,f23", "out(False)", "o  Shift+F11", "step out: to the caller, after this call", "out"),
    Key("N,p,k,shift+f10,f22", "over(True)", "N  p  k  Shift+F10", "step over, backwards", "back"),
    Key("S,left", "into(True)", "S  ←", "step in, backwards: the step before this one"),
    Key("O", "out(True)", "O", "step out, backwards: to the call itself"),
    Key("c,f5", "run_on(False)", "c  F5", "run on to the next breakpoint", "run"),
    Key("C,shift+f5,f17", "run_on(True)", "C  Shift+F5", "run backwards to the breakpoint before"),
    Key("b", "ask_breakpoint", "b", "set a breakpoint, or take it away by typing it again", "break"),
    Key("f9", "break_here", "F9", "the same for the current line; so does a click on any line"),
    Key("B", "clear", "B", "take all breakpoints away"),
    Key("slash", "ask_search", "/", "search in source lines and values", "find"),
    Key("full_stop,f3", "match(False)", ".  F3", "the next place that was found"),
    Key("comma,shift+f3,f15", "match(True)", ",  Shift+F3", "the place before that was found"),
    Key("i", "calls", "i", "calls: all of them as a tree; Enter goes there", "calls"),
    Key("h", "ask_history", "h", "history: every value that a name took in this call"),
    Key("v", "ask_value", "v", "value: all that is known of it, with statistics and parts", "value"),
    Key("colon,t", "ask_step", ":  t", "go to a step by its number"),
    Key("g,home", "goto_end(False)", "g  Home", "the first step"),
    Key("G,end", "goto_end(True)", "G  End", "the last step"),
    Key("u", "undo", "u", "undo the last jump"),
    Key("up", "scroll(-1)", "↑  PageUp", "look further up in the source"),
    Key("down", "scroll(1)", "↓  PageDown", "look further down"),
    Key("less_than_sign", "sideways(-20)", "<", "look to the left, in long lines"),
    Key("greater_than_sign", "sideways(20)", ">", "look to the right"),
    Key("question_mark,f1", "help", "?  F1", "this help", "help"),
    Key("escape", "give_up", "Esc", "close what was opened; give up a search"),
    Key("q,ctrl+c", "quit", "q", "quit", "quit"),
)
UNLISTED = (Key("pageup", "scroll(-10)", "", ""), Key("pagedown", "scroll(10)", "", ""))


def bindings() -> list[Binding]:
    """For textual. The bottom line shows those with a hint."""
    return [
        Binding(key.names, key.action, key.hint or key.says, show=bool(key.hint), key_display=key.shown.split("  ")[0])
        for key in (*KEYS, *UNLISTED)
    ]
