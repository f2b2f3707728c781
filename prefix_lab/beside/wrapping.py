"""Where a user begins: `get_peft_model` with the full tables, PEFT's warnings and refusals, and `AutoPeftModel…`.

Around `mapping`. Mirrors the rest of `peft.mapping_func.get_peft_model`, and `peft.auto`: from a saved adapter alone to
the wrapped model, for the base model's name stands in the adapter's config. And names of PEFT that are not here:
scripts import the configs of several methods and use one; only that one has to be here.
"""

import os
import warnings
from pathlib import Path
from typing import Any

import transformers
from torch import nn

from prefix_lab import mapping
from prefix_lab.beside.adapters import MODEL_TYPE_TO_PEFT_MODEL_MAPPING, PeftModel, warn_of_name
from prefix_lab.beside.configs import PeftConfig
from prefix_lab.beside.hub_and_trainer import HUB, IDLE, ONLY, whereabouts
from prefix_lab.beside.lora import LoraConfig, LoraLinear
from prefix_lab.beside.task_classes import (
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForQuestionAnswering,
    PeftModelForSeq2SeqLM,
    PeftModelForSequenceClassification,
    PeftModelForTokenClassification,
)
from prefix_lab.config import PromptLearningConfig, TaskType

MODEL_TYPE_TO_PEFT_MODEL_MAPPING |= {
    TaskType.SEQ_CLS: PeftModelForSequenceClassification,
    TaskType.SEQ_2_SEQ_LM: PeftModelForSeq2SeqLM,
    TaskType.CAUSAL_LM: PeftModelForCausalLM,
    TaskType.TOKEN_CLS: PeftModelForTokenClassification,
    TaskType.QUESTION_ANS: PeftModelForQuestionAnswering,
    TaskType.FEATURE_EXTRACTION: PeftModelForFeatureExtraction,
}


def get_peft_model(
    model: nn.Module,
    peft_config: PeftConfig,
    adapter_name: str = "default",
    mixed: bool = False,
    autocast_adapter_dtype: bool = True,
    revision: str | None = None,
    low_cpu_mem_usage: bool = False,
) -> PeftModel:
    """Wrap `model` so that a prefix trains and the model itself stays as it is. The model is changed in place.

    `autocast_adapter_dtype=False` trains LoRA in the base's precision. For a prefix it changes nothing, and
    `low_cpu_mem_usage` never does: they are there so that a call to PEFT can be swapped for this one.
    Source: `peft.mapping_func.get_peft_model`.

    Raises `ValueError` for a task type that has no class, for `mixed=True`, and for what `check` refuses. Model and
    config are then as they were.
    """
    task_class = choose_task_class(peft_config).wrapper_for(peft_config)
    if mixed:
        raise ValueError("mixed=True mixes layers of several methods; prefix tuning adds no layers. Leave it out.")
    warn_of_what_is_replaced(model, peft_config, revision)
    warn_of_name(adapter_name, task_class.parameter_prefix)
    classes = classes_for(peft_config)
    base_name = peft_config.base_model_name_or_path
    try:
        peft_model = mapping.get_peft_model(
            model, peft_config, adapter_name, classes, autocast_adapter_dtype=autocast_adapter_dtype
        )
    except Exception:
        peft_config.base_model_name_or_path = base_name  # written before the class asks `check`, as PEFT does
        raise
    peft_config.revision = revision or peft_config.revision
    return peft_model


def choose_task_class(peft_config: PeftConfig) -> type[PeftModel]:
    """The class for the config's task type.

    Raises `ValueError` when there is none, `TypeError` for an object that is not a config of ours.
    """
    if not isinstance(peft_config, PromptLearningConfig | LoraConfig):
        kind = f"{type(peft_config).__module__}.{type(peft_config).__qualname__}"
        raise TypeError(f"peft_config is a {kind}, expected a PrefixTuningConfig of prefix_lab.")
    return mapping.choose_task_class(peft_config, classes_for(peft_config))


def classes_for(peft_config: PeftConfig) -> dict[str | None, type[PeftModel]]:
    """The table. Changed layers work in any model, so LoRA needs no task; a prefix needs a class that places it."""
    if peft_config.is_prompt_learning:
        return MODEL_TYPE_TO_PEFT_MODEL_MAPPING
    return {**MODEL_TYPE_TO_PEFT_MODEL_MAPPING, None: PeftModel}


