"""Small models with random weights, large enough in value that a wrong number shows, and prefixes before them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

import prefix_lab

VOCAB = 37


def loud(build: Callable[[], PreTrainedModel], seed: int) -> PreTrainedModel:
    """The model in eval mode, its weights from a seed of their own and ten times as large as usual."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * (0.2 if parameter.dim() > 1 else 0.05))
    return model.eval()


def small_gpt2(layers: int = 3, heads: int = 4, head_dim: int = 8, seed: int = 1) -> GPT2LMHeadModel:
    sizes = {"n_layer": layers, "n_head": heads, "n_embd": heads * head_dim, "n_positions": 64, "vocab_size": VOCAB}
    tokens = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
    model = loud(lambda: GPT2LMHeadModel(GPT2Config(**sizes, **tokens)), seed)
    model.loss_type = "ForCausalLM"  # transformers guesses it from the class's name, in vain, and says so
    return model


def small_t5(layers: int = 3, heads: int = 4, head_dim: int = 8, seed: int = 1) -> T5ForConditionalGeneration:
    sizes = {"num_layers": layers, "num_heads": heads, "d_kv": head_dim, "d_model": heads * head_dim, "d_ff": 40}
    tokens = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "vocab_size": VOCAB}
    return loud(lambda: T5ForConditionalGeneration(T5Config(**sizes, **tokens)), seed)


def small_bert(layers: int = 3, heads: int = 4, head_dim: int = 8, seed: int = 1) -> BertForSequenceClassification:
    sizes = {"num_hidden_layers": layers, "num_attention_heads": heads, "hidden_size": heads * head_dim}
    rest = {"intermediate_size": 40, "max_position_embeddings": 64, "vocab_size": VOCAB, "num_labels": 3}
    return loud(lambda: BertForSequenceClassification(BertConfig(**sizes, **rest)), seed)


def small_ids(batch: int = 2, tokens: int = 7, seed: int = 2) -> torch.Tensor:
    """Random tokens, (batch, tokens); none of them pads, begins or ends a text."""
    return torch.randint(3, VOCAB, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def before(model: PreTrainedModel, by: Any, prefix_len: int = 5, seed: int = 0, **wanted: Any) -> Any:
    """A copy of the model with a random prefix before it, the same one for the same seed.

    `by` is who puts it there: `peft`, `prefix_lab`, or a class of one of the hunts.
    """
    library = by if isinstance(by, ModuleType) else prefix_lab
    task = wanted.pop("task_type", None) or task_of(model)
    config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=prefix_len, **wanted)
    wrap = library.get_peft_model if isinstance(by, ModuleType) else by
    base = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return wrap(base, config)


def task_of(model: PreTrainedModel) -> str:
    if model.config.is_encoder_decoder:
        return "SEQ_2_SEQ_LM"
    return "SEQ_CLS" if isinstance(model, BertForSequenceClassification) else "CAUSAL_LM"
