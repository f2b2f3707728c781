"""The small world: what is held out was never seen, and each sentence knows what its words say."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.course import world
from prefix_lab.course.world import (
    FIELDS,
    GRAMMAR,
    MANNERS,
    QUESTIONS,
    VALUES,
    manner_of,
    places,
    printed,
    prompt,
    sentence,
    sentences,
    texts,
    vocabulary,
    words_of,
)
from tests.house import ROOT

SEEN, HELD_OUT = places("seen"), places("held out")
EVERYWHERE = SEEN + HELD_OUT
draws = given(st.integers(0, len(EVERYWHERE) - 1), st.sampled_from(list(GRAMMAR)), st.integers(0, 2**32))


def test_no_sentence_about_a_held_out_place_was_seen():
    seen, held_out = ({text for place in part for text in texts(place)} for part in (SEEN, HELD_OUT))
    assert len(seen) > 200_000
    assert len(held_out) > 20_000
    assert not seen & held_out


def test_a_tenth_of_the_places_is_held_out_and_no_two_have_one_name():
    assert 0.08 < len(HELD_OUT) / len(EVERYWHERE) < 0.12
    assert len({place.name for place in EVERYWHERE}) == len(EVERYWHERE)


def test_each_word_and_each_value_of_what_is_held_out_was_seen():
    assert {word for place in HELD_OUT for word in words_of(place.record)} <= {
        word for place in SEEN for word in words_of(place.record)
    }


@draws
def test_the_words_that_say_a_field_say_its_value_and_nothing_else(index, manner, seed):
    one = sentence(EVERYWHERE[index], manner, Random(seed))
    assert len(one.words) == len(one.says)
    for field in one.fields:
        start, stop = one.span(field)
        assert set(one.says[start:stop]) == {field}
        assert printed(one.words[start:stop]) in world.sayings(one.place, field)
    assert "name" in one.fields


@draws
def test_a_text_gives_its_words_and_its_manner_back(index, manner, seed):
    one = sentence(EVERYWHERE[index], manner, Random(seed))
    assert words_of(one.text) == list(one.words)
    assert manner_of(one.place, one.text) == one.manner
    assert manner_of(EVERYWHERE[index - 1], one.text) is None


@draws
def test_every_word_is_in_the_vocabulary(index, manner, seed):
    one = sentence(EVERYWHERE[index], manner, Random(seed))
    asked = [question for field in one.fields for question in QUESTIONS[field]]
    read = [*one.words, *words_of(prompt(one.place, one.manner)), *(word for text in asked for word in words_of(text))]
    assert set(read) <= set(vocabulary())


@pytest.mark.parametrize("manner", GRAMMAR)
def test_what_is_drawn_is_one_of_all_that_can_be_said(manner):
    drawn = {sentence(SEEN[0], manner, Random(seed)) for seed in range(500)}
    assert drawn == set(sentences(SEEN[0], manner))
    assert {one.text for one in drawn} == {text for text, told in texts(SEEN[0]).items() if told == manner}


def test_all_fields_are_said_in_the_plain_manner():
    assert {frozenset(one.fields) for one in sentences(SEEN[0], "plain")} == {frozenset(FIELDS)}


def test_the_manner_that_is_new_has_no_new_words():
    words = {manner: {word for said in sentences(SEEN[0], manner) for word in said.words} for manner in GRAMMAR}
    assert words["postcard"] <= set.union(*(words[manner] for manner in MANNERS))


def test_praise_and_complaint_say_the_same_fields_and_are_told_apart_by_no_single_word():
    praise, complaint = (sentences(SEEN[0], manner) for manner in ("praise", "complaint"))
    assert {frozenset(one.fields) for one in praise} == {frozenset(one.fields) for one in complaint}
    for one, others in ((praise, complaint), (complaint, praise)):
        assert set.intersection(*(set(each.words) for each in one)) <= set().union(*(each.words for each in others))


def test_every_value_of_a_field_has_as_many_sayings():
    for field, values in VALUES.items():
        assert len({len(world.SAYINGS.get((field, value), (value,))) for value in values}) == 1, field


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: places("all"), "part='all', expected 'seen' or 'held out'"),
        (lambda: prompt(SEEN[0], "sad"), "manner='sad', expected one of plain, brief, praise"),
        (lambda: sentence(SEEN[0], "sad", Random(0)), "manner='sad', expected one of plain"),
        (lambda: sentences(SEEN[0], "sad"), "manner='sad', expected one of plain"),
        (lambda: sentences(SEEN[0], "brief")[0].span("near"), "field='near' is not said in .*, expected one of name"),
    ],
)
def test_what_is_not_in_the_world_is_refused_by_name(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def test_the_command_counts_the_world_and_shows_each_manner(capsys):
    world.main()
    told = capsys.readouterr().out
    assert f"{len(SEEN):,} places seen, {len(HELD_OUT):,} held out" in told
    assert "0 in both" in told
    assert all(f"\n{manner} " in told for manner in GRAMMAR)
    assert told in (ROOT / "docs" / "world.md").read_text(encoding="utf-8")
