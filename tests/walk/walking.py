"""Walks of tiny random models, and the command, as the tests of this folder need them."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from prefix_lab import PrefixTuningConfig
from prefix_lab.terminal.commands import main
from prefix_lab.walk import StageResult, walk
from prefix_lab.walk.model import choose_task
from tests import tiny_models

FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "t5": tiny_models.tiny_t5,
    "bart": tiny_models.tiny_bart,
    "gpt2": tiny_models.tiny_gpt2,
    "bert": tiny_models.tiny_bert,
    "llama": tiny_models.tiny_llama,
}


def walked(model: nn.Module, prefix_len: int = 5, **options: Any) -> dict[str, StageResult]:
    """All results of a walk, by stage."""
    projection, token_dim = options.pop("projection", False), options.pop("token_dim", None)
    config = PrefixTuningConfig(
        task_type=choose_task(model.config)[0],
        num_virtual_tokens=prefix_len,
        prefix_projection=projection,
        token_dim=token_dim,
    )
    return {result.stage.name: result for result in walk(model, config, **options)}


@cache
def usual_walk(family: str, projection: bool = False, values: bool = True) -> dict[str, StageResult]:
    """A walk that several tests look at; its results are values, and no test changes them."""
    return walked(FAMILIES[family]() if values else without_values(family), projection=projection)


def without_values(family: str, **changes: Any) -> nn.Module:
    """A tiny model of this family on the meta device."""
    model = FAMILIES[family](**changes)
    with torch.device("meta"):
        return type(model)(model.config).eval()


def fact(result: StageResult, name: str) -> Any:
    """The data of the fact of that name."""
    return next(found.data for found in result.facts if found.name == name)


def saved(family: str, folder: Path) -> str:
    """A tiny model of this family in a folder."""
    FAMILIES[family]().save_pretrained(folder)
    return str(folder)


class Said(NamedTuple):
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """`prefix-lab walk` with these arguments."""
    capsys.readouterr()
    try:
        status = main(["walk", *arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    return Said(status, *capsys.readouterr())


def say_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document that `--json` prints."""
    return json.loads(say(capsys, "--json", *arguments).out)
