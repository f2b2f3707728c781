"""Lesson 8's checks: stub, solution, plausible mistakes told by their cause, and answers that mean harm."""

import torch

from prefix_lab.course.lessons.lesson_08 import check_encoder_sees, check_rows_of, check_silent_rows, draw_rows
from prefix_lab.widgets.flow.journey import rows_of_layer


def pieces(gradient, layers):
    return gradient.view(len(gradient), 2 * layers, -1)


def where(found):
    return [row for row, holds in enumerate(found.tolist()) if holds]


def silent_rows(gradient, layers):
    return where(pieces(gradient, layers).abs().sum(dim=(0, 2)) == 0)


SILENT_MISTAKES = {
    "has +1 and -1": lambda g, n: where(pieces(g, n).sum(dim=(0, 2)) == 0),
    "small is not zero": lambda g, n: where(pieces(g, n).abs().sum(dim=(0, 2)) < 1e-6),
    "look at all tokens": lambda g, n: where(pieces(g, n)[0].abs().sum(dim=-1) == 0),
    "and all numbers": lambda g, n: where((pieces(g, n) == 0).any(dim=2).any(dim=0)),
    "that do get a gradient": lambda g, n: where(pieces(g, n).abs().sum(dim=(0, 2)) != 0),
    "is no row": lambda g, n: where(g.abs().sum(dim=0) == 0),
    "is missing": lambda g, n: silent_rows(g, n)[1:],
    "expected a list": lambda g, n: 3,
}
ROWS_MISTAKES = {
    "that is so for a GPT-2": lambda layer, layers: (2 * layer, 2 * layer + 1),
    "there are only": lambda layer, layers: (4 * layer, 4 * layer + 1),
    "the key comes first": lambda layer, layers: (4 * layer % (2 * layers) + 1, 4 * layer % (2 * layers)),
    "not after layers": lambda layer, layers: (4 * layer % layers, 4 * layer % layers + 1),
    "own key, own value": lambda layer, layers: (4 * layer, 4 * layer + 2),
    "thrown away": lambda layer, layers: ((4 * layer + 2) % (2 * layers), (4 * layer + 3) % (2 * layers)),
    "double the rows": lambda layer, layers: (-1, -2),
    "numbers of two rows": lambda layer, layers: 4 * layer,
    "put your answer": lambda layer, layers: (4 * layer % (2 * layers), ...),
}


def both_ways(model, batch, name):
    with_prefix = getattr(model(**batch), name)
    with model.disable_adapter():
        return with_prefix, getattr(model(**batch), name)


def encoder_sees(model, batch):
    return not torch.equal(*both_ways(model, batch, "encoder_last_hidden_state"))


def never_without(model, batch):
    one, other = (model(**batch).encoder_last_hidden_state for _ in range(2))
    return not torch.equal(one, other)


def changes_it(model, batch):
    for parameter in model.prompt_encoder.parameters():
        parameter.zero_()
    return False


ENCODER_MISTAKES = {
    "Do you compare logits?": lambda model, batch: not torch.equal(*both_ways(model, batch, "logits")),
    "really without the prefix": never_without,
    "the other way round": lambda *given: not encoder_sees(*given),
    "an experiment leaves it": changes_it,
    "expected True or False": lambda *given: "yes",
}
MISTAKES = {
    check_silent_rows: SILENT_MISTAKES,
    check_rows_of: ROWS_MISTAKES,
    check_encoder_sees: ENCODER_MISTAKES,
}


def test_the_right_answers_pass():
    for _ in range(3):
        assert check_silent_rows(silent_rows).passed
        assert check_silent_rows(lambda *given: torch.tensor(silent_rows(*given))).passed
        assert check_rows_of(lambda layer, layers: rows_of_layer(layer, layers, True)).passed
    assert check_encoder_sees(encoder_sees).passed


def test_the_picture_tells_the_dead_rows():
    gradient = torch.ones(3, 4, 5)
    gradient[:, 2:] = 0
    assert "2 of 4 rows get a gradient; none at all: 2, 3." in repr(draw_rows(gradient.flatten(1), {"decoder": 2}, "T"))
    assert "no row" in repr(draw_rows(torch.ones(3, 24), {"encoder": 1, "decoder": 1, "cross-attention": 1}, "T"))
