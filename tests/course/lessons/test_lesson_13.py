"""Lesson 13's checks: a stub is not yet right, the solution is, and plausible mistakes are told by their cause."""

import peft
import pytest
from torch import nn

from prefix_lab.course.lessons.lesson_13 import (
    check_lora_count,
    check_lora_layer,
    check_merge,
    check_stale_total,
    example_of,
    numbers_in,
    record_wrapping,
    where_they_part,
    without_weights,
)
from tests.tiny_models import tiny_t5


def lora_count(replaced, wide_in, wide_out, r):
    return replaced * r * (wide_in + wide_out)


def stale_total(base, replaced, wide_in, wide_out, r):
    return base + lora_count(replaced, wide_in, wide_out, r) + replaced * wide_out


def merged(weight, a, b, scaling):
    return weight + scaling * b @ a


class Layer(nn.Module):
    """The solution; a mistake changes one part of it."""

    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, r, bias=False)
        self.up = nn.Linear(r, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)
        self.scaling = alpha / r

    def forward(self, x):
        return self.base(x) + self.scaling * self.up(self.down(x))


class Stub(nn.Module):
    """As the lesson has it."""

    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = ...
        self.up = ...
        self.scaling = ...

    def forward(self, x):
        return ...


def layer(**changes):
    """The solution with other parts: an attribute by its name, `forward` as a function of the layer and x."""

    def make(base, r, alpha):
        made = Layer(base, r, alpha)
        for name, change in changes.items():
            setattr(made, name, change(made, base, r, alpha))
        return made

    return make


def answering(forward):
    return layer(forward=lambda made, *given: lambda x: forward(made, x))


def after(change):
    def make(base, r, alpha):
        made = Layer(base, r, alpha)
        change(made)
        return made

    return make


def raises(*arguments):
    raise ZeroDivisionError("division by zero")


COUNT, TOTAL = lora_count, stale_total
MISTAKES = {
    check_lora_count: {
        "that is one layer": lambda replaced, wide_in, wide_out, r: r * (wide_in + wide_out),
        "that is A alone": lambda replaced, wide_in, wide_out, r: replaced * r * wide_in,
        "that is B alone": lambda replaced, wide_in, wide_out, r: replaced * r * wide_out,
        "frozen weights": lambda replaced, wide_in, wide_out, r: replaced * wide_in * wide_out,
        "r rows or columns": lambda replaced, wide_in, wide_out, r: replaced * (wide_in + wide_out),
        "need not be wide_in": lambda replaced, wide_in, wide_out, r: replaced * r * 2 * wide_in,
        "no bias any more": lambda replaced, wide_in, wide_out, r: stale_total(0, replaced, wide_in, wide_out, r),
        "in every replaced layer": lambda *given: 884736,
    },
    check_stale_total: {
        "today's total; a bias more": lambda base, *given: base + lora_count(*given),
        "as wide as what comes out": lambda base, replaced, wide_in, wide_out, r: (
            base + lora_count(replaced, wide_in, wide_out, r) + replaced * wide_in
        ),
        "every replaced layer had one": lambda base, replaced, wide_in, wide_out, r: (
            base + lora_count(replaced, wide_in, wide_out, r) + wide_out
        ),
        "A and B are in the total": lambda base, replaced, wide_in, wide_out, r: base + replaced * wide_out,
        "A and B had none": lambda base, replaced, wide_in, wide_out, r: (
            stale_total(base, replaced, wide_in, wide_out, r) + replaced * r
        ),
        "one bias of wide_out": lambda *given: 223843584,
    },
    check_lora_layer: {
        "put your answer": Stub,
        "each other's place": layer(
            down=lambda made, *rest: made.up, up=lambda made, base, r, alpha: Layer(base, r, 1).down
        ),
        "in_features": layer(down=lambda made, base, r, alpha: nn.Linear(base.out_features, r, bias=False)),
        "have a bias": layer(down=lambda made, base, r, alpha: nn.Linear(base.in_features, r)),
        "starts at random": after(lambda made: nn.init.normal_(made.up.weight)),
        "zero as well as up": after(lambda made: nn.init.zeros_(made.down.weight)),
        "is base(x) the first part": answering(lambda made, x: made.up(made.down(x)) * made.scaling),
        "the scaling alpha / r is missing": answering(lambda made, x: made.base(x) + made.up(made.down(x))),
        "upside down": layer(scaling=lambda made, base, r, alpha: r / alpha),
        "divided by r": layer(scaling=lambda made, base, r, alpha: alpha),
        "the base alone": answering(lambda made, x: made.base(x)),
        "once B is not zero": layer(scaling=lambda made, base, r, alpha: 17.5),
        "the base trains too": after(lambda made: made.base.requires_grad_(True)),
        "do not train": after(lambda made: made.requires_grad_(False)),
        "your forward raised ZeroDivisionError": answering(lambda made, x: raises()),
        "forward gives (3,": answering(lambda made, x: made.down(x)),
        "two torch.nn.Linear": layer(down=lambda made, *rest: nn.Identity()),
        "expected a torch.nn.Module": lambda base, r, alpha: 3,
    },
    check_merge: {
        "the scaling is missing": lambda weight, a, b, scaling: weight + b @ a,
        "the addition alone": lambda weight, a, b, scaling: scaling * b @ a,
        "not to the weight": lambda weight, a, b, scaling: scaling * (weight + b @ a),
        "which order fits": lambda weight, a, b, scaling: weight + scaling * a @ b,
        "expected weight + scaling": lambda weight, a, b, scaling: weight,
        "a matrix like weight": lambda weight, a, b, scaling: (b @ a).T[:1],
    },
}


def test_a_class_that_is_no_class_yet_is_not_right():
    assert "put your answer" in check_lora_layer(...).text


def test_the_docstring_still_has_the_example_that_the_lesson_is_about():
    config, printed = example_of(peft.PeftModelForSeq2SeqLM)
    assert (config["peft_type"], config["r"], config["target_modules"]) == ("LORA", 8, ["q", "v"])
    assert numbers_in(printed)[:2] == [884736, 223843584]
    assert numbers_in("trainable params: 884,736 || all params: 223,788,288 || trainable%: 0.3953") == [
        884736,
        223788288,
    ]


def test_a_docstring_without_an_example_is_refused():
    with pytest.raises(LookupError, match="no example"):
        example_of(int)


def test_the_docstrings_number_is_todays_with_a_bias_in_each_replaced_layer():
    base = sum(parameter.numel() for parameter in without_weights("t5-base").parameters())
    assert base + lora_count(72, 768, 768, 8) == 223788288
    assert stale_total(base, 72, 768, 768, 8) == 223843584


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_two_branches_part_at_the_question_of_prompt_learning():
    recordings = [
        record_wrapping(tiny_t5(), config)
        for config in (
            peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3),
            peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["q", "v"]),
        )
    ]
    fork, prefix_line, lora_line = where_they_part(*recordings, "PeftModel.__init__")
    assert "_is_prompt_learning" in fork.text
    assert prefix_line.text != lora_line.text
