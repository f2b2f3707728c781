"""One stage's result, put together: its row of the table of stages, with the values of this run in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from prefix_lab.mapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.shapes import name_axes_of
from prefix_lab.stages import Flow, Stage
from prefix_lab.walk.attempt import Outcome, in_words
from prefix_lab.walk.axis_sizes import axis_sizes
from prefix_lab.walk.compare import COMPARISONS
from prefix_lab.walk.describe import DESCRIPTIONS
from prefix_lab.walk.results import Check, Described, Difference, Seen, StageResult
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.stop import explain_stop


def tell(
    stage: Stage, side: Side, peft: Side | None, outcome: Outcome, theirs: Outcome | None, run: Run
) -> StageResult:
    """What ours made, in words, and PEFT's held against it."""
    row = StageResult(stage, in_use(stage.ours, side), in_use(stage.peft, side), (), (), (), ())
    if outcome.error:
        return row._replace(stop=explain_stop(stage.name, outcome.error, side, peft, theirs, run))
    described = DESCRIPTIONS[stage.name](side, run)
    prepared = side.made.get("prepare", side.config)
    sizes = axis_sizes(run, prepared.num_virtual_tokens, side.base.config, prepared.encoder_hidden_size)
    return row._replace(
        takes=tuple(seen(stage.takes, described, sizes)),
        gives=tuple(seen(stage.gives, described, sizes)),
        facts=described.facts,
        checks=checks_of(stage.name, outcome, theirs),
    )


def in_use(dotted: str, side: Side) -> str:
    """The table names one task's class; here is the name with the class of this run."""
    tasks = {row.__name__ for row in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.values()}
    chosen = side.made.get("choose")
    return ".".join(chosen.__name__ if chosen and part in tasks else part for part in dotted.split("."))


def seen(flows: tuple[Flow, ...], described: Described, sizes: Mapping[str, int]) -> Iterator[Seen]:
    """What the table says goes in or out, as far as this run has it: logits or hidden states, say."""
    for flow in flows:
        value, note = described.values.get(flow.name), described.notes.get(flow.name, "")
        if isinstance(value, Tensor):
            yield seen_tensor(flow, value, sizes, note)
        elif value is not None:
            yield Seen(flow.name, value=name_of(value), note=note)


def seen_tensor(flow: Flow, tensor: Tensor, sizes: Mapping[str, int], note: str) -> Seen:
    """The shape, with the names that hold; a tensor of another rank than the table says has none."""
    shape, axes = tuple(tensor.shape), flow.axes or ()
    names = name_axes_of(shape, axes, sizes) if len(axes) == len(shape) else tuple(map(str, shape))
    one_number = tensor.item() if not shape and not tensor.is_meta else None
    return Seen(flow.name, shape, names, str(tensor.dtype).removeprefix("torch."), one_number, note)


def name_of(value: Any) -> str | int:
    return value if isinstance(value, str | int) else getattr(value, "__name__", type(value).__name__)


def checks_of(name: str, outcome: Outcome, theirs: Outcome | None) -> tuple[Check, ...]:
    """Ours against PEFT's; an error of PEFT's alone is a difference too."""
    if theirs is None:
        return ()
    if theirs.error:
        return (Check("call", 1, (Difference(name, f"runs, and PEFT's raises {in_words(theirs.error)}"),)),)
    return COMPARISONS[name](outcome.value, theirs.value)
