"""`get_peft_model`: what is frozen, what is added, what is printed, and from which random numbers."""

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from tests.parity.pair import ENCODERS, TASKS, assert_same, both, in_both, kept, run
from tests.tiny_models import one_text, tiny_bert, tiny_gpt2, tiny_t5, two_texts

every_encoder = pytest.mark.parametrize("encoder", ENCODERS)
every_model = pytest.mark.parametrize("make_model", TASKS)


def printed(model, capsys):
    model.print_trainable_parameters()
    return capsys.readouterr().out


@every_encoder
@every_model
def test_a_wrapped_model_has_the_same_parameters_in_the_same_order(make_model, encoder):
    models = kept(make_model, encoder)
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    assert_same(*run(models, lambda model: [name for name, _ in model.named_parameters()]), "parameters")
    assert_same(*run(models, lambda model: [name for name, _ in model.named_modules()]), "modules")


@every_encoder
@every_model
def test_only_the_prefix_trains_and_the_same_counts_are_printed(make_model, encoder, capsys):
    models = kept(make_model, encoder)
    trains = run(models, lambda model: {name: p.requires_grad for name, p in model.named_parameters()})
    assert_same(*trains, "requires_grad")
    assert {name.split(".")[0] for name, one in trains.ours.items() if one} == {"prompt_encoder"}
    assert_same(*run(models, lambda model: model.get_nb_trainable_parameters()), "counts")
    assert_same(*run(models, lambda model: printed(model, capsys)), "printed")


@every_encoder
@every_model
def test_the_config_is_filled_with_the_same_numbers(make_model, encoder):
    models = kept(make_model, encoder)
    assert_same(*run(models, lambda model: repr(model.peft_config)), "repr")
    assert_same(*run(models, lambda model: model.active_peft_config.to_dict()), "to_dict")


@every_model
def test_the_virtual_tokens_and_the_class_are_the_same(make_model):
    models = kept(make_model)
    assert_same(*run(models, lambda model: model.prompt_tokens), "prompt_tokens")
    assert_same(*run(models, lambda model: type(model).__name__), "class")
    assert_same(*run(models, lambda model: (model.active_adapter, model.peft_type.value)), "adapter")


@pytest.mark.parametrize(("make_model", "submodules"), [(tiny_t5, 2), (tiny_gpt2, 1), (tiny_gpt2, 2), (tiny_bert, 2)])
def test_submodules_set_by_hand_are_kept(make_model, submodules):
    models = both(make_model, num_transformer_submodules=submodules)
    assert_same(*run(models, lambda model: model.active_peft_config.to_dict()), "config")
    assert_same(*run(models, lambda model: model.prompt_tokens), "prompt_tokens")
    batch = two_texts() if make_model is tiny_t5 else one_text()
    assert_same(*run(models, lambda model: model(**batch)), "output")


@every_encoder
def test_the_same_random_numbers_are_used_up(encoder):
    def next_number(library):
        config = library.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, **ENCODERS[encoder])
        library.get_peft_model(tiny_gpt2(), config)
        return torch.rand(1)

    assert_same(*in_both(next_number), "the next random number")


@every_encoder
def test_a_model_in_training_mode_stays_in_its_mode(encoder):
    models = both(lambda: tiny_t5().train(), task_type="SEQ_2_SEQ_LM", **ENCODERS[encoder])
    assert_same(*run(models, lambda model: {name: one.training for name, one in model.named_modules()}), "training")


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
