"""What lessons say of PEFT is so, and what they show is told in words, too."""

import inspect
import re

import peft
import pytest
import torch
from peft.tuners.cartridge import utils
from peft.utils.other import _prepare_prompt_learning_config
from torch import nn
from transformers import AutoConfig

from prefix_lab import LoraConfig, PrefixTuningConfig, get_peft_model
from prefix_lab.checkpoint import save_pretrained
from prefix_lab.course import digest, load_tiny_t5, small_gpt2
from prefix_lab.course.lessons import (
    lesson_00,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_08,
    lesson_09,
    lesson_10,
    lesson_11,
    lesson_13,
)
from prefix_lab.course.network import draw_network
from prefix_lab.course.tiny import FOLDER, SPECIAL
from prefix_lab.debugger import record
from prefix_lab.stages import STAGES
from prefix_lab.widgets import predict
from prefix_lab.widgets.flow.journey import rows_of_layer
from prefix_lab.widgets.parameters.counting import prefix_parts
from prefix_lab.widgets.sizes import shipped, sizes_of
from prefix_lab.widgets.stepper.predict import Score
from tests.tiny_models import tiny_gpt2, tiny_t5

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def encode(batch):
    table = torch.zeros(7, 5)
    prefix = torch.zeros(batch, 3, dtype=torch.long)
    prefix_tokens = table[prefix]
    return prefix_tokens


@pytest.fixture
def question():
    with record([encode]) as recording:
        encode(2)
    return predict(recording, at="encode", name="prefix_tokens", score=Score())


def test_a_shape_by_numbers_is_right_and_a_wrong_one_is_told_its_axis(question):
    check = lesson_00.check_first_shape
    assert not check(question, ...).passed
    assert "Number of axes: you gave 2, it has 3." in check(question, "(2, 3)").text
    assert "Axis 2 is not 7" in check(question, (2, 3, 7)).text
    assert check(question, "(2, 3, 5)").passed


def test_an_answer_given_in_the_picture_counts(question):
    question.answer = {"text": "(2, 3)", "number": 1}
    assert not lesson_00.check_first_shape(question, ...).passed
    question.answer = {"text": "(2, 3, 5)", "number": 2}
    assert lesson_00.check_first_shape(question, ...).passed


@pytest.mark.parametrize("hostile", [5, None, "question", object()])
def test_without_its_question_the_check_says_which_cell_to_run(hostile):
    assert "run the cell that shows it" in lesson_00.check_first_shape(hostile, "(2, 3, 5)").text


@pytest.mark.parametrize("job", lesson_04.JOBS)
def test_a_wrong_class_is_told_what_it_is_for(job):
    for wrong in lesson_04.CLASSES:
        verdict = lesson_04.check_classes(lesson_04.JOBS | {job: wrong})
        assert verdict.passed == (wrong == lesson_04.JOBS[job])
        assert verdict.passed or verdict.text.startswith(f"{job}: not {wrong}")


def test_pefts_own_function_passes():
    assert lesson_09.check_rows_of(lambda layer, layers: rows_of_layer(layer, layers, True)).passed


def test_what_the_lessons_point_at_stands_in_pefts_source():
    assert "not config.inference_mode" in inspect.getsource(peft.PrefixEncoder.__init__)
    assert re.search(r"# Transpose: 2 x \[num_layers", inspect.getsource(peft.PeftModel.get_prompt))
    assert "prompt_embeddings_from_past_key_values" in dir(utils)


def test_the_outcomes_are_what_peft_does():
    t5 = load_tiny_t5()[0]
    with pytest.raises(KeyError):
        peft.get_peft_model(t5, peft.PrefixTuningConfig(num_virtual_tokens=2))
    with pytest.raises(ValueError, match="SUMMARIZE"):
        peft.PrefixTuningConfig(task_type="SUMMARIZE", num_virtual_tokens=2)
    wrapped = peft.get_peft_model(t5, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    assert type(wrapped).__name__ == "PeftModelForCausalLM"
    lora = peft.get_peft_model(load_tiny_t5()[0], peft.LoraConfig(target_modules=["q"]))
    assert type(lora).__name__ == "PeftModel"


@pytest.mark.parametrize(
    ("config", "mixed", "end"),
    [
        (PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2), False, "PeftModelForCausalLM"),
        (peft.PrefixTuningConfig(task_type="SEQ_CLS"), False, "PeftModelForSequenceClassification"),
        (PrefixTuningConfig(num_virtual_tokens=2), False, "KeyError"),
        (LoraConfig(), False, "PeftModel"),
        (LoraConfig(), True, "PeftMixedModel"),
    ],
)
def test_the_picture_shows_the_way_that_get_peft_model_takes(config, mixed, end):
    picture = lesson_04.draw_choice(config, mixed)
    assert repr(picture).endswith(f"→ {end}")


