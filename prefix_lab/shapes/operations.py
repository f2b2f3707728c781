"""Which operation of torch an expression is, and which axes of its operands must agree but do not.

Where two tensors disagree, torch itself is asked, on tensors of these shapes without numbers: which sizes need to
change for the operation to be let pass, and which other axes must then change with them? So no rule stands here for
each operation, but for two in which a tensor disagrees with no other tensor's axis: sizes that `view` asks for, and
ids that are looked up in a table.
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from types import BuiltinFunctionType, ModuleType
from typing import Any, NamedTuple

from prefix_lab.locale import N_, _, paragraph
from prefix_lab.shapes.operands import Operand, Reader, Thing, Unreadable, tensors_in, tried

USUAL = ("torch", "F", "nn", "functional")  # what torch's modules are called where only names were recorded
FUNCTIONAL = ("torch.functional", "torch.nn.functional")  # beside torch's built-in functions
PLAIN = (int, float, str, bool, type(None), Operand)
TRIES = 1000
FRESH = 997  # a size that nothing else has

ALIGNED = N_("Shapes are laid side by side from the last axis; there, two sizes must be equal, or one of them 1.")
SUMMED = N_("The product sums over these two, so they must be equal.")
INTO = N_("What is written into a tensor must spread to its shape.")
REASONS = {
    "linear": N_("A linear layer's weight is (out, in), and `in` must be the input's last axis."),
    "stack": N_("stack takes tensors of one shape."),
    "layer_norm": N_("The last axes must be those that the layer was made to even out."),
    "cross_entropy": N_("There is one right answer for each row of scores."),
    "scaled_dot_product_attention": N_("Queries are as wide as keys; each key has a value, and a column of the mask."),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), N_("A filter reads all channels of its group.")),
    **dict.fromkeys(("+", "where", "masked_fill", "add", "sub", "mul", "div", "maximum", "minimum"), ALIGNED),
    **dict.fromkeys(("=", "copy_", "add_", "sub_", "mul_", "div_", "masked_fill_"), INTO),
}
PRODUCTS = ("@", "matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot")
Axis = tuple[Operand, int]


class Unread:
    """Stands for an argument that cannot be read."""


class Operation(NamedTuple):
    """`run` is torch's function; `texts` are the arguments after the tensor as they stand in the source."""

    name: str
    run: Callable[..., Any] | None
    arguments: list[Any]
    named: dict[str, Any]
    texts: list[str]
    dtype: str = ""  # to try all operands with, in place of their own

    def operands(self) -> list[Operand]:
        return list(dict.fromkeys(self.tensors()))

    def tensors(self) -> list[Operand]:
        return tensors_in([*self.arguments, *self.named.values()])

    def broken(self) -> list[str]:
        """Sentences about what does not fit; none where nothing can be said."""
        rule = RULES.get(self.name)
        try:
            said = list(rule(*self.arguments, **self.named, texts=self.texts)) if rule else []
        except (AttributeError, TypeError, IndexError, ValueError, ZeroDivisionError):
            said = []  # an argument is missing, or was not read
        pairs = [] if said else disagreeing(self) or disagreeing(self._replace(dtype="float32"))
        return said or [against(*pair, self.reason(*pair)) for pair in pairs]

    def works(self, changes: Mapping[Axis, int]) -> bool:
        """Whether torch lets the operation pass on these shapes, some of their sizes changed."""
        import torch

        def empty(value: Any) -> Any:
            if isinstance(value, list):
                return [empty(one) for one in value]
            if not isinstance(value, Operand):
                return value
            shape = [changes.get((value, at), size) for at, size in enumerate(value.shape)]
            return torch.empty(shape, dtype=getattr(torch, self.dtype or value.dtype), device="meta")

        with tried():
            try:
                self.run(*map(empty, self.arguments), **{name: empty(value) for name, value in self.named.items()})
            except Exception:  # whatever torch has against it
                return False
        return True

    def reason(self, one: Axis, other: Axis) -> str:
        """Why the two must agree."""
        if self.name in PRODUCTS:
            is_summed = one[1] == len(one[0].shape) - 1 and other[1] == max(len(other[0].shape) - 2, 0)
            return SUMMED if is_summed else ALIGNED if self.name in ("@", "matmul") else ""
        if self.name in ("cat", "concat", "concatenate"):
            along = self.named.get("dim", self.arguments[1] if len(self.arguments) > 1 else 0)
            return _("cat joins along axis {axis}; all other axes must be equal.").format(
                axis=along % len(one[0].shape)
            )
        if self.name == "einsum":
            letters = self.arguments[0].replace(" ", "").split("->")[0].split(",")
            letter = letters[self.operands().index(one[0])][one[1]]
            return _("Both are {letter} in the equation, so they must be equal.").format(letter=repr(letter))
        return REASONS.get(self.name, "")


