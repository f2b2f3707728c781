"""ReshapeView: every number shown came from where the picture says, and every step says what it did to memory."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.past import past_key_values, split_layers
from prefix_lab.widgets.reshape import ReshapeView
from prefix_lab.widgets.reshape.draw import CELL, LINE, lay_out
from tests.tiny_models import refuses

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=5)


def numbers(view: ReshapeView, stage: int = -1) -> list[np.ndarray]:
    return [piece.origins.reshape(piece.shape) for piece in view.stages[stage].pieces]


def pasted(view: ReshapeView, step: int) -> str:
    """The picture at a step, as the page gets it."""
    view.step.value = step
    return view.drawing.value


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


@given(shapes)
def test_no_two_numbers_stand_on_one_place(shape):
    cells = lay_out(shape).cells
    assert len(cells) == np.prod(shape)
    apart = np.abs(cells[:, None] - cells[None])
    assert ((apart[..., 0] >= CELL) | (apart[..., 1] >= LINE) | np.eye(len(cells), dtype=bool)).all()


def test_with_nothing_given_it_shows_what_get_prompt_does():
    view = ReshapeView()
    blocks = split_layers(torch.arange(96.0).view(2, 3, 16), layers=2, heads=2, submodules=1)
    assert all(np.array_equal(mine, block.numpy()) for mine, block in zip(numbers(view), blocks, strict=True))
    assert view.stages[2].pieces[0].axes == ("2·layers", "batch", "heads", "prefix_len", "head_dim")
    assert [piece.label for piece in view.stages[3].pieces] == ["layers 0", "layers 1"]
    assert view.choices[view.colour_by.value].label == "2·layers"
    assert "3 value of layer 1" in view.key.value


def test_the_journey_of_an_encoder_decoder_ends_in_its_cache():
    view = ReshapeView("T5", sizes={"layers": 3, "prefix_len": 2})
    prefix = torch.arange(2.0 * 2 * 24).view(2, 2, 24)
    cache = past_key_values(prefix, layers=3, heads=2, submodules=2).self_attention_cache
    for block, layer in zip(numbers(view), cache.layers, strict=True):
        assert np.array_equal(block[0], layer.keys.numpy())
        assert np.array_equal(block[1], layer.values.numpy())
    assert 'd="M' in pasted(view, 2)
    assert "a copy" in view.key.value


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


def test_a_view_in_place_of_permute_is_shown_with_what_stands_wrong():
    view = ReshapeView(6, "view(2, 3).permute(1, 0)")
    view.by_view.value = True
    assert np.array_equal(numbers(view)[0], np.arange(6).reshape(3, 2))
    assert "4 of 6 numbers stand where they should not. E.g. at [0, 1], should be 3, is 1" in view.text
    assert pasted(view, 2).count('fill="none"/>') >= 4
    assert "stands where it should not" in view.key.value
    view.by_view.value = False
    assert "should not" not in view.text + view.key.value


def test_buttons_and_slider_walk_to_the_ends_and_no_further():
    view = ReshapeView(24, "view(4, 6)", "T")
    assert view.back.disabled
    assert not view.next.disabled
    for _ in range(5):
        view.next.click()
    assert view.step.value == 2
    assert view.next.disabled
    view.step.value = 1
    assert "view(4, 6)" in view.words.value
    assert "prefix-lab-fly" in pasted(view, 2)
    for _ in range(5):
        view.back.click()
    assert view.step.value == 0


def test_each_way_of_colouring_shows_as_many_shades_as_the_axis_is_long():
    view = ReshapeView()
    for number, choice in enumerate(view.choices):
        view.colour_by.value = number
        shades = re.findall(r'fill="([^"]+)" fill-opacity="([^"]+)"', pasted(view, 0))
        assert len(set(shades)) == choice.count, choice.label


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,) * 9, (2,) * 9])
def test_tensors_of_unusual_shapes_are_shown(shape):
    view = ReshapeView(torch.zeros(shape), "reshape(-1)", "unsqueeze(0)")
    assert view.stages[-1].pieces[0].shape == (1, torch.zeros(shape).numel())
    assert "<svg" in pasted(view, 2)


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
