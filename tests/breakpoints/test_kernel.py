"""Stops at a stage in a real kernel: in pdb, and in the debugger as JupyterLab and VS Code attach it."""

import inspect
import sys
from importlib.util import find_spec

import pytest
import torch

import prefix_lab
from prefix_lab.shapes import cache, name_axes
from prefix_lab.shapes.walks import STANDARD_RUNS
from prefix_lab.stages import stage
from tests.breakpoints.kernel import Kernel


def test_a_list_of_commands_is_typed_into_pdb_also_while_the_debugger_is_on_which_then_stops_again(kernel: Kernel):
    cell = "with stop_at('encode', commands=['p prefix.max().item()', 'c']): _ = ours(**batch)"
    kernel.switch_on()
    said = kernel.run(cell)
    kernel.run("_ = break_at('encode', times=1)")
    assert "ran" in kernel.stop_in("_ = ours(**batch); print('ran')").goes_on()
    kernel.run("_ = clear()")
    kernel.switch_off()
    for text in (said, kernel.run(cell)):
        assert "\n19\n" in text
        assert "WARNING" not in text


@pytest.mark.parametrize(("kind", "prompt"), [("pdb", "(Pdb) "), ("ipdb", "ipdb> "), (None, "ipdb> ")])
def test_pdb_in_a_cell_asks_through_the_kernels_standard_input(kernel: Kernel, kind, prompt):
    cell = kernel.start(f"with stop_at('split', where='peft', debugger={kind!r}): _ = theirs(**batch)\nprint('after')")
    for line in ("p batch_size", "u", "pp shapes()", "c"):
        assert kernel.asked() == prompt
        kernel.answer(line)
    said = kernel.finish(cell)
    assert "peft_model.py" in said
    assert "kwargs['labels']" in said
    assert "(2, 7)  int64" in said
    assert "after\n" in said


def test_quitting_pdb_ends_the_block_and_later_cells_go_on(kernel: Kernel):
    cell = kernel.start("with stop_at('encode'):\n    ours(**batch)\n    print('not here')")
    assert kernel.asked() == "ipdb> "
    kernel.answer("q")
    said = kernel.finish(cell)
    assert "Quit: the rest of the block did not run." in said
    assert "not here" not in said
    assert "ran" in kernel.run("ours(**batch); print('ran')")


def test_explain_looks_at_the_last_cells_error(kernel: Kernel):
    kernel.run("import torch\nwrong = make(peft)\nwrong.prompt_encoder['default'].transform[0] = torch.nn.Linear(7, 5)")
    assert "RuntimeError" in kernel.run("wrong(**batch)")
    said = kernel.run("explain()")
    assert "self.transform(prefix_tokens)" in said
    assert "prefix_tokens: " in said
    assert "Stage 'encode', in PEFT's code" in said
    assert "Ours does this in prefix_lab/encoder.py" in said


PLACES = [
    ("encode", "ours", "ours(**batch)", "prefix_lab/encoder.py", {"prefix": "Tensor (2, 20) int64"}),
    ("encode", "peft", "theirs(**batch)", "peft/tuners/prefix_tuning/model.py", {"prefix": "Tensor (2, 20) int64"}),
    ("split", "ours", "ours(**batch)", "prefix_lab/past.py", {"prefix": "Tensor (2, 20, 768) float32"}),
    ("split", "peft", "theirs(**batch)", "peft/peft_model.py", {"batch_size": "2"}),
    (
        "attend",
        "transformers",
        "theirs(**batch)",
        "transformers/models/t5/modeling_t5.py",
        {"hidden_states": "Tensor (2, 7, 128) float32", "mask": "Tensor (2, 1, 7, 27) bool"},
    ),
]


@pytest.fixture
def debugged(kernel):
    """The kernel with the bug switched on."""
    kernel.switch_on()
    yield kernel
    kernel.switch_off()
    kernel.run("_ = clear()")


