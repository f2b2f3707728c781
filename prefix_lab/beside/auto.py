"""From a saved adapter alone to the wrapped model: the base model's name stands in the adapter's config.

Mirrors `peft.auto`.
"""

import os
from pathlib import Path
from typing import Any

import transformers

from prefix_lab.beside.adapters import MODEL_TYPE_TO_PEFT_MODEL_MAPPING, PeftModel
from prefix_lab.beside.configs import PeftConfig
from prefix_lab.beside.heads import (
    PeftModelForQuestionAnswering,
    PeftModelForSequenceClassification,
    PeftModelForTokenClassification,
)
from prefix_lab.beside.hub import HUB, IDLE, ONLY, whereabouts
from prefix_lab.beside.language_models import (
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForSeq2SeqLM,
)


class AutoPeftModel:
    """Loads the base model that an adapter names, then the adapter. Source: `peft.auto.AutoPeftModel`."""

    base_class: Any = None
    peft_class: type[PeftModel] = PeftModel

    def __init__(self, *args: Any, **kwargs: Any):
        raise OSError(f"{type(self).__name__} is not made: call {type(self).__name__}.from_pretrained(path).")

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        adapter_name: str = "default",
        is_trainable: bool = False,
        config: PeftConfig | None = None,
        revision: str | None = None,
        **options: Any,
    ) -> PeftModel:
        """`options` go to the base model's `from_pretrained`, and to the adapter's those that it knows.

        Raises `ValueError` for an adapter of another task, and as both `from_pretrained` do.
        """
        kept = PeftConfig.from_pretrained(
            pretrained_model_name_or_path, revision=revision, **{n: v for n, v in options.items() if n in HUB}
        )
        expected = MODEL_TYPE_TO_PEFT_MODEL_MAPPING.get(kept.task_type)
        if cls.base_class is None or expected is not cls.peft_class:
            wanted = f"AutoPeftModel{expected.__name__.removeprefix('PeftModel')}" if expected else "PeftModel"
            raise ValueError(
                f"{cls.__name__} cannot load an adapter with task_type={kept.task_type!r}. "
                f"Load it with {wanted}.from_pretrained."
            )
        if not kept.base_model_name_or_path:
            raise ValueError(
                f"The adapter at {str(pretrained_model_name_or_path)!r} does not name its base model. Load the base "
                f"model yourself, and give it to {cls.peft_class.__name__}.from_pretrained."
            )
        base = cls.base_class.from_pretrained(kept.base_model_name_or_path, revision=kept.revision, **options)
        fit_tokenizer(base, pretrained_model_name_or_path, revision, options)
        known = {n: v for n, v in options.items() if n in (*HUB, *IDLE, *ONLY, "autocast_adapter_dtype")}
        return cls.peft_class.from_pretrained(
            base, pretrained_model_name_or_path, adapter_name, is_trainable, config, revision=revision, **known
        )


def fit_tokenizer(base: Any, adapter: str | Path, revision: str | None, options: dict[str, Any]) -> None:
    """Where a tokenizer was saved beside the adapter and knows more words than the base model, add rows for them."""
    folder = whereabouts(adapter, options.get("subfolder"), **({"revision": revision} if revision else {}))
    if not os.path.exists(folder / "tokenizer_config.json"):
        return
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, trust_remote_code=options.get("trust_remote_code", False)
    )
    if len(tokenizer) > base.get_input_embeddings().weight.shape[0]:
        base.resize_token_embeddings(len(tokenizer))


class AutoPeftModelForCausalLM(AutoPeftModel):
    """`AutoPeftModel` for text that goes on."""

    base_class, peft_class = transformers.AutoModelForCausalLM, PeftModelForCausalLM


class AutoPeftModelForSeq2SeqLM(AutoPeftModel):
    """`AutoPeftModel` for text to text."""

    base_class, peft_class = transformers.AutoModelForSeq2SeqLM, PeftModelForSeq2SeqLM


class AutoPeftModelForSequenceClassification(AutoPeftModel):
    """`AutoPeftModel` for one answer for a text."""

    base_class, peft_class = transformers.AutoModelForSequenceClassification, PeftModelForSequenceClassification


class AutoPeftModelForTokenClassification(AutoPeftModel):
    """`AutoPeftModel` for one answer for each token."""

    base_class, peft_class = transformers.AutoModelForTokenClassification, PeftModelForTokenClassification


class AutoPeftModelForQuestionAnswering(AutoPeftModel):
    """`AutoPeftModel` for where the answer stands."""

    base_class, peft_class = transformers.AutoModelForQuestionAnswering, PeftModelForQuestionAnswering


class AutoPeftModelForFeatureExtraction(AutoPeftModel):
    """`AutoPeftModel` for hidden states."""

    base_class, peft_class = transformers.AutoModel, PeftModelForFeatureExtraction
