"""Standard walks: the whole journey of a prefix through a tiny model of any sizes, in our code and in PEFT's.

Each builds a model with the sizes that it is given, wraps it, and runs forward, loss, backward and generate.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

NEW_TOKENS = 3
Walk = Callable[[Mapping[str, int]], None]


def journey(make_model: Callable[[Mapping[str, int]], nn.Module], task: str, projection: bool) -> Walk:
    """A walk with this kind of model."""

    def walk(axes: Mapping[str, int]) -> None:
        import torch

        for library in libraries():
            torch.manual_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                walk_with(library, make_model(axes), task, projection, axes)

    return walk


def libraries() -> list[Any]:
    """Ours, and PEFT where it is installed."""
    import prefix_lab

    try:
        import peft
    except ImportError:
        return [prefix_lab]
    return [prefix_lab, peft]


def walk_with(library: Any, base: nn.Module, task: str, projection: bool, axes: Mapping[str, int]) -> None:
    """Wrap, forward with a loss, backward, generate."""
    import torch

    config = library.PrefixTuningConfig(
        task_type=task,
        num_virtual_tokens=axes["prefix_len"],
        prefix_projection=projection,
        encoder_hidden_size=axes["encoder_hidden"] if projection else None,
    )
    model = library.get_peft_model(base, config)
    ids = torch.randint(3, axes["vocab"], (axes["batch"], axes["source"]))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if task == "SEQ_2_SEQ_LM":
        output = model(**batch, labels=torch.randint(3, axes["vocab"], (axes["batch"], axes["target"])))
        loss = output.loss
    elif task == "CAUSAL_LM":
        loss = model(**batch, labels=ids).loss
    else:
        loss = model(**batch).last_hidden_state.abs().mean()
    loss.backward()
    if task != "FEATURE_EXTRACTION":
        with torch.no_grad():
            model.eval().generate(**batch, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)


def make_t5(axes: Mapping[str, int]) -> nn.Module:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=axes["vocab"],
            d_model=axes["hidden"],
            d_kv=axes["head_dim"],
            num_heads=axes["heads"],
            d_ff=axes["ff"],
            num_layers=axes["layers"],
            decoder_start_token_id=0,
        )
    )


def make_bart(axes: Mapping[str, int]) -> nn.Module:
    from transformers import BartConfig, BartForConditionalGeneration

    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=axes["vocab"],
            d_model=axes["hidden"],
            encoder_layers=axes["layers"],
            decoder_layers=axes["layers"],
            encoder_attention_heads=axes["heads"],
            decoder_attention_heads=axes["heads"],
            encoder_ffn_dim=axes["ff"],
            decoder_ffn_dim=axes["ff"],
            max_position_embeddings=128,
            forced_eos_token_id=None,
        )
    )


def make_gpt2(axes: Mapping[str, int]) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=axes["vocab"],
            n_embd=axes["hidden"],
            n_layer=axes["layers"],
            n_head=axes["heads"],
            n_inner=axes["ff"],
            n_positions=128,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    model.loss_type = "ForCausalLM"  # a GPT-2 that was built from a config has none, and transformers would log so
    return model


def make_llama(axes: Mapping[str, int]) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=axes["vocab"],
            hidden_size=axes["hidden"],
            intermediate_size=axes["ff"],
            num_hidden_layers=axes["layers"],
            num_attention_heads=axes["heads"],
            num_key_value_heads=axes["kv_heads"],
            head_dim=axes["head_dim"],
            max_position_embeddings=128,
        )
    )


def make_bert(axes: Mapping[str, int]) -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=axes["vocab"],
            hidden_size=axes["hidden"],
            num_hidden_layers=axes["layers"],
            num_attention_heads=axes["heads"],
            intermediate_size=axes["ff"],
            max_position_embeddings=128,
        )
    )


MODELS = {
    "T5": (make_t5, "SEQ_2_SEQ_LM"),
    "BART": (make_bart, "SEQ_2_SEQ_LM"),
    "GPT-2": (make_gpt2, "CAUSAL_LM"),
    "Llama": (make_llama, "CAUSAL_LM"),
    "BERT": (make_bert, "FEATURE_EXTRACTION"),
}
WALKS: dict[str, Walk] = {
    f"{family}, {'projected' if projection else 'direct'}": journey(make, task, projection)
    for family, (make, task) in MODELS.items()
    for projection in (False, True)
}
"""The standard walks by name."""
