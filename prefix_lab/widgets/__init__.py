"""Views of tensors, shapes and recordings, each usable in one line of a notebook.

They need the `lab` extra: `pip install prefix-lab[lab]`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefix_lab.widgets.flow import ShapeFlow
    from prefix_lab.widgets.parameters import ParameterBars
    from prefix_lab.widgets.reshape import ReshapeView
    from prefix_lab.widgets.stepper.mirror import Mirror
    from prefix_lab.widgets.stepper.predict import predict
    from prefix_lab.widgets.stepper.stepper import Stepper
    from prefix_lab.widgets.tensor import TensorView

# Where each name is; looked up when it is used, so that nobody waits for matplotlib who wants the stepper.
_HOMES = {
    "Mirror": "stepper.mirror",
    "ParameterBars": "parameters",
    "ReshapeView": "reshape",
    "ShapeFlow": "flow",
    "Stepper": "stepper.stepper",
    "TensorView": "tensor",
    "predict": "stepper.predict",
}

__all__ = ["Mirror", "ParameterBars", "ReshapeView", "ShapeFlow", "Stepper", "TensorView", "predict"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'prefix_lab.widgets' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"prefix_lab.widgets.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
