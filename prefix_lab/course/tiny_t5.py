"""The tiny T5 that ships with the course: about one million parameters, real enough to be steered by a prefix.

It is an ordinary transformers T5 over bytes (transformers' ByT5Tokenizer), in an ordinary folder, and was pretrained by
`prefix_lab.course.pretrain` on the written instructions of `prefix_lab.course.tasks`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import ByT5Tokenizer, T5ForConditionalGeneration
from transformers.utils import logging

WEIGHTS = Path(__file__).parent / "weights" / "tiny_t5"


def load_tiny_t5(folder: str | Path = WEIGHTS) -> tuple[T5ForConditionalGeneration, ByT5Tokenizer]:
    """The model, in eval mode and float32, and its tokenizer: from a local folder, without network, in under a second.

    `folder` is one that `python -m prefix_lab.course.pretrain --out folder` wrote; the shipped one by default. Raises
    `FileNotFoundError` when the folder holds no model.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(
            f"folder={str(folder)!r} holds no model.safetensors, expected a folder written by the pretraining; run "
            f"`python -m prefix_lab.course.pretrain --out {folder}` to write it."
        )
    with quiet():
        model = T5ForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        tokenizer = ByT5Tokenizer.from_pretrained(folder, local_files_only=True)
    return model.eval(), tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars from transformers inside, and afterwards as before: one second of work needs none."""
    shown = logging.is_progress_bar_enabled()
    if shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
