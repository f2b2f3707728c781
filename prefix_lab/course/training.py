"""Small helpers to train a text-to-text model and to measure it; the pretraining and the lessons share them.

They take any tokenizer and any encoder-decoder model, with or without a prefix before it.
"""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from prefix_lab.course.tasks import source_text, target_text

Batch = dict[str, Int[Tensor, "batch _"]]


def make_batch(tokenizer: Any, sources: list[str], targets: list[str]) -> Batch:
    """Texts → what a model's forward takes: input_ids and attention_mask (batch, source), labels (batch, target).

    Padding is 0 in the mask and -100 in the labels, which the loss leaves out.
    """
    source = tokenizer(sources, padding=True, return_tensors="pt")
    target = tokenizer(targets, padding=True, return_tensors="pt")
    labels = target["input_ids"].masked_fill(target["attention_mask"] == 0, -100)
    return {"input_ids": source["input_ids"], "attention_mask": source["attention_mask"], "labels": labels}


def task_batch(tokenizer: Any, words: list[str], task: str, instruction: bool = True) -> Batch:
    """The words as one batch of a task, with its instruction or bare. Raises `ValueError` for an unknown task."""
    sources = [source_text(task, word, instruction) for word in words]
    return make_batch(tokenizer, sources, [target_text(task, word) for word in words])


def task_batches(
    tokenizer: Any, words: list[str], task: str, instruction: bool = True, batch_size: int = 32, seed: int = 0
) -> Iterator[Batch]:
    """Batches of a task without end, each of `batch_size` different words, the same ones for the same seed."""
    random = Random(seed)
    while True:
        yield task_batch(tokenizer, random.sample(words, batch_size), task, instruction)


def rate_at(step: int, steps: int, rate: float) -> float:
    """The learning rate of a step: up to `rate` in the first twentieth, then down to nearly 0 in a straight line."""
    warmup = max(1, steps // 20)
    return rate * min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def train(
    model: nn.Module, batches: Iterable[Batch], steps: int, rate: float, progress: str | None = None
) -> list[float]:
    """Train what has `requires_grad` for `steps` batches with AdamW, and return the loss of every step.

    `rate` is the highest learning rate; `progress` names a progress bar, None shows none. The model is left in eval
    mode. Fewer batches than steps end the training early.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.0)
    losses: list[float] = []
    model.train()
    with tqdm(total=steps, desc=progress, disable=progress is None) as bar:
        for step, batch in zip(range(steps), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, steps, rate)
            loss = model(**batch).loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            losses.append(loss.item())
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
    model.eval()
    return losses


@torch.no_grad()
def answers(model: nn.Module, tokenizer: Any, sources: list[str], max_new_tokens: int = 24) -> list[str]:
    """What the model writes for each source, the likeliest token at every step."""
    batch = tokenizer(sources, padding=True, return_tensors="pt")
    tokens = model.generate(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        max_new_tokens=max_new_tokens,
        do_sample=False,
    )  # (batch, source) → (batch, 1+target): the start token comes first
    return tokenizer.batch_decode(tokens, skip_special_tokens=True)


def exact_match(
    model: nn.Module, tokenizer: Any, words: list[str], task: str, instruction: bool = True, batch_size: int = 128
) -> float:
    """The share of words, 0 to 1, whose answer is right to the letter. Raises `ValueError` for no words.

    `instruction=False` gives the model the bare word: what it then knows of the task, a prefix must have told it.
    """
    if not words:
        raise ValueError("words is empty, expected at least one; held_out_words() gives those to measure on.")
    right = 0
    for start in range(0, len(words), batch_size):
        some = words[start : start + batch_size]
        given = answers(model, tokenizer, [source_text(task, word, instruction) for word in some])
        right += sum(answer == target_text(task, word) for answer, word in zip(given, some, strict=True))
    return right / len(words)
