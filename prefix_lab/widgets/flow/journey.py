"""The journey of the prefix, step by step, as PEFT takes it: what happens, the axes that come out, and what it costs.

Truth is `peft.peft_model.PeftModel.get_prompt`; a test holds every shape against a real run of it. Nothing is built
here: a shape is what its names are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from prefix_lab.locale import N_, _
from prefix_lab.shapes import evaluate
from prefix_lab.widgets.parameters.counting import base_parameters, prefix_parts
from prefix_lab.widgets.sizes import Sizes, whole

DTYPES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Setting:
    """A model's sizes and the choices of prefix tuning. `encoder_hidden` None is PEFT's choice: the prefix's width.

    `tokens` are those of the text that reads the prefix; `dtype` is the model's, and so the cache's.
    Raises `ValueError` for what is no size and for a dtype that is not offered.
    """

    sizes: Sizes
    prefix_len: int = 20
    projection: bool = False
    batch: int = 2
    encoder_hidden: int | None = None
    tokens: int = 10
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("prefix_len", "batch", "tokens"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        if self.encoder_hidden is not None:
            object.__setattr__(self, "encoder_hidden", whole("encoder_hidden", self.encoder_hidden))
        if not isinstance(self.projection, bool):
            raise ValueError(f"projection={self.projection!r}, expected True or False.")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r}, expected one of {', '.join(DTYPES)}: the type of the cache.")

    @property
    def axes(self) -> dict[str, int]:
        """Every axis by name, for `prefix_lab.shapes.evaluate`."""
        sizes = self.sizes
        return {
            "batch": self.batch,
            "prefix_len": self.prefix_len,
            "layers": sizes.layers,
            "heads": sizes.heads,
            "kv_heads": sizes.kv_heads,
            "head_dim": sizes.head_dim,
            "hidden": sizes.hidden,
            sizes.text_axis: self.tokens,
            "encoder_hidden": sizes.token_dim if self.encoder_hidden is None else self.encoder_hidden,
        }

    @property
    def cached_heads(self) -> str:
        """The axis of the heads that are cached."""
        return "heads" if self.sizes.kv_heads == self.sizes.heads else "kv_heads"

    @property
    def width(self) -> str:
        """The axis of one key of all heads: hidden where it is that, else the product that it is."""
        return "hidden" if self.sizes.token_dim == self.sizes.hidden else f"{self.cached_heads}·head_dim"


class JourneyStep(NamedTuple):
    """What happens, and the tensors that come out: `count` of them with these axes. `copies` is False for a view."""

    key: str
    operation: str
    sentence: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    count_axis: str
    count: int
    dtype: str
    copies: bool

    @property
    def shown(self) -> str:
        """The operation, as it stands in code, or in words."""
        return _(self.operation) if " " in self.operation else self.operation

    @property
    def bytes(self) -> int:
        """What the tensors of this step take."""
        return self.count * prod(self.shape) * DTYPES.get(self.dtype, 8)

    @property
    def names(self) -> str:
        """`24 × (batch, prefix_len)`, by name."""
        return f"{self.count_axis + ' × ' if self.count_axis else ''}({', '.join(self.axes)})"

    @property
    def numbers(self) -> str:
        """The same, by number."""
        return f"{f'{self.count} × ' if self.count_axis else ''}({', '.join(map(str, self.shape))})"


class Planned(NamedTuple):
    """A step as a table has it, for Python and the page. In braces stand `heads`, `width`, `block`, `joined`, `text`
    and `dtype`, which the sizes decide; `when` is "" or a fact of the setting: two or one (stacks of layers),
    projection or direct, cast."""

    key: str
    operation: str
    axes: str
    sentence: str
    when: str = ""
    count: str = ""
    dtype: str = "{dtype}"
    copies: bool = True


STEPS = (
    Planned(
        "ids",
        "prompt_tokens",
        "batch prefix_len",
        N_("The virtual tokens by number, 0, 1, 2, …: the same for every text."),
        dtype="int64",
        copies=False,
    ),
    Planned(
        "lookup",
        "embedding",
        "batch prefix_len {width}",
        N_("Looks up a short row for each virtual token."),
        "projection",
        dtype="float32",
    ),
    Planned(
        "linear in",
        "Linear",
        "batch prefix_len encoder_hidden",
        N_("The projection begins: each number meets all."),
        "projection",
        dtype="float32",
    ),
    Planned(
        "tanh",
        "Tanh",
        "batch prefix_len encoder_hidden",
        N_("Bends each number into −1 to 1. Same shape."),
        "projection",
        dtype="float32",
    ),
    Planned(
        "linear out",
        "Linear",
        "batch prefix_len 2·layers·{width}",
        N_("The projection ends: one long vector, keys and values for every layer."),
        "projection",
        dtype="float32",
    ),
    Planned(
        "lookup",
        "embedding",
        "batch prefix_len 2·layers·{width}",
        N_("A table lookup: each virtual token's row holds its keys and values. It trains."),
        "direct",
        dtype="float32",
    ),
    Planned(
        "to",
        "to({dtype})",
        "batch prefix_len 2·layers·{width}",
        N_("Cast to the model's own type. The table still trains in float32."),
        "cast",
    ),
    Planned(
        "view",
        "view",
        "batch prefix_len 2·layers {heads} head_dim",
        N_("The long axis is cut in three. Only the borders are new; no number moves."),
        copies=False,
    ),
    Planned(
        "cat",
        "cat([x, x], dim=2)",
        "batch prefix_len 4·layers {heads} head_dim",
        N_("Everything twice: each decoder layer is to get four rows, for self- and for cross-attention."),
        "two",
    ),
    Planned(
        "permute",
        "permute(2, 0, 3, 1, 4)",
        "{block}·layers batch {heads} prefix_len head_dim",
        N_("The rows come first, and heads change places with virtual tokens."),
        copies=False,
    ),
    Planned(
        "split",
        "split({block})",
        "{block} batch {heads} prefix_len head_dim",
        N_("One block for each layer: a key, a value."),
        "one",
        "layers",
        copies=False,
    ),
    Planned(
        "split",
        "split({block})",
        "{block} batch {heads} prefix_len head_dim",
        N_("One block for each layer: a key, a value, and two rows for the cross part."),
        "two",
        "layers",
        copies=False,
    ),
    Planned(
        "cache",
        "DynamicCache",
        "batch {heads} prefix_len head_dim",
        N_("A key and a value for each layer. Attention takes them for its past."),
        "one",
        "2·layers",
    ),
    Planned(
        "cache",
        "EncoderDecoderCache",
        "batch {heads} prefix_len head_dim",
        N_("A key and a value for each layer. The two cross rows of every block are thrown away."),
        "two",
        "2·layers",
    ),
    Planned(
        "join",
        N_("attention: cat"),
        "batch {heads} prefix_len+{text} head_dim",
        N_("In every layer the {text}'s own keys and values follow those of the prefix, which every query sees."),
        count="{joined}",
    ),
    Planned(
        "mask",
        "attention_mask",
        "batch prefix_len+{text}",
        N_("The mask, if given, grows by prefix_len ones."),
        "one",
        dtype="float32",
    ),
    Planned(
        "mask",
        "decoder_attention_mask",
        "batch prefix_len+{text}",
        N_("The mask, if given, grows by prefix_len ones. The encoder's stays: it never sees a prefix."),
        "two",
        dtype="float32",
    ),
)
"""First the encoder, from ids to one long vector for each virtual token; then the long vector is only regrouped, to a
cache; then what each attention layer does with its key and value, and what the mask says to it."""


def journey(setting: Setting) -> list[JourneyStep]:
    """Every step from the numbers of the virtual tokens to the mask of attention, in PEFT's order."""
    sizes, known, two = setting.sizes, setting.axes, setting.sizes.encoder_decoder
    words = {
        "heads": setting.cached_heads,
        "width": setting.width,
        "text": sizes.text_axis,
        "block": "4" if two else "2",
        "joined": "2·layers" if sizes.readers == sizes.layers else f"{2 * sizes.readers}",
        "dtype": setting.dtype,
    }
    holds = {"", "two" if two else "one", "projection" if setting.projection else "direct"}
    holds |= {"cast"} if setting.dtype != "float32" else set()
    steps = []
    for step in STEPS:
        if step.when in holds:
            axes = tuple(step.axes.format(**words).split())
            shape: Any = tuple(evaluate(name, known) for name in axes)
            count = step.count.format(**words)
            number: Any = evaluate(count or "1", known)
            said = (step.operation.format(**words), _(step.sentence).format(**words))
            dtype = step.dtype.format(**words)
            steps.append(JourneyStep(step.key, *said, axes, shape, count, number, dtype, step.copies))
    return steps


