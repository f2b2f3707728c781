"""`shape_error`: the failing line, its operands with named axes, and the pair of axes that disagrees."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import peft
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import T5Config, T5ForConditionalGeneration

import prefix_lab
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes, shape_error
from prefix_lab.shapes.walks import MODELS
from tests.tiny_models import random_ids, refuses

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # PEFT asks for it
SIZES = Path(prefix_lab.__file__).parent / "sizes"


def failure(function, *arguments, **options):
    """What `shape_error` says of the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function(*arguments)
    return shape_error(caught.value, **options)


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(10, 4)
        self.transform = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(7, 2))
        self.embedding = nn.Embedding(5, 3)
        self.conv = nn.Conv1d(4, 6, 3)
        self.norm = nn.LayerNorm(7)

    def forward(self, x):
        return self.linear(x)


layers = Layers()
x, y, w = torch.zeros(2, 5, 12), torch.zeros(2, 7, 12), torch.zeros(7, 3)
flags, ids, far = torch.ones(2, 6, dtype=torch.bool), torch.full((2, 5), 9), torch.tensor([1, 9])
query, key, mask = torch.zeros(2, 3, 5, 8), torch.zeros(2, 3, 6, 8), torch.zeros(2, 1, 5, 5)
scores, labels = torch.zeros(6, 4), torch.zeros(5, dtype=torch.long)
turned = x.transpose(0, 1)
parts, z, other_key = [x, y], torch.zeros(3, 7, 12), torch.zeros(2, 3, 6, 8)


def assigns():
    held = x.clone()
    held[:, 0] = w


def adds_in_place():
    held = x.clone()
    held += y


def make(tokens):
    return torch.zeros(2, tokens, 12)


def unpacks():
    batch, tokens = x.shape
    return batch, tokens


