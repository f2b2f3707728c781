"""What lesson 3 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import inspect

import peft
import torch
from peft.utils import register_peft_method

import prefix_lab
from prefix_lab.course import record_walk
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_03 import check_classes, check_outcomes, check_registry
from prefix_lab.course.lessons.pictures_03 import draw_choice
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import readable, show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import make_batch
from prefix_lab.widgets import Mirror

__all__ = [
    "Mirror",
    "check_classes",
    "check_outcomes",
    "check_registry",
    "draw_choice",
    "inspect",
    "load_tiny_t5",
    "make_batch",
    "peft",
    "prefix_lab",
    "readable",
    "record_walk",
    "register_peft_method",
    "show_progress",
    "show_stage",
    "stop_in",
    "torch",
]
