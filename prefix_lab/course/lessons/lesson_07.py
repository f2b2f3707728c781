"""Lesson 7: a number followed through the cut, view and permute, and where a head's numbers lie in the vector."""

from __future__ import annotations

from typing import Any

import torch

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    exercise,
    filled_in,
    plain,
    same_number,
    same_tensor,
    seen_there,
)
from prefix_lab.locale import N_, _

FOLLOWED = {"after_view": (3, 2, 2, 8), "layer": 1, "in_its_block": (0, 2, 3, 8)}
"""Where 3400 is; places without the text's number, which may be either."""
FIVE = N_("{line}: five whole numbers are wanted, such as (0, 4, 4, 4, 31); it is {given}.")
ONE = N_("{line}: one whole number is wanted, that of a block; it is {given}.")
ONE_BLOCK = N_("{line}: {given} is the number of a piece. Each layer takes two pieces, its key and its value.")
OTHER_BLOCK = N_("{line}: not {given}. In that block there is no 3400: in which one is the list not empty?")
NOT_MOVED = N_(
    "{line}: {given} is where it was after the `view`. Since then `permute` has exchanged axes, and `split` has cut."
)
TOO_LATE = N_("{line}: {given} is where it is in its block. After the `view` alone the axes have another order.")
OTHER_PLACE = N_("{line}: not {given}. Compare with what `nonzero()` printed there: one row is one place.")


@exercise("followed", stage="split")
def check_followed(stop: Any, answer: Any) -> str:
    """`answer` says where 3400 is after the view, in which layer's block it lands, and where in it."""
    check_places(answer)
    seen_there(stop, "PeftModel.get_prompt", ("3, 2, 2, 8", "3400.0", "3400."), {"2, 5, 1024": BEFORE_VIEW})
    seen_there(stop, "PeftModel.get_prompt", ("0, 0, 2, 3, 8", "0, 1, 2, 3, 8", "3400.0", "3400."))
    return _(
        "Token 3, piece 2, head 2 became layer 1's key, head 2, token 3. The number is the same, and so are all others."
    )


BEFORE_VIEW = N_(
    "You stood before the `view`, where the vector is still whole. Go on with `until` and the second number."
)


def check_places(answer: Any) -> None:
    """Where the learner found 3400: after the view, in which block, and where in it."""
    view, layer, block = filled_in(answer, FOLLOWED)
    places = {"after_view": five(view, "after_view"), "in_its_block": five(block, "in_its_block")}
    number = plain(layer)
    if isinstance(number, bool) or not isinstance(number, int):
        raise NotYet(ONE, line="layer", given=brief(layer))
    view_at, block_at = without_text(places["after_view"], 0), without_text(places["in_its_block"], 1)
    if view_at != FOLLOWED["after_view"]:
        late = places["after_view"] in ((0, 0, 2, 3, 8), (0, 1, 2, 3, 8))
        raise NotYet(TOO_LATE if late else OTHER_PLACE, line="after_view", given=brief(view))
    if number != FOLLOWED["layer"]:
        raise NotYet(ONE_BLOCK if number == 2 else OTHER_BLOCK, line="layer", given=number)
    if block_at != FOLLOWED["in_its_block"]:
        same = without_text(places["in_its_block"], 0) == FOLLOWED["after_view"]
        raise NotYet(NOT_MOVED if same else OTHER_PLACE, line="in_its_block", given=brief(block))


def five(given: Any, line: str) -> tuple[int, ...]:
    """Five whole numbers, of a list, a tuple or a tensor."""
    numbers = given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(numbers, list | tuple) or len(numbers) != 5 or not all(type(one) is int for one in numbers):
        raise NotYet(FIVE, line=line, given=brief(given))
    return tuple(numbers)


def without_text(place: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The place without its number of the text, which is 0 or 1."""
    return place[:axis] + place[axis + 1 :] if place[axis] in (0, 1) else ()


TWO_PIECES = N_("Each layer takes two pieces, its key and its value.")
WHOLE_PIECE = N_("The value comes one whole piece, heads · head_dim, after its key.")
HEADS_BEFORE = N_("The heads before this one take head_dim places each.")


@exercise("address")
def check_address(answer: Any) -> str:
    """`answer(layer, is_value, head, heads, head_dim)` is the first place of that head's numbers in the vector."""
    for is_value in (0, 1, 0, 1):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        layer, head = DICE.randrange(1, layers), DICE.randrange(1, heads)
        piece, of_layer = (2 * layer + is_value) * heads, 2 * layer * heads + head
        causes = {
            (layer * heads + head) * head_dim: TWO_PIECES,
            ((layer + is_value) * heads + head) * head_dim: TWO_PIECES,
            of_layer * head_dim: WHOLE_PIECE,
            of_layer * head_dim + is_value: WHOLE_PIECE,
            (of_layer + is_value) * head_dim: WHOLE_PIECE,
            piece * head_dim: HEADS_BEFORE,
            piece * head_dim + head: HEADS_BEFORE,
            piece + head: N_("That is counted in heads; each of them takes head_dim places."),
            piece * head_dim + head * heads: N_("A head's numbers lie side by side: head_dim is the fastest axis."),
        }
        given = {"layer": layer, "is_value": is_value, "head": head, "heads": heads, "head_dim": head_dim}
        same_number(answer, given, (piece + head) * head_dim, causes, N_("Count the pieces before it first."))
    return _("((2·layer + is_value) · heads + head) · head_dim: view does nothing else.")


@exercise("view_and_permute")
def check_view_and_permute(answer: Any) -> str:
    """`answer(prefix, layers, heads)` is (2·layers, batch, heads, prefix_len, head_dim)."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4)  # (2·layers, batch, heads, prefix_len, head_dim)
    result = called(answer, prefix, layers, heads)
    shapes = {
        tuple(rows.shape): N_(
            "The view is right, and this is still its order. permute(…) brings 2·layers to the front; it "
            "leaves its tensor as it is, and gives a new one: return that."
        ),
        tuple(prefix.shape): N_("view gives every axis its size, permute puts them in order."),
    }
    numbers = {
        N_("A view or reshape into the final shape only renumbers: the axes have to change places with permute."): (
            prefix.reshape(right.shape)
        ),
        N_("Heads come before head_dim in the vector: a head's numbers lie side by side."): (
            prefix.view(batch, prefix_len, 2 * layers, head_dim, heads).permute(2, 0, 4, 1, 3)
        ),
        N_("2·layers come before heads in the vector: a layer's heads lie side by side."): (
            prefix.view(batch, prefix_len, heads, 2 * layers, head_dim).permute(3, 0, 2, 1, 4)
        ),
    }
    otherwise = (
        N_("It has these five axes, in this order: first view, then permute."),
        N_("Look at both: view cuts the last axis into 2·layers, heads and head_dim, permute only moves whole axes."),
    )
    axes = "(2·layers, batch, heads, prefix_len, head_dim)"
    same_tensor(result, right, axes, shapes, numbers, otherwise, same=torch.equal)
    return _("Every number is where attention will look for it, in {axes}.").format(axes=axes)
