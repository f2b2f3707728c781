"""The one door: what no prefix can be made for, and what keeps a prefix from being read, each with its way out.

`check` asks before a model is wrapped, `prefix_is_read` and `can_generate` stand around its calls. PEFT has few such
questions: it wraps nearly anything, then fails inside torch or transformers, or runs and the prefix has no effect.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import (
    Cache,
    DummyLayer,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    EncoderDecoderCache,
)

from prefix_lab.beside.fitting import check_sizes
from prefix_lab.beside.modules_to_save import check_modules
from prefix_lab.config import PeftConfig, PromptLearningConfig, TaskType
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.models import PeftModel
from prefix_lab.prepare import text_config

HEADS = (TaskType.SEQ_CLS, TaskType.TOKEN_CLS, TaskType.QUESTION_ANS)
GENERATE = (TaskType.SEQ_2_SEQ_LM, TaskType.CAUSAL_LM)
ATTENTION_OF_PAPER = (("SelfAttention", "self_attn"), ("EncDecAttention", "encoder_attn"))
"""What T5 and BART call the attention layers of their encoder, and those between decoder and encoder."""

STATIC = ("static", "offloaded_static", "sliding_window", "hybrid", "offloaded_hybrid")
"""transformers' kinds of cache that are as long from the start as they will ever be: no prefix can stand before."""

PROMPTS: ContextVar[list[tuple[Cache, list[int]]] | None] = ContextVar("the prompts that a call has made", default=None)


def check(
    model: nn.Module,
    peft_config: PeftConfig,
    adapter_name: str = "default",
    others: Mapping[str, PeftConfig] | None = None,
) -> None:
    """Raise for an adapter that could not be added to the base model, beside the `others`. Nothing is changed.

    `ValueError` for nearly all, `TypeError` for a value of another type, and for a module that no copy can stand for.
    """
    check_name(adapter_name, peft_config, others or {})
    check_modules(model, peft_config.modules_to_save)
    if any(isinstance(module, PrefixEncoder) for module in model.modules()):  # PEFT loses it, or grows the mask twice
        raise ValueError(
            f"model is a {type(model).__name__} that has a prefix already, and another adapter around it would not "
            "fit. If this cell was run twice, run the cell that makes the base model again, or take it back with "
            "model.get_base_model(). For one more prefix on the same model: model.add_adapter(name, config)."
        )
    if peft_config.is_prompt_learning:
        if not hasattr(model, "config"):
            raise AttributeError(
                f"model is a {type(model).__name__} and has no attribute 'config', from which a prefix takes its "
                "sizes. Give a model of transformers: AutoModelForCausalLM.from_pretrained(...)."
            )
        check_reader(model, peft_config)
        check_sizes(peft_config, model.config)


def check_name(adapter_name: str, peft_config: PeftConfig, others: Mapping[str, PeftConfig]) -> None:
    """Raise `ValueError` for a name that is taken or cannot be one, and for another method than the others'."""
    if adapter_name in others:
        raise ValueError(f"Adapter with name '{adapter_name}' already exists. Choose another adapter_name.")
    if not adapter_name or "." in adapter_name or hasattr(nn.ModuleDict(), adapter_name):
        raise ValueError(
            f"adapter_name={adapter_name!r} cannot name a module: it is empty, has a dot, or is an attribute of "
            "torch's ModuleDict. Choose another adapter_name, 'default' say."
        )
    for other in others.values():
        if other.peft_type != peft_config.peft_type:
            raise ValueError(
                "Cannot combine adapters with different peft types. "
                f"Found {other.peft_type} and {peft_config.peft_type}. Wrap a second copy of the base model instead."
            )


def check_reader(model: nn.Module, peft_config: PromptLearningConfig) -> None:
    """Raise `ValueError` for a base model that cannot read a prefix in this task."""
    if checkpoints(model):
        raise ValueError(
            "PREFIX_TUNING does not work with gradient checkpointing. Call model.gradient_checkpointing_disable()."
        )
    kind, task = type(model).__name__, peft_config.task_type
    if task in GENERATE:
        _ = model.prepare_inputs_for_generation  # as PEFT: a model that cannot generate has no such attribute
    if task in HEADS and getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(
            f"task_type={task!r} needs one stack of layers, but {kind} has an encoder and a decoder, whose head PEFT "
            "cannot reach with a prefix. Use task_type='SEQ_2_SEQ_LM'."
        )
    if isinstance(model, PreTrainedModel) and "input_ids" not in parameters(model):
        raise ValueError(
            f"{kind} takes {model.main_input_name}, not input_ids: a prefix stands before a text, and PEFT's classes "
            "hand on input_ids alone. Use a text model, or LoRA."
        )
    if not past_reaches(model, task):
        raise ValueError(
            "Model does not support past key values which are required for prefix tuning. "
            f"For task_type={task!r}, {kind} takes no past_key_values: use LoRA."
            if task in HEADS
            else f"{kind} takes no past_key_values, through which a prefix is read. Use a model whose attention keeps "
            "keys and values, or LoRA."
        )
    if cause := other_cache(model):
        raise ValueError(cause)
    if getattr(peft_config, "layout", "peft") == "paper":
        refuse_unknown_attention(model)


