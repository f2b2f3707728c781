"""What lesson 9 uses."""

from prefix_lab.course.ready import make_ready

make_ready()

import warnings

import peft
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

import prefix_lab
from prefix_lab.course.contents import show_progress
from prefix_lab.course.lessons.checks_09 import check_ending, check_grown_mask, check_trainable, check_widths
from prefix_lab.course.lessons.masks_09 import draw_masks, listen, record_classification
from prefix_lab.course.lessons.tables import table
from prefix_lab.course.pdb_script import stop_in
from prefix_lab.shapes import named
from prefix_lab.widgets import ParameterBars, Stepper, predict

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

__all__ = [
    "BertConfig",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "GPT2Config",
    "GPT2LMHeadModel",
    "ParameterBars",
    "Stepper",
    "T5Config",
    "T5ForConditionalGeneration",
    "check_ending",
    "check_grown_mask",
    "check_trainable",
    "check_widths",
    "draw_masks",
    "listen",
    "named",
    "peft",
    "predict",
    "prefix_lab",
    "record_classification",
    "show_progress",
    "stop_in",
    "table",
    "torch",
    "warnings",
]
