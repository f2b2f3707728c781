"""Messages of the libraries that say nothing about the walk, kept from the terminal one by one and by their text."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging

LOSS_TYPE_UNSAID = "`loss_type=None` was set in the config"
"""GPT-2's class name does not say which loss it takes; transformers tells so, and takes the right one."""

PEFT_ASKS_BY_AN_OLD_NAME = (FutureWarning, "`is_gradient_checkpointing` is deprecated")
"""Said by transformers whenever PEFT 0.21.2 wraps a model. Nobody but PEFT can ask otherwise."""

LOADED_OTHERWISE = ("LOAD REPORT", "The tied weights mapping and config for this model specifies")
"""Said by `from_pretrained`; the walk says itself which weights were not in the folder."""


@contextmanager
def without_warning(category: type[Warning], text: str) -> Iterator[None]:
    """Inside, or in a function that this decorates, warnings of this class that begin with `text` are not shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", re.escape(text), category)
        yield


@contextmanager
def without_log(*texts: str, logger: str = "transformers.modeling_utils") -> Iterator[None]:
    """Inside, messages of this logger with one of `texts` in them are not shown."""

    def keep(record: logging.LogRecord) -> bool:
        return not any(text in str(record.msg) for text in texts)

    log = logging.getLogger(logger)
    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Inside, transformers draws no bars; afterwards it does again if it did before."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
