"""What lesson 13 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import inspect

import peft
import torch

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.branches_13 import (
    example_of,
    numbers_in,
    record_wrapping,
    where_they_part,
    without_weights,
)
from prefix_lab.course.lessons.checks_13 import check_lora_count, check_lora_layer, check_merge, check_stale_total
from prefix_lab.course.lessons.masks_09 import listen
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import make_batch
from prefix_lab.widgets import ParameterBars, Stepper

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

__all__ = [
    "ParameterBars",
    "Stepper",
    "check_lora_count",
    "check_lora_layer",
    "check_merge",
    "check_stale_total",
    "example_of",
    "inspect",
    "listen",
    "load_tiny_t5",
    "make_batch",
    "numbers_in",
    "peft",
    "prefix_lab",
    "record_wrapping",
    "show_progress",
    "show_stage",
    "stop_in",
    "torch",
    "where_they_part",
    "without_weights",
]
