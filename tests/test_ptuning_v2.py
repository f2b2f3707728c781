"""P-tuning v2's encoder, written here as its authors did, and ours with its weights."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from prefix_lab import get_peft_model
from prefix_lab.beside.initialization import from_ptuning_v2, ptuning_v2_config
from tests.tiny_models import one_text, refuses, tiny_bert

SIZES = {"pre_seq_len": 3, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3}
DIRECT = {**SIZES, "prefix_projection": False}
PROJECTED = {**SIZES, "prefix_projection": True, "prefix_hidden_size": 7}
every_kind = pytest.mark.parametrize("sizes", [DIRECT, PROJECTED])


class ReferenceEncoder(nn.Module):
    """THUDM/P-tuning-v2, model/prefix_encoder.py."""

    def __init__(self, config):
        super().__init__()
        self.prefix_projection = config.prefix_projection
        width = config.num_hidden_layers * 2 * config.hidden_size
        if self.prefix_projection:
            self.embedding = nn.Embedding(config.pre_seq_len, config.hidden_size)
            self.trans = nn.Sequential(
                nn.Linear(config.hidden_size, config.prefix_hidden_size),
                nn.Tanh(),
                nn.Linear(config.prefix_hidden_size, width),
            )
        else:
            self.embedding = nn.Embedding(config.pre_seq_len, width)

    def forward(self, prefix):
        tokens = self.embedding(prefix)
        return self.trans(tokens) if self.prefix_projection else tokens


def reference(sizes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return ReferenceEncoder(SimpleNamespace(**sizes))


@every_kind
@pytest.mark.parametrize("form", [dict, lambda sizes: SimpleNamespace(**sizes)])
@pytest.mark.parametrize("before", ["", "prefix_encoder.", "model.prefix_encoder."])
def test_with_its_weights_the_outputs_are_equal(sizes, form, before):
    theirs = reference(sizes)
    checkpoint = {before + name: tensor for name, tensor in theirs.state_dict().items()}
    ours = from_ptuning_v2(form(sizes), checkpoint | {"classifier.weight": torch.zeros(2)})
    tokens = torch.arange(3).expand(2, -1)
    assert torch.equal(ours(tokens), theirs(tokens))


@every_kind
def test_without_weights_the_encoder_has_its_shapes(sizes):
    ours = {name: tensor.shape for name, tensor in from_ptuning_v2(sizes).state_dict().items()}
    theirs = {name.replace("trans.", "transform."): t.shape for name, t in reference(sizes).state_dict().items()}
    assert ours == theirs
    for missing in {"pre_seq_len", "hidden_size", "num_hidden_layers", "prefix_hidden_size"} & set(sizes):
        with refuses(ValueError, f"has no {missing}"):
            from_ptuning_v2({name: size for name, size in sizes.items() if name != missing})


def test_a_model_wrapped_from_its_config_runs():
    model = get_peft_model(tiny_bert(), ptuning_v2_config(PROJECTED, task_type="FEATURE_EXTRACTION"))
    assert model(**one_text()).last_hidden_state.isfinite().all()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda state: state.pop("trans.2.bias"), "checkpoint has no trans.2.bias"),
        (lambda state: state.update({"trans.0.weight": torch.zeros(7, 11)}), "trans.0.weight has shape (7, 11)"),
        (lambda state: state.clear(), "Is it from P-tuning v2?"),
    ],
)
def test_weights_that_are_missing_or_do_not_fit_are_refused(spoil, words):
    state = dict(reference(PROJECTED).state_dict())
    spoil(state)
    with refuses(ValueError, words):
        from_ptuning_v2(PROJECTED, state)
