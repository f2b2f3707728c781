"""What lesson 6 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_06 import check_address, check_table_of, check_viewed
from prefix_lab.course.lessons.recordings_06 import record_prompt
from prefix_lab.course.lessons.small_models import small_gpt2
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.shapes import named
from prefix_lab.widgets import Mirror, ReshapeView, Stepper, TensorView, predict

__all__ = [
    "Mirror",
    "ReshapeView",
    "Stepper",
    "TensorView",
    "check_address",
    "check_table_of",
    "check_viewed",
    "initialize_kv_prefix_from_text",
    "load_tiny_t5",
    "named",
    "peft",
    "predict",
    "prefix_lab",
    "record_prompt",
    "show_progress",
    "show_stage",
    "small_gpt2",
    "torch",
]
