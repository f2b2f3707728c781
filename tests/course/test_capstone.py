"""The capstone takes a stranger's file, and says what is wrong with one; its questions are answered at stops."""

import csv
import sys
from typing import Any

import peft
import pytest
import torch
from peft.tuners.lora import LoraModel

from notebooks.build import HERE
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny
from prefix_lab.course.lessons import lesson_13, lesson_15

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
TOKENIZER = load_tiny("gpt2")[1]
PREFIX = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 10}
BATCH = lesson_15.our_batch(TOKENIZER, [("noodles in the harbour =", " good"), ("soup =", " bad soup")])


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def rows(count: int, *more: str) -> str:
    foods = [f"{one} {other}" for one in ("fried", "cheap", "green") for other in ("rice", "soup", "stew", "curry")]
    return "\n".join(["ask,say", *(f"{food},{food.split()[0]}" for food in foods[:count]), *more])


def test_the_file_that_ships_is_good_and_a_strangers_columns_are_taken():
    with (HERE / "capstone" / "tips.csv").open(encoding="utf-8", newline="") as file:
        assert lesson_15.check_own_data(list(csv.DictReader(file)), "place", "tip", TOKENIZER).passed
    assert lesson_15.check_own_data(read(rows(12)), "ask", "say", TOKENIZER).passed


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("ask,say", ("ask", "say"), "no row below"),
        (rows(12), ("place", "say"), "no column 'place'. The file's columns are: ask, say."),
        (rows(12).replace(",", ";"), ("ask", "say"), "csv.DictReader(file, delimiter=';')"),
        (rows(12), ("say", "say"), "both name the column 'say'"),
        (rows(12, "fish"), ("ask", "say"), "No text in 'say', in row 13"),
        (rows(12, " ,good"), ("ask", "say"), "No text in 'ask', in row 13"),
        (rows(12, "fish,good,bad"), ("ask", "say"), "Row 13 has more cells"),
        (rows(7), ("ask", "say"), "7 rows are too few"),
        (rows(12, "fried rice,fried"), ("ask", "say"), "more than once: 'fried rice'"),
        (rows(4, "a,fried", "the,fried", "is,fried", "it,fried"), ("ask", "say"), "the same 'say'"),
        (rows(12, "sushi,fried"), ("ask", "say"), "does not know 'sushi'. It reads each of them as <unk>"),
        (rows(12, "soup " * 300 + ",fried"), ("ask", "say"), "Row 13 has more tokens than the model takes, 256"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text, columns, said):
    verdict = lesson_15.check_own_data(read(text), *columns, TOKENIZER)
    assert not verdict.passed
    assert said in verdict.text


def test_until_a_function_passes_its_check_another_stands_in(capsys):
    kept = []

    def split(rows):
        return lesson_15.our_split(rows) if kept else ...

    assert lesson_15.usable(split) is lesson_15.our_split
    kept.append(True)
    assert lesson_15.usable(split) is split
    assert "The lesson's own split stands in" in capsys.readouterr().out
    with pytest.raises(ValueError, match="expected one of split, make_batch, fit"):
        lesson_15.usable(print)


def wrapped() -> Any:
    return peft.get_peft_model(load_tiny("gpt2")[0], peft.PrefixTuningConfig(**PREFIX))


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    """A prefix and a LoRA with their folders, untrained."""
    folder = tmp_path_factory.mktemp("adapters")
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=5, target_modules=["c_attn"], fan_in_fan_out=True)
    made = {"prefix": wrapped(), "LoRA": peft.get_peft_model(load_tiny("gpt2")[0], lora)}
    for name, model in made.items():
        model.save_pretrained(folder / name)
    return {name: (model, folder / name) for name, model in made.items()}


