"""Which lesson teaches which lines of PEFT's prefix-tuning path; `python -m notebooks.taught` writes the page.

`TAUGHT` has every function of PEFT's that runs from `get_peft_model` to loading. A function is cut into sections: each
begins at the first line that contains its anchor, the first one at the function's head. `PASSED_OVER` has what runs
there and is not taught, and why. A test compares both with what a real run executes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from prefix_lab.course.progress import lesson

PAGE = Path(__file__).parents[1] / "docs" / "what-is-taught.md"
MODEL, OTHER, FILES = "peft.peft_model", "peft.utils.other", "peft.utils.save_and_load"
TASKS = f"{MODEL}.PeftModelFor"

Place = int | tuple[int, str]
"""A lesson that names the function or shows its source; or one in which it only runs, and the word it is found by."""

HEAD_NAMED, KEPT, WRITTEN = "modules_to_save", "prompt_embeddings", "adapter_config.json"
STEPS = "prepare_inputs_for_generation"

TAUGHT: dict[str, dict[str, dict[str, Place]]] = {
    "choose": {
        "peft.mapping_func.get_peft_model": {"": 1, "if mixed:": 4},
        "peft.config.PromptLearningConfig.is_prompt_learning": {"": 4},
    },
    "prepare": {
        f"{OTHER}._prepare_prompt_learning_config": {
            "": 5,
            'and ("num_key_value_heads" in model_config)': 5,
        },
    },
    "wrap": {
        f"{TASKS}Seq2SeqLM.__init__": {"": 1},
        f"{TASKS}CausalLM.__init__": {"": (14, STEPS)},
        f"{TASKS}SequenceClassification.__init__": {"": (10, HEAD_NAMED)},
        f"{TASKS}SequenceClassification.add_adapter": {"": (10, HEAD_NAMED)},
        f"{TASKS}TokenClassification.__init__": {"": (10, HEAD_NAMED)},
        f"{TASKS}TokenClassification.add_adapter": {"": (10, HEAD_NAMED)},
        f"{TASKS}QuestionAnswering.__init__": {"": (10, HEAD_NAMED)},
        f"{TASKS}QuestionAnswering.add_adapter": {"": (10, HEAD_NAMED)},
        f"{TASKS}FeatureExtraction.__init__": {"": (10, "FEATURE_EXTRACTION")},
        f"{MODEL}.PeftModel.__init__": {"": 13},
        f"{MODEL}.PeftModel.add_adapter": {"": 1},
        f"{MODEL}.PeftModel._setup_prompt_encoder": {"": 1},
        "peft.tuners.prefix_tuning.model.PrefixEncoder.__init__": {"": 6},
        f"{OTHER}.set_additional_trainable_modules": {"": (10, HEAD_NAMED)},
        f"{OTHER}._set_trainable": {"": (10, HEAD_NAMED)},
        f"{OTHER}.AuxiliaryTrainingWrapper.__init__": {"": (10, HEAD_NAMED)},
        f"{OTHER}.AuxiliaryTrainingWrapper.update": {"": (10, HEAD_NAMED)},
        f"{OTHER}.ModulesToSaveWrapper.__init__": {"": (10, HEAD_NAMED)},
        f"{OTHER}.ModulesToSaveWrapper.init_modules": {"": (10, HEAD_NAMED)},
        f"{OTHER}.ModulesToSaveWrapper.update": {"": (10, HEAD_NAMED)},
        f"{OTHER}.ModulesToSaveWrapper.set_adapter": {"": (10, HEAD_NAMED)},
        f"{OTHER}._set_layer_requires_grad": {"": (10, HEAD_NAMED)},
    },
    "encode": {
        "peft.tuners.prefix_tuning.model.PrefixEncoder.forward": {"": 6},
    },
    "split": {
        f"{MODEL}.PeftModel.get_prompt": {
            "": 6,
            "past_key_values = past_key_values.view(": 7,
            "if peft_config.num_transformer_submodules == 2:": 9,
            "past_key_values = past_key_values.permute(": 7,
            "(peft_config.num_transformer_submodules == 2) and getattr(": 14,
        },
        f"{MODEL}.PeftModel.base_model_torch_dtype": {"": 14},
    },
    "attend": {
        f"{TASKS}Seq2SeqLM.forward": {"": 1},
        f"{TASKS}CausalLM.forward": {"": 8},
        f"{TASKS}SequenceClassification.forward": {"": 10},
        f"{TASKS}SequenceClassification._prefix_tuning_forward": {"": 10},
        f"{TASKS}TokenClassification.forward": {"": 10},
        f"{TASKS}TokenClassification._prefix_tuning_forward": {"": 10},
        f"{TASKS}QuestionAnswering.forward": {"": 10},
        f"{TASKS}QuestionAnswering._prefix_tuning_forward": {"": 10},
        f"{TASKS}FeatureExtraction.forward": {"": 10},
        f"{MODEL}.PeftModel._adjust_prompt_learning_kwargs": {"": 14},
        f"{OTHER}.AuxiliaryTrainingWrapper.forward": {"": (10, HEAD_NAMED)},
        f"{OTHER}.ModulesToSaveWrapper._forward_wrapped": {"": (10, HEAD_NAMED)},
    },
    "generate": {
        f"{TASKS}Seq2SeqLM.generate": {"": 14},
        f"{TASKS}Seq2SeqLM.prepare_inputs_for_generation": {"": 14},
        f"{TASKS}CausalLM.generate": {"": 14},
        f"{TASKS}CausalLM.prepare_inputs_for_generation": {"": 14},
    },
    "learn": {
        f"{MODEL}.PeftModel.print_trainable_parameters": {"": 1},
        f"{MODEL}.PeftModel.get_nb_trainable_parameters": {"": 14},
    },
    "keep": {
        f"{MODEL}.PeftModel.save_pretrained": {"": 11},
        f"{FILES}.get_peft_model_state_dict": {"": 11},
        "peft.tuners.tuners_utils.BasePromptEncoder._get_adapter_state_dict": {"": 11},
        f"{MODEL}.PeftModel.get_prompt_embedding_to_save": {"": 11},
        f"{OTHER}.ModulesToSaveWrapper.adapter_state_dict": {"": (11, "get_peft_model_state_dict")},
        "peft.config.PeftConfigMixin.save_pretrained": {"": 11},
        "peft.config.PeftConfigMixin.to_dict": {"": (11, WRITTEN)},
        f"{MODEL}.PeftModel.from_pretrained": {"": 11},
        "peft.config.PeftConfigMixin._get_peft_type": {"": (11, WRITTEN)},
        "peft.config.PeftConfigMixin.from_pretrained": {"": (11, WRITTEN)},
        "peft.config.PeftConfigMixin.from_json_file": {"": (11, WRITTEN)},
        "peft.config.PeftConfigMixin.from_peft_type": {"": (11, WRITTEN)},
        f"{MODEL}.PeftModel.load_adapter": {"": 11},
        f"{FILES}.load_peft_weights": {"": 11},
        f"{FILES}.set_peft_model_state_dict": {"": 11},
        f"{FILES}._find_mismatched_keys": {"": (11, KEPT)},
        "peft.tuners.tuners_utils.BasePromptEncoder._remap_adapter_state_dict_for_load": {"": (11, KEPT)},
        "peft.tuners.tuners_utils.BasePromptEncoder._load_adapter_state_dict": {"": 11},
        f"{OTHER}.ModulesToSaveWrapper.adapter_state_dict_load_map": {"": (11, "set_peft_model_state_dict")},
    },
}
"""Stage → function of PEFT's → anchor → lesson; the empty anchor is the function's head."""


def taught_in(function: str, place: Place) -> tuple[int, str]:
    """The lesson, and the word that its text must have: the function's name, or its class's."""
    if isinstance(place, tuple):
        return place
    owner, name = function.split(".")[-2:]
    return place, owner if name in ("__init__", "forward") else name


def is_named(place: Place) -> bool:
    """Whether the lesson names the function or shows it; otherwise it only runs there."""
    return isinstance(place, int)


class Group(NamedTuple):
    """Functions that run on the way and are not taught, under a heading, with the reason."""

    heading: str
    reason: str
    functions: tuple[str, ...]


PASSED_OVER = (
    Group(
        "Doors to attributes",
        "They hand over an attribute of something inside, or say which adapter is in use. A step into one leads "
        "straight back; in a debugger, step over it.",
        (
            f"{MODEL}.PeftModel.__getattr__",
            f"{MODEL}.PeftModel.peft_config",
            f"{MODEL}.PeftModel.active_peft_config",
            f"{MODEL}.PeftModel.get_base_model",
            f"{MODEL}.PeftModel.modules_to_save",
            "peft.tuners.tuners_utils.BaseTuner.get_model_config",
            "peft.config.PeftConfigMixin.is_adaption_prompt",
            f"{OTHER}.AuxiliaryTrainingWrapper.__getattr__",
            f"{OTHER}.AuxiliaryTrainingWrapper.active_adapter",
            f"{OTHER}.AuxiliaryTrainingWrapper.active_adapters",
            f"{OTHER}.AuxiliaryTrainingWrapper.disable_adapters",
            f"{OTHER}.ModulesToSaveWrapper._hasattr_wrapped",
            f"{OTHER}.ModulesToSaveWrapper._getattr_wrapped",
            f"{OTHER}._get_submodules_with_grandparent",
        ),
    ),
    Group(
        "Versions and machines",
        "They note the method and PEFT's version in a config, and ask which versions and devices there are. On one "
        "CPU, with the pinned versions, the answer never changes what the prefix does.",
        (
            "peft.config.PeftConfigMixin.__post_init__",
            "peft.tuners.prefix_tuning.config.PrefixTuningConfig.__post_init__",
            "peft.config.PeftConfigMixin._get_peft_version",
            "peft.config._is_dev_version",
            f"{MODEL}._get_return_dict_transformers_v4",
            f"{OTHER}.infer_device",
            "peft.utils.integrations.map_cache_to_layer_device_map",
            f"{FILES}._get_tp_info",
            f"{FILES}._reshard_dtensor_values_for_load",
        ),
    ),
    Group(
        "Arguments and names",
        "They sort arguments, refuse wrong ones, count the texts, and take an adapter's name out of a key. What the "
        "keys are is lesson 11's.",
        (
            "peft.config.PeftConfigMixin.check_kwargs",
            "peft.config.PeftConfigMixin._split_kwargs",
            f"{MODEL}.PeftModel._split_kwargs",
            f"{OTHER}._get_batch_size",
            f"{OTHER}.AuxiliaryTrainingWrapper.check_module",
            f"{OTHER}.AuxiliaryTrainingWrapper._check_forward_args",
            "peft.tuners.tuners_utils.BasePromptEncoder._remove_adapter_name_from_key",
            "peft.tuners.tuners_utils._remove_adapter_name_from_state_dict_key",
        ),
    ),
    Group(
        "For other methods and the hub",
        "They write the model card, find tensors that share memory, and convert the checkpoints of other methods. A "
        "prefix passes through them unchanged.",
        (
            f"{MODEL}.PeftModel.create_or_update_model_card",
            f"{MODEL}.PeftModel._get_peft_specific_model_tags",
            f"{OTHER}.id_tensor_storage",
            "peft.utils.transformers_weight_conversion.convert_peft_adapter_state_dict_for_transformers",
        ),
    ),
)

HEAD = """# What is taught

