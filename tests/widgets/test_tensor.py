"""TensorView: what is shown is the tensor's own slice, what is said is exact or says that it is not."""

import gc
import math
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.debugger.summary import Summary
from prefix_lab.widgets.tensor import TensorView
from prefix_lab.widgets.tensor.reading import COLUMNS, ROWS, slice_of, source_of, statistics_of, steps_for
from tests.tiny_models import refuses

numbers = st.floats(width=32) | st.sampled_from([0.0, math.nan, math.inf, -math.inf])


@given(st.lists(numbers, min_size=1, max_size=20))
def test_statistics_are_those_that_torch_gives_for_the_finite_numbers(given):
    tensor = torch.tensor(given, dtype=torch.float64)
    found, finite = statistics_of(source_of(tensor)), tensor[tensor.isfinite()]
    assert found.exact
    assert (found.nan, found.plus_inf, found.minus_inf) == (
        int(tensor.isnan().sum()),
        int(tensor.isposinf().sum()),
        int(tensor.isneginf().sum()),
    )
    assert found.zeros == pytest.approx((tensor == 0).double().mean().item())
    if len(finite):
        assert (found.least, found.greatest) == (finite.min(), finite.max())
        assert found.mean == pytest.approx(finite.mean().item(), rel=1e-9, abs=1e-9 * finite.abs().max().item())
    else:
        assert (found.least, found.greatest, found.mean) == (None, None, None)
    if len(finite) > 1:
        assert found.std == pytest.approx(finite.std().item(), rel=1e-6, abs=1e-6 * finite.abs().max().item())


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.data())
def test_the_slice_shown_is_the_tensors_own(shape, data):
    row, column = data.draw(st.permutations(range(len(shape))))[:2]
    fixed = {axis: data.draw(st.integers(0, size - 1)) for axis, size in enumerate(shape) if axis not in (row, column)}
    tensor = torch.arange(math.prod(shape)).view(shape)
    shown = slice_of(source_of(tensor), row, column, fixed)
    expected = tensor.movedim((row, column), (0, 1))[(..., *(fixed[axis] for axis in sorted(fixed)))]
    assert not shown.sampled
    assert np.array_equal(shown.numbers, expected.numpy())


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=4))
def test_a_sample_has_at_most_a_million_numbers_and_not_much_fewer(shape):
    taken = math.prod(-(-size // step) for size, step in zip(shape, steps_for(shape), strict=True))
    assert taken <= 2**20
    assert taken >= min(math.prod(shape), 2**17)


def test_a_thinned_out_picture_says_what_it_shows_and_marks_what_it_leaves_out():
    tensor = torch.zeros(1000, 960)
    tensor[17, 11] = math.nan
    view = TensorView(tensor, "source hidden")
    assert "rows 0, 16, 32, … 992 of 1,000, each 16 from the one before" in view.text
    assert "columns 0, 10, 20, … 950 of 960, each 10 from the one before" in view.text
    assert "of all 960,000 numbers" in view.text
    shown = slice_of(source_of(tensor), 0, 1, {})
    assert np.argwhere(shown.nan).tolist() == [[1, 1]]
    assert ">NaN</text>" in view.drawing.picture


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1).expand(10**8),
        lambda: torch.zeros(1).expand(10**6, 10**6),
        lambda: torch.zeros(10**4, 1).expand(10**4, 10**12).T,
        lambda: torch.zeros(10**8, dtype=torch.int8),
        lambda: torch.zeros(100, 100, 10, 1000, dtype=torch.bool),
        lambda: np.broadcast_to(np.zeros(1), (10**5, 10**5)),
    ],
)
def test_a_huge_tensor_is_sampled(make):
    view = TensorView(make())  # up to 10**16 numbers: one that read them all would not come back
    assert "Too big to draw whole" in view.text
    shown = slice_of(view.source, view.rows and view.rows.value, view.columns.value, {})
    assert shown.numbers.shape[0] <= ROWS
    assert shown.numbers.shape[1] <= COLUMNS


