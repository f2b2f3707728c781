"""ReshapeView: every number came from where the page says, in a real run of PEFT as in a learner's own steps."""

import numpy as np
import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.course import load_tiny_t5
from prefix_lab.shapes.walks import MODELS
from prefix_lab.widgets.flow.journey import Setting
from prefix_lab.widgets.reshape import ReshapeView
from prefix_lab.widgets.sizes import sizes_of
from tests.tiny_models import refuses
from tests.widgets.stepper.javascript import javascript
from tests.widgets.test_flow import Operations, axes_of_model, tensors, wrapped

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=5)


def numbers(view: ReshapeView, stage: int = -1) -> list[np.ndarray]:
    return [piece.origins.reshape(piece.shape) for piece in view.stages[stage].pieces]


@given(shapes, st.data())
def test_numbers_stand_where_torch_puts_them(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    size = data.draw(st.integers(1, 3))
    view = ReshapeView(tuple(shape), f"permute({order})", "torch.cat([x, x], dim=0)", f"split({size})", "[0]")
    tensor = torch.arange(int(np.prod(shape))).view(shape).permute(*order)
    expected = torch.cat([tensor, tensor], dim=0).split(size)[0]
    assert np.array_equal(numbers(view)[0], expected.numpy())


@given(shapes, st.data())
def test_where_a_number_came_from_in_one_step_leads_back_to_the_start(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    view = ReshapeView(tuple(shape), f"permute({order})", "flip(0)", "reshape(-1)", "chunk(2)")
    for before, after in zip(view.stages, view.stages[1:], strict=False):
        parents = np.concatenate([piece.parents for piece in after.pieces])
        assert np.array_equal(before.origins[parents], after.origins)


def test_lines_of_our_own_source_can_be_pasted():
    view = ReshapeView(
        "batch prefix_len 2·layers·hidden",
        """
        rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)  # hidden → heads, head_dim
        rows = rows.permute(2, 0, 3, 1, 4)  # (2·layers, batch, heads, prefix_len, head_dim)
        key, value = rows[0:2]
        """,
    )
    assert [piece.label for piece in view.stages[-1].pieces] == ["key", "value"]
    assert view.stages[-1].pieces[0].axes == ("batch", "heads", "prefix_len", "head_dim")


@pytest.mark.parametrize(
    ("steps", "axes"),
    [
        ("view(2, 3, 2, 2, 4)", ("batch", "prefix_len", "", "", "")),
        ("transpose(0, 1)", ("prefix_len", "batch", "hidden")),
        ("torch.cat([x, x], dim=1)", ("batch", "2·prefix_len", "hidden")),
        ("unsqueeze(1)", ("batch", "", "prefix_len", "hidden")),
        ("x[0]", ("prefix_len", "hidden")),
        ("x[:, 0]", ("batch", "hidden")),
        ("flip(0)", ("", "prefix_len", "hidden")),
        ("flatten(0, 1)", ("", "hidden")),
    ],
)
def test_an_axis_keeps_its_name_as_long_as_it_is_the_same_axis(steps, axes):
    view = ReshapeView("batch prefix_len hidden", steps, sizes={"hidden": 16})
    assert view.stages[-1].pieces[0].axes == axes


@pytest.mark.parametrize(
    ("first", "steps", "said"),
    [
        (24, "view(4, 6).permute(1, 0)", "permute moved no numbers; it reads the same memory: strides (6, 1) → (1, 6)"),
        (24, "view(4, 6).T.reshape(3, 8)", "reshape wrote 24 numbers into new memory: strides (8, 1)"),
        (6, "torch.cat([x, x])", "cat wrote 12 numbers into new memory, each of the 6 2 times"),
        (6, "split(2)", "split moved no numbers; it reads the same memory, from places 0, 2, 4 on"),
        ((3, 1), "expand(3, 4)", "Stride 0 reads the same numbers again"),
        (torch.zeros(3, 4).T, "contiguous()", "contiguous wrote 12 numbers into new memory"),
    ],
)
def test_a_step_says_whether_numbers_were_moved(first, steps, said):
    assert said in ReshapeView(first, steps).text


def test_the_first_tensors_own_layout_in_memory_counts():
    view = ReshapeView(torch.zeros(3, 4).T, "reshape(12)")
    assert np.array_equal(numbers(view)[0], np.arange(12))
    assert "not in reading order (not contiguous): strides (1, 4)" in view.text
    assert view.stages[1].moved


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,) * 9, (2,) * 9])
def test_tensors_of_unusual_shapes_are_shown(shape):
    view = ReshapeView(torch.zeros(shape), "reshape(-1)", "unsqueeze(0)")
    assert view.stages[-1].pieces[0].shape == (1, torch.zeros(shape).numel())
    assert javascript("reshaped", view.state)["numbers"][-1] == numbers(view)[0].ravel().tolist()