def rows_of_layer(layer: int, layers: int, encoder_decoder: bool) -> tuple[int, int]:
    """The rows of the prefix, of 2·layers, that are a layer's key and value.

    An encoder-decoder's are doubled first and then cut in fours, so that its layers go over them in steps of four.
    """
    if not encoder_decoder:
        return 2 * layer, 2 * layer + 1
    return 4 * layer % (2 * layers), (4 * layer + 1) % (2 * layers)


def readers_of_rows(layers: int, readers: int, encoder_decoder: bool) -> dict[int, list[int]]:
    """Each row that is read → the layers that read it."""
    found: dict[int, list[int]] = {}
    for layer in range(readers):
        for row in rows_of_layer(layer, layers, encoder_decoder):
            found.setdefault(row, []).append(layer)
    return found


def dead_rows(layers: int, readers: int, encoder_decoder: bool) -> tuple[int, ...]:
    """The rows of the prefix that no layer reads, and so never get a gradient."""
    read = readers_of_rows(layers, readers, encoder_decoder)
    return tuple(row for row in range(2 * layers) if row not in read)


TRAINING_BYTES = 16
"""A float32 number that trains: itself, its gradient, and the two moments that Adam keeps of it."""


class Cost(NamedTuple):
    """Parameters are counted, bytes are bytes. `total` and `share` (in per cent) are None where no model is known."""

    parts: dict[str, int]
    trainable: int
    total: int | None
    share: float | None
    cache_bytes: int
    rows: int
    dead_rows: tuple[int, ...]
    dead_parameters: int
    dead_bytes: int


