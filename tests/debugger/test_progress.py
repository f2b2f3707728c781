"""How far a long action is, in a real terminal and a real kernel: shown while it runs, gone when it has ended."""

import os
import pty
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.progress import Progress

AT_ONCE = "from prefix_lab.debugger import progress, record, Recording\nprogress.PATIENCE = progress.EVERY = 0\n"
RECORDS = """
def count(upto):
    number = 0
    while number < upto:
        number += 1
with record(count) as recording:
    count(20_000)
"""
HEARS = """
import contextlib, io, threading
from IPython.utils.capture import capture_output
def listens():
    begun = threading.active_count()
    with contextlib.redirect_stderr(io.StringIO()) as errors, capture_output(stdout=False, stderr=False) as shown:
        number = 0
        while number < 20_000:
            number += 1
    assert threading.active_count() == begun
    return errors.getvalue() + ''.join(map(str, shown.outputs))
with record(listens) as recording:
    heard = listens()
"""
FAILS = """
try:
    with record(count):
        count(20_000)
        1 / 0
except ZeroDivisionError:
    pass
"""
STOPS = """
try:
    with record(count) as recording:
        count(10)
        raise KeyboardInterrupt
except KeyboardInterrupt:
    assert 'KeyboardInterrupt' in recording.exception.text
"""
OPENS = "len(recording)\nrecording.save('a.recording')\nassert len(Recording.load('a.recording')) == len(recording)\n"
PAGE = "recording.to_html('a.html')\n"


def in_a_terminal(source: str, folder) -> str:
    """What a program writes to a terminal as its errors."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", source], stderr=theirs, cwd=folder)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # the terminal's end
        pass
    os.close(ours)
    assert process.wait() == 0, said.decode()
    return said.decode()


def in_a_kernel(source: str, folder) -> list[dict[str, str]]:
    """What is left of the outputs of a cell."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(made, resources={"metadata": {"path": str(folder)}}).execute()
    return [dict(output.data) for output in made.cells[0].outputs]


def test_a_terminal_shows_a_line_over_and_over_and_takes_it_away(tmp_path):
    said = in_a_terminal(AT_ONCE + RECORDS + OPENS + PAGE, tmp_path)
    *lines, last = said.split("\r")
    for words in ("Recording: ", "Laying out the recording: ", "Opening a.recording: ", "Making the page: 100%"):
        assert any(line.startswith(words) for line in lines), (words, said)
    assert last == "\x1b[K"
    assert "\n" not in said


def test_a_notebook_shows_it_in_one_output_that_ends_empty(tmp_path):
    outputs = in_a_kernel(AT_ONCE + RECORDS + PAGE, tmp_path)
    assert outputs
    assert all(set(data.values()) == {""} for data in outputs)


def test_the_line_goes_when_the_recorded_block_fails(tmp_path):
    source = AT_ONCE + RECORDS + FAILS
    said = in_a_terminal(source, tmp_path)
    assert "Recording: " in said.rpartition("\r")[0]
    assert said.endswith("\r\x1b[K")


def test_it_starts_no_thread_and_a_program_that_reads_its_own_errors_does_not_find_it_there(tmp_path):
    source = AT_ONCE + HEARS + "assert heard == '', heard\n"
    assert "Recording: " in in_a_terminal(source, tmp_path)
    assert in_a_kernel(AT_ONCE + HEARS + "heard", tmp_path)[-1]["text/plain"] == "''"


def test_a_stream_that_the_program_closes_shows_no_more(tmp_path):
    source = AT_ONCE + RECORDS.replace("    number = 0", "    sys.stderr.close()\n    number = 0")
    assert "Traceback" not in in_a_terminal("import sys\n" + source + "assert len(recording) > 1000", tmp_path)


def test_what_is_stopped_says_what_is_left_of_it(tmp_path):
    source = AT_ONCE + RECORDS + STOPS
    assert in_a_terminal(source, tmp_path).endswith("its last one is the interrupt.\r\n")
    assert in_a_kernel(source, tmp_path)[-1]["text/plain"].startswith("Stopped. The recording holds the steps")


def test_an_action_of_less_than_a_second_shows_nothing(tmp_path):
    assert in_a_terminal("from prefix_lab.debugger import record\n" + RECORDS.replace("20_000", "5"), tmp_path) == ""


def test_without_a_screen_nothing_is_said_and_nothing_runs_beside(capfd):
    with Progress("{far}", "Stopped.", lambda: 1) as progress:
        progress(1)
    assert capfd.readouterr().err == ""
    assert not progress.thread.is_alive()


@pytest.mark.parametrize("action", ["save", "to_html"])
def test_what_is_stopped_leaves_the_file_of_before(tmp_path, monkeypatch, action):
    def run():
        return 1

    with record(run) as recording:
        run()
    path = tmp_path / "file"
    path.write_text("before")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(recording, action)(path)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]
    assert isinstance(recording, Recording)
