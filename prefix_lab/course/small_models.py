"""SMALL"""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

VOCAB = 384  # transformers' ByT5Tokenizer
SPECIAL = {"pad_token_id": 0, "eos_token_id": 1}


def small_gpt2(layers: int = 3, heads: int = 4, hidden: int = 32) -> GPT2LMHeadModel:
    """A GPT-2, in eval mode, with attention that gives its weights on demand."""
    config = GPT2Config(
        n_layer=layers,
        n_head=heads,
        n_embd=hidden,
        vocab_size=VOCAB,
        n_positions=128,
        initializer_range=0.2,
        bos_token_id=2,
        attn_implementation="eager",
        **SPECIAL,
    )
    return built(lambda: GPT2LMHeadModel(config))


def small_llama(layers: int = 3, heads: int = 6, kv_heads: int = 2, head_dim: int = 8) -> LlamaForCausalLM:
    """A Llama with grouped-query attention: `heads` ask, `kv_heads` are cached."""
    config = LlamaConfig(
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
    return built(lambda: LlamaForCausalLM(config))


def small_t5(layers: int = 4, heads: int = 4, head_dim: int = 8) -> T5ForConditionalGeneration:
    """A T5 with as many encoder layers as decoder layers."""
    config = T5Config(
        num_layers=layers,
        num_heads=heads,
        d_kv=head_dim,
        d_model=heads * head_dim,
        d_ff=64,
        vocab_size=VOCAB,
        decoder_start_token_id=0,
        **SPECIAL,
    )
    return built(lambda: T5ForConditionalGeneration(config))


def built(build: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """The model in eval mode, the same in every run; the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()