FAILURES = {
    "matmul": (lambda: x @ w, "12 against 7: axis 2 of x and axis 0 of w."),
    "turned matmul": (lambda: x.transpose(1, 2) @ y, "5 against 7: axis 2 of x.transpose(1, 2) and axis 1 of y."),
    "addmm": (lambda: torch.addmm(labels, x[0], w), "12 against 7: axis 1 of x[0] and axis 0 of w."),
    "view": (lambda: x.view(2, 5, 5, 2), "x has 2 · 5 · 12 = 120 numbers, and 2 · 5 · 5 · 2 = 100 are asked for."),
    "view of a part": (lambda: x.view(2, 5, 5, 2), "Axis 2 of x, 12: 5 does not divide 12."),
    "view after transpose": (lambda: turned.view(2, 60), "they do not lie in that order in memory"),
    "reshape": (lambda: x.reshape(2, -1, 7), "2 · -1 · 7 asks for a multiple of 14."),
    "cat": (lambda: torch.cat([x, y], dim=-1), "5 against 7: axis 1 of x and axis 1 of y. cat joins along axis 2"),
    "cat of a list": (lambda: torch.cat(parts, -1), "5 against 7: axis 1 of parts[0] and axis 1 of parts[1]."),
    "stack": (lambda: torch.stack([x, y]), "5 against 7: axis 1 of x and axis 1 of y."),
    "+": (lambda: x + y, "5 against 7: axis 1 of x and axis 1 of y."),
    "- of ranks": (lambda: x - w, "12 against 3: axis 2 of x and axis 1 of w."),
    "where": (lambda: torch.where(flags, x, 0), "6 against 12: axis 1 of flags and axis 2 of x."),
    "masked_fill": (lambda: x.masked_fill(flags, 0), "12 against 6: axis 2 of x and axis 1 of flags."),
    "+=": (adds_in_place, "7 against 5: axis 1 of y and axis 1 of held."),
    "x[…] =": (assigns, "3 against 12: axis 1 of w and axis 1 of held[:, 0]."),
    "linear": (lambda: layers(x), "12 against 10: axis 2 of x and axis 1 of self.linear.weight."),
    "sequential": (
        lambda: layers.transform(x),
        "of input of Linear.forward and axis 1 of layers.transform.2.weight",
    ),
    "embedding": (
        lambda: layers.embedding(ids),
        "ids has the number 9, but layers.embedding.weight has 5 rows",
    ),
    "conv": (lambda: layers.conv(x), "5 against 4: axis 1 of x and axis 1 of layers.conv.weight."),
    "layer norm": (lambda: layers.norm(x), "12 against 7: axis 2 of x and axis 0 of layers.norm.weight."),
    "attention": (
        lambda: F.scaled_dot_product_attention(query, key, key, mask),
        "6 against 5: axis 2 of key and axis 3 of mask.",
    ),
    "einsum": (lambda: torch.einsum("bij,bjk->bik", x, y), "axis 2 of x and axis 1 of y. Both are 'j' in the equation"),
    "attention with values": (
        lambda: F.scaled_dot_product_attention(query, key, other_key, mask),
        "6 against 5: axis 2 of key and axis 3 of mask.",
    ),
    "+ of what is not read": (lambda: x + y.relu(), "5 against 7: axis 1 of x and axis 1 of y. Shapes are laid"),
    "+ of what is not seen": (lambda: x + make(7), "5 against 7, at axis 1 of the longer one. Shapes are laid"),
    "gather": (lambda: x.gather(2, ids[:, :, None] * 3), None),
    "a matrix with itself": (lambda: w @ w, "3 against 7: axis 1 of w and axis 0 of w. The product sums"),
    "another dtype": (
        lambda: x @ w.half().to(x.dtype),
        "12 against 7: axis 2 of x and axis 0 of w.half().to(x.dtype).",
    ),
    "two axes at once": (lambda: z - x, "3 against 2: axis 0 of z and axis 0 of x. "),
    "the other of two axes": (lambda: z - x, "7 against 5: axis 1 of z and axis 1 of x. "),
    "cross entropy": (lambda: F.cross_entropy(scores, labels), "6 against 5: axis 0 of scores and axis 0 of labels."),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_axes_that_disagree_are_named(name):
    function, said = FAILURES[name]
    seen = failure(function)
    assert seen.is_about_shapes
    assert seen.where.startswith(("test_errors.<lambda>", "<lambda>", "assigns", "adds", "unpacks", "Layers.forward"))
    if said is None:  # an operand is not to be read without running it again
        assert "Which axes disagree cannot be told" in seen.text
    else:
        assert said in seen.text, seen.text


BY_TORCH = {
    "ranks": lambda: torch.cat([x, w]),
    "expand": lambda: x.expand(3, 5, 12),
    "transpose": lambda: x.transpose(1, 3),
    "sum": lambda: x.sum(dim=4),
    "split": lambda: x.split([5, 5], dim=2),
    "index": lambda: x[0, 0, 0, 0],
    "index tensor": lambda: x[:, far],
    "mask": lambda: x[flags],
    "unpacking": unpacks,
}


@pytest.mark.parametrize("name", BY_TORCH)
def test_where_torchs_message_says_it_all_it_is_shown_with_the_operands(name):
    seen = failure(BY_TORCH[name])
    assert seen.is_about_shapes
    assert "x: (2, 5, 12)" in seen.operands
    assert "the message above says what was seen" in seen.text


def test_the_text_has_the_error_the_line_and_the_operands():
    assert failure(layers, x).text.split("\n") == [
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (10x12 and 10x4)",
        f"in Layers.forward, test_errors.py, line {Layers.forward.__code__.co_firstlineno + 1}:",
        "    return self.linear(x)",
        "with",
        "    x: (2, 5, 12)",
        "    self.linear.weight: (4, 10)",
        "    self.linear.bias: (4)",
        "12 against 10: axis 2 of x and axis 1 of self.linear.weight. "
        "A linear layer's weight is (out, in), and `in` must be the input's last axis.",
        "(Axes count from 0.)",
    ]


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3)
PAIR = re.compile(r"(?:\w+ )?\d+ against (?:\w+ )?(\d+): axis (\d) of (a|b) and axis (\d) of (a|b)\.")


