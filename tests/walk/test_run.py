"""The walk: every stage, for every family, beside the real PEFT."""

import inspect

import pytest
import torch

from prefix_lab import PrefixTuningConfig
from prefix_lab.stages import STAGES, resolve
from prefix_lab.walk import walk
from tests.tiny_models import refuses, tiny_bert, tiny_gpt2, tiny_t5, two_texts
from tests.walk.walking import FAMILIES, fact, usual_walk, walked, without_values

NAMES = [stage.name for stage in STAGES]


@pytest.mark.parametrize("projection", [False, True], ids=["direct", "projection"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_is_there_and_equal_to_pefts(family, projection):
    results = usual_walk(family, projection)
    assert list(results) == NAMES
    assert {name: result.equal for name, result in results.items()} == dict.fromkeys(NAMES, True)
    assert all(check.compared for result in results.values() for check in result.checks)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_values_names_and_shapes_are_compared_and_the_check_says_so(family):
    results = usual_walk(family, projection=True, values=False)
    assert {name: result.equal for name, result in results.items()} == dict.fromkeys(NAMES, True)
    said = {check.exactness for result in results.values() for check in result.checks}
    assert said == {"in shape and type", ""}


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_are_the_same_with_and_without_values(family):
    def shapes(results):
        return {name: [row[:4] for row in (*one.takes, *one.gives)] for name, one in results.items()}

    assert shapes(usual_walk(family, True)) == shapes(usual_walk(family, True, values=False))


@pytest.mark.parametrize(
    ("family", "task", "task_class"),
    [
        ("t5", "SEQ_2_SEQ_LM", "PeftModelForSeq2SeqLM"),
        ("bart", "SEQ_2_SEQ_LM", "PeftModelForSeq2SeqLM"),
        ("gpt2", "CAUSAL_LM", "PeftModelForCausalLM"),
        ("llama", "CAUSAL_LM", "PeftModelForCausalLM"),
        ("bert", "FEATURE_EXTRACTION", "PeftModelForFeatureExtraction"),
    ],
)
def test_the_functions_named_are_those_in_use(family, task, task_class):
    results = usual_walk(family)
    assert fact(results["choose"], "reason")["task_type"] == task
    assert results["choose"].gives[0].value == task_class
    home = "beside.task_classes" if family == "bert" else "tasks"
    assert results["attend"].ours == f"prefix_lab.{home}.{task_class}.forward"
    assert results["attend"].peft == f"peft.peft_model.{task_class}.forward"
    for name, result in results.items():
        assert callable(resolve(result.ours, name))
        assert callable(resolve(result.peft, name))


def test_each_prepared_size_comes_with_the_name_it_came_from():
    prepared = {seen.name: (seen.value, seen.note) for seen in usual_walk("llama")["prepare"].gives}
    assert prepared == {
        "num_layers": (2, "from num_hidden_layers"),
        "token_dim": (8, "from num_key_value_heads · head_dim"),
        "num_attention_heads": (2, "from num_key_value_heads"),
        "encoder_hidden_size": (8, "from token_dim"),
    }


def test_a_size_that_the_user_set_is_told_so():
    prepared = {seen.name: seen.note for seen in walked(tiny_t5(d_model=20), token_dim=12)["prepare"].gives}
    assert prepared["token_dim"] == "as you set it"


def test_the_decoders_mask_grows_and_the_encoders_does_not():
    attend = usual_walk("t5")["attend"]
    assert fact(attend, "mask") == {"name": "decoder_attention_mask", "from": [2, 7], "to": [2, 12]}
    assert fact(attend, "encoder_mask") == {"from": [2, 9], "to": [2, 9]}
    assert fact(attend, "encoder_unchanged") is True
    mask, grown, logits = *attend.takes, *attend.gives
    assert mask.axes == ("batch", "target")
    assert (grown.axes, grown.dtype) == (("batch", "prefix_len+target"), "float32")
    assert logits.axes == ("batch", "target", "vocab")


def test_the_mask_of_a_decoder_alone_grows_from_its_own_tokens():
    attend = usual_walk("gpt2")["attend"]
    assert attend.gives[0].axes == ("batch", "prefix_len+source")
    assert fact(attend, "mask") == {"name": "attention_mask", "from": [2, 9], "to": [2, 14]}


def test_the_loss_is_told_beside_the_loss_without_a_prefix():
    model, batch = tiny_t5(), two_texts()
    batch["decoder_attention_mask"] = torch.ones_like(batch["labels"])
    with torch.no_grad():
        bare = model(**batch).loss.item()
    attend = walked(model, batch=batch)["attend"]
    assert fact(attend, "loss")["without"] == bare
    assert fact(attend, "loss")["with"] != bare


def test_hidden_states_get_an_example_loss_that_has_a_gradient():
    results = usual_walk("bert")
    assert "as an example" in results["attend"].facts[-1].text
    assert fact(results["learn"], "rows_without_gradient")["rows"] == []


@pytest.mark.parametrize(
    ("layers", "dead"), [(1, []), (2, [2, 3]), (3, []), (4, [2, 3, 6, 7])], ids=lambda value: str(value)
)
@pytest.mark.parametrize("projection", [False, True], ids=["direct", "projection"])
def test_rows_without_gradient_are_counted_and_are_those_that_no_layer_reads(layers, dead, projection):
    results = walked(tiny_t5(layers), projection=projection, beside_peft=False)
    counted = fact(results["learn"], "rows_without_gradient")
    assert fact(results["split"], "unread") == counted["rows"] == dead
    assert counted["counted"] is True
    width = 12 + 1 if projection else 5  # a row of the last Linear and its bias, or a column of the table
    assert counted["numbers"] == len(dead) * 12 * width


def test_layers_that_share_a_prefix_are_told():
    split = walked(tiny_t5(4), beside_peft=False)["split"]
    assert fact(split, "rows") == [(0, 1), (4, 5), (0, 1), (4, 5)]
    assert fact(split, "shared") == [(0, 2), (1, 3)]


def test_the_saved_file_holds_the_computed_prefix_and_not_the_projection():
    keep = usual_walk("gpt2", projection=True)["keep"]
    assert keep.gives[0].shape == (5, 2 * 2 * 12)
    assert fact(keep, "weights")["tensors"] == {"prompt_embeddings": 240}
    assert fact(keep, "projection") == {"trained": 5 * 12 + 12 * 13 + 48 * 13, "written": 240}
    assert fact(keep, "config")["inference_mode"] is True


def test_a_name_is_shown_only_if_it_gives_the_size_that_was_seen():
    wide = walked(tiny_t5(d_model=20), token_dim=12)  # heads · head_dim is 12
    assert wide["encode"].gives[0].axes == ("batch", "prefix_len", "2·layers·heads·head_dim")
    assert usual_walk("llama")["split"].gives[0].axes == ("batch", "kv_heads", "prefix_len", "head_dim")
    kept = usual_walk("gpt2")["keep"].takes[0]
    assert (kept.axes, kept.shape) == (("1", "prefix_len", "2·layers·hidden"), (1, 5, 48))


def test_a_walk_leaves_the_config_and_the_callers_random_numbers_alone():
    model, config = tiny_t5(), PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
    before, state = repr(config), torch.random.get_rng_state()
    list(walk(model, config))
    assert repr(config) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_same_seed_walks_the_same_way():
    first, again, other = (fact(walked(tiny_t5(), seed=seed)["attend"], "loss")["with"] for seed in (1, 1, 2))
    assert first == again != other


def test_sizes_that_do_not_fit_end_the_walk_with_pefts_fate_and_a_way_out():
    results = walked(tiny_t5(d_model=20))
    assert list(results) == ["choose", "prepare"]
    stop = results["prepare"].stop
    assert "Set token_dim=12" in stop.error
    assert stop.peft.startswith("goes on, and fails in 'split': RuntimeError")
    assert stop.way_out == {"token_dim": 12}


def test_a_prefix_too_long_for_the_positions_ends_the_walk_with_a_way_out():
    stop = walked(tiny_gpt2(), prefix_len=35)["attend"].stop
    assert "9 tokens after a prefix of 35 need 44 positions" in stop.error
    assert "fails here too: IndexError" in stop.peft
    assert stop.way_out == {"num_virtual_tokens": 31}
    assert walked(tiny_gpt2(), prefix_len=31)["attend"].stop is None


def test_a_task_that_chooses_no_class_ends_the_walk_at_the_first_stage():
    config = PrefixTuningConfig(num_virtual_tokens=5)
    (result,) = walk(tiny_bert(), config, batch={"input_ids": torch.zeros(1, 3, dtype=torch.long)})
    assert "task_type" in result.stop.error


def test_what_cannot_be_walked_is_refused_before_the_first_stage():
    unchecked = inspect.unwrap(walk)  # without the type checker that tests put before it
    config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, inference_mode=True)
    with refuses(TypeError, "config is a dict", "expected a PrefixTuningConfig"):
        unchecked(tiny_t5(), {})
    with refuses(ValueError, "inference_mode=True", "Set inference_mode=False"):
        unchecked(tiny_t5(), config)


def test_without_values_dead_rows_are_those_of_the_split():
    counted = fact(walked(without_values("t5", layers=4))["learn"], "rows_without_gradient")
    assert counted["rows"] == [2, 3, 6, 7]
    assert counted["counted"] is False


def test_stages_come_one_by_one():
    steps = walk(tiny_t5(), PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5))
    assert next(steps).stage.name == "choose"
    assert next(steps).stage.name == "prepare"
