"""Breakpoints are set, listed, counted and cleared by name, also where no debugger is."""

import subprocess
import sys

import pytest

from prefix_lab.breakpoints import break_at, breakpoints, clear
from tests.tiny_models import refuses


def test_without_a_debugger_break_at_says_so(capsys):
    said = break_at("encode")
    assert "prefix_lab/encoder.py, line " in repr(said)
    assert "No debugger is attached" in capsys.readouterr().out


def test_what_is_set_is_listed_as_text_and_as_a_table(capsys):
    assert "No breakpoint is set" in repr(breakpoints())
    assert "No breakpoint is set" in breakpoints()._repr_html_()
    break_at("split", where="peft", condition="batch_size < 3", times=2)
    shown = breakpoints()
    assert [(one.stage, one.where, one.times, one.hits) for one in shown] == [("split", "peft", 2, 0)]
    assert "batch_size < 3" in repr(shown)
    assert "batch_size &lt; 3" in shown._repr_html_()
    assert "<th scope" in shown._repr_html_()


def test_the_same_stage_and_side_is_set_once(capsys):
    break_at("encode", times=1)
    break_at("encode", where="prefix_lab", times=2)
    assert [(one.where, one.times) for one in breakpoints()] == [("ours", 2)]


def test_clear_takes_away_one_stage_one_side_or_all(capsys):
    for name, where in [("encode", "ours"), ("encode", "peft"), ("split", "ours")]:
        break_at(name, where=where)
    assert len(clear("encode", "peft")) == 2
    assert [one.stage for one in clear("encode")] == ["split"]
    with refuses(ValueError, "stage='encode'", "Those set: 'split' (ours)"):
        clear("encode")
    assert clear() == ()
    assert clear() == ()


def test_it_counts_and_stops_as_often_as_asked(capsys):
    found = break_at("split", condition="layers > 1", times=2)
    (place,) = found.places.values()
    assert [found.reached(place, {"layers": layers}) for layers in (1, 2, 3, 4)] == [False, True, True, False]
    assert (found.hits, found.stops) == (3, 2)


def test_a_condition_that_fails_stops_and_is_told_once(capsys):
    found = break_at("split", condition="prefix.shape[0] > 1")
    (place,) = found.places.values()
    assert found.reached(place, {"prefix": None})
    assert found.reached(place, {"prefix": None})
    assert capsys.readouterr().err.count("AttributeError") == 1
    assert "AttributeError" in repr(breakpoints())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"stage": "encod"}, "is not a stage"),
        ({"stage": "encode", "where": "theirs"}, "where='theirs', expected 'ours'"),
        ({"stage": "encode", "times": 0}, "times=0, expected a whole number"),
        ({"stage": "encode", "times": True}, "times=True"),
        ({"stage": "encode", "times": "2"}, "times='2'"),
        ({"stage": "encode", "condition": "1 +"}, "condition='1 +'"),
    ],
)
def test_what_cannot_be_set_is_refused_and_leaves_nothing(arguments, said):
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        break_at(**arguments)
    assert breakpoints() == ()


def test_a_stage_of_another_type_is_refused_too():
    told = "from prefix_lab.breakpoints import break_at; break_at([])"  # elsewhere, these tests check all types
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert "ValueError: name=[] is not a stage of the walk. The stages are choose, prepare" in done.stderr


def test_importing_it_imports_neither_torch_nor_peft_nor_ipython():
    told = "import sys, prefix_lab.breakpoints; print({'torch', 'peft', 'IPython', 'debugpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
