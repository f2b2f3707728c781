"""Scripts in the shape of PEFT's example notebooks of prefix tuning, with the import as the only difference.

Each names its library in one line, loads its base model from a folder by name, trains in a plain loop, saves, and
loads again by the name of the base model in the adapter's config.
"""

from typing import Any

import pytest
import torch
from torch.optim import AdamW
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    default_data_collator,
    get_linear_schedule_with_warmup,
)

from tests.parity.pair import assert_same, without_pefts_deprecation
from tests.tiny_models import seed, tiny

EXAMPLES = {
    "SEQ_CLS": (
        *("RoBERTa", AutoModelForSequenceClassification, lambda ids: int(ids[0]) % 2),
        "get_peft_config, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict, PeftType, "
        "PrefixTuningConfig, PromptEncoderConfig",
    ),
    "SEQ_2_SEQ_LM": (
        *("T5", AutoModelForSeq2SeqLM, lambda ids: torch.cat([ids[:2], torch.tensor([-100])])),
        "get_peft_config, get_peft_model, get_peft_model_state_dict, PrefixTuningConfig, TaskType",
    ),
    "CAUSAL_LM": (
        *("Bloom", AutoModelForCausalLM, lambda ids: ids.where(torch.arange(len(ids)) > 3, torch.tensor(-100))),
        "get_peft_config, get_peft_model, PrefixTuningConfig, TaskType, PeftType",
    ),
}
"""Task → the family, the class that loads it, the labels of a text, and what the notebook imports."""


def texts(labels):
    """Twelve rows, padded on the left."""
    seed(3)
    rows = []
    for padding in range(12):
        ids = torch.randint(3, 30, (7,))
        mask = (torch.arange(7) >= padding % 4).long()
        rows.append({"input_ids": ids * mask, "attention_mask": mask, "labels": labels(ids)})
    return rows


def played(task, library, folder, capsys):
    """The whole notebook with one library: what it prints, every loss, what it saves, and what it says at the end."""
    _, auto, labels, imports = EXAMPLES[task]
    said: dict[str, Any] = {}
    exec(f"from {library} import {imports}, PeftModel, PeftConfig", said)
    config = said["PrefixTuningConfig"](task_type=task, inference_mode=False, num_virtual_tokens=4)
    model = auto.from_pretrained(folder / "base")
    seed(1)
    model = said["get_peft_model"](model, config)
    model.print_trainable_parameters()
    rows, losses = texts(labels), []
    batches = DataLoader(rows, shuffle=True, collate_fn=default_data_collator, batch_size=4)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    schedule = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=1, num_training_steps=2 * len(batches))
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
    again = said["PeftModel"].from_pretrained(auto.from_pretrained(kept.base_model_name_or_path), str(name)).eval()
    first = {key: rows[0][key][None] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        last = again(**first, **({"decoder_input_ids": first["input_ids"]} if task == "SEQ_2_SEQ_LM" else {})).logits
        made = None if task == "SEQ_CLS" else again.generate(**first, max_new_tokens=5)
    files = {path.name: path.read_bytes() for path in name.iterdir()}
    return capsys.readouterr().out, repr(model.peft_config), losses, files, last, made, name.name.removeprefix(library)


@pytest.mark.parametrize("task", EXAMPLES)
def test_an_example_prints_trains_saves_and_says_the_same(task, tmp_path, capsys):
    tiny(EXAMPLES[task][0], task).save_pretrained(tmp_path / "base")
    capsys.readouterr()
    with without_pefts_deprecation():
        ours, theirs = (played(task, library, tmp_path, capsys) for library in ("prefix_lab", "peft"))
    assert_same(ours, theirs)
