"""Names of PEFT that are not here: a script may import them, and is told so when it uses one.

PEFT's own examples import the configs of several methods and use one; only that one has to be here.
"""

from typing import Any

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
