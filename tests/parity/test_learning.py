"""The training step: a gradient for the prefix, none for the base, and the same steps in both libraries."""

import pytest
import torch

from tests.parity.pair import ENCODERS, TASKS, assert_close_gradients, assert_same, both, run
from tests.tiny_models import one_text, random_ids, tiny_bert, tiny_t5, two_texts

TEACHES = {name: fields for name, fields in ENCODERS.items() if "inference" not in name}


def loss(model, make_model):
    if TASKS[make_model] == "SEQ_2_SEQ_LM":
        return model(**two_texts()).loss
    if make_model is tiny_bert:
        return model(**one_text()).last_hidden_state.square().mean()
    return model(**one_text(), labels=random_ids(2, 7)).loss


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("make_model", TASKS)
def test_the_prefix_gets_the_same_gradient_and_the_base_none(make_model, encoder):
    models = both(make_model, **ENCODERS[encoder])
    run(models, lambda model: loss(model, make_model).backward())
    assert_close_gradients(*models)
    assert all(p.grad is None for p in models.ours.get_base_model().parameters())
    assert all(p.grad is not None for p in models.ours.prompt_encoder.parameters())


@pytest.mark.parametrize("encoder", TEACHES)
def test_the_gradient_of_a_bfloat16_model_is_float32(encoder):
    models = both(tiny_t5, dtype=torch.bfloat16, **ENCODERS[encoder])
    run(models, lambda model: loss(model, tiny_t5).backward())
    assert_close_gradients(*models)
    assert {p.grad.dtype for p in models.ours.prompt_encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize("encoder", TEACHES)
def test_three_steps_of_training_lead_to_the_same_prefix(encoder):
    def train(model):
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            step = model(**two_texts()).loss
            step.backward()
            optimizer.step()
            losses.append(step.item())
        return losses, [p.detach().clone() for p in model.prompt_encoder.parameters()]

    models = both(tiny_t5, **ENCODERS[encoder])
    (our_losses, ours), (their_losses, theirs) = run(models, train)
    assert our_losses == pytest.approx(their_losses, rel=1e-5)
    assert our_losses[-1] < our_losses[0]
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert_same(dict(models.ours.get_base_model().state_dict()), dict(tiny_t5().state_dict()), "base model")
