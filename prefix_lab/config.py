"""The configuration of prefix tuning: what a user asks for, and the sizes that `prepare` fills in.

Mirrors PEFT's `config.py` (`PeftConfig`, `PromptLearningConfig`), `tuners/prefix_tuning/config.py`
(`PrefixTuningConfig`) and `utils/peft_types.py`: the same fields in the same order, the same defaults, the same text
when printed and the same JSON. What PEFT accepts and later trips over is refused here, by name.
"""

import enum
import json
import warnings
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

MIRRORED_PEFT = "0.21.2"
"""The PEFT release whose behaviour this package reproduces; written into a config as its `peft_version`."""

CONFIG_NAME = "adapter_config.json"
OWN = {"own": True}
CHOICES = {
    "init_weights": (None, "zero"),
    "layout": ("peft", "paper"),
    "encode": ("each", "once"),
    "sizes": ("peft", "model"),
}


class PeftType(str, enum.Enum):
    """The methods of PEFT that prefix_lab writes anew. Source: `peft.utils.peft_types.PeftType`."""

    PREFIX_TUNING = "PREFIX_TUNING"
    LORA = "LORA"


class TaskType(str, enum.Enum):
    """What the model is for; it chooses the class that wraps it. Source: `peft.utils.peft_types.TaskType`."""

    SEQ_CLS = "SEQ_CLS"
    SEQ_2_SEQ_LM = "SEQ_2_SEQ_LM"
    CAUSAL_LM = "CAUSAL_LM"
    TOKEN_CLS = "TOKEN_CLS"
    QUESTION_ANS = "QUESTION_ANS"
    FEATURE_EXTRACTION = "FEATURE_EXTRACTION"


