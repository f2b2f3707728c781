"""The journeys that come with ReshapeView: what PEFT's get_prompt does to the encoder's output, at tiny sizes.

Mirrors the middle of `peft.peft_model.PeftModel.get_prompt`, for a model with one stack of layers and for an
encoder-decoder.
"""

from collections.abc import Mapping
from typing import NamedTuple

TINY = {"batch": 2, "prefix_len": 3, "layers": 2, "heads": 2, "head_dim": 2}
"""Small enough that each number can be seen; what a learner gives in `sizes` comes first."""

START = "batch prefix_len 2·layers·hidden"
SPLIT = "view(batch, prefix_len, 2*layers, heads, head_dim)"


class Journey(NamedTuple):
    """Steps to walk through, and what a sentence says of the start and of each step."""

    axes: str
    steps: str
    notes: tuple[str, ...]
    rows: int  # of the blocks that the last step makes: key and value, and for an encoder-decoder two more


GPT2 = Journey(
    START,
    f"{SPLIT}\npermute(2, 0, 3, 1, 4)\nsplit(2)  # layers × (key_value, batch, heads, prefix_len, head_dim)",
    (
        "What the encoder made: one long vector for each virtual token. In it lie, one after the other, a key and a "
        "value for each layer.",
        "The long vector is cut up: 2·layers pieces, in each the heads, in each head its numbers.",
        "Each layer wants its own piece, and in it each head its own tokens: so the axes change places.",
        "Two pieces for each layer: the first is its key, the second its value.",
    ),
    2,
)
T5 = Journey(
    START,
    f"{SPLIT}\ncat([x, x], dim=2)\npermute(2, 0, 3, 1, 4)\n"
    "split(4)  # layers × (key_value, batch, heads, prefix_len, head_dim)",
    (
        *GPT2.notes[:2],
        "An encoder-decoder needs keys and values for two kinds of attention, so all pieces are put there twice.",
        GPT2.notes[2],
        "Four pieces for each layer. The decoder's own attention reads the first two; the two that were meant for "
        "cross-attention are thrown away. Look which numbers are left: with an even number of layers, half of them are "
        "nowhere, and never learn.",
    ),
    4,
)
JOURNEYS = {"GPT-2": GPT2, "T5": T5}
ROWS = ("key", "value", "cross key, unused", "cross value, unused")


def complete(sizes: Mapping[str, int] | None) -> dict[str, int]:
    """The sizes given, the tiny ones for the others, and what follows from them: hidden is heads · head_dim.

    Raises `ValueError` when a size is no whole number above zero, or hidden cannot be shared among the heads.
    """
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


def meanings(journey: Journey, layers: int) -> dict[str, tuple[str, ...]]:
    """What the numbers along an axis stand for: of 2·layers, each layer's key and value."""
    return {
        "2·layers": tuple(f"{row} of layer {layer}" for layer in range(layers) for row in ROWS[:2]),
        "key_value": ROWS[: journey.rows],
    }
