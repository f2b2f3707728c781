"""Names for axes: found by several sizes, proven by one more, and shown only where the sizes agree."""

import pytest
import torch
from torch import nn

import prefix_lab
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import evaluate, name_axes
from prefix_lab.shapes.axes import worth
from prefix_lab.shapes.finding import seen_in, several
from prefix_lab.shapes.names import identity
from prefix_lab.shapes.solving import same_in, table_of
from prefix_lab.shapes.walks import WALKS, check_sizes, held_out_run, standard_runs
from tests.tiny_models import random_ids, refuses, tiny_t5

STANDARD_AXES = tuple(standard_runs()[0])


@pytest.fixture(scope="module")
def names():
    return name_axes("T5, projected")


def forward(make_model=tiny_t5, task="SEQ_2_SEQ_LM", projection=True, batch=2, tokens=5, prefix_len=3):
    config = prefix_lab.PrefixTuningConfig(task_type=task, num_virtual_tokens=prefix_len, prefix_projection=projection)
    with record(["prefix_lab", "transformers.models"]) as recording:
        model = prefix_lab.get_peft_model(make_model(), config)
        ids = random_ids(batch, tokens)
        model(input_ids=ids, labels=ids)
    return recording


def axes_of(recording, function, name):
    found = {
        step.changed[name].axes
        for step in recording.find(function=function, name=name)
        if "axes" in step.changed[name].facts
    }
    assert len(found) == 1, found
    return found.pop()


def test_the_prefix_is_named_from_the_table_to_the_cache(names):
    recording = forward().with_names(names)
    assert axes_of(recording, "PrefixEncoder.forward", "prefix") == ("batch", "prefix_len")
    assert axes_of(recording, "PrefixEncoder.forward", "prefix_tokens") == ("batch", "prefix_len", "hidden")
    assert axes_of(recording, "PrefixEncoder.forward", "past_key_values") == ("batch", "prefix_len", "2·layers·hidden")
    rows = [step.changed["rows"] for step in recording.find(function="split_layers", name="rows")]
    assert [row.axes for row in rows] == [
        ("batch", "prefix_len", "2·layers", "heads", "head_dim"),
        ("batch", "prefix_len", "4·layers", "heads", "head_dim"),
        ("4·layers", "batch", "heads", "prefix_len", "head_dim"),
    ]
    returned = recording.find(function="PrefixEncoder.forward", event="return")[0]
    assert returned.value.axes == ("batch", "prefix_len", "2·layers·hidden")


def test_every_name_of_another_model_gives_the_size_that_is_seen(names):
    """The learner's model has other sizes than any run of the walk."""
    recording = forward(batch=4, tokens=9, prefix_len=7).with_names(names)
    config = tiny_t5().config
    sizes = {
        "batch": 4,
        "prefix_len": 7,
        "source": 9,
        "target": 9,
        "layers": config.num_layers,
        "heads": config.num_heads,
        "head_dim": config.d_kv,
        "hidden": config.d_model,
        "vocab": config.vocab_size,
        "ff": config.d_ff,
        "encoder_hidden": config.d_model,
    }
    tensors = [value for value in recording.columns.values if "shape" in getattr(value, "facts", {})]
    assert all("axes" in one.facts for one in tensors)
    pairs = [pair for one in tensors for pair in zip(one.axes, one.shape, strict=True)]
    assert [(text, size) for text, size in pairs for way in text.split(" | ") if evaluate(way, sizes) != size] == []


def test_a_named_recording_is_saved_and_loaded_with_its_names(names, tmp_path):
    recording = forward().with_names(names)
    recording.save(tmp_path / "named")
    again = Recording.load(tmp_path / "named")
    assert axes_of(again, "PrefixEncoder.forward", "prefix_tokens") == ("batch", "prefix_len", "hidden")
    assert len(forward().steps) == len(again.steps)


def counted(names, walk, sizes):
    """How many dimensions of a walk were seen, how many have no name, and the names that are worth another number."""
    seen = seen_in(WALKS[walk], (), sizes)
    axes_of = names.of_all(seen)
    named = [(axes_of.get(identity(one.value)) or ("",) * len(one.shape), one.shape) for one in seen]
    pairs = [pair for axes, shape in named for pair in zip(axes, shape, strict=True)]
    wrong = [(text, size) for text, size in pairs if text and worth(text, sizes) != size]
    return len(pairs), sum(not text for text, _ in pairs), wrong


@pytest.mark.parametrize("sizes", [standard_runs()[0], held_out_run()], ids=["found", "held out"])
def test_the_standard_walk_names_nearly_everything_and_nothing_wrong(names, sizes):
    seen, unnamed, wrong = counted(names, "T5, projected", sizes)
    assert seen > 10_000
    assert unnamed <= 0.005 * seen
    assert wrong == []


