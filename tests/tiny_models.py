"""Random models and texts small enough to wrap and run in milliseconds.

No two axes have the same size unless a model ties them, so that a swapped axis cannot pass unseen. Weights and texts
are drawn from fixed seeds and leave the caller's random numbers alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

VOCAB = 37
SPECIAL = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}


def seed(number: int) -> None:
    """As torch.manual_seed, which also formats three stack traces for devices that are not there."""
    torch.default_generator.manual_seed(number)


def random_weights(build: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """The model in eval mode, its weights from a seed of their own and large enough for every input to show."""
    before = torch.get_rng_state()
    seed(1)
    model = build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.7 if parameter.dim() > 1 else 0.05))
    torch.set_rng_state(before)
    return model.eval()


def tiny_t5(layers: int = 2, **changes: Any) -> T5ForConditionalGeneration:
    sizes = {"num_layers": layers, "d_model": 12, "num_heads": 3, "d_kv": 4, "d_ff": 20, "vocab_size": VOCAB}
    rest = {"relative_attention_num_buckets": 8, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    return random_weights(lambda: T5ForConditionalGeneration(T5Config(**{**sizes, **rest, **changes})))


def tiny_bart(layers: int = 2, **changes: Any) -> BartForConditionalGeneration:
    sizes = {"encoder_layers": layers, "decoder_layers": layers, "d_model": 12, "vocab_size": VOCAB}
    rest = {
        "encoder_attention_heads": 3,
        "decoder_attention_heads": 3,
        "encoder_ffn_dim": 20,
        "decoder_ffn_dim": 20,
        "max_position_embeddings": 40,
        "decoder_start_token_id": 0,
        "forced_eos_token_id": None,
        **SPECIAL,
    }
    return random_weights(lambda: BartForConditionalGeneration(BartConfig(**{**sizes, **rest, **changes})))


def tiny_gpt2(layers: int = 2, **changes: Any) -> GPT2LMHeadModel:
    sizes = {"n_layer": layers, "n_embd": 12, "n_head": 3, "vocab_size": VOCAB, "n_positions": 40, **SPECIAL}
    return random_weights(lambda: GPT2LMHeadModel(GPT2Config(**{**sizes, **changes})))


def tiny_llama(layers: int = 2, **changes: Any) -> LlamaForCausalLM:
    """Grouped-query attention: six heads ask, two are cached."""
    sizes = {"num_hidden_layers": layers, "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2}
    rest = {"intermediate_size": 20, "vocab_size": VOCAB, "max_position_embeddings": 40, **SPECIAL}
    return random_weights(lambda: LlamaForCausalLM(LlamaConfig(**{**sizes, **rest, **changes})))


def tiny_bert(layers: int = 2, **changes: Any) -> BertModel:
    sizes = {"num_hidden_layers": layers, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    rest = {"vocab_size": VOCAB, "max_position_embeddings": 40}
    return random_weights(lambda: BertModel(BertConfig(**{**sizes, **rest, **changes})))


def random_ids(batch: int, tokens: int, seed: int = 0) -> Tensor:
    """Ordinary tokens: none of them pads, begins or ends a text."""
    return torch.randint(3, VOCAB, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def mask_of(batch: int, tokens: int, *, left: bool = False) -> Tensor:
    """The first text is whole, each further one two tokens shorter than the one before."""
    mask = torch.ones(batch, tokens, dtype=torch.long)
    for text in range(batch):
        hidden = min(2 * text, tokens - 1)
        mask[text, slice(0, hidden) if left else slice(tokens - hidden, tokens)] = 0
    return mask


def two_texts(batch: int = 2, source: int = 7, target: int = 5) -> dict[str, Tensor]:
    """Padded inputs and labels for an encoder-decoder; padding has the label -100."""
    mask = mask_of(batch, source)
    labels = random_ids(batch, target, seed=1).masked_fill(mask_of(batch, target) == 0, -100)
    return {"input_ids": random_ids(batch, source) * mask, "attention_mask": mask, "labels": labels}


def one_text(batch: int = 2, source: int = 7, *, left: bool = False) -> dict[str, Tensor]:
    """Padded inputs for one stack of layers, on the left if the text is to go on."""
    mask = mask_of(batch, source, left=left)
    return {"input_ids": random_ids(batch, source) * mask, "attention_mask": mask}


def everything_about(model: nn.Module, config: object) -> dict[str, Any]:
    """What a refused call must leave as it was: parameters, who trains, attributes, and every field of both configs."""
    model_config = getattr(model, "config", None)
    return {
        "trains": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "weights": {name: tensor.tolist() for name, tensor in model.state_dict().items()},
        "attributes": {name: id(value) for name, value in vars(model).items()},
        "modules": [name for name, _ in model.named_modules()],
        "model config": repr(model_config),
        "config": repr(config) + repr(vars(config)),
    }


@contextmanager
def refuses(error: type[Exception], *words: str, leaving: tuple[nn.Module, object] | None = None) -> Iterator[None]:
    """The block raises exactly this error, with all the words in it, and `leaving` (model, config) is unchanged."""
    before = leaving and everything_about(*leaving)
    with pytest.raises(error) as caught:
        yield
    assert type(caught.value) is error
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert (leaving and everything_about(*leaving)) == before
