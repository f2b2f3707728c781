"""P-tuning v2's encoder, written here as its authors did, and ours with its weights."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from prefix_lab import PrefixEncoder, PrefixTuningConfig, get_peft_model
from prefix_lab.ptuning_v2 import ptuning_v2_config
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
    ours = PrefixEncoder.from_ptuning_v2(form(sizes), checkpoint | {"classifier.weight": torch.zeros(2)})
    tokens = torch.arange(3).expand(2, -1)
    assert torch.equal(ours(tokens), theirs(tokens))


@every_kind
def test_without_weights_the_encoder_has_its_shapes(sizes):
    ours = {name: tensor.shape for name, tensor in PrefixEncoder.from_ptuning_v2(sizes).state_dict().items()}
    theirs = {name.replace("trans.", "transform."): t.shape for name, t in reference(sizes).state_dict().items()}
    assert ours == theirs


def wrapped(**changes):
    config = ptuning_v2_config({**PROJECTED, "hidden_dropout_prob": 0.5, **changes}, task_type="FEATURE_EXTRACTION")
    return get_peft_model(tiny_bert(), config)


def test_its_dropout_drops_keys_and_values_in_training_alone():
    model = wrapped()
    whole = model.eval().get_prompt(2).layers[0]
    dropped = model.train().get_prompt(2).layers[0]
    kept = dropped.keys != 0
    assert 0 < kept.float().mean() < 1
    assert torch.allclose(dropped.keys[kept], 2 * whole.keys[kept])
    assert torch.equal(model.eval().get_prompt(2).layers[0].keys, whole.keys)
    assert not torch.equal(dropped.keys[0], dropped.keys[1])  # each text of the batch loses other numbers


def test_the_same_numbers_are_dropped_as_by_its_authors():
    model = wrapped().train()
    encoder = model.prompt_encoder["default"]
    torch.manual_seed(0)
    tokens = torch.arange(3).expand(2, -1)
    past = encoder(tokens).view(2, 3, 4, 3, 4)  # batch, pre_seq_len, 2·layers, heads, head_dim
    past = nn.Dropout(0.5)(past).permute([2, 0, 3, 1, 4]).split(2)
    torch.manual_seed(0)
    for (key, value), layer in zip(past, model.get_prompt(2).layers, strict=True):
        assert torch.equal(layer.keys, key)
        assert torch.equal(layer.values, value)


def test_a_model_wrapped_from_its_config_runs():
    assert wrapped()(**one_text()).last_hidden_state.isfinite().all()
    assert wrapped(hidden_dropout_prob=0.0).active_peft_config.prefix_dropout == 0


@pytest.mark.parametrize("missing", ["pre_seq_len", "hidden_size", "num_hidden_layers", "prefix_hidden_size"])
def test_a_size_that_is_missing_is_named(missing):
    sizes = {name: size for name, size in PROJECTED.items() if name != missing}
    with refuses(ValueError, f"has no {missing}"):
        PrefixEncoder.from_ptuning_v2(sizes)


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
        PrefixEncoder.from_ptuning_v2(PROJECTED, state)


@pytest.mark.parametrize("share", [-0.1, 1.0, "half"])
def test_a_share_that_is_none_is_refused(plain, share):
    with refuses(ValueError, f"prefix_dropout={share!r}"):
        plain.PrefixTuningConfig(prefix_dropout=share)


def test_pefts_text_has_the_dropout_only_when_it_is_chosen():
    assert "prefix_dropout" not in PrefixTuningConfig().to_json()
    assert '"prefix_dropout": 0.1' in PrefixTuningConfig(prefix_dropout=0.1).to_json()
