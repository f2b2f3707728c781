"""Which lesson teaches which lines of PEFT's prefix-tuning path; `python -m notebooks.taught` writes the page.

`TAUGHT` has every function of PEFT's that runs from `get_peft_model` to loading. A function is cut into sections: each
begins at the first line that contains its anchor, the first one at the function's head. `PASSED_OVER` has what runs
there and is not taught, and why. A test compares both with what a real run executes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from notebooks.build import said
from prefix_lab.course.progress import lesson
from prefix_lab.locale import N_

PAGE = Path(__file__).parents[1] / "docs" / "what-is-taught.md"
PAGES = {"en": PAGE, "zh": PAGE.parent / "zh" / PAGE.name}
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
        N_("Doors to attributes"),
        N_(
            "They hand over an attribute of something inside, or say which adapter is in use. A step into one leads "
            "straight back; in a debugger, step over it."
        ),
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
        N_("Versions and machines"),
        N_(
            "They note the method and PEFT's version in a config, and ask which versions and devices there are. On one "
            "CPU, with the pinned versions, the answer never changes what the prefix does."
        ),
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
        N_("Arguments and names"),
        N_(
            "They sort arguments, refuse wrong ones, count the texts, and take an adapter's name out of a key. What "
            "the keys are is lesson 11's."
        ),
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
        N_("For other methods and the hub"),
        N_(
            "They write the model card, find tensors that share memory, and convert the checkpoints of other methods. "
            "A prefix passes through them unchanged."
        ),
        (
            f"{MODEL}.PeftModel.create_or_update_model_card",
            f"{MODEL}.PeftModel._get_peft_specific_model_tags",
            f"{OTHER}.id_tensor_storage",
            "peft.utils.transformers_weight_conversion.convert_peft_adapter_state_dict_for_transformers",
        ),
    ),
)

TITLE = N_("What is taught")
HEAD = N_(
    "Every function of PEFT that runs from `get_peft_model` to a loaded prefix, and the lesson that names it or shows "
    "its source. Some only run: the lesson is about what they do and does not say their name, and the word in the last "
    "column is where it speaks of it. Where a function is taught in parts, each part begins at the first line with the "
    "text given. The table is `notebooks/taught.py`, and `tests/course/test_taught.py` compares it with the lines that "
    "a run of PEFT executes for T5, GPT-2, Llama and BERT, and with the lessons' own text. `python -m "
    "notebooks.taught` writes this page."
)
COLUMNS = N_("function"), N_("from the line with"), N_("lesson"), N_("only runs there: see")
ITS_HEAD = N_("its head")
BY_LESSON, NOT_TAUGHT = N_("Named or shown, by lesson"), N_("Passed over")
NO_LESSON = N_("These run on the way, and no lesson stops at them.")
OF_A_LESSON, OF_A_GROUP = N_("{lesson}: {functions}"), N_("**{heading}.** {reason}")
TWIN = {"en": "English · [中文](zh/what-is-taught.md)", "zh": "[English](../what-is-taught.md) · 中文"}


def page(language: str) -> str:
    """The whole page, as Markdown."""
    parts = [f"# {said(TITLE, language)}\n\n{TWIN[language]}\n\n{said(HEAD, language)}\n"]
    columns = " | ".join(said(one, language) for one in COLUMNS)
    for stage, functions in TAUGHT.items():
        parts.append(f"## {stage}\n\n| {columns} |\n|---|---|---|---|")
        for function, sections in functions.items():
            for anchor, place in sections.items():
                number, word = taught_in(function, place)
                where = f"`{anchor}`".replace("|", "\\|") if anchor else said(ITS_HEAD, language)
                runs = "" if is_named(place) else f"`{word}`"
                name = "" if anchor else f"`{function}`"
                parts.append(f"| {name} | {where} | {linked(number, language)} | {runs} |")
        parts.append("")
    parts.append(f"## {said(BY_LESSON, language)}\n")
    by_lesson: dict[int, list[str]] = {}
    for functions in TAUGHT.values():
        for function, sections in functions.items():
            for number in dict.fromkeys(filter(is_named, sections.values())):
                by_lesson.setdefault(number, []).append(f"`{function.removeprefix('peft.')}`")
    row = said(OF_A_LESSON, language)
    for number in sorted(by_lesson):
        parts.append("- " + row.format(lesson=linked(number, language), functions=", ".join(by_lesson[number])))
    parts.append(f"\n## {said(NOT_TAUGHT, language)}\n\n{said(NO_LESSON, language)}\n")
    for group in PASSED_OVER:
        heading, reason = said(group.heading, language), said(group.reason, language)
        parts.append(said(OF_A_GROUP, language).format(heading=heading, reason=reason) + "\n")
        parts += [*(f"- `{function}`" for function in group.functions), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def linked(number: int, language: str) -> str:
    one = lesson(number)
    up = "../.." if language == "zh" else ".."
    return f"[{number:02} · {said(one.title, language)}]({up}/notebooks/{language}/{one.file}.ipynb)"


def main() -> None:
    for language, path in PAGES.items():
        path.write_text(page(language), encoding="utf8")
        print(f"wrote {path.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