def cost(setting: Setting) -> Cost:
    """Count for PEFT's own way: its layout, its `batch` equal rows, Adam in float32."""
    sizes = setting.sizes
    encoder_hidden = setting.axes["encoder_hidden"] if setting.projection else None
    parts = prefix_parts(setting.prefix_len, sizes.layers, sizes.token_dim, encoder_hidden)
    trainable = sum(parts.values())
    base = base_parameters(sizes.config)
    dead = dead_rows(sizes.layers, sizes.readers, sizes.encoder_decoder)
    # One row of the prefix, for every virtual token: in the table, or in the last Linear's weight and bias.
    row = sizes.token_dim * (setting.prefix_len if encoder_hidden is None else encoder_hidden + 1)
    return Cost(
        parts=parts,
        trainable=trainable,
        total=None if base is None else base + trainable,
        share=None if base is None else 100 * trainable / (base + trainable),
        cache_bytes=2 * sizes.layers * setting.batch * setting.prefix_len * sizes.token_dim * DTYPES[setting.dtype],
        rows=2 * sizes.layers,
        dead_rows=dead,
        dead_parameters=len(dead) * row,
        dead_bytes=len(dead) * row * TRAINING_BYTES,
    )


FIGURES = {
    "bytes": N_("{number} bytes"),
    "width": N_("Width of a key"),
    "trainable": N_("Trainable parameters"),
    "ofThem": N_("… of them"),
    "shareOf": N_("Share of the whole"),
    "unknownShare": N_("choose a real model to see it"),
    "share": N_("{share} % of {total}, the prefix included"),
    "cacheOfOne": N_("{size} for one text"),
    "cacheOfMany": N_("{size} for a batch of {batch}, {each} a text"),
    "cache": N_("Cache, {dtype}"),
    "deadRows": N_("Dead rows"),
    "otherWidth": N_("{product}, while hidden = {hidden}"),
    "noneDead": N_("none of {rows}: every layer reads its own two"),
    "noneDeadTwo": N_("none of {rows}: an odd number of layers goes over every row"),
    "dead": N_(
        "{dead} of {rows}: {parameters} of the trainable parameters never get a gradient, and take {size} in "
        "training (float32: weight, gradient, Adam's two moments)"
    ),
    "deadHalf": N_(
        "{dead} of {rows}: {parameters} of the trainable parameters never get a gradient, and take {size} in "
        "training (float32: weight, gradient, Adam's two moments); layers i and i+{half} read the same rows"
    ),
    "rowsDead": N_("Of rows 0 to {last}, these are read by no layer: {dead}."),
    "rowsRead": N_("Of rows 0 to {last}, each is read."),
}
"""What it costs, as Python and the page say it."""


