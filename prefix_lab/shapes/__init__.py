"""Shapes with names: what each axis of a tensor stands for."""

from typing import TYPE_CHECKING, Any

from prefix_lab.shapes.axes import AXES, evaluate, name_axes_of, named

if TYPE_CHECKING:
    from prefix_lab.shapes.names import Names, name_axes

__all__ = ["AXES", "Names", "evaluate", "name_axes", "name_axes_of", "named"]


def __getattr__(name: str) -> Any:
    """The naming of axes brings the debugger with it; it is imported when it is asked for."""
    if name in ("Names", "name_axes"):
        from prefix_lab.shapes import names

        return getattr(names, name)
    raise AttributeError(f"module 'prefix_lab.shapes' has no attribute {name!r}")
