"""Lesson 14's hunts: the branches of `rewrite`, each with one bug, and what each function of a branch gives.

A branch is a file of its own, so that every debugger shows it. `visits` notes what comes out of each function while a
report runs; held against those of the right file, they say where the first wrong number is made.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, EncoderDecoderCache

ORIGINAL = Path(__file__).with_name("rewrite.py")
BUGS = {
    1: (
        "rows = rows.movedim(2, 0).transpose(2, 3)",
        "rows = rows.movedim(2, 0).reshape(-1, batch, self.config.num_attention_heads, prefix_len, rows.shape[-1])",
    ),
    2: ("(self.config.num_virtual_tokens, 0), value=1.0)", "(0, self.config.num_virtual_tokens), value=1.0)"),
    3: ("embedding(numbers, self.embedding.weight)", "embedding(numbers, self.embedding.weight.data)"),
    4: (
        "cache = self.to_cache(self.to_rows(prefix))",
        'cache = self.made.setdefault(("cache", batch_size), self.to_cache(self.to_rows(prefix)))',
    ),
    5: ("return encoder.to(reference.device)", "return encoder.to(reference)"),
    6: (
        "encoder, config = self.prompt_encoder[adapter_name]",
        "encoder, config = self.prompt_encoder[self.active_adapter]",
    ),
    7: (
        "return positions + self.config.num_virtual_tokens",
        "return positions + max(self.config.num_virtual_tokens - filled, 0)",
    ),
}
"""Hunt → what stands in the right file, and what in the branch."""

_folder = TemporaryDirectory(prefix="hunts-")  # gone when Python ends


@cache
def branch(number: int) -> ModuleType:
    """Mika's file as it is in that hunt; 0 is the one without a bug."""
    source = ORIGINAL.read_text(encoding="utf-8")
    if number:
        right, wrong = BUGS[number]
        source = source.replace(right, wrong)
    return loaded(source, f"hunt_{number}" if number else "right")


def loaded(source: str, name: str) -> ModuleType:
    """The source as a module, in a file that debuggers and recordings find. Raises what the source raises."""
    path = Path(_folder.name, f"{name}.py")
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


class Visit(NamedTuple):
    """One call of a function of a branch, when it returns: its name, what it gives, as it was then, and who waits."""

    function: str
    gave: dict[str, Any]
    callers: frozenset[str]


class Kept(NamedTuple):
    """A tensor as it was."""

    numbers: Tensor
    trains: bool  # a gradient can flow back through it

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.numbers.shape)

    @property
    def dtype(self) -> torch.dtype:
        return self.numbers.dtype


def visits(module: ModuleType, report: Callable[[ModuleType], Any]) -> list[Visit]:
    """What each function of the module gives while the report runs with it, in the order in which they return."""
    found: list[Visit] = []

    def returns(frame: Any, value: Any) -> None:
        if "<" not in frame.f_code.co_name:
            found.append(Visit(frame.f_code.co_qualname, dict(parts(value)), frozenset(above(frame))))

    file, before = module.__file__, sys.getprofile()
    sys.setprofile(
        lambda frame, event, value: event == "return" and frame.f_code.co_filename == file and returns(frame, value)
    )
    try:
        report(module)
    finally:
        sys.setprofile(before)
    return found


def above(frame: Any) -> Iterator[str]:
    """The functions that wait for this one, direct callers and theirs."""
    while frame := frame.f_back:
        yield frame.f_code.co_qualname


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The tensors and plain values in what a function gives, each with its place in it."""
    if isinstance(value, Tensor):
        yield path, Kept(value.detach().clone(), value.requires_grad)
    elif isinstance(value, EncoderDecoderCache):
        yield from parts(value.self_attention_cache, path)
        yield from parts(value.cross_attention_cache, f"{path}.cross_attention_cache")
    elif isinstance(value, Cache):
        yield f"{path}.length", value.get_seq_length() if len(value) else 0
        for number, layer in enumerate(value.layers):
            if layer.is_initialized:
                yield from parts({"keys": layer.keys, "values": layer.values}, f"{path}.layers[{number}]")
    elif isinstance(value, nn.Module):
        yield from parts(dict(value.named_parameters()), path)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Mapping):
        yield from parts(dataclasses.asdict(value), path)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from parts(one, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from parts(one, f"{path}[{number}]")
    else:
        yield path, value if isinstance(value, bool | int | float | str | None) else type(value).__name__


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two functions gave the same, bit for bit."""
    return one.keys() == other.keys() and all(same_part(one[path], other[path]) for path in one)


