"""What the pretraining reads: endless batches of written instructions, drawn from all the tasks."""

from collections.abc import Iterator
from random import Random
from typing import Any

from prefix_lab.course.tasks import TASKS, source_text, target_text
from prefix_lab.course.training import Batch, make_batch


def instructed_batches(tokenizer: Any, words: list[str], batch_size: int, seed: int) -> Iterator[Batch]:
    """Batches without end: in each row a task drawn by its share, and any word.

    Every batch mixes the tasks. To sort rows of one length together would save a third of the time, and was tried: the
    batches are then nearly of one task each, and after as many steps `sort` and `double` are right half as often.
    """
    random = Random(seed)
    shares = [task.share for task in TASKS.values()]
    while True:
        rows = [(task, random.choice(words)) for task in random.choices(list(TASKS), shares, k=batch_size)]
        yield make_batch(tokenizer, [source_text(*row) for row in rows], [target_text(*row) for row in rows])
