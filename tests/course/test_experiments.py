"""What the papers claim, measured: the files that ship, a run that is broken off, and each experiment made small."""

import json
from dataclasses import replace

import pytest
import torch

import prefix_lab
from prefix_lab.course import digest
from prefix_lab.course.experiments import EXPERIMENTS, get_experiment, show
from prefix_lab.course.experiments.__main__ import main
from prefix_lab.course.experiments.methods import deepened, fresh, keys_and_values, tiny_t5, with_prefix
from prefix_lab.course.experiments.of_the_prefix import first_gradient
from prefix_lab.course.experiments.pictures import draw_attention_to_prefix, first_keys, nearest_words
from prefix_lab.course.experiments.places import Placed
from prefix_lab.course.experiments.runs import DATA, Results, interval
from prefix_lab.course.experiments.shown import shown
from prefix_lab.course.letters import source_text
from prefix_lab.course.small_models import before, small_gpt2, small_ids
from prefix_lab.course.task_heads import TaskForFeatureExtraction
from prefix_lab.course.tasks import answers, make_batch

SHIPPED = sorted(path.stem for path in DATA.glob("*.json"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_that_ships_is_whole_and_says_its_command_versions_and_seeds(name):
    made = json.loads((DATA / f"{name}.json").read_text())
    assert made["command"].endswith(f"python -m prefix_lab.course.experiments {name}")
    assert {"python", "torch", "transformers"} == set(made["versions"])
    assert len(made["seeds"]) >= 5
    assert Results(EXPERIMENTS[name]).missing() == []
    assert len(made["cells"]) == len(EXPERIMENTS[name].settings) * len(made["seeds"])


@pytest.mark.parametrize("name", SHIPPED)
def test_an_experiment_that_ships_is_a_plot_a_table_and_one_sentence(name):
    found = show(name)
    assert found.plot.svg.startswith("<svg")
    assert len(found.table.rows) == len(found.experiment.settings)
    assert "±" in found.sentence
    assert found.sentence.endswith(".")
    assert found.sentence in repr(found)
    assert found.sentence.split()[0] in found._repr_html_()


def test_mean_and_interval_are_those_of_a_book():
    # Student 1908: the additional hours of sleep of ten patients with the second drug less the first
    found = interval([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert found.mean == pytest.approx(1.58)
    assert found.low == pytest.approx(0.70, abs=0.01)
    assert found.high == pytest.approx(2.46, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 11])
def test_an_interval_of_too_few_or_too_many_values_is_refused(count):
    with pytest.raises(ValueError, match=f"has {count} of them, expected 2 to 10"):
        interval([0.5] * count)


def counted(calls, stop_at=None):
    """The experiment on length with a measurement that costs nothing, and that can be broken off."""

    def measure(setting, seed):
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append((setting["prefix_len"], seed))
        return {"right": 0.5 + seed / 100, "loss": 1.0, "trained": 10}

    return replace(get_experiment("length"), measure=measure)


def test_a_run_that_was_broken_off_goes_on_where_it_was_and_measures_no_cell_twice(tmp_path):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        Results(counted(calls, stop_at=7), tmp_path).run(progress=False)
    assert len(json.loads((tmp_path / "length.json").read_text())["cells"]) == 7

    whole = Results(counted(calls), tmp_path).run(progress=False)
    assert len(calls) == len(whole.cells) == 40
    assert Results(counted(calls), tmp_path).run(progress=False).missing() == []
    assert len(calls) == 40


def test_a_part_of_the_cells_is_not_shown_and_the_command_says_how_many_are_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "length", counted([], stop_at=3))
    with pytest.raises(SystemExit) as ended:
        main(["length", "--data", str(tmp_path)])
    assert ended.value.code == 130
    assert "37 cells of length are left" in capsys.readouterr().err
    with pytest.raises(LookupError, match="has 3 of 40 cells"):
        shown(Results(counted([]), tmp_path))


def test_a_file_of_another_kind_is_named(tmp_path, capsys):
    (tmp_path / "length.json").write_text("[1, 2]")
    with pytest.raises(SystemExit):
        main(["length", "--data", str(tmp_path)])
    assert "is not a file of measured cells" in capsys.readouterr().err


def test_the_command_prints_table_and_sentence_and_writes_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "length", counted([]))
    main(["length", "--data", str(tmp_path), "--page", str(tmp_path / "page.html")])
    printed = capsys.readouterr().out
    assert "52.0 ± 2.0" in printed
    assert "Measured by: OMP_NUM_THREADS=1 python -m prefix_lab.course.experiments length" in printed
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_the_name_of_no_experiment_is_refused():
    with pytest.raises(ValueError, match="name='depth', expected one of length, "):
        get_experiment("depth")


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_a_cell_of_each_experiment_measures_what_its_table_shows(name, monkeypatch):
    few = ["able", "stream", "garden"]
    monkeypatch.setattr("prefix_lab.course.experiments.methods.held_out_words", lambda: few)
    pairs = TaskForFeatureExtraction("pairs", [(f"we eat {food}", f"they cook {food}") for food in ("soup", "curry")])
    monkeypatch.setattr("prefix_lab.course.experiments.six_tasks.world_task", lambda task_type: pairs)
    monkeypatch.setattr("prefix_lab.course.experiments.places.HELD_OUT", 2)
    monkeypatch.setattr("prefix_lab.course.experiments.cost.ROUNDS", 1)
    monkeypatch.setattr("prefix_lab.course.experiments.cost.STEPS_EACH", 1)
    experiment = EXPERIMENTS[name]
    setting = experiment.settings[-1] | ({"steps": 2} if "steps" in experiment.settings[-1] else {})
    torch.manual_seed(1)
    measured = experiment.measure(setting, 0)
    assert {*experiment.columns} <= {*setting, *measured}
    assert all(isinstance(value, int | float) and value == value for value in measured.values())


def test_layers_that_are_put_behind_change_nothing_that_the_model_writes():
    (base, tokenizer), words = tiny_t5(), [source_text("reverse", word) for word in ("garden", "piano")]
    unchanged = digest(base)
    assert answers(deepened(fresh(), 5), tokenizer, words) == answers(base, tokenizer, words)
    assert digest(base) == unchanged


@pytest.mark.parametrize(("layers", "dead"), [(3, []), (4, [2, 3, 6, 7])])
def test_half_of_the_rows_are_dead_with_an_even_number_of_layers(layers, dead):
    gradient = first_gradient(with_prefix(0, 4, layers, "peft"), 0).view(4, 2 * layers, -1)
    assert [row for row in range(2 * layers) if not gradient[:, row].any()] == dead


@pytest.mark.parametrize(("method", "moves"), [("prefix", False), ("LoRA", True), ("full", True)])
def test_a_prefix_alone_leaves_the_first_attention_on_the_word_as_it_was(method, moves, monkeypatch):
    monkeypatch.setattr("prefix_lab.course.experiments.methods.held_out_words", lambda: ["stream"])
    found = get_experiment("limits").measure({"method": method, "task": "halves", "steps": 3}, 0)
    assert (found["moved"] > 0) is moves


@torch.no_grad()
def test_the_instructions_own_keys_and_values_are_a_better_start_than_random_ones():
    tokenizer, words = tiny_t5()[1], ["garden", "piano", "window", "paper"]
    batch = make_batch(tokenizer, words, [word[::-1] for word in words])
    told, random = with_prefix(0, 9), with_prefix(0, 9)
    table = keys_and_values([source_text("reverse", word) for word in words], 9)
    told.prompt_encoder["default"].load_prompt_embeddings(table)
    assert told(**batch).loss < random(**batch).loss


GIVEN, WRITTEN = small_ids(3, 6), small_ids(3, 4, seed=5)
SEEN = torch.ones_like(GIVEN)


def placed(layers, order):
    torch.manual_seed(0)
    return Placed(small_gpt2(layers=4), layers, order, 5)


@torch.no_grad()
def test_virtual_tokens_before_the_text_in_all_layers_are_prefix_tuning_bit_for_bit():
    ours = placed([0, 1, 2, 3], "prefix")
    model = prefix_lab.get_peft_model(
        small_gpt2(layers=4), prefix_lab.PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=5)
    )
    rows = ours.virtual.flatten(0, 1).permute(2, 0, 1, 3).flatten(1)  # (prefix_len, 2·layers·hidden)
    model.prompt_encoder["default"].load_prompt_embeddings(rows)
    whole = torch.cat([GIVEN, WRITTEN], dim=1)
    logits = model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits[:, -WRITTEN.shape[1] :]
    assert torch.equal(ours.logits(GIVEN, SEEN, WRITTEN), logits)


