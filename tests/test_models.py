"""The wrapped model: frozen base, attached encoder, prompt, and the attributes that shine through."""

import copy

import pytest
import torch
from torch import nn
from transformers import T5Config, T5ForConditionalGeneration

from prefix_lab import PeftModel, PeftModelForSeq2SeqLM, PrefixTuningConfig, get_peft_model
from prefix_lab.beside.adapters import find_word_embeddings
from tests.tiny_models import refuses, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5, two_texts


def prefix(**fields):
    return PrefixTuningConfig(**{"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3, **fields})


def wrapped(**fields):
    return get_peft_model(tiny_t5(), prefix(**fields))


def test_the_base_model_is_frozen_and_the_prefix_trains():
    model = wrapped()
    assert not any(parameter.requires_grad for parameter in model.get_base_model().parameters())
    assert all(parameter.requires_grad for parameter in model.prompt_encoder.parameters())


def test_training_changes_the_prefix_and_never_the_base_model():
    model = wrapped()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(**two_texts()).loss.backward()
    optimizer.step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"prompt_encoder.default.embedding.weight"}


def test_the_prompt_has_a_key_and_a_value_for_every_decoder_layer():
    cache = wrapped().get_prompt(4).self_attention_cache
    assert [tuple(layer.keys.shape) for layer in cache.layers] == [(4, 3, 3, 4)] * 2
    assert [tuple(layer.values.shape) for layer in cache.layers] == [(4, 3, 3, 4)] * 2


def test_every_text_of_a_batch_reads_the_same_prefix():
    keys = wrapped().get_prompt(4).self_attention_cache.layers[0].keys
    assert torch.equal(keys, keys[:1].expand(4, 3, 3, 4))


def test_an_encoder_decoder_numbers_twice_as_many_virtual_tokens_as_it_looks_up():
    assert wrapped().prompt_tokens["default"].tolist() == [0, 1, 2, 3, 4, 5]


def test_the_counts_at_t5_base_sizes_are_those_of_the_paper_trail(capsys):
    with torch.device("meta"):
        base = T5ForConditionalGeneration(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12))
    model = get_peft_model(base, prefix(num_virtual_tokens=20))
    assert model.get_nb_trainable_parameters() == (368_640, 223_272_192)
    model.print_trainable_parameters()
    assert capsys.readouterr().out == "trainable params: 368,640 || all params: 223,272,192 || trainable%: 0.1651\n"
    assert next(model.prompt_encoder.parameters()).device.type == "meta"


def test_a_mask_grows_by_the_prefix_and_stays_none_if_it_was():
    model = wrapped()
    grown = model.prepend_prefix(torch.tensor([[1, 1, 0], [1, 0, 0]]))
    assert grown.tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0]]
    assert model.prepend_prefix(None) is None


def test_what_the_wrapper_does_not_have_the_base_model_may():
    model = wrapped()
    assert model.config is model.get_base_model().config
    assert model.encoder is model.get_base_model().encoder
    with pytest.raises(AttributeError, match="nowhere"):
        _ = model.nowhere


def test_a_wrapped_model_can_be_copied():
    model = wrapped()
    other = copy.deepcopy(model)
    assert torch.equal(other(**two_texts()).logits, model(**two_texts()).logits)
    assert next(other.prompt_encoder.parameters()) is not next(model.prompt_encoder.parameters())


def test_a_second_adapter_has_an_encoder_of_its_own():
    model = wrapped()
    model.add_adapter("longer", prefix(num_virtual_tokens=5))
    assert list(model.prompt_encoder) == ["default", "longer"]
    model.active_adapter = "longer"
    assert model.get_prompt(1).get_seq_length() == 5


def test_an_adapter_name_that_exists_is_refused():
    model = wrapped()
    with refuses(ValueError, "Adapter with name 'default' already exists", "Choose another adapter_name"):
        model.add_adapter("default", prefix())


@pytest.mark.parametrize("bad", [{"token_dim": 15}, {"num_layers": 1}, {"num_virtual_tokens": None}])
def test_an_adapter_that_does_not_fit_leaves_the_model_as_it_was(bad):
    model, config = wrapped(), prefix(**bad)
    with refuses(ValueError, next(iter(bad)), leaving=(model, config)):
        model.add_adapter("other", config)
    assert list(model.peft_config) == list(model.prompt_tokens) == ["default"]


def test_the_class_can_be_called_without_get_peft_model():
    model = PeftModelForSeq2SeqLM(tiny_t5(), prefix())
    assert isinstance(model, PeftModel)
    assert model(**two_texts()).loss.isfinite()


@pytest.mark.parametrize(
    ("make_model", "name"),
    [(tiny_t5, "encoder.embed_tokens"), (tiny_gpt2, "transformer.wte"), (tiny_llama, "model.embed_tokens")],
)
def test_the_word_embeddings_are_the_first_parameter_as_long_as_the_vocabulary(make_model, name):
    model = make_model()
    assert find_word_embeddings(model) is model.get_submodule(name)


def test_the_word_embeddings_of_bert_are_found_by_name():
    model = tiny_bert()
    assert find_word_embeddings(model) is model.embeddings.word_embeddings


def test_a_model_without_words_has_no_word_embeddings():
    model = nn.Sequential(nn.Linear(2, 2))
    model.config = {"num_layers": 1}
    assert find_word_embeddings(model) is None


def test_a_simulation_of_tensor_parallelism_is_switched_off():
    base = tiny_llama()
    base.config.pretraining_tp = 2
    get_peft_model(base, prefix(task_type="CAUSAL_LM"))
    assert base.config.pretraining_tp == 1