@dataclass
class PeftConfig:
    """What every method's configuration holds. Source: `peft.config.PeftConfig`.

    Raises `ValueError` for a `task_type` that does not exist.
    """

    task_type: TaskType | str | None = None
    peft_type: PeftType | str | None = None
    auto_mapping: dict | None = None
    peft_version: str | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None
    inference_mode: bool = False

    is_prompt_learning = False
    is_adaption_prompt = False

    def __post_init__(self):
        self.check()
        if self.peft_version is None:
            self.peft_version = MIRRORED_PEFT

    def check(self) -> None:
        """Refuse what can be known to be wrong without a model, naming the field and the way out."""
        if self.task_type is not None and self.task_type not in list(TaskType):
            raise ValueError(f"task_type={self.task_type!r} does not exist. Set one of {', '.join(TaskType)}.")
        if self.peft_type is not None and self.peft_type not in list(PeftType):
            raise ValueError(
                f"peft_type={self.peft_type!r} is not a method that prefix_lab has. Set one of {', '.join(PeftType)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """The fields and their values, in PEFT's order."""
        return asdict(self)

    @classmethod
    def plain(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The given fields, without those that PEFT has and this class needs not."""
        return given

    def to_json(self) -> str:
        """The text of `adapter_config.json`, as PEFT writes it: sorted keys, indented by two."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True)

    def save_pretrained(self, save_directory: str | Path, auto_mapping_dict: dict | None = None) -> None:
        """Write `adapter_config.json`, whole or not at all. Raises `ValueError` when `save_directory` is a file.

        `auto_mapping_dict`, where given, is written as the field `auto_mapping`.
        """
        from prefix_lab.files import write_together  # this file is read first, and needs no torch

        directory = Path(save_directory)
        if directory.is_file():
            raise ValueError(f"save_directory={str(directory)!r} is a file. Give a folder; it is made if need be.")
        kept = self if auto_mapping_dict is None else replace(self, auto_mapping=auto_mapping_dict)
        write_together({directory / CONFIG_NAME: kept.to_json().encode()})

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
        if given.pop("runtime_config", None) is not None:
            warnings.warn(f"{path} has a runtime_config, which is left out: it is not for keeping.", stacklevel=2)
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
        from prefix_lab.files import whereabouts
        from prefix_lab.keywords import sort_out

        hub = sort_out("PeftConfig.from_pretrained", options)
        path = whereabouts(pretrained_model_name_or_path, subfolder, **hub) / CONFIG_NAME
        if not path.is_file():
            raise ValueError(
                f"Can't find {CONFIG_NAME!r} at {str(pretrained_model_name_or_path)!r}. Give a folder saved by PEFT or "
                "by us."
            )
        given = cls.from_json_file(path)
        from prefix_lab.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, get_peft_config  # its tables hold these classes

        kind = PEFT_TYPE_TO_CONFIG_MAPPING.get(given.get("peft_type"), PrefixTuningConfig)
        given, known = kind.plain(given), {row.name for row in fields(kind)}
        if unknown := sorted(set(given) - known):
            warnings.warn(
                f"{path} has fields that PEFT {MIRRORED_PEFT} does not know; left out: {unknown}.", stacklevel=2
            )
        return get_peft_config({name: value for name, value in given.items() if name in known})


@dataclass
class PromptLearningConfig(PeftConfig):
    """Sizes that prompt learning needs; those left at None are filled from the model by `prepare`.

    `num_virtual_tokens` is the axis prefix_len. `token_dim` is the width of one key or value (heads · head_dim), in
    numbers; `num_transformer_submodules` is 2 for an encoder-decoder, else 1.
    Source: `peft.config.PromptLearningConfig`.

    Raises `TypeError` for a size that is not an int, `ValueError` for one below 1. A bare config stays allowed.
    """

    num_virtual_tokens: int | None = None
    token_dim: int | None = None
    num_transformer_submodules: int | None = None
    num_attention_heads: int | None = None
    num_layers: int | None = None
    modules_to_save: list[str] | None = None

    is_prompt_learning = True

    def check(self) -> None:
        super().check()
        for name in (
            "num_virtual_tokens",
            "token_dim",
            "num_transformer_submodules",
            "num_attention_heads",
            "num_layers",
        ):
            check_size(name, getattr(self, name))
        if self.num_transformer_submodules not in (None, 1, 2):
            raise ValueError(
                f"num_transformer_submodules={self.num_transformer_submodules}, expected 1 (one stack of layers) or "
                "2 (encoder and decoder). Leave it out, and the task type decides."
            )


@dataclass
class PrefixTuningConfig(PromptLearningConfig):
    """Configuration of prefix tuning (Li & Liang 2021, section 4). Source: `peft.PrefixTuningConfig`.

    `prefix_projection` puts the paper's MLP (section 4.3) between the table of virtual tokens and the keys and values;
    `encoder_hidden_size` is the MLP's inner width. `init_weights="zero"` starts from zero keys and values, which is
    not a no-op: a zero key still takes a share of the softmax.

    `layout="paper"` gives encoder, decoder and cross-attention a prefix each (the paper's Figure 2). `encode="once"`
    makes one row and repeats it for the batch. `sizes="model"` reads the cache's true sizes where PEFT misreads them.
    `prefix_dropout` drops numbers of keys and values in training, as P-tuning v2 does.
    """

    init_weights: str | None = None
    encoder_hidden_size: int | None = None
    prefix_projection: bool = False

    # Beside PEFT's: better ways under their own names. PEFT's text and JSON have them only once they are chosen.
    layout: str = field(default="peft", metadata=OWN)
    encode: str = field(default="each", metadata=OWN)
    sizes: str = field(default="peft", metadata=OWN)
    prefix_dropout: float = field(default=0.0, metadata=OWN)
    encoder_layers: int | None = field(default=None, metadata=OWN)
    layer_sizes: list[list[int]] | None = field(default=None, metadata=OWN)

    def __post_init__(self):
        super().__post_init__()
        self.peft_type = PeftType.PREFIX_TUNING

    def check(self) -> None:
        super().check()
        check_size("encoder_hidden_size", self.encoder_hidden_size)
        check_size("encoder_layers", self.encoder_layers)
        for name in ("prefix_projection", "inference_mode"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}={getattr(self, name)!r}, expected True or False.")
        if not isinstance(self.prefix_dropout, float | int) or not 0 <= self.prefix_dropout < 1:
            raise ValueError(f"prefix_dropout={self.prefix_dropout!r}, expected a share from 0 up to, but not, 1.")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}, expected {' or '.join(map(repr, choices))}.")

    @property
    def prefix_width(self) -> int:
        """How many numbers a virtual token becomes: a key and a value for every layer that reads the prefix."""
        if self.layer_sizes is not None:
            return sum(2 * heads * head_dim for heads, head_dim in self.layer_sizes)
        stacks = self.num_layers
        if self.layout == "paper":
            stacks = (
                self.encoder_layers + 2 * self.num_layers
            )  # encoder's own, decoder's own, decoder's cross-attention
        return 2 * stacks * self.token_dim

    def to_dict(self) -> dict[str, Any]:
        own = {row.name for row in fields(self) if row.metadata == OWN and getattr(self, row.name) == row.default}
        return {name: value for name, value in super().to_dict().items() if name not in own}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.to_dict())
        return f"{type(self).__qualname__}({shown})"


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
