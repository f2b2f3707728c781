"""What lesson 11 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_11 import check_moved, check_step, check_what_trains
from prefix_lab.course.lessons.live_11 import LiveTraining, digest, draw_attention, draw_rows, sharpest
from prefix_lab.course.lessons.tables import table
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import answers, exact_match, make_batch, rate_at, task_batches, train
from prefix_lab.course.words import held_out_words, seen_words
from prefix_lab.paper_layout import OneLayerPast

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

__all__ = [
    "LiveTraining",
    "OneLayerPast",
    "answers",
    "check_moved",
    "check_step",
    "check_what_trains",
    "digest",
    "draw_attention",
    "draw_rows",
    "exact_match",
    "held_out_words",
    "load_tiny_t5",
    "make_batch",
    "peft",
    "prefix_lab",
    "rate_at",
    "seen_words",
    "sharpest",
    "show_progress",
    "show_stage",
    "stop_in",
    "table",
    "task_batches",
    "torch",
    "train",
]
