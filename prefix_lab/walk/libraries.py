"""The two libraries of a walk, ours and PEFT's, behind one face, and what both run under: seed, device, quiet.

The names are the same in both libraries, so a step is written once. PEFT is imported here only, when it is asked for.
Messages of the libraries that say nothing about the walk are kept from the terminal one by one and by their text.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers.utils import logging as transformers_logging

from prefix_lab import PrefixTuningConfig, checkpoint
from prefix_lab.beside import fitting as prepare
from prefix_lab.beside import wrapping as mapping
from prefix_lab.config import MIRRORED_PEFT

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
def without_log(*texts: str) -> Iterator[None]:
    """Inside, messages about transformers' models with one of `texts` in them are not shown."""

    def keep(record: logging.LogRecord) -> bool:
        return not any(text in str(record.msg) for text in texts)

    log = logging.getLogger("transformers.modeling_utils")
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


def on_meta(model: nn.Module) -> bool:
    """Whether the model has shapes and no values."""
    return next(model.parameters()).is_meta


@contextmanager
def same_random_numbers(model: nn.Module, seed: int) -> Iterator[None]:
    """Random numbers from `seed`, and on the meta device if the model is there. The caller's numbers are unchanged."""
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        torch.manual_seed(seed)
        if on_meta(model):
            stack.enter_context(torch.device("meta"))
            stack.enter_context(WithoutValues())
        yield


class WithoutValues(TorchFunctionMode):
    """Answer the two questions that a model without values is asked on its way.

    Masks are asked whether they are all ones, to be left out if so: they are not, so every mask is really built. And
    what is to be saved is asked to come to the CPU: it stays where it is.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if args and isinstance(args[0], Tensor) and args[0].is_meta:
            if func in (Tensor.all, torch.all) and len(args) == 1 and not kwargs:
                return torch.tensor(False, device="cpu")
            if func is Tensor.cpu:
                return args[0]
        return func(*args, **(kwargs or {}))


class Library(NamedTuple):
    """The functions that a walk calls. They are looked up when the walk begins, so that a patched one is seen."""

    name: str
    version: str
    choose: Callable  # config → task class
    prepare: Callable  # config, the model's config → the config, its sizes filled
    wrap: Callable  # model, config → the wrapped model
    state_dict: Callable  # wrapped model → what a checkpoint holds
    save: Callable  # wrapped model, folder → two files
    config: Callable[[PrefixTuningConfig], Any]  # our config → this library's, a copy


def ours() -> Library:
    """This package."""
    return Library(
        name="prefix_lab",
        version=MIRRORED_PEFT,
        choose=mapping.choose_task_class,
        prepare=prepare.prepare_prompt_learning_config,
        wrap=mapping.get_peft_model,
        state_dict=checkpoint.get_peft_model_state_dict,
        save=checkpoint.save_pretrained,
        config=lambda config: PrefixTuningConfig(**config.to_dict()),
    )


def installed_peft() -> Library | None:
    """PEFT as installed; None when it is not: it is an optional extra."""
    try:
        import peft
        from peft.utils.other import _prepare_prompt_learning_config
    except ModuleNotFoundError as error:
        if error.name != "peft":
            raise  # it is there, something that it imports is not
        return None
    return Library(
        name="peft",
        version=peft.__version__,
        choose=lambda config: peft.MODEL_TYPE_TO_PEFT_MODEL_MAPPING[config.task_type],
        prepare=lambda config, model_config: _prepare_prompt_learning_config(config, model_config),
        wrap=without_warning(*PEFT_ASKS_BY_AN_OLD_NAME)(peft.get_peft_model),
        state_dict=lambda model: peft.get_peft_model_state_dict(model, save_embedding_layers=False),
        # "auto" would ask a hub whether the base model's vocabulary has grown; a prefix never touches it.
        save=lambda model, folder: model.save_pretrained(folder, save_embedding_layers=False),
        config=lambda config: peft.PrefixTuningConfig(**config.to_dict()),
    )