def test_statistics_say_whether_they_are_sampled():
    big = TensorView(torch.zeros(10**7, dtype=torch.int8))
    assert "of 10,000,000 numbers, taken at equal distances: the others may differ" in big.text
    repeated = torch.tensor([1.0, math.nan]).expand(10**9, 2)
    assert "NaN 1,000,000,000, +Inf 0, -Inf 0; of all 2,000,000,000 numbers" in TensorView(repeated).text


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3.0),
        torch.arange(5),
        torch.ones((2,) * 9),
        torch.ones((1,) * 30),
        torch.tensor([[True, False]]),
        torch.ones(3, 3, dtype=torch.bfloat16),
        torch.ones(3, 3, dtype=torch.float16),
        torch.ones(3, 3).to(torch.float8_e4m3fn),
        torch.tensor([2**63 + 1], dtype=torch.uint64),
        torch.tensor([-(2**63), 2**63 - 1]),
        torch.tensor([1e308, -1e308, 5e-324], dtype=torch.float64),
        torch.full((70, 100), math.nan),
        torch.tensor([math.inf, -math.inf, math.nan]),
        torch.nn.Parameter(torch.ones(2, 2)),
        torch.ones(4, 6).T[::2],
        torch.ones(2, 3, dtype=torch.complex64).conj().imag,  # of which torch keeps the sign apart
        np.arange(12.0)[::-1].reshape(3, 4),
        np.arange(3, dtype=">f4"),
        np.float16([[1, 2]]),
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.shape)}",
)
def test_tensors_of_every_kind_are_shown(tensor):
    view = TensorView(tensor)
    assert "<svg" in view.drawing.picture
    assert str(tuple(tensor.shape)) in view.text or "one number" in view.text
    assert str(tensor.dtype).removeprefix("torch.") in view.text


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 5)])
def test_a_tensor_without_numbers_is_said_to_have_none(shape):
    view = TensorView(torch.zeros(shape))
    assert "no numbers: an axis has size 0" in view.text
    assert view.drawing.picture == ""


def test_the_tensor_its_gradient_and_random_numbers_stay_as_they_are():
    tensor = torch.nn.Parameter(torch.randn(3, 4))
    tensor.sum().backward()
    before, state = (tensor.detach().clone(), tensor.grad.clone(), tensor._version), torch.get_rng_state()
    kept = np.random.get_state()[1].copy()
    view = TensorView(tensor, "batch hidden")
    view.rows.value = 1
    assert torch.equal(tensor, before[0])
    assert torch.equal(tensor.grad, before[1])
    assert tensor._version == before[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], kept)


def test_a_closed_view_lets_go_of_the_tensor():
    tensor = torch.ones(3, 3)
    view, alive = TensorView(tensor), weakref.ref(tensor)
    view.close()
    del tensor
    gc.collect()
    assert alive() is None


def test_a_changed_tensor_is_read_anew():
    tensor = torch.zeros(2, 2, 2)
    view = TensorView(tensor)
    tensor.fill_(7)
    view.sliders[0].value = 1
    assert "min 7, max 7" in view.text
    array = np.zeros((2, 2))
    view = TensorView(array)
    array[:] = 5
    view.again.click()
    assert "min 5, max 5" in view.text


def test_sliders_and_choices_are_named_by_the_axes():
    key = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    view = TensorView(key, "batch heads prefix_len head_dim", show=("heads", -1))
    assert "rows: heads, columns: head_dim, at batch 0, prefix_len 0" in view.text
    assert [slider.box.description for slider in view.sliders.values()] == ["batch", "heads", "prefix_len", "head_dim"]
    assert [slider.layout.display for slider in view.sliders.values()] == ["", "none", "", "none"]
    view.sliders[0].value = 1
    assert "at batch 1, prefix_len 0" in view.text
    view.columns.value = 1  # heads were the rows: the two change places
    assert "rows: head_dim, columns: heads" in view.text
    shown = slice_of(view.source, 3, 1, {0: 1, 2: 0})
    assert np.array_equal(shown.numbers, key[1, :, 0].T.numpy())