def amount(number: float) -> str:
    """Bytes as one reads them: `2.8 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return _(FIGURES["bytes"]).format(number=f"{number:.0f}") if unit == "bytes" else f"{number:.1f} {unit}"


def facts(setting: Setting, cost: Cost) -> list[tuple[str, str]]:
    """What it costs, as (question, answer)."""
    said = {name: _(text) for name, text in FIGURES.items()}
    rows = [(said["width"], width_said(setting)), (said["trainable"], f"{cost.trainable:,}")]
    if setting.projection:
        rows.append((said["ofThem"], ", ".join(f"{name} {count:,}" for name, count in cost.parts.items())))
    share = said["unknownShare"]
    if cost.total is not None:
        share = said["share"].format(share=f"{cost.share:.4f}", total=f"{cost.total:,}")
    cache = said["cacheOfMany" if setting.batch > 1 else "cacheOfOne"].format(
        size=amount(cost.cache_bytes), batch=setting.batch, each=amount(cost.cache_bytes / setting.batch)
    )
    rows += [(said["shareOf"], share), (said["cache"].format(dtype=setting.dtype), cache)]
    return [*rows, (said["deadRows"], dead_said(setting, cost))]


def width_said(setting: Setting) -> str:
    """How the heads make up the width: `hidden = heads · head_dim = 12 · 64 = 768`."""
    sizes = setting.sizes
    product = f"{setting.cached_heads} · head_dim = {sizes.kv_heads} · {sizes.head_dim} = {sizes.token_dim}"
    if setting.width == "hidden":
        return f"hidden = {product}"
    return _(FIGURES["otherWidth"]).format(product=product, hidden=sizes.hidden)


def dead_said(setting: Setting, cost: Cost) -> str:
    """How much of the prefix no layer reads, and what that costs."""
    sizes = setting.sizes
    kind = "noneDeadTwo" if sizes.encoder_decoder else "noneDead"
    if cost.dead_rows:
        kind = "deadHalf" if sizes.layers % 2 == 0 and sizes.readers == sizes.layers else "dead"
    return _(FIGURES[kind]).format(
        dead=len(cost.dead_rows),
        rows=cost.rows,
        parameters=f"{cost.dead_parameters:,}",
        size=amount(cost.dead_bytes),
        half=sizes.layers // 2,
    )


def rows_said(setting: Setting, cost: Cost) -> str:
    """The rows in one sentence, for those who do not see the picture of them."""
    text = _(FIGURES["rowsDead" if cost.dead_rows else "rowsRead"])
    return text.format(last=cost.rows - 1, dead=", ".join(map(str, cost.dead_rows)))
