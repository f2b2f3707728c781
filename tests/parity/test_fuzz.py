"""Random examples, the same in every run: `make fuzz` tries many more, and prints what it finds."""

import pytest

from prefix_lab import models
from tests.parity import fuzz

PLAIN = fuzz.Case("GPT-2", "CAUSAL_LM", {"num_virtual_tokens": 3})


def test_random_examples_give_the_same_values_or_are_refused_by_both():
    counts = fuzz.fuzz(150)
    assert counts.total() >= 150
    assert counts["equal"] >= 75, "the examples have become too wrong to compare values"
    assert counts["equal"] + counts["both refused"] >= 0.95 * counts.total()


def test_an_example_that_both_can_run_is_equal_and_one_that_does_not_fit_is_refused_by_both():
    assert fuzz.compare(PLAIN) == "equal"
    wrong = fuzz.replace(PLAIN, config={"num_virtual_tokens": 3, "num_attention_heads": 5})
    assert fuzz.compare(wrong) == "both refused"


def test_a_difference_is_found_and_made_small(monkeypatch):
    right = models.PeftModel.prepend_prefix
    monkeypatch.setattr(
        models.PeftModel, "prepend_prefix", lambda self, mask: None if mask is None else right(self, mask) * 0
    )
    with pytest.raises(AssertionError) as caught:
        fuzz.fuzz(60)
    example = "\n".join(caught.value.__notes__)
    assert "Case(" in example
    assert "prefix_projection" not in example  # which has nothing to do with it
