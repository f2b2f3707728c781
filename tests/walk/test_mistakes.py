"""A mistake planted into one of our functions is found at its stage, named, and ends in exit status 1."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from prefix_lab import PeftModelForCausalLM, PrefixEncoder, checkpoint, models, past, prepare
from prefix_lab.beside import wrapping as mapping
from prefix_lab.models import PeftModel
from prefix_lab.stages import STAGES
from tests.tiny_models import tiny_t5
from tests.walk.walking import saved, say, walked


class Mistake(NamedTuple):
    """Where it is planted, what it does to what was there, the stage that finds it, and what the walk then says."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    stage: str
    says: str


def unfrozen(right):
    def wrong(self, *args):
        right(self, *args)
        next(self.base_model.parameters()).requires_grad_(True)

    return wrong


def changed(right, **fields):
    """The right result, with some of its fields replaced."""

    def wrong(*args):
        found = right(*args)
        return {field: row._replace(value=fields.get(field, row.value)) for field, row in found.items()}

    return wrong


def gives(change):
    """What a function of an object and one tensor gives, changed."""
    return lambda right: lambda self, given: change(right(self, given))


MISTAKES = {
    "another class": Mistake(
        mapping,
        "MODEL_TYPE_TO_PEFT_MODEL_MAPPING",
        lambda table: {**table, "SEQ_2_SEQ_LM": PeftModelForCausalLM},
        "choose",
        "class name: class is PeftModelForCausalLM, PEFT's is PeftModelForSeq2SeqLM",
    ),
    "another inner width": Mistake(
        prepare,
        "explain_preparation",
        lambda right: changed(right, encoder_hidden_size=13),
        "prepare",
        "config fields: encoder_hidden_size is 13, PEFT's is 12",
    ),
    "base not frozen": Mistake(
        PeftModel,
        "_setup_prompt_encoder",
        unfrozen,
        "wrap",
        "requires_grad: base_model.shared.weight is True, PEFT's is False",
    ),
    "scaled vectors": Mistake(
        PrefixEncoder,
        "forward",
        gives(lambda made: made * 1.5),
        "encode",
        "input and output: vectors differs in ",
    ),
    "half precision": Mistake(
        PrefixEncoder,
        "forward",
        gives(torch.Tensor.half),
        "encode",
        "vectors is float16, PEFT's float32",
    ),
    "layers in reverse": Mistake(
        past,
        "split_layers",
        lambda right: lambda *args: right(*args)[::-1],
        "split",
        "keys and values: self-attention layer 0 key differs in 120 of 120",
    ),
    "a cache of another kind": Mistake(
        models,
        "past_key_values",
        lambda right: lambda *args: right(*args).self_attention_cache,
        "split",
        "cache type: type is DynamicCache, PEFT's is EncoderDecoderCache",
    ),
    "a mask of zeros": Mistake(
        PeftModel,
        "prepend_prefix",
        lambda right: lambda self, mask: None if mask is None else right(self, mask) * 0,
        "attend",
        "inputs of the base model: decoder_attention_mask differs in ",
    ),
    "a mask that does not grow": Mistake(
        PeftModel,
        "prepend_prefix",
        lambda right: lambda self, mask: torch.cat((mask, mask), dim=1).float(),
        "attend",
        "decoder_attention_mask has shape (2, 14), PEFT's (2, 12)",
    ),
    "twice the gradient": Mistake(
        PrefixEncoder,
        "forward",
        gives(lambda made: made + (made - made.detach())),
        "learn",
        "gradients: prompt_encoder.default.embedding.weight differs in ",
    ),
    "a token that does not learn": Mistake(
        PrefixEncoder,
        "forward",
        gives(lambda made: torch.cat((made[:, :1].detach(), made[:, 1:]), dim=1)),
        "learn",
        "gradients: prompt_encoder.default.embedding.weight differs in ",
    ),
    "another name in the file": Mistake(
        checkpoint,
        "get_peft_model_state_dict",
        lambda right: lambda *args, **named: {"embeddings": right(*args, **named)["prompt_embeddings"]},
        "keep",
        "saved tensors: prompt_embeddings is missing, PEFT has it",
    ),
}


def plant(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mistake.owner, mistake.name, mistake.wrong(getattr(mistake.owner, mistake.name)))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_at_its_stage_and_not_before(mistake, monkeypatch):
    plant(mistake, monkeypatch)
    results = walked(tiny_t5(3), prefix_len=5)  # with two layers, both read the same rows
    first = next(name for name, result in results.items() if result.equal is False)
    assert first == mistake.stage
    said = [f"{check.what}: {one.name} {one.text}" for check in results[first].checks for one in check.differences]
    assert any(mistake.says in line for line in said), said


def test_there_is_a_mistake_for_every_stage():
    assert {mistake.stage for mistake in MISTAKES.values()} == {stage.name for stage in STAGES}


@pytest.mark.parametrize("name", ["another inner width", "scaled vectors", "another name in the file"])
def test_the_command_says_what_differs_and_ends_with_status_1(name, monkeypatch, capsys, tmp_path):
    mistake = MISTAKES[name]
    plant(mistake, monkeypatch)
    said = say(capsys, "--model", saved("t5", tmp_path), "--prefix-len", "5")
    assert said.status == 1
    assert mistake.says in " ".join(said.out.split())
    assert "  equal    NO   different from PEFT's in " in said.out
    assert f"Different from PEFT 0.21.2: {mistake.stage}" in said.out
    assert f"Look at {mistake.stage} first." in " ".join(said.out.split())


def test_an_error_of_ours_alone_ends_the_walk_and_says_that_peft_goes_on(monkeypatch):
    def broken(*args):
        raise RuntimeError("planted")

    monkeypatch.setattr(past, "split_layers", broken)
    results = walked(tiny_t5())
    assert list(results)[-1] == "split"
    assert results["split"].stop.error == "RuntimeError: planted"
    assert results["split"].stop.peft == "goes through all stages with this"


def test_an_error_of_pefts_alone_is_a_difference(monkeypatch):
    import peft

    def broken(self, *args, **kwargs):
        raise RuntimeError("planted")

    monkeypatch.setattr(peft.PeftModel, "get_prompt", broken)
    results = walked(tiny_t5())
    assert [result.equal for result in results.values()] == [True, True, True, True, False, None, None, None]
    assert results["split"].checks[0].differences[0].text == "runs, and PEFT's raises RuntimeError: planted"
