"""A picture of a whole network: every attention of every layer, and which of them have the prefix's cells."""

from __future__ import annotations

from typing import Any, NamedTuple

from prefix_lab.course.shown import Drawn
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.sizes import cache_sizes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, Picture

WIDTH, GAP = 4.5, 0.55  # inches: a stack of layers, and the way between two
NAME, CELLS, CELL, TEXT = 1.3, 1.9, 0.11, 6  # room for names and for the prefix's cells; a cell, and how many of a text
ROW, FORWARD, HEAD, BETWEEN = 0.38, 0.24, 0.27, 0.1  # heights
TOP, LEGEND = 0.92, 5.4  # where the stacks begin, and how wide their legend is

SELF, CROSS, ENCODER, DECODER = N_("self-attention"), N_("cross-attention"), N_("encoder"), N_("decoder")
LAYER, FEED_FORWARD, NEXT_WORD, NO_PREFIX = (
    N_("layer {number}"),
    N_("feed-forward"),
    N_("the next word"),
    N_("no prefix"),
)
TITLE = N_("{model}: where {count} virtual tokens stand")
LEARNT = N_("the prefix: for each virtual token a key (above) and a value (below), learnt")
ITS_OWN = N_("the text's own keys and values, computed by the model")
NUMBERS = N_("Each cell holds {width} numbers: {heads} heads of {head_dim}.")
TOLD_STACK = N_("{stack}: {layers} layers.")
TOLD_WITH = N_("{attention} in each layer: {count} cells of the prefix stand before those of the text.")
TOLD_WITHOUT = N_("{attention} in each layer: no cell of the prefix.")


class Attention(NamedTuple):
    """What an attention is called, whether it has the prefix's cells, and whose keys and values it reads besides."""

    name: str
    has_prefix: bool
    reads: str


class Stack(NamedTuple):
    """Layers that are alike."""

    name: str
    layers: int
    attentions: tuple[Attention, ...]

    @property
    def height(self) -> float:
        """Of one layer."""
        return HEAD + ROW * len(self.attentions) + FORWARD + 0.06

    def top(self, number: int) -> float:
        """Of that layer."""
        return TOP + 0.26 + number * (self.height + BETWEEN)


def stacks_of(config: Any) -> tuple[Stack, ...]:
    """What the model is made of, by its config: an encoder and a decoder, or one stack."""
    own = Attention(SELF, True, "source")
    if not config.is_encoder_decoder:
        return (Stack(config.model_type, config.num_hidden_layers, (own,)),)
    encoder_layers = getattr(config, "encoder_layers", config.num_hidden_layers)
    cross = Attention(CROSS, False, "source")
    return (
        Stack(ENCODER, encoder_layers, (own._replace(has_prefix=False),)),
        Stack(DECODER, cache_sizes(config).layers, (own._replace(reads="target"), cross)),
    )


def draw_network(config: Any, prefix_len: int) -> Drawn:
    """The whole network of a transformers config, and where PEFT's prefix of that many virtual tokens stands in it."""
    stacks = stacks_of(config)
    bottom = max(one.top(one.layers) for one in stacks)
    across = len(stacks) * WIDTH + (len(stacks) - 1) * GAP
    picture = Picture(0.03, max(across, LEGEND) + 0.03, bottom + 0.62)
    legend(picture)
    for place, one in enumerate(stacks):
        draw_stack(picture, one, place * (WIDTH + GAP), prefix_len)
    if len(stacks) == 2:
        draw_way_across(picture, *stacks)
    left = across - WIDTH
    arrow_down(picture, left + WIDTH / 2, stacks[-1].top(stacks[-1].layers) - BETWEEN, 0.22)
    picture.words(left + WIDTH / 2, stacks[-1].top(stacks[-1].layers) + 0.24, _(NEXT_WORD), 10)
    _layers, heads, head_dim = cache_sizes(config)
    numbers = _(NUMBERS).format(width=heads * head_dim, heads=heads, head_dim=head_dim)
    picture.words(0.0, bottom + 0.5, numbers, 9, "start")
    title = _(TITLE).format(model=config.model_type, count=prefix_len)
    told = paragraph(*told_of(stacks, prefix_len), numbers)
    return Drawn(picture.svg(title, told, narrowest=0.7), f"{title}\n{told}")


