"""How tensors, modules, caches and configs look in a recording; and that a recording changes nothing about them."""

import copy
import functools
import gc
import sys
import typing
import warnings
import weakref

import peft
import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.cache_utils import DynamicCache

import prefix_lab
from prefix_lab.course import load_tiny_t5
from prefix_lab.debugger import record
from tests.debugger.test_stops import changing, places
from tests.tiny_models import random_ids, tiny_llama, tiny_t5


def recorded(function, *arguments, **options):
    with record([function], **options) as recording:
        function(*arguments)
    return recording


def made(tensor, **options):
    """The summary of a value."""
    return recorded(lambda x: None, tensor, **options).steps[0].locals["x"]


def test_a_tensor_has_its_shape_dtype_and_the_rest():
    x = torch.zeros(2, 3, requires_grad=True)
    summary = made(x)
    assert summary.text == "Tensor (2, 3) float32"
    assert (summary.shape, summary.dtype, summary.device) == ((2, 3), "float32", "cpu")
    assert (summary.requires_grad, summary.is_view, summary.version) == (True, False, 0)
    assert summary.type == "torch.Tensor"
    assert made(torch.zeros(4)[1:]).is_view
    assert made(nn.Parameter(torch.zeros(1))).text == "Parameter (1) float32"
    assert made(torch.tensor(1.0)).shape == ()


def quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to give them up
        return torch.quantize_per_tensor(torch.zeros(2, 3), 0.1, 0, torch.quint8)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, 3, device="meta"),
        torch.zeros(2, 3).to_sparse(),
        quantized(),
        torch.zeros(2, 3, dtype=torch.complex64),
        torch.zeros(2, 3, dtype=torch.bool),
        torch.zeros(2, 3, dtype=torch.float16),
        torch.zeros(2, 3, dtype=torch.int64),
        torch.zeros(2, 0, 3),
        torch.zeros((1,) * 9),
    ],
    ids=lambda tensor: f"{tensor.layout} {tensor.dtype} {tuple(tensor.shape)} {tensor.device}",
)
@pytest.mark.parametrize("keep", ["shapes", "statistics", "small"])
def test_every_kind_of_tensor_is_summed_up(tensor, keep):
    recording = recorded(lambda x: None, tensor, keep=keep)
    assert recording.steps[0].locals["x"].shape == tuple(tensor.shape)
    assert recording.notes == []


def test_inference_and_fake_tensors_and_functorch_are_summed_up():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with torch.inference_mode():
        inside = torch.zeros(2)
    assert made(inside).version is None
    with FakeTensorMode():
        fake = torch.zeros(2, 5)
    assert made(fake, keep="small").shape == (2, 5)

    def doubled(x):
        y = x * 2
        return y

    with record([doubled], keep="small") as recording:
        result = torch.vmap(doubled)(torch.ones(3, 2))
    assert torch.equal(result, torch.full((3, 2), 2.0))
    assert recording.find(name="y")[0].changed["y"].shape == (2,)


def test_statistics_and_numbers_are_taken_only_where_they_are_asked_for():
    x = torch.tensor([1.0, -2.0, 4.0])
    assert not {"min", "numbers"} & set(made(x).facts)
    assert {"min": -2.0, "max": 4.0, "mean": 1.0, "nan": False, "inf": False}.items() <= made(
        x, keep="statistics"
    ).facts.items()
    assert "numbers" not in made(x, keep="statistics").facts
    assert made(x, keep="small").numbers == (1.0, -2.0, 4.0)
    assert "numbers" not in made(torch.zeros(65), keep="small").facts
    spoilt = made(torch.tensor([float("nan"), float("inf"), 2.0]), keep="statistics")
    assert (spoilt.nan, spoilt.inf, spoilt.min, spoilt.max) == (True, True, 2.0, 2.0)


