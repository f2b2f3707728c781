"""What lesson 4 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

from dataclasses import replace

import peft
import torch
from transformers import T5ForConditionalGeneration

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_04 import check_read_sizes, check_reopened, check_rescue
from prefix_lab.course.lessons.pictures_04 import draw_widths
from prefix_lab.course.lessons.shipped_04 import config_of, empty_model, show_sizes
from prefix_lab.course.source import show_stage
from prefix_lab.debugger import record
from prefix_lab.prepare import explain_preparation
from prefix_lab.shapes import shape_error
from prefix_lab.widgets import Stepper

__all__ = [
    "Stepper",
    "T5ForConditionalGeneration",
    "check_read_sizes",
    "check_reopened",
    "check_rescue",
    "config_of",
    "draw_widths",
    "empty_model",
    "explain_preparation",
    "peft",
    "prefix_lab",
    "record",
    "replace",
    "shape_error",
    "show_progress",
    "show_sizes",
    "show_stage",
    "torch",
]