def test_without_a_debugger_it_is_said_how_to_switch_one_on_and_it_is_handed_over_when_it_is(kernel: Kernel):
    said = kernel.run("break_at('encode');")
    for words in ("No debugger is attached", "switch on the bug", "Debug Cell", "stop_at('encode')"):
        assert words in said
    assert "ran" in kernel.run("ours(**batch); print('ran')")
    kernel.switch_on()
    try:
        stop = kernel.stop_in("ours(**batch); print('ran')")
        assert stop.function == "forward"
        assert "ran" in stop.goes_on()
    finally:
        kernel.switch_off()
        kernel.run("_ = clear()")


def test_the_thread_that_a_large_message_starts_is_not_among_those_that_stop(debugged: Kernel):
    debugged.run("_ = break_at('encode')")
    debugged.run("from zmq.utils.garbage import gc\ngc.start()")
    name = debugged.run("print(gc.thread.name)").strip()
    stop = debugged.stop_in("ours(**batch); print('ran')")
    threads = {one["name"] for one in debugged.debug("threads")["body"]["threads"]}
    assert "MainThread" in threads
    assert name not in threads
    assert "ran" in stop.goes_on()


@pytest.mark.parametrize(("name", "where", "call", "file", "shown"), PLACES)
def test_a_stop_has_its_place_its_variables_and_steps_and_goes_on(debugged: Kernel, name, where, call, file, shown):
    said = debugged.run(f"break_at({name!r}, where={where!r}, times=1)")
    assert file in said
    assert "No debugger" not in said
    stop = debugged.stop_in(f"{call}; print('ran')")
    assert stop.file.endswith(file)
    variables = stop.variables()
    assert {key: variables[key]["value"] for key in shown} == shown
    for key, text in shown.items():
        assert variables[key]["type"] in (text, "int")  # JupyterLab's tree shows this field
    over = stop.step("next")
    assert (over.file, over.function) == (stop.file, stop.function)
    assert over.line > stop.line
    out = over.step("stepOut")
    assert (out.function, out.file) != (stop.function, stop.file)
    assert "ran" in out.goes_on()
    assert "ran" in debugged.run(f"{call}; print('ran')")  # it stopped once, as asked for


def test_stepping_in_goes_down_to_the_next_stage(debugged: Kernel):
    debugged.run("_ = break_at('encode', where='peft', times=1)")
    stop = debugged.stop_in("theirs(**batch)")
    assert "self.embedding(prefix)" in inspect.getsource(stage("encode").function("peft"))
    frames = len(stop.frames)
    for _ in range(4):
        stop = stop.step("stepIn")
    assert len(stop.frames) > frames
    stop.goes_on()


def test_a_condition_decides_where_it_stops_and_what_was_hit_is_counted(debugged: Kernel):
    debugged.run("_ = break_at('split', condition='prefix.shape[0] == 1 and layers == 3')")
    assert "ran" in debugged.run("ours(**batch); print('ran')")
    stop = debugged.stop_in("ours(**{key: value[:1] for key, value in batch.items()}); print('ran')")
    assert stop.variables()["prefix"]["value"] == "Tensor (1, 20, 768) float32"
    assert "ran" in stop.goes_on()
    assert debugged.run("[(one.hits, one.stops) for one in breakpoints()]") == "[(1, 1)]"


def test_a_condition_that_fails_at_a_stop_stops_and_says_why(debugged: Kernel):
    debugged.run("_ = break_at('split', condition='prefix.no_such_name')")
    assert "no_such_name" in debugged.stop_in("ours(**batch)").goes_on()
    assert "AttributeError" in debugged.run("breakpoints()")


