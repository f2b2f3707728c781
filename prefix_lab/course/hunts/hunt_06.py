"""The stage `prepare`, for several models in a row. Compare `peft.utils.other._prepare_prompt_learning_config`."""

from collections.abc import Iterable
from typing import Any


def wrap_each(models: Iterable[Any], prefix_len: int) -> list[Any]:
    """A prefix of the same length for each of several models, by PEFT itself."""
    from peft import PrefixTuningConfig, get_peft_model

    wrapped = []
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len)
    for model in models:
        wrapped.append(get_peft_model(model, config))
    return wrapped
