"""`train`: the whole loop, for a prefix, for LoRA or for all of a model, and what is checked around it.

It runs over 🤗 Accelerate: on a CPU, on a GPU, or in several processes, by the same lines; `accelerate launch` starts
them on GPUs, `torchrun` on CPUs. Each draws the same batch and takes its share of the rows; gradients are those of the
whole batch.
"""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from prefix_lab.course.history import ALL_TRAINED, UNCHANGED, History
from prefix_lab.course.kept import Interrupted, Kept, Stop
from prefix_lab.course.loading import tokenizer_of
from prefix_lab.course.tasks import IGNORED, Batch, Task, drawn, moved
from prefix_lab.locale import _

MEASUREMENTS = 10


def train(
    model: nn.Module,
    task: Task | Iterable[Batch],
    steps: int = 300,
    rate: float = 0.03,
    progress: str | None = None,
    *,
    tokenizer: Any = None,
    batch_size: int = 16,
    seed: int = 0,
    measured_on: int = 100,
    folder: str | Path | None = None,
) -> History:
    """Train what has `requires_grad` with AdamW, and return the history: the loss of every step, and what was right.

    `rate` is the highest learning rate; 0.03 suits a prefix, all of a model wants a tenth of it or less. Ten times, the
    first `measured_on` held-out examples are answered. `folder` keeps the training as it goes: the same call goes on
    where an interrupted one stopped, and ends with the same bits. `tokenizer` is the model's own where none is given.
    `progress` names the progress bar, "" shows none. The model is left in eval mode, on the device where it was; the
    caller's random numbers stay as they are.

    In place of a task there may be batches, which are taken as they come; fewer than `steps` end the training early.

    Raises `ValueError` for no data, for a text or label that the model cannot take and for a folder with another
    training in it, `FloatingPointError` for a loss that is no number, `Interrupted` for Ctrl-C. What was learnt until
    then is in the model.
    """
    check_asked(task, steps, batch_size)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trained:
        raise ValueError(
            f"model is a {type(model).__name__} of which nothing requires_grad: there is nothing to train."
        )
    accelerator, home, parameters = Accelerator(), next(model.parameters()).device, list(trained.values())
    history, fingerprint = History(steps), frozen_digest(model)
    made_with = {"steps": steps, "rate": rate, "seed": seed, "frozen": fingerprint}
    batches, loss_of, score = task, model_loss, None
    if isinstance(task, Task):
        tokenizer, held_out = tokenizer or tokenizer_of(model), task.examples("test")[:measured_on]
        batches = batches_of(task, model, tokenizer, batch_size, seed, accelerator)
        loss_of = getattr(task, "loss", model_loss)
        score = (lambda: task.score(model, tokenizer, held_out)) if held_out else None
        progress = task.name if progress is None else progress
        made_with |= {"task": task.name, "batch_size": batch_size}

    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.0)
    wrapped, optimizer = accelerator.prepare(model, optimizer)  # on its device; several processes share gradients
    kept = Kept(folder, trained, optimizer, history, made_with)
    bar = tqdm(total=steps, desc=progress, disable=not (progress and accelerator.is_main_process))
    alone = accelerator.num_processes == 1
    try:
        with torch.random.fork_rng(), Stop(heard=alone) as stop, bar:
            torch.manual_seed(seed)  # for dropout
            kept.read()
            bar.update(len(history))
            if score and not history:
                history.scores.append((0, score()))
            model.train()
            for batch in islice(batches, len(history), steps):
                for group in optimizer.param_groups:
                    group["lr"] = rate_at(len(history), steps, rate)
                loss = loss_of(wrapped, moved(batch, accelerator.device)) * share_of(batch, accelerator)
                optimizer.zero_grad()
                accelerator.backward(loss)
                length = accelerator.clip_grad_norm_(parameters, 1.0)
                loss = accelerator.reduce(loss.detach(), "mean")
                check_finite(loss, length, history, rate)
                optimizer.step()
                history.append(loss.item())
                measuring = len(history) % max(1, steps // MEASUREMENTS) == 0
                if score and measuring:
                    history.scores.append((len(history), score()))
                    model.train()
                bar.set_postfix_str(history.text.partition(" · ")[2], refresh=False)
                bar.update()
                if (measuring or stop.asked) and accelerator.is_main_process:
                    kept.write()
                if stop.asked and len(history) < steps:
                    raise Interrupted(history, folder)
            if steps and not history:
                raise ValueError("The batches are none: there is nothing to learn from.")
            if accelerator.is_main_process:
                kept.write()
            accelerator.wait_for_everyone()
    finally:
        model.eval().to(home)
    history.below = said_of_base(model, fingerprint)
    return history


def check_asked(task: Any, steps: Any, batch_size: Any) -> None:
    """Raise `ValueError` for what is neither a task nor batches, and for a number that is none."""
    if isinstance(task, str):
        raise ValueError(f"task={task!r}, expected a task, such as world_task('CAUSAL_LM'), or batches.")
    for name, number, least in (("steps", steps, 0), ("batch_size", batch_size, 1)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise ValueError(f"{name}={number!r}, expected a whole number of at least {least}.")


def rate_at(step: int, steps: int, rate: float) -> float:
    """The learning rate of a step: up to `rate` in the first twentieth, then down to nearly 0 in a straight line."""
    warmup = max(1, steps // 20)
    return rate * min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def model_loss(model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
    """The loss that the model's own forward computes. Raises `ValueError` where it gives none."""
    loss = getattr(model(**batch), "loss", None)
    if loss is None:
        raise ValueError(
            f"The model's forward gave no loss for {', '.join(batch)}. Put labels in the batch, or give the task a "
            "loss(model, batch)."
        )
    return loss


def batches_of(
    task: Task, model: nn.Module, tokenizer: Any, batch_size: int, seed: int, accelerator: Accelerator
) -> Iterator[Batch]:
    """Batches of a task without end, the same ones for the same seed; of each, the rows of this process.

    Raises `ValueError` at once for no examples and for a task of another kind, or with other labels, than the model's;
    later for a batch that the model cannot take.
    """
    wrapped_for = getattr(getattr(model, "active_peft_config", None), "task_type", None)
    kind = getattr(task, "task_type", None)
    if None not in (kind, wrapped_for) and kind != wrapped_for:
        name = getattr(wrapped_for, "value", wrapped_for)
        raise ValueError(f"task is {task.name!r}, of task_type={kind!r}, and the model was wrapped for {name!r}.")
    labels, outputs = getattr(task, "labels", None), getattr(model.config, "num_labels", None)
    if labels is not None and len(labels) != outputs:
        raise ValueError(
            f"task is {task.name!r}, with {len(labels)} labels, and the model's head has num_labels={outputs}. Load "
            f"the model with load_model(name, task), or with num_labels={len(labels)}."
        )
    examples = list(task.examples("train"))
    if not examples:
        raise ValueError(f"task is {task.name!r}, and its examples('train') are none: there is nothing to learn from.")

    def batches() -> Iterator[Batch]:
        for some in drawn(examples, batch_size, seed):
            with accelerator.split_between_processes(some) as mine:
                batch = task.batch(tokenizer, mine)
            check_fits(model, batch, mine)
            yield batch

    return batches()


def share_of(batch: Batch, accelerator: Accelerator) -> float | Float[Tensor, ""]:
    """What to weigh a process's loss with, so that the mean over processes is the mean over the whole batch.

    A loss is a mean over labels, and one process may have more of them than another.
    """
    if accelerator.num_processes == 1:
        return 1.0
    count = (batch["labels"] != IGNORED).sum() if "labels" in batch else torch.tensor(len(batch["input_ids"]))
    count = count.to(accelerator.device, torch.float32)
    return count / accelerator.reduce(count, "mean")


def check_fits(model: nn.Module, batch: Batch, examples: Sequence[Any]) -> None:
    """Raise `ValueError` for a text with more tokens, or a label with a higher number, than the model takes."""
    config, two = model.config, getattr(model.config, "is_encoder_decoder", False)
    most = getattr(config, "max_position_embeddings", None)
    prefix_len = getattr(getattr(model, "active_peft_config", None), "num_virtual_tokens", None) or 0
    for name, before in (("input_ids", 0 if two else prefix_len), ("labels", prefix_len)):
        tokens = batch.get(name)
        if most is None or tokens is None or tokens.dim() < 2 or tokens.shape[1] + before <= most:
            continue
        filled = batch["attention_mask"] if name == "input_ids" and "attention_mask" in batch else tokens != IGNORED
        row = int(filled.sum(1).argmax())
        raise ValueError(
            f"An example has {tokens.shape[1]} tokens of {name} and {before} virtual ones before them, more than the "
            f"{most} that the model takes. Cut it, or leave it out: {shortened(examples[row % len(examples)])}"
        )


def shortened(example: Any) -> str:
    """The beginning of what an example looks like."""
    text = repr(example)
    return text if len(text) <= 100 else f"{text[:99]}…"


def check_finite(loss: Tensor, length: Any, history: History, rate: float) -> None:
    """Raise `FloatingPointError`, before a step is done with it, for a loss or a gradient that is no number."""
    if math.isfinite(loss) and math.isfinite(length):
        return
    raise FloatingPointError(
        f"The loss is {float(loss)} and its gradient {float(length)} long, in step {len(history) + 1} of "
        f"{history.steps}. The model is as it was after step {len(history)}. Most likely the rate, "
        f"{rate}, is too high: begin with the model anew, and rate={rate / 10:g}."
    )


def versions() -> dict[str, str]:
    """What trained: other versions' sums may round differently."""
    found = {"torch": torch.__version__, "transformers": transformers.__version__}
    return {"python": platform.python_version()} | found


def digest(module: nn.Module) -> str:
    """A short fingerprint of every number of a module: one changed bit anywhere, and it is another."""
    return fingerprint_of(module.state_dict().items())


def frozen_digest(model: nn.Module) -> str:
    """A fingerprint of all that does not train; empty where all of it does."""
    frozen = [(name, one) for name, one in model.named_parameters() if not one.requires_grad]
    return fingerprint_of(frozen) if frozen else ""


def fingerprint_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Of their names and their bytes."""
    found = hashlib.sha256()
    for name, tensor in tensors:
        found.update(name.encode() + tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def said_of_base(model: nn.Module, fingerprint: str) -> str:
    """How many numbers trained, and the proof that no other did. Raises `RuntimeError` where one did."""
    numbers = {yes: sum(p.numel() for p in model.parameters() if p.requires_grad is yes) for yes in (True, False)}
    if frozen_digest(model) != fingerprint:
        raise RuntimeError("A number of the model that does not train has changed: something writes into the base.")
    template = _(UNCHANGED if fingerprint else ALL_TRAINED)
    return template.format(trained=numbers[True], frozen=numbers[False], fingerprint=fingerprint)
