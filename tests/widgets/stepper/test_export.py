"""`prefix-lab export`: a recording, or the walk, as a page; what is wrong is told in a line, with status 2."""

from __future__ import annotations

import json
import os
import warnings

import pytest

from prefix_lab.terminal.commands import main
from tests.debugger.recorded import recorded


def says(text):
    heard = text
    return heard


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded(lambda: says("<b>"), [says]).save("says.recording")
    return tmp_path


def exported(*arguments):
    return main(["export", *arguments])


def test_a_recording_becomes_a_page_beside_it_by_its_name(folder, capsys):
    assert exported("says.recording") == 0
    page = (folder / "says.html").read_text()
    assert "<h1>says</h1>" in page
    said = capsys.readouterr()
    assert said.out == f"says.html: 4 steps, {len(page.encode()) / 1e3:,.0f} kB. Open it in any browser.\n"
    assert said.err == ""


def test_a_recording_becomes_a_trace_for_perfetto(folder, capsys):
    assert exported("--perfetto", "says.recording") == 0
    events = json.loads((folder / "says.json").read_text())["traceEvents"]
    assert [(event["ph"], event["name"]) for event in events] == [("M", "thread_name"), ("X", "says")]
    assert "ui.perfetto.dev" in capsys.readouterr().out
    assert not (folder / "says.html").exists()
    with pytest.raises(SystemExit):
        exported("--perfetto", "says.recording", "--title", "A walk")


def test_the_page_can_be_named_titled_and_in_chinese(folder, capsys, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    (folder / "out").mkdir()
    assert exported("says.recording", "--output", "out/page.html", "--title", "A <walk>") == 0
    page = (folder / "out" / "page.html").read_text()
    assert "<h1>A &lt;walk&gt;</h1>" in page
    assert '<html lang="zh-CN">' in page
    assert not (folder / "says.html").exists()


def test_the_seed_walk_is_written_when_no_file_is_named(folder, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks for what transformers means to give up
        assert exported() == 0
    assert (folder / "walk.html").stat().st_size < 410_000
    assert capsys.readouterr().out.startswith("walk.html: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.recording"], "missing.recording"),
        (["."], "."),
        (["text.txt"], "text.txt"),
        (["says.recording", "--output", "no/page.html"], "there is no folder"),
        (["says.recording", "--output", "."], "is a folder"),
        (["says.recording", "--output", "says.recording"], "is a recording, and a page would take its place"),
        (["says.recording", "--output", os.devnull], "is a device"),
    ],
)
def test_what_cannot_be_read_or_written_is_told_in_a_line(folder, capsys, arguments, words):
    (folder / "text.txt").write_text("no recording")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert exported(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("prefix-lab export: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("arguments", [["says.recording", "--language", "zh"], ["a", "b"], ["--out", "x"]])
def test_options_that_there_are_not_are_refused(folder, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        exported(*arguments)
    assert ended.value.code == 2
    assert "usage: prefix-lab export" in capsys.readouterr().err


def test_help_says_what_it_does_and_how_a_place_is_linked(capsys):
    with pytest.raises(SystemExit) as ended:
        exported("--help")
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no kernel and no network" in said
    assert "walk.html#step=120" in said