def test_the_first_nan_is_found():
    def divides(x):
        total = x.sum()
        ratio = x / (total - total)
        back = ratio * 0
        return back

    recording = recorded(divides, torch.zeros(3), keep="statistics")
    assert recording.find(nan=True)[0].text == "ratio = x / (total - total)"
    assert recording.find(shape=(3,))[0].event == "call"
    assert recording.find(shape=(None,))[0].event == "call"
    assert recording.find(shape=(7,)) == []


def test_a_change_in_place_is_told_from_a_new_tensor():
    def changes(x):
        x = x + 1
        x.add_(1)
        x[0] = 5
        x *= 2
        y = x
        y.zero_()
        return x

    recording = recorded(changes, torch.zeros(3))
    assert [step.text for step in recording.find(in_place=True)] == ["x.add_(1)", "x[0] = 5", "x *= 2", "y.zero_()"]
    assert recording.steps[1].in_place == frozenset()
    assert recording.steps[-1].value.version == 4


def test_one_object_has_one_number_under_every_name_and_in_every_frame():
    def inner(tensor):
        return tensor

    def outer(x):
        y = x
        z = inner(y)
        w = z.clone()
        return w

    with record([inner, outer]) as recording:
        outer(torch.zeros(2))
    held = recording.steps[-1].locals
    assert held["x"].number == held["y"].number == held["z"].number != held["w"].number


def true_count(module):
    weights = {id(one): one for part in nn.Module.modules(module) for one in vars(part).get("_parameters", {}).values()}
    return sum(one.numel() for one in weights.values() if one is not None and one.requires_grad)


def counts_at_each_line(run, function):
    """The line and, by name, how many parameters of each module train then, as a plain tracer sees it."""
    seen = []

    def trace(frame, event, argument):
        if event == "line":
            modules = {name: one for name, one in frame.f_locals.items() if isinstance(one, nn.Module)}
            seen.append((frame.f_lineno, {name: true_count(one) for name, one in modules.items()}))
        return trace

    def is_meant(code):
        return code.co_name == function and code.co_filename.endswith(("models.py", "peft_model.py"))

    sys.settrace(lambda frame, event, argument: trace if is_meant(frame.f_code) else None)
    try:
        run()
    finally:
        sys.settrace(None)
    return seen


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")
@pytest.mark.parametrize("library", [prefix_lab, peft])
def test_what_is_said_to_train_trains_at_each_step(library):
    base, _ = load_tiny_t5()

    def wraps():
        config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
        library.get_peft_model(copy.deepcopy(base), config)

    truth = counts_at_each_line(wraps, "_setup_prompt_encoder")
    with record([library.__name__]) as recording:
        wraps()
    lines = recording.find(event="line")
    steps = [one for one in lines if one.function.endswith("._setup_prompt_encoder") and one.file.endswith(".py")]
    assert len({count for _, counts in truth for count in counts.values()}) > 3
    for (line, counts), step in zip(truth, steps, strict=True):
        assert (step.line, {name: step.locals[name].trainable for name in counts}) == (line, counts)


class Adapted(nn.Module):
    """A layer with an adapter beside it, as LoRA has them."""

    def __init__(self, base):
        super().__init__()
        self.base, self.low = base, nn.Linear(2, 2)


