"""Recordings of the walk that several of these tests look at, each made once."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from prefix_lab.course import record_walk
from prefix_lab.debugger import Recording


@cache
def walk(where: str = "peft", keep: str = "statistics", **options: Any) -> Recording:
    """The walk, without the base model's own lines; options are those of `record_walk`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks for what transformers means to give up
        return record_walk(where, keep=keep, **{"model": False} | options)
