"""Lesson 11's checks: a stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

import torch
from torch import nn

from prefix_lab.course.lessons.lesson_11 import (
    check_moved,
    check_step,
    check_what_trains,
    draw_attention,
    draw_rows,
    sharpest,
)
from prefix_lab.course.training import LiveTraining, digest


def what_trains(model):
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def step(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def moved(before, after, rows):
    return (after - before).view(len(before), rows, -1).norm(dim=-1)


def without_zero_grad(model, batch, optimizer):
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()
    return loss.item()


def without_backward(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def without_step(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def zero_grad_too_late(model, batch, optimizer):
    loss = model(**batch).loss
    loss.backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    return loss.item()


def backwards_up(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    (-loss).backward()
    optimizer.step()
    return loss.item()


def other_loss(model, batch, optimizer):
    step(model, batch, optimizer)
    return model(**batch).loss.item()


def keeps_the_graph(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


MISTAKES = {
    check_what_trains: {
        "the frozen base": lambda model: list(model.parameters()),
        "names; an optimizer": lambda model: [name for name, one in model.named_parameters() if one.requires_grad],
        "pairs of name": lambda model: [pair for pair in model.named_parameters() if pair[1].requires_grad],
        "one that trains is missing": lambda model: [one for name, one in model.named_parameters() if "prefix" in name],
        "the list is empty": lambda model: [],
        "only once": lambda model: (one for one in model.parameters() if one.requires_grad),
        "expected a list": lambda model: 3,
        "not everything": lambda model: [3],
    },
    check_step: {
        "gradients add up": without_zero_grad,
        "has no gradient": without_backward,
        "did not move: optimizer.step()": without_step,
        "belongs before backward": zero_grad_too_late,
        "but elsewhere": backwards_up,
        "not this batch's loss": other_loss,
        "loss.item()": keeps_the_graph,
        "return the loss, not a str": lambda *given: str(step(*given)),
    },
    check_moved: {
        "in the other order": lambda *given: moved(*given).T,
        "distance over the rows": lambda before, after, rows: (after - before).view(len(before), rows, -1).norm(dim=1),
        "one distance a virtual token": lambda before, after, rows: (after - before).norm(dim=1),
        "the change itself": lambda before, after, rows: (after - before).view(len(before), rows, -1),
        "one number for all": lambda before, after, rows: (after - before).norm(),
        "rows come before hidden": lambda before, after, rows: (after - before).view(len(before), -1, rows).norm(dim=1),
        "how long the rows are now": lambda before, after, rows: after.view(len(before), rows, -1).norm(dim=-1),
        "absolute changes": lambda before, after, rows: (after - before).view(len(before), rows, -1).abs().sum(-1),
        "the square of the distance": lambda *given: moved(*given) ** 2,
        "square root of the summed": lambda *given: moved(*given) + 1,
        "view makes three axes": lambda before, after, rows: after[:1, :1],
        "expected a tensor": lambda *given: 3,
    },
}


def test_zero_grad_may_stand_first():
    def first(model, batch, optimizer):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    assert check_step(first).passed


def test_one_changed_bit_gives_another_digest():
    layer = nn.Linear(3, 2).to(torch.bfloat16)
    before = digest(layer)
    assert digest(layer) == before
    with torch.no_grad():
        layer.bias.view(torch.int16)[0] ^= 1
    assert digest(layer) != before


def test_live_training_tells_where_it_is_and_prints_in_a_terminal(capsys):
    live = LiveTraining(20, start=0.0, goal=0.9)
    for loss in (3.0, 2.0):
        live.add(loss)
    live.measured(0.25)
    assert repr(live) == "step 2 of 20 · loss 2.0000 · exact match 25.0 %"
    assert "exact match 25.0 %" in capsys.readouterr().out
    assert "The loss went from 3.00 to 2.0000 in 2 steps" in repr(live.final())
    assert 'role="img"' in live._repr_html_()


def test_the_pictures_say_what_they_show():
    table = torch.ones(5, 18)
    table[:, 3] = 0
    assert "Rows that never moved: 1" in repr(draw_rows(table, 3))
    dice = torch.Generator().manual_seed(0)
    looks = [torch.rand(1, 2, 4, 7, generator=dice).softmax(-1) for _ in range(3)]
    sharp = torch.zeros(1, 2, 4, 7)
    sharp[0, 1, :, 3:] = torch.eye(4).flip(0)
    output = {"encoder_attentions": looks, "decoder_attentions": looks, "cross_attentions": [looks[0], sharp, looks[1]]}
    assert sharpest(output, 4, 3) == (1, 1)
    drawn = draw_attention(output, 3, "abcd", "dcba", 1, 1)
    assert "d from d, c from c, b from b, a from a" in repr(drawn)
