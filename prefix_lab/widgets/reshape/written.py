"""What a learner writes: the tensor to begin with, its sizes, and steps like `x.view(2, 3, 4).permute(2, 0, 1)`.

Steps are read as text, and nothing of it is evaluated. Lines may be pasted from a source file: sizes by name,
assignments, and a shape comment behind the line are read too. Arguments are numbers, sizes by name, lists, indices.
"""

from __future__ import annotations

import ast
import operator
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefix_lab.shapes import evaluate

TINY = {"batch": 2, "prefix_len": 3, "layers": 2, "heads": 2, "head_dim": 2}
"""Small enough that each number can be seen; what a learner gives in `sizes` comes first."""

JOURNEYS = "The journeys that come along are GPT-2 and T5."
SPAN = 2**20  # numbers of memory between a tensor's first and last
Ellipse = type(...)


def complete(sizes: Mapping[str, int] | None) -> dict[str, int]:
    """The sizes given, the tiny ones for the others, and what follows from them: hidden is heads · head_dim.

    Raises `TypeError` for what is no dict, `ValueError` when a size is no whole number above zero, or hidden cannot be
    shared among the heads.
    """
    if not isinstance(sizes, Mapping | None):
        raise TypeError(f"sizes={sizes!r}, expected a dict from names to whole numbers: {{'heads': 2}}.")
    given = dict(sizes or {})
    for name, size in given.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"sizes has {name!r}: {size!r}; expected a whole number, 1 or more, e.g. {{{name!r}: 2}}.")
    known = TINY | given
    if "hidden" in given and "head_dim" not in given:
        known["head_dim"], left = divmod(known["hidden"], known["heads"])
        if left or not known["head_dim"]:
            raise ValueError(
                f"sizes has hidden = {known['hidden']}, which {known['heads']} heads cannot share evenly. Give a "
                f"multiple of heads, e.g. hidden = {2 * known['heads']}."
            )
    known.setdefault("hidden", known["heads"] * known["head_dim"])
    if "hidden" in given and "head_dim" in given and known["hidden"] != known["heads"] * known["head_dim"]:
        raise ValueError(
            f"sizes has hidden = {known['hidden']}, but heads · head_dim = {known['heads']} · {known['head_dim']} = "
            f"{known['heads'] * known['head_dim']}. Leave one of the three out, and it follows from the others."
        )
    return known


SIGNS = {ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Add: operator.add, ast.Sub: operator.sub}


class Size(int):
    """A number that was written by name: `layers`, `2·layers`."""

    name: str = ""


