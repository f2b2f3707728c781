"""The six tasks of the small world by every method: what trains in each, and what is said of all."""

from dataclasses import replace

import pytest

from prefix_lab.course.experiments import get_experiment
from prefix_lab.course.experiments.runs import Results
from prefix_lab.course.experiments.shown import shown
from prefix_lab.course.experiments.six_tasks import methods, prepared, that_train
from prefix_lab.course.world_tasks import KINDS


@pytest.mark.parametrize("task_type", KINDS)
def test_prefix_and_lora_train_about_as_many_numbers_and_the_head_beside_them(task_type):
    trained = {method: that_train(prepared(task_type, method, 0)[0]) for method in methods(task_type)}
    few = {trained[method] for method in ("prefix", "paper", "LoRA") if method in trained}
    assert max(few) < 1.2 * min(few)
    assert trained["full"] > 800_000
    assert trained.get("nothing", 0) == trained.get("instruction", 0) == 0
    assert trained.get("head", 1) < 0.05 * min(few)


def test_the_six_tasks_are_told_in_one_sentence(tmp_path):
    def measure(setting, seed):
        right = 0.5 if (setting["method"], setting["task_type"]) == ("prefix", "TOKEN_CLS") else 0.96
        return {"correct": right + seed / 100, "trained": 10}

    found = shown(Results(replace(get_experiment("tasks"), measure=measure), tmp_path).run(progress=False))
    assert "in 5 of the six tasks, CAUSAL_LM, SEQ_2_SEQ_LM, SEQ_CLS, QUESTION_ANS, " in found.sentence
    assert "but not in TOKEN_CLS (53%);" in found.sentence
