"""A prefix that starts from a text's own keys and values, from zeros, or from given numbers: as in PEFT."""

import pytest
import torch
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text as of_peft

import prefix_lab
from prefix_lab.beside.initialization import initialize_kv_prefix_from_text as ours_from_text
from tests.parity.pair import assert_same, both, run, without_pefts_deprecation
from tests.tiny_models import one_text, refuses, tiny_gpt2, tiny_llama, tiny_t5


class Letters:
    """The least of a tokenizer: each letter is a token."""

    def __call__(self, text, return_tensors, truncation=False, max_length=None):
        ids = [3 + ord(letter) % 30 for letter in text]
        return {"input_ids": torch.tensor([ids[:max_length] if truncation else ids])}


class Chat(Letters):
    """… and a chat begins with who speaks."""

    def apply_chat_template(self, messages, tokenize, return_dict, return_tensors, add_generation_prompt=False):
        return self("".join(f"<{one['role']}>{one['content']}" for one in messages), return_tensors)["input_ids"]


class Untemplated(Letters):
    def apply_chat_template(self, *args, **kwargs):
        raise ValueError("no chat template")


def initialised(models, tokenizer, text="a long beginning", **options):
    def start(model):
        from_text = ours_from_text if isinstance(model, prefix_lab.PeftModel) else of_peft
        with without_pefts_deprecation():
            return from_text(model, tokenizer, text=text, **options)

    return run(models, start)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama])
@pytest.mark.parametrize(
    ("tokenizer", "options"),
    [
        *((one, {}) for one in (Letters(), Chat(), Untemplated())),
        *((one, {"max_length": 5}) for one in (Letters(), Chat())),
        (Chat(), {"use_chat_template": False}),
        (Letters(), {"num_virtual_tokens": 3, "adapter_name": "default"}),
    ],
)
def test_the_same_keys_and_values_are_taken_from_a_text(make_model, tokenizer, options, dtype):
    models = both(make_model, dtype=dtype)
    assert_same(*initialised(models, tokenizer, **options), "what was copied")
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state")
    assert_same(*run(models, lambda model: model(**one_text()).logits), "logits")


def test_a_prefix_from_a_text_continues_that_text_as_if_it_had_been_read():
    model = both(tiny_gpt2).ours
    ours_from_text(model, Letters(), text="abc")
    text = Letters()("abcdefg", "pt")["input_ids"]
    whole = tiny_gpt2()(input_ids=text).logits[:, 3:]
    assert torch.allclose(model(input_ids=text[:, 3:]).logits, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "text", "theirs", "words"),
    [
        ({}, "ab", "2", ("text has 2 tokens, and the prefix needs at least 3", "Give a longer text")),
        (
            {"prefix_projection": True},
            "abcdef",
            "not supported for prefix tuning with `prefix_projection=True`",
            ("Adapter 'default' is no direct prefix", "prefix_projection=False"),
        ),
    ],
)
def test_a_text_that_is_too_short_and_a_projection_are_refused_by_both(fields, text, theirs, words):
    models = both(tiny_gpt2, **fields)
    with pytest.raises(ValueError, match=theirs):
        of_peft(models.theirs, Letters(), text=text)
    with refuses(ValueError, *words):
        ours_from_text(models.ours, Letters(), text=text)


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_t5])
def test_given_numbers_are_loaded_into_the_table(make_model):
    models = both(make_model)
    numbers = torch.arange(3.0 * 48).view(3, 48) / 100
    for model in models:
        model.prompt_encoder["default"].load_prompt_embeddings(numbers)
    assert_same(*(dict(model.state_dict()) for model in models), "state")
    assert torch.equal(models.ours.prompt_encoder["default"].embedding.weight, numbers)
    assert models.ours.prompt_encoder["default"].embedding.weight.requires_grad


def test_zeros_are_not_without_effect():
    models = both(tiny_gpt2, init_weights="zero")
    assert_same(*(model(**one_text()).logits for model in models), "logits")
    assert not torch.equal(models.ours(**one_text()).logits, tiny_gpt2()(**one_text()).logits)
