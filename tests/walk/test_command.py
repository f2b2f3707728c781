"""`prefix-lab walk` as its users have it: what it prints, what it refuses, and how it ends."""

import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from prefix_lab.course.letters import target_text
from prefix_lab.terminal.commands import main
from prefix_lab.walk.command import plain
from prefix_lab.walk.model import INSTRUCTED, size_like
from prefix_lab.widgets.sizes import shipped
from tests.walk.walking import saved, say, say_json

META = ("--config-only", "--model", "t5-small")


def test_the_command_that_is_installed_is_this_one():
    (command,) = (row for row in entry_points(group="console_scripts") if row.name == "prefix-lab")
    assert command.load() is main


def test_the_default_walk_in_a_pipe_is_plain_text_and_nothing_else():
    done = subprocess.run([sys.executable, "-m", "prefix_lab", "walk"], capture_output=True, check=False)
    text = done.stdout.decode()
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert '"reverse: prefix" → "xiferp"' in text
    assert "(batch, prefix_len, 2·layers·hidden) = (2, 20, " in text
    assert text.endswith("PEFT 0.21.2 gives the same at all 8 stages.\n")
    assert set(text) - set("·→…") <= set(map(chr, range(32, 127))) | {"\n"}


@pytest.mark.parametrize("family", ["t5", "gpt2", "bert", "llama"])
def test_a_model_in_a_folder_is_walked_without_a_word_from_the_libraries(family, capsys, tmp_path):
    said = say(capsys, "--model", saved(family, tmp_path), "--prefix-len", "5")
    assert (said.status, said.err) == (0, "")
    assert "random token ids" in said.out
    assert "at all 8 stages" in said.out


def test_the_same_facts_are_in_the_text_and_in_the_json(capsys):
    text = " ".join(say(capsys, *META).out.split())
    document = say_json(capsys, *META)
    assert [stage["name"] for stage in document["stages"]] == list(walked_names(text))
    for stage in document["stages"]:
        assert stage["ours"] in text
        assert stage["peft"] in text
        assert stage["equal"] is True
        for found in stage["facts"]:
            assert " ".join(found["text"].split()) in text
        for seen in stage["takes"] + stage["gives"]:
            if seen["shape"]:
                assert f"({', '.join(seen['axes'])}) = ({', '.join(map(str, seen['shape']))})" in text
    assert (document["equal"], document["complete"], document["instead"]) == (True, True, None)
    assert document["about"]["parameters"] == 60_506_624
    assert document["about"]["values"] is False


def walked_names(text):
    """The titles, in their order."""
    return (text.split(f"-- {number} ", 1)[1].split(" ", 1)[0] for number in range(1, 9))


def test_without_values_the_head_of_the_page_says_so(capsys):
    out = say(capsys, *META).out
    assert "on torch's meta device: tensors have shapes and types, and no values" in out
    assert "in shape and type" in out
    assert "bit for bit" not in out


def test_options_reach_the_walk(capsys):
    document = say_json(capsys, *META, "--prefix-len", "7", "--batch", "3", "--projection", "--seed", "4")
    axes = {axis["name"]: axis["size"] for axis in document["about"]["axes"]}
    assert (axes["prefix_len"], axes["batch"], axes["encoder_hidden"]) == (7, 3, 512)
    assert document["about"]["seed"] == 4
    assert document["about"]["config"]["prefix_projection"] is True


def test_a_model_that_no_one_has_here_is_refused_with_what_works(capsys):
    said = say(capsys, "--model", "google/flan-t5-small", "--batch", "3")
    assert (said.status, said.out) == (2, "")
    words = " ".join(said.err.split())
    assert "'google/flan-t5-small' is not a folder here, is not among the models downloaded earlier" in words
    assert "no hub was reached" in words
    assert "prefix-lab walk --batch 3 the tiny T5 that ships" in words
    assert "prefix-lab walk --model flan-t5-small --config-only --batch 3" in words
    assert ", ".join(sorted(shipped())) in words


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "~/nowhere", "not a name"])
def test_a_name_that_can_be_no_model_is_refused_in_a_sentence(name, capsys):
    said = say(capsys, "--model", name)
    assert said.status == 2
    assert f"argument --model: {name!r}" in " ".join(said.err.split())