@pytest.mark.parametrize("name", shipped())
def test_the_table_of_sizes_says_what_peft_reads(name):
    row = next(row for row in lesson_05.readings() if row.name == name)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20)
    _prepare_prompt_learning_config(config, lesson_05.config_of(name))
    read = {field: row.found[field][0] for field in lesson_05.FIELDS}
    assert read == {field: getattr(config, field) for field in lesson_05.FIELDS}
    assert row.fits == (sizes_of(name).trouble is None)


@pytest.mark.parametrize("name", ["t5-11b", "gpt2", "bert-base"])
def test_an_empty_model_has_shapes_and_no_numbers(name):
    assert all(parameter.is_meta for parameter in lesson_05.empty_model(name).parameters())


def test_the_picture_of_both_forms_counts_as_the_bars_do_and_the_lines_cross_where_it_says():
    for inner in (64, 768):
        assert lesson_06.projected(20, 12, 768, inner) == sum(prefix_parts(20, 12, 768, inner).values())
        cross = int(lesson_06.meeting(12, 768, inner))
        assert lesson_06.projected(cross, 12, 768, inner) >= lesson_06.direct(cross, 12, 768)
        assert lesson_06.projected(cross + 1, 12, 768, inner) < lesson_06.direct(cross + 1, 12, 768)


def test_small_models_are_the_same_in_every_run_and_leave_the_learners_random_numbers_alone():
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    one, other = small_gpt2(layers=1), small_gpt2(layers=1)
    assert torch.equal(torch.rand(3), first)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_one_changed_bit_gives_another_digest():
    layer = nn.Linear(3, 2).to(torch.bfloat16)
    before = digest(layer)
    assert digest(layer) == before
    with torch.no_grad():
        layer.bias.view(torch.int16)[0] ^= 1
    assert digest(layer) != before


def test_a_files_parts_add_up_to_its_bytes(tmp_path):
    model = get_peft_model(tiny_gpt2(), PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=5))
    save_pretrained(model, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    parts = lesson_11.anatomy(file)
    assert parts.number_bytes == 5 * 2 * 2 * 12 * 4
    assert 8 + parts.header_bytes + parts.number_bytes == file.stat().st_size
    assert "prompt_embeddings" in repr(parts)


def test_the_docstring_still_has_the_example_that_the_lesson_is_about():
    config, printed = lesson_13.example_of(peft.PeftModelForSeq2SeqLM)
    assert (config["peft_type"], config["r"], config["target_modules"]) == ("LORA", 8, ["q", "v"])
    assert lesson_13.numbers_in(printed)[:2] == [884736, 223843584]
    assert lesson_13.numbers_in("trainable params: 884,736 || all params: 223,788,288 || trainable%: 0.3953") == [
        884736,
        223788288,
    ]


def test_a_docstring_without_an_example_is_refused():
    with pytest.raises(LookupError, match="no example"):
        lesson_13.example_of(int)


def test_the_docstrings_number_is_todays_with_a_bias_in_each_replaced_layer():
    base = sum(parameter.numel() for parameter in lesson_13.without_weights("t5-base").parameters())
    assert base + 72 * 8 * (768 + 768) == 223788288
    assert base + 72 * 8 * (768 + 768) + 72 * 768 == 223843584


def test_the_two_branches_part_at_the_question_of_prompt_learning():
    recordings = [
        lesson_13.record_wrapping(tiny_t5(), config)
        for config in (
            peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3),
            peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["q", "v"]),
        )
    ]
    fork, prefix_line, lora_line = lesson_13.where_they_part(*recordings, "PeftModel.__init__")
    assert "_is_prompt_learning" in fork.text
    assert prefix_line.text != lora_line.text


