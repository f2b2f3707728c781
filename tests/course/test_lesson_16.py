"""2023 and now: what the lesson asks of 0.4.0 is what two recordings show; and it goes on where that cannot be had."""

import contextlib

import pytest

from notebooks.build import SOURCE, build
from prefix_lab.course.lessons import lesson_16
from prefix_lab.course.lessons.lesson_16 import PREPARED, all_changes, loss_of, side_by_side, walked, where_it_decides
from prefix_lab.debugger import Breakpoint
from prefix_lab.widgets import Mirror, Stepper
from prefix_lab.years.environment import CannotHave

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def walks(peft_of_2023):
    return walked("peft==0.4.0"), walked("peft")


def test_all_is_equal_up_to_encode(walks):
    mirror = side_by_side(*walks, "choose")
    assert isinstance(mirror, Mirror)
    first = {one.stage: one.verdict for one in reversed(mirror.boundaries)}
    assert [first[stage] for stage in ("prepare", "wrap", "choose", "encode")] == ["equal"] * 4
    assert first["split"] == first["attend"] == "different"


def test_the_number_of_layers_is_read_from_another_name_and_one_caller_is_gone(walks):
    for walk, name in zip(walks, (PREPARED["then"], PREPARED["now"]), strict=True):
        assert any(step.text.endswith((f'model_config["{name}"]', f"model_config.{name}")) for step in walk.steps)
    callers = [callers_of(walk, "_prepare_prompt_learning_config") for walk in walks]
    assert callers == [[PREPARED["no_longer"], "PeftModel.add_adapter"], ["PeftModel.add_adapter"]]


def test_2023_stands_before_the_line_that_decides_and_at_one_length_does_not_read_the_text(walks):
    stepper = where_it_decides(walks[0])
    assert stepper.recording.steps[stepper.step].locals["past_key_value"].facts["shape"][2] == 20
    assert loss_of(walks[0]) == pytest.approx(loss_of(walks[1]), rel=1e-6)  # not to the last bit on every processor
    losses = [loss_of(walked(where, 7)) for where in ("peft==0.4.0", "peft")]
    assert [round(loss, 2) for loss in losses] == [6.28, 3.03]


def test_the_table_has_what_moved_and_what_ran_once_less(walks):
    said = repr(all_changes(*walks))
    assert "from peft/mapping.py to peft/mapping_func.py" in said
    assert "2 times then, 1 now" in said


def callers_of(walk, function):
    cursor, found = walk.cursor(), []
    while cursor.run_to(Breakpoint(function)):
        if cursor.step.event == "call":
            found.append(cursor.stack[1].function)
    return found


def test_without_the_old_release_it_is_said_once_and_everything_else_works(monkeypatch, capsys):
    def without(where, **options):
        if where == "peft":
            return today(where, **options)
        raise CannotHave("It is not here.")

    today = lesson_16.record_walk
    monkeypatch.setattr(lesson_16, "record_walk", without)
    monkeypatch.setattr(lesson_16, "_walks", {})
    names, shown = {}, []
    for cell in build(SOURCE / "16_2023_and_now.py", "en", solved=True).cells:
        if cell.cell_type == "code":
            *lines, last = cell.source.rstrip().split("\n")
            with contextlib.suppress(SyntaxError):
                compile(last, "cell", "eval")
                exec("\n".join(lines), names)
                shown.append(eval(last, names))
                continue
            exec(cell.source, names)
    verdicts = [one for one in shown if hasattr(one, "passed")]
    assert [one.passed for one in verdicts] == [True] * 4
    assert sum(isinstance(one, Stepper) for one in shown) == 3
    printed = capsys.readouterr().out
    assert printed.count("It is not here.") == 1
    assert printed.count("this is today's alone") == 3
    assert "7 peft==0.4.0 not here" in printed


def test_what_is_asked_before_installing_is_asked_of_a_person_once(monkeypatch):
    asked = []
    monkeypatch.setattr(lesson_16, "_walks", {})
    monkeypatch.setattr(lesson_16, "record_walk", lambda where, **options: asked.append(options["install"]))
    walked("peft==0.4.0")
    walked("peft==0.4.0", 7)
    assert asked == [None, False]
