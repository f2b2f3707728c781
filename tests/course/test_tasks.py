"""The course's tasks and words."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.course.letters import (
    TASKS,
    all_words,
    get_task,
    held_out_words,
    is_held_out,
    seen_words,
    source_text,
    target_text,
)

WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("reverse", "nossel"),
        ("upper", "LESSON"),
        ("vowels", "eo"),
        ("consonants", "lssn"),
        ("double", "lessonlesson"),
        ("sort", "elnoss"),
        ("swap", "nessol"),
        ("rotate", "essonl"),
        ("unique", "leson"),
        ("length", "6"),
    ],
)
def test_each_task_answers_as_its_name_says(task, answer):
    assert target_text(task, "lesson") == answer


def test_the_table_holds_at_least_eight_tasks_each_with_its_own_instruction():
    assert len(TASKS) >= 8
    assert "reverse" in TASKS
    assert len({task.instruction for task in TASKS.values()}) == len(TASKS)


@given(WORD)
def test_each_task_does_as_it_says_with_any_word(word):
    answers = {name: target_text(name, word) for name in TASKS}
    assert all(answers.values()), "an empty answer could not be told from none"
    for name in ("reverse", "swap"):
        assert target_text(name, answers[name]) == word
    for name in ("reverse", "sort", "swap", "rotate"):
        assert Counter(answers[name]) == Counter(word)
    assert Counter((answers["vowels"] + answers["consonants"]).replace("-", "")) == Counter(word)


def test_the_source_is_the_instruction_and_the_word():
    assert source_text("reverse", "stream") == "reverse: stream"


def test_an_unknown_task_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(ValueError, match=r"task='revers', expected one of: reverse, upper"):
        get_task("revers")


def test_words_are_sorted_unlike_and_of_three_to_nine_lower_case_letters():
    words = all_words()
    assert list(words) == sorted(set(words))
    assert all(3 <= len(word) <= 9 and word.isascii() and word.isalpha() and word.islower() for word in words)


def test_held_out_words_are_at_least_300_and_never_trained_on():
    held_out, seen = held_out_words(), seen_words()
    assert len(held_out) >= 300
    assert not set(held_out) & set(seen)
    assert sorted(held_out + seen) == list(all_words())


def test_whether_a_word_is_held_out_depends_on_the_word_alone():
    assert [word for word in ("absolute", "attack", "stream", "word") if is_held_out(word)] == []
