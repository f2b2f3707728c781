"""Lesson 5's checks: stub, solution, plausible mistakes told by their cause, and answers that mean harm."""

import inspect
import re

import peft
import torch

from prefix_lab.course.lessons.lesson_05 import (
    check_fold,
    check_key_and_value,
    check_parameters,
    direct,
    draw_forms,
    meeting,
    projected,
)
from prefix_lab.widgets.parameters.counting import prefix_parts


def pieces(table, layers):
    return table.view(len(table), 2 * layers, -1)


def key_and_value(table, layer, layers):
    return pieces(table, layers)[:, 2 * layer], pieces(table, layers)[:, 2 * layer + 1]


def all_keys_first(table, layer, layers):
    return pieces(table, layers)[:, layer], pieces(table, layers)[:, layers + layer]


def one_piece_a_layer(table, layer, layers):
    return pieces(table, layers)[:, layer], pieces(table, layers)[:, layer + 1]


KEY_AND_VALUE_MISTAKES = {
    "exchanged": lambda *given: key_and_value(*given)[::-1],
    "all keys first": all_keys_first,
    "first layer only": one_piece_a_layer,
    "still joined": lambda t, n, m: (t.view(len(t), m, -1)[:, n],) * 2,
    "one virtual token's": lambda *given: [one[0] for one in key_and_value(*given)],
    "rows and columns are exchanged": lambda *given: [one.T for one in key_and_value(*given)],
    "other numbers": lambda *given: [one + 1 for one in key_and_value(*given)],
    "expected two tensors": lambda *given: key_and_value(*given)[0][None],
}


def parameters(prefix_len, layers, hidden, inner):
    row = 2 * layers * hidden
    return prefix_len * row, prefix_len * hidden + (hidden + 1) * inner + (inner + 1) * row


def with_projected(change):
    def count(p, n, h, e):
        return parameters(p, n, h, e)[0], change(p, n, h, e)

    return count


PARAMETER_MISTAKES = {
    "that is one row": lambda p, n, h, e: (2 * n * h, 0),
    "a key and a value": lambda p, n, h, e: (p * n * h, 0),
    "a table has prefix_len rows": lambda p, n, h, e: (4, 0),
    "have biases": with_projected(lambda p, n, h, e: p * h + h * e + e * 2 * n * h),
    "the small table trains too": with_projected(lambda p, n, h, e: (h + 1) * e + (e + 1) * 2 * n * h),
    "and not the wide one": with_projected(lambda p, n, h, e: p * 2 * n * h + (h + 1) * e + (e + 1) * 2 * n * h),
    "the second Linear layer has a bias": with_projected(lambda p, n, h, e: p * h + (h + 1) * e + e * 2 * n * h),
    "the first Linear layer has a bias": with_projected(lambda p, n, h, e: p * h + h * e + (e + 1) * 2 * n * h),
    "count the small table": with_projected(lambda p, n, h, e: 1),
    "put your answer": lambda p, n, h, e: (p * 2 * n * h, ...),
    "expected two numbers": lambda p, n, h, e: 3,
}


def fold(encoder):
    return encoder.transform(encoder.embedding.weight).detach()


def without_tanh(encoder):
    return encoder.transform[2](encoder.transform[0](encoder.embedding.weight))


def without_last_bias(encoder):
    return fold(encoder) - encoder.transform[-1].bias


def in_double(encoder):
    small, (first, _, last) = encoder.embedding.weight.double(), encoder.transform
    inner = torch.tanh(small @ first.weight.double().T + first.bias.double())
    return (inner @ last.weight.double().T + last.bias.double()).float() * (1 + 1e-6)


def changes_it(encoder):
    encoder.embedding.weight.zero_()
    return fold(encoder)


FOLD_MISTAKES = {
    "let the MLP work on it": lambda encoder: encoder.embedding.weight,
    "that is the last Linear's weight": lambda encoder: encoder.transform[-1].weight,
    "batch axis": lambda encoder: encoder(torch.arange(encoder.embedding.num_embeddings)[None]),
    "a row for each virtual token": lambda encoder: fold(encoder)[:1],
    "the Tanh between": without_tanh,
    "last Linear's bias is missing": without_last_bias,
    "another order": lambda encoder: fold(encoder).flip(0),
    "in the last bits only": in_double,
    "look the virtual tokens": lambda encoder: torch.zeros_like(fold(encoder)),
    "should only read them": changes_it,
    "expected a tensor": lambda encoder: fold(encoder).tolist(),
}
MISTAKES = {
    check_key_and_value: KEY_AND_VALUE_MISTAKES,
    check_parameters: PARAMETER_MISTAKES,
    check_fold: FOLD_MISTAKES,
}


def test_the_picture_counts_as_the_bars_do_and_the_lines_cross_where_it_says():
    for inner in (64, 768):
        assert projected(20, 12, 768, inner) == sum(prefix_parts(20, 12, 768, inner).values())
        cross = int(meeting(12, 768, inner))
        assert projected(cross, 12, 768, inner) >= direct(cross, 12, 768)
        assert projected(cross + 1, 12, 768, inner) < direct(cross + 1, 12, 768)
    picture = draw_forms(12, 768, (768, 64), 20)
    assert re.search(r"<title>Parameters that train", picture._repr_html_())
    assert "368,640" in repr(picture)


def test_pefts_encoder_says_what_the_lesson_points_at():
    assert "not config.inference_mode" in inspect.getsource(peft.PrefixEncoder.__init__)
