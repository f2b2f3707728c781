"""ShapeFlow: the journey of the prefix, from virtual tokens to attention, with every axis named."""

from typing import Any

__all__ = ["ShapeFlow"]


def __getattr__(name: str) -> Any:
    """The widget brings ipywidgets with it; the arithmetic beside it does without."""
    if name == "ShapeFlow":
        from prefix_lab.widgets.flow.flow import ShapeFlow

        return ShapeFlow
    raise AttributeError(f"module 'prefix_lab.widgets.flow' has no attribute {name!r}")
