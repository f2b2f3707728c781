"""ReshapeView: a small tensor through view, permute, split and cat, with cells coloured by where they came from."""

from prefix_lab.widgets.reshape.view import ReshapeView

__all__ = ["ReshapeView"]
