"""The nine files alone, without anything beside them: one adapter, T5 and GPT-2, equal to PEFT bit for bit."""

import subprocess
import sys

import peft
import pytest

from prefix_lab import checkpoint, mapping
from prefix_lab.config import PrefixTuningConfig
from tests.parity.pair import assert_same, without_pefts_deprecation
from tests.tiny_models import one_text, seed, tiny_gpt2, tiny_t5, two_texts

TASKS = {tiny_t5: ("SEQ_2_SEQ_LM", two_texts), tiny_gpt2: ("CAUSAL_LM", lambda: one_text(left=True))}
every_model = pytest.mark.parametrize("make_model", TASKS)
every_encoder = pytest.mark.parametrize("projection", [False, True], ids=["direct", "projected"])


def wrapped(make_model, projection):
    """By the essence, and by PEFT."""
    fields = {"task_type": TASKS[make_model][0], "num_virtual_tokens": 3, "prefix_projection": projection}
    seed(0)
    ours = mapping.get_peft_model(make_model(), PrefixTuningConfig(**fields))
    seed(0)
    with without_pefts_deprecation():
        return ours, peft.get_peft_model(make_model(), peft.PrefixTuningConfig(**fields))


@every_encoder
@every_model
def test_outputs_gradients_and_tokens_are_the_same(make_model, projection):
    batch, models = TASKS[make_model][1](), wrapped(make_model, projection)
    ours, theirs = (model(**batch) for model in models)
    assert_same(ours, theirs)
    for output in (ours, theirs):
        output[0].sum().backward()
    batch.pop("labels", None)
    gradients = [{n: p.grad for n, p in model.named_parameters() if p.grad is not None} for model in models]
    assert_same(*gradients)
    assert_same(*(model.eval().generate(**batch, max_new_tokens=5) for model in models))


@every_encoder
@every_model
def test_what_is_saved_is_the_same(make_model, projection, tmp_path):
    ours, theirs = wrapped(make_model, projection)
    checkpoint.save_pretrained(ours, tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    for name in (checkpoint.WEIGHTS_NAME, "adapter_config.json"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


def test_nothing_beside_it_is_imported():
    said = "import sys, prefix_lab.checkpoint, prefix_lab.mapping; print('prefix_lab.beside' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True).stdout == "False\n"