def test_only_the_shape_of_a_tensor_counts():
    tensors = [torch.empty(2, 3, device="meta"), torch.eye(2, 3).to_sparse(), np.ones((2, 3)), torch.ones(1, 1)]
    tensors[-1] = tensors[-1].expand(2, 3)
    for tensor in tensors:
        assert ReshapeView(tensor, "T").stages[-1].pieces[0].shape == (3, 2)


def test_a_default_device_does_not_matter():
    with torch.device("meta"):
        assert np.array_equal(numbers(ReshapeView((2, 2), "T"))[0], [[0, 2], [1, 3]])


def test_the_learners_tensor_and_random_numbers_stay_as_they_are():
    tensor = torch.ones(2, 3, requires_grad=True)
    state = torch.get_rng_state()
    ReshapeView(tensor, "T", "reshape(6)")
    assert torch.equal(torch.get_rng_state(), state)
    assert (tensor._version, tensor.grad, tensor.tolist()) == (0, None, [[1.0] * 3] * 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((24, "view(5, 5)"), ("'view(5, 5)' does not fit the shape (24,)", "must multiply")),
        (((4, 6), "T.view(24)"), ("does not fit the shape (6, 4)", "Write reshape")),
        ((24, "permute(0, 1)"), ("'permute(0, 1)'", "Count the axes from 0")),
        ((24, "split(8).view(8)"), ("there are 3 tensors here", "[0]")),
        ((24, "add(1)"), ("'add'", "permute")),
        ((24, "__class__"), ("'__class__'", "Write a chain of calls")),
        ((24, "view(open('x'))"), ("open('x')", "expected whole numbers")),
        ((24, "view(2,"), ("Python cannot read", "Write a chain")),
        ((24, "view(groups, 3)"), ("'groups'", "sizes={'groups': 2}")),
        ((24, "view(2 // 0, 3)"), ("divides 2 by 0",)),
        ((24, "cat([x, y[0]])"), ("only with itself", "cat([x, x], dim=0)")),
        ((24, "y = x.view(4, 6)\nz = x.view(6, 4)"), ("goes back to 'x'", "ReshapeView of its own")),
        ((24, torch.nn.ReLU()), ("a ReLU, where the text of a step should be",)),
        ((4096, "view(64, 64)"), ("4,096 numbers", "TensorView")),
        ((24, "repeat(1000000, 1000000)"), ("repeat(1000000, 1000000) would have",)),
        (("batch depth",), ("'depth'", "GPT-2 and T5")),
        (({"a": 1},), ("first is a dict",)),
        ((-3,), ("expected a tensor, a shape",)),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(given, said):
    with refuses(ValueError, *said):
        ReshapeView(*given)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"heads": 0}, ("sizes has 'heads': 0", "1 or more")),
        ({"hidden": 5}, ("hidden = 5", "2 heads")),
        ({"hidden": 8, "head_dim": 3}, ("heads · head_dim", "Leave one")),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, said):
    with refuses(ValueError, *said):
        ReshapeView(sizes=sizes)


def test_sizes_that_are_no_dict_are_refused():
    with refuses(TypeError, "sizes=5, expected a dict", "{'heads': 2}"):
        ReshapeView(sizes=5)


# PEFT's own run, each number of the table (or of what the projection made) tagged with its place.


def tagged(family, projection, tokens, inner=3, **sizes):
    """A model with a prefix of PEFT's whose encoder gives 0, 1, 2, … for each text, and our view of it."""
    setting = Setting(sizes_of(MODELS[family].make(axes_of_model(**sizes))), tokens, projection, 2, inner)
    model = wrapped(MODELS[family].make(axes_of_model(**sizes)).eval(), MODELS[family].task, setting)
    view = ReshapeView(model)
    encoder = model.prompt_encoder["default"]
    if projection:
        encoder.transform.register_forward_hook(
            lambda _, given, made: (
                torch.arange(float(made[0].numel())).view(made[0].shape).expand(made.shape).contiguous()
            )
        )
    else:
        encoder.embedding.weight.data = torch.arange(float(encoder.embedding.weight.numel())).view_as(
            encoder.embedding.weight
        )
    view.change(batch=2)
    return model, view


