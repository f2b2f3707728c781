"""Stops in a real kernel, with somebody at the keyboard and with nobody: it is never left waiting for good."""

import pytest

from tests.breakpoints.kernel import Kernel

STOP = "with stop_at('encode', where='peft', suggest=['n', 'p prefix.shape', 'c']) as stop:\n    _ = theirs(**batch)\n"
TOLD = "(stop.by, stop.hits, len(stop.visits), [one.command for one in stop.asked])"
TYPED = "('lesson', 1, 2, ['n', 'p prefix.shape', 'c'])"


def test_a_person_types_and_what_was_asked_is_kept_with_its_answer_and_frame(kernel: Kernel):
    cell = kernel.start(STOP + "print('after')")
    for line in ("nonsense", "p prefix.shape", "u 3", "p batch_size", "c"):
        assert kernel.asked() == "ipdb> "
        kernel.answer(line)
    said = kernel.finish(cell)
    assert "Stopped in PrefixEncoder.forward, peft/tuners/prefix_tuning/model.py, line " in said
    assert "`q` leaves the block.\nTry: n  ·  p prefix.shape  ·  c\n" in said
    assert said.index("Stopped in") < said.index("*** NameError") < said.index("torch.Size([2, 20])")
    assert said.endswith("after\n")
    told = kernel.run("print(stop.by, *[(one.command, one.answer, one.function) for one in stop.asked], sep='\\n')")
    assert told.startswith("hand\n")
    assert "('nonsense', \"*** NameError: name 'nonsense' is not defined\", 'PrefixEncoder.forward')\n" in told
    assert "('p prefix.shape', 'torch.Size([2, 20])', 'PrefixEncoder.forward')\n" in told
    assert "('p batch_size', '2', 'PeftModel.get_prompt')\n('c', '', 'PeftModel.get_prompt')\n" in told


def test_where_nobody_can_type_the_lesson_types_what_it_suggests_and_says_so(kernel: Kernel):
    said = kernel.finish(kernel.start(STOP, typing=False))
    assert "Nobody can type here, so the lesson does." in said
    assert "ipdb> p prefix.shape\ntorch.Size([2, 20])" in said
    assert kernel.run(TOLD) == TYPED
    assert "never reached" not in kernel.finish(kernel.start("with stop_at('encode'): _ = ours(**batch)", typing=False))


def test_of_cells_that_are_run_at_once_none_waits(kernel: Kernel):
    cells = [kernel.start("print('one')"), kernel.send(STOP), kernel.send(STOP + TOLD)]
    _, second, third = map(kernel.finish, cells)
    assert "Several cells were run at once" in second
    assert TYPED in third


def test_in_vs_code_a_cell_that_follows_the_one_before_at_once_was_not_run_by_hand(kernel: Kernel):
    kernel.run("__vsc_ipynb_file__ = 'lesson.ipynb'")
    first = kernel.start("import time; time.sleep(0.2)")
    then = kernel.start(STOP)  # as VS Code does: a request of its own, later than the first
    kernel.finish(first)
    assert "Several cells were run at once" in kernel.finish(then)
    cell = kernel.start("del __vsc_ipynb_file__")
    kernel.finish(cell)


def test_the_switch_and_the_environment_let_the_lesson_type(kernel: Kernel):
    for off, on in [
        ("from prefix_lab.course import make_ready; make_ready(live=False)", "make_ready(live=True)"),
        ("import os; os.environ['PREFIX_LAB_LIVE'] = '0'", "del os.environ['PREFIX_LAB_LIVE']"),
    ]:
        kernel.run(off)
        assert "switched off" in kernel.run(STOP)
        assert kernel.run(TOLD) == TYPED
        kernel.run(on)


def test_a_stop_that_is_interrupted_is_left_and_the_cell_goes_on(kernel: Kernel):
    cell = kernel.start(STOP + "print('after')")
    assert kernel.asked() == "ipdb> "
    kernel.manager.interrupt_kernel()
    said = kernel.finish(cell)
    assert "Interrupted: the stop is left" in said
    assert said.endswith("after\n")
    assert kernel.run("ours(**batch) is not None, stop.by") == "(True, 'hand')"


def test_with_the_debugger_on_it_stops_there_and_takes_its_breakpoint_away(kernel: Kernel):
    kernel.switch_on()
    try:
        kernel.run("from zmq.utils.garbage import gc\ngc.start()")  # as a large message does
        pyzmqs = kernel.run("print(gc.thread.name)").strip()
        stop = kernel.stop_in(STOP)
        assert stop.function == "forward"
        threads = {one["name"] for one in kernel.debug("threads")["body"]["threads"]}
        assert "MainThread" in threads
        assert pyzmqs not in threads
        over = stop.step("next")
        assert over.variables()["prefix"]["value"].startswith("Tensor (")
        over.goes_on()
        told = kernel.run("print(stop.by, stop.hits, stop.visits[0].function, stop.visits[0].shapes)")
        assert told.startswith("debugger 1 PrefixEncoder.forward {'prefix': '(2, 20)  int64'")
        assert "ran" in kernel.run("_ = theirs(**batch); print('ran')")
        assert "No breakpoint is set" in kernel.run("breakpoints()")
        assert TYPED in kernel.finish(kernel.start(STOP + TOLD, typing=False))
    finally:
        kernel.switch_off()


@pytest.mark.parametrize("debugger", ["pdb", "ipdb"])
def test_a_stop_that_waits_goes_on_when_another_cell_is_run(kernel: Kernel, debugger):
    stop = STOP.replace("suggest", f"debugger={debugger!r}, suggest").replace(
        "_ = theirs", "_ = [theirs(**batch), theirs"
    )
    cell = kernel.start(stop.replace("**batch)\n", "**batch)]\n") + "print('after')")
    assert "db" in kernel.asked()
    other = kernel.start("'other'")
    said = kernel.finish(cell)
    assert "Another cell was run while this stop waited" in said
    assert said.endswith("after\n")
    assert "other" in kernel.finish(other)
    assert kernel.run("stop.hits, len(stop.visits)") == "(1, 1)"