Every function of PEFT that runs from `get_peft_model` to a loaded prefix, and the lesson that names it or shows its
source. Some only run: the lesson is about what they do and does not say their name, and the word in the last column is
where it speaks of it. Where a function is taught in parts, each part begins at the first line with the text given. The
table is `notebooks/taught.py`, and `tests/course/test_taught.py` compares it with the lines that a run of PEFT executes
for T5, GPT-2, Llama and BERT, and with the lessons' own text. `python -m notebooks.taught` writes this page.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD]
    for stage, functions in TAUGHT.items():
        parts.append(
            f"## {stage}\n\n| function | from the line with | lesson | only runs there: see |\n|---|---|---|---|"
        )
        for function, sections in functions.items():
            for anchor, place in sections.items():
                number, word = taught_in(function, place)
                where = f"`{anchor}`".replace("|", "\\|") if anchor else "its head"
                runs = "" if is_named(place) else f"`{word}`"
                parts.append(f"| {f'`{function}`' if not anchor else ''} | {where} | {linked(number)} | {runs} |")
        parts.append("")
    parts.append("## Named or shown, by lesson\n")
    by_lesson: dict[int, list[str]] = {}
    for functions in TAUGHT.values():
        for function, sections in functions.items():
            for number in dict.fromkeys(filter(is_named, sections.values())):
                by_lesson.setdefault(number, []).append(f"`{function.removeprefix('peft.')}`")
    parts += [f"- {linked(number)}: {', '.join(by_lesson[number])}" for number in sorted(by_lesson)]
    parts.append("\n## Passed over\n\nThese run on the way, and no lesson stops at them.\n")
    for group in PASSED_OVER:
        parts.append(f"**{group.heading}.** {group.reason}\n")
        parts += [*(f"- `{function}`" for function in group.functions), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def linked(number: int) -> str:
    one = lesson(number)
    return f"[{number:02} · {one.title}](../notebooks/en/{one.file}.ipynb)"


def main() -> None:
    PAGE.write_text(page(), encoding="utf8")
    print(f"wrote {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
