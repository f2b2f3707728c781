"""Random models and texts small enough to wrap and run in milliseconds.

No two axes have the same size unless a model ties them, so that a swapped axis cannot pass unseen. Weights and texts
are drawn from fixed seeds and leave the caller's random numbers alone.
"""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
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


STACK = {"vocab_size": VOCAB, "num_hidden_layers": 2, "intermediate_size": 20, "max_position_embeddings": 48, **SPECIAL}
T5 = {
    **{"vocab_size": VOCAB, "num_layers": 2, "d_model": 12, "num_heads": 3, "d_kv": 4, "d_ff": 20},
    **{"relative_attention_num_buckets": 8, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1},
}
BART = {
    "vocab_size": VOCAB,
    "d_model": 12,
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 3),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 20),
    "decoder_start_token_id": 0,
    "forced_eos_token_id": None,
    **SPECIAL,
}
GPT = {"vocab_size": VOCAB, "n_layer": 2, "n_embd": 12, "n_head": 3, "n_positions": 48, **SPECIAL}
BERT = {**STACK, "hidden_size": 12, "num_attention_heads": 3, "embedding_size": 8}
GROUPED = {**STACK, "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2}  # six heads ask
OWN_HEAD_DIM = {**STACK, "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 10}
GEMMA = {**OWN_HEAD_DIM, "sliding_window": 6, "query_pre_attn_scalar": 10}  # a window that a text outgrows
FLAT = {key: STACK[key] for key in ("vocab_size", "num_hidden_layers", "max_position_embeddings")}


def tiny_t5(layers: int = 2, **changes: Any) -> T5ForConditionalGeneration:
    return random_weights(lambda: T5ForConditionalGeneration(T5Config(**{**T5, "num_layers": layers, **changes})))


def tiny_bart(layers: int = 2, **changes: Any) -> BartForConditionalGeneration:
    sizes = {**BART, "encoder_layers": layers, "decoder_layers": layers, "max_position_embeddings": 40, **changes}
    return random_weights(lambda: BartForConditionalGeneration(BartConfig(**sizes)))


def tiny_gpt2(layers: int = 2, **changes: Any) -> GPT2LMHeadModel:
    sizes = {**GPT, "n_layer": layers, "n_positions": 40, **changes}
    return random_weights(lambda: GPT2LMHeadModel(GPT2Config(**sizes)))


def tiny_llama(layers: int = 2, **changes: Any) -> LlamaForCausalLM:
    """Grouped-query attention: six heads ask, two are cached."""
    sizes = {**GROUPED, "num_hidden_layers": layers, "max_position_embeddings": 40, **changes}
    return random_weights(lambda: LlamaForCausalLM(LlamaConfig(**sizes)))


TINY_BERT = {**BERT, "max_position_embeddings": 40}


def tiny_bert(layers: int = 2, **changes: Any) -> BertModel:
    return random_weights(lambda: BertModel(BertConfig(**{**TINY_BERT, "num_hidden_layers": layers, **changes})))


def tiny_classifier() -> BertForSequenceClassification:
    return random_weights(lambda: BertForSequenceClassification(BertConfig(**TINY_BERT, num_labels=4)))


HEADS = {
    "SEQ_CLS": "ForSequenceClassification",
    "TOKEN_CLS": "ForTokenClassification",
    "QUESTION_ANS": "ForQuestionAnswering",
    "SEQ_2_SEQ_LM": "ForConditionalGeneration",
    "CAUSAL_LM": "ForCausalLM",
    "FEATURE_EXTRACTION": "Model",
}
"""How transformers calls the class that is made for a task."""

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "T5": ("T5", T5),
    "mT5": ("MT5", T5),
    "UMT5": ("UMT5", T5),
    "BART": ("Bart", {**BART, "max_position_embeddings": 48}),
    "LED": ("LED", {**BART, "attention_window": 4, "max_encoder_position_embeddings": 48}),
    "GPT-2": ("GPT2", GPT),
    "GPT-J": ("GPTJ", {**GPT, "rotary_dim": 2}),
    "OPT": ("OPT", {**FLAT, "hidden_size": 12, "word_embed_proj_dim": 12, "num_attention_heads": 3, "ffn_dim": 20}),
    "Bloom": ("Bloom", {"vocab_size": VOCAB, "n_layer": 2, "hidden_size": 12, "n_head": 3, **SPECIAL}),
    "Llama": ("Llama", GROUPED),
    "Mistral": ("Mistral", {**GROUPED, "sliding_window": 6}),
    "Qwen2": ("Qwen2", GROUPED),
    "Qwen3": ("Qwen3", OWN_HEAD_DIM),
    "Gemma 2": ("Gemma2", GEMMA),
    "Gemma 3": ("Gemma3", {**GEMMA, "layer_types": ["sliding_attention", "full_attention"]}),
    "BERT": ("Bert", BERT),
    "RoBERTa": ("Roberta", BERT),
    "Electra": ("Electra", BERT),
}
"""Family → the beginning of its classes' names in transformers, and sizes."""


def class_of(family: str, task: str) -> type[PreTrainedModel] | None:
    """The family's class for a task, if there is one: a stack of layers does not translate, BERT does not go on."""
    name = FAMILIES[family][0]
    if task == "CAUSAL_LM" and (family in ENCODER_DECODERS or family in ENCODERS_ALONE):
        return None
    if name == "GPT2" and task == "CAUSAL_LM":
        return GPT2LMHeadModel
    if name == "Gemma3" and task in ("SEQ_CLS", "FEATURE_EXTRACTION"):
        name = "Gemma3Text"
    if task == "SEQ_2_SEQ_LM" and family not in ENCODER_DECODERS:
        return None
    return getattr(transformers, name + HEADS[task], None)


ENCODER_DECODERS = ("T5", "mT5", "UMT5", "BART", "LED")
ENCODERS_ALONE = ("BERT", "RoBERTa", "Electra")


@functools.cache
def base_of(family: str, task: str) -> PreTrainedModel:
    """The family's model for a task. Kept: copy it before it is wrapped."""
    made_for = class_of(family, task)
    sizes = FAMILIES[family][1]
    config = made_for.config_class(**sizes, num_labels=2 if task == "QUESTION_ANS" else 3)
    return random_weights(lambda: made_for(config))


def tiny(family: str, task: str) -> PreTrainedModel:
    """A family's model for a task, one's own."""
    return copy.deepcopy(base_of(family, task))


FAMILY_TASKS = [(family, task) for family in FAMILIES for task in HEADS if class_of(family, task)]
"""Each family with each task that it has a class for."""

HEADS_OF_TWO = [
    (f, t) for f, t in FAMILY_TASKS if f in ENCODER_DECODERS and t in ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS")
]
"""Heads of encoder-decoders, which PEFT takes and cannot run."""

RUNNING = [pair for pair in FAMILY_TASKS if pair not in HEADS_OF_TWO]
"""Each family with each task that PEFT can run."""


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


def batch_for(
    family: str,
    task: str,
    *,
    batch: int = 2,
    tokens: int = 7,
    target: int = 5,
    padding: str | None = "right",
    labels: bool = False,
) -> dict[str, Tensor]:
    """What the family's model for a task is called with; `padding` is None where there is no mask either."""
    mask = mask_of(batch, tokens, left=padding == "left")
    inputs = {"input_ids": random_ids(batch, tokens)}
    if padding is not None:
        inputs = {"input_ids": inputs["input_ids"] * mask, "attention_mask": mask}
    if family in ENCODER_DECODERS and not (labels and task == "SEQ_2_SEQ_LM"):
        inputs["decoder_input_ids"] = random_ids(batch, target, seed=2)
    if labels:
        inputs |= labels_for(task, mask, target)
    return inputs


def labels_for(task: str, mask: Tensor, target: int) -> dict[str, Tensor]:
    """Right answers for a batch of texts with this mask."""
    batch, tokens = mask.shape
    answers = random_ids(batch, tokens, seed=5) % 3  # three classes, or the first three tokens
    match task:
        case "SEQ_CLS":
            return {"labels": answers[:, 0]}
        case "TOKEN_CLS":
            return {"labels": answers.masked_fill(mask == 0, -100)}
        case "QUESTION_ANS":
            return {"start_positions": answers[:, 0] % tokens, "end_positions": answers[:, -1] % tokens}
        case "CAUSAL_LM":
            return {"labels": random_ids(batch, tokens, seed=1).masked_fill(mask == 0, -100)}
        case "SEQ_2_SEQ_LM":
            ids = random_ids(batch, target, seed=1)
            return {"labels": ids.masked_fill(mask_of(batch, target) == 0, -100)}
    return {}


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
