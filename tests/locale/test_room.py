"""Chinese signs take two cells of a terminal: columns stand below each other, and lines end where they must."""

import pytest

from prefix_lab.locale.room import columns, padded, wrapped
from prefix_lab.widgets.table import in_columns


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("key", 3), ("键", 2), ("键 key", 6), ("é", 1), ("，", 2), ("·", 1)]
)
def test_a_text_takes_its_cells(text, width):
    assert columns(text) == width
    assert columns(padded(text, 9)) == columns(padded(text, 9, right=True)) == 9


def test_columns_of_a_table_stand_below_each_other():
    lines = in_columns([("键", "1"), ("value", "22")], right=[1])
    assert lines == ["键      1", "value  22"]


CHINESE = "长向量按层、按键和值、按头切开，放进缓存 past_key_values，由模型读取。"


@pytest.mark.parametrize("width", [12, 17, 20, 40, 100])
def test_chinese_is_wrapped_where_it_may_be(width):
    lines = wrapped(CHINESE, width, hanging=2)
    assert "".join(line.strip() for line in lines).replace(" ", "") == CHINESE.replace(" ", "")
    assert all(line.strip()[0] not in "，。、" for line in lines)
    assert all(columns(line) <= max(width, 2 + len("past_key_values") + 2) for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_english_is_wrapped_at_its_spaces():
    assert wrapped("a key and a value", 9) == ["a key and", "a value"]
