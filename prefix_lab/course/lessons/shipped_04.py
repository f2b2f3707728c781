"""Lesson 4's models: the sizes that ship, as transformers configs, as models without weights, and as one table."""

from __future__ import annotations

import html
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, PreTrainedModel

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.prepare import explain_preparation
from prefix_lab.widgets.sizes import shipped, sizes_of

FIELDS = ("num_layers", "token_dim", "num_attention_heads")


def config_of(name: str, **other: Any) -> Any:
    """The transformers config of a shipped size; `other` changes fields. Raises `ValueError` for an unknown name."""
    return AutoConfig.for_model(**{**sizes_of(name).config, **other})


def empty_model(name: str) -> PreTrainedModel:
    """A model of that size with shapes and no numbers, on torch's meta device: t5-11b takes no room at all."""
    config = config_of(name)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    kind = AutoModelForMaskedLM if config.model_type == "bert" else kind
    with torch.device("meta"):
        return kind.from_config(config).eval()


class Reading(NamedTuple):
    """What preparation reads from one model's config, and the width that the model caches."""

    name: str
    found: dict[str, tuple[int, str]]  # field → value, and where it came from
    cached: int

    @property
    def fits(self) -> bool:
        return self.found["token_dim"][0] == self.cached


def readings() -> list[Reading]:
    """Every size that ships, read as PEFT reads it."""
    found = []
    for name in shipped():
        rows = explain_preparation(PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20), config_of(name))
        found.append(Reading(name, {row.field: (row.value, row.source) for row in rows}, sizes_of(name).token_dim))
    return found


class SizeTable(NamedTuple):
    """A line for each model: a table in a notebook, text in a terminal."""

    rows: list[Reading]

    def lines(self) -> list[list[str]]:
        """model, then each field with the name that it was read from, then what is cached."""
        return [
            [
                row.name,
                str(row.found["num_layers"][0]),
                *(f"{row.found[field][0]} ← {row.found[field][1]}" for field in FIELDS[1:]),
                f"{'✓' if row.fits else '✗'} {row.cached}",
            ]
            for row in self.rows
        ]

    @property
    def heads(self) -> list[str]:
        return ["model", *FIELDS, "heads · head_dim"]

    def __repr__(self) -> str:
        lines = [self.heads, *self.lines()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        left = "style='text-align: left; white-space: nowrap'"
        heads = "".join(f"<th scope='col' {left}>{html.escape(head)}</th>" for head in self.heads)
        body = "".join(
            "<tr>" + "".join(f"<td {left}>{html.escape(text)}</td>" for text in line) + "</tr>" for line in self.lines()
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def show_sizes() -> SizeTable:
    """All models that ship, as PEFT's preparation reads them."""
    return SizeTable(readings())
