"""Lesson 2's checks: the stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

from prefix_lab.course.lessons.lesson_02 import check_row_width, check_split


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


ROW_WIDTH_MISTAKES = {
    "a key and a value": lambda layers, heads, head_dim: layers * heads * head_dim,
    "every layer has its own": lambda layers, heads, head_dim: 2 * heads * head_dim,
    "hidden is heads": lambda layers, heads, head_dim: 2 * layers * head_dim,
    "doubles the rows later": lambda layers, heads, head_dim: 4 * layers * heads * head_dim,
    "one after the other": lambda layers, heads, head_dim: 768,
}
SPLIT_MISTAKES = {
    "only renumbers": view_only,
    "heads come before head_dim": head_dim_first,
    "what is missing is the permute": no_permute,
    "in another order": other_order,
    "expected a tensor": lambda prefix, layers, heads: [prefix],
    "view gives every axis its size": lambda prefix, layers, heads: prefix,
}
MISTAKES = {
    check_row_width: ROW_WIDTH_MISTAKES,
    check_split: SPLIT_MISTAKES,
}
