"""What the experiments train on the tiny T5: a prefix, LoRA, or the whole model; and how far each comes.

All of them train on the bare word and are measured on held-out words, so that what is learnt is which task to do. A
seed decides the start of what trains, the examples and their order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache, partial
from random import Random
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

import prefix_lab
from prefix_lab.course.experiments.runs import Measured
from prefix_lab.course.letters import TASKS, held_out_words, seen_words
from prefix_lab.course.small_models import load_tiny_t5
from prefix_lab.course.tasks import Batch, answers, drawn, make_batch
from prefix_lab.course.training import train

BATCH_SIZE = 16
RATES = {"prefix": 0.1, "LoRA": 0.01, "full": 0.002}
"""The highest learning rate of each method: the best of several on a seed that no experiment uses."""


@cache
def tiny_t5() -> tuple[Any, Any]:
    """Model and tokenizer, read once."""
    return load_tiny_t5()


def fresh(layers: int = 3) -> nn.Module:
    """The tiny T5 to do with as one likes; with more than its 3 layers, those behind the third do next to nothing."""
    model = copy.deepcopy(tiny_t5()[0])
    return model if layers == 3 else deepened(model, layers)


@torch.no_grad()
def deepened(model: nn.Module, layers: int) -> nn.Module:
    """The same answers from more layers in both stacks: each new one adds a thousandth of what the second one would.

    Not nothing at all: what a layer reads would then have no gradient, and look dead.
    """
    for stack in (model.encoder, model.decoder):
        for number in range(len(stack.block), layers):
            block = copy.deepcopy(stack.block[1])  # the first alone holds the position bias, which all share
            for name, parameter in block.named_parameters():
                if name.endswith(("Attention.o.weight", "DenseReluDense.wo.weight")):
                    parameter.mul_(1e-3)
            for name, module in block.named_modules():
                if name.endswith("Attention"):
                    module.layer_idx = number
            stack.block.append(block)
        stack.config.num_layers = stack.config.num_decoder_layers = layers
    model.config.num_layers = model.config.num_decoder_layers = layers
    return model


def with_prefix(seed: int, prefix_len: int = 10, layers: int = 3, layout: str = "paper", **config: Any) -> nn.Module:
    """The T5 with a new prefix before it; the encoder of the prefix runs once a batch, which changes no number."""
    torch.manual_seed(seed)
    wanted = prefix_lab.PrefixTuningConfig(
        "SEQ_2_SEQ_LM", num_virtual_tokens=prefix_len, layout=layout, encode="once", **config
    )
    return prefix_lab.get_peft_model(fresh(layers), wanted)


def with_lora(seed: int, r: int = 5) -> nn.Module:
    """The T5 with LoRA in every query and value; r=5 trains as many numbers as ten virtual tokens."""
    torch.manual_seed(seed)
    return prefix_lab.get_peft_model(
        fresh(), prefix_lab.LoraConfig("SEQ_2_SEQ_LM", r=r, target_modules=["q", "v"], lora_alpha=r)
    )


def by_method(method: str, seed: int) -> nn.Module:
    """One of "prefix", "LoRA" and "full"."""
    if method == "full":
        return fresh().requires_grad_(True)
    return {"prefix": with_prefix, "LoRA": with_lora}[method](seed)


def bare_batches(words: list[str], answer: Callable[[str], str], seed: int) -> Iterator[Batch]:
    """Batches without end of bare words and their answers, the same ones for the same seed."""
    for some in drawn(words, BATCH_SIZE, seed):
        yield make_batch(tiny_t5()[1], some, [answer(word) for word in some])


def examples(count: int | None, seed: int) -> list[str]:
    """So many of the words to train on, drawn anew for each seed; all of them for None."""
    return seen_words() if count is None else Random(1000 + seed).sample(seen_words(), count)


def learnt(
    model: nn.Module,
    answer: Callable[[str], str] | str,
    seed: int,
    steps: int,
    rate: float,
    words: list[str] | None = None,
) -> Measured:
    """Train on these words, all by default, and measure; `answer` is a task by name, or what to write for a word."""
    answer = TASKS[answer].function if isinstance(answer, str) else answer
    if steps:
        train(model, bare_batches(words or seen_words(), answer, seed), steps, rate)
    return measured(model, answer)


@torch.no_grad()
def measured(model: nn.Module, answer: Callable[[str], str]) -> Measured:
    """On all held-out words: `right`, the share to the letter, and `loss`, nats a token; and `trained`, how many
    numbers have trained."""
    tokenizer, words, right, losses = tiny_t5()[1], held_out_words(), 0, []
    model.eval()
    for start in range(0, len(words), 128):
        some = words[start : start + 128]
        wanted = [answer(word) for word in some]
        right += sum(one == two for one, two in zip(answers(model, tokenizer, some), wanted, strict=True))
        losses.append(float(model(**make_batch(tokenizer, some, wanted)).loss) * len(some))
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {
        "right": round(right / len(words), 4),
        "loss": round(sum(losses) / len(words), 4),
        "trained": trained,
    }


@torch.no_grad()
def keys_and_values(texts: list[str], prefix_len: int) -> Float[Tensor, "prefix_len prefix_width"]:
    """What the T5 itself makes of the first tokens of texts, their mean, as a prefix in the paper's layout.

    The encoder's keys and values, and those that cross-attention makes of the encoder's output. No text stands before
    what the decoder writes, so its own keys and values are zero.
    """
    model, tokenizer = tiny_t5()
    layers, hidden = model.config.num_layers, model.config.d_model
    rows = torch.zeros(3, layers, 2, prefix_len, hidden)  # encoder, decoder, cross-attention; layer; key and value

    def keep(row: Tensor, linear: nn.Module, inputs: Any, output: Tensor) -> None:
        row.copy_(output[:, :prefix_len].mean(0))

    hooks = []
    for layer in range(layers):
        own = model.encoder.block[layer].layer[0].SelfAttention
        cross = model.decoder.block[layer].layer[1].EncDecAttention
        for stack, attention in ((0, own), (2, cross)):
            for part, linear in enumerate((attention.k, attention.v)):
                hooks.append(linear.register_forward_hook(partial(keep, rows[stack, layer, part])))
    try:
        model(**make_batch(tokenizer, texts, texts))
    finally:
        for hook in hooks:
            hook.remove()
    return rows.flatten(0, 2).transpose(0, 1).flatten(1)  # (prefix_len, 6·layers·hidden)
