"""Scripts in the shape of PEFT's example notebooks of prefix tuning, with the import as the only difference.

Each names its library in one line, loads its base model from a folder by name, trains in a plain loop, saves, and
loads again by the name of the base model in the adapter's config.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch.optim import AdamW
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BloomConfig,
    BloomForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
    default_data_collator,
    get_linear_schedule_with_warmup,
)

from tests.parity.pair import assert_same, without_pefts_deprecation
from tests.tiny_models import seed, tiny_t5

IDS = {"vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def tiny_roberta():
    seed(0)
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 8}
    return RobertaForSequenceClassification(RobertaConfig(**IDS, **sizes, max_position_embeddings=20))


def tiny_bloom():
    seed(0)
    return BloomForCausalLM(BloomConfig(**IDS, hidden_size=12, n_layer=2, n_head=3))


class Example(NamedTuple):
    """What tells one notebook from another."""

    imports: str
    task: str
    auto: Any
    make: Callable
    rate: float
    labels: Callable
    generates: dict[str, Any] | None


EXAMPLES = {
    "sequence classification": Example(
        "get_peft_config, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict, PeftType, "
        "PrefixTuningConfig, PromptEncoderConfig",
        "SEQ_CLS",
        AutoModelForSequenceClassification,
        tiny_roberta,
        1e-2,
        lambda ids: int(ids[0]) % 2,
        None,
    ),
    "conditional generation": Example(
        "get_peft_config, get_peft_model, get_peft_model_state_dict, PrefixTuningConfig, TaskType",
        "SEQ_2_SEQ_LM",
        AutoModelForSeq2SeqLM,
        tiny_t5,
        1e-2,
        lambda ids: torch.cat([ids[:2], torch.tensor([-100])]),
        {"max_new_tokens": 5},
    ),
    "causal language modelling": Example(
        "get_peft_config, get_peft_model, PrefixTuningConfig, TaskType, PeftType",
        "CAUSAL_LM",
        AutoModelForCausalLM,
        tiny_bloom,
        3e-2,
        lambda ids: ids.where(torch.arange(len(ids)) > 3, torch.tensor(-100)),
        {"max_new_tokens": 5, "eos_token_id": 3},
    ),
}


def data(example):
    """Twelve rows, padded on the left, in batches of four."""
    seed(3)
    rows = []
    for padding in range(12):
        ids = torch.randint(3, 30, (7,))
        mask = (torch.arange(7) >= padding % 4).long()
        rows.append({"input_ids": ids * mask, "attention_mask": mask, "labels": example.labels(ids)})
    return rows


def played(example, library, folder, capsys):
    """The whole notebook with one library: what it prints, every loss, what it saves, and what it says at the end."""
    said: dict[str, Any] = {}
    exec(f"from {library} import {example.imports}, PeftModel, PeftConfig", said)
    config = said["PrefixTuningConfig"](task_type=example.task, inference_mode=False, num_virtual_tokens=4)
    model = example.auto.from_pretrained(folder / "base")
    seed(1)
    model = said["get_peft_model"](model, config)
    model.print_trainable_parameters()
    rows = data(example)
    batches = DataLoader(rows, shuffle=True, collate_fn=default_data_collator, batch_size=4)
    optimizer = AdamW(model.parameters(), lr=example.rate)
    schedule = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=1, num_training_steps=2 * len(batches))
    losses = []
    for _ in range(2):
        model.train()
        for batch in batches:
            loss = model(**batch).loss
            loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        model.eval()
        with torch.no_grad():
            losses += [model(**batch).loss for batch in DataLoader(rows, collate_fn=default_data_collator)]
    name = folder / f"{library}_{config.peft_type}_{config.task_type}"
    model.save_pretrained(str(name))
    kept = said["PeftConfig"].from_pretrained(str(name))
    again = example.auto.from_pretrained(kept.base_model_name_or_path)
    again = said["PeftModel"].from_pretrained(again, str(name)).eval()
    first = {key: rows[0][key][None] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        given = {} if example.task != "SEQ_2_SEQ_LM" else {"decoder_input_ids": first["input_ids"]}
        last = again(**first, **given).logits
        made = None if example.generates is None else again.generate(**first, **example.generates)
    files = {path.name: path.read_bytes() for path in name.iterdir()}
    return capsys.readouterr().out, repr(model.peft_config), losses, files, last, made, name.name.removeprefix(library)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_trains_saves_and_says_the_same(name, tmp_path, capsys):
    example = EXAMPLES[name]
    example.make().save_pretrained(tmp_path / "base")
    capsys.readouterr()
    with without_pefts_deprecation():
        ours, theirs = (played(example, library, tmp_path, capsys) for library in ("prefix_lab", "peft"))
    assert_same(ours, theirs)
