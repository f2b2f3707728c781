"""Which names hold secrets: their values are left out of a recording, unless it is asked for them.

A name decides, and whether the value is a text. `token` is an ordinary word where texts are read by models, so a name
that ends with it counts only if its text looks like a key: long, and made of a key's characters. What stands under
another name, in an error's message or in what a function returns, is recorded like anything else.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from prefix_lab.debugger.summary import Summary

WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
WHOLE = {"password", "passwd", "passphrase", "secret", "credential", "credentials", "apikey", "authorization"}
PAIRS = {("api", "key"), ("secret", "key"), ("private", "key"), ("access", "key"), ("auth", "key")}
KEY = re.compile(r"[A-Za-z0-9+/=_.:~-]{20,}")
HIDDEN = Summary("str", "(left out, as its name says that it is secret)", {"secret": True})
NOTE = "Texts were left out whose names say that they are secret. record(..., secrets=True) keeps them."


@functools.lru_cache(maxsize=4096)
def kind_of(name: str) -> str | None:
    """ "secret", "token" for a name that may be a secret's, or None."""
    words = [word.lower() for word in WORD_ENDS.split(name) if word]
    if WHOLE.intersection(words[-1:]) or tuple(words[-2:]) in PAIRS:
        return "secret"
    return "token" if words[-1:] == ["token"] else None


def is_secret(name: str, value: Any) -> bool:
    """Whether this text, under this name, is to be left out."""
    kind = kind_of(name)
    if kind is None or not value:
        return False
    text = bytes.decode(value, errors="replace") if type(value) is bytes else value
    return kind == "secret" or (KEY.fullmatch(text) is not None and any(map(str.isdigit, text)))