def test_names_come_from_a_recordings_summary_and_numbers_do_not():
    summary = Summary("torch.Tensor", "Tensor (2, 3) float32", {"axes": ("batch", "hidden")})
    assert "(batch, hidden) = (2, 3)" in TensorView(torch.ones(2, 3), summary).text
    with refuses(ValueError, "tensor is a summary out of a recording", "axes=summary.axes"):
        TensorView(summary)


def test_nan_and_inf_have_marks_of_their_own_and_few_or_many_are_told_apart():
    few = torch.zeros(8, 8)
    few[0, 0], few[1, 1], few[2, 2] = math.nan, math.inf, -math.inf
    svg = TensorView(few).drawing.picture
    assert all(f">{label}</text>" in svg for label in ("NaN", "+Inf", "-Inf"))
    assert "<pattern" not in svg
    many = torch.full((40, 40), math.nan)
    many[:20] = -math.inf
    svg = TensorView(many).drawing.picture
    assert svg.count("<pattern") == 2
    assert ">NaN</text>" in svg
    assert ">-Inf</text>" in svg


def test_names_are_text_and_never_markup_or_formulas():
    view = TensorView(torch.ones(2, 2), ("<b>x</b>", "$\\frac{1}$"))
    assert "<b>x" not in view.words.value + view.drawing.picture
    assert "&lt;b&gt;x" in view.words.value
    assert "$\\frac{1}$" in view.drawing.picture


def test_the_text_has_facts_statistics_and_the_numbers_in_columns():
    view = TensorView(torch.eye(2), "batch hidden")
    assert view.text.startswith("tensor (batch, hidden) = (2, 2), float32, cpu\nmin 0, max 1, mean 0.5, std 0.5774")
    assert view.text.endswith("   0  1\n0  1  0\n1  0  1")


def test_the_cell_that_a_reader_is_at_is_said_by_its_axes_and_in_the_numbers_own_digits():
    view = TensorView(torch.arange(12).view(2, 2, 3) / 7, "batch heads head_dim", show=("head_dim", "batch"))
    view.sliders[1].value = 1
    view.drawing.cell = [2, 1]
    assert view.drawing.said == "batch 1, heads 1, head_dim 2: 1.5714285"
    assert view.drawing.said in view.text
    view.sliders[1].value = 0  # another slice
    assert view.drawing.cell == []
    assert "head_dim 2: " not in view.text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.empty(3, 4, device="meta"), ("on the meta device", "(3, 4)", "device='cpu'")),
        (lambda: [1, 2], ("is a list", "torch.tensor(…)")),
        (lambda: torch.nn.Linear(2, 2), ("is a module, Linear", ".weight, .bias")),
        (lambda: torch.nn.LazyLinear(2).weight, ("without a shape yet", "Call its module once")),
        (lambda: np.array(["a"]), ("dtype <U1", "astype(float)")),
        (lambda: np.ma.masked_array([1.0]), ("masked array", "filled(np.nan)")),
        (lambda: torch.ones(2, dtype=torch.complex64), ("complex64", "tensor.abs()")),
        (lambda: torch.eye(3).to_sparse(), ("sparse coo", "tensor.to_dense()")),
    ],
)
def test_what_has_no_numbers_to_show_is_refused_in_a_sentence(make, said):
    with refuses(ValueError, "tensor is", *said):
        TensorView(make())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"axes": "batch"}, ("axes has 1 names, 'batch'", "2 axes: (2, 3)", "leave axes out")),
        ({"axes": 5}, ("axes is 5", "expected names such as")),
        ({"axes": "a b", "show": ("a", "c")}, ("show is ('a', 'c')", "'a b'")),
        ({"show": (1, 1)}, ("show is (1, 1)", "two different axes")),
        ({"show": (0, 2)}, ("show is (0, 2)",)),
        ({"show": 1}, ("show is 1", "two different axes")),
    ],
)
def test_names_that_do_not_fit_are_refused(arguments, said):
    with refuses(ValueError, *said):
        TensorView(torch.zeros(2, 3), **arguments)


def test_whole_numbers_are_said_in_full():
    text = TensorView(torch.tensor([-(2**63), 2**62 + 1])).text
    assert "min -9223372036854775808, max 4611686018427387905" in text
