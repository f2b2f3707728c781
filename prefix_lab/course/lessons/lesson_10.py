"""What lesson 10 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import tempfile
from pathlib import Path

import peft
import torch
from transformers import T5Config, T5ForConditionalGeneration

import prefix_lab
from prefix_lab.breakpoints import break_at, breakpoints, clear, explain, shapes, stop_at
from prefix_lab.course import record_walk
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_10 import check_commands, check_condition, check_split_shapes
from prefix_lab.course.lessons.editor_10 import Editor, launch_configurations, line_with
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.shapes import name_axes

__all__ = [
    "Editor",
    "Path",
    "T5Config",
    "T5ForConditionalGeneration",
    "break_at",
    "breakpoints",
    "check_commands",
    "check_condition",
    "check_split_shapes",
    "clear",
    "explain",
    "launch_configurations",
    "line_with",
    "load_tiny_t5",
    "name_axes",
    "peft",
    "prefix_lab",
    "record_walk",
    "shapes",
    "show_progress",
    "show_stage",
    "stop_at",
    "tempfile",
    "torch",
]
