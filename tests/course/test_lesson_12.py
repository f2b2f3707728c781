"""What lesson 12 shows of debuggers is so: in PEFT's source, in the project's launch.json, in an editor's talk."""

import inspect
import re
from pathlib import Path

import peft
import pytest
import torch

from notebooks.build import HERE, SOURCE
from prefix_lab.course.lessons.lesson_12 import (
    AFTER_SPLIT,
    Editor,
    drawn_sizes,
    launch_configurations,
    line_with,
    small_call,
)
from prefix_lab.debugger import record
from prefix_lab.shapes import evaluate


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
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
    links = re.findall(r"!\[(.+?)\]\((.+?)\)", (SOURCE / "12_breakpoints_three_ways.py").read_text(), re.DOTALL)
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
