"""The course's parts: the tiny real model, the walk recorded, and what the lessons use."""

import importlib
from typing import Any

_HOMES = {
    "LiveTraining": "training",
    "after_exercise": "checking",
    "answers": "training",
    "arriving": "small_models",
    "before": "small_models",
    "digest": "training",
    "exact_match": "training",
    "held_out_words": "training",
    "listen": "small_models",
    "load_tiny_t5": "small_models",
    "make_batch": "training",
    "make_ready": "ready",
    "rate_at": "training",
    "record_prompt": "small_models",
    "record_walk": "small_models",
    "seen_words": "training",
    "self_check": "ready",
    "show_progress": "progress",
    "show_source": "shown",
    "show_stage": "shown",
    "small_bert": "small_models",
    "small_gpt2": "small_models",
    "small_ids": "small_models",
    "small_llama": "small_models",
    "small_t5": "small_models",
    "table": ".widgets.table",
    "task_batches": "training",
    "train": "training",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for: `make_ready` needs no torch, and says when there is none."""
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
