"""What no prefix can be made for or read by is refused in a sentence, and what PEFT runs properly is not."""

import pytest
import torch
from torch import nn
from transformers import GenerationConfig

from prefix_lab import LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from tests.tiny_models import batch_for, one_text, random_ids, refuses, tiny, tiny_gpt2, tiny_llama, tiny_t5, two_texts

QUIET = pytest.mark.filterwarnings("ignore:.*torch.utils.checkpoint", "ignore:None of the inputs have requires_grad")


def prefix(task="CAUSAL_LM", **fields):
    return PrefixTuningConfig(**{"task_type": task, "num_virtual_tokens": 3, **fields})


def lora(task="CAUSAL_LM"):
    return LoraConfig(task_type=task, r=2, target_modules=["q_proj"])


@QUIET
@pytest.mark.parametrize(
    ("family", "task"),
    [
        *(("T5", "SEQ_2_SEQ_LM"), ("LED", "FEATURE_EXTRACTION"), ("GPT-2", "CAUSAL_LM"), ("Llama", "CAUSAL_LM")),
        *(("BERT", "SEQ_CLS"), ("Gemma 2", "TOKEN_CLS"), ("Electra", "QUESTION_ANS")),
    ],
)
@pytest.mark.parametrize("padding", [None, "right"])
def test_checkpointing_switched_on_after_wrapping_is_named_at_the_first_training_step(family, task, padding):
    model = get_peft_model(tiny(family, task), prefix(task))
    batch = batch_for(family, task, padding=padding if family != "LED" else None)
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
    if task == "CAUSAL_LM":
        model.activation_checkpointing_enable()
        with refuses(ValueError, "checkpointing", "gradient_checkpointing_disable()"):
            model.generate(input_ids=random_ids(2, 7), max_new_tokens=2)


@pytest.mark.parametrize(
    ("family", "task", "limit"),
    [
        *(("GPT-2", "CAUSAL_LM", 48), ("OPT", "CAUSAL_LM", 48)),
        *(("BERT", "FEATURE_EXTRACTION", 48), ("RoBERTa", "FEATURE_EXTRACTION", 47)),
    ],
)
def test_more_text_than_learned_positions_is_refused_with_both_numbers(family, task, limit):
    """Positions that are kept for padding are not counted."""
    model = get_peft_model(tiny(family, task), prefix(task))
    model(input_ids=random_ids(1, limit - 3))
    if family != "OPT":  # whose table is longer than its config says
        with refuses(ValueError, f"{limit - 2} tokens after a prefix of 3", f"learned {limit}", f"to {limit - 3} tok"):
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


LOST = {"cache_implementation": ("static", "Leave it out"), "use_cache": (False, "the prefix lives in the cache")}


@pytest.mark.parametrize(
    ("make_model", "option"),
    [(tiny_llama, "use_cache"), (tiny_llama, "cache_implementation"), (tiny_t5, "cache_implementation")],
)
def test_generating_where_the_prefix_would_be_lost_is_refused_however_it_is_asked_for(make_model, option, plain):
    task, (value, words) = "SEQ_2_SEQ_LM" if make_model is tiny_t5 else "CAUSAL_LM", LOST[option]
    model = plain.get_peft_model(make_model(), plain.PrefixTuningConfig(task_type=task, num_virtual_tokens=3))
    texts = {**one_text(left=True), "min_new_tokens": 4, "max_new_tokens": 4}
    with refuses(ValueError, f"{option}={value!r}", words):
        model.generate(**texts, **{option: value})
    with refuses(ValueError, f"{option}={value!r}"):
        model.generate(**texts, generation_config=GenerationConfig(pad_token_id=0, **{option: value}))
    setattr(model.generation_config, option, value)
    with refuses(ValueError, f"{option}={value!r}"):
        model.generate(**texts)
    if option == "use_cache":
        assert model.generate(**texts, use_cache=True).shape[0] == 2


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
