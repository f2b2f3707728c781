"""The course's parts: the tiny real model, the tasks that it knows, and small helpers to train and to measure."""

from typing import Any

__all__ = ["load_tiny_t5"]


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for: words and tasks need no torch, and load without it."""
    if name in __all__:
        from prefix_lab.course import tiny_t5

        return getattr(tiny_t5, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
