"""Several adapters on one model: added, chosen, deleted, disabled; ours beside PEFT's after every step."""

import peft
import pytest
import torch

import prefix_lab
from tests.parity.pair import assert_same, both, in_both, made, run, warnings_of
from tests.tiny_models import (
    everything_about,
    one_text,
    refuses,
    tiny_bart,
    tiny_bert,
    tiny_classifier,
    tiny_gpt2,
    tiny_t5,
    two_texts,
)

CASES = {
    "T5": (tiny_t5, "SEQ_2_SEQ_LM", two_texts),
    "BART": (tiny_bart, "SEQ_2_SEQ_LM", two_texts),
    "GPT-2": (tiny_gpt2, "CAUSAL_LM", one_text),
    "BERT": (tiny_bert, "FEATURE_EXTRACTION", one_text),
    "BERT with a head": (tiny_classifier, "SEQ_CLS", one_text),
}
every_case = pytest.mark.parametrize("case", CASES)
pytestmark = pytest.mark.filterwarnings("ignore:Adapter default was active")


def two_adapters(case, **second):
    """The first adapter "default" with 3 virtual tokens, the second "german" with 2; heads and prefixes differ."""
    make_model, task_type, _ = CASES[case]

    def build(library):
        first = library.PrefixTuningConfig(task_type=task_type, num_virtual_tokens=3)
        model = library.get_peft_model(make_model(), first)
        other = library.PrefixTuningConfig(task_type=task_type, **{"num_virtual_tokens": 2, **second})
        model.add_adapter("german", other)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if ".modules_to_save." in name:
                    parameter.add_(torch.randn_like(parameter))
        return model

    return in_both(build)


def add(models, case, name):
    """One more adapter, with 4 virtual tokens."""
    for model, library in zip(models, (prefix_lab, peft), strict=True):
        torch.manual_seed(7)
        model.add_adapter(name, library.PrefixTuningConfig(task_type=CASES[case][1], num_virtual_tokens=4))


def state(model):
    return made(model) | {
        "active": (model.active_adapter, list(model.active_adapters)),
        "active config": repr(model.active_peft_config) if model.peft_config else None,
        "modules_to_save": sorted(model.modules_to_save or ()),
    }


def answers(model, case):
    with torch.no_grad():
        return model(**CASES[case][2]())[0]


def gradients(model, case):
    model.zero_grad()
    model(**CASES[case][2]())[0].float().pow(2).sum().backward()
    return {name: parameter.grad is not None for name, parameter in model.named_parameters()}


def assert_same_now(models, case):
    assert_same(*run(models, state), "state")
    if models.ours.peft_config:
        assert_same(*run(models, lambda model: answers(model, case)), "answers")


@every_case
@pytest.mark.parametrize("second", [{}, {"prefix_projection": True}, {"inference_mode": True}])
def test_an_added_adapter_is_there_and_not_in_use(case, second):
    models = two_adapters(case, **second)
    assert models.ours.active_adapter == "default"
    assert list(models.ours.peft_config) == ["default", "german"]
    assert_same_now(models, case)


@every_case
@pytest.mark.parametrize("inference_mode", [False, True])
def test_a_chosen_adapter_answers_and_learns_with_its_own_prefix_and_head(case, inference_mode):
    models = two_adapters(case)
    before = answers(models.ours, case)
    for name in ("german", "default", "german"):
        run(models, lambda model, name=name: model.set_adapter(name, inference_mode=inference_mode))
        assert_same_now(models, case)
        assert_same(*run(models, lambda model: gradients(model, case)), "gradients")
    assert not torch.equal(answers(models.ours, case), before)


@every_case
@pytest.mark.parametrize("deleted", ["default", "german"])
def test_a_deleted_adapter_is_gone_the_oldest_one_left_answers_and_its_name_can_be_used_again(case, deleted):
    models = two_adapters(case)
    found = run(models, lambda model: warnings_of(lambda: model.delete_adapter(deleted))[1])
    assert_same(*found, "warnings")
    assert len(found.ours) == (deleted == "default")
    assert deleted not in models.ours.prompt_tokens
    assert_same_now(models, case)
    add(models, case, deleted)
    run(models, lambda model: model.set_adapter(deleted))
    assert_same_now(models, case)


