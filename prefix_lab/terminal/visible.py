"""Text of a program, made fit for a screen: what would steer a terminal is spelled out."""

from prefix_lab.debugger import Recording


def visible(text: str) -> str:
    r"""The text with every character that cannot be seen written as its escape: \x1b, \n, \u202e, …"""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def visible_outline(recording: Recording) -> str:
    """The recording's outline; its line breaks are our own or a message's, and stay."""
    return "\n".join(map(visible, repr(recording).split("\n")))


def count_of(number: int, thing: str) -> str:
    """`1 step`, `1,234 steps`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
