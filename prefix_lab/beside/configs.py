"""The configurations that users make: PEFT's fields, checked when they are given, and our own choices beside them.

Mirrors `peft.mapping.get_peft_config` and what `peft.config.PeftConfigMixin` does with a hub.
"""

import json
import warnings
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from prefix_lab import config
from prefix_lab.beside.hub_and_trainer import sort_out, whereabouts
from prefix_lab.checkpoint import write_whole
from prefix_lab.config import CONFIG_NAME, MIRRORED_PEFT, PeftType, TaskType

OWN = {"own": True}
CHOICES = {
    "init_weights": (None, "zero"),
    "layout": ("peft", "paper"),
    "encode": ("each", "once"),
    "sizes": ("peft", "model"),
}
SIZES = (
    *("num_virtual_tokens", "token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers"),
    *("encoder_hidden_size", "encoder_layers"),
)


@dataclass
class PeftConfig(config.PeftConfig):
    """What every method's configuration holds. Raises `ValueError` for a task or a method that does not exist."""

    is_adaption_prompt = False  # a method of PEFT's that scripts ask for

    def __post_init__(self):
        self.check()
        super().__post_init__()

    def check(self) -> None:
        """Refuse what can be known to be wrong without a model, naming the field and the way out."""
        check_values(self)

    @classmethod
    def plain(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The given fields, without those that PEFT has and this class needs not."""
        return given

    def save_pretrained(self, save_directory: str | Path, auto_mapping_dict: dict | None = None) -> None:
        """Write `adapter_config.json`, whole or not at all. Raises `ValueError` when `save_directory` is a file.

        `auto_mapping_dict`, where given, is written as the field `auto_mapping`.
        """
        if Path(save_directory).is_file():
            raise ValueError(f"save_directory={str(save_directory)!r} is a file. Give a folder; it is made if need be.")
        kept = self if auto_mapping_dict is None else replace(self, auto_mapping=auto_mapping_dict)
        write_whole(Path(save_directory) / CONFIG_NAME, kept.to_json().encode())

    @classmethod
    def from_json_file(cls, path_json_file: str | Path) -> dict[str, Any]:
        """The fields in a JSON file. Raises `ValueError` when it does not hold a JSON object."""
        path = Path(path_json_file)
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON ({error}). Save the adapter again.") from error
        if not isinstance(given, dict):
            raise ValueError(f"{path} holds a {type(given).__name__}, expected a JSON object of config fields.")
        return given

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, subfolder: str | None = None, **options: Any
    ) -> "PeftConfig":
        """Read the `adapter_config.json` in a folder or under a hub name, written by PEFT or by us.

        `options` are what a hub is asked with: revision, token, cache_dir, … Fields of a newer PEFT are left out with
        a warning, as PEFT does. Raises `ValueError` when there is no such file, when it is not a JSON object, or when
        it holds another method's configuration. Source: `peft.config.PeftConfigMixin.from_pretrained`.
        """
        hub = sort_out("PeftConfig.from_pretrained", options)
        path = whereabouts(pretrained_model_name_or_path, subfolder, **hub) / CONFIG_NAME
        if not path.is_file():
            raise ValueError(
                f"Can't find {CONFIG_NAME!r} at {str(pretrained_model_name_or_path)!r}. Give a folder saved by PEFT or "
                "by us."
            )
        given = cls.from_json_file(path)
        kind = PEFT_TYPE_TO_CONFIG_MAPPING.get(given.get("peft_type"), PrefixTuningConfig)
        given, known = kind.plain(given), {row.name for row in fields(kind)}
        if unknown := sorted(set(given) - known):
            warnings.warn(
                f"{path} has fields that PEFT {MIRRORED_PEFT} does not know; left out: {unknown}.", stacklevel=2
            )
        return get_peft_config({name: value for name, value in given.items() if name in known})


@dataclass
class PromptLearningConfig(config.PromptLearningConfig, PeftConfig):
    """Sizes that prompt learning needs; those left at None are filled from the model by `prepare`.

    Raises `TypeError` for a size that is not an int, `ValueError` for one below 1. A bare config stays allowed.
    """


@dataclass
class PrefixTuningConfig(config.PrefixTuningConfig, PromptLearningConfig):
    """PEFT's configuration of prefix tuning, and better ways under their own names.

    `layout="paper"` gives encoder, decoder and cross-attention a prefix each, as the authors' own code (the paper's
    Figure 2 has the first two). `encode="once"` runs the encoder once and repeats what it made for the batch.
    `sizes="model"` reads the cache's true sizes where PEFT misreads them. PEFT's text and JSON have them only once they
    are chosen. Source: `peft.PrefixTuningConfig`.
    """

    layout: str = field(default="peft", metadata=OWN)
    encode: str = field(default="each", metadata=OWN)
    sizes: str = field(default="peft", metadata=OWN)
    encoder_layers: int | None = field(default=None, metadata=OWN)

    @property
    def prefix_width(self) -> int:
        """How wide the vector of a virtual token is: a key and a value for every layer that reads the prefix."""
        if self.layout == "peft":
            return super().prefix_width
        stacks = self.encoder_layers + 2 * self.num_layers  # encoder's own, decoder's own, decoder's cross-attention
        return 2 * stacks * self.token_dim

    def to_dict(self) -> dict[str, Any]:
        own = {row.name for row in fields(self) if row.metadata == OWN and getattr(self, row.name) == row.default}
        return {name: value for name, value in super().to_dict().items() if name not in own}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.to_dict())
        return f"{type(self).__qualname__}({shown})"


PEFT_TYPE_TO_CONFIG_MAPPING: dict[str, type[PeftConfig]] = {PeftType.PREFIX_TUNING: PrefixTuningConfig}
"""Method → its configuration class; `lora.py` adds its own. Source: `peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING`."""


def get_peft_config(config_dict: dict[str, Any]) -> PeftConfig:
    """A config object from a dict; `config_dict["peft_type"]` chooses the class.

    Raises `ValueError` when peft_type is missing or not one of the table's, `TypeError` for a field that the class
    does not have. Source: `peft.mapping.get_peft_config`.
    """
    peft_type, known = config_dict.get("peft_type"), ", ".join(PEFT_TYPE_TO_CONFIG_MAPPING)
    if peft_type not in PEFT_TYPE_TO_CONFIG_MAPPING:
        raise ValueError(f"peft_type={peft_type!r} is not a method that prefix_lab has. Set one of {known}.")
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[peft_type]
    return kind(**kind.plain(config_dict))


def check_values(peft_config: config.PeftConfig) -> None:
    """Raise `ValueError` or `TypeError` for the first field whose value no model could make sense of."""
    for name, known in (("task_type", TaskType), ("peft_type", PeftType)):
        value = getattr(peft_config, name)
        if value is not None and value not in list(known):
            problem = "does not exist" if name == "task_type" else "is not a method that prefix_lab has"
            raise ValueError(f"{name}={value!r} {problem}. Set one of {', '.join(known)}.")
    for name in SIZES:
        check_size(name, getattr(peft_config, name, None))
    if getattr(peft_config, "num_transformer_submodules", None) not in (None, 1, 2):
        raise ValueError(
            f"num_transformer_submodules={peft_config.num_transformer_submodules}, expected 1 (one stack of layers) or "
            "2 (encoder and decoder). Leave it out, and the task type decides."
        )
    for name in ("prefix_projection", "inference_mode"):
        if not isinstance(getattr(peft_config, name, False), bool):
            raise TypeError(f"{name}={getattr(peft_config, name)!r}, expected True or False.")
    for name, choices in CHOICES.items():
        if getattr(peft_config, name, choices[0]) not in choices:
            raise ValueError(f"{name}={getattr(peft_config, name)!r}, expected {' or '.join(map(repr, choices))}.")


def check_size(name: str, value: object) -> None:
    """A size is an int of at least 1, or None for "not said"; anything else is refused by name."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{name}={value!r} is a {type(value).__name__}, expected an int of at least 1. Set {name}=20, say."
        )
    if value < 1:
        raise ValueError(f"{name}={value}, expected an int of at least 1. Set {name}=20, say.")
