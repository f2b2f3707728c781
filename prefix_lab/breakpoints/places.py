"""Where a stage is in the source that is installed: file, function, and the first line that runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from prefix_lab.locale import _
from prefix_lab.stages import Stage

WHERES = ("ours", "peft", "transformers")
# `attend` has a class for each task; those of ours are in two files.
SIBLINGS = {
    "ours": ("prefix_lab.tasks", "prefix_lab.beside.task_classes"),
    "peft": ("peft.peft_model",),
}
MODELS = "transformers.models."
SMALLEST = "transformers.models.t5.modeling_t5"  # where no model was imported yet


class StopPlace(NamedTuple):
    """A function to stop in. `known` are the names that have a value when its first line, number `line`, begins."""

    code: CodeType
    line: int
    dotted: str
    file: str
    known: frozenset[str]
    namespace: Mapping[str, Any]
    reads_prefix: bool = False

    @property
    def shown(self) -> str:
        """`prefix_lab/encoder.py, line 58, in PrefixEncoder.forward`."""
        text = _("{file}, line {line}, in {function}")
        return text.format(file=self.file, line=self.line, function=self.code.co_qualname)

    def counts(self, values: Mapping[str, Any]) -> bool:
        """Whether this call is meant: of attention layers, those that read a past which is not the encoder's output."""
        if not self.reads_prefix:
            return True
        crossing = (values.get(name) for name in ("key_value_states", "encoder_hidden_states"))
        return values.get("past_key_values") is not None and all(one is None for one in crossing)


def side(where: str) -> str:
    """`where` by its one name; "prefix_lab" is "ours". Raises `ValueError` for any other."""
    found = "ours" if where == "prefix_lab" else where
    if found not in WHERES:
        raise ValueError(f"where={where!r}, expected 'ours' (or 'prefix_lab'), 'peft' or 'transformers'.")
    return found


def places_of(stage: Stage, where: str) -> tuple[StopPlace, ...]:
    """The functions of a stage on that side, each with its first line.

    Raises `LookupError` when the installed version has none, `ImportError` when it is not installed, `ValueError`
    for a stage that does not pass through transformers.
    """
    if where == "transformers":
        return attention_of(stage)
    functions = {getattr(stage, where): stage.function(where)}
    if stage.name == "attend":
        functions |= siblings(where)
    return tuple(place_of(function, dotted) for dotted, function in functions.items())


def siblings(where: str) -> dict[str, Callable]:
    """`forward` of every task's class: which of them runs depends on the task."""
    found = {}
    for name in SIBLINGS[where]:
        for label, thing in classes_in(import_module(name)):
            if label.startswith("PeftModelFor") and "forward" in vars(thing):
                found[f"{name}.{label}.forward"] = thing.forward
    return found


def attention_of(stage: Stage) -> tuple[StopPlace, ...]:
    """The attention layers of the models that were imported, as far as they put keys and values into a cache."""
    if stage.name != "attend":
        raise ValueError(
            f"where='transformers' with stage {stage.name!r}: only 'attend' passes through transformers' own code. Set "
            "break_at('attend', where='transformers'), or this stage with where='ours' or where='peft'."
        )
    loaded = [name for name in sorted(sys.modules) if name.startswith(MODELS) and ".modeling_" in name]
    found = []
    for name in loaded or [SMALLEST]:
        for label, thing in classes_in(import_module(name)):
            if "Attention" in label and "Cross" not in label and reads_past(thing):
                found.append(place_of(thing.forward, f"{name}.{label}.forward")._replace(reads_prefix=True))
    if not found:
        raise LookupError(
            "Stage 'attend': no attention layer of the installed transformers takes past_key_values and updates it. "
            "Install the tested versions: pip install -c constraints.txt."
        )
    return tuple(found)


def reads_past(thing: type) -> bool:
    forward = vars(thing).get("forward")
    code = getattr(inspect.unwrap(forward), "__code__", None) if forward is not None else None
    return code is not None and "past_key_values" in code.co_varnames and "update" in code.co_names


def classes_in(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The classes that a module defines itself."""
    for label, thing in list(vars(module).items()):
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            yield label, thing


def place_of(function: Callable, dotted: str) -> StopPlace:
    """The code behind any decorators. Raises `LookupError` when there is no Python code to stop in."""
    inner, code = inspect.unwrap(function), code_of(function)
    if code is None:
        raise LookupError(
            f"{dotted} is a {type(inner).__name__} here, which has no lines of Python to stop in. "
            "Install the tested versions: pip install -c constraints.txt."
        )
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    known = frozenset((*code.co_varnames[:count], *code.co_freevars))
    module = inner.__globals__.get("__name__", "")
    file = f"{module.replace('.', '/')}.py"
    return StopPlace(code, first_line(code), dotted, file, known, inner.__globals__)


def code_of(function: Callable) -> CodeType | None:
    """What a function runs, behind any decorators; None for a class and for what is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def first_line(code: CodeType) -> int:
    """The line that runs first after the call; a function in one line has only that."""
    lines = (line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno)
    head = getattr(code, "co_firstlineno", 0)
    return next((line for line in lines if line > head), head)
