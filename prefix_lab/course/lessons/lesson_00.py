"""What lesson 0 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

from prefix_lab.course import record_walk
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_00 import check_first_shape, check_where_to_look
from prefix_lab.course.lessons.pictures_00 import draw_walk
from prefix_lab.course.self_check import self_check
from prefix_lab.course.source import show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.course.training import answers
from prefix_lab.widgets import ShapeFlow, Stepper, predict

__all__ = [
    "ShapeFlow",
    "Stepper",
    "answers",
    "check_first_shape",
    "check_where_to_look",
    "draw_walk",
    "load_tiny_t5",
    "predict",
    "record_walk",
    "self_check",
    "show_progress",
    "show_stage",
]
