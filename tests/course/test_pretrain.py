"""The pretraining command, for two steps: what it writes, and what it refuses."""

import json

import pytest
import torch
from safetensors.torch import load_file

from prefix_lab.course import pretrain
from prefix_lab.course.letters import TASKS
from prefix_lab.course.small_models import load_tiny_t5
from prefix_lab.course.tasks import answers


@pytest.fixture(autouse=True)
def _few_words(monkeypatch):
    """Measure on a few held-out words: an untrained model writes to the end of its room, which takes its time."""
    monkeypatch.setattr(pretrain, "held_out_words", lambda: ["able", "stream"])


def run(folder, *arguments):
    pretrain.main(["--out", str(folder), *arguments])


def test_the_command_writes_a_folder_that_loads_and_a_report_that_fits_it(tmp_path, capsys):
    run(tmp_path / "model", "--steps", "2")

    model, tokenizer = load_tiny_t5(tmp_path / "model")
    report = json.loads((tmp_path / "model" / "report.json").read_text())
    assert answers(model, tokenizer, ["reverse: stream"])
    assert report["steps"] == 2
    assert report["parameters"] == model.num_parameters()
    assert list(report["exact_match"]) == list(TASKS)
    assert "exact match on 2 held-out words" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {path.name for path in (tmp_path / "model").iterdir()} <= pretrain.FILES


def test_nothing_that_is_written_names_a_place_on_this_machine(tmp_path):
    run(tmp_path / "model", "--steps", "1")
    written = [path for path in (tmp_path / "model").iterdir() if path.suffix == ".json"]
    assert len(written) >= 4
    assert not [path.name for path in written if str(tmp_path) in path.read_text()]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    for name, seed in (("one", "5"), ("two", "5"), ("other", "6")):
        run(tmp_path / name, "--steps", "2", "--seed", seed)
    one, two, other = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two", "other"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_the_callers_random_numbers_are_left_as_they_were(tmp_path):
    before = torch.get_rng_state()
    run(tmp_path / "model", "--steps", "1")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_second_run_replaces_the_first(tmp_path):
    run(tmp_path / "model", "--steps", "1")
    run(tmp_path / "model", "--steps", "2")
    assert json.loads((tmp_path / "model" / "report.json").read_text())["steps"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "argument --steps: got 0, expected a whole number from 1"),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--seed", "-1"], "argument --seed: got -1, expected a whole number from 0"),
        (["--out", "file.txt"], "argument --out: got 'file.txt', which is a file, expected a folder"),
        (["--out", "full"], "argument --out: got 'full', which holds 'notes.txt', a file that no run writes; choose"),
        (["--out", "nowhere/model"], "argument --out: got 'nowhere/model', and nothing can be written beside it"),
        (["--out", "file.txt/model"], "argument --out: got 'file.txt/model', and nothing can be written beside it"),
    ],
)
def test_a_bad_argument_is_refused_at_once_and_leaves_no_files(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("a reader's own")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("a reader's own")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(SystemExit) as stopped:
        pretrain.main(arguments)

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_breaks_leaves_the_old_folder_and_no_draft(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "report.json").write_text("the old one")

    def broken(model, tokenizer, words, task):
        raise KeyboardInterrupt

    monkeypatch.setattr(pretrain, "exact_match", broken)
    with pytest.raises(KeyboardInterrupt):
        run(folder, "--steps", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (folder / "report.json").read_text() == "the old one"
