"""The two libraries behind one face: the walk does the same steps with ours and with PEFT's, side by side.

The names are the same in both, so a step is written once. PEFT is imported here only, when it is asked for.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from prefix_lab import checkpoint, mapping, prepare
from prefix_lab.config import MIRRORED_PEFT, PrefixTuningConfig
from prefix_lab.walk.quiet import PEFT_ASKS_BY_AN_OLD_NAME, without_warning


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
