"""The course's parts: the tiny real model, the walk recorded, and what every lesson uses."""

import importlib
from typing import Any

_HOMES = {
    "load_tiny_t5": "tiny_t5",
    "make_ready": "ready",
    "record_prompt": "recordings",
    "record_walk": "recordings",
    "show_progress": "contents",
    "show_stage": "source",
}

__all__ = [
    "load_tiny_t5",
    "make_ready",
    "record_prompt",
    "record_walk",
    "show_progress",
    "show_stage",
]


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for: `make_ready` needs no torch, and says when there is none."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"prefix_lab.course.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
