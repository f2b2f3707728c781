"""Lesson 8: who looks at the prefix, for which word; mask and positions, keys side by side, the prefix's share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    TODO,
    NotYet,
    brief,
    called,
    exercise,
    filled_in,
    generator,
    is_open,
    plain,
    same_tensor,
    seen_there,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDY = 2  # signs; longer names of places stand upright


def draw_reading(attentions: Sequence[Tensor], words: Sequence[str], prefix_len: int, sentence: int = 0) -> Drawn:
    """What share of its attention each head of each layer gives to the prefix, at each word; of the first text.

    `attentions` as the model gives them; `sentence` is where what is written begins, and is marked.
    """
    shares = [
        one[0, ..., :prefix_len].sum(-1).detach().double().numpy() for one in attentions
    ]  # layers × heads × words
    heads = len(shares[0])
    figure = new_figure(min(11, 1.3 + 0.27 * len(words)), 1.5 + 0.2 * heads * len(shares))
    panels = figure.subplots(len(shares), 1, sharex=True, squeeze=False)[:, 0]
    told = []
    for layer, (axes, share) in enumerate(zip(panels, shares, strict=True)):
        filled(axes, share, "prefix_len")
        plain_axes(axes, "", left=_("layer {layer}, head").format(layer=layer))
        axes.set_yticks(range(heads), map(str, range(heads)))
        axes.tick_params(length=0)
        if sentence:
            axes.axvline(sentence - 0.5, color=INK, linewidth=1)
        head, word = np.unravel_index(share[:, 1:].argmax(), share[:, 1:].shape)
        told.append(
            _("layer {layer}: {shares} on average; most in head {head} at “{word}”, {most:.0%}").format(
                layer=layer,
                shares=", ".join(f"{one:.0%}" for one in share.mean(1)),
                head=head,
                word=words[word + 1],
                most=share[head, word + 1],
            )
        )
    named_places(panels[-1], words, 0)
    title = _("How much of its attention each head gives to the prefix, word by word")
    panels[0].set_title(title, color=INK, fontsize=10, loc="left")
    figure.supxlabel(
        _("at which word; the fuller a cell, the more of the head's attention is on the prefix (full: all of it)"),
        color=INK,
        fontsize=9,
    )
    return drawn(figure, title, "\n".join(told))


def draw_attention(maps: dict[str, Tensor], words: Sequence[str], asking: int = 0) -> Drawn:
    """Attention of one head, (source, source) or (source, prefix_len+source) each; a title for each of them.

    `asking` is the first word whose row is shown.
    """
    source = len(words)
    widths = [one.shape[-1] for one in maps.values()]
    figure = new_figure(min(12, 1.2 + 0.22 * sum(widths)), 1.6 + 0.22 * (source - asking))
    panels = figure.subplots(1, len(maps), width_ratios=widths, squeeze=False)[0]
    told = []
    for axes, (title, weights) in zip(panels, maps.items(), strict=True):
        prefix_len = weights.shape[-1] - source
        draw_map(axes, weights[asking:].detach().double().numpy(), prefix_len, words, asking)
        plain_axes(axes, title)
        told.append(
            _("{title}: {queries} words ask {keys} keys; {share:.0%} of their attention is on the prefix.").format(
                title=title,
                queries=source - asking,
                keys=weights.shape[-1],
                share=weights[asking:, :prefix_len].sum() / (source - asking),
            )
        )
    panels[0].set_ylabel(_("who asks"), color=INK, fontsize=9)
    figure.supxlabel(
        _("who is asked: the prefix (numbered), then the words; the fuller a cell, the larger the weight"),
        color=INK,
        fontsize=9,
    )
    return drawn(figure, _("Where one head looks"), "\n".join(told))


def draw_map(axes: Axes, weights: np.ndarray, prefix_len: int, words: Sequence[str], asking: int) -> None:
    """The prefix's columns in one colour, those of the words in another."""
    if prefix_len:
        filled(axes, weights[:, :prefix_len], "prefix_len")
    filled(axes, weights[:, prefix_len:], "source", prefix_len)
    axes.set_xlim(-0.5, weights.shape[1] - 0.5)
    named_places(axes, words, prefix_len)
    axes.set_yticks(range(len(weights)), [seen(one) for one in words[asking:]], parse_math=False)
    axes.tick_params(length=0)
    if prefix_len:
        axes.axvline(prefix_len - 0.5, color=INK, linewidth=1)


