"""What lesson 2 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

from dataclasses import replace

import peft
import torch

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_02 import check_row_width, check_split
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.shapes import named

__all__ = [
    "check_row_width",
    "check_split",
    "load_tiny_t5",
    "named",
    "peft",
    "prefix_lab",
    "replace",
    "show_progress",
    "show_stage",
    "stop_in",
    "torch",
]
