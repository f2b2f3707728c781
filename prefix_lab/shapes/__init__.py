"""Shapes with names: what each axis of a tensor stands for."""

from prefix_lab.shapes.axes import AXES, evaluate, name_axes_of, named

__all__ = ["AXES", "evaluate", "name_axes_of", "named"]