def disagreeing(operation: Operation) -> list[tuple[Axis, Axis]]:
    """The pairs of axes that keep an operation from passing: as few as can be."""
    operands = operation.operands()
    values = [*operation.arguments, *operation.named.values()]
    if operation.run is None or len(operation.tensors()) < 2 or not is_plain(values) or operation.works({}):
        return []
    axes = [(one, at) for one in operands for at in range(len(one.shape))]
    sizes = dict.fromkeys(one.shape[at] for one, at in axes)
    changes = [((one, at), size) for one, at in axes for size in sizes if size not in (1, one.shape[at])]
    several = itertools.chain.from_iterable(itertools.combinations(changes, count) for count in (1, 2, 3))
    for chosen in itertools.islice(several, TRIES):
        changed = dict(chosen)
        if len(changed) == len(chosen) and operation.works(changed):
            pairs = [(axis, partner(operation, axis, axes, changed)) for axis in changed]
            return [in_order(operands, *pair) for pair in pairs if pair[1] is not None]
    return []


def in_order(operands: list[Operand], one: Axis, other: Axis) -> tuple[Axis, Axis]:
    first, second = sorted((one, other), key=lambda axis: (operands.index(axis[0]), -axis[1]))
    return first, second


def partner(operation: Operation, axis: Axis, axes: list[Axis], changed: dict[Axis, int]) -> Axis | None:
    """The axis that this one, as it was changed, must be as large as."""
    size = changed[axis]
    alike = [(one, at) for one, at in axes if (one, at) != axis and changed.get((one, at), one.shape[at]) == size]
    bound = [other for other in alike if not operation.works(changed | {other: FRESH})]
    for count in (1, 2, 3):
        for group in itertools.combinations(bound, count):
            if operation.works(changed | dict.fromkeys((axis, *group), FRESH)):
                return group[0]
    return bound[0] if bound else None


def is_plain(value: Any) -> bool:
    return all(map(is_plain, value)) if isinstance(value, list) else isinstance(value, PLAIN)


def against(one: Axis, other: Axis, why: str) -> str:
    """Two axes that should be equally large."""
    text = _("{one} against {other}: axis {axis} of {name} and axis {other_axis} of {other_name}.").format(
        one=one[0].axis(one[1]),
        other=other[0].axis(other[1]),
        axis=one[1],
        name=one[0].name,
        other_axis=other[1],
        other_name=other[0].name,
    )
    return paragraph(text, _(why))


def operation_of(node: ast.AST, read: Reader) -> Operation | None:
    """The operation on tensors that an expression or assignment is; None if it is none."""
    match node:
        case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
            return arithmetic(op, arguments([left, right], read))
        case ast.AugAssign(target, ast.MatMult() as op, value):
            return arithmetic(op, arguments([target, value], read))
        case ast.AugAssign(target, op, value):
            return written_into(*arguments([value, target], read))
        case ast.Assign([ast.Subscript() as target], value):
            return written_into(*arguments([value, target], read))
        case ast.Call():
            return called(node, read)
    return None


def arithmetic(op: ast.AST, operands: list[Any]) -> Operation:
    """A sign between two tensors; all but @ lay their shapes side by side in the same way."""
    name, run = ("@", operator.matmul) if isinstance(op, ast.MatMult) else ("+", operator.add)
    return Operation(name, run, operands, {}, [])


def written_into(given: Any, target: Any) -> Operation:
    """`x += y` and `x[…] = y`: y must spread to the shape of x, which does not grow."""
    return Operation("=", lambda given, target: target.copy_(given), [given, target], {}, [])


def called(node: ast.Call, read: Reader) -> Operation | None:
    """A method of a tensor, or a function of torch's own that only works on tensors. Imports torch for these alone."""
    values = arguments(node.args, read)
    named = {word.arg: argument(word.value, read) for word in node.keywords if word.arg}
    owner = argument(node.func.value, read) if isinstance(node.func, ast.Attribute) else None
    if not tensors_in([owner, *values, *named.values()]):
        return None
    import torch

    if isinstance(owner, Operand):
        run = getattr(torch.Tensor, node.func.attr, None)
        return Operation(node.func.attr, run, [owner, *values], named, texts(node.args))
    homes = [torch, torch.nn.functional, torch._C._nn]
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if isinstance(owner, Thing) and isinstance(owner.value, ModuleType):
        homes = [home for home in homes if home is owner.value]
    elif isinstance(node.func, ast.Name):
        homes = [home for home in homes if vars(home).get(name, read) is read.names.get(name)]
    elif ast.unparse(node.func.value).split(".")[0] not in set(USUAL) - set(read.names):
        homes = []
    found = next((vars(home)[name] for home in homes if name in vars(home)), None)
    if type(found) is BuiltinFunctionType or getattr(found, "__module__", "") in FUNCTIONAL:
        return Operation(name, found, values, named, texts(node.args))
    return None


