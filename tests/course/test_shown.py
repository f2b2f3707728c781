"""A stage is shown with both sources, as installed, and as text."""

import re

import pytest

from prefix_lab.course.shown import show_stage
from prefix_lab.shapes import name_axes, named
from prefix_lab.stages import STAGES


@pytest.mark.parametrize("name", [row.name for row in STAGES])
def test_every_stage_shows_its_place_and_its_sources(name):
    view = show_stage(name)
    page = view._repr_html_()
    assert page.count("aria-current") == 2  # the style, and the one stage
    assert f"<li aria-current=step>{name}</li>" in page
    assert name.upper() in repr(view)


def test_both_sources_come_from_the_installed_packages():
    ours, theirs = show_stage("encode").panes
    assert "def forward(self, prefix: Int[Tensor" in ours[1]
    assert "def forward(self, prefix: torch.Tensor)" in theirs[1]


def test_docstrings_are_left_out():
    assert '"""' not in show_stage("choose").panes[1][1]


def test_marked_lines_are_highlighted_and_an_unknown_mark_is_refused():
    assert show_stage("encode", mark=("self.transform(",))._repr_html_().count('class="hll"') == 2
    with pytest.raises(ValueError, match="mark='no such text' is in none of ours: prefix_lab"):
        show_stage("encode", mark=("no such text",))


def test_a_pair_of_functions_is_shown_in_place_of_the_two_that_the_stage_names():
    view = show_stage("attend", mark=("def named(",), pair=(named, name_axes))
    assert [title for title, _ in view.panes] == [
        "ours: prefix_lab.shapes.axes.named",
        "PEFT's: prefix_lab.shapes.finding.name_axes",
    ]
    assert view._repr_html_().count('class="hll"') == 1


def test_source_is_text_and_never_markup():
    page = show_stage("choose")._repr_html_()
    assert not re.search(r"<(script|dict)\b", page)


def test_an_unknown_stage_is_told_the_stages():
    with pytest.raises(ValueError, match=r"'decode' is not a stage of the walk\. The stages are choose, prepare"):
        show_stage("decode")
