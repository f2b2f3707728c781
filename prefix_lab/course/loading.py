"""A model for a task, and a model's tokenizer, by name: a folder here, or a name on a hub where one is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from torch import nn
from transformers.utils import logging

from prefix_lab.course.small_models import quiet
from prefix_lab.course.tasks import Task

AUTO = {
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "AutoModel",
}
"""The class of transformers that loads a base model for a task type."""


def load_model(name: str | Path, task: Task) -> tuple[nn.Module, Any]:
    """The base model with the head that the task needs, in eval mode, and its tokenizer.

    `name` is a folder that transformers wrote, or a name on a hub, `t5-small` or `gpt2` say. A head that is not there
    is made of torch's random numbers. Raises `ValueError` where there is no such model, or no line to the hub.
    """
    kind = getattr(task, "task_type", None)
    if kind not in AUTO:
        raise ValueError(f"task is {task.name!r} with task_type={kind!r}, expected one of: {', '.join(AUTO)}.")
    heads = {"num_labels": len(task.labels)} if hasattr(task, "labels") else {}
    told = logging.get_verbosity()
    logging.set_verbosity_error()  # that a head is new is no news here
    try:
        with quiet():
            model = getattr(transformers, AUTO[kind]).from_pretrained(name, **heads)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"name={str(name)!r} gives no model for {kind}: it is no folder that holds one, and no hub gave it "
            f"({type(error).__name__}). Give a folder, or a name on a hub that this machine reaches."
        ) from error
    finally:
        logging.set_verbosity(told)
    return model.eval(), tokenizer


def tokenizer_of(model: nn.Module) -> Any:
    """The tokenizer in the folder, or under the name on a hub, that the model came from."""
    name = getattr(getattr(model, "config", None), "name_or_path", "")
    try:
        return transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"tokenizer is not given, and the model's own is not found in {name!r}. Give tokenizer=..., as "
            "AutoTokenizer.from_pretrained makes it."
        ) from error
