"""The prefixes that ship do what is said of them, and their command makes such ones."""

import json

import pytest
from peft import PeftModel

from prefix_lab.course import load_tiny, world_task
from prefix_lab.course.prefixes import KEPT, SHIPPED, main, trained_prefix
from tests.tiny_models import refuses

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_prefix_that_ships_steers_its_model_as_its_report_says(name):
    one, folder = SHIPPED[name], trained_prefix(name)
    report = json.loads((folder / "report.json").read_text())
    model, tokenizer = load_tiny(one.model)
    steered = PeftModel.from_pretrained(model, folder)
    task = world_task(one.task_type, one.manner)
    assert abs(task.score(steered, tokenizer, task.test[:60]) - report["right_with_it"]) < 0.1
    with steered.disable_adapter():
        assert abs(task.score(steered, tokenizer, task.test[:60]) - report["right_without_it"]) < 0.1


def test_its_command_writes_what_peft_reads_and_no_folder_of_this_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SHIPPED, "t5_question", SHIPPED["t5_question"]._replace(steps=1))
    monkeypatch.setattr("prefix_lab.course.prefixes.world_task", lambda *_: small_task())
    main(["t5_question", "--out", str(tmp_path / "made")])
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted([*KEPT, "report.json"])
    assert "/" not in (tmp_path / "made" / "adapter_config.json").read_text()
    PeftModel.from_pretrained(load_tiny("t5")[0], tmp_path / "made")
    assert '"numbers_trained": 15360' in capsys.readouterr().out


def small_task():
    task = world_task("SEQ_2_SEQ_LM", "question")
    task.test = task.test[:2]
    return task


def test_an_unknown_prefix_is_refused_with_those_that_there_are():
    with refuses(ValueError, "name='gpt3'", "gpt2_postcard, t5_question"):
        trained_prefix("gpt3")
