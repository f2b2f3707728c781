"""A stage is shown with both sources, as installed, folded around what is marked; and as text."""

import re
from html import unescape

import pytest

from prefix_lab.course.shown import show_source, show_stage
from prefix_lab.shapes import name_axes, named
from prefix_lab.stages import STAGES


def lines_of(html):
    """The text of HTML, line by line, without its style."""
    return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", html, flags=re.DOTALL)).split("\n")


@pytest.mark.parametrize("name", [row.name for row in STAGES])
def test_every_stage_shows_its_place_and_its_sources(name):
    view = show_stage(name)
    assert f"<li aria-current=step>{name}</li>" in view._repr_html_()
    assert name.upper() in repr(view)
    assert not re.search(r"<(script|dict|details)\b", view._repr_html_())  # source is text, and nothing is folded


def test_both_sources_come_from_the_installed_packages_without_docstrings():
    ours, theirs = show_stage("encode").panes
    assert "def forward(self, prefix: Int[Tensor" in ours[1]
    assert "def forward(self, prefix: torch.Tensor)" in theirs[1]
    assert '"""' not in show_stage("choose").panes[1][1]


def test_what_is_far_from_a_marked_line_is_folded_and_nothing_is_left_out():
    view = show_stage("attend", mark=("get_prompt(",))
    page = view._repr_html_()
    marked = re.findall(r"<mark .*?</mark>", page, re.DOTALL)
    folds = re.findall(r"<details>.*?</details>", page, re.DOTALL)
    assert len(folds) >= 3
    assert not any("<mark" in one for one in folds)
    for _, source in view.panes:
        for line in source.split("\n"):
            assert any(line in one for one in lines_of(page)), line
    told = [line[2:] for line in repr(view).split("\n") if line.startswith("> ")]
    assert told == [line for _, source in view.panes for line in source.split("\n") if "get_prompt(" in line]
    assert told == [line for one in marked for line in lines_of(one) if line]


def test_a_pair_of_functions_is_shown_in_place_of_the_two_that_the_stage_names():
    view = show_stage("attend", mark=("def named(",), pair=(named, name_axes))
    assert [title for title, _ in view.panes] == [
        "ours: prefix_lab.shapes.axes.named",
        "PEFT's: prefix_lab.shapes.finding.name_axes",
    ]
    assert view._repr_html_().count("<mark ") == 1


def test_the_strip_leads_to_the_lessons_that_lie_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "06_prefix_encoder.ipynb").touch()
    assert re.findall(r'<a href="([^"]*)">(\w+)</a>', show_stage("choose")._repr_html_()) == [
        ("06_prefix_encoder.ipynb", "encode")
    ]


def test_one_mark_needs_no_tuple():
    assert repr(show_stage("split", mark="view(")) == repr(show_stage("split", mark=("view(",)))


def test_what_has_no_source_is_refused():
    with pytest.raises(TypeError, match=r"print> has no source to show; expected a function or class"):
        show_source(print)


def test_an_unknown_mark_or_stage_is_refused():
    with pytest.raises(ValueError, match="mark='no such text' is in none of ours: prefix_lab"):
        show_stage("encode", mark=("no such text",))
    with pytest.raises(ValueError, match=r"'decode' is not a stage of the walk\. The stages are choose, prepare"):
        show_stage("decode")