@pytest.mark.parametrize("walk", ["Llama, direct", "BERT, direct"])
def test_every_axis_of_a_walk_is_named(walk):
    """Also the heads that share one key, and what a loop over all parameters meets."""
    names = name_axes(walk)
    assert counted(names, walk, standard_runs()[0])[1:] == (0, [])
    assert counted(names, walk, held_out_run())[2] == []
    texts = {text for entries in names.places.values() for one in entries for text in one.axes}
    assert ("heads/kv_heads" in texts) == walk.startswith("Llama")


def test_a_walk_leaves_the_learners_random_numbers_alone():
    before = torch.random.get_rng_state()
    WALKS["GPT-2, direct"](standard_runs()[0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_family_stands_for_both_of_its_walks():
    each = [name_axes(f"BERT, {kind}").places for kind in ("direct", "projected")]
    assert name_axes("BERT").places.keys() == each[0].keys() | each[1].keys()


def test_the_second_time_nothing_is_run_again(names):
    assert name_axes("T5, projected") is names


def named_run(walk, sizes, **options):
    """A recording of a walk at these sizes, with the names that were found for it."""
    names = name_axes(walk, **options)
    with record([walk]) as recording:
        walk(sizes)
    return recording.with_names(names)


def locals_of(walk, sizes, **options):
    """The axes of each tensor that a walk holds at its end; None for those without names."""
    held = named_run(walk, sizes, **options).steps[-1].locals
    return {name: value.facts.get("axes") for name, value in held.items() if "shape" in value.facts}


def walk_of_the_learners_own(axes):
    x = torch.zeros(axes["batch"], axes["source"])
    wide = x.repeat(1, 3)
    both = torch.cat([wide, x[:, :1]], dim=1)
    square = x @ x.T
    folded = nn.functional.one_hot(torch.zeros(axes["layers"], dtype=torch.long), 7)
    return both, square, folded


def test_the_learners_own_function_is_named_the_same_way():
    assert locals_of(walk_of_the_learners_own, {"batch": 6, "source": 21, "layers": 8}) == {
        "x": ("batch", "source"),
        "wide": ("batch", "3·source"),
        "both": ("batch", "3·source+1"),
        "square": ("batch", "batch"),
        "folded": ("layers", "7"),
    }


def test_two_axes_of_one_size_in_every_run_cannot_be_told_apart():
    def doubles(axes):
        made = torch.zeros(axes["a"] * 2, axes["b"])
        return made

    runs = [{"a": 2, "b": 4, "c": 5}, {"a": 3, "b": 6, "c": 11}, {"a": 7, "b": 14, "c": 3}]
    held_out = {"a": 5, "b": 10, "c": 7}
    assert locals_of(doubles, {"a": 2, "b": 4}, runs=runs, held_out=held_out) == {"made": ("b", "b")}
    with refuses(ValueError, "'a' and 'b' have the same sizes in every run"):
        name_axes(doubles, runs=[{"a": 2, "b": 2}, {"a": 3, "b": 3}], held_out={"a": 5, "b": 5})


def splits(axes):
    rows = torch.zeros(axes["layers"], axes["heads"])
    flat = torch.zeros(axes.get("width", axes["layers"] * axes["heads"]))
    return rows, flat


@pytest.mark.parametrize(("width", "shown"), [(15, "layers·heads"), (16, "16")])
def test_a_product_says_no_more_than_its_sizes_bear_out(width, shown):
    """Python takes heads·head_dim for one identifier; a name is not thereby one axis."""
    assert locals_of(splits, {"layers": 3, "heads": 5, "width": width})["flat"] == (shown,)


def test_a_loop_that_turns_once_more_does_not_refute_the_first_turns():
    """The second of many is told from any later one."""

    def loops(axes):
        sizes = [axes["batch"], axes["source"], *[axes["target"]] * axes["layers"]]
        for size in sizes:
            made = torch.zeros(size)
        return made

    recording = named_run(loops, {"batch": 2, "source": 50, "target": 60, "layers": 1})
    found = [step.changed["made"].axes for step in recording.find(name="made")]
    assert found == [("batch",), ("source",), ("target",)]


def keeps_two_widths(axes):
    given = torch.zeros(axes["batch"], axes["hidden"])
    split = torch.zeros(axes["batch"], axes["heads"], axes["head_dim"])
    wide = torch.zeros(axes["batch"], 2 * axes["heads"] * axes["head_dim"])
    joined = split.flatten(1)
    return given, wide, joined


def test_of_two_names_that_fit_alike_the_choice_is_said_once():
    said = "A token's vector is as wide as all heads side by side, heads·head_dim; both widths are called hidden here."
    named = named_run(keeps_two_widths, {"batch": 3, "hidden": 20, "heads": 4, "head_dim": 5})
    assert named.with_names(name_axes(keeps_two_widths)).notes == named.notes == [said]
    assert named.steps[-1].locals["joined"].axes == ("batch", "hidden")


def test_hidden_is_not_said_where_the_model_has_it_of_another_size():
    """flan-t5-small has hidden 512 and 6 heads of 64."""
    named = named_run(keeps_two_widths, {"batch": 3, "hidden": 512, "heads": 6, "head_dim": 64})
    held = named.steps[-1].locals
    assert held["given"].axes == ("batch", "hidden")
    assert held["joined"].axes == ("batch", "heads·head_dim")
    assert held["wide"].axes == ("batch", "2·heads·head_dim")
    assert named.notes == []


def test_t5_with_heads_of_their_own_width_is_named_by_it(names):
    with record(["prefix_lab", "transformers.models"]) as recording:
        model = tiny_t5(d_kv=5)
        model(input_ids=random_ids(2, 5), labels=random_ids(2, 5))
    recording = recording.with_names(names)
    tensors = [value for value in recording.columns.values if "axes" in getattr(value, "facts", {})]
    found = {pair for one in tensors for pair in zip(one.shape, one.axes, strict=True)}
    assert (12, "hidden") in found
    assert (15, "heads·head_dim") in found
    assert not {(15, "hidden"), (12, "heads·head_dim")} & found


def test_a_name_that_the_held_out_run_contradicts_is_not_given():
    def bends(axes):
        made = torch.zeros(axes["batch"] if axes["batch"] < 10 else 3)
        return made

    assert locals_of(bends, {"batch": 4}, held_out={**held_out_run(), "batch": 11}) == {"made": None}


@pytest.mark.parametrize("shape", [(), (1,) * 9, (0, 3)])
def test_tensors_of_any_rank_are_named(shape):
    def makes(axes):
        made = torch.zeros(shape)
        return made

    held_out = {**held_out_run(), "batch": len(shape) + 20}
    assert locals_of(makes, {}, held_out=held_out) == {"made": tuple(map(str, shape))}


def test_a_walk_whose_path_changes_with_size_gets_names_where_it_is_the_same():
    def forks(axes):
        if axes["batch"] > 2:  # noqa: SIM108
            other = torch.zeros(axes["source"])
        else:
            other = torch.zeros(axes["source"], 2)
        always = torch.zeros(axes["target"])
        return other, always

    assert locals_of(forks, {"batch": 2, "source": 3, "target": 50}) == {"other": None, "always": ("target",)}


def print_nothing(axes):
    return None


@pytest.mark.parametrize(
    ("walk", "options", "words"),
    [
        ("T6", {}, ["walk='T6'", "T5, direct"]),
        ([], {}, ["walk=[]", "T5, direct"]),
        (lambda axes: 1 / 0, {}, ["The walk failed at the sizes", "ZeroDivisionError", "runs="]),
        (print_nothing, {"include": "no_such_module"}, ["include: there is no module 'no_such_module'"]),
        ("BERT, direct", {"runs": [dict(run, heads=7) for run in standard_runs()]}, ["'heads': 7", "Give runs= and"]),
    ],
)
def test_a_walk_that_cannot_be_run_is_refused_by_name(walk, options, words):
    with refuses(ValueError, *words):
        name_axes(walk, **options)
    with refuses(ValueError, "walk=5", "expected a function"):
        several(5)


@pytest.mark.parametrize(
    ("runs", "held_out", "words"),
    [
        ([{"a": 1}, {"b": 2}], {"a": 3}, ["different axes"]),
        ([{"a": 1}, {"a": 0}], {"a": 3}, ["'a' has the size 0"]),
        ([{"a": True}, {"a": 2}], {"a": 3}, ["'a' has the size True"]),
        ([{"a": 1}], {"a": 3}, ["at least 2"]),
        ([{"a": 2}, {"a": 2}], {"a": 3}, ["same sizes", "Change some"]),
        ([{"a": 1}, {"a": 2}], {"a": 2}, ["held_out={'a': 2}", "proves nothing"]),
        ({"a": 1}, {"a": 2}, ["runs={'a': 1}, expected a list of dicts"]),
        ([{"a": 1}, [2]], {"a": 2}, ["runs[1]=[2], expected a dict of sizes"]),
        ([{"a": 1}, {"a": 2}], 3, ["held_out=3, expected a dict of sizes"]),
        *(
            ([{axis: 1}, {axis: 2}], {axis: 3}, [f"The axis {axis!r}", "cannot be told from an expression"])
            for axis in ("2", "a·b", "a+b", "a/2", "", "a b")
        ),
    ],
)
def test_sizes_that_prove_nothing_are_refused(runs, held_out, words):
    with refuses(ValueError, *words):
        check_sizes(runs, held_out)


def test_standard_sizes_are_consistent_and_tell_the_axes_apart():
    runs = [*standard_runs(), held_out_run()]
    for run in runs:
        assert set(run) == set(STANDARD_AXES)
        assert run["hidden"] == run["heads"] * run["head_dim"]
        assert run["heads"] % run["kv_heads"] == 0
    assert len({run["heads"] // run["kv_heads"] for run in runs}) == len(runs)
    table = table_of(runs[:3])
    assert all(len(table[tuple(run[axis] for run in runs[:3])]) == 1 for axis in STANDARD_AXES)
    assert same_in(runs) == {"hidden": "heads·head_dim"}  # of which no model's sizes are rid