def past_reaches(model: nn.Module, task: str | None) -> bool:
    """Whether `past_key_values`, through which a prefix is read, has a place in what this task calls."""
    if takes_past(model):
        return True
    if task in HEADS:
        return takes_past(backbone(model))
    if "input_ids" not in parameters(model):
        return True  # no model of transformers: what it does with what it gets is its own
    hands_on = any(one.kind is one.VAR_KEYWORD for one in parameters(model).values())
    return hands_on and any(takes_past(module) for module in model.modules() if module is not model)


def other_cache(model: nn.Module) -> str | None:
    """In a sentence, what the layers keep of a text instead of keys and values of each head; None if it is those."""
    if not isinstance(model.config, PreTrainedConfig):
        return None
    config, kind = model.config.get_text_config(decoder=True), type(model).__name__
    rank, value_dim = getattr(config, "kv_lora_rank", None), getattr(config, "v_head_dim", None)
    if rank is not None and rank != getattr(config, "qk_rope_head_dim", None):
        return (
            f"{kind} keeps one compressed vector of kv_lora_rank={rank} numbers for each token, and no keys and values "
            "of its heads, which a prefix would be. Use LoRA."
        )
    if rank is None and value_dim is not None and value_dim != getattr(config, "head_dim", value_dim):
        return (
            f"{kind} keeps values of v_head_dim={value_dim} numbers and keys of {config.head_dim}; a prefix has keys "
            "and values of one size. Use LoRA."
        )
    layers = getattr(config, "layer_types", None) or []
    states = {
        layer
        for layer, cached in zip(layers, DynamicCache(config=config).layers if layers else [], strict=False)
        # A dummy reads another layer's cache, or has no attention.
        if type(cached) not in (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer)
        and not layer.endswith("sliding_attention")
    }
    if not states:
        return None
    return (
        f"{kind} has layers of {', '.join(sorted(states))}, which keep a state instead of keys and values: a prefix "
        "cannot stand in it. Use LoRA."
    )


def parameters(model: nn.Module) -> dict[str, inspect.Parameter]:
    """What its forward takes, by name."""
    return dict(inspect.signature(model.forward).parameters)


def takes_past(model: nn.Module) -> bool:
    """Whether its forward has a place for a cache."""
    return "past_key_values" in parameters(model)


def backbone(model: nn.Module) -> nn.Module:
    """The model inside a model with a head; the model itself, if there is none."""
    return next((child for child in model.children() if isinstance(child, PreTrainedModel)), model)


def checkpoints(model: nn.Module, training: bool = False) -> bool:
    """Whether a layer forgets what it computed, and runs again for the gradient; `training`: whether it does so now."""
    return any(
        getattr(module, "gradient_checkpointing", False) and (module.training or not training)
        for module in model.modules()
    )


def refuse_unknown_attention(model: nn.Module) -> None:
    """Raise `ValueError` for a base model whose attention layers are not where T5's and BART's are."""
    try:
        stacks = model.get_encoder(), model.get_decoder()
        found = [layers_named(stack, names) for stack, names in zip(stacks, ATTENTION_OF_PAPER, strict=True)]
    except AttributeError:
        found = [[]]
    if not all(found):
        raise ValueError(
            f"layout='paper' knows the attention layers of T5 and BART, and {type(model).__name__} has none of them. "
            "Leave layout out."
        )


def layers_named(stack: nn.Module, names: tuple[str, ...]) -> list[nn.Module]:
    """The attention layers of a stack, in their order."""
    return [module for name, module in stack.named_modules() if name.rpartition(".")[2] in names]


def remember(prompt: Cache) -> Cache:
    """Tell `prefix_is_read`, if the prompt is made within it, what the base model is about to be given."""
    made = PROMPTS.get()
    if made is not None:
        made.append((prompt, kept(prompt)))
    return prompt


