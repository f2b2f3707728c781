"""What lesson 12 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import json
import tempfile
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file, save_file

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.bytes_12 import anatomy, bytes_of, draw_bytes
from prefix_lab.course.lessons.checks_12 import check_bytes, check_go_on, check_kept, check_serve
from prefix_lab.course.lessons.tables import table
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import answers, exact_match, make_batch, task_batches, train
from prefix_lab.course.words import held_out_words, seen_words
from prefix_lab.shapes import named

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

__all__ = [
    "Path",
    "anatomy",
    "answers",
    "bytes_of",
    "check_bytes",
    "check_go_on",
    "check_kept",
    "check_serve",
    "draw_bytes",
    "exact_match",
    "held_out_words",
    "json",
    "load_file",
    "load_tiny_t5",
    "make_batch",
    "named",
    "peft",
    "prefix_lab",
    "save_file",
    "seen_words",
    "show_progress",
    "show_stage",
    "stop_in",
    "table",
    "task_batches",
    "tempfile",
    "torch",
    "train",
]
