"""The table of the walk: its names are there, in ours and in the installed PEFT."""

import inspect
import re

import pytest

from prefix_lab.shapes import AXES
from prefix_lab.stages import STAGES, Stage, resolve, stage
from tests.tiny_models import refuses

MADE_UP = Stage("made up", "prefix_lab.mapping.gone", "peft.peft_model.gone", (), (), "It is not there.")


def test_the_stages_are_the_walk_in_order():
    names = [row.name for row in STAGES]
    assert names == ["choose", "prepare", "wrap", "encode", "split", "attend", "learn", "keep"]


@pytest.mark.parametrize("row", STAGES, ids=lambda row: row.name)
@pytest.mark.parametrize(("where", "package"), [("ours", "prefix_lab"), ("peft", "peft")])
def test_what_a_stage_names_is_there_in_its_package_and_has_a_source(row, where, package):
    function, name = row.function(where), getattr(row, where).rsplit(".", 1)[1]
    assert function.__module__.split(".")[0] in (package, "torch")
    assert re.search(rf"(def|class) {name}\b", inspect.getsource(function))


@pytest.mark.parametrize("row", STAGES, ids=lambda row: row.name)
def test_a_stage_says_what_flows_and_why(row):
    assert row.takes
    assert row.gives
    assert row.sentence.endswith(".")
    written = " ".join(axis for flow in row.takes + row.gives for axis in flow.axes or ())
    axes = set(re.split(r"[·|+ ]", written)) - {"", "2"}
    assert axes <= set(AXES)


def test_a_stage_is_found_by_its_name():
    assert stage("split") is STAGES[4]
    with refuses(ValueError, "name='splt' is not a stage", "choose, prepare, wrap"):
        stage("splt")


@pytest.mark.parametrize("where", ["ours", "peft"])
def test_a_name_that_is_gone_is_told_with_the_way_out(where):
    with refuses(LookupError, "Stage 'made up'", f"{getattr(MADE_UP, where)}", "pip install -c constraints.txt"):
        MADE_UP.function(where)


def test_only_ours_and_peft_can_be_asked_for():
    with refuses(ValueError, "where='theirs'", "expected 'ours' or 'peft'"):
        STAGES[0].function("theirs")


def test_a_package_that_is_not_installed_is_an_import_error():
    with refuses(ModuleNotFoundError, "no_such_package"):
        resolve("no_such_package.module.function", "made up")
