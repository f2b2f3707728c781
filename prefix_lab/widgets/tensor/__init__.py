"""TensorView: a tensor's slices as a heat map with named axes, statistics, NaN and Inf marked."""

from prefix_lab.widgets.tensor.view import TensorView

__all__ = ["TensorView"]
