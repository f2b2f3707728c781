"""Lesson 10: all masks before and after; which of them grows, how a forward ends in a head, and what trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    answered_shape,
    brief,
    called,
    exercise,
    generator,
    pair,
    same_number,
    same_tensor,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import name_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSIFIED = {"batch": 2, "source": 7, "prefix_len": 5, "layers": 2, "hidden": 32, "heads": 4, "ff": 64, "vocab": 100}


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
            classify(CLASSIFIED)
        return recording.with_names(name_axes(classify))


def draw_masks(rows: list[tuple[str, str, Tensor, Tensor]]) -> Drawn:
    """Each mask as it was given and as it arrived. A row is its task, its name, the first mask and the second."""
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
    legend(figure)
    return drawn(figure, "Six tasks, seven masks: what you gave and what arrived", "\n".join(said))


def draw_mask(axes: Axes, row: int, mask: Tensor, axis: str, new: int) -> None:
    """One mask, a line for each text: filled where it may be read, an empty frame where it is padding."""
    from matplotlib.patches import Rectangle

    height = 0.74 / len(mask)
    for text, line in enumerate(mask.tolist()):
        for place, readable in enumerate(line):
            colour = COLOURS["prefix_len"] if place < new else COLOURS[axis]
            corner = (place + 0.06, row - 0.37 + text * height)
            look = {"facecolor": colour if readable else "none", "edgecolor": colour, "linewidth": 0.8}
            axes.add_patch(Rectangle(corner, 0.88, height * 0.86, **look))


def legend(figure: Any) -> None:
    """What the colours mean, below."""
    from matplotlib.patches import Patch

    patches = [Patch(color=COLOURS[name], label=name) for name in ("prefix_len", "source", "target")]
    patches.append(Patch(facecolor="none", edgecolor=COLOURS["source"], label="padding"))
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, labelcolor=INK, fontsize=9)


ENCODER_DECODER = "SEQ_2_SEQ_LM"
TASKS = ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION", "CAUSAL_LM", ENCODER_DECODER)


@exercise("grown_mask")
def check_grown_mask(question: Any, answer: Any) -> str:
    """`answer` is the shape that `question`, a prediction, asks for."""
    return answered_shape(question, answer)


OTHER_WIDTHS = "For {task} with prefix_len={prefix_len}, source={source}, target={target} your function gave {given}."


@exercise("widths")
def check_widths(answer: Any) -> str:
    """`answer(task_type, prefix_len, source, target)` is the widths of the two masks; None where there is none."""
    prefix_len, source, target = sizes = DICE.sample(SIZES, 3)
    for task in DICE.sample(TASKS, len(TASKS)):
        given = pair(called(answer, task, *sizes), "attention_mask, decoder_attention_mask", int | None)
        if given == ((source, prefix_len + target) if task == ENCODER_DECODER else (prefix_len + source, None)):
            continue
        told = {"task": task, "prefix_len": prefix_len, "source": source, "target": target, "given": brief(given)}
        raise NotYet(OTHER_WIDTHS, wrong_width(task, *given, *sizes), **told)
    return "Five tasks have one mask, and it grows; with an encoder and a decoder, only the decoder's."


def wrong_width(task: str, encoder: Any, decoder: Any, prefix_len: int, source: int, target: int) -> str:
    """The likely cause of a wrong pair of widths."""
    if task != ENCODER_DECODER:
        if decoder is not None:
            return "This model has one stack of layers, so the second is None."
        if encoder == source:
            return "The model reads prefix_len more keys than the mask has columns for."
        return "The one mask covers the prefix and the text."
    if encoder == prefix_len + source:
        return "The encoder never sees the prefix: PEFT fills the decoder's cache alone, so its mask stays."
    if decoder == target:
        return "The decoder's self-attention reads the prefix, so its mask has to grow."
    if decoder == prefix_len + source:
        return "The decoder's mask is about the target, which has another length than the source."
    return "One of the two stays as it is; which stack reads the prefix?"


class Outputs(tuple):
    """A backbone's output, as PEFT uses it: [0] is a vector for each token, [1] one for each text."""

    last_hidden_state = property(lambda self: self[0])
    pooler_output = property(lambda self: self[1])


class Halved(nn.Module):
    """In dropout's place: no dice, and yet one sees whether it was called."""

    def forward(self, x: Tensor) -> Tensor:
        return x / 2


@exercise("ending")
def check_ending(answer: Any) -> str:
    """`answer(outputs, dropout, classifier, labels)` is (loss, logits) of a sequence classification."""
    batch, source, hidden, classes = DICE.sample(SIZES, 4)
    dice = generator()
    tokens = torch.randn(batch, source, hidden, generator=dice)
    outputs = Outputs((tokens, torch.randn(batch, hidden, generator=dice)))
    labels = torch.randint(classes, (batch,), generator=dice)
    weight = torch.randn(classes, hidden, generator=dice)
    head = nn.utils.skip_init(nn.Linear, hidden, classes, bias=False)
    head.weight.data.copy_(weight)

    loss, logits = pair(called(answer, outputs, Halved(), head, labels), "loss, logits", Tensor)
    if logits.dim() == 0 and loss.dim() > 0:
        raise NotYet("The two are there, in the other order: loss first, then logits.")
    right = outputs[1] / 2 @ weight.T  # (batch, classes)
    each = "This is one answer for each token. A text's own vector is the pooled one, outputs[1]."
    numbers = {
        "The dropout between the backbone and the head is missing.": right * 2,
        "outputs[0][:, 0] is the first token's vector; BERT's pooler makes outputs[1] of it, with a tanh.": (
            tokens[:, 0] / 2 @ weight.T
        ),
        "Cross entropy does the softmax itself; logits go out without it.": right.softmax(-1),
    }
    otherwise = "One answer for each text is asked for.", "Give outputs[1] to the dropout, and that to the head."
    shapes = {(batch, source, classes): each}
    same_tensor(logits, right, "(batch, classes)", shapes, numbers, otherwise, name="logits")
    expected = nn.functional.cross_entropy(right, labels)
    numbers = {
        "cross_entropy takes the logits as they are; a softmax before it is one too many.": (
            nn.functional.cross_entropy(right.softmax(-1), labels)
        ),
        "This is the sum over the batch; PEFT takes the mean.": expected * batch,
    }
    otherwise = "One number for the whole batch.", "Expected is cross_entropy(logits, labels)."
    same_tensor(loss, expected, "()", {}, numbers, otherwise, name="the loss")
    return "Pooled vector, dropout, head, cross entropy: what PEFT does where the base model cannot."


@exercise("trainable")
def check_trainable(answer: Any) -> str:
    """`answer(prefix_len, layers, hidden, classes)` is how many numbers train for SEQ_CLS."""
    for _ in range(5):
        prefix_len, layers, hidden, classes = DICE.sample(SIZES, 4)
        prefix, head = prefix_len * 2 * layers * hidden, hidden * classes + classes
        causes = {
            prefix: "That is the prefix alone; the head started at random, and trains too.",
            head: "That is the head alone.",
            prefix + hidden * classes: "The head has a bias, one number a class.",
            prefix + 2 * head: "The original head is kept, but frozen: only its copy trains.",
            prefix // 2 + head: "Every virtual token has a key and a value in every layer.",
        }
        given = {"prefix_len": prefix_len, "layers": layers, "hidden": hidden, "classes": classes}
        same_number(answer, given, prefix + head, causes, "Count the prefix, then the head: its weight and its bias.")
    return "The prefix, and a copy of the head."
