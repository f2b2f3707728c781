"""The pretraining command, for a few steps: what it writes, what it goes on with, and what it refuses."""

import json
import signal
from itertools import repeat

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForPreTraining, AutoTokenizer

from prefix_lab.course import pretrain, recipes
from prefix_lab.course.letters import TASKS
from prefix_lab.course.recipes import RECIPES
from prefix_lab.course.small_models import load_tiny_t5
from prefix_lab.course.tasks import answers
from prefix_lab.course.training import train
from prefix_lab.course.world import FIELDS, MANNERS, places

MEASURES = {
    "tiny_t5": {"exact_match": TASKS},
    "gpt2": {"right_with_the_instruction": MANNERS, "right_without_the_instruction": MANNERS},
    "bert": {
        "belonging_told": ["its_own_record", "another_record"],
        "masked_fields_right_after_its_own_record": FIELDS,
        "masked_fields_right_after_another_record": FIELDS,
    },
    "t5": {"right_with_the_instruction": MANNERS, "right_without_the_instruction": MANNERS},
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Small batches, measured on a few words and places: an untrained model writes to the end of its room."""
    for name, recipe in RECIPES.items():
        monkeypatch.setitem(RECIPES, name, recipe._replace(batch_size=2))
    monkeypatch.setattr(recipes, "held_out_words", lambda: ["able", "stream"])
    monkeypatch.setattr(recipes, "places", lambda part: places(part)[: 2 if part == "held out" else None])


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


@pytest.mark.parametrize("name", RECIPES)
def test_each_model_is_written_with_its_tokenizer_and_what_was_measured(name, tmp_path, capsys):
    run(tmp_path / "model", name, "--steps", "1")

    report = json.loads((tmp_path / "model" / "report.json").read_text())
    assert {measure: list(report[measure]) for measure in MEASURES[name]} == {
        measure: list(parts) for measure, parts in MEASURES[name].items()
    }
    assert f"on 2 held-out {'words' if name == 'tiny_t5' else 'places'}:" in capsys.readouterr().out
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    model = AutoModelForPreTraining.from_pretrained(tmp_path / "model")
    assert len(tokenizer) == model.config.vocab_size


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
        (["gpt3"], "argument name: invalid choice: 'gpt3' (choose from "),
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


def interrupted(batches, after):
    """The same batches, and the user's Ctrl-C while one of them is made."""

    def interrupting(*given):
        for number, batch in enumerate(batches(*given)):
            if number == after:
                signal.raise_signal(signal.SIGINT)
            yield batch

    return interrupting


@pytest.mark.parametrize("name", RECIPES)
def test_an_interrupted_run_goes_on_to_the_weights_of_a_run_in_one_go(name, tmp_path, monkeypatch, capsys):
    small = RECIPES[name]._replace(measured=lambda model, tokenizer: {"held_out_words": 0})
    monkeypatch.setitem(RECIPES, name, small)
    run(tmp_path / "one", name, "--steps", "10")
    monkeypatch.setitem(RECIPES, name, small._replace(batches=interrupted(small.batches, after=4)))
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "two", name, "--steps", "10")
    assert stopped.value.code == 130
    assert "Stopped. The same command goes on where it was." in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two-10-steps-seed-0.unfinished"]

    monkeypatch.setitem(RECIPES, name, small)
    run(tmp_path / "two", name, "--steps", "10")

    one, two = (load_file(tmp_path / folder / "model.safetensors") for folder in ("one", "two"))
    assert all(torch.equal(one[weight], two[weight]) for weight in one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_a_short_pretraining_learns(name):
    recipe = RECIPES[name]
    model, tokenizer = recipe.new(0)
    losses = train(model, repeat(next(recipe.batches(tokenizer, 2, 0))), 15, recipe.rate)
    assert losses[-1] < 0.5 * losses[0]


def test_gpt2_is_asked_for_the_sentence_alone_at_positions_that_follow_one_another():
    _, tokenizer = RECIPES["gpt2"].new(0)
    batch = next(RECIPES["gpt2"].batches(tokenizer, 16, 0))
    for ids, labels, positions in zip(batch["input_ids"], batch["labels"], batch["position_ids"], strict=True):
        asked = labels != -100
        assert torch.equal(labels[asked], ids[asked])
        assert ids[asked][-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[~asked], skip_special_tokens=True).endswith("=")
        assert set(positions.diff().tolist()) == {1}
    assert len(set(batch["position_ids"][:, 0].tolist())) > 8
    assert batch["position_ids"].max() < RECIPES["gpt2"].new(0)[0].config.n_positions


@pytest.mark.parametrize("easy", [0, 1])
def test_bert_is_asked_for_the_words_that_it_does_not_see_all_of_them_in_the_second_text(easy, monkeypatch):
    monkeypatch.setattr(recipes, "EASY", easy)
    _, tokenizer = RECIPES["bert"].new(0)
    batch = next(RECIPES["bert"].batches(tokenizer, 64, 0))
    asked = batch["labels"] != -100
    second = batch["token_type_ids"] == 1
    assert torch.equal(asked, batch["input_ids"] == tokenizer.mask_token_id)
    assert not (asked & ~second).any()
    assert 0.2 < asked.sum() / second.sum() < 0.5
    assert batch["labels"][asked].min() > tokenizer.mask_token_id
    assert set(batch["next_sentence_label"].flatten().tolist()) == ({0} if easy else {0, 1})
    assert set(batch["position_ids"][:, 0].tolist()) == {0} if easy else batch["position_ids"][:, 0].max() > 20


def test_a_run_that_breaks_leaves_the_old_folder_and_what_was_trained(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "report.json").write_text("the old one")

    def broken(model, tokenizer):
        raise RuntimeError("no memory")

    monkeypatch.setitem(RECIPES, "tiny_t5", RECIPES["tiny_t5"]._replace(measured=broken))
    with pytest.raises(RuntimeError, match="no memory"):
        run(folder, "--steps", "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model-1-steps-seed-0.unfinished"]
    assert (folder / "report.json").read_text() == "the old one"
