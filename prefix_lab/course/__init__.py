"""The course's parts: the tiny real models, the walk recorded, and what the lessons use."""

import importlib
from typing import Any

_HOMES = {
    "TaskForCausalLM": "tasks",
    "TaskForFeatureExtraction": "task_heads",
    "TaskForQuestionAnswering": "task_heads",
    "TaskForSeq2SeqLM": "tasks",
    "TaskForSequenceClassification": "task_heads",
    "TaskForTokenClassification": "task_heads",
    "after_exercise": "checking",
    "answers": "tasks",
    "arriving": "small_models",
    "before": "small_models",
    "before_and_after": "history",
    "digest": "training",
    "draw_network": "network",
    "exact_match": "letters",
    "get_task": "letters",
    "held_out_words": "letters",
    "load_model": "loading",
    "load_tiny": "tiny",
    "load_tiny_t5": "small_models",
    "make_batch": "tasks",
    "make_ready": "ready",
    "rate_at": "training",
    "record_walk": "small_models",
    "seen_words": "letters",
    "self_check": "ready",
    "show_passport": "passport",
    "show_progress": "progress",
    "show_source": "shown",
    "show_stage": "shown",
    "small_bert": "small_models",
    "small_gpt2": "small_models",
    "small_ids": "small_models",
    "small_llama": "small_models",
    "small_t5": "small_models",
    "table": ".widgets.table",
    "task_from_file": "task_files",
    "train": "training",
    "world_task": "world_tasks",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for: `make_ready` needs no torch, and says when there is none."""
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