def raised_by(function):
    try:
        function()
    except RuntimeError as error:
        return error
    return None


OPERATIONS = {
    "+": lambda a, b: lambda: a + b,
    "@": lambda a, b: lambda: a @ b,
    "linear": lambda a, b: lambda: F.linear(a, b),
    "maximum": lambda a, b: lambda: torch.maximum(a, b),
    "cat": lambda a, b: lambda: torch.cat([a, b]),
    "stack": lambda a, b: lambda: torch.stack([a, b]),
    "view": lambda a, b: lambda: a.view(b.shape),
}
ONE_RANK = ("cat", "stack")


@given(shapes, shapes, st.sampled_from([*OPERATIONS]))
def test_whenever_torch_refuses_shapes_the_axes_are_found_and_once_they_agree_it_accepts(one, other, operation):
    made = OPERATIONS[operation]
    error = raised_by(made(torch.zeros(one), torch.zeros(other)))
    if error is None:
        return
    found = shape_error(error).found
    assert found or operation == "linear" or (operation in ONE_RANK and len(one) != len(other)), (one, other)
    pairs = [PAIR.match(sentence) for sentence in found]
    if not pairs or not all(pairs):
        return  # it was a number, or a count of axes
    mended = {"a": [*one], "b": [*other]}
    for size, at, name, other_at, other_name in (pair.groups() for pair in pairs):
        assert {name, other_name} == {"a", "b"}
        mended[name][int(at)] = int(size)
        assert mended[other_name][int(other_at)] == int(size)
    assert raised_by(made(torch.zeros(mended["a"]), torch.zeros(mended["b"]))) is None, (operation, one, other)


# Names


def projects(axes):
    hidden_states = torch.zeros(axes["batch"], axes["source"], axes["hidden"])
    weight = torch.zeros(axes.get("width", axes["hidden"]), axes["ff"])
    return hidden_states @ weight


def attends(axes):
    hidden_states = torch.zeros(axes["batch"], axes["source"], axes["hidden"])
    split = torch.zeros(axes["heads"], axes["head_dim"])
    weight = torch.zeros(axes["heads"] * axes["head_dim"], axes["ff"])
    return hidden_states @ weight, split


RIGHT = {"batch": 2, "source": 5, "hidden": 12, "heads": 3, "head_dim": 4, "ff": 7}


def test_the_axes_of_live_tensors_have_their_proven_names():
    seen = failure(projects, RIGHT | {"width": 15}, names=name_axes(projects))
    assert "hidden_states: (batch, source, hidden) = (2, 5, 12)" in seen.text
    assert "hidden 12 against hidden 15: axis 2 of hidden_states and axis 0 of weight." in seen.text


def test_an_axis_that_is_not_hidden_here_is_called_by_what_it_is():
    """In every run of the walk hidden is heads·head_dim; in the learner's model it is not."""
    seen = failure(attends, RIGHT | {"hidden": 13}, names=name_axes(attends))
    assert "hidden 13 against heads·head_dim 12: axis 2 of hidden_states and axis 0 of weight." in seen.text


def test_a_recording_that_ended_with_an_error_brings_its_names():
    with pytest.raises(RuntimeError), record([projects]) as recording:
        projects(RIGHT | {"width": 15})
    assert "12 against 15: axis 2 of hidden_states and axis 0 of weight." in shape_error(recording).text
    for named in (
        shape_error(recording.with_names(name_axes(projects))),
        shape_error(recording, names=name_axes(projects)),
    ):
        assert "hidden 12 against hidden 15" in named.text
        assert "hidden_states: (batch, source, hidden) = (2, 5, 12)" in named.text