def in_cache(model):
    """Where each number is in what PEFT's attention reads: number → (layer, value, head, token, channel), sorted."""
    found = {}
    cache = tensors(model.get_prompt(2))
    for row, tensor in enumerate(cache):
        for index, number in np.ndenumerate(tensor[0].detach().numpy()):
            found.setdefault(int(number), []).append((row // 2, row % 2, *index))
    return found


sizes_of_models = st.fixed_dictionaries(
    {
        "layers": st.integers(1, 5),
        "kv_heads": st.integers(1, 2),
        "group": st.integers(1, 2),
        "head_dim": st.sampled_from([2, 4]),
    }
)


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("family", MODELS)
@settings(max_examples=4)
@given(sizes=sizes_of_models, tokens=st.integers(1, 4))
def test_every_number_of_pefts_run_is_where_the_page_says_at_every_step(family, projection, sizes, tokens):
    model, view = tagged(family, projection, tokens, **sizes)
    said = javascript("reshaped", view.state)
    with Operations() as run:
        model.get_prompt(2)
    run.seen["cache"] = tensors(model.get_prompt(2))
    keys = ["linear out" if projection else "embedding", "view", "cat", "permute", "split", "cache"]
    keys = ["lookup" if key == "embedding" else key for key in keys if key != "cat" or view.chosen["family"] == "T5"]
    pairs = zip(keys[1:], said["numbers"][-len(keys) + 1 :], said["shapes"][-len(keys) + 1 :], strict=True)
    for key, numbers, shapes in pairs:
        seen = run.seen[key]
        assert [list(one.shape) for one in seen] == [shape for shape, _, _ in shapes], key
        assert torch.cat([one.flatten() for one in seen]).int().tolist() == numbers, key
        if key != "cache":
            assert [list(one.stride()) for one in seen] == [strides for _, _, strides in shapes], key
    found = in_cache(model)
    for number, readers in enumerate(said["readers"]):
        places = sorted((one["layer"], one["value"], one["head"], one["token"], one["channel"]) for one in readers)
        assert places == sorted(found.get(number, [])), number


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("family", ["GPT-2", "Llama", "T5"])
def test_back_and_forth_are_one_way_in_two_directions(family, projection):
    said = javascript("reshaped", ReshapeView(family, projection=projection, sizes={"layers": 3}).state)
    for back, forth in zip(said["back"][1:], said["forth"][1:], strict=True):
        ways = {(one, place) for place, before in enumerate(back) for one in before}
        assert ways == {(one, place) for one, after in enumerate(forth) for place in after}


def test_an_element_was_made_by_the_weights_that_the_page_names():
    model, view = wrapped_t5(projection=True)
    sizes = view.chosen
    transform, table = model.prompt_encoder["default"].transform, model.prompt_encoder["default"].embedding.weight
    keys = tensors(model.get_prompt(1))
    last = len(javascript("reshaped", view.state)["numbers"]) - 1
    for row, head, token, channel in [(0, 0, 0, 0), (3, 2, 1, 5), (4, 3, 2, 7)]:
        model.zero_grad()
        keys[row][0, head, token, channel].backward(retain_graph=True)
        each = sizes["heads"] * sizes["prefix_len"] * sizes["head_dim"]
        place = row * each + (head * sizes["prefix_len"] + token) * sizes["head_dim"] + channel
        path = javascript("follow", view.state, last, [place])
        used = transform[2].weight.grad.abs().sum(1).nonzero().flatten().tolist()
        long = transform[2].weight.shape[0]
        assert [one % long for one in path[3]] == used
        assert len(path[2]) == transform[2].weight.shape[1]
        assert {one // table.shape[1] for one in path[0]} == {*table.grad.abs().sum(1).nonzero().flatten().tolist()}
        first, second = javascript("element", view.state, [last, place])[:2]
        assert f"row {used[0]} of transform.2.weight" in first
        assert f"all of row {token} of the table" in first
        assert f"Layers: {row // 2}; head {head}, virtual token {token}, channel {channel}." in second


def wrapped_t5(projection):
    base = load_tiny_t5()[0]
    setting = Setting(sizes_of(base), 3, projection, 1, 5)
    model = wrapped(base, "SEQ_2_SEQ_LM", setting)
    return model, ReshapeView(model)


def test_a_learners_own_run_is_shown_with_its_numbers():
    model, view = wrapped_t5(projection=False)
    place = 7  # layer 0's key, head 0, virtual token 0, channel 7
    last = len(javascript("reshaped", view.state)["numbers"]) - 1
    said = javascript("element", view.state, [last, place])
    number = float(model.prompt_encoder["default"].embedding.weight[0, 7].detach())
    assert said[-1] == f"In your run: {number:.6g} in the table, {number:.6g} in the cache."
    assert "EncoderDecoderCache" in view.text


def test_the_dead_half_of_an_encoder_decoder_has_nowhere_to_go_and_says_so():
    view = ReshapeView("T5", sizes={"layers": 4})
    said = javascript("reshaped", view.state)
    dead = [number for number, readers in enumerate(said["readers"]) if not readers]
    assert len(dead) == len(said["readers"]) / 2
    assert "nowhere to go" in javascript("element", view.state, [0, dead[0]])[-1]
    assert javascript("follow", view.state, 0, [dead[0]])[-1] == []
    view.change(row=True)
    assert "16 of the 32 have nowhere to go" in javascript("element", view.state, [0, 40])[-1]
    view = ReshapeView("T5", sizes={"layers": 3})
    assert all(javascript("reshaped", view.state)["readers"])
    split = len(javascript("reshaped", view.state)["numbers"]) - 2
    assert "This copy is thrown away" in javascript("element", view.state, [split, 24 * 2])[-1]


@given(shapes, st.data())
def test_own_steps_are_followed_as_torch_moved_them(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    view = ReshapeView(tuple(shape), f"permute({order})", "torch.cat([x, x], dim=0)", "split(2)")
    said = javascript("reshaped", view.state)
    for stage, numbers in zip(view.stages, said["numbers"], strict=True):
        assert numbers == stage.origins.tolist()


@given(shapes, st.sampled_from([330, 700, 1200]))
def test_no_two_numbers_stand_on_one_place(shape, wide):
    cells = javascript("layout", shape, wide)
    assert sorted(cell["place"] for cell in cells) == list(range(int(np.prod(shape))))
    places = np.array([(cell["x"], cell["y"]) for cell in cells])
    apart = np.abs(places[:, None] - places[None])
    assert ((apart[..., 0] >= 29) | (apart[..., 1] >= 22) | np.eye(len(cells), dtype=bool)).all()


def test_a_view_in_place_of_permute_is_told_with_what_stands_wrong():
    view = ReshapeView(6, "view(2, 3).permute(1, 0)")
    said = javascript("reshaped", view.state, True)
    assert said["numbers"][-1] == list(range(6))
    assert "4 of 6 numbers stand where they should not" in said["mistake"][-1][0]
    assert "should be 3, is 1" in said["mistake"][-1][1]
    journey = javascript("reshaped", ReshapeView().state, True)
    assert "numbers stand where they should not" in journey["mistake"][3][0]
    assert journey["mistake"][-1][0].startswith("Since view stood for it before")


def test_colours_are_of_axes_that_give_each_number_one_index():
    said = javascript("reshaped", ReshapeView("batch hidden", "view(batch, heads, head_dim)", sizes={"heads": 3}).state)
    assert said["colours"] == [["batch", 2], ["hidden", 6], ["heads", 3], ["head_dim", 2]]


@pytest.mark.parametrize(
    ("name", "value", "step"), [("family", "T5", 5), ("layers", 7, 5), ("heads", 3, 5), ("projection", True, 5)]
)
def test_other_sizes_let_go_of_the_number_and_keep_the_step(name, value, step):
    chosen = ReshapeView("Llama").chosen | {"at": [3, 2], "step": step}
    after = javascript("changed", chosen, name, value)
    assert (after[name], after["at"], after["step"]) == (value, None, step)
    assert after["heads"] % after["kv_heads"] == 0
    assert javascript("changed", chosen, "layers", 10**6)["layers"] == 2


def test_a_model_without_a_prefix_and_a_choice_that_is_none_are_refused():
    model, view = wrapped_t5(projection=False)
    model.peft_config["default"] = peft.LoraConfig()
    with refuses(ValueError, "LoraConfig", "PrefixTuningConfig"):
        ReshapeView(model)
    with refuses(ValueError, "steps=3", "step, colour"):
        view.change(steps=3)