@every_case
def test_of_three_adapters_the_oldest_one_left_answers(case):
    models = two_adapters(case)
    add(models, case, "third")
    if case == "BERT with a head":  # PEFT stops half-way: the prefix is gone, and the head is not
        with pytest.raises(ValueError, match="Attempted to set multiple"):
            models.theirs.delete_adapter("default")
        models = models._replace(theirs=two_adapters(case).theirs)
        models.ours.delete_adapter("third")
    run(models, lambda model: model.delete_adapter("default"))
    assert models.ours.active_adapter == "german"
    assert_same_now(models, case)


@every_case
def test_the_last_adapter_can_be_deleted(case):
    models = two_adapters(case)
    for name in ("default", "german"):
        run(models, lambda model, name=name: model.delete_adapter(name))
    assert models.ours.active_adapters == []
    assert_same_now(models, case)


@pytest.mark.parametrize("case", ["T5", "BART", "GPT-2"])
def test_without_the_adapter_the_base_model_answers_and_generates(case):
    models = two_adapters(case)
    make_model, _, batch = CASES[case]
    ids = {name: tensor for name, tensor in batch().items() if name != "labels"}

    def all_of(model):
        return answers(model, case), model.generate(**ids, max_new_tokens=6)

    def disabled(model):
        before = all_of(model)
        with model.disable_adapter():
            return before, all_of(model)

    found = run(models, disabled)
    assert_same(*found, "with and without")
    assert_same(all_of(models.ours), found.ours[0], "with the prefix again")
    assert_same(all_of(make_model()), found.ours[1], "without the prefix")


@pytest.mark.parametrize("case", ["BERT", "BERT with a head"])
def test_an_encoder_answers_without_the_adapter_where_peft_fails(case):
    ours, theirs = two_adapters(case)
    with pytest.raises(UnboundLocalError), theirs.disable_adapter():
        pass
    before = answers(ours, case)
    with ours.disable_adapter():
        plain = answers(ours, case)
    with torch.no_grad():
        assert torch.equal(plain, ours.get_base_model()(**one_text())[0])
    assert not torch.equal(plain, before)
    assert torch.equal(answers(ours, case), before)


def test_an_error_within_disabled_gives_the_prefix_back():
    ours = two_adapters("T5").ours
    before = answers(ours, "T5")
    with pytest.raises(KeyError), ours.disable_adapter():
        raise KeyError
    with ours.disable_adapter(), ours.disable_adapter():
        pass
    assert torch.equal(answers(ours, "T5"), before)


PREFIX = {"task_type": "SEQ_CLS", "num_virtual_tokens": 3}
FAILED = {
    "a name that exists": ("default", PREFIX, "already exists"),
    "a name with a dot": ("dotted.name", PREFIX, "adapter_name='dotted.name'"),
    "an empty name": ("", PREFIX, "Choose another"),
    "a size that does not fit": ("new", PREFIX | {"token_dim": 15}, "token_dim=15"),
    "no number of virtual tokens": ("new", PREFIX | {"num_virtual_tokens": None}, "num_virtual_tokens=None"),
    "a shallow prefix": ("new", PREFIX | {"num_layers": 1}, "num_layers=1"),
    "an unknown layout": ("new", PREFIX | {"layout": "paper"}, "layout='paper'"),
    "another method": ("new", {"target_modules": ["query"]}, "Cannot combine adapters with different peft types"),
}


@pytest.mark.parametrize("failure", FAILED)
def test_a_failed_addition_leaves_model_and_config_as_they_were(failure):
    name, fields, words = FAILED[failure]
    model = two_adapters("BERT with a head").ours
    config = (prefix_lab.LoraConfig if "target_modules" in fields else prefix_lab.PrefixTuningConfig)(**fields)
    with refuses(ValueError, words, leaving=(model, config)):
        model.add_adapter(name, config)
    assert list(model.peft_config) == list(model.prompt_tokens) == ["default", "german"]


@pytest.mark.parametrize("do", ["set_adapter", "delete_adapter"])
def test_an_adapter_that_is_not_there_is_refused_by_both(do):
    for model in two_adapters("T5"):
        before = everything_about(model, model.active_peft_config)
        with pytest.raises(ValueError, match="nobody"):
            getattr(model, do)("nobody")
        assert everything_about(model, model.active_peft_config) == before


def test_named_modules_train_beside_the_prefix():
    models = both(tiny_t5, modules_to_save=["lm_head"])
    assert_same_now(models, "T5")
    assert models.ours.modules_to_save == {"lm_head"}
