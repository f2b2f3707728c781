"""The models that the lessons run on: the tiny T5 that ships, smaller ones with random weights, prefixes before them.

The tiny T5 has about one million parameters and is real enough to be steered by a prefix. It is an ordinary
transformers T5 over bytes (transformers' ByT5Tokenizer), in an ordinary folder, pretrained by
`prefix_lab.course.pretrain`. The others are made when they are asked for, the same in every run, and leave the caller's
random numbers as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import transformers  # its families are imported where one is made, each in its turn
from transformers import PreTrainedModel
from transformers.utils import logging

import prefix_lab

WEIGHTS = Path(__file__).parent / "weights" / "tiny_t5"
VOCAB = 384  # transformers' ByT5Tokenizer
SPECIAL = {"pad_token_id": 0, "eos_token_id": 1}


def load_tiny_t5(
    folder: str | Path = WEIGHTS,
) -> tuple[transformers.T5ForConditionalGeneration, transformers.ByT5Tokenizer]:
    """The model, in eval mode and float32, and its tokenizer: from a local folder, without network, in under a second.

    `folder` is one that `python -m prefix_lab.course.pretrain --out folder` wrote; the shipped one by default. Raises
    `FileNotFoundError` when the folder holds no model.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(
            f"folder={str(folder)!r} holds no model.safetensors, expected a folder written by the pretraining; run "
            f"`python -m prefix_lab.course.pretrain --out {folder}` to write it."
        )
    with quiet():
        model = transformers.T5ForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        tokenizer = transformers.ByT5Tokenizer.from_pretrained(folder, local_files_only=True)
    return model.eval(), tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars from transformers inside, and afterwards as before: one second of work needs none."""
    shown = logging.is_progress_bar_enabled()
    if shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def small_gpt2(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.GPT2LMHeadModel:
    """A GPT-2 that never ends a text by itself, with attention that gives its weights on demand."""
    config = transformers.GPT2Config(
        n_layer=layers,
        n_head=heads,
        n_embd=heads * head_dim,
        vocab_size=VOCAB,
        n_positions=128,
        initializer_range=0.2,
        bos_token_id=2,
        eos_token_id=None,
        pad_token_id=0,
        attn_implementation="eager",
    )
    model = built(lambda: transformers.GPT2LMHeadModel(config))
    model.loss_type = "ForCausalLM"  # transformers guesses it from the class's name, in vain, and says so
    return model


def small_llama(layers: int = 3, heads: int = 6, kv_heads: int = 2, head_dim: int = 8) -> transformers.LlamaForCausalLM:
    """A Llama with grouped-query attention: `heads` ask, `kv_heads` are cached."""
    config = transformers.LlamaConfig(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        hidden_size=heads * head_dim,
        intermediate_size=96,
        vocab_size=VOCAB,
        max_position_embeddings=128,
        initializer_range=0.2,
        bos_token_id=2,
        attn_implementation="eager",
        **SPECIAL,
    )
    return built(lambda: transformers.LlamaForCausalLM(config))


def small_t5(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.T5ForConditionalGeneration:
    """A T5 with as many encoder layers as decoder layers."""
    config = transformers.T5Config(
        num_layers=layers,
        num_heads=heads,
        d_kv=head_dim,
        d_model=heads * head_dim,
        d_ff=64,
        vocab_size=VOCAB,
        decoder_start_token_id=0,
        **SPECIAL,
    )
    return built(lambda: transformers.T5ForConditionalGeneration(config))


def small_bert(layers: int = 3, heads: int = 4, head_dim: int = 8) -> transformers.BertForSequenceClassification:
    """A BERT that sorts texts into three classes."""
    config = transformers.BertConfig(
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_size=heads * head_dim,
        intermediate_size=64,
        vocab_size=VOCAB,
        max_position_embeddings=128,
        initializer_range=0.2,
        num_labels=3,
    )
    return built(lambda: transformers.BertForSequenceClassification(config))


def built(build: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """The model in eval mode, the same in every run; the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


def small_ids(batch: int = 2, tokens: int = 7, seed: int = 2) -> torch.Tensor:
    """Random tokens, (batch, tokens); none of them pads, begins or ends a text."""
    return torch.randint(3, VOCAB, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def before(model: PreTrainedModel, by: Any, prefix_len: int = 5, **wanted: Any) -> Any:
    """A copy of the model with a random prefix before it, the same one each time.

    `by` is who puts it there: `peft`, `prefix_lab`, or a class of one of the hunts; `wanted` are fields of its config.
    """
    library = by if isinstance(by, ModuleType) else prefix_lab
    task = "CAUSAL_LM"
    if model.config.is_encoder_decoder:
        task = "SEQ_2_SEQ_LM"
    elif model.config.model_type == "bert":
        task = "SEQ_CLS"
    config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=prefix_len, **wanted)
    wrap = library.get_peft_model if isinstance(by, ModuleType) else by
    base = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return wrap(base, config)
