"""What lesson 1 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import peft
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.cache_utils import DynamicLayer

from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_01 import check_attend_with_prefix, check_order, check_prefix_share
from prefix_lab.course.lessons.pictures_01 import draw_attention, draw_shares
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.course.source import readable, show_stage
from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.shapes import named

__all__ = [
    "DynamicLayer",
    "GPT2Config",
    "GPT2LMHeadModel",
    "LlamaConfig",
    "LlamaForCausalLM",
    "check_attend_with_prefix",
    "check_order",
    "check_prefix_share",
    "draw_attention",
    "draw_shares",
    "load_tiny_t5",
    "named",
    "peft",
    "readable",
    "show_progress",
    "show_stage",
    "stop_in",
    "torch",
]
