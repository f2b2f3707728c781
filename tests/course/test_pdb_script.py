"""pdb types for the learner, and leaves nothing behind."""

import sys

import pytest

from prefix_lab.course.pdb_script import stop_in


def inner(x):
    """Doubles."""
    y = x * 2
    return y


def outer(x):
    return inner(x) + inner(x + 1)


@pytest.fixture
def no_tracer():
    """Coverage or a debugger may watch the test run itself."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


@pytest.mark.usefixtures("no_tracer")
def test_it_stops_at_the_first_statement_types_the_commands_and_goes_on(capsys):
    assert stop_in(inner, lambda: outer(3), ["p x", "n", "p y", "u", "p x + 100", "c"]) == 14
    shown = capsys.readouterr().out
    assert shown.index("(Pdb) p x\n3\n") < shown.index("(Pdb) p y\n6\n") < shown.index("103")


@pytest.mark.usefixtures("no_tracer")
def test_a_later_call_is_not_stopped_once_the_commands_are_done(capsys):
    stop_in(inner, lambda: outer(3), ["c"])
    assert capsys.readouterr().out.count("(Pdb)") == 1


@pytest.mark.usefixtures("no_tracer")
def test_no_tracer_stays_behind_and_an_exception_passes_through():
    with pytest.raises(TypeError, match="unsupported operand"):
        stop_in(inner, lambda: outer(None), ["c"])
    assert sys.gettrace() is None


@pytest.mark.usefixtures("no_tracer")
def test_another_debugger_is_not_pushed_aside():
    def watching(frame, event, argument):
        return None

    sys.settrace(watching)
    with pytest.raises(RuntimeError, match="Another debugger is watching"):
        stop_in(inner, lambda: outer(3), ["c"])
    assert sys.gettrace() is watching
