"""What no prefix can be made for or read by is refused in a sentence, and what PEFT runs properly is not."""

import pytest
import torch
from torch import nn

from prefix_lab import LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from tests.tiny_models import (
    ENCODER_DECODERS,
    RUNNING,
    batch_for,
    one_text,
    random_ids,
    refuses,
    tiny,
    tiny_bert,
    tiny_gpt2,
    tiny_llama,
    tiny_t5,
    two_texts,
)

QUIET = pytest.mark.filterwarnings("ignore:.*torch.utils.checkpoint", "ignore:None of the inputs have requires_grad")


def prefix(task="CAUSAL_LM", **fields):
    return PrefixTuningConfig(**{"task_type": task, "num_virtual_tokens": 3, **fields})


def lora(task="CAUSAL_LM"):
    return LoraConfig(task_type=task, r=2, target_modules=["q_proj"])


@QUIET
@pytest.mark.parametrize(("family", "task"), RUNNING)
@pytest.mark.parametrize("padding", [None, "right"])
def test_checkpointing_switched_on_after_wrapping_is_named_at_the_first_training_step(family, task, padding):
    model = get_peft_model(tiny(family, task), prefix(task))
    padding = padding if (family, task) not in [(one, "FEATURE_EXTRACTION") for one in ENCODER_DECODERS] else None
    batch = batch_for(family, task, padding=padding)
    with torch.no_grad():
        before = model(**batch, return_dict=False)[0]
    model.activation_checkpointing_enable()
    with torch.no_grad():
        assert torch.equal(model(**batch, return_dict=False)[0], before)  # nothing trains, so nothing is run twice
    model.train()
    with refuses(ValueError, "checkpointing", "after the model was wrapped", "gradient_checkpointing_disable()"):
        model(**batch)
    model.activation_checkpointing_disable()
    model(**batch, return_dict=False)[0].sum().backward()


def test_generating_while_checkpointing_trains_is_refused():
    model = get_peft_model(tiny_gpt2(), prefix()).train()
    model.activation_checkpointing_enable()
    with refuses(ValueError, "checkpointing", "gradient_checkpointing_disable()"):
        model.generate(input_ids=random_ids(2, 7), max_new_tokens=2)


@pytest.mark.parametrize(
    ("make_model", "task", "limit"), [(tiny_gpt2, "CAUSAL_LM", 40), (tiny_bert, "FEATURE_EXTRACTION", 40)]
)
def test_more_text_than_learned_positions_is_refused_with_both_numbers(make_model, task, limit):
    model = get_peft_model(make_model(), prefix(task))
    model(input_ids=random_ids(1, limit - 3))
    with refuses(ValueError, f"{limit - 2} tokens after a prefix of 3", f"learned {limit}", f"to {limit - 3} tokens"):
        model(input_ids=random_ids(1, limit - 2))


@pytest.mark.parametrize(("family", "task"), [("OPT", "CAUSAL_LM"), ("RoBERTa", "FEATURE_EXTRACTION")])
def test_positions_kept_for_padding_are_not_counted(family, task):
    model = get_peft_model(tiny(family, task), prefix(task))
    limit = 48 - (family == "RoBERTa")
    model(input_ids=random_ids(1, limit - 3))
    if family == "RoBERTa":
        with refuses(ValueError, f"learned {limit}"):
            model(input_ids=random_ids(1, limit - 2))


def test_rotated_positions_have_no_end():
    model = get_peft_model(tiny_llama(), prefix())
    assert model(input_ids=random_ids(1, 60)).logits.shape[1] == 60


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama, tiny_t5])
def test_a_text_without_a_batch_axis_is_refused(make_model, plain):
    task = "SEQ_2_SEQ_LM" if make_model is tiny_t5 else "CAUSAL_LM"
    model = plain.get_peft_model(make_model(), plain.PrefixTuningConfig(task_type=task, num_virtual_tokens=3))
    more = {"decoder_input_ids": random_ids(1, 4)[0]} if make_model is tiny_t5 else {}
    with refuses(ValueError, "input_ids has shape (7,)", "(batch, tokens)", "input_ids[None]"):
        model(input_ids=random_ids(1, 7)[0], **more)


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama])
def test_a_cache_of_one_length_is_refused(make_model, plain):
    config = plain.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    model = plain.get_peft_model(make_model(), config)
    with refuses(ValueError, "cache_implementation='static'", "Leave it out"):
        model.generate(**one_text(left=True), cache_implementation="static", max_new_tokens=2)
    model.generation_config.cache_implementation = "static"
    with refuses(ValueError, "cache_implementation='static'"):
        model.generate(**one_text(left=True), max_new_tokens=2)


