"""`get_peft_model` and `get_prompt`: what is frozen, added, printed and filled, and every number of the cache."""

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from tests.parity.pair import ENCODERS, TASKS, assert_same, both, in_both, kept, made, run
from tests.tiny_models import one_text, tiny_bart, tiny_bert, tiny_gpt2, tiny_t5, two_texts

every_encoder = pytest.mark.parametrize("encoder", ENCODERS)
every_model = pytest.mark.parametrize("make_model", TASKS)


def printed(model, capsys):
    model.print_trainable_parameters()
    return capsys.readouterr().out


@every_encoder
@every_model
def test_a_wrapped_model_and_what_it_prints_are_the_same(make_model, encoder, capsys):
    models = kept(make_model, encoder)
    assert_same(*run(models, made), "made")
    assert_same(*run(models, lambda model: [name for name, _ in model.named_modules()]), "modules")
    assert_same(*run(models, lambda model: model.active_peft_config.to_dict()), "to_dict")
    assert_same(*run(models, lambda model: (model.active_adapter, model.peft_type.value)), "adapter")
    assert_same(*run(models, lambda model: printed(model, capsys)), "printed")
    trains = {name.split(".")[0] for name, one in models.ours.named_parameters() if one.requires_grad}
    assert trains == {"prompt_encoder"}


@every_encoder
@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cache_is_the_same(make_model, encoder, dtype):
    models = kept(make_model, encoder, dtype)
    assert {parameter.dtype for parameter in models.ours.prompt_encoder.parameters()} == {torch.float32}
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    for batch in (1, 3):
        assert_same(*run(models, lambda model, batch=batch: model.get_prompt(batch)), "cache")


@every_model
@pytest.mark.parametrize("layers", [1, 3, 4])
def test_the_cache_is_the_same_for_odd_and_even_layers(make_model, layers):
    models = both(lambda: make_model(layers), task_type=TASKS[make_model])
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")
    batch = two_texts() if TASKS[make_model] == "SEQ_2_SEQ_LM" else one_text()
    assert_same(*run(models, lambda model: model(**batch)), "output")


@pytest.mark.parametrize(
    ("make_model", "fields"),
    [
        (lambda: tiny_t5(num_decoder_layers=3), {"num_layers": 3}),
        (lambda: tiny_bart(decoder_layers=3), {"num_layers": 3}),
        (lambda: tiny_t5(d_kv=6), {"token_dim": 18}),
        (tiny_t5, {"num_layers": 4}),
        (tiny_t5, {"num_transformer_submodules": 2}),
        (tiny_gpt2, {"num_transformer_submodules": 2}),
        (tiny_bert, {"num_transformer_submodules": 2}),
    ],
)
@pytest.mark.filterwarnings("ignore:num_layers=4, but only 2 layers")
def test_sizes_set_by_hand_are_kept(make_model, fields):
    models = both(make_model, **fields)
    assert_same(*run(models, made), "made")
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")
    batch = one_text() if make_model in (tiny_gpt2, tiny_bert) else two_texts()
    assert_same(*run(models, lambda model: model(**batch)), "output")


@every_encoder
def test_the_same_random_numbers_are_used_up_and_the_model_stays_in_its_mode(encoder):
    def wrap(library):
        config = library.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, **ENCODERS[encoder])
        model = library.get_peft_model(tiny_gpt2().train(), config)
        return torch.rand(1), {name: one.training for name, one in model.named_modules()}

    assert_same(*in_both(wrap), "the next random number, training")


@every_model
def test_one_config_serves_two_models_of_the_same_sizes(make_model):
    def second(library):
        config = library.PrefixTuningConfig(task_type=TASKS[make_model], num_virtual_tokens=3)
        library.get_peft_model(make_model(), config)
        model = library.get_peft_model(make_model(), config)
        return repr(config), model.get_prompt(2)

    assert_same(*in_both(second), "second model")


@pytest.mark.parametrize("name", ["", "tiny"])
def test_the_name_of_the_base_model_is_written_into_the_config(name):
    def written(library):
        model = tiny_t5()
        model.name_or_path = name
        config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
        return library.get_peft_model(model, config, revision="main").active_peft_config.to_dict()

    assert_same(*in_both(written), "config")


def test_the_counts_at_t5_base_sizes_are_the_same_with_and_without_projection(capsys):
    with torch.device("meta"):
        base = T5ForConditionalGeneration(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12, d_kv=64))
    for fields in ({}, {"prefix_projection": True}):
        models = both(lambda: base, prefix_len=20, task_type="SEQ_2_SEQ_LM", **fields)
        assert_same(*run(models, lambda model: printed(model, capsys)), "printed")


# Half of an encoder-decoder prefix is dead, in PEFT and so in ours. The encoder's output has 2·layers rows for each
# virtual token. `get_prompt` doubles them and cuts them in fours, one four for each decoder layer: two rows for
# self-attention, and two for cross-attention that are thrown away.


@pytest.mark.parametrize(
    ("make_model", "layers", "alive"),
    [
        *((tiny_t5, layers, list(range(2 * layers))) for layers in (1, 3, 5)),
        *((make, layers, [0, 1, 4, 5, 8, 9][:layers]) for layers in (2, 4, 6) for make in (tiny_t5, tiny_bart)),
        (tiny_gpt2, 4, list(range(8))),
    ],
)
def test_rows_two_and_three_of_every_four_are_dead_for_an_even_number_of_layers(make_model, layers, alive):
    ids = two_texts()["input_ids"]
    for model in both(lambda: make_model(layers), task_type=TASKS[make_model]):
        model(input_ids=ids, labels=ids).loss.backward()
        gradient = model.prompt_encoder["default"].embedding.weight.grad  # (prefix_len, 2·layers·hidden)
        rows = gradient.view(3, 2 * layers, -1)  # (prefix_len, 2·layers, hidden)
        assert rows.abs().sum(dim=(0, 2)).nonzero().flatten().tolist() == alive
        if make_model is tiny_t5:
            keys = [layer.keys.sum().item() for layer in model.get_prompt(1).self_attention_cache.layers]
            assert len(set(keys)) == len(alive) // 2  # the others share a prefix
            assert keys == keys[: len(alive) // 2] * (2 if layers % 2 == 0 else 1)


@torch.no_grad()
def test_the_encoder_never_sees_the_prefix():
    expected = tiny_t5()(**two_texts()).encoder_last_hidden_state
    for model in both(tiny_t5):
        assert torch.equal(model(**two_texts()).encoder_last_hidden_state, expected)