def legend(picture: Picture) -> None:
    """What a filled cell is, and what an empty one is."""
    for line, (said, filled) in enumerate(((LEARNT, True), (ITS_OWN, False))):
        pair_of_cells(picture, 0.0, 0.04 + 0.32 * line, "prefix_len" if filled else "source", CELL, filled)
        picture.words(0.22, 0.04 + 0.32 * line + CELL, _(said), 9.5, "start")


def draw_stack(picture: Picture, stack: Stack, left: float, prefix_len: int) -> None:
    """Its name, and one box for each layer."""
    picture.words(left, TOP + 0.02, _(stack.name), 12, "start", bold=True)
    for number in range(stack.layers):
        top = stack.top(number)
        picture.box(left, top, WIDTH, stack.height, fill="none", stroke=FAINT, stroke_width=1.2, rx=6)
        picture.words(left + 0.1, top + 0.15, _(LAYER).format(number=number), 9.5, "start", bold=True)
        for place, attention in enumerate(stack.attentions):
            draw_attention(picture, attention, left, top + HEAD + place * ROW, prefix_len)
        low = top + HEAD + ROW * len(stack.attentions)
        picture.box(left + 0.1, low, WIDTH - 0.2, FORWARD - 0.04, fill="none", stroke=FAINT, rx=3)
        picture.words(left + WIDTH / 2, low + (FORWARD - 0.04) / 2, _(FEED_FORWARD), 9)
        if number:
            arrow_down(picture, left + WIDTH / 2, top - BETWEEN, BETWEEN)


def draw_attention(picture: Picture, attention: Attention, left: float, top: float, prefix_len: int) -> None:
    """Its name; the prefix's cells, where it has them; and some cells of the text."""
    picture.words(left + 0.1, top + CELL, _(attention.name), 9.5, "start")
    width = min(CELL, CELLS / prefix_len)
    if attention.has_prefix:
        for cell in range(prefix_len):
            pair_of_cells(picture, left + NAME + CELLS - (prefix_len - cell) * width, top, "prefix_len", width, True)
    else:
        picture.words(left + NAME + CELLS, top + CELL, _(NO_PREFIX), 9, "end")
    start = left + NAME + CELLS + 0.12
    for cell in range(TEXT):
        pair_of_cells(picture, start + cell * (CELL + 0.02), top, attention.reads, CELL, False)
    picture.words(start + TEXT * (CELL + 0.02) + 0.1, top + CELL, "…", 10)


def pair_of_cells(picture: Picture, left: float, top: float, axis: str, width: float, filled: bool) -> None:
    """A key above a value."""
    for row in range(2):
        look = {"fill": COLOURS[axis], "fill_opacity": 0.95} if filled else {"fill": "none", "stroke": COLOURS[axis]}
        picture.box(left, top + row * (CELL + 0.02), width * (0.85 if filled else 1), CELL, **look)


def draw_way_across(picture: Picture, encoder: Stack, decoder: Stack) -> None:
    """What the encoder gives goes to each cross-attention."""
    x, look = WIDTH + GAP / 2, {"stroke": COLOURS["source"], "stroke_width": 1.4}
    end = encoder.top(encoder.layers) - BETWEEN
    into = [decoder.top(number) + HEAD + ROW + CELL for number in range(decoder.layers)]
    picture.line((WIDTH / 2, end), (WIDTH / 2, end + 0.16), **look)
    picture.line((WIDTH / 2, end + 0.16), (x, end + 0.16), **look)
    picture.line((x, min(into)), (x, max(*into, end + 0.16)), **look)
    for y in into:
        picture.line((x, y), (WIDTH + GAP - 0.03, y), **look)
        picture.words(WIDTH + GAP - 0.04, y, "›", 12)


def arrow_down(picture: Picture, x: float, top: float, length: float) -> None:
    picture.line((x, top), (x, top + length - 0.02), stroke=INK, stroke_width=1.2)
    for side in (-0.04, 0.04):
        picture.line((x, top + length - 0.01), (x + side, top + length - 0.05), stroke=INK, stroke_width=1.2)


def told_of(stacks: tuple[Stack, ...], prefix_len: int) -> list[str]:
    """The picture in words."""
    said = []
    for one in stacks:
        said.append(_(TOLD_STACK).format(stack=_(one.name), layers=one.layers))
        for each in one.attentions:
            template = TOLD_WITH if each.has_prefix else TOLD_WITHOUT
            said.append(_(template).format(attention=_(each.name), count=prefix_len))
    return said