def test_a_static_cache_of_an_encoder_decoder_is_refused_though_the_lengths_may_fit():
    model = get_peft_model(tiny_t5(), prefix("SEQ_2_SEQ_LM"))
    texts = {name: two_texts()[name] for name in ("input_ids", "attention_mask")}
    with refuses(ValueError, "cache_implementation='static'", "Leave it out"):
        model.generate(**texts, min_new_tokens=4, max_new_tokens=4, cache_implementation="static")


def test_a_model_that_has_a_prefix_is_not_wrapped_again():
    model, config = get_peft_model(tiny_llama(), prefix()), prefix(num_virtual_tokens=5)
    with refuses(ValueError, "has a prefix already", "cell was run twice", "add_adapter", leaving=(model, config)):
        get_peft_model(model, config)
    with refuses(ValueError, "has a prefix already", "get_base_model()"):
        get_peft_model(model, lora())  # PEFT loses the prefix in silence
    again = get_peft_model(model.get_base_model(), config)
    assert again.get_prompt(1).get_seq_length() == 5


def test_the_bare_class_does_not_run_without_its_prefix():
    model = PeftModel(tiny_gpt2(), prefix())
    with refuses(ValueError, "PeftModel would run the base model without its prefix", "get_peft_model"):
        model(**one_text())
    with refuses(ValueError, "without its prefix", "PeftModelForCausalLM"):
        model.generate(**one_text(), max_new_tokens=2)
    with model.disable_adapter():
        assert torch.equal(model(**one_text()).logits, tiny_gpt2()(**one_text()).logits)
    assert model.get_prompt(2).get_seq_length() == 3


class Deaf(nn.Module):
    """Takes a cache, and looks at the text alone."""

    def __init__(self):
        super().__init__()
        self.config = {"num_layers": 2, "hidden_size": 12, "num_heads": 3, "vocab_size": 37}
        self.table = nn.Embedding(37, 12)

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, past_key_values=None, **kwargs):
        return self.table(input_ids)


def test_a_model_that_never_looks_at_the_prefix_is_found_out():
    model = get_peft_model(Deaf(), prefix("FEATURE_EXTRACTION"))
    with refuses(ValueError, "Deaf did not read the prefix", "cannot learn"):
        model(input_ids=random_ids(2, 7))


def test_an_error_with_a_cause_of_its_own_stays_as_it_is():
    with pytest.raises(IndexError):
        get_peft_model(tiny_gpt2(), prefix())(input_ids=random_ids(2, 7) + 100)


def test_a_language_model_is_no_encoder_decoder():
    model, config = tiny_llama(), prefix("SEQ_2_SEQ_LM")
    with refuses(ValueError, "an encoder and a decoder", "task_type='CAUSAL_LM'", leaving=(model, config)):
        get_peft_model(model, config)


def test_lora_is_not_refused_with_words_about_a_prefix():
    model = tiny("T5", "SEQ_CLS")
    config = LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q"])
    batch = two_texts()
    batch["input_ids"][:, -1] = 1  # where T5's head looks
    assert get_peft_model(model, config)(
        input_ids=batch["input_ids"], decoder_input_ids=batch["input_ids"]
    ).logits.shape


def test_each_layers_prefix_is_on_the_device_of_its_layer():
    model = get_peft_model(tiny_llama(), prefix())
    model.get_base_model().hf_device_map = {"model.layers.0": "cpu", "model.layers.1": "meta", "lm_head": "cpu"}
    assert [layer.keys.device.type for layer in model.get_prompt(1).layers] == ["meta", "meta"]  # cpu is offloaded
    model.get_base_model().hf_device_map = {"": "cpu"}
    assert [layer.keys.device.type for layer in model.get_prompt(1).layers] == ["cpu", "cpu"]