class Part(nn.Module):
    """Modules under names of their own."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)


class Owner:
    """Freezes its model where a line does not look like it."""

    def __init__(self, model):
        self.model = model

    def freeze(self, *_):
        self.model.requires_grad_(False)
        return self

    frozen = property(freeze)
    __iadd__ = __enter__ = freeze

    def __exit__(self, *_):
        self.model.requires_grad_(True)

    def __iter__(self):
        yield self.freeze()
        self.model.requires_grad_(True)


def changes_in_every_way(model):
    """Layers are wrapped, added, removed; numbers are exchanged; weights frozen with and without a call."""
    attention = model.encoder.attention
    attention.query = Adapted(attention.query)
    for one in (attention,):
        one.key = Adapted(one.key)
    attention.add_module("more", nn.Linear(5, 5))
    model.encoder.layers.append(nn.Linear(7, 7))
    del model.encoder.layers[0]
    model.head.weight.data = torch.ones(4, 4)
    model.head.weight = attention.key.base.weight
    model.head.weight = nn.Parameter(torch.ones(2, 2))
    switch = attention.requires_grad_  # by a name of its own
    switch(False)
    again = functools.partial(nn.Module.requires_grad_, model, True)
    again()
    owner = Owner(model)
    with owner:
        done = 1
    owner += 1
    for _ in owner:
        done = 2
    done = owner.frozen
    return done


def test_what_a_module_is_said_to_hold_it_holds_at_each_step():
    def model():
        attention = Part(query=nn.Linear(2, 2), key=nn.Linear(2, 2))
        encoder = Part(attention=attention, layers=nn.ModuleList([nn.Linear(3, 3)]))
        return Part(encoder=encoder, head=nn.Linear(2, 1))

    truth, whole = [], model()

    def trace(frame, event, argument):
        if event == "line":
            numbers = sum(one.numel() for one in whole.parameters())
            truth.append((frame.f_lineno, f"Part with {numbers} parameters, {true_count(whole)} trainable"))
        return trace

    sys.settrace(lambda frame, event, argument: trace if frame.f_code is changes_in_every_way.__code__ else None)
    try:
        changes_in_every_way(whole)
    finally:
        sys.settrace(None)
    lines = recorded(changes_in_every_way, model()).find(event="line")
    assert len({text for _, text in truth}) > 9
    assert [(step.line, step.locals["model"].text) for step in lines] == truth


def test_a_list_of_modules_says_what_they_hold_at_each_step():
    first = nn.Linear(2, 2)

    def freezes(both):
        held = [both]
        first.requires_grad_(False)
        return held

    recording = recorded(freezes, [first])
    assert recording.find(event="return")[0].value.text == "[[Linear with 6 parameters, 0 trainable]]"
    assert recording.steps[-1].locals["both"].text == "[Linear with 6 parameters, 0 trainable]"


def test_lazy_modules_and_nested_tensors_are_told_without_a_shape():
    def calls(layer, rows):
        layer(torch.ones(2, 3))
        return layer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are a prototype, says torch
        rows = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    recording = recorded(calls, nn.LazyLinear(4), rows)
    assert recording.steps[0].locals["layer"].text == "LazyLinear, 2 of its tensors without a shape yet"
    assert recording.steps[0].locals["layer"]["weight"].text == "without a shape yet float32, trains"
    assert recording.steps[0].locals["rows"].text == "Tensor nested float32"
    assert recording.steps[-1].value.text == "Linear with 16 parameters, 16 trainable"
    assert recording.notes == []


class Listening(TorchFunctionMode):
    """Every function that a program hands over while it is on."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def __torch_function__(self, function, types, arguments=(), options=None):
        self.heard.append(str(function))
        return function(*arguments, **(options or {}))


class Wrapper(torch.Tensor):
    """A tensor around a tensor, which is asked for its sizes and device."""

    heard: typing.ClassVar = []

    @staticmethod
    def __new__(cls, inner):
        options = {"dispatch_sizes_strides_policy": "sizes", "dispatch_device": True, "dispatch_layout": True}
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, **options)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        Wrapper.heard.append(str(function))
        return super().__torch_function__(function, types, arguments, options or {})

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), options=None):
        Wrapper.heard.append(str(function))
        inner = [one.inner if isinstance(one, Wrapper) else one for one in arguments]
        return function(*inner, **(options or {}))


def under_a_function_mode():
    with Listening() as mode:
        x = torch.ones(2) + 1
        layer = nn.Linear(2, 2)
        y = layer(x)
        return mode.heard, str(y.shape)


def around_a_subclass():
    Wrapper.heard.clear()
    wrapped = Wrapper(torch.ones(2, 3))
    doubled = wrapped * 2
    layer = nn.Module()
    layer.register_parameter("weight", nn.Parameter(torch.ones(2)))
    return list(Wrapper.heard), type(doubled).__name__


