"""What the tiny T5 was taught, and how a text-to-text model is trained, watched and measured.

Every task reads one word and writes one text. They are easy to check by eye and hard to do by luck, so that a prefix
that steers the model from one to another shows at once. The functions take any tokenizer and any encoder-decoder model,
with or without a prefix before it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from prefix_lab.course.ready import running_shell
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

Batch = dict[str, Int[Tensor, "batch _"]]
WORDS_FILE = Path(__file__).with_name("words.txt")
"""3,464 lower-case English words of 3 to 9 letters, sorted, the same on every machine.

They were taken once from Python's own documentation (the docstrings of the standard library and `pydoc_data.topics` of
Python 3.11), then read through by hand to leave out identifiers, abbreviations and anything unkind. They are frozen in
a file because Python's documentation is another text in each version, and the training must not be.
"""


@cache
def all_words() -> tuple[str, ...]:
    """Every word, sorted."""
    return tuple(WORDS_FILE.read_text(encoding="utf-8").split())


def is_held_out(word: str) -> bool:
    """Whether training never sees the word: about one in ten, by a hash, so that a longer list moves no word."""
    return zlib.crc32(word.encode()) % 10 == 0


def held_out_words() -> list[str]:
    """The words that no training uses, sorted: measure on these."""
    return [word for word in all_words() if is_held_out(word)]


def seen_words() -> list[str]:
    """The words to train on, sorted."""
    return [word for word in all_words() if not is_held_out(word)]


class Task(NamedTuple):
    """An instruction and what it means."""

    instruction: str  # stands before the word
    function: Callable[[str], str]  # the word → the expected answer
    share: int = 1  # how often pretraining draws it, beside the others: the hard ones need more practice


def vowels(word: str) -> str:
    """The vowels in their order, or `-`: an empty answer could not be told from none."""
    return "".join(letter for letter in word if letter in "aeiou") or "-"


def consonants(word: str) -> str:
    """The letters that are no vowels, in their order, or `-`."""
    return "".join(letter for letter in word if letter not in "aeiou") or "-"


def swap(word: str) -> str:
    """First and last letter exchanged."""
    return word if len(word) < 2 else word[-1] + word[1:-1] + word[0]


TASKS: dict[str, Task] = {
    "reverse": Task("reverse: ", lambda word: word[::-1]),
    "upper": Task("upper: ", str.upper),
    "vowels": Task("vowels: ", vowels),
    "consonants": Task("consonants: ", consonants),
    "double": Task("double: ", lambda word: word + word, share=2),
    "sort": Task("sort: ", lambda word: "".join(sorted(word)), share=2),
    "swap": Task("swap: ", swap),
    "rotate": Task("rotate: ", lambda word: word[1:] + word[:1]),
    "unique": Task("unique: ", lambda word: "".join(dict.fromkeys(word)), share=2),
    "length": Task("length: ", lambda word: str(len(word))),
}


def get_task(name: str) -> Task:
    """The row of that name. Raises `ValueError` for a name that is not in the table."""
    if name not in TASKS:
        raise ValueError(f"task={name!r}, expected one of: {', '.join(TASKS)}.")
    return TASKS[name]


def source_text(name: str, word: str, instruction: bool = True) -> str:
    """What the model reads: the word after its instruction, or the bare word. Raises `ValueError` as `get_task`."""
    return get_task(name).instruction * instruction + word


def target_text(name: str, word: str) -> str:
    """What the model should write. Raises `ValueError` as `get_task`."""
    return get_task(name).function(word)


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


def digest(module: nn.Module) -> str:
    """A short fingerprint of every number of a module: one changed bit anywhere, and it is another."""
    found = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        found.update(name.encode() + tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


class LiveTraining:
    """A progress bar with the loss and the exact match so far, drawn anew while a loop runs.

    `add(loss)` after each step, `measured(share)` after each measurement; `every` is how often the bar moves, `start`
    and `goal` are the exact match before and the one to reach. In a terminal each measurement is a line of text.
    """

    def __init__(self, steps: int, every: int = 10, start: float = 0.0, goal: float | None = None):
        self.steps, self.every, self.goal = steps, every, goal
        self.losses: list[float] = []
        self.matches = [(0, start)]
        self.svg = ""
        self.handle = displayed(self)

    def add(self, loss: float) -> None:
        """One more step."""
        self.losses.append(loss)
        if len(self.losses) % self.every == 0:
            self.refresh()

    def measured(self, share: float) -> None:
        """What share of words is right now."""
        self.matches.append((len(self.losses), share))
        self.svg = self.final().svg
        if self.handle is None:
            print(self.text)
        self.refresh()

    def refresh(self) -> None:
        """Show how far it is."""
        if self.handle is not None:
            self.handle.update(self)

    @property
    def text(self) -> str:
        """Where the training is, in a line."""
        loss = f" · loss {self.losses[-1]:.4f}" if self.losses else ""
        return f"step {len(self.losses)} of {self.steps}{loss} · exact match {100 * self.matches[-1][1]:.1f} %"

    def final(self) -> Drawn:
        """Loss and exact match over the steps."""
        return draw_training(self.losses, self.matches, self.steps, self.goal)

    def _repr_html_(self) -> str:
        bar = f"<progress value='{len(self.losses)}' max='{self.steps}' style='width: 16em'></progress>"
        return f"<div>{bar} {escape(self.text)}</div>{self.svg}"

    def __repr__(self) -> str:
        return self.text


def displayed(what: Any) -> Any:
    """Shown where there is a notebook, with a handle to change it; None in a terminal."""
    if not hasattr(running_shell(), "kernel"):
        return None
    from IPython.display import display

    return display(what, display_id=True)


def draw_training(
    losses: Sequence[float], matches: Sequence[tuple[int, float]], steps: int, goal: float | None
) -> Drawn:
    """Two curves side by side; the dashed line is `goal`."""
    figure = new_figure(9.6, 2.7)
    left, right = figure.subplots(1, 2)
    left.plot(range(1, len(losses) + 1), losses, color=COLOURS["prefix_len"], linewidth=1)
    left.set(xlim=(0, steps), ylim=(0, None))
    plain_axes(left, "loss of each batch", "step", "cross entropy, nats a token", axis="y")
    at, percent = [step for step, _ in matches], [100 * share for _, share in matches]
    right.plot(at, percent, color=COLOURS["prefix_len"], marker="o", markersize=4, linewidth=1.4)
    right.set(xlim=(-0.02 * steps, 1.02 * steps), ylim=(-3, 103))
    plain_axes(right, "held-out words that are right to the letter", "step", "exact match, %", axis="y")
    said = f"The loss went from {losses[0]:.2f} to {losses[-1]:.4f} in {len(losses)} steps. Exact match: "
    said += ", ".join(f"{100 * share:.1f} % at step {step}" for step, share in matches) + "."
    if goal is not None:
        right.axhline(100 * goal, color=INK, linewidth=0.9, linestyle="--", label="with the written instruction")
        right.legend(loc="lower right", frameon=False, labelcolor=INK, fontsize=8)
        said += f" With the written instruction it is {100 * goal:.1f} %."
    return drawn(figure, "Training the prefix", said)
