"""ParameterBars: what trains and what is frozen."""

from typing import Any

__all__ = ["ParameterBars"]


def __getattr__(name: str) -> Any:
    """The widget brings ipywidgets with it; the arithmetic beside it does without."""
    if name == "ParameterBars":
        from prefix_lab.widgets.parameters.parameters import ParameterBars

        return ParameterBars
    raise AttributeError(f"module 'prefix_lab.widgets.parameters' has no attribute {name!r}")
