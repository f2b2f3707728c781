"""Axis expressions: a name is shown only where it gives the seen size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.shapes import AXES, evaluate, name_axes_of, named
from tests.tiny_models import refuses

sizes = st.dictionaries(st.sampled_from(sorted(AXES)), st.integers(1, 50), min_size=1)
terms = st.lists(st.one_of(st.sampled_from(sorted(AXES)), st.integers(0, 9).map(str)), min_size=1, max_size=3)
expressions = st.lists(terms.map("·".join), min_size=1, max_size=3).map("+".join)


@given(expressions, sizes)
def test_an_expression_is_worth_what_arithmetic_says(expression, known):
    if any(name in expression.replace("·", "+").split("+") for name in set(AXES) - set(known)):
        assert evaluate(expression, known) is None
    else:
        assert evaluate(expression, known) == eval(expression.replace("·", "*"), {}, dict(known))


@given(st.lists(expressions, min_size=1, max_size=4), sizes, st.integers(1, 500))
def test_the_first_way_of_writing_that_fits_is_shown(ways, known, seen):
    (shown,) = name_axes_of([seen], ["|".join(ways)], known)
    fits = [way for way in ways if evaluate(way, known) == seen]
    assert shown == (fits[0] if fits else str(seen))


@given(st.lists(st.tuples(expressions, st.integers(1, 500)), max_size=5), sizes)
def test_there_is_one_name_for_each_axis(pairs, known):
    axes, shape = [axis for axis, _ in pairs], [seen for _, seen in pairs]
    assert len(name_axes_of(shape, axes, known)) == len(shape)


@given(st.lists(st.integers(1, 9), max_size=4), st.lists(expressions, max_size=4), sizes)
def test_another_number_of_names_than_axes_is_refused(shape, axes, known):
    if len(shape) != len(axes):
        with refuses(ValueError, f"axes names {len(axes)} axes", f"has {len(shape)}"):
            name_axes_of(shape, axes, known)


KNOWN = {"batch": 4, "prefix_len": 20, "layers": 3, "heads": 4, "head_dim": 32, "hidden": 128, "target": 6}


@pytest.mark.parametrize(
    ("shape", "axes", "shown"),
    [
        ((4, 20), "batch prefix_len", "(batch, prefix_len) = (4, 20)"),
        ((4, 20), ["batch", "prefix_len"], "(batch, prefix_len) = (4, 20)"),
        ((4, 768), "batch 2·layers·hidden", "(batch, 2·layers·hidden) = (4, 768)"),
        ((4, 26), "batch prefix_len+target", "(batch, prefix_len+target) = (4, 26)"),
        ((4, 26), "batch target|prefix_len+target", "(batch, prefix_len+target) = (4, 26)"),
        ((5, 20), "batch prefix_len", "(5, prefix_len) = (5, 20)"),
        ((7,), "vocab", "(7) = (7)"),
        ((), "", "() = one number"),
        ((), [], "() = one number"),
    ],
)
def test_names_stand_before_the_numbers(shape, axes, shown):
    assert named(shape, axes, KNOWN) == shown


def test_every_axis_says_what_it_stands_for():
    assert all(meaning and not meaning.endswith(".") for meaning in AXES.values())
