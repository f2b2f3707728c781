"""Lesson 2's checks: the stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

import pytest

from prefix_lab.course.lessons.lesson_02 import check_row_width, check_split
from tests.course.lessons.common import leaves_random_numbers_alone, shows_as_text


def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    return prefix.view(batch, prefix_len, 2 * layers, heads, width // (2 * layers * heads)).permute(2, 0, 3, 1, 4)


def view_only(prefix, layers, heads):
    return prefix.reshape(split(prefix, layers, heads).shape)


def head_dim_first(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    rows = prefix.view(batch, prefix_len, 2 * layers, width // (2 * layers * heads), heads)
    return rows.permute(2, 0, 4, 1, 3)


def no_permute(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    return prefix.view(batch, prefix_len, 2 * layers, heads, width // (2 * layers * heads))


def other_order(prefix, layers, heads):
    return split(prefix, layers, heads).permute(0, 2, 1, 3, 4)


def raises(*arguments):
    raise ZeroDivisionError("division by zero")


ROW_WIDTH_MISTAKES = {
    "a key and a value": lambda layers, heads, head_dim: layers * heads * head_dim,
    "every layer has its own": lambda layers, heads, head_dim: 2 * heads * head_dim,
    "hidden is heads": lambda layers, heads, head_dim: 2 * layers * head_dim,
    "doubles the rows later": lambda layers, heads, head_dim: 4 * layers * heads * head_dim,
    "one after the other": lambda layers, heads, head_dim: 768,
    "put your answer": lambda layers, heads, head_dim: ...,
    "ZeroDivisionError": raises,
}
SPLIT_MISTAKES = {
    "only renumbers": view_only,
    "heads come before head_dim": head_dim_first,
    "what is missing is the permute": no_permute,
    "in another order": other_order,
    "expected a tensor": lambda prefix, layers, heads: [prefix],
    "view gives every axis its size": lambda prefix, layers, heads: prefix,
    "put your answer": lambda prefix, layers, heads: ...,
    "ZeroDivisionError": raises,
}


@pytest.mark.parametrize("cause", ROW_WIDTH_MISTAKES)
def test_a_wrong_row_width_is_told_its_cause(cause):
    verdict = check_row_width(ROW_WIDTH_MISTAKES[cause])
    assert not verdict.passed
    assert cause in verdict.text


@pytest.mark.parametrize("cause", SPLIT_MISTAKES)
def test_a_wrong_split_is_told_its_cause(cause):
    verdict = check_split(SPLIT_MISTAKES[cause])
    assert not verdict.passed
    assert cause in verdict.text


def test_the_right_answers_pass():
    assert check_row_width(lambda layers, heads, head_dim: 2 * layers * heads * head_dim).passed
    assert check_split(split).passed


def test_a_check_leaves_the_learners_random_numbers_alone():
    leaves_random_numbers_alone(lambda: check_split(split))


def test_what_a_learner_wrote_is_shown_as_text():
    shows_as_text(check_row_width)
