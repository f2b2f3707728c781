"""The line that tells how far a recording is."""

import itertools
import subprocess
import sys
import threading
from io import StringIO

import pytest

from prefix_lab.debugger import record
from prefix_lab.terminal.record import step_bar
from tests.terminal.programs import DOUBLES, written


class Terminal(StringIO):
    def isatty(self):
        return True


def test_nothing_is_written_where_nobody_looks(capsys):
    with step_bar(patience=0) as seen:
        seen(1234)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_count_and_then_no_more_of_it(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with step_bar(patience=0) as seen:
        for steps in itertools.takewhile(lambda _: "1,234" not in screen.getvalue(), itertools.repeat(1234)):
            seen(steps)
            seen(0)
    assert screen.getvalue().rpartition("\r")[0].split("\r")[-1].strip() == ""


def test_the_line_goes_when_the_recorded_block_fails(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(ZeroDivisionError), step_bar(patience=0):
        raise ZeroDivisionError
    assert screen.getvalue().endswith("\r")


def test_it_is_what_record_asks_for_and_starts_no_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    path = written(tmp_path, DOUBLES.replace("range(4)", "range(5000)"))
    threads = threading.active_count()
    with step_bar(patience=0) as seen, record(include=[path], progress=seen):
        exec(compile(path.read_text(), str(path), "exec"), {})
        assert threading.active_count() == threads
    assert "recording: " in sys.stderr.getvalue()


def test_a_notebook_gets_a_widget():
    said = (
        "import ipykernel.zmqshell\n"
        "ipykernel.zmqshell.ZMQInteractiveShell()\n"
        "from prefix_lab.terminal.record import Bar\nfrom tqdm.notebook import tqdm_notebook\n"
        "print(issubclass(Bar, tqdm_notebook))"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "True\n", done.stderr
