"""What the page says is taught is what runs: PEFT's walk is recorded, and each of its lines looked up in the table."""

import contextlib
import copy
import functools
import inspect
import pkgutil
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import peft
import pytest
import torch
from transformers import BertForQuestionAnswering, BertForTokenClassification, BertModel

from notebooks import taught
from notebooks.build import SOURCE
from prefix_lab.course.progress import lesson
from prefix_lab.course.small_models import small_bert, small_gpt2, small_ids, small_llama, small_t5
from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.steps import EVENTS
from prefix_lab.stages import STAGES

LINE = EVENTS.index("line")


def walks() -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """A model, its task and what it is called with: two kinds of labels, masks and positions for each family."""
    ids = small_ids()
    mask = torch.ones_like(ids)
    yield small_t5(), "SEQ_2_SEQ_LM", {"labels": ids, "decoder_attention_mask": mask}
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    yield small_gpt2(), "CAUSAL_LM", {"labels": ids, "position_ids": positions, "attention_mask": mask}
    yield small_llama(), "CAUSAL_LM", {"labels": ids}
    bert = small_bert()
    yield bert, "SEQ_CLS", {"labels": torch.tensor([0, 2]), "attention_mask": mask, "token_type_ids": mask}
    yield BertForTokenClassification(bert.config), "TOKEN_CLS", {"labels": ids % 3}
    ends = {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([2, 3])}
    two = copy.deepcopy(bert.config)
    two.num_labels = 2
    yield BertForQuestionAnswering(two), "QUESTION_ANS", ends
    yield BertModel(bert.config), "FEATURE_EXTRACTION", {"attention_mask": mask}


def walk(model: Any, task: str, batch: dict[str, Any], projection: bool) -> None:
    """get_peft_model, forward, backward, generate, save, load, forward."""
    fresh, ids = copy.deepcopy(model), small_ids()
    config = peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=5, prefix_projection=projection)
    wrapped = peft.get_peft_model(model, config)
    output = wrapped(input_ids=ids, **batch)
    (output.loss if "loss" in output else output.last_hidden_state.sum()).backward()
    wrapped.print_trainable_parameters()
    if task in ("SEQ_2_SEQ_LM", "CAUSAL_LM"):
        mask = torch.ones_like(ids)
        mask[1, 0] = 0
        wrapped.eval().generate(input_ids=ids, attention_mask=mask, max_new_tokens=3, do_sample=False)
    with tempfile.TemporaryDirectory() as folder:
        wrapped.save_pretrained(folder)
        peft.PeftModel.from_pretrained(fresh, folder)(input_ids=ids, **batch)


@functools.cache
def run_of_peft() -> dict[str, set[int]]:
    """Each function of PEFT's that ran, by its dotted name, and the lines of it that did. Not what importing runs."""
    found: dict[str, set[int]] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        for model, task, batch in walks():
            for projection in (False, True):
                with record(["peft"]) as recording:
                    walk(copy.deepcopy(model), task, batch, projection)
                assert recording.exception is None
                assert recording.left_out == 0
                add_lines(recording, found)
    return found


def add_lines(recording: Recording, found: dict[str, set[int]]) -> None:
    names = [dotted(file, function) for file, function, _ in recording.columns.functions]
    for event, function, line in recording.columns.places:
        if event == LINE and names[function] is not None:
            found.setdefault(names[function], set()).add(line)


def dotted(file: str, function: str) -> str | None:
    """`peft.peft_model.PeftModel.get_prompt`; what lies inside a function counts as a part of it."""
    if file.startswith("<"):
        return None  # what dataclasses write: it has no source
    parts = Path(file).with_suffix("").parts
    module = ".".join(parts[len(parts) - 1 - parts[::-1].index("peft") :]).removesuffix(".__init__")
    name = function.split(".<locals>")[0]
    if name == "<module>" or inspect.isclass(pkgutil.resolve_name(f"{module}:{name}")):
        return None
    return f"{module}.{name}"


def function_of(name: str) -> FunctionType:
    """The function itself, beneath properties, class methods and decorators."""
    parts = name.split(".")
    last = next(cut for cut in range(len(parts) - 1, 0, -1) if is_module(".".join(parts[:cut])))
    owner: Any = pkgutil.resolve_name(".".join(parts[:last]))
    for part in parts[last:]:
        owner = inspect.getattr_static(owner, part)
    return inspect.unwrap(getattr(owner, "fget", None) or getattr(owner, "__func__", None) or owner)


def is_module(name: str) -> bool:
    try:
        return inspect.ismodule(pkgutil.resolve_name(name))
    except (ImportError, AttributeError):
        return False


def sections_of(name: str, anchors: list[str]) -> list[int]:
    """The line at which each section begins. An anchor that is gone, or stands above the one before, fails."""
    lines, first = inspect.getsourcelines(function_of(name))
    starts = [first]
    for anchor in anchors[1:]:
        found = [number for number, line in enumerate(lines, first) if anchor in line and number > starts[-1]]
        assert found, f"{name}: {anchor!r} is not in its source below the anchor before"
        starts.append(found[0])
    return starts


TAUGHT = {name: sections for functions in taught.TAUGHT.values() for name, sections in functions.items()}
PASSED_OVER = [name for group in taught.PASSED_OVER for name in group.functions]


def test_every_function_that_runs_is_taught_or_passed_over_with_a_reason():
    assert sorted(set(run_of_peft()) - set(TAUGHT) - set(PASSED_OVER)) == []


def test_every_function_in_the_table_runs():
    assert sorted({*TAUGHT, *PASSED_OVER} - set(run_of_peft())) == []


def test_no_function_stands_in_the_table_twice():
    names = [name for functions in taught.TAUGHT.values() for name in functions] + PASSED_OVER
    assert len(names) == len(set(names))
    assert all(group.heading and group.reason.endswith(".") for group in taught.PASSED_OVER)


@pytest.mark.parametrize("name", TAUGHT)
def test_every_line_that_runs_lies_in_a_section_of_a_lesson_and_every_section_runs(name):
    sections = TAUGHT[name]
    starts = sections_of(name, list(sections))
    assert next(iter(sections)) == ""
    ran = run_of_peft()[name]
    lines, first = inspect.getsourcelines(function_of(name))
    assert all(first <= line < first + len(lines) for line in ran)
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else first + len(lines)
        assert any(start <= line < end for line in ran), f"nothing runs in the section {list(sections)[at]!r}"


@pytest.mark.parametrize("name", TAUGHT)
def test_the_lesson_names_or_shows_what_it_is_said_to_teach(name):
    for place in TAUGHT[name].values():
        number, word = taught.taught_in(name, place)
        shown = taught.is_named(place) and any(shows(number, row.name) for row in STAGES if row.peft == name)
        assert shown or word in text_of(number), f"{word!r} is not in lesson {number}"


def shows(number: int, stage_name: str) -> bool:
    """Whether a lesson shows a stage, and so the source of PEFT's function there."""
    return re.search(rf'show_stage\(\s*"{stage_name}"', text_of(number)) is not None


@functools.cache
def text_of(number: int) -> str:
    """A lesson's source, and that of the modules that are its own."""
    folder = Path(taught.__file__).parent / "lessons"
    files = [SOURCE / f"{lesson(number).file}.py", *sorted(folder.glob(f"*_{number:02}.py"))]
    return "".join(file.read_text(encoding="utf8") for file in files)


@pytest.mark.parametrize("language", taught.PAGES)
def test_the_page_is_up_to_date(language):
    written = taught.PAGES[language].read_text(encoding="utf8")
    assert written == taught.page(language), "run python -m notebooks.taught"