def same_part(one: Any, other: Any) -> bool:
    if not (isinstance(one, Kept) and isinstance(other, Kept)):
        return type(one) is type(other) and not isinstance(one, Kept) and one == other
    alike = (one.shape, one.dtype, one.trains) == (other.shape, other.dtype, other.trains)
    return alike and torch.equal(one.numbers, other.numbers)


class Difference(NamedTuple):
    """Where two runs of a report part: the function, which of its calls that is, and what it gives on both sides."""

    function: str
    call: int
    gave: dict[str, Any]
    right: dict[str, Any]
    callers: frozenset[str]


def differences(broken: list[Visit], right: list[Visit]) -> list[Difference]:
    """Each call that gives something else than the same call in the right file, the first one first."""
    calls: dict[str, list[dict[str, Any]]] = {}
    for one in right:
        calls.setdefault(one.function, []).append(one.gave)
    counts: dict[str, int] = {}
    found = []
    for function, gave, callers in broken:
        call = counts[function] = counts.get(function, 0) + 1
        there = calls.get(function, [])
        expected = there[call - 1] if call <= len(there) else None
        if expected is not None and not same(gave, expected):
            found.append(Difference(function, call, gave, expected, callers))
    return found


MEASURES = ("mean", "sum", "min", "max")
CLOSE = {"rtol": 1e-3, "atol": 6e-5}  # a tensor is printed with four digits


def places(seen: Any, gave: Mapping[str, Any]) -> set[Any]:
    """Where in what a function gives a learner's observation is true.

    A tuple is a shape, a list a row of numbers, a number a length or a measure, a text a dtype; True and False say
    whether a gradient flows.
    """
    return {(path, *place) for path, one in gave.items() for place in places_in(seen, one)}


def places_in(seen: Any, one: Any) -> Iterator[tuple[Any, ...]]:
    if not isinstance(one, Kept):
        if type(seen) is type(one) and seen == one:
            yield ("itself",)
        return
    if isinstance(seen, bool):
        yield from [("trains",)] * (seen == one.trains)
    elif isinstance(seen, torch.dtype | str):
        yield from [("dtype",)] * (str(seen).removeprefix("torch.") == str(one.dtype).removeprefix("torch."))
    elif isinstance(seen, tuple):
        yield from [("shape",)] * (tuple(seen) == one.shape)
    elif isinstance(seen, int | float) and one.numbers.numel():
        numbers = one.numbers.double()
        wanted = torch.tensor(float(seen)).double()
        yield from ((name,) for name in MEASURES if torch.isclose(getattr(numbers, name)(), wanted, **CLOSE))
    elif isinstance(seen, list | Tensor):
        yield from rows(seen, one.numbers)


FEWEST = 3  # numbers of a row that are enough to know it by


def rows(seen: Any, numbers: Tensor) -> Iterator[tuple[Any, ...]]:
    """The places of a row, or of all numbers, in a tensor."""
    try:
        wanted = torch.as_tensor(seen).detach().double()
    except (TypeError, ValueError, RuntimeError):
        return
    if wanted.shape == numbers.shape and torch.allclose(wanted, numbers.double(), **CLOSE):
        yield ("all",)
    elif wanted.dim() == 1 and numbers.dim() and min(FEWEST, numbers.shape[-1]) <= len(wanted) <= numbers.shape[-1]:
        flat = numbers.double().reshape(-1, numbers.shape[-1])[:, : len(wanted)]
        yield from ((int(at),) for at in torch.isclose(flat, wanted, **CLOSE).all(-1).nonzero())