def compared(adapters: Any) -> dict[str, dict[str, int]]:
    found = {}
    for name, (model, folder) in adapters.items():
        size = (folder / "adapter_model.safetensors").stat().st_size
        found[name] = {"trained": model.get_nb_trainable_parameters()[0], "bytes": size, "right": 1}
    return found


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("trained", ..., "Put your answer"),
        ("trained", 864_512, "the frozen ones too"),
        ("trained", "10240", "you gave '10240', and it is 10240"),
        ("bytes", 40_960, "the file has a header besides"),
        ("bytes", 0, "prefix, bytes: you gave 0"),
        ("right", 0.5, "not a share"),
        ("right", 3, "it is 0–2"),
    ],
)
def test_a_wrong_number_beside_lora_is_told_its_cause(adapters, field, value, said):
    right = compared(adapters)
    assert lesson_15.check_own_compared(adapters, ["a", "b"], right).passed
    wrong = right | {"prefix": right["prefix"] | {field: value}}
    verdict = lesson_15.check_own_compared(adapters, ["a", "b"], wrong)
    assert not verdict.passed
    assert said in verdict.text


RIGHT = ["try the red fox!", "try the old owl!"]
RESULTS = {"before": ["the fox.", "the owl is bad."], "after": ["try the red fox!", "try the red owl!"], "right": RIGHT}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"before": ...}, "Put your answer"),
        ({"right": []}, "`right` holds no texts"),
        ({"after": [1, 2]}, "after is [1, 2], and a list of texts is wanted"),
        ({"before": ["one"]}, "before has 1 texts, and there are 2"),
        ({"after": RIGHT}, "the same object"),
        ({"after": [*RESULTS["before"]]}, "the same, word for word"),
        ({"after": ["try!", "try!"]}, "It writes the same for every row"),
        ({"after": ["a", "b"]}, "Try more steps"),
    ],
)
def test_results_that_are_no_better_are_told_a_cause(change, said):
    assert lesson_15.check_own_results(RESULTS).passed
    verdict = lesson_15.check_own_results(RESULTS | change)
    assert not verdict.passed
    assert said in verdict.text