def warn_of_what_is_replaced(model: nn.Module, peft_config: PeftConfig, revision: str | None) -> None:
    """PEFT's warnings: the model is changed already, or the config was made for another one."""
    if any(isinstance(module, LoraLinear) for module in model.modules()):
        warnings.warn(
            "You are trying to modify a model with PEFT for a second time. If you want to reload the model with a "
            "different config, make sure to call `.unload()` before.",
            stacklevel=3,
        )
    old_name, new_name = peft_config.base_model_name_or_path, model.__dict__.get("name_or_path") or None
    if old_name is not None and old_name != new_name:
        warnings.warn(
            f"The PEFT config's `base_model_name_or_path` was renamed from '{old_name}' to '{new_name}'. "
            "Please ensure that the correct base model is loaded when loading this checkpoint.",
            stacklevel=3,
        )
    old = peft_config.revision
    if revision is not None and old not in (None, revision):
        warnings.warn(
            f"peft config has already set base model revision to {old}, overwriting with revision {revision}",
            stacklevel=3,
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
            wanted = f"Auto{expected.__name__}" if expected else "PeftModel"
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


def auto_class(base_class: Any, peft_class: type[PeftModel]) -> type[AutoPeftModel]:
    """`AutoPeftModel` for one task: which class loads its base model, and which wraps it."""
    name = f"Auto{peft_class.__name__}"
    doc = f"`AutoPeftModel` for a `{peft_class.__name__}`. Source: `peft.auto.{name}`."
    parts = {"base_class": base_class, "peft_class": peft_class, "__doc__": doc, "__module__": __name__}
    return type(name, (AutoPeftModel,), parts)


AutoPeftModelForCausalLM = auto_class(transformers.AutoModelForCausalLM, PeftModelForCausalLM)
AutoPeftModelForSeq2SeqLM = auto_class(transformers.AutoModelForSeq2SeqLM, PeftModelForSeq2SeqLM)
AutoPeftModelForFeatureExtraction = auto_class(transformers.AutoModel, PeftModelForFeatureExtraction)
AutoPeftModelForSequenceClassification = auto_class(
    transformers.AutoModelForSequenceClassification, PeftModelForSequenceClassification
)
AutoPeftModelForTokenClassification = auto_class(
    transformers.AutoModelForTokenClassification, PeftModelForTokenClassification
)
AutoPeftModelForQuestionAnswering = auto_class(
    transformers.AutoModelForQuestionAnswering, PeftModelForQuestionAnswering
)


NAMES = set(
    """
AdaLoraConfig AdamssConfig AdaptionPromptConfig ArrowConfig BOFTConfig BdLoraConfig BeftConfig C3AConfig CPTConfig
CartridgeConfig DeftConfig DeloraConfig EvaConfig FourierFTConfig FrodConfig GloraConfig GraloraConfig HRAConfig
HiraConfig IA3Config KasaConfig LNTuningConfig LilyConfig LoHaConfig LoKrConfig LoftQConfig LoraGAConfig
LoraRuntimeConfig MissConfig MontecloraConfig MultitaskPromptTuningConfig OFTConfig OSFConfig PeanutConfig PolyConfig
PromptEncoderConfig PromptTuningConfig PsoftConfig PveraConfig RandLoraConfig RoadConfig ShadowConfig ShiraConfig
SupertuningConfig TinyLoraConfig TrainableTokensConfig UniLoraConfig VBLoRAConfig VeloraConfig VeraConfig WaveFTConfig
XLoraConfig MultitaskPromptTuningInit PeftMixedModel PromptEmbedding PromptEncoder PromptEncoderReparameterizationType
PromptTuningInit cast_mixed_precision_params get_layer_status get_model_status inject_adapter_in_model
prepare_model_for_kbit_training
""".split()  # noqa: SIM905  one name a line would be sixty lines
)


class NotHere(type):
    """The type of the stand-ins: nothing is an instance of one, and calling it or reading from it says why."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(cls.said)

    def __getattr__(cls, name: str) -> Any:
        raise AttributeError(name if name.startswith("__") else cls.said)


def stand_in(name: str) -> type | None:
    """Something to import under PEFT's name; None for a name that PEFT does not have, or whose method is here."""
    if name not in NAMES:
        return None
    said = (
        f"{name} is PEFT's, and not here: prefix_lab has prefix tuning (PrefixTuningConfig), and LoRA (LoraConfig) "
        f"to compare it with. For the others, from peft import {name}."
    )
    return NotHere(name, (), {"said": said, "__doc__": said})