def value_of(node: ast.expr, sizes: Mapping[str, int]) -> Any:
    """What an argument stands for, with the numbers of names from `sizes`. Raises `ValueError` for anything else."""
    match node:
        case ast.Constant(value=None | int() | Ellipse() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -whole(inner, sizes)
        case ast.Name(id=name) if name in sizes:
            return sized(sizes[name], name)
        case ast.Name(id=name):
            raise ValueError(
                f"sizes does not say how many {name!r} are, which the steps use. Give it a small number: "
                f"sizes={{{name!r}: 2}}."
            )
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS:
            one, two = whole(left, sizes), whole(right, sizes)
            if isinstance(op, ast.FloorDiv) and not two:
                raise ValueError(f"steps divides {one} by 0; expected another number.")
            result, text = SIGNS[type(op)](one, two), spelled(node)
            return sized(result, text) if re.fullmatch(r"[\w·+-]*[^\W\d][\w·+-]*", text) else result
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(value_of(one, sizes) for one in items)
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(*(one and value_of(one, sizes) for one in (lower, upper, step)))
    raise ValueError(
        f"steps has the argument {ast.unparse(node)!r}; expected whole numbers, sizes by name such as 2·layers, or "
        "lists of them."
    )


def whole(node: ast.expr, sizes: Mapping[str, int]) -> int:
    """A number that is calculated with."""
    value = value_of(node, sizes)
    if not isinstance(value, int):
        raise ValueError(f"steps calculates with {ast.unparse(node)!r}; expected a whole number or a size by name.")
    return value


def sized(number: int, name: str) -> Size:
    size = Size(number)
    size.name = name
    return size


def spelled(node: ast.expr) -> str:
    """An argument as text, a product as the axes are written: `2·layers`."""
    return ast.unparse(node).replace(" * ", "·").replace(" + ", "+").replace(" - ", "-").strip("()")


JOINS = ("cat", "concat", "concatenate", "stack")
OPERATIONS = (
    *("view", "reshape", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "flatten"),
    *("unflatten", "squeeze", "unsqueeze", "expand", "repeat", "repeat_interleave", "flip", "roll", "contiguous"),
    *("clone", "split", "tensor_split", "chunk", "unbind", "narrow", "select", *JOINS),
)
ATTRIBUTES = ("T", "mT")
FUNCTIONS = ("torch", "np", "numpy")
FORM = "Write a chain of calls on one tensor, e.g. 'view(2, 3, 4).permute(2, 0, 1)'."


@dataclass(frozen=True)
class WrittenStep:
    """One operation. `operation` is its name, "[]" for an index and "=" for `key, value = block`.

    `axes` are the names that the line's comment gives the result's axes, and `each` what a split's pieces are called:
    from `# layers × (2, batch)` come ("2", "batch") and "layers".
    """

    operation: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    axes: tuple[str, ...] = ()
    each: str = ""


def steps_of(given: Sequence[Any], sizes: Mapping[str, int]) -> list[WrittenStep]:
    """The steps in texts of one or more lines. `sizes` are the numbers of the names that they use.

    Raises `ValueError` where a step is not a call that moves numbers, or names a size that is not known.
    """
    steps: list[WrittenStep] = []
    for one in given:
        if not isinstance(one, str):
            raise ValueError(f"steps has {one!r}, a {type(one).__name__}, where the text of a step should be. {FORM}")
        steps += Reader(sizes).read(one)
    return steps


class Reader:
    """Reads one text. It remembers which name the latest result has, since each step must go on from there."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self.made: dict[str, int] = {}  # a tensor's name → how many results there were when it was met first
        self.now = 0
        self.text = ""

    def read(self, text: str) -> list[WrittenStep]:
        self.text = text.strip()
        body = textwrap.dedent(text).strip()
        body = f"x{body}" if body.startswith((".", "[")) else body
        body = re.sub(r"\n\s*\.", ".", body.replace("·", "*"))
        try:
            tree = ast.parse(body)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"steps has {self.text!r}, which Python cannot read: {error}. {FORM}") from None
        lines = body.splitlines()
        return [step for line in tree.body for step in self.line(line, lines[(line.end_lineno or 1) - 1])]

    def line(self, node: ast.stmt, source: str) -> Iterator[WrittenStep]:
        value = getattr(node, "value", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return) or value is None:
            raise self.refused(ast.unparse(node))
        steps = list(self.chain(value))
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        target = targets[0]
        if isinstance(target, ast.Name):
            self.now += 1
            self.made[target.id] = self.now
        elif isinstance(target, ast.Tuple):
            names = tuple(ast.unparse(one) for one in target.elts)
            steps.append(WrittenStep("=", names, text=f"{', '.join(names)} = …"))
            self.now += 1
        elif not steps:
            raise self.refused(ast.unparse(node))
        else:
            self.made = {}
        each, axes = shape_comment(source)
        if steps and axes:
            steps[-1] = WrittenStep(**{**vars(steps[-1]), "axes": axes, "each": each})
        return iter(steps)

    def chain(self, node: ast.expr) -> Iterator[WrittenStep]:
        """The steps of an expression, the innermost first."""
        match node:
            case ast.Name(id=name) if name in ATTRIBUTES and name not in self.made:
                yield WrittenStep(name, text=name)
            case ast.Name(id=name):
                if self.made.setdefault(name, self.now) != self.now:
                    raise ValueError(
                        f"steps goes back to {name!r} in {self.text!r}. A journey is one line: each step takes the "
                        "result of the step before. Show the other way in a ReshapeView of its own."
                    )
            case ast.Call(func=ast.Attribute(value=ast.Name(id=library), attr=name)) if library in FUNCTIONS:
                yield from self.function(name, node)
            case ast.Call(func=ast.Name(id=name)):
                yield from self.call(name, node.args, node) if name not in JOINS else self.function(name, node)
            case ast.Call(func=ast.Attribute(value=inner, attr=name)):
                yield from self.chain(inner)
                yield from self.call(name, node.args, node)
            case ast.Attribute(value=inner, attr=name) if name in ATTRIBUTES:
                yield from self.chain(inner)
                yield WrittenStep(name, text=name)
            case ast.Subscript(value=inner, slice=index):
                yield from self.chain(inner)
                yield WrittenStep("[]", (value_of(index, self.sizes),), text=f"[{spelled(index)}]")
            case _:
                raise self.refused(ast.unparse(node))

    def function(self, name: str, node: ast.Call) -> Iterator[WrittenStep]:
        """`torch.cat([x, x], dim=2)`, `torch.permute(x, (1, 0))`: the first argument is the tensor, or a list of it."""
        if not node.args:
            raise self.refused(ast.unparse(node))
        first, *rest = node.args
        if name in JOINS:
            tensors = first.elts if isinstance(first, ast.List | ast.Tuple) else []
            if not tensors or not all(isinstance(one, ast.Name) for one in tensors):
                raise ValueError(
                    f"steps has {ast.unparse(node)!r}: a journey has one tensor, so {name} can join it only with "
                    f"itself. Write {name}([x, x], dim=0)."
                )
            for one in tensors:
                yield from self.chain(one)
            yield from self.call(name, rest, node, copies=len(tensors))
        else:
            yield from self.chain(first)
            yield from self.call(name, rest, node)

    def call(self, name: str, args: Sequence[ast.expr], node: ast.Call, copies: int = 0) -> Iterator[WrittenStep]:
        if name not in OPERATIONS or (name in JOINS and not copies):
            raise self.refused(name)
        values = tuple(value_of(one, self.sizes) for one in args)
        kwargs = {str(one.arg): value_of(one.value, self.sizes) for one in node.keywords}
        said = [*map(spelled, args), *(f"{one.arg}={spelled(one.value)}" for one in node.keywords)]
        if copies:
            said.insert(0, f"[{', '.join(['x'] * copies)}]")
            values = (copies, *values)
        yield WrittenStep(name, values, kwargs, f"{name}({', '.join(said)})")

    def refused(self, part: str) -> ValueError:
        known = ", ".join(OPERATIONS)
        return ValueError(
            f"steps has {part!r} in {self.text!r}, which is not a way of moving numbers that ReshapeView knows. It "
            f"knows indexing with numbers, .T, and: {known}. {FORM}"
        )


def shape_comment(line: str) -> tuple[str, tuple[str, ...]]:
    """`# layers × (2, batch)` → "layers" and ("2", "batch"); a comment that is prose gives nothing."""
    _, _, comment = line.partition("#")
    found = re.fullmatch(r"\s*(?:([\w·*]+) × )?\(([^()]*)\)\s*", comment)
    names = [one.strip().replace("*", "·") for one in found[2].split(",")] if found else []
    if not names or not all(re.fullmatch(r"[\w·+/-]+", one) for one in names):
        return "", ()
    return (found[1] or ""), tuple(names)


def start_of(first: Any, sizes: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
    """An empty tensor with the shape and strides of what was given, and the names of its axes."""
    import torch

    if isinstance(first, str):
        axes = tuple(first.replace("*", "·").split())
        shape = [evaluate(axis, sizes) for axis in axes]
        if None in shape:
            raise ValueError(
                f"first names the axis {axes[shape.index(None)]!r}, and sizes has no number for it. Give it one, e.g. "
                f"sizes={{...: 2}}; known are {', '.join(sizes)}. {JOURNEYS}"
            )
        return torch.empty(shape, device="meta"), tuple("" if axis.isdigit() else axis for axis in axes)
    shape = (first,) if isinstance(first, int) and not isinstance(first, bool) else getattr(first, "shape", first)
    try:
        shape = tuple(int(size) for size in shape)
    except (TypeError, ValueError, RuntimeError):
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise ValueError(
            f"first is a {type(first).__name__}; expected a tensor, a shape like (2, 3, 4), axis names like "
            f"'batch heads head_dim'. {JOURNEYS}"
        )
    bare = torch.empty(shape, device="meta")
    if isinstance(first, torch.Tensor) and first.layout == torch.strided and first.numel():
        strides = [int(stride) for stride in first.stride()]
        if sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) < SPAN:
            bare = torch.empty_strided(shape, strides, device="meta")
    return bare, ("",) * len(shape)