# PEFT, transformers and prefix_lab


def t5(name, **changes):
    """A model of these sizes, with few layers and tokens."""
    known = json.loads((SIZES / f"{name}.json").read_text())
    sizes = {key: size for key, size in known.items() if key in ("d_model", "d_kv", "num_heads")}
    small = {"num_layers": 2, "vocab_size": 60, "d_ff": 8, "decoder_start_token_id": 0}
    return T5ForConditionalGeneration(T5Config(**sizes | small | changes))


def wrapped(library, base, **options):
    config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, **options)
    return library.get_peft_model(base, config)


def runs(model, ids):
    model(input_ids=ids, labels=ids)


def forward(axes):
    """PEFT's half of the standard walk, as far as these tests fail."""
    ids = torch.randint(3, axes["vocab"], (axes["batch"], axes["source"]))
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=axes["prefix_len"])
    labels = torch.randint(3, axes["vocab"], (axes["batch"], axes["target"]))
    model = peft.get_peft_model(MODELS["T5"].make(axes), config)
    model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)


@pytest.fixture(scope="module")
def names():
    return name_axes(forward)


def test_peft_on_flan_t5_small_cannot_cut_the_prefix_into_its_heads(names):
    seen = failure(runs, wrapped(peft, t5("flan-t5-small")), random_ids(2, 7), names=names)
    assert seen.where.startswith("PeftModel.get_prompt, peft_model.py")
    assert "past_key_values: (batch, prefix_len, 2·layers·hidden) = (2, 5, 2048)" in seen.text
    assert "2 · 5 · 4 · 6 · 85 = 20,400 are asked for" in seen.text
    assert "num_layers * 2 = 4 leaves 512, and peft_config.num_attention_heads = 6 does not divide that" in seen.text


def test_peft_on_t5_3b_joins_keys_of_two_widths(names):
    model = wrapped(peft, t5("t5-3b", d_model=64, num_heads=4, d_kv=32))
    seen = failure(runs, model, random_ids(2, 7), names=names)
    assert seen.where.startswith("DynamicLayer.update")
    assert "self.keys: (batch, heads, prefix_len, head_dim) = (2, 4, 5, 16)" in seen.text
    assert "head_dim 16 against head_dim 32: axis 3 of self.keys and axis 3 of key_states." in seen.text


def test_prefix_labs_own_refusal_is_its_own_message(plain):
    seen = failure(wrapped, plain, t5("flan-t5-small"))
    assert seen.is_about_shapes
    assert seen.error.startswith("ValueError: token_dim=512 over 6 heads")
    assert "The code checks this itself" in seen.text


def test_labels_of_another_batch_meet_the_prefix_in_the_cache(names):
    model, ids = wrapped(peft, t5("t5-small", d_model=24, num_heads=3, d_kv=8)), random_ids(2, 7)
    seen = failure(lambda: model(input_ids=ids, labels=random_ids(3, 7)), names=names)
    assert "batch 2 against batch 3: axis 0 of self.keys and axis 0 of key_states." in seen.text


# What is not run, and what is no error of shapes


def test_nothing_of_the_program_runs_again():
    ran = []

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            ran.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    class Sly:
        def __getattr__(self, name):
            ran.append(name)
            return x

        @property
        def weight(self):
            ran.append("weight")
            return x

        def __getitem__(self, at):
            ran.append(at)
            return w

    sly, watched = Sly(), x.as_subclass(Watched)
    assert "Which axes" in failure(lambda: sly.weight @ sly[0]).text
    ran_once = list(ran)
    assert ran_once == ["weight", 0]
    with pytest.raises(RuntimeError) as caught:
        watched @ w
    before = len(ran)
    assert "12 against 7" in shape_error(caught.value).text
    assert len(ran) == before