def under_a_function_mode_with_eight_bits():
    x = torch.ones(2).to(torch.float8_e4m3fn)
    with Listening() as mode:
        y = x
        return mode.heard, y is x


def under_a_dispatch_mode_with_fake_tensors():
    from torch._subclasses.fake_tensor import FakeTensorMode

    class Dispatched(TorchDispatchMode):
        heard: typing.ClassVar = []

        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            self.heard.append(str(function))
            return function(*arguments, **(options or {}))

    with FakeTensorMode():
        fake = torch.zeros(2, 5)
    with Dispatched() as mode:
        x = torch.ones(2)
        both = (x, fake)
    return mode.heard, len(both)


def in_a_trace():
    def doubled(x):
        size = x.shape
        y = x * 2 if size else x
        z = y + x
        return z

    traced = torch.jit.trace(doubled, torch.ones(2, 3))
    made = make_fx(doubled)(torch.ones(2, 3))
    return [str(node.kind()) for node in traced.graph.nodes()], [str(node.target) for node in made.graph.nodes]


def under_a_profiler():
    with torch.profiler.profile() as profiler:
        x = torch.ones(2, 3, dtype=torch.bfloat16)
        y = x.T + 1
        z = y.sum()
    return [event.name for event in profiler.events() if event.name.startswith("aten")], z.item()


def in_transforms():
    def squared(x):
        y = x * x
        return y.sum()

    x = torch.arange(3.0)
    return torch.func.grad(squared)(x).tolist(), torch.vmap(squared)(x[None]).tolist()


