"""Every command where the output takes ASCII, one country's letters, or a narrow column alone."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefix_lab.debugger import Recording
from prefix_lab.terminal.signs import all_signs
from tests.terminal.programs import DOUBLES, prefix_lab, recorded, written

NAMED = """
def größe(länge):
    return [länge, "→ 中 ✓"]

größe("×" * 3)
"""
PLAIN = {"PYTHONIOENCODING": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "80"}
SURROUNDINGS = {
    "utf-8": PLAIN | {"PYTHONIOENCODING": "utf-8"},
    "ascii": PLAIN | {"PYTHONIOENCODING": "ascii"},
    "C": PLAIN | {"LC_ALL": "C", "LANG": "C"},
    "latin-1": PLAIN | {"PYTHONIOENCODING": "latin-1"},
    "narrow": PLAIN | {"PYTHONIOENCODING": "ascii", "COLUMNS": "20"},
}
EACH = """
import json, os, sys
from prefix_lab.terminal.commands import main
for words in json.loads(sys.argv[1]):
    try:
        status = main([os.fsdecode(word.encode()) for word in words])
    except SystemExit as end:
        status = end.code
    print("status", ascii(words), status)
"""
COMMANDS = [
    ["walk"],
    ["walk", "--json"],
    ["walk", "--model", "größe"],
    ["progress"],
    ["passport"],
    ["progress", "--reset", "中"],
    ["record", "--output", "中.new", "größe.py"],
    ["record", "--output", "中.new", "--include", "größe", "größe.py"],
    ["record", "--watch", "中 文", "größe.py"],
    ["record", "中.py"],
    ["replay", "größe.recording"],
    ["replay", "--from", "中", "größe.recording"],
    ["replay", "中.recording"],
    ["export", "größe.recording"],
    ["export", "中.recording"],
    ["dap", "中.recording"],
    ["walk", "中"],
    *([command, "--help"] for command in ("walk", "record", "replay", "export", "dap", "progress", "passport")),
    ["--help"],
    ["中"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("größe")
    recorded(folder, NAMED).save(folder / "größe.recording")
    written(folder, NAMED, "größe.py")
    return folder


def said_by_each(surroundings: dict[str, str], folder: Path) -> tuple[str, list[str]]:
    """All that the commands write, one after the other in one process, and how each ended."""
    words = [sys.executable, "-c", EACH, json.dumps(COMMANDS)]
    done = subprocess.run(
        words, cwd=folder, env=os.environ | surroundings, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    encoding = surroundings["PYTHONIOENCODING"] or "ascii"
    said = done.stdout.decode(encoding) + done.stderr.decode(encoding)
    return said, [line for line in said.splitlines() if line.startswith("status ")]


@pytest.fixture(scope="module")
def ends(folder):
    """How each command ends where every sign can be written."""
    return said_by_each(SURROUNDINGS["utf-8"], folder)[1]


@pytest.mark.parametrize("where", ["ascii", "C", "latin-1", "narrow"])
def test_no_command_fails_for_a_sign_that_cannot_be_written(where, ends, folder):
    said, found = said_by_each(SURROUNDINGS[where], folder)
    assert len(ends) == len(COMMANDS)
    assert found == ends
    assert "Traceback" not in said


def test_our_signs_are_spelled_so_that_they_can_be_read(folder):
    env = os.environ | SURROUNDINGS["ascii"]
    done = prefix_lab("progress", folder=folder, env=env)
    assert "  00 * Start here" in done.stdout
    done = prefix_lab("replay", "--from", "2", "--count", "1", "größe.recording", folder=folder, env=env)
    assert r'gr\xf6\xdfe("x" * 3)' in done.stdout
    assert "... 4 steps more" in done.stdout


def test_a_recorded_script_fails_at_a_sign_as_it_does_without_us(folder):
    written(folder, "print('before')\nprint('中')\n", "fails.py")
    env = os.environ | SURROUNDINGS["ascii"]
    done = prefix_lab("record", "fails.py", folder=folder, env=env)
    assert (done.returncode, done.stdout) == (1, "before\n")
    assert Recording.load(folder / "fails.recording").exception.type == "UnicodeEncodeError"


def test_a_terminal_without_the_signs_of_the_screen_gets_plain_lines(folder):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "prefix_lab", "replay", "größe.recording"]
    env = os.environ | SURROUNDINGS["ascii"] | {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder) as process:
        os.close(theirs)
        said = b""
        while chunk := read(ours):
            said += chunk
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert b"Recording of" in said
    assert b"\x1b[?1049h" not in said


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end of a terminal
        return b""


def test_streams_are_as_they_were_afterwards(monkeypatch):
    out, closed = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", closed)
    with all_signs():
        print("2·layers → é")
        closed.close()
    assert (out.errors, out.buffer.getvalue()) == ("strict", b"2*layers -> \\xe9\n")


def test_a_file_that_is_no_python_is_refused_in_a_sentence(tmp_path):
    recorded(tmp_path, DOUBLES).save(tmp_path / "one.recording")
    written(tmp_path, '{"cells": []}', "one.ipynb")
    for name, why in {
        "one.recording": "is a recording already. Walk through it: prefix-lab replay one.recording",
        "one.ipynb": "is a notebook. Record in a cell of it",
    }.items():
        done = prefix_lab("record", "--output", "two.recording", name, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"'{name}' {why}" in " ".join(done.stderr.split())
        assert "Error" not in done.stderr
    lined = (
        "is not Python as it stands: line 2 cannot be read, so nothing ran, and nothing is saved. Mend that line, or"
    )
    for content, why in {
        b"x = 1\ndef f(: pass": lined,
        b"# Notes\nThis is *text*.": lined,
        b"x = 1\n\xe9 = 1": lined,
        b"PK\0\1": "is not Python: source code string cannot contain null bytes. Nothing ran, and nothing is saved.",
    }.items():
        (tmp_path / "broken.py").write_bytes(content)
        done = prefix_lab("record", "broken.py", folder=tmp_path)
        assert done.returncode == 1
        give = " give" if why == lined else " Give"
        end = f"prefix-lab record: broken.py {why}{give} another file: one that `python FILE` would run."
        assert done.stderr.splitlines()[-1] == end
        assert ("SyntaxError" in done.stderr) == (why == lined)
    assert not (tmp_path / "two.recording").exists()