def test_no_mode_of_the_program_hears_what_is_tried():
    ran = []

    class Hears(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            ran.append(function)
            return function(*args, **(kwargs or {}))

    class Dispatches(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            ran.append(function)
            return function(*args, **(kwargs or {}))

    with pytest.raises(RuntimeError) as caught:
        x.transpose(1, 2) @ y
    with Hears(), Dispatches():
        assert "5 against 7" in shape_error(caught.value).text
    assert ran == []


@pytest.mark.parametrize("error", [KeyError("size"), ZeroDivisionError("division by zero"), NameError("shape")])
def test_another_error_is_said_to_be_no_error_of_shapes(error):
    def fails():
        raise error

    seen = failure(fails)
    assert not seen.is_about_shapes
    assert "This is no error about shapes" in seen.text
    assert type(error).__name__ in seen.text


def test_an_error_without_a_traceback_is_told_by_its_message():
    seen = shape_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied (10x12 and 7x3)"))
    assert "12 against 7: axis 1 of the left factor and axis 0 of the right factor." in seen.text
    assert seen.where == ""


def test_what_cannot_be_looked_at_is_refused():
    with refuses(ValueError, "failed='x' is a str", "expected an error"):
        shape_error("x")
    with record([unpacks]) as recording:
        pass
    with refuses(ValueError, "ended without an error"):
        shape_error(recording)


def test_without_an_argument_the_last_error_shown_is_looked_at(monkeypatch):
    for name in ("last_exc", "last_value"):
        monkeypatch.delattr(sys, name, raising=False)
    with refuses(ValueError, "No error was shown yet"):
        shape_error()
    with pytest.raises(RuntimeError) as caught:
        x @ w
    monkeypatch.setattr(sys, "last_value", caught.value, raising=False)
    assert "12 against 7" in shape_error().text


def test_torch_is_not_imported_for_an_error_without_tensors(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "import sys\nfrom prefix_lab.shapes import shape_error\n"
        "try:\n    max([1, 2], [3])[2] + len('4')\n"
        "except IndexError as error:\n    print(shape_error(error).line, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "max([1, 2], [3])[2] + len('4') False"


def test_a_plain_interactive_python_shows_the_text():
    lines = ("import torch", "from prefix_lab.shapes import shape_error", "torch.ones(2, 3) @ torch.ones(4, 5)")
    typed = "\n".join([*lines, "shape_error()", ""])
    done = subprocess.run([sys.executable, "-W", "ignore", "-i", "-q"], input=typed, capture_output=True, text=True)
    assert "3 against 4: axis 1 of the left factor and axis 0 of the right factor." in done.stdout, done


def test_html_shows_text_and_never_markup():
    named = {"<b>x</b>": x}
    seen = failure(lambda: named["<b>x</b>"] @ w)
    html = seen._repr_html_()
    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>12 against 7" in html
    assert "&lt;lambda&gt;, test_errors.py" in html
    assert str(seen) == repr(seen) == seen.text


@pytest.mark.parametrize("kind", ["meta", "sparse", "quantised", "fake"])
def test_tensors_of_every_kind_are_operands(kind):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = {
            "meta": lambda: torch.zeros(2, 3, device="meta"),
            "sparse": lambda: torch.zeros(2, 3).to_sparse(),
            "quantised": lambda: torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.quint8),
            "fake": lambda: FakeTensorMode().from_tensor(torch.zeros(2, 3)),
        }[kind]()
        seen = failure(lambda: one.reshape(7) if kind != "sparse" else one @ w)
    assert seen.is_about_shapes
    assert "one: (2, 3)" in seen.text
    assert seen.found


def test_a_nested_tensor_is_passed_over():
    rows = [torch.zeros(2, 3), torch.zeros(4, 3)]
    ragged = torch.nested.nested_tensor(rows, layout=torch.jagged)
    seen = failure(lambda: (ragged, x @ w)[1])
    assert "12 against 7" in seen.text
    assert "RuntimeError" in failure(lambda: ragged @ w, names=name_axes(projects)).text
