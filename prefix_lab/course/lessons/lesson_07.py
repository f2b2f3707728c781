"""What lesson 7 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch
from transformers.models.gpt2 import modeling_gpt2
from transformers.models.llama import modeling_llama

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.beside import show_beside
from prefix_lab.course.lessons.checks_07 import check_content, check_kv_head, check_with_prefix
from prefix_lab.course.lessons.pictures_07 import draw_attention, draw_shares
from prefix_lab.course.lessons.small_models import small_gpt2, small_llama
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.shapes import named
from prefix_lab.tasks import PeftModelForCausalLM
from prefix_lab.widgets import ShapeFlow, TensorView

__all__ = [
    "PeftModelForCausalLM",
    "ShapeFlow",
    "TensorView",
    "check_content",
    "check_kv_head",
    "check_with_prefix",
    "draw_attention",
    "draw_shares",
    "load_tiny_t5",
    "modeling_gpt2",
    "modeling_llama",
    "named",
    "peft",
    "prefix_lab",
    "show_beside",
    "show_progress",
    "small_gpt2",
    "small_llama",
    "stop_in",
    "torch",
]
