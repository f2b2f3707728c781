"""A table says the same in a notebook and in a terminal."""

from prefix_lab.widgets.table import in_columns, table


def test_a_table_is_rows_that_a_reader_of_html_and_of_text_finds_alike():
    shown = table(["axis", "size"], [["batch", 2], ["<b>", 20]], below="Two & more.")
    assert repr(shown) == "axis   size\nbatch  2\n<b>    20\nTwo & more."
    html = shown._repr_html_()
    assert html.count("scope='row'") == html.count("scope='col'") == 2
    assert "&lt;b&gt;" in html
    assert "Two &amp; more." in html


def test_without_heads_names_stay_in_one_line():
    shown = table((), [("Cache, float32", "2.8 MiB")])
    assert repr(shown) == "Cache, float32  2.8 MiB"
    assert "<thead>" not in shown._repr_html_()
    assert "nowrap" in shown._repr_html_()


def test_figures_end_below_each_other():
    assert in_columns([("a", "1"), ("bb", "1,000")], right=[1]) == ["a       1", "bb  1,000"]
