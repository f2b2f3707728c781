"""The course's parts: the tiny real model, the tasks that it knows, and small helpers to train and to measure."""

import importlib
from typing import Any

_HOMES = {"load_tiny_t5": "tiny_t5", "record_walk": "recordings"}

__all__ = ["load_tiny_t5", "record_walk"]


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for: words and tasks need no torch, and load without it."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"prefix_lab.course.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
