"""How NumPy's arrays and numbers look in a recording, whatever their subclasses define."""

from __future__ import annotations

import numpy as np

from prefix_lab.debugger.look import Look, full_name, name_of
from prefix_lab.debugger.summary import ATOMS, Summary, shortened

shape_of, dtype_of = (vars(np.ndarray)[name].__get__ for name in ("shape", "dtype"))


def describe_array(value: np.ndarray, look: Look) -> Summary:
    """Shape and dtype; which array it is, is not followed."""
    shape, dtype = shape_of(value), dtype_of(value)
    known = look.memo.get((shape, dtype))
    if known is None:
        text = f"ndarray ({', '.join(map(str, shape))}) {dtype}"
        known = look.memo[(shape, dtype)] = Summary("numpy.ndarray", text, {"shape": shape, "dtype": str(dtype)})
    return known


def describe_scalar(value: np.generic, look: Look) -> Summary:
    """One number, and the plain one that it is equal to; a number that Python has none for by its type alone."""
    cls, plain = type(value), np.generic.item(value)
    if type(plain) not in ATOMS:
        return look.plain(cls)
    text = f"{name_of(cls)}({shortened(plain)})"
    return look.shared((cls, text), (("", plain),), lambda: Summary(full_name(cls), text, {"value": plain}))