def filled(axes: Axes, weights: np.ndarray, axis: str, start: int = 0) -> None:
    """A cell for each weight in the colour of its axis, the fuller the larger; from column `start` on."""
    from matplotlib.colors import to_rgb

    image = np.zeros((*weights.shape, 4))
    image[..., :3] = to_rgb(COLOURS[axis])
    image[..., 3] = weights.clip(0, 1) ** 0.7  # a weight of 0.05 is still to be seen
    rows, columns = weights.shape
    place = (start - 0.5, start + columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(image, aspect="auto", interpolation="none", extent=place)


def named_places(axes: Axes, words: Sequence[str], prefix_len: int) -> None:
    names = [*map(str, range(prefix_len)), *map(seen, words)]
    turned = 90 if max(map(len, names)) > WORDY else 0
    axes.set_xticks(range(len(names)), names, rotation=turned, parse_math=False)


def seen(word: str) -> str:
    return word if word.strip() else "␣"


def draw_shares(attentions: Sequence[Tensor], prefix_len: int) -> Drawn:
    """How much of its attention each head of each layer gives to the prefix; `attentions` as the model gives them."""
    shares = [one[..., :prefix_len].sum(-1).mean((0, 2)).tolist() for one in attentions]  # layers × heads
    figure = new_figure(7.5, 2.8)
    axes = figure.add_subplot()
    heads = len(shares[0])
    for layer, row in enumerate(shares):
        left = layer * (heads + 1)
        axes.bar(range(left, left + heads), row, color=COLOURS["prefix_len"], width=0.8)
        axes.bar(
            range(left, left + heads),
            [1 - one for one in row],
            bottom=row,
            color=COLOURS["source"],
            width=0.8,
            alpha=0.45,
        )
        axes.annotate(
            _("layer {layer}").format(layer=layer),
            (left + (heads - 1) / 2, 1.02),
            ha="center",
            color=INK,
            fontsize=9,
            annotation_clip=False,
        )
    places = [layer * (heads + 1) + head for layer in range(len(shares)) for head in range(heads)]
    axes.set_xticks(places, [str(head) for _row in shares for head in range(heads)])
    axes.set_ylim(0, 1.12)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    plain_axes(axes, "", _("heads"), _("share of attention"))
    for name, height in ((_("prefix"), shares[-1][-1] / 2), (_("source"), (1 + shares[-1][-1]) / 2)):
        axes.annotate(name, (places[-1] + 0.55, height), color=INK, fontsize=9, va="center", annotation_clip=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    told = [
        _("layer {layer}: {shares}").format(layer=n, shares=", ".join(f"{one:.0%}" for one in row))
        for n, row in enumerate(shares)
    ]
    return drawn(figure, _("What share of its attention each head gives to the prefix"), "\n".join(told))


PREFIX_LEN, WORDS = 10, 18  # of the lesson's prefix, and of its record
WHOLE = PREFIX_LEN + WORDS
FORWARD = "PeftModelForCausalLM.forward"
NO_NUMBER = N_("{line}: {given} is no number. Ask the debugger; of a shape that it prints, take the last number.")
OTHER_ANSWER = N_("{line}: not {given}.")
ASK_AGAIN = N_("Stop once more, and ask at the end of the function: `r` leads there.")
ARRIVES = {
    "mask": {
        WORDS: N_("So wide it comes in. The line with torch.cat makes another one of it; ask again behind that line."),
        PREFIX_LEN: N_("So wide is what is put before the mask; the mask itself is wider."),
    },
    "first_position": {
        0: N_("That is the position that you gave. Ask again behind the call of _adjust_prompt_learning_kwargs."),
        PREFIX_LEN - 1: N_("That is the last virtual token's: they take the positions from 0 on."),
        PREFIX_LEN + 1: N_("Positions are counted from 0."),
        WHOLE - 1: N_("That is the last word's."),
    },
}


@exercise("arrives", stage="attend")
def check_arrives(stop: Any, answer: Any) -> str:
    """`answer` says how wide the mask is that forward hands on, and the first word's position; `stop` has shown it."""
    same_numbers(answer, {"mask": WHOLE, "first_position": PREFIX_LEN}, ARRIVES)
    seen_there(stop, FORWARD, str(WHOLE), {str(WORDS): ARRIVES["mask"][WORDS]})
    seen_there(stop, FORWARD, (f"tensor({PREFIX_LEN})", f"{PREFIX_LEN}, {PREFIX_LEN + 1}"))
    return _("The mask has grown by prefix_len ones in front, and the words have moved by as much to the right.")


def same_numbers(answer: Any, right: dict[str, int], causes: dict[str, dict[int, str]]) -> None:
    """Hold the numbers of a filled dictionary against the right ones."""
    given = dict(zip(right, map(plain, filled_in(answer, right)), strict=True))
    for line, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise NotYet(NO_NUMBER, line=line, given=brief(number))
        if number != right[line]:
            raise NotYet(OTHER_ANSWER, causes[line].get(number, ASK_AGAIN), line=line, given=number)


UPDATE, LAYER = "DynamicLayer.update", "GPT2Attention.forward"
KEYS = {
    "keys_before": {
        WHOLE: N_("So many there are after the line with torch.cat; how many were there before it?"),
        WORDS: N_("So many come in, one for each word: key_states. self.keys is what was there before."),
        0: N_("`p self.keys.shape`: the third number counts the keys."),
    },
    "keys_after": {
        PREFIX_LEN: N_("So many were there before. Run the line with torch.cat (`n`), and ask again."),
        WORDS: N_("So many come in; they are joined to what was there."),
    },
    "layer": {
        1: N_("Layers are counted from 0. `u` climbs to the caller: once to the cache, twice to the attention layer."),
        4: N_("So many layers there are. Which is the one that called? `u`, `u`, `p self.layer_idx`."),
    },
}
FIRST = ("prefix", "words")
NO_FIRST = N_("first: {given} is neither 'prefix' nor 'words'.")
OTHER_FIRST = N_(
    "first: not 'words'. torch.cat puts side by side what stands in its list, from left to right; what is self.keys "
    "before that line?"
)


@exercise("keys_join", stage="attend")
def check_keys_join(stop: Any, answer: Any) -> str:
    """`answer` says how many keys there are before and after, whose come first, and which layer calls."""
    right = {"keys_before": PREFIX_LEN, "keys_after": WHOLE, "first": "prefix", "layer": 0}
    first = filled_in(answer, right)[2]
    if first not in FIRST:
        raise NotYet(NO_FIRST, given=brief(first))
    if first != "prefix":
        raise NotYet(OTHER_FIRST)
    numbers = {line: one for line, one in right.items() if line != "first"}
    same_numbers(answer, numbers, KEYS)
    seen_there(stop, UPDATE, str(PREFIX_LEN))
    causes = {str(PREFIX_LEN): KEYS["keys_after"][PREFIX_LEN]}
    if seen_there(stop, UPDATE, str(WHOLE), causes) is not None:  # of another debugger, only the places are known
        seen_there(stop, LAYER, "0")
    return _("The prefix's keys are there before a layer has made its own, and stand before them.")


WHY = ("few_others", "how_to_say", "in_the_record")
REASONS = {
    ("name", "how_to_say"): N_("Nothing is written yet at that word: the record has only begun."),
    ("name", "in_the_record"): N_("Of the record this is the first word; a word never looks at those behind it."),
    ("=", "few_others"): N_("It may look at 17 words before it, and hardly does in the deeper layers."),
    ("=", "in_the_record"): N_("The record says what the place is like; in which manner to tell it, it does not say."),
    ("amber", "few_others"): N_("By then there are more words to look at than at any place before."),
    ("amber", "how_to_say"): N_("Behind “amber” only “bell” can follow, in any manner, and the chances say so."),
}
NO_WHY = N_("{line}: {given} is none of {known}.")


@exercise("why_there")
def check_why_there(answer: Any) -> str:
    """`answer` has one of `WHY` for each of the three words."""
    right = dict(zip(("name", "=", "amber"), WHY, strict=True))
    for line, given in zip(right, filled_in(answer, right), strict=True):
        if given not in WHY:
            raise NotYet(NO_WHY, line=line, given=brief(given), known=", ".join(WHY))
        if given != right[line]:
            raise NotYet(OTHER_ANSWER, REASONS[line, given], line=line, given=given)
    return _("What the text cannot tell, the heads look up in the prefix: here, how a postcard begins.")


NO_HEAD = N_("The number of a cached head is wanted, and {given} is none.")
OTHER_HEAD = N_("Not {given}.")
HEADS = {
    0: N_("Turn by turn (4 modulo 2) is not how they are dealt out: heads side by side form a group."),
    2: N_("4 divided by the 2 cached heads gives 2; divide by the size of a group, which is 3."),
    3: N_("3 is the size of a group: that many heads share one that is cached."),
    4: N_("There are six heads that ask, and two that are cached: 0 and 1."),
}


@exercise("kv_head")
def check_kv_head(answer: Any) -> str:
    """`answer` is the cached head, of two, that head 4 of six reads."""
    if is_open(answer):
        raise NotYet(TODO)
    number = plain(answer)
    if not isinstance(number, int) or isinstance(number, bool):
        raise NotYet(NO_HEAD, given=brief(number))
    if number != 1:
        raise NotYet(OTHER_HEAD, HEADS.get(number, HEADS[4]), given=number)
    return _("head // n_rep: neighbours share a key and a value.")


@exercise("content")
def check_content(answer: Any) -> str:
    """`answer(attention, prefix_len)` is the attention on the words alone, each query's weights adding up to 1."""
    batch, heads, source, prefix_len = DICE.sample(SIZES, 4)
    attention = torch.randn(batch, heads, source, prefix_len + source, generator=generator()).softmax(-1)
    kept, first = attention[..., prefix_len:], attention[..., :source]
    result = called(answer, attention.clone(), prefix_len)
    shapes = {
        (batch, heads, source, prefix_len): N_("These are the prefix's columns; the text's are the others."),
        tuple(attention[:, :, prefix_len:].shape): N_(
            "Rows were dropped, the queries; the keys are the columns, the last axis."
        ),
    }
    columns = kept / kept.sum(-2, keepdim=True)
    numbers = {
        N_("The rows do not add up to 1 yet; divide by their sum."): kept,
        N_("A second softmax makes weights of weights; divide by the sum."): kept.softmax(-1),
        N_("Divided by the sum of each column; a query's weights are a row, dim=-1."): columns,
        N_("Divided by the sum of everything; each query adds up to 1 by itself."): kept / kept.sum(),
        N_("These are the first columns, where the prefix is."): first / first.sum(-1, keepdim=True),
    }
    otherwise = (
        N_("Drop the prefix's columns, the first prefix_len of the last axis."),
        N_("Cut first, then divide by what is left."),
    )
    axes, right = "(batch, heads, source, source)", kept / kept.sum(-1, keepdim=True)
    same_tensor(result, right, axes, shapes, numbers, otherwise)
    return _("The text's share alone, made to add up to 1 again.")
