"""Lesson 7's checks: stub, solution, plausible mistakes told by their cause, and answers that mean harm."""

import torch

from prefix_lab.course.lessons.lesson_07 import (
    check_content,
    check_kv_head,
    check_with_prefix,
    draw_attention,
    draw_shares,
)
from prefix_lab.course.small_models import small_gpt2


def grown(mask, prefix_len):
    return torch.cat([torch.ones(len(mask), prefix_len), mask], dim=1)


def positions(mask, prefix_len):
    return torch.arange(prefix_len, prefix_len + mask.shape[1])[None]


def both(mask, prefix_len):
    return grown(mask, prefix_len), positions(mask, prefix_len)


WITH_PREFIX_MISTAKES = {
    "the mask must grow": lambda mask, p: (mask, positions(mask, p)),
    "it grew along batch": lambda mask, p: (torch.cat([torch.ones(p, mask.shape[1]), mask]), positions(mask, p)),
    "behind the text": lambda mask, p: (torch.cat([mask, torch.ones(len(mask), p)], 1), positions(mask, p)),
    "nobody may read there": lambda mask, p: (torch.cat([torch.zeros(len(mask), p), mask], 1), positions(mask, p)),
    "own padding was lost": lambda mask, p: (torch.ones_like(grown(mask, p)), positions(mask, p)),
    "other numbers": lambda mask, p: (grown(mask, p) + 1, positions(mask, p)),
    "virtual tokens have none": lambda mask, p: (grown(mask, p), torch.arange(p + mask.shape[1])[None]),
    "one for each token of the text": lambda mask, p: (grown(mask, p), torch.arange(2)),
    "as if there were no prefix": lambda mask, p: (grown(mask, p), positions(mask, 0)),
    "one too early": lambda mask, p: (grown(mask, p), positions(mask, p - 1)),
    "one too late": lambda mask, p: (grown(mask, p), positions(mask, p + 1)),
    "counts on from the past": lambda mask, p: (grown(mask, p), positions(mask, p) * 2),
    "should return two tensors": lambda mask, p: grown(mask, p),
    "put your answer": lambda mask, p: (grown(mask, p), ...),
}
KV_HEAD_MISTAKES = {
    "these take turns": lambda head, heads, kv_heads: head % kv_heads,
    "its place within its group": lambda head, heads, kv_heads: head % (heads // kv_heads),
    "divide by the size of a group": lambda head, heads, kv_heads: head // kv_heads,
    "only kv_heads of them": lambda head, heads, kv_heads: head,
    "how many asking heads": lambda head, heads, kv_heads: -1,
    "a number": lambda head, heads, kv_heads: "1",
}


def content(attention, prefix_len):
    kept = attention[..., prefix_len:]
    return kept / kept.sum(dim=-1, keepdim=True)


def by_column(attention, prefix_len):
    kept = attention[..., prefix_len:]
    return kept / kept.sum(dim=-2, keepdim=True)


def first_columns(attention, prefix_len):
    kept = attention[..., :-prefix_len]
    return kept / kept.sum(dim=-1, keepdim=True)


CONTENT_MISTAKES = {
    "do not add up to 1": lambda attention, p: attention[..., p:],
    "weights of weights": lambda attention, p: attention[..., p:].softmax(-1),
    "the sum of each column": by_column,
    "the sum of everything": lambda attention, p: attention[..., p:] / attention[..., p:].sum(),
    "first columns": first_columns,
    "drop the prefix's columns": lambda attention, p: attention,
    "the text's are the others": lambda attention, p: attention[..., :p],
    "rows were dropped": lambda attention, p: attention[:, :, p:],
    "cut first": lambda attention, p: content(attention, p) + 1,
    "expected a tensor": lambda attention, p: content(attention, p).tolist(),
}
MISTAKES = {
    check_with_prefix: WITH_PREFIX_MISTAKES,
    check_kv_head: KV_HEAD_MISTAKES,
    check_content: CONTENT_MISTAKES,
}


def test_the_right_answers_pass():
    for _ in range(5):
        assert check_with_prefix(both).passed
        assert check_with_prefix(lambda *given: (grown(*given).long(), positions(*given)[0])).passed
        assert check_kv_head(lambda head, heads, kv_heads: head // (heads // kv_heads)).passed
        assert check_content(content).passed
        assert check_content(lambda a, p: torch.nn.functional.normalize(a[..., p:], p=1, dim=-1)).passed


def test_the_pictures_say_the_prefixs_share_and_show_letters_as_text():
    weights = torch.full((3, 5), 0.2)
    picture = draw_attention({"with <b>prefix</b>": weights, "alone": weights[:, 2:]}, ["$", " ", "<"])
    assert "40% of it on the prefix" in repr(picture)
    assert "<b>" not in picture._repr_html_()
    assert "layer 0: 40%" in repr(draw_shares([weights[None, None]], prefix_len=2))


def test_a_small_model_is_the_same_in_every_run():
    one, other = small_gpt2(layers=1), small_gpt2(layers=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