@pytest.mark.parametrize("keep", ["shapes", "statistics", "small"])
@pytest.mark.parametrize(
    "program",
    [
        under_a_function_mode,
        under_a_function_mode_with_eight_bits,
        around_a_subclass,
        under_a_dispatch_mode_with_fake_tensors,
        in_a_trace,
        under_a_profiler,
        in_transforms,
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nobody_who_listens_hears_of_a_recording(program, keep):
    plain = program()
    with record([program], keep=keep, watch=["x", "y"]) as recording:
        watched = program()
    assert watched == plain
    assert recording.notes == []


def test_caches_configs_and_a_tokenizers_output_open_up():
    cache = DynamicCache([(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))] * 2)
    summary = made(cache)
    assert summary.text == "DynamicCache of 2 layers, each (1, 2, 3, 4)"
    assert summary["0.keys"].shape == (1, 2, 3, 4)
    assert made(tiny_t5().config)["d_model"].value == 12
    ours = made(prefix_lab.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
    assert ours["num_virtual_tokens"].value == 4
    assert ours["task_type"].value == "CAUSAL_LM"
    _, tokenizer = load_tiny_t5()
    encoding = made(tokenizer(["abc", "de"], padding=True, return_tensors="pt"))
    assert encoding.text.startswith("BatchEncoding {input_ids: Tensor (2, 4) int64")
    assert encoding["attention_mask"].shape == (2, 4)


def test_a_cache_that_grows_is_seen_to_grow():
    def grows(cache, key):
        cache.update(key, key, 0)
        cache.update(key, key, 0)
        return cache

    recording = recorded(grows, DynamicCache(), torch.zeros(1, 2, 3, 4))
    said = [step.changed["cache"].text for step in recording.steps if "cache" in step.changed]
    assert said[1:] == ["DynamicCache of 1 layers, each (1, 2, 3, 4)", "DynamicCache of 1 layers, each (1, 2, 6, 4)"]


SCOPE = ["prefix_lab", "transformers.models.t5", "transformers.models.llama", "torch.nn.functional"]


def journey(make_model, task):
    """Build, wrap, forward, backward, generate; everything that could differ."""
    torch.manual_seed(7)
    config = prefix_lab.PrefixTuningConfig(task_type=task, num_virtual_tokens=3, prefix_projection=True)
    model = prefix_lab.get_peft_model(make_model(), config).train()
    ids = random_ids(2, 5)
    output = model(input_ids=ids, labels=ids)
    output.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    with torch.no_grad():
        tokens = model.eval().generate(input_ids=ids, do_sample=True, max_new_tokens=4)
    return output.logits, gradients, tokens, torch.rand(3), graph_of(output.loss)


def graph_of(tensor):
    """The names of the autograd graph's nodes, in the order of a walk."""
    seen, queue = [], [tensor.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None:
            seen.append(node.name())
            queue += [inner for inner, _ in node.next_functions]
    return seen


@pytest.mark.parametrize("keep", ["shapes", "small"])
@pytest.mark.parametrize(("make_model", "task"), [(tiny_t5, "SEQ_2_SEQ_LM"), (tiny_llama, "CAUSAL_LM")])
def test_values_gradients_random_numbers_and_graphs_are_as_without_a_recording(make_model, task, keep):
    plain = journey(make_model, task)
    with record(SCOPE, keep=keep, watch=["hidden_states.shape", "past_key_values"]) as recording:
        watched = journey(make_model, task)
    assert len(recording) > 1000
    assert recording.notes == []
    assert torch.equal(plain[0], watched[0])
    assert plain[1].keys() == watched[1].keys()
    assert all(torch.equal(plain[1][name], watched[1][name]) for name in plain[1])
    assert torch.equal(plain[2], watched[2])
    assert torch.equal(plain[3], watched[3])
    assert plain[4] == watched[4]


def test_no_tensor_module_or_graph_is_kept_alive():
    base = tiny_t5()
    refs = []

    def forward():
        model = prefix_lab.get_peft_model(
            copy.deepcopy(base), prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
        )
        output = model(input_ids=random_ids(2, 5), labels=random_ids(2, 5))
        refs.extend(weakref.ref(one) for one in (model, output.logits, output.loss, *model.parameters()))
        return output.loss.item()

    with record(["prefix_lab", "transformers.models.t5"]) as recording:
        forward()
        del forward
    gc.collect()
    assert len(refs) > 10
    assert [ref for ref in refs if ref() is not None] == []
    assert len(recording) > 500


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1),
        torch.zeros(1).expand(3, 4),
        torch.arange(6.0).view(2, 3).T,
        torch.tensor(2.0),
        torch.tensor([1 + 2j]).conj(),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(3, dtype=torch.bool),
    ],
)
def test_a_digest_is_that_of_the_bits_in_the_order_of_the_axes(tensor):
    same, other = tensor.clone().contiguous(), tensor.clone().contiguous()
    other.view(-1)[0] = 7
    digests = [made(one, keep="statistics").digest for one in (tensor, same, other)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2] or tensor.dtype == torch.bool


@pytest.mark.parametrize("dtype", [torch.float32, torch.float8_e4m3fn])
def test_numbers_that_a_tensor_repeats_are_read_once(dtype):
    x = torch.tensor([[1.0], [3.0]]).to(dtype).expand(2, 10**12)
    summary = made(x, keep="small")
    assert (summary.shape, summary.min, summary.max, summary.mean) == ((2, 10**12), 1.0, 3.0, 2.0)
    assert not {"digest", "numbers"} & set(summary.facts)
    overlapping = torch.ones(2**11).as_strided((2**10, 2**10 + 1), (1, 1))
    assert "min" not in made(overlapping, keep="statistics").facts


@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace")  # it follows the recorder as well
@pytest.mark.parametrize("keep", ["statistics", "small"])
def test_what_torch_compiles_is_recorded(keep):
    def doubled(x):
        y = x * 2
        return y

    with record([doubled], keep=keep) as recording:
        torch.compile(doubled, backend="eager")(torch.ones(2))
    assert recording.notes == []


def test_a_tensors_name_stops_where_its_bits_change():
    recording = recorded(changing, torch.zeros(2))
    changed = places(recording, {"name": "weight", "function": "changing"})
    assert changed[0].event == "call"
    assert {step.text for step in changed[1:]} == {"weight.add_(i)", "weight.mul_(1)"}