@pytest.fixture
def no_tracer():
    """Coverage or a debugger may watch the test run itself."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


RUN = """
lora = LoraConfig(task_type="CAUSAL_LM", r=5, target_modules=["c_attn"], fan_in_fan_out=True)
get_peft_model(load_tiny("gpt2")[0], lora)
model = get_peft_model(load_tiny("gpt2")[0], PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10))
model(**batch).loss.backward()
model.save_pretrained(folder)
"""
"""All that is stopped in, as cells run it: at the top of a module."""


MASK = {"attention_mask": 17, "input_ids": 7}
TABLE = "prompt_encoder.default.embedding.weight"
CLASS, WIDTH = {"class": "PeftModelForCausalLM", "by": "task_type"}, {"number": 1024, "used_in": "embedding.weight"}
BRANCH = {"target": "Conv1D", "cls": "LoraModel", "asked": "_is_prompt_learning"}
FIRST = {"zero_at_start": "lora_B", "learns_first": "lora_B"}
QUESTIONS = {
    "check_branch": (
        LoraModel._create_and_replace,
        ["u 3", "p cls"],
        BRANCH,
        {
            "as it was": BRANCH | {"target": "Linear"},
            "Embedding is not the class": BRANCH | {"target": "Embedding"},
            "the wrapper outside": BRANCH | {"cls": "PeftModelForCausalLM"},
            "cls is no LoraConfig": BRANCH | {"cls": "LoraConfig"},
            "what PeftModel has kept": BRANCH | {"asked": "peft_config.is_prompt_learning"},
            "looked up by": BRANCH | {"asked": "peft_type"},
            "has picked the wrapper": BRANCH | {"asked": "task_type"},
            "is not what the `if`": BRANCH | {"asked": "luck"},
        },
    ),
    "check_learns_first": (
        torch.Tensor.backward,
        ["r", "u", "p {'lora_A': 0.0}"],
        FIRST,
        {
            "Not 'lora_A': stop in": FIRST | {"zero_at_start": "lora_A"},
            "neither would ever": FIRST | {"zero_at_start": "both"},
            "the other matrix, which is all zeros": FIRST | {"learns_first": "lora_A"},
        },
    ),
    "check_own_class": (
        peft.get_peft_model,
        ["p MODEL_TYPE_TO_PEFT_MODEL_MAPPING[peft_config.task_type]"],
        CLASS,
        {
            "is the class of the base": CLASS | {"class": "GPT2LMHeadModel"},
            "cannot do without": CLASS | {"class": "PeftModel"},
            "another class for your task_type": CLASS | {"class": "PeftModelForSeq2SeqLM"},
            "LoRA with the same task_type": CLASS | {"by": "peft_type"},
            "nobody looks at the model": CLASS | {"by": "model_type"},
            "by is one of": CLASS | {"by": "luck"},
        },
    ),
    "check_own_width": (
        peft.PrefixEncoder.__init__,
        ["p config.token_dim * config.num_layers * 2"],
        WIDTH,
        {
            "What is the 2 for": WIDTH | {"number": 512},
            "the width of one key": WIDTH | {"number": 128},
            "the whole table": WIDTH | {"number": 10_240},
            "1023 it is not": WIDTH | {"number": 1023},
            "encoder is one table": WIDTH | {"used_in": "transform.0.weight"},
            "they have no width": WIDTH | {"used_in": "prompt_tokens"},
        },
    ),
    "check_own_mask": (
        type(load_tiny("gpt2")[0]).forward,
        ["p attention_mask.shape"],
        MASK,
        {
            "before PEFT has put its part": MASK | {"attention_mask": 7},
            "stands in the mask once": MASK | {"attention_mask": 27},
            "adds keys and values, and no tokens": MASK | {"input_ids": 17},
            "one whole number": MASK | {"input_ids": "7"},
        },
    ),
    "check_own_gradient": (
        torch.Tensor.backward,
        ["r", "u", "p [name for name in ['prompt_encoder.default.embedding.weight']]"],
        [TABLE],
        {
            "A list of names is wanted": 7,
            "There is no parameter 'embedding.weight'": ["embedding.weight"],
            "is frozen": ["base_model.transformer.wte.weight"],
            "has a gradient too": [],
        },
    ),
    "check_own_file": (
        peft.get_peft_model_state_dict,
        ["r", "p list(__return__)"],
        ["prompt_embeddings"],
        {
            "A list of keys": 7,
            "the parameter's name in the model": ["prompt_encoder.default.embedding.weight"],
            "in the file stands prompt_embeddings": ["prompt_embeddings", "transform"],
        },
    ),
}
"""Check → where it stops, what shows the answer there, the answer, and wrong ones by what is said of them."""


@pytest.mark.usefixtures("no_tracer")
@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_is_answered_by_what_is_seen_at_its_stop(name, tmp_path, capsys):
    place, commands, right, wrong = QUESTIONS[name]
    check, model = getattr(lesson_15, name, None) or getattr(lesson_13, name), wrapped()

    def stopped(typed: list[str]) -> Any:
        with stop_at(place, times=1, commands=[*typed, "c"], debugger="pdb") as stop:
            exec(RUN, vars(peft) | {"load_tiny": load_tiny, "batch": BATCH, "folder": tmp_path})
        return stop

    def said(stop: Any, answer: Any) -> Any:
        return check(*([model] if name in WITH_MODEL else []), stop, answer)

    seen = stopped(commands)
    assert said(seen, right).passed
    assert "***" not in capsys.readouterr().out
    assert "without asking anything" in said(stopped([]), right).text
    elsewhere = said(stopped(["p 1"]), right).text
    assert "was not printed there" in elsewhere or "You have not stood in" in elsewhere
    for cause, answer in wrong.items():
        verdict = said(seen, answer)
        assert not verdict.passed
        assert cause in verdict.text


WITH_MODEL = ("check_own_width", "check_own_mask", "check_own_gradient")
