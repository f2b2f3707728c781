"""A small batch to walk with: real text where there is a tokenizer, random token ids where there is none.

The texts differ in length, so that a mask with zeros in it shows.
"""

from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from prefix_lab.config import TaskType
from prefix_lab.prepare import text_config
from prefix_lab.walk.model import Base

INSTRUCTED = (
    ("reverse: prefix", "xiferp"),
    ("upper: model", "MODEL"),
    ("sort: attention", "aeinnottt"),
    ("vowels: tuning", "ui"),
)
"""Written instructions and answers, of the kind that the course's tiny T5 knows."""

SENTENCES = (
    "A prefix is a past that the model never read.",
    "Only the prefix learns.",
    "Every layer reads its own keys and values.",
    "The base model stays as it is.",
)

Batch = dict[str, Tensor]
Texts = list[tuple[str, str]]


def example(base: Base, task: str, count: int, seed: int) -> tuple[Batch, Texts]:
    """What the model of this task is called with, and the texts in it: none when the ids are random."""
    encoder_decoder, generative = task == TaskType.SEQ_2_SEQ_LM, task != TaskType.FEATURE_EXTRACTION
    vocab = vocab_of(base.model)
    if base.tokenizer is not None:
        pairs = texts(encoder_decoder, count)
        return text_batch(base.tokenizer, pairs, generative), pairs
    return random_batch(vocab, encoder_decoder, generative, count, seed), []


def vocab_of(model: nn.Module) -> int:
    """How many tokens the model knows. Raises `ValueError` for one that reads no tokens."""
    vocab = text_config(model.config).get("vocab_size")
    if vocab is None:
        raise ValueError(
            f"model is a {type(model).__name__}, whose config has no vocab_size, expected one that reads text."
        )
    return vocab


def texts(encoder_decoder: bool, count: int) -> Texts:
    """`count` pairs of input and target text; the target of a sentence is empty."""
    pairs = INSTRUCTED if encoder_decoder else tuple((sentence, "") for sentence in SENTENCES)
    return list(islice(cycle(pairs), count))


def text_batch(tokenizer: Any, pairs: Texts, generative: bool) -> Batch:
    """The texts as token ids: padded, masked, and with labels where the task has some."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # GPT-2 and Llama have none; the mask hides it

    def ids(side: list[str]) -> Batch:
        read = tokenizer(side, padding=True, padding_side="right", return_tensors="pt")
        return {"input_ids": read["input_ids"], "attention_mask": read["attention_mask"]}

    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    return batch_of(ids(sources), ids(targets) if any(targets) else None, generative)


def random_batch(vocab: int, encoder_decoder: bool, generative: bool, count: int, seed: int) -> Batch:
    """Random ids, the last text two tokens shorter than the others."""
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> Batch:
        mask = torch.ones(count, length, dtype=torch.long)
        if count > 1:
            mask[-1, -2:] = 0
        low = min(3, vocab - 1)  # the first few are padding, end and begin, in most families
        return {"input_ids": torch.randint(low, vocab, (count, length), generator=generator), "attention_mask": mask}

    return batch_of(ids(9), ids(7) if encoder_decoder else None, generative)


def batch_of(read: Batch, written: Batch | None, generative: bool) -> Batch:
    """What the model is called with; `written` is for a decoder that has an encoder.

    The decoder's mask is usually left out; here it shows how it grows.
    """
    batch = dict(read)
    if generative:
        answer = written or read
        batch["labels"] = answer["input_ids"].masked_fill(answer["attention_mask"] == 0, -100)  # no loss on padding
    if written:
        batch["decoder_attention_mask"] = written["attention_mask"]
    return batch
