"""Lesson 9's checks: a stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

import pytest
import torch

from prefix_lab.course.lessons.lesson_09 import (
    CLASSIFIED,
    check_ending,
    check_grown_mask,
    check_trainable,
    check_widths,
    classify,
    draw_masks,
)
from prefix_lab.debugger import record
from prefix_lab.widgets.stepper.predict import Score, predict


def widths(task, prefix_len, source, target):
    return (source, prefix_len + target) if task == "SEQ_2_SEQ_LM" else (prefix_len + source, None)


def seq2seq(pair):
    """Right for five tasks; the sixth by `pair(prefix_len, source, target)`."""
    return lambda task, *sizes: pair(*sizes) if task == "SEQ_2_SEQ_LM" else widths(task, *sizes)


def others(pair):
    return lambda task, *sizes: widths(task, *sizes) if task == "SEQ_2_SEQ_LM" else pair(*sizes)


WIDTH_MISTAKES = {
    "the encoder never sees": seq2seq(lambda prefix_len, source, target: (prefix_len + source, prefix_len + target)),
    "so its mask has to grow": seq2seq(lambda prefix_len, source, target: (source, target)),
    "about the target": seq2seq(lambda prefix_len, source, target: (source, prefix_len + source)),
    "which stack reads": seq2seq(lambda prefix_len, source, target: (source, prefix_len)),
    "the second is None": others(lambda prefix_len, source, target: (prefix_len + source, prefix_len + target)),
    "more keys than": others(lambda prefix_len, source, target: (source, None)),
    "covers the prefix and": others(lambda prefix_len, source, target: (prefix_len, None)),
    "put your answer": lambda task, prefix_len, source, target: (..., ...),
    "return two things": lambda task, prefix_len, source, target: prefix_len + source,
}


def ending(outputs, dropout, classifier, labels):
    logits = classifier(dropout(outputs[1]))
    return torch.nn.functional.cross_entropy(logits, labels), logits


def ended(logits_of, loss_of=torch.nn.functional.cross_entropy):
    def answer(outputs, dropout, classifier, labels):
        logits = logits_of(outputs, dropout, classifier)
        return loss_of(logits, labels) if logits.dim() == 2 else torch.tensor(0.0), logits

    return answer


def usual(outputs, dropout, classifier):
    return classifier(dropout(outputs[1]))


ENDING_MISTAKES = {
    "one answer a token": ended(lambda outputs, dropout, classifier: classifier(dropout(outputs[0]))),
    "dropout between the backbone": ended(lambda outputs, dropout, classifier: classifier(outputs[1])),
    "first token's vector": ended(lambda outputs, dropout, classifier: classifier(dropout(outputs[0][:, 0]))),
    "does the softmax itself": ended(lambda *given: usual(*given).softmax(-1)),
    "in the other order": lambda *given: ending(*given)[::-1],
    "one too many": ended(usual, lambda logits, labels: torch.nn.functional.cross_entropy(logits.softmax(-1), labels)),
    "the sum over the batch": ended(
        usual, lambda logits, labels: torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    ),
    "expected cross_entropy": ended(usual, lambda logits, labels: logits.sum()),
    "not what the head makes": ended(lambda *given: usual(*given) + 1),
    "one answer a text is asked": ended(lambda *given: usual(*given)[:1], lambda logits, labels: logits.sum()),
    "return two tensors": lambda *given: ending(*given)[1],
    "put your answer": lambda outputs, dropout, classifier, labels: (..., ...),
}
TRAINABLE_MISTAKES = {
    "the prefix alone": lambda prefix_len, layers, hidden, classes: 2 * layers * hidden * prefix_len,
    "the head alone": lambda prefix_len, layers, hidden, classes: hidden * classes + classes,
    "has a bias": lambda prefix_len, layers, hidden, classes: 2 * layers * hidden * prefix_len + hidden * classes,
    "only its copy trains": lambda prefix_len, layers, hidden, classes: (
        2 * layers * hidden * prefix_len + 2 * (hidden * classes + classes)
    ),
    "a key and a value": lambda prefix_len, layers, hidden, classes: (
        layers * hidden * prefix_len + hidden * classes + classes
    ),
    "the prefix has": lambda prefix_len, layers, hidden, classes: 739,
}
MISTAKES = {
    check_widths: WIDTH_MISTAKES,
    check_ending: ENDING_MISTAKES,
    check_trainable: TRAINABLE_MISTAKES,
}


@pytest.fixture(scope="module")
def recording():
    with torch.random.fork_rng(), record(["peft"]) as found:
        classify(CLASSIFIED)
    return found


def ask(recording):
    return predict(recording, at="PeftModelForSequenceClassification.forward", name="attention_mask", score=Score())


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_mask_that_grows_is_asked_for_and_a_wrong_shape_is_told_its_axis(recording):
    assert not check_grown_mask(ask(recording), ...).passed
    assert "Axis 1" in check_grown_mask(ask(recording), "(2, 7)").text
    assert "it has 2" in check_grown_mask(ask(recording), (2, 5, 7)).text
    assert check_grown_mask(ask(recording), (2, 12)).passed


def test_the_picture_of_the_masks_says_which_grew():
    masks = [
        ("CAUSAL_LM", "attention_mask", torch.ones(2, 3), torch.ones(2, 5)),
        ("SEQ_2_SEQ_LM", "attention_mask", torch.ones(2, 3), torch.ones(2, 3)),
    ]
    drawn = draw_masks(masks)
    assert "CAUSAL_LM: attention_mask grows to 2+3" in repr(drawn)
    assert "SEQ_2_SEQ_LM: attention_mask stays 3" in repr(drawn)
    assert 'role="img"' in drawn._repr_html_()