@contextmanager
def prefix_is_read(model: PeftModel, args: tuple, kwargs: Mapping[str, Any]) -> Iterator[None]:
    """Around a call: a failure whose cause is known gets the cause's sentence, and so does a prefix that nobody read.

    Raises `ValueError` when the call fails after the prompt was made, for a reason that is known here, and when it
    runs but no layer has read the prefix. Whatever else the call raises is left as it is.
    """
    made: list[tuple[Cache, list[int]]] = []
    given = [*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    tokens = next((one for one in given if one is not None), None)
    before = PROMPTS.set(made)
    try:
        yield
    except Exception as error:
        if made:
            explain(error, model, tokens)
        raise
    finally:
        PROMPTS.reset(before)
    if any(kept(prompt) == lengths for prompt, lengths in made):
        raise ValueError(
            cause_of_failure(model, tokens)
            or f"{type(model.base_model).__name__} did not read the prefix: it takes past_key_values, and no layer "
            "looks at them, so the prefix has no effect and cannot learn. Use a model whose attention reads a cache."
        )


def kept(cache: Cache) -> list[int]:
    """How many positions each layer has; a layer that reads a cache adds its own to it."""
    if isinstance(cache, EncoderDecoderCache):
        cache = cache.self_attention_cache
    return [layer.get_seq_length() for layer in cache.layers if not isinstance(layer, DummyLayer)]


def explain(error: Exception, model: PeftModel, tokens: torch.Tensor | None, cause: str | None = None) -> None:
    """Raise the sentence for a failure, if its cause is known; of one out of memory it is not."""
    if not isinstance(error, torch.OutOfMemoryError) and (cause := cause or cause_of_failure(model, tokens)):
        raise ValueError(cause) from error


def cause_of_failure(model: PeftModel, tokens: torch.Tensor | None) -> str | None:
    """Why a prefix was not read, in a sentence; None when it is not known."""
    base, prefix_len = model.base_model, model.active_peft_config.num_virtual_tokens
    if checkpoints(base, training=True):
        return (
            "Gradient checkpointing was switched on after the model was wrapped. Its layers run without a cache, and "
            "the prefix lives in the cache: it would not be read. Call model.gradient_checkpointing_disable(); with "
            "transformers' Trainer, set gradient_checkpointing=False."
        )
    if tokens is None:
        return None
    if tokens.is_floating_point():
        tokens = tokens[..., 0]  # vectors instead of ids
    if tokens.dim() != 2:
        return (
            f"input_ids has shape {tuple(tokens.shape)}, expected (batch, tokens). For one text, give it a batch axis: "
            "input_ids[None]."
        )
    limit = most_positions(base)
    if limit is not None and prefix_len + tokens.shape[1] > limit:
        return (
            f"{tokens.shape[1]} tokens after a prefix of {prefix_len} need {prefix_len + tokens.shape[1]} positions, "
            f"and {type(base).__name__} has learned {limit}. Cut the text to {limit - prefix_len} tokens, or set a "
            "smaller num_virtual_tokens."
        )
    return None


def most_positions(model: nn.Module) -> int | None:
    """How many positions a model has learned, if it looks them up in a table; the first may be kept for padding."""
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if isinstance(module, nn.Embedding) and (last == "wpe" or "position" in last) and "relative" not in last:
            given = text_config(model.config)
            said = next((given[one] for one in ("n_positions", "max_position_embeddings") if given.get(one)), None)
            rows = module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            return rows if said is None else min(rows, said)
    return None


@contextmanager
def can_generate(model: PeftModel, arguments: dict[str, Any]) -> Iterator[None]:
    """Around `generate`: what keeps a prefix from being read is refused before, or explained when the loop fails.

    Raises `ValueError` for an encoder-decoder with a static cache: PEFT loses the prefix there, and says nothing if the
    lengths happen to fit.
    """
    base = model.base_model
    config = arguments.get("generation_config") or getattr(base, "generation_config", None)
    use_cache, kind = (
        arguments.get(name, getattr(config, name, None)) for name in ("use_cache", "cache_implementation")
    )
    lost = None
    if use_cache is False:
        lost = "use_cache=False, but the prefix lives in the cache: generate with use_cache=True."
    elif kind in STATIC:
        lost = (
            f"cache_implementation={kind!r} makes a cache of one length, before which no prefix can stand. Leave it "
            "out: generate makes a cache that grows."
        )
        if getattr(model.config, "is_encoder_decoder", False):
            raise ValueError(lost)
    if checkpoints(base, training=True):
        raise ValueError(cause_of_failure(model, None))
    try:
        yield
    except (RuntimeError, LookupError, AttributeError) as error:  # from inside the model: a bad argument says so itself
        explain(error, model, arguments.get("input_ids"), lost)
        raise
