"""transformers' Trainer and Seq2SeqTrainer, with nothing changed but where the method is imported from."""

import json
import subprocess
import sys
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    LlamaForCausalLM,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    Trainer,
    TrainingArguments,
)

import prefix_lab
from tests.parity.pair import assert_same, in_both, without_pefts_deprecation
from tests.tiny_models import seed, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5

ADAPTER = {"README.md", "adapter_config.json", "adapter_model.safetensors"}


def halves(ids):
    return (torch.arange(len(ids)) > 3).long()


def same(ids):
    return ids


def kind(ids):
    return int(ids[0]) % 2


MASK = {"attention_mask": torch.ones_like}
PAIR = {"token_type_ids": halves}
SETTINGS = {
    "T5": ("SEQ_2_SEQ_LM", tiny_t5, MASK | {"labels": same}),
    "GPT-2 with positions": ("CAUSAL_LM", tiny_gpt2, {"labels": same, "position_ids": lambda ids: 2 * halves(ids)}),
    "Llama": ("CAUSAL_LM", tiny_llama, MASK | {"labels": same}),
    "BERT for pairs": ("SEQ_CLS", BertForSequenceClassification, MASK | PAIR | {"labels": kind}),
    "BERT for tokens": ("TOKEN_CLS", BertForTokenClassification, MASK | PAIR | {"labels": lambda ids: ids % 2}),
    "BERT for answers": (
        "QUESTION_ANS",
        BertForQuestionAnswering,
        PAIR | {"start_positions": kind, "end_positions": kind},
    ),
}
"""The task, what makes the model, and what a row has beside its ids, each made from the ids."""

LORA = {"Llama": ["q_proj"], "BERT for pairs": ["query"], "T5": ["q", "v"], "BERT for answers": ["query"]}


def rows(**columns):
    """Eight rows of seven tokens, with these columns beside the ids."""
    seed(5)
    ids = [torch.randint(3, 30, (7,)) for _ in range(8)]
    return [{"input_ids": one} | {name: make(one) for name, make in columns.items()} for one in ids]


def wrapped(library, setting, lora=False, **fields):
    task, make, _ = SETTINGS[setting]
    base = make(tiny_bert().config) if isinstance(make, type) else make()
    if lora:
        return library.get_peft_model(base, library.LoraConfig(task_type=task, target_modules=LORA[setting]))
    return library.get_peft_model(base, library.PrefixTuningConfig(task_type=task, num_virtual_tokens=3, **fields))


def trainer_for(model, setting, folder, trainer=Trainer, arguments=TrainingArguments, **options):
    given = {"per_device_train_batch_size": 2, "max_steps": 3, "logging_steps": 1, "save_steps": 1} | options
    arguments = arguments(output_dir=str(folder), report_to=[], use_cpu=True, disable_tqdm=True, seed=1, **given)
    data = rows(**SETTINGS[setting][2])
    return trainer(model=model, args=arguments, train_dataset=data, eval_dataset=data[:4])


def losses(trainer):
    return [
        log[name] for log in trainer.state.log_history for name in ("loss", "eval_loss", "grad_norm") if name in log
    ]


@pytest.fixture
def trained(tmp_path, capsys):
    """Train in both libraries: the losses, the files of the last checkpoint and what it holds."""

    def train(setting, lora=False, resume=None, **options):
        def do(library):
            folder = tmp_path / library.__name__
            with without_pefts_deprecation():
                trainer = trainer_for(wrapped(library, setting, lora), setting, folder, **options)
                trainer.train(resume_from_checkpoint=resume and str(folder / resume))
            last = folder / "checkpoint-3"
            return losses(trainer), sorted(path.name for path in last.iterdir()), load_file(last / WEIGHTS)

        results = in_both(do)
        capsys.readouterr()  # Trainer prints its logs
        return results

    return train


WEIGHTS = "adapter_model.safetensors"


@pytest.mark.parametrize("setting", SETTINGS)
def test_trainer_sees_the_same_losses_and_keeps_the_same_checkpoint(setting, trained):
    ours, theirs = trained(setting, eval_strategy="steps", eval_steps=1)
    assert_same(ours, theirs)
    assert set(ours[1]) >= ADAPTER
    assert "model.safetensors" not in ours[1]


