"""Pictures of one trained prefix: who looks at it, and which words it is like."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prefix_lab.course.lessons.lesson_08 import draw_shares
from prefix_lab.course.shown import Drawn
from prefix_lab.locale import N_, _
from prefix_lab.widgets.table import Table, table

Rows = Float[Tensor, "_ width"]


@torch.no_grad()
def draw_attention_to_prefix(model: nn.Module, tokenizer: Any, text: str) -> Drawn:
    """How much each head of each layer of a wrapped GPT-2 or BERT looks at its prefix while it reads a text."""
    model.get_base_model().set_attn_implementation("eager")  # the one that keeps its weights to be looked at
    found = model(**tokenizer(text, return_tensors="pt"), output_attentions=True, return_dict=True)
    return draw_shares(found.attentions, model.active_peft_config.num_virtual_tokens)


@torch.no_grad()
def first_keys(model: nn.Module, tokenizer: Any) -> tuple[Rows, Rows]:
    """The first layer's keys: of the prefix, (prefix_len, hidden), and of each word by itself, (vocab, hidden).

    Deeper layers' keys depend on what stands before a word, so there a word has no key of its own. `model` is a wrapped
    decoder, such as a GPT-2.
    """
    prefix = model.get_prompt(1).layers[0].keys[0]  # (heads, prefix_len, head_dim)
    with model.disable_adapter():
        words = torch.arange(len(tokenizer), device=prefix.device)[:, None]
        found = model(input_ids=words, attention_mask=torch.ones_like(words), use_cache=True).past_key_values
    return prefix.transpose(0, 1).flatten(1), found.layers[0].keys[:, :, 0].flatten(1)


LIKE_NO_WORD = N_(
    "No virtual token is a word in disguise: the nearest word is alike to {nearest:.2f}, and a word's own nearest "
    "other word to {usual:.2f} (median of all words)."
)
LIKE_WORDS = N_(
    "{count} of {prefix_len} virtual tokens are as near to a word as a word is to its nearest other word: alike to "
    "{usual:.2f} (median of all words)."
)


def nearest_words(learnt: Rows, words: Rows, names: list[str], count: int = 3) -> Table:
    """The words nearest to each virtual token by cosine, and whether that is near: beside how near words are.

    `learnt` is (prefix_len, width), `words` (vocab, width) with a name for each: embeddings, or `first_keys`.
    """
    toward = nn.functional.normalize(words, dim=1)
    alike = nn.functional.normalize(learnt, dim=1) @ toward.T  # (prefix_len, vocab)
    usual = float((toward @ toward.T).fill_diagonal_(-1).amax(1).median())
    best = alike.topk(count, dim=1)
    rows = [
        (number, *(f"{names[at]} {cosine:.2f}" for at, cosine in zip(places, cosines, strict=True)))
        for number, (places, cosines) in enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    ]
    near, nearest = int((best.values[:, 0] >= usual).sum()), float(best.values[:, 0].max())
    below = _(LIKE_WORDS if near else LIKE_NO_WORD).format(
        count=near, prefix_len=len(learnt), usual=usual, nearest=nearest
    )
    return table(
        [N_("virtual token"), N_("nearest word, cosine"), *[N_("the next nearest")] * (count - 1)], rows, below
    )
