"""What lesson 5 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import inspect
import tempfile

import peft
import torch

import prefix_lab
from prefix_lab.course import record_walk
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_05 import check_fold, check_key_and_value, check_parameters, check_prefix_tokens
from prefix_lab.course.lessons.pictures_05 import draw_forms
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import answers, task_batches, train
from prefix_lab.course.words import seen_words
from prefix_lab.prepare import prepare_prompt_learning_config
from prefix_lab.shapes import named
from prefix_lab.widgets import ParameterBars, ShapeFlow, Stepper, TensorView, predict

__all__ = [
    "ParameterBars",
    "ShapeFlow",
    "Stepper",
    "TensorView",
    "answers",
    "check_fold",
    "check_key_and_value",
    "check_parameters",
    "check_prefix_tokens",
    "draw_forms",
    "inspect",
    "load_tiny_t5",
    "named",
    "peft",
    "predict",
    "prefix_lab",
    "prepare_prompt_learning_config",
    "record_walk",
    "seen_words",
    "show_progress",
    "show_stage",
    "task_batches",
    "tempfile",
    "torch",
    "train",
]
