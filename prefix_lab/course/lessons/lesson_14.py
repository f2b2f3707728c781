"""What lesson 14 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab.checkpoint import get_peft_model_state_dict, set_peft_model_state_dict
from prefix_lab.course.contents import show_progress
from prefix_lab.course.hunts import (
    hunt_01,
    hunt_02,
    hunt_03,
    hunt_04,
    hunt_05,
    hunt_06,
    hunt_07,
    hunt_08,
    hunt_09,
    hunt_10,
)
from prefix_lab.course.hunts.models import before, small_bert, small_gpt2, small_ids, small_t5
from prefix_lab.course.hunts.pictures import draw_moves, draw_positions, draw_rows, rows_read
from prefix_lab.course.hunts.shown import show_copy, show_peft
from prefix_lab.course.hunts.trials_of_models import arriving
from prefix_lab.course.lessons.checks_14 import (
    check_hunt_1,
    check_hunt_2,
    check_hunt_3,
    check_hunt_4,
    check_hunt_5,
    check_hunt_6,
    check_hunt_7,
    check_hunt_8,
    check_hunt_9,
    check_hunt_10,
)
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import make_batch
from prefix_lab.debugger import Breakpoint, record
from prefix_lab.past import past_key_values
from prefix_lab.shapes import named
from prefix_lab.widgets import Mirror, ReshapeView, Stepper

__all__ = [
    "Breakpoint",
    "Mirror",
    "ReshapeView",
    "Stepper",
    "arriving",
    "before",
    "check_hunt_1",
    "check_hunt_2",
    "check_hunt_3",
    "check_hunt_4",
    "check_hunt_5",
    "check_hunt_6",
    "check_hunt_7",
    "check_hunt_8",
    "check_hunt_9",
    "check_hunt_10",
    "draw_moves",
    "draw_positions",
    "draw_rows",
    "get_peft_model_state_dict",
    "hunt_01",
    "hunt_02",
    "hunt_03",
    "hunt_04",
    "hunt_05",
    "hunt_06",
    "hunt_07",
    "hunt_08",
    "hunt_09",
    "hunt_10",
    "load_tiny_t5",
    "make_batch",
    "named",
    "past_key_values",
    "peft",
    "prefix_lab",
    "record",
    "rows_read",
    "set_peft_model_state_dict",
    "show_copy",
    "show_peft",
    "show_progress",
    "show_stage",
    "small_bert",
    "small_gpt2",
    "small_ids",
    "small_t5",
    "stop_in",
    "torch",
]
