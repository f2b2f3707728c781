"""Lesson 9's recording and picture: PEFT's own classifying forward, and every mask before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZES = {"batch": 2, "source": 7, "prefix_len": 5, "layers": 2, "hidden": 32, "heads": 4, "ff": 64, "vocab": 100}


def classify(axes: Mapping[str, int]) -> None:
    """A tiny BERT that classifies, with PEFT's prefix, forwards and backwards at these sizes."""
    import peft
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {
        "num_hidden_layers": axes["layers"],
        "hidden_size": axes["hidden"],
        "num_attention_heads": axes["heads"],
        "intermediate_size": axes["ff"],
        "vocab_size": axes["vocab"],
    }
    base = BertForSequenceClassification(BertConfig(**sizes, max_position_embeddings=64, num_labels=3))
    config = peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=axes["prefix_len"])
    peft_model = peft.get_peft_model(base, config)
    ids = torch.randint(3, axes["vocab"], (axes["batch"], axes["source"]))
    labels = torch.zeros(axes["batch"], dtype=torch.long)
    peft_model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()


def record_classification() -> Recording:
    """PEFT's source at work in `classify`, every line of it, with its axes named; two texts of seven tokens."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with record(["peft"]) as recording:
            classify(SIZES)
        return recording.with_names(name_axes(classify))


def listen(peft_model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[str, dict[str, Any], Any]:
    """Run the model, and listen at two doors: that of the base model, and that of the backbone inside it.

    Returns which of the two PEFT knocked at, what was handed over there, and the output.
    """
    doors = {"the base model": peft_model.get_base_model()}
    if backbone := getattr(peft_model, "transformer_backbone_name", None):
        doors[f"the backbone, {backbone}"] = doors["the base model"].get_submodule(backbone)
    arrived: dict[str, dict[str, Any]] = {}
    listeners = [
        module.register_forward_pre_hook(
            lambda module, args, kwargs, door=door: arrived.setdefault(door, dict(kwargs)) and None, with_kwargs=True
        )
        for door, module in doors.items()
    ]
    try:
        output = peft_model(**inputs)
    finally:
        for listener in listeners:
            listener.remove()
    door = next(iter(arrived))  # the first one that was opened
    return door, arrived[door], output


def draw_masks(rows: list[tuple[str, str, Tensor, Tensor]]) -> Drawn:
    """Each mask as it was given and as it arrived. A row is its task, its name, the first mask and the second."""
    from prefix_lab.widgets.picture import INK, new_figure

    most = max(arrived.shape[1] for _, _, _, arrived in rows)
    figure = new_figure(9.6, 0.62 * len(rows) + 0.9)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[most, most])
    said, ticks, labels = [], [], []
    for number, (task, name, given, arrived) in enumerate(rows):
        axis = "target" if name.startswith("decoder") else "source"
        new = arrived.shape[1] - given.shape[1]
        draw_mask(left, number, given, axis, 0)
        draw_mask(right, number, arrived, axis, new)
        ticks.append(number)
        labels.append(f"{task}\n{name}")
        grows = f"grows to {new}+{given.shape[1]}" if new else f"stays {given.shape[1]}"
        said.append(f"{task}: {name} {grows} wide ({axis}).")
    for axes, title in ((left, "as you gave it"), (right, "as it arrived in the model")):
        axes.set(xlim=(-0.2, most + 0.2), ylim=(len(rows) - 0.4, -0.6))
        axes.set_xticks([place + 0.5 for place in range(0, most, 2)], [str(place) for place in range(0, most, 2)])
        plain_axes(axes, title, "position")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    left.set_yticks(ticks, labels)
    legend(figure, INK)
    return drawn(figure, "Six tasks, seven masks: what you gave and what arrived", "\n".join(said))


def draw_mask(axes: Axes, row: int, mask: Tensor, axis: str, new: int) -> None:
    """One mask, a line for each text: filled where it may be read, an empty frame where it is padding."""
    from matplotlib.patches import Rectangle

    from prefix_lab.widgets.colours import COLOURS

    height = 0.74 / len(mask)
    for text, line in enumerate(mask.tolist()):
        for place, readable in enumerate(line):
            colour = COLOURS["prefix_len"] if place < new else COLOURS[axis]
            corner = (place + 0.06, row - 0.37 + text * height)
            look = {"facecolor": colour if readable else "none", "edgecolor": colour, "linewidth": 0.8}
            axes.add_patch(Rectangle(corner, 0.88, height * 0.86, **look))


def legend(figure: Any, ink: str) -> None:
    """What the colours mean, below."""
    from matplotlib.patches import Patch

    from prefix_lab.widgets.colours import COLOURS

    patches = [Patch(color=COLOURS[name], label=name) for name in ("prefix_len", "source", "target")]
    patches.append(Patch(facecolor="none", edgecolor=COLOURS["source"], label="padding"))
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, labelcolor=ink, fontsize=9)
