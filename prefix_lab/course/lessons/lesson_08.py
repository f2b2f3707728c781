"""What lesson 8 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_08 import check_encoder_sees, check_rows_of, check_silent_rows
from prefix_lab.course.lessons.pictures_08 import draw_rows
from prefix_lab.course.lessons.recordings_06 import record_prompt
from prefix_lab.course.lessons.small_models import small_t5
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import exact_match, make_batch, task_batches, train
from prefix_lab.course.words import held_out_words, seen_words
from prefix_lab.widgets import ReshapeView, ShapeFlow, Stepper

__all__ = [
    "ReshapeView",
    "ShapeFlow",
    "Stepper",
    "check_encoder_sees",
    "check_rows_of",
    "check_silent_rows",
    "draw_rows",
    "exact_match",
    "held_out_words",
    "load_tiny_t5",
    "make_batch",
    "peft",
    "prefix_lab",
    "record_prompt",
    "seen_words",
    "show_progress",
    "show_stage",
    "small_t5",
    "task_batches",
    "torch",
    "train",
]
