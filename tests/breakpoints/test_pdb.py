"""pdb at a stage: commands are typed, shapes are shown, nothing stays behind."""

import builtins
import os
import subprocess
import sys

import pytest
import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.breakpoints.places import place_of
from prefix_lab.debugger import record
from prefix_lab.past import split_layers
from tests.tiny_models import refuses, tiny_t5

pytestmark = [
    pytest.mark.usefixtures("no_tracer"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
IDS = torch.tensor([[3, 4, 5], [6, 7, 8]])


def make(library):
    config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, prefix_projection=True)
    return library.get_peft_model(tiny_t5(), config)


@pytest.fixture(scope="module")
def ours():
    return make(prefix_lab)


@pytest.fixture(scope="module")
def theirs():
    import peft

    return make(peft)


def test_commands_are_typed_at_the_stage_and_shapes_are_printed(ours, capsys):
    with stop_at("encode", commands=["shapes()", "pp shapes()", "p prefix.ndim", "c"]) as stop:
        ours(input_ids=IDS, labels=IDS)
    said = capsys.readouterr().out
    assert "encoder.py" in said
    assert said.count("PrefixEncoder.forward, encoder.py, line ") == 2
    assert "(2, 5)  int64" in said
    assert "(Pdb) p prefix.ndim\n2\n" in said
    assert stop.hits == 1
    assert not hasattr(builtins, "shapes")


def test_it_stops_in_pefts_code_and_goes_up_and_on(theirs, capsys):
    with stop_at("split", where="peft", commands=["n", "u", "p labels.shape", "c"]):
        theirs(input_ids=IDS, labels=IDS)
    said = capsys.readouterr().out
    assert "peft_model.py" in said
    assert "torch.Size([2, 3])" in said


def test_in_transformers_it_stops_where_attention_reads_the_prefix(theirs, capsys):
    with stop_at("attend", where="transformers", commands=["p past_key_values.get_seq_length()", "c"]):
        theirs(input_ids=IDS, labels=IDS)
    assert "get_seq_length()\n5\n" in capsys.readouterr().out


def test_times_and_condition_choose_the_stops(ours, capsys):
    with stop_at("encode", condition="prefix.shape[0] == 1", commands=["p 'here'", "c"]) as stop:
        ours(input_ids=IDS, labels=IDS)
        ours(input_ids=IDS[:1], labels=IDS[:1])
    assert stop.hits == 1
    with stop_at("encode", times=2, commands=["c", "c", "c"]) as stop:
        for _ in range(3):
            ours(input_ids=IDS, labels=IDS)
    assert (stop.hits, stop.breakpoint.stops) == (3, 2)


def test_breakpoints_set_by_hand_at_a_stop_work_as_well(ours, capsys):
    there = place_of(split_layers, "split_layers")
    with stop_at("encode", commands=[f"b {there.code.co_filename}:{there.line}", "c", "p submodules", "c"]):
        ours(input_ids=IDS, labels=IDS)
    assert "(Pdb) p submodules\n2\n" in capsys.readouterr().out


def inner(x):
    """Doubles."""
    y = x * 2
    return y


def outer(x):
    return inner(x) + inner(x + 1)


def test_it_stops_in_any_function_at_its_first_statement_until_the_commands_are_used_up(capsys):
    with stop_at(inner, commands=["p x", "n", "p y", "u", "p x + 100", "c"], debugger="pdb") as stop:
        assert outer(3) == 14
    said = capsys.readouterr().out
    assert said.index("(Pdb) p x\n3\n") < said.index("(Pdb) p y\n6\n") < said.index("103")
    assert stop.hits == 1


IN_A_TERMINAL = """
from prefix_lab.breakpoints import stop_at
def inner(x):
    y = x * 2
    return y
with stop_at(inner, suggest=["n", "p y + 1", "c"]) as stop:
    print("inner gives", inner(3))
print(stop.by, [one.command for one in stop.asked])
"""


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("nonsense\nn\np y\nc\n", ["`c` goes on", "Try: n  ·  p y + 1  ·  c", "NameError", "inner gives 6", "hand ["]),
        ("\x04", ["Quit: the rest of the block did not run.", "hand ["]),
        (None, ["Nobody can type here", "(Pdb) p y + 1", "7", "inner gives 6", "lesson ['n', 'p y + 1', 'c']"]),
    ],
)
def test_in_a_terminal_a_person_types_and_in_a_pipe_the_lesson(tmp_path, keys, words):
    program = tmp_path / "program.py"
    program.write_text(IN_A_TERMINAL)
    ours, theirs = os.openpty()
    os.write(ours, (keys or "").encode())
    stdin = subprocess.DEVNULL if keys is None else theirs
    command = [sys.executable, "-W", "ignore", str(program)]
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=60, check=True)
    os.close(ours)
    os.close(theirs)
    for word in words:
        assert word in done.stdout