def gradient_with_dead_rows():
    gradient = torch.ones(3, 4, 5)
    gradient[:, 2:] = 0
    return gradient.flatten(1)


def moved_but_one_row():
    moved = torch.ones(5, 8)
    moved[:, 3] = 0
    return moved


MASKS = [
    ("CAUSAL_LM", "attention_mask", torch.ones(2, 3), torch.ones(2, 5)),
    ("SEQ_2_SEQ_LM", "attention_mask", torch.ones(2, 3), torch.ones(2, 3)),
]
AFTER = torch.tensor([[0.2, 0.4, 0.4], [0.6, 0.2, 0.2]])
EVEN = torch.full((3, 5), 0.2)
TINY = {name: AutoConfig.from_pretrained(FOLDER / name) for name in SPECIAL}
THREE_STACKS = {"encoder": 1, "decoder": 1, "cross-attention": 1}
PICTURES = {
    "7 learn": lambda: lesson_00.draw_walk(),
    "self-attention in each layer: 3 cells of the prefix": lambda: draw_network(TINY["gpt2"], 3),
    "encoder: 3 layers. self-attention in each layer: no cell": lambda: draw_network(TINY["t5"], 3),
    "cross-attention in each layer: no cell": lambda: draw_network(TINY["t5"], 300),
    "Each cell holds 128 numbers: 4 heads of 32.": lambda: draw_network(TINY["bert"], 3),
    "a: to its prefix 0.20, to the letters 0.80": lambda: lesson_02.draw_attention(
        torch.full((2, 2), 0.5), AFTER, "ab"
    ),
    "prefix_len 1: a 20%, b 60%": lambda: lesson_02.draw_shares({1: AFTER[:, 0]}, "ab"),
    "✗ flan-t5-small: 512 read, 384 cached": lambda: lesson_05.draw_widths(),
    "✗ 384": lambda: lesson_05.show_sizes(),
    "368,640": lambda: lesson_06.draw_forms(12, 768, (768, 64), 20),
    "2 words ask 5 keys; 40% of their attention is on the prefix": lambda: lesson_08.draw_attention(
        {"with <b>": EVEN, "alone": EVEN[:, 2:]}, ["$", " ", "<"], asking=1
    ),
    "layer 0: 40%, 40% on average; most in head 0 at “ ”, 40%": lambda: lesson_08.draw_reading(
        [EVEN.expand(1, 2, 3, 5)], ["$", " ", "<b>"], prefix_len=2, sentence=1
    ),
    "layer 0: 40%": lambda: lesson_08.draw_shares([EVEN[None, None]], prefix_len=2),
    "2 of 4 rows get a gradient; none at all: 2, 3.": lambda: lesson_09.draw_rows(
        gradient_with_dead_rows(), {"decoder": 2}, "T"
    ),
    "none at all: no row": lambda: lesson_09.draw_rows(torch.ones(3, 24), THREE_STACKS, "T"),
    "CAUSAL_LM: attention_mask grows to 2+3": lambda: lesson_10.draw_masks(MASKS),
    "SEQ_2_SEQ_LM: attention_mask stays 3": lambda: lesson_10.draw_masks(MASKS),
    "value of layer 1 0.00, key of layer 2 1.00": lambda: lesson_03.draw_rows(moved_but_one_row()),
    "adapter_model.safetensors: 61,560 bytes": lambda: lesson_11.draw_bytes(4_000_000, 600_000, 61_560),
}


@pytest.mark.parametrize("told", PICTURES)
def test_what_a_picture_shows_it_says_in_words(told):
    picture = PICTURES[told]()
    assert told in repr(picture)
    page = picture._repr_html_()
    assert "<b>" not in page
    assert 'role="img"' in page or "<table>" in page


def test_the_map_tells_every_stage_in_words_and_in_the_picture():
    picture = lesson_00.draw_walk()
    for row in STAGES:
        assert row.sentence in repr(picture)
        assert f"· {row.name}</text>" in picture.svg
