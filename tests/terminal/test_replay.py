"""`prefix-lab replay` without a screen, and the command line around both commands."""

import os
import select
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from prefix_lab.debugger import Recording
from prefix_lab.terminal.commands import build_parser
from tests.terminal.programs import DOUBLES, prefix_lab, recorded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    recorded(folder, DOUBLES).save(folder / "doubles.recording")
    return folder


def test_in_a_pipe_the_outline_and_the_first_steps_are_printed(folder):
    recording = Recording.load(folder / "doubles.recording")
    done = prefix_lab("replay", "doubles.recording", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    outline, steps = done.stdout.split("\n\n")
    assert outline == str(recording)
    *lines, more = steps.splitlines()
    assert lines == [repr(step) for step in recording.steps[:20]]
    assert more == f"… {len(recording) - 20} steps more: --from 20 --count 20"


def test_steps_are_chosen_by_number_and_count(folder):
    recording = Recording.load(folder / "doubles.recording")
    done = prefix_lab("replay", "--print", "--from", "5", "--count", "3", "doubles.recording", folder=folder)
    assert done.stdout.splitlines()[-4:-1] == [repr(step) for step in recording.steps[5:8]]
    done = prefix_lab("replay", "--from", "5", "--count", "9999", "doubles.recording", folder=folder)
    assert done.stdout.splitlines()[-1] == repr(recording.steps[-1])
    done = prefix_lab("replay", "--count", "0", "doubles.recording", folder=folder)
    assert "<0 call" not in done.stdout


def test_a_step_that_is_not_there_is_refused(folder):
    steps = len(Recording.load(folder / "doubles.recording"))
    done = prefix_lab("replay", "--from", str(steps), "doubles.recording", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{steps} was given, and the last of {steps} steps is {steps - 1}" in done.stderr


def test_a_file_that_is_no_recording_is_refused_with_the_reason(folder):
    (folder / "foreign").write_text("hello")
    whole = (folder / "doubles.recording").read_bytes()
    (folder / "damaged").write_bytes(whole[: len(whole) // 2])
    for name, reason in (
        ("foreign", "this is not a recording of prefix_lab"),
        ("damaged", "It is damaged"),
        ("nowhere", "cannot be read: No such file or directory"),
    ):
        done = prefix_lab("replay", name, folder=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
        assert "Traceback" not in done.stderr


def test_a_recording_without_steps_is_told_of(tmp_path):
    (tmp_path / "program.py").write_text("import textwrap\n")
    done = prefix_lab("record", "--include", "colorsys", "program.py", folder=tmp_path)
    assert "saved 0 steps" in done.stderr
    done = prefix_lab("replay", "program.recording", folder=tmp_path)
    assert done.returncode == 0
    heading, note = done.stdout.splitlines()
    assert heading == "Recording of 0 steps in 0 calls"
    assert "no line of colorsys ran" in note
    assert "What ran: <module> of program.py. Include" in note


def test_lines_are_lines_whatever_the_program_raised(tmp_path):
    source = "try:\n    raise ValueError('one\\ntwo \\x1b[31m')\nexcept ValueError:\n    pass\n"
    recorded(tmp_path, source).save(tmp_path / "raised.recording")
    done = prefix_lab("replay", "raised.recording", folder=tmp_path)
    assert "ValueError: one\\ntwo \\x1b[31m" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_that_cannot_write_a_sign_gets_it_spelled_out(folder):
    done = prefix_lab("replay", "doubles.recording", folder=folder, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "4x " in done.stdout


def test_a_reader_that_has_read_enough_is_no_error(folder):
    read, write = os.pipe()
    os.close(read)
    done = prefix_lab(
        "replay", "doubles.recording", folder=folder, capture_output=False, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_in_a_terminal_it_opens_on_the_whole_screen_until_q(folder):
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "prefix_lab", "replay", str(folder / "doubles.recording")]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        while b"all keys" not in said and select.select([ours], [], [], 60)[0]:
            said += os.read(ours, 65536)
        os.write(ours, b"q")
        with suppress(OSError):  # what Linux says at the end of a terminal
            while os.read(ours, 65536):
                pass
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert b"all keys" in said
    assert b"\x1b[?1049h" in said  # the terminal's other screen, so that its own comes back


def test_help_comes_without_what_is_slow_to_import():
    said = (
        "import sys, contextlib\nfrom prefix_lab.terminal.commands import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print([name for name in ('torch', 'transformers', 'textual', 'tqdm', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("[]\n")
    assert all(f"\n    {name} " in done.stdout for name in ("walk", "record", "replay"))


def test_a_command_is_listed_in_the_words_that_it_has_itself():
    lines = [build_parser(words)._subparsers._group_actions[0]._choices_actions for words in ([], ["walk"])]
    assert [(row.dest, row.help) for row in lines[0]] == [(row.dest, row.help) for row in lines[1]]
