"""The world's six tasks: what an example is, and that what is right is judged by the world and not by one text."""

import pytest

from prefix_lab.course import world_task
from prefix_lab.course.world import manner_of, places, sentences
from prefix_lab.course.world_tasks import KINDS, NAMED


@pytest.mark.parametrize("task_type", KINDS)
def test_there_is_an_example_for_each_place_the_same_in_every_run(task_type):
    task = world_task(task_type)
    assert task.task_type == task_type
    assert len(task.examples("train")) == len(places("seen"))
    assert len(task.examples("test")) == len(places("held out"))
    assert task.examples("train") == world_task(task_type).examples("train")


@pytest.mark.parametrize(("task_type", "ends"), [("CAUSAL_LM", " ="), ("SEQ_2_SEQ_LM", "")])
def test_any_right_sentence_in_the_manner_counts(task_type, ends):
    task = world_task(task_type, "brief")
    source, target, place = task.examples("test")[0]
    assert source == place.record + ends
    assert task.instructed().examples("test")[0][0] == f"brief : {source}"
    right = {one.text for one in sentences(place, "brief")}
    assert target in right
    assert all(task.is_right(text, (source, target, place)) for text in right)
    assert not task.is_right(target.replace(place.food, "sand"), (source, target, place))
    assert not task.is_right(sentences(place, "plain")[0].text, (source, target, place))


def test_labels_of_words_and_places_of_answers_are_the_worlds_own():
    for words, labels in world_task("TOKEN_CLS").examples("test")[:50]:
        assert len(words) == len(labels)
        assert {*labels} <= {"-", *NAMED}
    for _, text, answer, begins in world_task("QUESTION_ANS").examples("test"):
        assert text[begins:].startswith(answer)
        assert begins == 0 or text[begins - 1] == " "
    for one, other in world_task("FEATURE_EXTRACTION").examples("test")[:50]:
        assert one != other
    for text, label in world_task("SEQ_CLS").examples("test")[:50]:
        assert any(manner_of(place, text) == label for place in places("held out"))


def test_a_task_or_a_manner_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="task_type='TRANSLATION', expected one of: CAUSAL_LM, SEQ_2_SEQ_LM, SEQ_CLS"):
        world_task("TRANSLATION")
    with pytest.raises(ValueError, match="manner='angry', expected one of plain"):
        world_task("CAUSAL_LM", "angry")