PLACES = [(layers, order) for layers in (None, [0, 1], [2, 3], [0, 1, 2, 3]) for order in ("prefix", "infix")]


@torch.no_grad()
@pytest.mark.parametrize(("layers", "order"), PLACES)
def test_padding_at_the_left_of_what_is_given_changes_nothing(layers, order):
    model, padding = placed(layers, order), torch.zeros(3, 2, dtype=torch.long)
    wide = model.logits(torch.cat([padding, GIVEN], 1), torch.cat([padding, SEEN], 1), WRITTEN)
    torch.testing.assert_close(wide, model.logits(GIVEN, SEEN, WRITTEN), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layers", "order"), PLACES)
def test_only_the_virtual_tokens_learn_and_all_of_them_do(layers, order):
    model = placed(layers, order)
    model(GIVEN, SEEN, WRITTEN, WRITTEN).loss.backward()
    assert model.virtual.grad.abs().sum(-1).all()
    assert [name for name, one in model.named_parameters() if one.requires_grad] == ["virtual"]


def test_the_words_nearest_to_keys_that_are_words_are_these_words():
    tokenizer = tiny_t5()[1]  # letters are words enough for a GPT-2 of random numbers
    model = before(small_gpt2(), prefix_lab, 2)
    _, words = first_keys(model, tokenizer)
    names = tokenizer.convert_ids_to_tokens(range(len(words)))
    found = nearest_words(words[[100, 120]], words, names)
    assert [row[1] for row in found.rows] == [f"{names[number]} 1.00" for number in (100, 120)]
    assert found.below.startswith("2 of 2 virtual tokens")
    keys, _ = first_keys(model, tokenizer)
    assert nearest_words(keys, words, names).below.startswith("No virtual token is a word in disguise")


def test_every_head_of_a_wrapped_gpt2_says_how_much_it_looks_at_the_prefix():
    model = prefix_lab.get_peft_model(
        small_gpt2(layers=2), prefix_lab.PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=2)
    )
    told = draw_attention_to_prefix(model, tiny_t5()[1], "a garden").told.splitlines()
    assert [line.count("%") for line in told[1:]] == [4, 4]
