"""What lesson 12 shows of debuggers is so: in PEFT's source, in the project's launch.json, in an editor's talk."""

import inspect
import re
from pathlib import Path

import peft
import pytest
import torch

from notebooks.build import HERE, SOURCE
from prefix_lab.course.editor import Editor
from prefix_lab.course.lessons.lesson_12 import launch_configurations, line_of
from prefix_lab.debugger import record


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (peft.PeftModel.get_prompt, "past_key_values.view("),
        (peft.PeftModel.get_prompt, "if peft_config.num_transformer_submodules == 2:"),
        (peft.PrefixEncoder.forward, "past_key_values = self.transform("),
        (peft.PrefixEncoder.forward, "return past_key_values"),
    ],
)
def test_the_lessons_texts_stand_in_pefts_source(function, text):
    assert text in Path(inspect.getsourcefile(function)).read_text().splitlines()[line_of(function, text) - 1]


@pytest.mark.parametrize(("text", "said"), [("no such text", "in no lines"), ("past_key_values", "expected one")])
def test_a_text_that_is_not_one_line_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        line_of(peft.PeftModel.get_prompt, text)


def test_the_launch_configurations_are_read_from_the_project(tmp_path):
    names = [row[0] for row in launch_configurations().rows]
    assert len(names) == 5
    assert any("prefix-lab dap" in name for name in names)
    assert "open a clone" in repr(launch_configurations(tmp_path / "none"))


def test_the_lessons_pictures_are_beside_it_and_small():
    """JupyterLab shows nothing from above the folder in which it was started, which is the notebooks' own."""
    links = re.findall(r"!\[(.+?)\]\((.+?)\)", (SOURCE / "12_breakpoints_three_ways.py").read_text(), re.DOTALL)
    assert len(links) == 2 * 3
    for told, path in links:
        assert len(told) > 15
        assert (HERE / "en" / path).stat().st_size < 150_000
        assert (HERE / "zh" / path).read_bytes() == (HERE / "en" / path).read_bytes()


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
