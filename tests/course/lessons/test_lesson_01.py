"""Lesson 1's checks: the stubs are not yet right, the solutions are, and plausible mistakes are told by their cause."""

import torch

from prefix_lab.course.lessons.lesson_01 import (
    ORDER_MATTERS,
    WHY,
    check_attend_with_prefix,
    check_order,
    check_prefix_share,
    draw_attention,
    draw_shares,
)


def attend(query, keys, values):
    return (query @ keys.T).softmax(-1) @ values


def attend_with_prefix(query, keys, values, prefix_keys, prefix_values):
    return attend(query, torch.cat([prefix_keys, keys]), torch.cat([prefix_values, values]))


def prefix_share(query, keys, prefix_keys):
    return (query @ torch.cat([prefix_keys, keys]).T).softmax(-1)[:, : len(prefix_keys)].sum(-1)


def own_scores(q, k, pk):
    return q @ torch.cat([pk, k]).T


ATTEND_MISTAKES = {
    "without the prefix": lambda q, k, v, pk, pv: attend(q, k, v),
    "to the prefix alone": lambda q, k, v, pk, pv: attend(q, pk, pv),
    "two softmaxes": lambda q, k, v, pk, pv: attend(q, k, v) + attend(q, pk, pv),
    "the keys begin with the prefix": lambda q, k, v, pk, pv: attend(q, torch.cat([pk, k]), torch.cat([v, pv])),
    "the keys end with the prefix": lambda q, k, v, pk, pv: attend(q, torch.cat([k, pk]), torch.cat([pv, v])),
    "over the queries": lambda q, k, v, pk, pv: own_scores(q, k, pk).softmax(0) @ torch.cat([pv, v]),
    "no division": lambda q, k, v, pk, pv: (own_scores(q, k, pk) / q.shape[1] ** 0.5).softmax(-1) @ torch.cat([pv, v]),
    "softmax is missing": lambda q, k, v, pk, pv: own_scores(q, k, pk) @ torch.cat([pv, v]),
    "asks nothing": lambda q, k, v, pk, pv: attend(torch.cat([pk, q]), torch.cat([pk, k]), torch.cat([pv, v])),
    "one row for each query": lambda q, k, v, pk, pv: attend(q, k, v)[0],
    "then attend": lambda q, k, v, pk, pv: torch.full_like(q, torch.nan),
    "expected a tensor": lambda q, k, v, pk, pv: [q],
    "RuntimeError": lambda q, k, v, pk, pv: torch.cat([pk, k], dim=1),
}
SHARE_MISTAKES = {
    "share of the letters": lambda q, k, pk: 1 - prefix_share(q, k, pk),
    "prefix / (prefix + letters)": lambda q, k, pk: (q @ pk.T).exp().sum(-1) / (q @ k.T).exp().sum(-1),
    "belong to letters": lambda q, k, pk: own_scores(q, k, pk).softmax(-1)[:, : len(k)].sum(-1),
    "is the average": lambda q, k, pk: prefix_share(q, k, pk) / len(pk),
    "over the prefix alone": lambda q, k, pk: (q @ pk.T).softmax(-1).sum(-1),
    "scores themselves": lambda q, k, pk: (q @ pk.T).sum(-1) / own_scores(q, k, pk).sum(-1),
    "number of keys": lambda q, k, pk: torch.full((len(q),), len(pk) / (len(pk) + len(k))),
    "over the queries": lambda q, k, pk: own_scores(q, k, pk).softmax(0)[:, : len(pk)].sum(-1),
    "add them up in each row": lambda q, k, pk: own_scores(q, k, pk).softmax(-1)[:, : len(pk)],
    "not over the first": lambda q, k, pk: own_scores(q, k, pk).softmax(-1)[:, : len(pk)].sum(0),
    "take the prefix's columns": lambda q, k, pk: own_scores(q, k, pk).softmax(-1),
    "over the last axis alone": lambda q, k, pk: own_scores(q, k, pk).softmax(-1)[:, : len(pk)].sum(),
    "expected a tensor": lambda q, k, pk: 0.5,
}
MISTAKES = {
    check_attend_with_prefix: ATTEND_MISTAKES,
    check_prefix_share: SHARE_MISTAKES,
    check_order: {
        "put your answer": dict.fromkeys(ORDER_MATTERS, ...),
        "expected True": ORDER_MATTERS | {"T5": "<script>alert(1)</script>"},
        "is gone": {"T5": True},
        "expected the dict": True,
        **{f"{name}: {WHY[name]}": ORDER_MATTERS | {name: not right} for name, right in ORDER_MATTERS.items()},
    },
}


def test_a_prefix_behind_the_letters_is_as_good():
    def behind(query, keys, values, prefix_keys, prefix_values):
        return attend(query, torch.cat([keys, prefix_keys]), torch.cat([values, prefix_values]))

    assert check_attend_with_prefix(behind).passed


def test_the_pictures_say_in_words_what_they_show():
    before = torch.full((2, 2), 0.5)
    after = torch.tensor([[0.2, 0.4, 0.4], [0.6, 0.2, 0.2]])
    picture = draw_attention(before, after, "ab")
    assert "a: to its prefix 0.20, to the letters 0.80" in repr(picture)
    assert "<title>" in picture.svg
    assert "prefix_len 1: a 20%, b 60%" in repr(draw_shares({1: after[:, 0]}, "ab"))
