"""Lesson 10: a stop in each of the six forwards; all masks side by side, how a forward ends in a head, what trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    chosen,
    exercise,
    filled_in,
    generator,
    pair,
    plain,
    same_tensor,
    seen_there,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_masks(rows: list[tuple[str, str, Tensor, Tensor]]) -> Drawn:
    """Each mask as it was given and as it arrived. A row is its task, its name, the first mask and the second."""
    most = max(arrived.shape[1] for *rest, arrived in rows)
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
        line = _("{task}: {name} grows to {new}+{old} ({axis}).") if new else _("{task}: {name} stays {old} ({axis}).")
        said.append(line.format(task=task, name=name, new=new, old=given.shape[1], axis=axis))
    for axes, title in ((left, _("as you gave it")), (right, _("as it arrived in the model"))):
        axes.set(xlim=(-0.2, most + 0.2), ylim=(len(rows) - 0.4, -0.6))
        places = range(0, most, 10)
        axes.set_xticks([place + 0.5 for place in places], map(str, places))
        plain_axes(axes, title, _("position"))
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    left.set_yticks(ticks, labels)
    legend(figure)
    return drawn(figure, _("Six tasks, seven masks: what you gave and what arrived"), "\n".join(said))


def draw_mask(axes: Axes, row: int, mask: Tensor, axis: str, new: int) -> None:
    """One mask, a line for each text: filled where it may be read, an empty frame where it is padding."""
    from matplotlib.patches import Rectangle

    height = 0.74 / len(mask)
    for text, line in enumerate(mask.tolist()):
        for place, readable in enumerate(line):
            colour = COLOURS["prefix_len"] if place < new else COLOURS[axis]
            corner = (place + 0.06, row - 0.37 + text * height)
            look = {"facecolor": colour if readable else "none", "edgecolor": colour, "linewidth": 0.6}
            axes.add_patch(Rectangle(corner, 0.88, height * 0.86, **look))


def legend(figure: Any) -> None:
    """What the colours mean, below."""
    from matplotlib.patches import Patch

    patches = [Patch(color=COLOURS[name], label=name) for name in ("prefix_len", "source", "target")]
    patches.append(Patch(facecolor="none", edgecolor=COLOURS["source"], label=_("padding")))
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, labelcolor=INK, fontsize=9)


PREFIX_LEN = 5  # of the lesson's prefixes
NO_NUMBER = N_("{line}: a number is wanted, and {given} is none.")
NO_SHAPE = N_("{line}: a shape is wanted, as in (2, 21, 128), and {given} is none.")
NO_WORD = N_("{line}: {given} is none of {known}.")
NOT_SO = N_("{line}: not {given}.")
ASK = N_("Ask at the end of the function: `r` leads there, and everything has its last value.")
BEFORE = N_("So wide it comes in; ask again at the end of the function.")
PREFIX_ALONE = N_("So wide is what is put before the mask.")
NO_QUERIES = N_("The virtual tokens have no queries, so nothing comes out at their places.")
NO_PREFIX_IN_ENCODER = N_("The encoder never sees the prefix: the decoder's cache alone is filled.")
TARGET = N_("That is the target as it came in; the decoder looks at the prefix, too.")
LABELS = N_("Labels are held against logits, and there are none for the prefix.")
EACH_WORD = N_("That is one vector for each token. Which one does this head read? `p pooled_output.shape`.")
ONE_EACH = N_("That would be one for each text; this task asks for one for each token.")
NEVER_PASSED = N_("forward has an argument of that name. Is it among what is handed on? `p list(kwargs)`.")
FATES = ("handed_on", "dropped")


def same_answers(answer: Any, right: dict[str, Any], causes: dict[str, dict[Any, str]]) -> None:
    """Hold a filled dictionary of numbers, shapes and words against what there was to see."""
    for line, given in zip(right, map(plain, filled_in(answer, right)), strict=True):
        wanted = right[line]
        found = tuple(given) if isinstance(wanted, tuple) and isinstance(given, list | tuple) else given
        if isinstance(wanted, str) and found not in FATES:
            raise NotYet(NO_WORD, line=line, given=brief(given), known=", ".join(FATES))
        if not isinstance(found, type(wanted)) or isinstance(found, bool):
            raise NotYet(NO_SHAPE if isinstance(wanted, tuple) else NO_NUMBER, line=line, given=brief(given))
        if found != wanted:
            cause = next((said for one, said in causes.get(line, {}).items() if one == found), ASK)
            raise NotYet(NOT_SO, cause, line=line, given=brief(found))


def as_shown(shape: tuple[int, ...]) -> str:
    """A shape as torch prints it, without its brackets."""
    return ", ".join(map(str, shape))


@exercise("causal_lm", stage="attend")
def check_causal_lm(stop: Any, answer: Any) -> str:
    """`answer` says how wide mask and labels are when they are handed on."""
    causes = {"mask": {49: BEFORE, PREFIX_LEN: PREFIX_ALONE}, "labels": {54: LABELS}}
    same_answers(answer, {"mask": 54, "labels": 49}, causes)
    seen_there(stop, "PeftModelForCausalLM.forward", "54", {"49": BEFORE})
    return _("One mask, and it grows; the labels stay.")


@exercise("seq_2_seq_lm", stage="attend")
def check_seq_2_seq_lm(stop: Any, answer: Any) -> str:
    """`answer` says how wide the two masks are when they are handed on."""
    causes = {"attention_mask": {23: NO_PREFIX_IN_ENCODER}, "decoder_attention_mask": {31: TARGET}}
    same_answers(answer, {"attention_mask": 18, "decoder_attention_mask": 36}, causes)
    seen_there(stop, "PeftModelForSeq2SeqLM.forward", "36", {"31": BEFORE})
    return _("The encoder's mask stays, the decoder's grows: that one is for the attention which reads the prefix.")


@exercise("seq_cls", stage="attend")
def check_seq_cls(stop: Any, answer: Any) -> str:
    """`answer` says how wide the mask is, what the head reads, and what it gives."""
    causes = {
        "mask": {21: BEFORE, PREFIX_LEN: PREFIX_ALONE},
        "head_reads": {(2, 21, 128): EACH_WORD, (2, 26, 128): NO_QUERIES},
        "logits": {(2, 21, 2): EACH_WORD},
    }
    same_answers(answer, {"mask": 26, "head_reads": (2, 128), "logits": (2, 2)}, causes)
    seen_there(stop, "PeftModelForSequenceClassification._prefix_tuning_forward", as_shown((2, 2)))
    return _("A vector for each text goes into the head, and PEFT itself calls it.")


@exercise("token_cls", stage="attend")
def check_token_cls(stop: Any, answer: Any) -> str:
    """`answer` says how wide the mask is, what the head reads, and what it gives."""
    causes = {
        "mask": {21: BEFORE, PREFIX_LEN: PREFIX_ALONE},
        "head_reads": {(2, 128): ONE_EACH, (2, 26, 128): NO_QUERIES},
        "logits": {(2, 4): ONE_EACH, (2, 26, 4): NO_QUERIES},
    }
    same_answers(answer, {"mask": 26, "head_reads": (2, 21, 128), "logits": (2, 21, 4)}, causes)
    seen_there(stop, "PeftModelForTokenClassification._prefix_tuning_forward", as_shown((2, 21, 4)))
    return _("A vector for each token goes into the head, and none for the prefix.")


@exercise("question_ans", stage="attend")
def check_question_ans(stop: Any, answer: Any) -> str:
    """`answer` says how wide the mask is, what the head gives, and what became of the token types."""
    causes = {
        "mask": {34: BEFORE, PREFIX_LEN: PREFIX_ALONE},
        "logits": {(2, 2): ONE_EACH, (2, 39, 2): NO_QUERIES},
        "token_type_ids": {"handed_on": NEVER_PASSED},
    }
    same_answers(answer, {"mask": 39, "logits": (2, 34, 2), "token_type_ids": "dropped"}, causes)
    seen_there(stop, "PeftModelForQuestionAnswering._prefix_tuning_forward", as_shown((2, 34, 2)))
    return _("Two numbers for each token, one for a beginning and one for an end; and the token types are gone.")


@exercise("feature_extraction", stage="attend")
def check_feature_extraction(stop: Any, answer: Any) -> str:
    """`answer` says how wide the mask is, and what comes out."""
    causes = {
        "mask": {28: BEFORE, PREFIX_LEN: PREFIX_ALONE},
        "vectors": {(4, 33, 128): NO_QUERIES, (4, 128): ONE_EACH},
    }
    same_answers(answer, {"mask": 33, "vectors": (4, 28, 128)}, causes)
    seen_there(stop, "PeftModelForFeatureExtraction.forward", "33", {"28": BEFORE})
    return _("The mask grows, and there is neither head nor loss.")


@exercise("which_trains")
def check_which_trains(answer: Any) -> str:
    """`answer` is the letter of the tasks in which a head trains beside the prefix."""
    causes = {
        "a": N_("A language model has a head, too. It was trained with the model, and stays frozen like all of it."),
        "b": N_("Frozen, a head that has just been made of random numbers would keep them for ever."),
        "d": N_("For feature extraction there is no head: the vectors themselves are what is wanted."),
    }
    chosen(answer, "c", causes)
    return _("Where a head is new, it has to learn; PEFT trains a copy of it, and saves the copy.")


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
        raise NotYet(N_("The two are there, in the other order: loss first, then logits."))
    right = outputs[1] / 2 @ weight.T  # (batch, classes)
    each = N_("This is one answer for each token. A text's own vector is the pooled one, outputs[1].")
    numbers = {
        N_("The dropout between the backbone and the head is missing."): right * 2,
        N_("outputs[0][:, 0] is the first token's vector; BERT's pooler makes outputs[1] of it, with a tanh."): (
            tokens[:, 0] / 2 @ weight.T
        ),
        N_("Cross entropy does the softmax itself; logits go out without it."): right.softmax(-1),
    }
    otherwise = (
        N_("One answer for each text is asked for."),
        N_("Give outputs[1] to the dropout, and that to the head."),
    )
    shapes = {(batch, source, classes): each}
    same_tensor(logits, right, "(batch, classes)", shapes, numbers, otherwise, name="logits")
    expected = nn.functional.cross_entropy(right, labels)
    numbers = {
        N_("cross_entropy takes the logits as they are; a softmax before it is one too many."): (
            nn.functional.cross_entropy(right.softmax(-1), labels)
        ),
        N_("This is the sum over the batch; PEFT takes the mean."): expected * batch,
    }
    otherwise = N_("One number for the whole batch."), N_("Expected is cross_entropy(logits, labels).")
    same_tensor(loss, expected, "()", {}, numbers, otherwise, name=_("the loss"))
    return _("Pooled vector, dropout, head, cross entropy: what PEFT does where the base model cannot.")