@pytest.mark.parametrize("setting", LORA)
def test_trainer_trains_a_lora_the_same(setting, trained):
    ours, theirs = trained(setting, lora=True)
    assert set(ours[1]) >= ADAPTER
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    assert ours[1] == theirs[1]
    torch.testing.assert_close(ours[2], theirs[2])


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ("T5", {"gradient_accumulation_steps": 2, "weight_decay": 0.1}),
        ("T5", {"bf16": True}),
        ("T5", {"remove_unused_columns": False}),
        ("BERT for pairs", {"eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True}),
        ("BERT for pairs", {"label_names": ["labels"], "bf16": True}),
    ],
    ids=str,
)
def test_trainers_options_do_the_same(setting, options, trained):
    assert_same(*trained(setting, **options))


@pytest.mark.parametrize("setting", ["T5", "BERT for tokens"])
def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(setting, trained, tmp_path):
    straight = trained(setting)
    for library in ("prefix_lab", "peft"):
        last = tmp_path / library / "checkpoint-3"
        last.rename(last.with_name("unused"))
    again = trained(setting, resume="checkpoint-2")
    assert_same(*again)
    assert_same(again.ours[2], straight.ours[2])


def test_a_saved_model_is_an_adapter_that_either_library_loads(tmp_path, capsys):
    trainer = trainer_for(wrapped(prefix_lab, "Llama"), "Llama", tmp_path, save_strategy="no")
    trainer.train()
    trainer.save_model(str(tmp_path / "final"))
    capsys.readouterr()
    assert {path.name for path in (tmp_path / "final").iterdir()} >= ADAPTER
    ids = rows()[0]["input_ids"][None]
    with without_pefts_deprecation():
        theirs = peft.PeftModel.from_pretrained(tiny_llama(), tmp_path / "final")
    assert_same(trainer.model.eval()(ids).logits, theirs(ids).logits)


def test_what_is_generated_while_evaluating_is_the_same(tmp_path, capsys):
    kinds = {"trainer": Seq2SeqTrainer, "arguments": Seq2SeqTrainingArguments}
    options = {"predict_with_generate": True, "generation_max_length": 6}

    def do(library):
        trainer = trainer_for(wrapped(library, "T5"), "T5", tmp_path / library.__name__, **kinds, **options)
        trainer.train()
        found = trainer.predict(trainer.eval_dataset)
        return losses(trainer), torch.tensor(found.predictions), found.metrics["test_loss"]

    assert_same(*in_both(do))
    capsys.readouterr()


def test_the_best_of_projected_prefixes_cannot_be_loaded_and_the_cause_is_said(tmp_path, capsys):
    model = wrapped(prefix_lab, "Llama", prefix_projection=True)
    best = {"eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True, "max_steps": 2}
    with pytest.raises(ValueError, match="holds only the keys and values that the projection computed") as caught:
        trainer_for(model, "Llama", tmp_path, **best).train()
    capsys.readouterr()
    assert "PeftModel.from_pretrained(base, folder)" in str(caught.value)


ALONE = """
import sys, torch
{before}
if {hidden}: sys.modules["peft"] = None; import importlib.util as u; find = u.find_spec
if {hidden}: u.find_spec = lambda name, *a: None if name == "peft" else find(name, *a)
from transformers import LlamaConfig, LlamaForCausalLM
import prefix_lab
model = LlamaForCausalLM(LlamaConfig(vocab_size=30, hidden_size=12, num_hidden_layers=1, num_attention_heads=3,
    intermediate_size=8, bos_token_id=1, eos_token_id=2))
model = prefix_lab.get_peft_model(model, prefix_lab.PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=2))
assert "peft" not in sys.modules or {hidden} or {before!r}
from transformers import Trainer, TrainingArguments
row = {{"input_ids": torch.arange(3, 9), "labels": torch.arange(3, 9)}}
Trainer(model, TrainingArguments({folder!r}, max_steps=1, report_to=[], use_cpu=True), train_dataset=[row]).train()
"""


@pytest.mark.parametrize(("before", "hidden"), [("", False), ("from transformers import Trainer", False), ("", True)])
def test_trainer_knows_the_model_whichever_is_imported_first_and_without_peft(before, hidden, tmp_path):
    script = ALONE.format(before=before, hidden=hidden, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in Path(tmp_path, "checkpoint-1").iterdir()} >= ADAPTER
    kept = json.loads(Path(tmp_path, "checkpoint-1", "adapter_config.json").read_text())
    assert kept["peft_type"] == "PREFIX_TUNING"


def test_peft_is_still_known_to_trainer():
    from transformers import trainer_utils

    known = [trainer_utils._is_peft_model(model) for model in in_both(lambda library: wrapped(library, "Llama"))]
    assert known == [True, True]
    assert not trainer_utils._is_peft_model(LlamaForCausalLM(tiny_llama().config))
