"""Lesson 10's checks: stub, solution, plausible mistakes told by their cause, and answers that mean harm."""

import inspect
import re
import sys
from pathlib import Path

import peft
import pytest
import torch

from notebooks.build import HERE, SOURCE
from prefix_lab.course.editor import Editor
from prefix_lab.course.lessons.lesson_10 import (
    AFTER_SPLIT,
    check_commands,
    check_condition,
    check_split_shapes,
    drawn_sizes,
    launch_configurations,
    line_with,
    small_call,
)
from prefix_lab.debugger import record
from prefix_lab.shapes import evaluate

pytestmark = [
    pytest.mark.usefixtures("no_tracer"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture
def no_tracer():
    """Coverage or a debugger may watch the test run itself."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


THREE = ["n"] * 3
COMMANDS_MISTAKES = {
    "put your answer": ...,
    "such as": "n",
    "at least one": [],
    "each command is a text": [3],
    "NEXT": ["n", "n", "p past_key_values.shape", "c"],
    "before the projection": ["n", "n", "n", "p prefix_tokens.shape", "c"],
    "what came in": ["p prefix.shape", "c"],
    "Put it last": ["c", "n", "n", "p past_key_values.shape"],
    "lets it go on": ["n", "q"],
    "torch's own code": ["n", "n", "s", "s", "s", "p self"],
    "Ask for .shape": [*THREE, "p past_key_values", "c"],
    "showed no shape": THREE,
    "SyntaxError": [*THREE, "p past_key_values.shape["],
    "AttributeError": [*THREE, "p past_key_values.shapes", "c"],
    "from the keyboard": ["n", "interact"],
}
HOSTILE_COMMANDS = [["exit()"], ["!raise SystemExit"], ["!raise KeyError(3)"], ["restart"], 7, {"n": 1}, [None], [""]]
GOOD = {moment: f"({', '.join(axes.split())})" for moment, axes in AFTER_SPLIT.items()}
SPLIT_MISTAKES = {
    "put your answer": GOOD | {"view": ...},
    "a dictionary": ["batch"],
    "each of 'view', 'cat', 'split'": {"view": GOOD["view"]},
    "view: these are the numbers": GOOD | {"view": "(2, 20, 6, 4, 32)"},
    "view: view has cut hidden": GOOD | {"view": "batch, prefix_len, 2·layers, hidden"},
    "view: every axis is there": GOOD | {"view": "batch prefix_len 2·layers head_dim heads"},
    "'rows' is no axis": GOOD | {"view": "batch prefix_len rows heads head_dim"},
    "cat: cat puts the tensor": GOOD | {"cat": GOOD["view"]},
    "cat: cat makes one axis": GOOD | {"cat": "batch prefix_len layers heads head_dim"},
    "What does permute put first": GOOD | {"split": "batch heads prefix_len head_dim 4"},
    "a block for each layer": GOOD | {"split": "4·layers batch heads prefix_len head_dim"},
    "How many rows": GOOD | {"split": "layers batch heads prefix_len head_dim"},
    "Stop behind that line": GOOD | {"split": "2 batch heads prefix_len head_dim"},
    "write the names in one text": GOOD | {"cat": 7},
}
CONDITION_MISTAKES = {
    "put your answer": ...,
    "is a text": lambda: True,
    "counted from 0": "self.layer_idx == 2",
    "To compare, write ==": "self.layer_idx = 1",
    "there is no layer_idx": "layer_idx == 1",
    "in the second layer only": "self.layer_idx > 0",
    "Which attribute of self": "self.layer == 1",
    "in none": "self.layer_idx == '1'",
    "whatever the model's sizes": "mask.shape == (2, 1, 7, 27) and self.layer_idx == 1",
    "is not an expression": "",
    "SystemExit": "exit()",
}
MISTAKES = {
    check_commands: COMMANDS_MISTAKES,
    check_split_shapes: SPLIT_MISTAKES,
    check_condition: CONDITION_MISTAKES,
}


@pytest.mark.parametrize("answer", HOSTILE_COMMANDS, ids=str)
def test_hostile_commands_are_not_right_and_break_nothing(answer):
    assert not check_commands(answer).passed
    assert sys.gettrace() is None


@pytest.mark.parametrize(
    "answer",
    [
        [*THREE, "p past_key_values.shape", "c"],
        [*THREE, "shapes()"],
        [*THREE, "past_key_values.size()", "c"],
        ["r", "p tuple(past_key_values.shape)"],
    ],
    ids=str,
)
def test_every_way_to_show_it_is_right(answer):
    assert check_commands(answer).passed


def test_axes_may_be_written_in_several_ways():
    assert check_split_shapes(GOOD).passed
    assert check_split_shapes(AFTER_SPLIT).passed
    other = {"view": "[batch_size, num_virtual_tokens, 2*num_layers, num_heads, head_dim]"}
    assert check_split_shapes(GOOD | other | {"cat": "batch prefix_len 4 * layers heads head_dim"}).passed


def test_the_right_axes_are_those_that_peft_makes():
    sizes = drawn_sizes()
    known = sizes._asdict()
    with small_call(peft, sizes) as call, record(include=[peft.PeftModel.get_prompt]) as recording:
        call()
    seen = {
        value.shape
        for step in range(len(recording))
        for name, value in recording.cursor(step).locals.items()
        if name == "past_key_values" and "shape" in getattr(value, "facts", {})
    }
    for moment in ("view", "cat"):
        assert tuple(evaluate(axis, known) for axis in AFTER_SPLIT[moment].split()) in seen


def test_right_conditions_pass():
    assert check_condition("self.layer_idx == 1").passed
    assert check_condition(" self.layer_idx in (1,) and past_key_values is not None").passed


def test_a_check_leaves_the_learners_random_numbers_alone_and_prints_nothing(capsys):
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    check_commands([*THREE, "shapes()", "c"])
    check_condition("self.layer_idx == 1")
    assert torch.equal(torch.rand(3), first)
    assert capsys.readouterr() == ("", "")


def test_what_a_learner_wrote_is_shown_as_text():
    assert "<script>" not in check_commands(["p '<script>'["])._repr_html_()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (peft.PeftModel.get_prompt, "past_key_values = past_key_values.view("),
        (peft.PeftModel.get_prompt, "if peft_config.num_transformer_submodules == 2:"),
        (peft.PeftModel.get_prompt, "past_key_values = past_key_values.permute("),
        (peft.PeftModel.get_prompt, "base_model = self.get_base_model()"),
        (peft.PrefixEncoder.forward, "return past_key_values"),
    ],
)
def test_the_lessons_texts_stand_in_pefts_source(function, text):
    file, _, number = line_with(function, text).rpartition(":")
    assert text in Path(file).read_text().splitlines()[int(number) - 1]
    assert Path(file) == Path(inspect.getsourcefile(function))


@pytest.mark.parametrize(("text", "said"), [("no such text", "in no lines"), ("past_key_values", "expected one")])
def test_a_text_that_is_not_one_line_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        line_with(peft.PeftModel.get_prompt, text)


def test_the_launch_configurations_are_read_from_the_project(tmp_path):
    names = [row[0] for row in launch_configurations().rows]
    assert len(names) == 4
    assert any("prefix-lab dap" in name for name in names)
    assert "open a clone" in repr(launch_configurations(tmp_path / "none"))


def test_the_lessons_pictures_are_beside_it_and_small():
    """JupyterLab shows nothing from above the folder in which it was started, which is the notebooks' own."""
    links = re.findall(r"!\[(.+?)\]\((.+?)\)", (SOURCE / "10_breakpoints_three_ways.py").read_text(), re.DOTALL)
    assert len(links) == 3
    for told, path in links:
        assert len(told) > 30
        assert (HERE / "en" / path).stat().st_size < 150_000


def test_an_editor_walks_a_recording_both_ways(tmp_path, capsys):
    def double(x):
        y = torch.cat([x, x])
        return y

    with record(include=[double]) as recording:
        double(torch.zeros(3))
    recording.save(tmp_path / "one.recording")
    with Editor(tmp_path / "one.recording") as editor:
        assert editor.goes_back
        editor.break_in("double")
        for button in ("next", "next", "stepBack"):
            editor.press(button)
        with pytest.raises(RuntimeError, match="nowhere"):
            editor.break_in("nowhere")
    said = capsys.readouterr().out.splitlines()
    lines = [line[13:].strip() for line in said if "step" in line]
    assert lines == ["y = torch.cat([x, x])", "return y", "y = torch.cat([x, x])"]
    assert any("y: Tensor (6) float32" in line for line in said)
    assert editor.process.returncode == 0