def arguments(nodes: list[ast.expr], read: Reader) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        value = argument(node.value if isinstance(node, ast.Starred) else node, read)
        found += value if isinstance(node, ast.Starred) and isinstance(value, list) else [value]
    return found


def argument(node: ast.expr, read: Reader) -> Any:
    try:
        return read(node)
    except Unreadable:
        return Unread()


def texts(nodes: list[ast.expr]) -> list[str]:
    """The sizes of `view(a, b)` or `view((a, b))` as text; none where a `*` stands among them."""
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
        nodes = nodes[0].elts
    return [] if any(isinstance(node, ast.Starred) for node in nodes) else [ast.unparse(node) for node in nodes]


def view(one: Operand, *sizes: Any, texts: Sequence[str] = (), **other: Any) -> Iterator[str]:
    """view and reshape: as many numbers as before. `texts` are the sizes as they stand in the source."""
    wanted = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list) else list(sizes)
    if not all(type(size) is int for size in wanted) or not wanted:
        return
    have, asked, free = prod(one.shape), prod(size for size in wanted if size != -1), wanted.count(-1)
    if have == asked and not free:
        yield (
            _(
                "{name} has as many numbers as are asked for, {have:,}, but they do not lie in that order in memory, "
                "as after a transpose or permute. `reshape` copies them into order; `view` never copies."
            ).format(name=one.name, have=have)
        )
    elif free != 1 or not asked or have % asked:
        said = " · ".join(map(str, wanted))
        counts = _("{name} has {shape} = {have:,} numbers, and {said} = {asked:,} are asked for.")
        if free:
            counts = _("{name} has {shape} = {have:,} numbers, and {said} asks for a multiple of {asked:,}.")
        shape = " · ".join(map(str, one.shape)) or "1"
        counts = counts.format(name=one.name, shape=shape, have=have, said=said, asked=asked)
        yield paragraph(counts, misfit(one, wanted, texts))


def misfit(one: Operand, wanted: list[int], texts: Sequence[str]) -> str:
    """Which of the sizes asked for does not divide what is to be cut, once the axes that stay are set aside."""
    labels = texts if len(texts) == len(wanted) else [""] * len(wanted)
    head = same_at_head(one.shape, wanted)
    tail = same_at_head(one.shape[head:][::-1], wanted[head:][::-1])
    middle = range(head, len(one.shape) - tail)
    asked = list(zip(wanted, labels, strict=True))[head : len(wanted) - tail]
    if not middle or not asked:
        return ""
    there = " · ".join(one.axis(at) for at in middle)
    axes = _("Axis {first} of {name}, {sizes}") if len(middle) == 1 else _("Axes {first} to {last} of {name}, {sizes}")
    axes = axes.format(first=middle[0], last=middle[-1], name=one.name, sizes=there)
    rest, before = prod(one.shape[at] for at in middle), []
    for size, label in asked:
        called = f"{label} = {size}" if label and label != str(size) else str(size)
        if size > 0 and rest % size:
            text = _("{axes}: {size} does not divide {rest:,}.")
            if before:
                text = _("{axes}: cut into {pieces} leaves {rest:,}, and {size} does not divide that.")
            return text.format(axes=axes, pieces=" · ".join(before), rest=rest, size=called)
        if size > 0:
            rest //= size
            before.append(called)
    text = _("{axes}, cannot be cut into {pieces}: {rest:,} would be left over.")
    return text.format(axes=axes, pieces=" · ".join(before), rest=rest)


def same_at_head(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def embedding(one: Operand, other: Operand, *more: Any, **named: Any) -> Iterator[str]:
    """Ids that a table has no row for. F.embedding takes the ids first, torch.embedding the table."""
    import torch

    ids, table = (other, one) if "float" in one.dtype else (one, other)
    size, tensor = table.shape[0], ids.value
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.is_meta or not tensor.numel():
        return
    with tried():
        wrong = next((one for one in (int(tensor.max()), int(tensor.min())) if not 0 <= one < size), None)
    if wrong is not None:
        yield (
            _(
                "{ids} has the number {wrong}, but {table} has {rows} rows, axis 0: numbers from 0 to {last} can be "
                "looked up."
            ).format(ids=ids.name, wrong=wrong, table=table.name, rows=table.axis(0), last=size - 1)
        )


RULES: dict[str, Callable[..., Iterator[str]]] = {"view": view, "reshape": view, "embedding": embedding}
