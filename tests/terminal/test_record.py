"""`prefix-lab record`: the script notices nothing, ends as it would, and what it did is saved."""

import os
import re
import subprocess

import pytest

import prefix_lab as prefix_lab_itself
from prefix_lab.debugger import Recording
from tests.terminal.programs import DOUBLES, prefix_lab, python, written

SELF = """
    import sys
    print(sys.argv, sys.path[0], __name__, __file__, __package__, __spec__, __doc__, __builtins__, __cached__)
    print(type(__loader__).__name__, sorted(globals()), sys.modules["__main__"].__dict__ is globals())
"""


def test_a_script_finds_itself_in_the_same_place_as_under_python(tmp_path):
    (tmp_path / "inner").mkdir()
    path = written(tmp_path / "inner", SELF).relative_to(tmp_path)
    arguments = (path, "a b", "--output", "x", "-m", "--", "--help", "")
    done = prefix_lab("record", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == python(*arguments, folder=tmp_path).stdout


def test_a_module_finds_itself_in_the_same_place_as_under_python(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    for name in ("module", "__main__"):
        written(tmp_path / "package", SELF.replace("__spec__", "__spec__.name"), f"{name}.py")
    for name in ("package.module", "package"):
        done = prefix_lab("record", "-m", name, "--output", "x", folder=tmp_path)
        assert done.stdout == python("-m", name, "--output", "x", folder=tmp_path).stdout
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "module.recording").exists()


def test_the_outline_and_the_next_command_are_told_beside_the_scripts_own_output(tmp_path):
    written(tmp_path, DOUBLES + "print('mine')")
    done = prefix_lab("record", "program.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "mine\n")
    recording = Recording.load(tmp_path / "program.recording")
    assert str(recording) in done.stderr
    end = f"saved {len(recording)} steps to program.recording; prefix-lab replay program.recording\n"
    assert done.stderr.endswith(end)
    assert [step.function for step in recording.find(event="call")] == ["<module>", "main", *["double"] * 4]
    assert recording.find(name="total")[-1].changed["total"].value == 12


@pytest.mark.parametrize(
    ("ending", "status", "error"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('too bad')", 1, "too bad\n"),
        ("raise SystemExit(True)", 1, ""),
        ("exit(300)", 300 % 256, ""),
    ],
)
def test_the_exit_status_is_the_scripts_own(ending, status, error, tmp_path):
    written(tmp_path, f"import sys\nprint(1)\n{ending}")
    done = prefix_lab("record", "program.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (status, "1\n")
    assert done.stderr.startswith(error + "Recording of 5 steps")
    assert Recording.load(tmp_path / "program.recording").exception is None


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return 1 / x\nf(0)",
        "try:\n    {}[1]\nexcept KeyError:\n    raise ValueError('other')",
        "import json\njson.loads('{')",
        "import sys\nsys.excepthook = lambda kind, error, traceback: print('hooked', traceback.tb_lineno)\n1 / 0",
        "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
        "def f(: pass",
        "x = 'no end",
    ],
)
def test_an_exception_is_told_as_python_tells_it(source, tmp_path):
    path = written(tmp_path, source)
    done, there = prefix_lab("record", path, folder=tmp_path), python(path, folder=tmp_path)
    assert (done.returncode, done.stdout) == (there.returncode, there.stdout)
    assert done.stderr.startswith(there.stderr)
    assert "prefix_lab" not in there.stderr


def test_ctrl_c_ends_the_script_and_keeps_what_was_recorded(tmp_path):
    written(
        tmp_path,
        "import os, signal\nn = 0\nwhile True:\n    n += 1\n    if n == 99: os.kill(os.getpid(), signal.SIGINT)",
    )
    done = prefix_lab("record", "program.py", folder=tmp_path)
    assert done.returncode == 130
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "prefix_lab/" not in done.stderr
    assert "\nKeyboardInterrupt\n" in done.stderr
    recording = Recording.load(tmp_path / "program.recording")
    assert recording.exception.type == "KeyboardInterrupt"
    assert recording.find(name="n")[-1].changed["n"].value == 99


def test_threads_are_waited_for_and_recorded_to_their_end(tmp_path):
    source = """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        def work():
            threading.main_thread().join()
            late = 1
            print("late")

        threading.Thread(target=work).start()
        pool = ThreadPoolExecutor(1)  # never shut down: Python does that as it ends
        print(pool.submit(pow, 2, 5).result())
        print("main ends")
    """
    path = written(tmp_path, source)
    done = prefix_lab("record", path, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "32\nmain ends\nlate\n")
    assert done.stdout == python(path, folder=tmp_path).stdout
    (step,) = Recording.load(tmp_path / "program.recording").find(name="late")
    assert step.function == "work"


def test_a_child_that_the_script_forks_does_not_save(tmp_path):
    source = """
        import os, sys
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            parent = 1
        else:
            sys.exit(0)
    """
    written(tmp_path, source)
    done = prefix_lab("record", "program.py", folder=tmp_path)
    assert done.stderr.count("saved") == 1
    assert Recording.load(tmp_path / "program.recording").find(name="parent")


def test_a_reader_who_has_gone_does_not_cost_the_recording(tmp_path):
    written(tmp_path, "print(1)")
    read, write = os.pipe()
    os.close(read)
    prefix_lab("record", "program.py", folder=tmp_path, capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert len(Recording.load(tmp_path / "program.recording")) == 3


def test_options_reach_the_recorder(tmp_path):
    written(tmp_path, "def half(n):\n    return n / 2\n", "helper.py")
    written(tmp_path, "from helper import half\nvalue = half(3)\nhalf(value)\n")
    options = ("--include", "helper", "--watch", "n * 10", "--output", "here.recording")
    done = prefix_lab("record", *options, "program.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    recording = Recording.load(tmp_path / "here.recording")
    assert {step.file for step in recording.steps} == {str(tmp_path / "helper.py")}
    assert [step.watches["n * 10"].value for step in recording.find(function="half", event="line")] == [30, 15.0]
    done = prefix_lab(
        "record", "--max-steps", "3", "--include", "helper.py", "--include", "program.py", "program.py", folder=tmp_path
    )
    assert len(Recording.load(tmp_path / "program.recording")) == 3
    assert "left out" in done.stderr


def test_nothing_of_ours_is_in_a_recording_of_prefix_lab(tmp_path):
    written(tmp_path, "import prefix_lab.stages\n")
    done = prefix_lab("record", "--include", "prefix_lab", "--include", "program.py", "program.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    recording = Recording.load(tmp_path / "program.recording")
    files = {os.path.relpath(file, os.path.dirname(prefix_lab_itself.__file__)) for file in recording.sources}
    assert "stages.py" in files
    assert not {file for file in files if file == "__main__.py" or file.startswith("terminal")}


def test_a_recording_may_be_written_over_and_nothing_else(tmp_path):
    written(tmp_path, "print('ran')")
    assert prefix_lab("record", "program.py", folder=tmp_path).returncode == 0
    assert prefix_lab("record", "program.py", folder=tmp_path).returncode == 0
    before = (tmp_path / "program.py").read_bytes()
    done = prefix_lab("record", "--output", "program.py", "program.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a recording, so it is left alone" in done.stderr
    assert (tmp_path / "program.py").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "SCRIPT is missing"),
        (["-m"], "SCRIPT is missing"),
        (["nowhere.py"], "'nowhere.py' cannot be read (No such file or directory)"),
        (["."], "'.' is a folder. Give a Python file, or -m"),
        (["-m", "no.such.module"], "-m no.such.module: it cannot be found"),
        (["-m", "nothing_here"], "-m nothing_here: there is no such module"),
        (["-m", "math"], "there is no such module written in Python"),
        (["--include", "nothing_here", "program.py"], "argument --include: there is no module 'nothing_here'"),
        (["--watch", "x y", "program.py"], "argument --watch: 'x y' is not an expression"),
        (
            ["--max-steps", "0", "program.py"],
            "argument --max-steps: '0' was given, expected a whole number of at least 1",
        ),
        (["--keep", "all", "program.py"], "argument --keep: invalid choice: 'all'"),
        (["--output", "no/folder", "program.py"], "--output: there is no folder"),
        (["--output", ".", "program.py"], "--output: '.' is a folder"),
        (["--everything", "program.py"], "unknown: --everything"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_word_is_refused_before_the_script_runs(words, told, tmp_path):
    written(tmp_path, "print('ran')")
    done = prefix_lab("record", *words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.recording"))


def test_what_a_script_says_cannot_steer_the_terminal_through_us(tmp_path):
    written(tmp_path, "raise ValueError('\\x1b]0;title\\x07 \\x1b[31mred')")
    done = prefix_lab("record", "program.py", folder=tmp_path)
    ours = done.stderr[done.stderr.index("Recording of") :]
    assert r"\x1b]0;title\x07" in ours
    assert re.search(r"[\x00-\x09\x0b-\x1f]", ours) is None