def test_a_folder_that_holds_no_model_is_refused_in_a_sentence(capsys, tmp_path):
    assert "without a config.json" in " ".join(say(capsys, "--model", str(tmp_path)).err.split())
    (tmp_path / "config.json").write_text("{")
    assert "not a valid JSON file" in " ".join(say(capsys, "--model", str(tmp_path)).err.split())
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    assert "no file named model.safetensors" in " ".join(say(capsys, "--model", str(tmp_path)).err.split())
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    said = say(capsys, "--model", str(tmp_path), "--config-only")
    assert said.status == 2
    assert "ViTModel, whose config has no vocab_size" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prefix-len", "0"], ["--prefix-len", "'0' was given", "at least 1, and below 2**63: 20, say"]),
        (["--prefix-len", "twenty"], ["--prefix-len", "'twenty' was given", "whole number"]),
        (["--prefix-len", "2.5"], ["--prefix-len", "'2.5' was given"]),
        (["--prefix-len", "9" * 30], ["--prefix-len", "was given"]),
        (["--prefix-len"], ["--prefix-len", "expected one argument"]),
        (["--batch", "-1"], ["--batch", "'-1' was given", "2, say"]),
        (["--token-dim", "0"], ["--token-dim", "'0' was given"]),
        (["--seed", "-3"], ["--seed", "'-3' was given", "at least 0"]),
        (["--model", ""], ["--model", "an empty name"]),
        (["--model", "t5-base", "--prefix", "3"], ["unknown: --prefix 3", "--prefix-len N", "--help"]),
    ],
    ids=" ".join,
)
def test_a_bad_option_is_refused_by_name_with_what_was_expected(arguments, words, capsys):
    said = say(capsys, *arguments)
    assert (said.status, said.out) == (2, "")
    assert [word for word in words if word not in said.err] == []
    assert "Traceback" not in said.err


def test_sizes_that_do_not_fit_end_in_the_command_line_that_works(capsys):
    said = say(capsys, "--config-only", "--model", "flan-t5-small", "--prefix-len", "7")
    assert said.status == 1
    assert "Set token_dim=384" in " ".join(said.out.split())
    instead = said.out.split("  instead  ")[1].split("\n\n")[0]
    works = shlex.split(instead.replace("\\\n", ""))  # as a shell reads it
    assert works[:2] == ["prefix-lab", "walk"]
    assert say_json(capsys, *works[2:])["equal"] is True
    document = say_json(capsys, "--config-only", "--model", "flan-t5-small", "--prefix-len", "7")
    assert document["instead"] == shlex.join([*works, "--json"])
    assert (document["complete"], document["stages"][-1]["stop"]["way_out"]) == (False, {"token_dim": 384})


def test_without_peft_the_command_says_so_once_and_ends_well(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "peft", None)
    said = say(capsys, *META)
    assert said.status == 0
    assert said.out.count("pip install peft==0.21.2 brings it") == 1
    assert said.out.count("not compared: PEFT is not installed") == 8
    assert say_json(capsys, *META)["equal"] is None


def test_a_reader_that_has_read_enough_is_no_error(monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)  # as `head` does when it has its lines
    with os.fdopen(write, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["walk", *META]) == 1
    assert capsys.readouterr().err == ""


def test_the_example_texts_are_instructions_that_the_course_knows():
    for source, target in INSTRUCTED:
        task, word = source.split(": ")
        assert target == target_text(task, word)


def test_json_has_no_word_for_what_is_not_a_number():
    assert json.dumps(plain({"a": [float("nan"), 1.5], "b": float("inf")})) == '{"a": [null, 1.5], "b": null}'


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("google/flan-t5-small", "flan-t5-small"),
        ("bert-base-uncased", "bert-base"),
        ("gpt2", "gpt2"),
        ("x/y", "t5-base"),
    ],
)
def test_a_hubs_name_is_matched_with_a_size(name, size):
    assert size_like(name) == size
