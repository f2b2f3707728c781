"""Shapes with names: what each axis of a tensor stands for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prefix_lab.shapes.axes import AXES, evaluate, name_axes_of, named

if TYPE_CHECKING:
    from prefix_lab.shapes.cache import with_kept_names
    from prefix_lab.shapes.errors import ShapeError, shape_error
    from prefix_lab.shapes.finding import name_axes
    from prefix_lab.shapes.names import Names

__all__ = [
    "AXES",
    "Names",
    "ShapeError",
    "evaluate",
    "name_axes",
    "name_axes_of",
    "named",
    "shape_error",
    "with_kept_names",
]

# These bring the debugger with them; each is imported when it is asked for.
_HOMES = {
    "Names": "names",
    "ShapeError": "errors",
    "name_axes": "finding",
    "shape_error": "errors",
    "with_kept_names": "cache",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"prefix_lab.shapes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'prefix_lab.shapes' has no attribute {name!r}")
