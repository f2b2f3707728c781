"""What a model is trained on: a task has a name, examples, a batch made of some of them, and a score.

Any object with these four is a `Task`. For each of PEFT's six task types there is a class that needs no more than
examples, named as PEFT names the model: `TaskForCausalLM` for `PeftModelForCausalLM`, and so on; here the two that
generate, the others in `task_heads`. Every score is the share of examples, 0 to 1, whose answer is right as a whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor, nn

Batch = dict[str, Int[Tensor, "batch *_"]]
PARTS = ("train", "test")
AT_ONCE = 128  # examples that are answered together
IGNORED = -100  # a label that the loss leaves out, torch's and transformers' number


@runtime_checkable
class Task(Protocol):
    """What `train` asks of a task. A task may also have a `loss(model, batch)`; without one the model's own is used."""

    name: str

    def examples(self, part: str) -> Sequence[Any]:
        """Those of "train", or those of "test", which no training sees."""

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """What the model's forward takes, labels included; (batch, tokens) or (batch,) each."""

    def score(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> float:
        """How well the model does on these, 0 to 1."""


class TaskOfExamples:
    """What the six classes share. A subclass says what a batch is, what the model answers, and what is right.

    Without `test`, the first example and each tenth after it are held out for measuring.
    """

    task_type = ""

    def __init__(self, name: str, train: Sequence[Any], test: Sequence[Any] | None = None):
        self.name = name
        self.train, self.test = (train, test) if test is not None else kept_and_held_out(train)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.task_type}, {len(self.train):,} to train on, {len(self.test):,} held out>"

    def examples(self, part: str) -> Sequence[Any]:
        """Those of "train" or of "test". Raises `ValueError` for another part."""
        if part not in PARTS:
            raise ValueError(f"part={part!r}, expected one of {', '.join(map(repr, PARTS))}.")
        return self.train if part == "train" else self.test

    def source(self, example: Any) -> str:
        """What is read, as a person sees it."""
        return example[0]

    def target(self, example: Any) -> Any:
        """The right answer."""
        return example[1]

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[Any]:
        """What the model gives for each example."""
        raise NotImplementedError

    def score(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> float:
        """The share of examples, 0 to 1, whose answer is right as a whole. Raises `ValueError` for no examples."""
        if not examples:
            raise ValueError(f"examples is empty, expected at least one; examples('test') of {self.name!r} has them.")
        right = 0
        for start in range(0, len(examples), AT_ONCE):
            some = examples[start : start + AT_ONCE]
            given = self.answers(model, tokenizer, some)
            right += sum(self.is_right(answer, example) for answer, example in zip(given, some, strict=True))
        return right / len(examples)

    def is_right(self, answer: Any, example: Any) -> bool:
        """Whether this answer is the right one."""
        return answer == self.target(example)


def kept_and_held_out(rows: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Nine in ten to train on, and one in ten to measure on: the first, the eleventh, …"""
    return [row for number, row in enumerate(rows) if number % 10], list(rows[::10])


def drawn(examples: Sequence[Any], batch_size: int, seed: int) -> Iterator[list[Any]]:
    """Without end: `batch_size` different examples (all, if they are fewer), the same ones for the same seed."""
    random = Random(seed)
    while True:
        yield random.sample(examples, min(batch_size, len(examples)))


@contextmanager
def answering(model: nn.Module) -> Iterator[torch.device]:
    """In eval mode and without gradients inside, and afterwards as before. Gives the device that inputs belong on."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(training)


class TaskForSeq2SeqLM(TaskOfExamples):
    """Text to text, for an encoder-decoder: an example is (source, target), two texts.

    `instruction` stands before the source where `instructed()` is asked for: it is what a prefix is to replace.
    """

    task_type = "SEQ_2_SEQ_LM"

    def __init__(
        self,
        name: str,
        train: Sequence[Any],
        test: Sequence[Any] | None = None,
        instruction: str = "",
    ):
        super().__init__(name, train, test)
        self.instruction = instruction

    def instructed(self) -> TaskForSeq2SeqLM:
        """The same task with the instruction written before each source."""
        told = copy.copy(self)
        for part in PARTS:
            setattr(told, part, [(self.instruction + source, *rest) for source, *rest in getattr(self, part)])
        return told

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids and attention_mask (batch, source), labels (batch, target)."""
        return make_batch(tokenizer, [row[0] for row in examples], [row[1] for row in examples])

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[str]:
        """The likeliest text for each source, two tokens longer at most than the longest right one."""
        longest = max(len(tokenizer(row[1])["input_ids"]) for row in examples)
        return answers(model, tokenizer, [row[0] for row in examples], max_new_tokens=longest + 2)


class TaskForCausalLM(TaskForSeq2SeqLM):
    """Text that goes on, for a decoder alone: an example is (source, target), and the target follows after a space."""

    task_type = "CAUSAL_LM"

    def batch(self, tokenizer: Any, examples: Sequence[Any]) -> Batch:
        """input_ids, attention_mask and labels (batch, source+target); of the source nothing is to be learnt."""
        rows = []
        for source, target, *_ in examples:
            before = tokenizer(source, add_special_tokens=False)["input_ids"]
            after = [*tokenizer(f" {target}", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            rows.append((before + after, [IGNORED] * len(before) + after))
        ids = padded([ids for ids, _ in rows], pad_id(tokenizer))
        mask = padded([[1] * len(ids) for ids, _ in rows], 0)
        return {"input_ids": ids, "attention_mask": mask, "labels": padded([labels for _, labels in rows], IGNORED)}

    def answers(self, model: nn.Module, tokenizer: Any, examples: Sequence[Any]) -> list[str]:
        """How each source goes on, the likeliest token at every step, up to the end of the text.

        Sources stand at the right, so that all of them go on from the same place.
        """
        longest = max(len(tokenizer(f" {row[1]}", add_special_tokens=False)["input_ids"]) for row in examples)
        rows = [tokenizer(row[0], add_special_tokens=False)["input_ids"] for row in examples]
        width, pad = max(map(len, rows)), pad_id(tokenizer)
        with answering(model) as device:
            tokens = model.generate(
                input_ids=torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=device),
                attention_mask=torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device),
                max_new_tokens=longest + 2,
                do_sample=False,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=pad,
            )  # (batch, source) → (batch, source+target)
        return [text.strip() for text in tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True)]


def make_batch(tokenizer: Any, sources: list[str], targets: list[str]) -> Batch:
    """Texts → what a model's forward takes: input_ids and attention_mask (batch, source), labels (batch, target).

    Padding is 0 in the mask and -100 in the labels, which the loss leaves out.
    """
    source = tokenizer(sources, padding=True, return_tensors="pt")
    target = tokenizer(targets, padding=True, return_tensors="pt")
    labels = target["input_ids"].masked_fill(target["attention_mask"] == 0, IGNORED)
    return {"input_ids": source["input_ids"], "attention_mask": source["attention_mask"], "labels": labels}


def answers(model: nn.Module, tokenizer: Any, sources: list[str], max_new_tokens: int = 24) -> list[str]:
    """What the model writes for each source, the likeliest token at every step."""
    batch = tokenizer(sources, padding=True, return_tensors="pt")
    with answering(model) as device:
        tokens = model.generate(
            input_ids=batch["input_ids"].to(device),
            attention_mask=batch["attention_mask"].to(device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
        )  # (batch, source) → (batch, 1+target): the start token comes first
    return tokenizer.batch_decode(tokens, skip_special_tokens=True)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on this device."""
    return {name: tensor.to(device) for name, tensor in batch.items()}


def padded(rows: list[list[int]], fill: int) -> Int[Tensor, "batch tokens"]:
    """Rows of unequal length as one tensor, filled up at their ends."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=fill)


def pad_id(tokenizer: Any) -> int:
    """The token that fills up; a tokenizer without one (GPT-2's) ends a text instead, masked all the same."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
