"""Lesson 3's checks: classes by job, outcomes by case, and a registry with its plausible mistakes."""

import peft
import pytest

from prefix_lab import LoraConfig, PrefixTuningConfig
from prefix_lab.course.lessons.lesson_03 import (
    CASES,
    CLASSES,
    JOBS,
    check_classes,
    check_outcomes,
    check_registry,
    draw_choice,
)
from prefix_lab.course.small_models import load_tiny_t5


class Registry:
    def __init__(self):
        self.classes = {}

    def register(self, task_type, kind):
        if task_type in self.classes:
            raise ValueError(f"task_type={task_type!r} is taken.")
        self.classes[task_type] = kind

    def choose(self, task_type):
        if task_type not in self.classes:
            raise ValueError(f"task_type={task_type!r} is not known. Set one of {', '.join(self.classes)}.")
        return self.classes[task_type]


class Stub:
    def __init__(self):
        self.classes = ...

    def register(self, task_type, kind): ...

    def choose(self, task_type):
        return ...


class GivesObjects(Registry):
    def choose(self, task_type):
        return self.classes[task_type]()


class OneEntry(Registry):
    def register(self, task_type, kind):
        self.classes = {task_type: kind}


class LastWins(Registry):
    def choose(self, task_type):
        return list(self.classes.values())[-1]


class BareKeyError(Registry):
    def choose(self, task_type):
        return self.classes[task_type]


class GivesNone(Registry):
    def choose(self, task_type):
        return self.classes.get(task_type)


class SaysNothing(Registry):
    def choose(self, task_type):
        if task_type not in self.classes:
            raise ValueError(f"{task_type} is unknown")
        return self.classes[task_type]


class DoesNotSayWhat(Registry):
    def choose(self, task_type):
        if task_type not in self.classes:
            raise ValueError(f"known: {', '.join(self.classes)}")
        return self.classes[task_type]


class Overwrites(Registry):
    def register(self, task_type, kind):
        self.classes[task_type] = kind


class AsksTooLate(Registry):
    def register(self, task_type, kind):
        taken = task_type in self.classes
        self.classes[task_type] = kind
        if taken:
            raise ValueError("taken")


class Shared(Registry):
    classes = {}  # noqa: RUF012

    def __init__(self):
        pass


class WrongName(Registry):
    def choose(self, task_type):
        return super().choose(task_type.lower())


class Fails:
    def __init__(self):
        raise RuntimeError("no")


REGISTRY_MISTAKES = {
    "put your answer": Stub,
    "leave out the ()": GivesObjects,
    "mixes them up": LastWins,
    "a bare KeyError": BareKeyError,
    "nobody registered that name": GivesNone,
    "list the task types": SaysNothing,
    "say what was asked for": DoesNotSayWhat,
    "unseen": Overwrites,
    "ask first": AsksTooLate,
    "they share one table": Shared,
    "your registry raised ValueError": WrongName,
    "your registry raised RuntimeError: no": Fails,
    "expected the class itself": Registry(),
    "this is a ellipsis": ...,
}


def test_a_registry_with_room_for_one_is_not_enough():
    assert not check_registry(OneEntry).passed


def test_the_right_classes_pass_as_names_and_as_classes():
    assert check_classes(dict(JOBS)).passed
    assert check_classes({job: getattr(peft, name) for job, name in JOBS.items()}).passed


@pytest.mark.parametrize("job", JOBS)
def test_a_wrong_class_is_told_what_it_is_for(job):
    for wrong in CLASSES:
        verdict = check_classes(JOBS | {job: wrong})
        assert verdict.passed == (wrong == JOBS[job])
        assert verdict.passed or verdict.text.startswith(f"{job}: not {wrong}")


def filled_wrongly(lines):
    """Answers of another form."""
    first = next(iter(lines))
    return {
        "put your answer": dict.fromkeys(lines, ...),
        "'<script>' is no": lines | {first: "<script>"},
        "5 is no": lines | {first: 5},
        "is gone": {},
        "expected the dict": list(lines),
    }


MISTAKES = {
    check_classes: filled_wrongly(JOBS) | {"the table's left side": JOBS | {"GPT-2 writes on": "CAUSAL_LM"}},
    check_outcomes: filled_wrongly(CASES)
    | {f"{case}: not PeftModelForSeq2SeqLM": CASES | {case: "PeftModelForSeq2SeqLM"} for case in CASES},
    check_registry: REGISTRY_MISTAKES,
}


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
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
    picture = draw_choice(config, mixed)
    assert repr(picture).endswith(f"→ {end}")
