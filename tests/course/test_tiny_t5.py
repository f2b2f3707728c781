"""The shipped tiny T5: it loads alone, is small, and does what it was taught."""

import json
import subprocess
import sys

import pytest
import torch

from prefix_lab.course import load_tiny_t5
from prefix_lab.course.letters import TASKS, exact_match, held_out_words, seen_words, target_text
from prefix_lab.course.small_models import WEIGHTS
from prefix_lab.course.tasks import make_batch
from prefix_lab.course.training import train

# Any use of a socket ends this program, and so does any warning.
LOAD_ALONE = """
import socket, sys
import torch, transformers
def refuse(*arguments, **named): sys.exit("the network was used")
socket.socket = socket.getaddrinfo = socket.create_connection = refuse
from prefix_lab.course import load_tiny_t5
import prefix_lab.course.small_models
model, tokenizer = load_tiny_t5()
"""


@pytest.fixture(scope="module")
def tiny():
    return load_tiny_t5()


@pytest.fixture(scope="module")
def report():
    return json.loads((WEIGHTS / "report.json").read_text(encoding="utf-8"))


def sample(count=60):
    words = held_out_words()
    return words[:: len(words) // count][:count]


def test_it_loads_with_no_network_no_warning_and_no_output():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_ALONE], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0
    assert (done.stdout, done.stderr) == ("", "")


def test_the_course_package_loads_the_model_code_only_when_asked():
    program = "import sys, prefix_lab.course; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"


def test_it_has_about_a_million_float32_parameters_in_a_file_under_five_megabytes(tiny, report):
    model, _ = tiny
    assert 0.9e6 < model.num_parameters() < 1.1e6
    assert model.num_parameters() == report["parameters"]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (WEIGHTS / "model.safetensors").stat().st_size < 5_000_000


def test_it_comes_in_eval_mode_with_heads_that_fill_the_hidden_size(tiny):
    model, tokenizer = tiny
    assert not model.training
    assert model.config.num_heads * model.config.d_kv == model.config.d_model
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("task", TASKS)
def test_it_follows_the_instruction_on_words_it_never_saw(tiny, task):
    assert exact_match(*tiny, sample(), task) >= 0.9


@pytest.mark.parametrize("task", TASKS)
def test_with_the_bare_word_it_does_no_task_reliably(tiny, task):
    assert TASKS[task].score(*tiny, [(word, target_text(task, word)) for word in sample()]) < 0.5


def test_generate_alone_writes_the_longest_answer_to_its_end(tiny):
    model, tokenizer = tiny
    word = max(held_out_words(), key=len)
    tokens = model.generate(**tokenizer(["double: " + word], return_tensors="pt"))
    assert len(word) == 9
    assert tokens[0, -1] == tokenizer.eos_token_id


def test_the_report_tells_at_least_95_percent_for_each_task_of_the_table(report):
    assert list(report["exact_match"]) == list(TASKS)
    assert report["held_out_words"] == len(held_out_words())
    assert report["seen_words"] == len(seen_words())
    assert min(report["exact_match"].values()) >= 0.95


def test_a_batch_masks_the_padding_of_sources_and_leaves_that_of_targets_out_of_the_loss(tiny):
    _, tokenizer = tiny
    batch = make_batch(tokenizer, ["ab", "abcd"], ["abc", "a"])
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["labels"].tolist() == [[100, 101, 102, 1], [100, 1, -100, -100]]


def test_training_changes_what_requires_grad_and_nothing_else():
    model, tokenizer = load_tiny_t5()
    model.requires_grad_(False)
    model.shared.requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch = make_batch(tokenizer, *map(list, zip(*TASKS["reverse"].train[:4], strict=True)))
    losses = train(model, [batch, batch], steps=2, rate=0.01)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert len(losses) == 2
    assert not model.training
    assert "shared.weight" in changed
    assert not [name for name in changed if "layer" in name]


def test_measuring_on_no_words_is_refused_with_the_way_out(tiny):
    with pytest.raises(ValueError, match=r"words is empty, expected at least one; held_out_words\(\)"):
        exact_match(*tiny, [], "reverse")


def test_a_folder_without_a_model_is_refused_with_the_command_that_writes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no model.safetensors.*python -m prefix_lab.course.pretrain"):
        load_tiny_t5(tmp_path)


def test_each_task_is_told_apart_by_what_it_answers():
    assert len({tuple(target_text(task, word) for word in sample()) for task in TASKS}) == len(TASKS)