def test_an_editors_own_breakpoints_in_the_same_file_do_not_take_ours_away_for_good(debugged: Kernel):
    debugged.run("_ = break_at('encode', times=1)")
    file = find_spec("prefix_lab.encoder").origin
    debugged.debug("setBreakpoints", source={"path": file}, breakpoints=[{"line": 30}])
    stop = debugged.stop_in("ours(**batch); print('ran')")
    assert stop.function == "forward"
    assert "ran" in stop.goes_on()
    debugged.debug("setBreakpoints", source={"path": file}, breakpoints=[])


def test_what_was_cleared_does_not_stop(debugged: Kernel):
    debugged.run("_ = break_at('encode'), break_at('split')")
    assert "split" in debugged.run("clear('encode')")
    stop = debugged.stop_in("ours(**batch)")
    assert stop.file.endswith("past.py")
    stop.goes_on()
    assert "No breakpoint is set" in debugged.run("clear()")
    assert "ran" in debugged.run("ours(**batch); print('ran')")


def test_variables_unfold_to_what_helps(debugged: Kernel):
    debugged.run("_ = break_at('encode', times=1)")
    stop = debugged.stop_in("ours(**batch)")
    variables = stop.variables()
    assert variables["self"]["type"] == "PrefixEncoder with 118,144 parameters, 118,144 trainable"
    inside = stop.unfold(variables["prefix"])
    assert {"shape", "dtype", "device", "requires_grad", "grad"} <= set(inside)
    assert inside["shape"]["value"] == "'(2, 20)'"
    statistics = stop.unfold(inside["statistics"])
    assert (statistics["min"]["value"], statistics["max"]["value"]) == ("0.0", "19.0")
    assert stop.unfold(variables["self"])["embedding"]["value"].startswith("Embedding with 2,560 parameters")
    assert "PrefixEncoder.forward" in stop.evaluate("__import__('prefix_lab.breakpoints').breakpoints.shapes().text")
    stop.goes_on()


def test_on_python_3_11_a_recording_says_that_the_debugger_is_off_and_later_cells_stop_again(debugged: Kernel):
    debugged.run("_ = break_at('encode', times=1)")
    code = (
        "import warnings\nfrom prefix_lab.debugger import record\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    with record(include=['prefix_lab']) as recording:\n        _ = ours(**batch)\n"
        "print(len(recording.find(function='PrefixEncoder.forward')) > 0, *[one.message for one in seen])"
    )
    if sys.version_info >= (3, 12):
        assert "True" in debugged.stop_in(code).goes_on()
        return
    said = debugged.run(code)
    assert "True" in said
    assert "It is off while this recording is made" in said
    assert "ran" in debugged.stop_in("_ = ours(**batch); print('ran')").goes_on()


def encode(axes):
    """The stage `encode` alone, as a walk."""
    config = prefix_lab.PrefixTuningConfig(
        num_virtual_tokens=axes["prefix_len"],
        token_dim=axes["hidden"],
        num_layers=axes["layers"],
        num_transformer_submodules=1,
        encoder_hidden_size=axes["encoder_hidden"],
        prefix_projection=True,
    )
    prefix_lab.PrefixEncoder(config)(torch.zeros(axes["batch"], axes["prefix_len"], dtype=torch.long))


def test_axes_have_their_names_once_a_walk_was_kept(kernel: Kernel, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_CACHE", kernel.run("import os; print(os.environ['PREFIX_LAB_CACHE'])").strip())
    assert cache.save(name_axes(encode), "T5, projected", STANDARD_RUNS)
    kernel.run("_ = break_at('encode', times=1)")
    kernel.switch_on()
    try:
        stop = kernel.stop_in("_ = ours(**batch)")
        shown = stop.variables()["prefix"]
        assert shown["value"] == shown["type"] == "Tensor (batch 2, prefix_len 20) int64"
        assert stop.evaluate("prefix") == shown["value"]
        stop = stop.step("next").step("next")
        shown = stop.variables()["prefix_tokens"]["value"]
        assert shown == "Tensor (batch 2, prefix_len 20, hidden 128) float32"
        stop.goes_on()
    finally:
        kernel.switch_off()