def test_a_function_that_was_never_reached_is_told(capsys):
    with stop_at(inner, condition="x > 3", commands=["c"]):
        inner(3)
    assert "inner was never reached with x > 3 true." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stage": len}, ["has no lines of Python to stop in"]),
        ({"stage": torch.nn.Linear}, ["Give a function or method"]),
        ({"stage": inner, "where": "peft"}, ["where='peft' goes with a stage's name"]),
        ({"stage": inner, "condition": "y > 3"}, ["asks for y, which has no value yet when inner begins"]),
        ({"stage": "encode", "debugger": "gdb"}, ["debugger='gdb'", "'pdb' or 'ipdb'"]),
        *(
            ({"stage": "encode", "commands": one}, ["commands=", "['n', 'shapes()', 'c']"])
            for one in ("n", [3], [" "], 5)
        ),
    ],
)
def test_what_cannot_be_done_as_asked_is_refused(arguments, words):
    with refuses(ValueError, *words):
        stop_at(**arguments)


def test_quitting_ends_the_block_and_leaves_no_tracer(ours, capsys):
    with stop_at("encode", commands=["q"]):
        ours(input_ids=IDS, labels=IDS)
        raise AssertionError("the rest of the block does not run")
    assert "Quit" in capsys.readouterr().out
    assert sys.gettrace() is None


def test_an_error_of_the_block_goes_on_its_way(capsys):
    with pytest.raises(ZeroDivisionError), stop_at("encode", commands=["c"]):
        _ = 1 / 0
    assert sys.gettrace() is None


def test_a_stage_that_was_never_reached_is_told(ours, capsys):
    with stop_at("encode", where="peft", commands=["c"]):
        ours(input_ids=IDS, labels=IDS)
    assert "'encode' (peft) was never reached" in capsys.readouterr().out


def test_another_tracer_is_not_pushed_aside():
    def watching(frame, event, argument):
        return None

    sys.settrace(watching)
    with refuses(RuntimeError, "is watching this Python"):
        stop_at("encode").__enter__()
    assert sys.gettrace() is watching


def test_a_recording_around_it_works_where_python_can_and_is_told_where_not(ours, capsys):
    with record(include=["prefix_lab.encoder"]) as recording:
        if sys.version_info < (3, 12):
            with refuses(RuntimeError, "A recording is being made", "Python 3.12 or newer"):
                stop_at("encode").__enter__()
        else:
            with stop_at("encode", commands=["p prefix.ndim", "c"]):
                ours(input_ids=IDS, labels=IDS)
    if sys.version_info >= (3, 12):
        assert recording.find(function="PrefixEncoder.forward")
        assert "2\n" in capsys.readouterr().out


def test_a_recording_inside_it_says_that_pdb_is_off_where_it_is(ours, capsys, recwarn):
    with stop_at("encode", commands=["p prefix.ndim", "c"]) as stop:
        with record(include=["prefix_lab.encoder"]) as recording:
            ours(input_ids=IDS, labels=IDS)
        ours(input_ids=IDS, labels=IDS)
    assert recording.find(function="PrefixEncoder.forward")
    assert stop.hits >= 1
    if sys.version_info < (3, 12):
        assert "It is off while this recording is made" in str(recwarn.pop().message)
