"""What a frame's names stand for, read without changing or asking anything of the program.

Until Python 3.12, `frame.f_locals` is a copy, the very dict that `locals()` gives the program: to read it fills that
dict, keeps alive what is in it, and in a class body asks the namespace, whatever that is; and once a tracer has
read it, the interpreter writes it back, so that what another thread has put into a shared cell meanwhile is undone.
So the names are read where the interpreter has them. From Python 3.13 on (PEP 667) `f_locals` is a view that does
none of this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import CellType, FrameType
from typing import Any

from prefix_lab.debugger.tokens import MISSING, CodeInfo

LIVE = sys.version_info >= (3, 13)
Read = Callable[[Any, str, Any], Any]

if LIVE:
    VIEW: Any = type((lambda: sys._getframe().f_locals)())
    fast: Any = ()

    def where(frame: FrameType) -> Any:
        """What `info.read` needs in order to look up names of this frame; to be used before it returns."""
        return frame.f_locals

else:
    import ctypes

    VIEW = None
    SHIFT = ctypes.sizeof(ctypes.c_void_p).bit_length() - 1  # from bytes to pointers
    # In pointers: where a frame object has its interpreter frame (after `f_back`), and what is where in that.
    INTERPRETER_FRAME = (object.__basicsize__ >> SHIFT) + 1
    NAMESPACE, FAST = (3 if sys.version_info < (3, 12) else 5), 8 + (8 >> SHIFT)

    def memory(kind: Any, offset: int) -> Any:
        """All memory as an array that begins there: one for all frames, for each new one would be an audit event."""
        return (kind * (sys.maxsize >> SHIFT)).from_address(offset << SHIFT)

    interpreter_frames = memory(ctypes.c_size_t, INTERPRETER_FRAME)
    namespaces, fast = memory(ctypes.py_object, NAMESPACE), memory(ctypes.py_object, FAST)

    def where(frame: FrameType) -> Any:
        """What `info.read` needs in order to look up names of this frame; to be used before it returns."""
        return interpreter_frames[id(frame) >> SHIFT] >> SHIFT

    def check(known: object) -> None:
        """Raises `RuntimeError` if this interpreter's frames are not laid out as CPython's of this version are."""
        cpython = sys.implementation.name == "cpython"
        if not cpython or memory(ctypes.c_size_t, FAST)[where(sys._getframe())] != id(known):
            raise RuntimeError(
                f"prefix_lab cannot record with this build of Python ({sys.version}): its frames are laid out in a way "
                "of their own. Use CPython, or Python 3.13 or newer."
            )

    check(object())


def reader(info: CodeInfo) -> Read:
    """How a name is looked up in a function's frames: `read(where(frame), name, default)`."""
    slots, cells, in_mapping = info.slots, info.cells, info.in_mapping
    if LIVE:
        return read_mapping if in_mapping else VIEW.get

    def read(at: int, name: str, default: Any) -> Any:
        try:
            return fast[at + slots[name]]
        except ValueError:  # it is not bound
            return default

    def read_cell(at: int, name: str, default: Any) -> Any:
        try:
            value = fast[at + slots[name]]
            return value.cell_contents if type(value) is CellType and name in cells else value
        except ValueError:
            return default

    def read_namespace(at: int, name: str, default: Any) -> Any:
        value = read_cell(at, name, MISSING) if name in slots else MISSING  # an inlined comprehension's (3.12)
        return read_mapping(namespaces[at], name, default) if value is MISSING else value

    return read_namespace if in_mapping else read_cell if cells else read


def read_mapping(space: Any, name: str, default: Any) -> Any:
    """From what a module, a class body or `exec` runs in; no method that is its own is called."""
    if issubclass(type(space), dict):
        return dict.get(space, name, default)
    return space.get(name, default) if type(space) is VIEW else default  # while an inlined comprehension runs


def all_names(frame: FrameType, info: CodeInfo) -> Iterable[tuple[str, Any]]:
    """The names of a frame that runs, with their values, as far as these can be read."""
    if info.in_mapping:
        space = namespace(frame)
        return dict.items(space) if issubclass(type(space), dict) else ()
    found = ((name, info.read(where(frame), name, MISSING)) for name in info.slots)
    return [pair for pair in found if pair[1] is not MISSING]


def namespace(frame: FrameType) -> Any:
    """The mapping that a module, a class body or `exec` runs in."""
    return frame.f_locals if LIVE else namespaces[where(frame)]
