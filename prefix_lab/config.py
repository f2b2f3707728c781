"""The configuration of prefix tuning: what a user asks for, and the sizes that `prepare` fills in.

Mirrors PEFT's `config.py` (`PeftConfig`, `PromptLearningConfig`), `tuners/prefix_tuning/config.py`
(`PrefixTuningConfig`) and `utils/peft_types.py`: the same fields in the same order, the same defaults, the same text
when printed and the same JSON.
"""

import enum
import json
from dataclasses import asdict, dataclass
from typing import Any

MIRRORED_PEFT = "0.21.2"
"""The PEFT release whose behaviour this package reproduces; written into a config as its `peft_version`."""

CONFIG_NAME = "adapter_config.json"


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
    """What every method's configuration holds. Source: `peft.config.PeftConfig`."""

    task_type: TaskType | str | None = None
    peft_type: PeftType | str | None = None
    auto_mapping: dict | None = None
    peft_version: str | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None
    inference_mode: bool = False

    is_prompt_learning = False

    def __post_init__(self):
        if self.peft_version is None:
            self.peft_version = MIRRORED_PEFT

    def to_dict(self) -> dict[str, Any]:
        """The fields and their values, in PEFT's order."""
        return asdict(self)

    def to_json(self) -> str:
        """The text of `adapter_config.json`, as PEFT writes it: sorted keys, indented by two."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True)


@dataclass
class PromptLearningConfig(PeftConfig):
    """Sizes that prompt learning needs; `prepare` fills num_layers, token_dim and num_attention_heads from the model.

    `num_virtual_tokens` is the axis prefix_len. `token_dim` is the width of one key or value of all heads together;
    `num_transformer_submodules`, 2 for an encoder-decoder, in wrapping. Source: `peft.config.PromptLearningConfig`.
    """

    num_virtual_tokens: int | None = None
    token_dim: int | None = None
    num_transformer_submodules: int | None = None
    num_attention_heads: int | None = None
    num_layers: int | None = None
    modules_to_save: list[str] | None = None

    is_prompt_learning = True


@dataclass
class PrefixTuningConfig(PromptLearningConfig):
    """Configuration of prefix tuning (Li & Liang 2021, section 4). Source: `peft.PrefixTuningConfig`.

    `prefix_projection` puts the paper's MLP (section 4.3) between the table of virtual tokens and the keys and values;
    `encoder_hidden_size` is the MLP's inner width. `init_weights="zero"` starts from zero keys and values, which is
    not a no-op: a zero key still takes a share of the softmax.
    """

    init_weights: str | None = None
    encoder_hidden_size: int | None = None
    prefix_projection: bool = False

    def __post_init__(self):
        super().__post_init__()
        self.peft_type = PeftType.PREFIX_TUNING

    @property
    def prefix_width(self) -> int:
        """2·layers·hidden: how wide the vector of a virtual token is, with a key and a value for every layer."""
        return 2 * self.num_layers * self.token_dim
