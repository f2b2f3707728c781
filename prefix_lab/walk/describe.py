"""What our side made at each stage, in words and numbers: by stage, the function that tells it."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab import past
from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.prepare import explain_preparation
from prefix_lab.walk.libraries import same_random_numbers
from prefix_lab.walk.model import choose_task
from prefix_lab.walk.steps import Run, Side, call, loss_of


class Fact(NamedTuple):
    """One thing that changed, or was counted, in this run: a sentence to read, and the same as data."""

    name: str
    text: str
    data: Any = None


class Described(NamedTuple):
    """What one stage is told by: `values` and `notes` by the names that the table of stages gives to what flows."""

    values: dict[str, Any]
    facts: tuple[Fact, ...] = ()
    notes: dict[str, str] = {}  # noqa: RUF012  a NamedTuple's default is never changed


def count(number: int, noun: str) -> str:
    """`1 tensor`, `94 tensors`"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(numbers: Sequence[int], most: int = 6) -> str:
    """`2, 3, 6, 7, 10, 11, …`"""
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")


def dtype(tensor: Tensor) -> str:
    """`float32`"""
    return str(tensor.dtype).removeprefix("torch.")


def rows_read(config: Any) -> list[tuple[int, int]]:
    """For each layer, the row of a prefix vector that is its key and the row that is its value.

    A vector has 2·layers rows, each as wide as one key or value. The split moves numbers and computes nothing, so that
    numbers which say where they were tell who reads them, also when the model has no values.
    """
    rows, heads = 2 * config.num_layers, config.num_attention_heads
    numbers = torch.arange(rows, dtype=torch.float32, device="cpu")
    prefix = numbers.repeat_interleave(heads)[None, None]  # (batch, prefix_len, 2·layers·hidden), heads of width 1
    cache = past.past_key_values(prefix, config.num_layers, heads, config.num_transformer_submodules)
    own = getattr(cache, "self_attention_cache", cache)
    return [(int(layer.keys.flatten()[0]), int(layer.values.flatten()[0])) for layer in own.layers]


def unread_rows(config: Any) -> list[int]:
    """The rows that no layer reads."""
    read = {row for pair in rows_read(config) for row in pair}
    return [row for row in range(2 * config.num_layers) if row not in read]


def describe_rows(config: Any) -> list[Fact]:
    """Who reads which row, who shares, and which rows nobody reads."""
    pairs, rows = rows_read(config), 2 * config.num_layers
    facts = [Fact("rows", f"a vector is {rows} rows of {config.token_dim}; {rule(pairs, rows)}", pairs)]
    sharing = [(pairs.index(pair), layer) for layer, pair in enumerate(pairs) if pairs.index(pair) != layer]
    unread = unread_rows(config)
    if sharing:
        first, second = sharing[0]
        more = f", and so do {count(len(sharing) - 1, 'more pair')}" if len(sharing) > 1 else ""
        facts.append(Fact("shared", f"layers {first} and {second} read the same rows{more}", sharing))
    text = "every row is read"
    if unread:
        text = f"no layer reads rows {listed(unread)}: {len(unread)} of {rows} are dead"
        text += ", cut for cross-attention and dropped" * (config.num_transformer_submodules == 2)
    return [*facts, Fact("unread", text, unread)]


def rule(pairs: list[tuple[int, int]], rows: int) -> str:
    """The pattern, if it is one of the two that there are; else the pairs themselves."""
    if pairs == [(2 * layer, 2 * layer + 1) for layer in range(len(pairs))]:
        return "layer i reads row 2i as its key and 2i+1 as its value"
    if pairs == [(4 * layer % rows, (4 * layer + 1) % rows) for layer in range(len(pairs))]:
        return f"layer i reads row 4i as its key and 4i+1 as its value, modulo {rows}"
    return "; ".join(f"layer {layer} reads {key} and {value}" for layer, (key, value) in enumerate(pairs))


def parameters_of_rows(encoder: nn.Module, rows: list[int], of: int) -> int:
    """How many parameters make these rows: columns of the table, or what the last Linear has for them."""
    last = encoder.transform[-1].parameters() if hasattr(encoder, "transform") else [encoder.embedding.weight]
    return sum(weight.numel() for weight in last) * len(rows) // of


def choose(side: Side, run: Run) -> Described:
    task, reason = choose_task(side.base.config)
    given = str(getattr(side.config.task_type, "value", side.config.task_type))
    why = f"fits: {reason}" if given == task else "is what the config says"
    classes = {str(key.value): row.__name__ for key, row in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items()}
    return Described(
        values={
            "model": type(side.base).__name__,
            "config.task_type": given,
            "task class": side.made["choose"].__name__,
        },
        facts=(
            Fact("reason", f"{given} {why}", {"task_type": given, "reason": why}),
            Fact("table", f"the class is looked up in a table of {count(len(classes), 'task type')}", classes),
        ),
    )


def prepare(side: Side, run: Run) -> Described:
    sources = {field: row.source for field, row in explain_preparation(side.config, side.base.config).items()}
    fields = ("num_layers", "token_dim", "num_attention_heads", "encoder_hidden_size")
    values = {name: getattr(side.made["prepare"], name) for name in fields}
    notes = {name: f"from {sources[name]}" if name in sources else "as you set it" for name in fields}
    head_dim = values["token_dim"] // values["num_attention_heads"]
    division = f"{values['token_dim']} / {values['num_attention_heads']}"
    by_user = len(fields) - len(sources)
    kept = f"; {by_user} as you set" if by_user else ""
    return Described(
        values={"model.config": type(side.base.config).__name__, **values},
        facts=(
            Fact("filled", f"{count(len(sources), 'size')} of the config filled{kept}", sources),
            Fact("head_dim", f"head_dim = token_dim / num_attention_heads = {division} = {head_dim}", head_dim),
        ),
        notes=notes,
    )


def wrap(side: Side, run: Run) -> Described:
    weights = dict(side.encoder.named_parameters())
    base = list(side.model.get_base_model().parameters())
    frozen = [weight for weight in base if not weight.requires_grad]
    trainable, total = side.model.get_nb_trainable_parameters()
    added, held = sum(weight.numel() for weight in weights.values()), sum(weight.numel() for weight in frozen)
    prompt_tokens, prefix_len = side.model.prompt_tokens[side.model.active_adapter], side.config.num_virtual_tokens
    counts = {"trainable": trainable, "all": total, "percent": 100 * trainable / total}
    words = io.StringIO()
    with redirect_stdout(words):
        side.model.print_trainable_parameters()
    facts = [
        Fact("frozen", f"frozen: {held:,} numbers, in {len(frozen)} of the base model's {len(base)} tensors", held),
        Fact("added", f"added: {added:,} numbers, in {count(len(weights), 'tensor')} of the prefix encoder", added),
        Fact("trainable", words.getvalue().strip(), counts),
    ]
    if len(prompt_tokens) != prefix_len:
        text = f"prompt_tokens 0 … {len(prompt_tokens) - 1} are made; the first {prefix_len} are looked up"
        facts.append(Fact("prompt_tokens", text, {"made": len(prompt_tokens), "used": prefix_len}))
    return Described(values={"base model": type(side.base).__name__, **weights}, facts=tuple(facts))


def encode(side: Side, run: Run) -> Described:
    prompt_tokens, vectors = side.made["encode"]
    config, size = side.model.active_peft_config, vectors.shape[-1]
    path = "looked up, then Linear, Tanh, Linear" if hasattr(side.encoder, "transform") else "looked up in the table"
    text = (
        f"a vector: (key + value) · {count(config.num_layers, 'layer')} · {config.token_dim} = {size:,} numbers, {path}"
    )
    facts = [Fact("vector", text, {"size": size, "path": path})]
    if run.batch_size > 1 and not run.meta:
        same = all(torch.equal(vectors[0], text) for text in vectors)
        text = f"the {run.batch_size} texts get {'the same vectors' if same else 'vectors of their own'}"
        facts.append(Fact("same_for_all", text, same))
    return Described({"prompt_tokens": prompt_tokens, "past_key_values": vectors}, tuple(facts))


def split(side: Side, run: Run) -> Described:
    cache = side.made["split"]
    own = getattr(cache, "self_attention_cache", cache)
    facts = [Fact("cache", f"{type(cache).__name__} with {count(len(own.layers), 'layer')}", type(cache).__name__)]
    if own is not cache:
        filled = len(cache.cross_attention_cache.layers)
        text = f"its cross-attention part has {count(filled, 'layer')}: the model fills it from what the encoder reads"
        facts.append(Fact("cross_attention", text, {"layers": filled, "is_updated": any(cache.is_updated.values())}))
    return Described(
        values={
            "past_key_values": side.made["encode"].vectors,
            "key of layer 0": own.layers[0].keys,
            "value of layer 0": own.layers[0].values,
        },
        facts=(*facts, *describe_rows(side.model.active_peft_config)),
    )


def attend(side: Side, run: Run) -> Described:
    attended = side.made["attend"]
    name = "decoder_attention_mask" if "decoder_attention_mask" in run.batch else "attention_mask"
    before, after = run.batch[name], attended.seen[name]
    text = f"{name}: {before.shape[1]} → {after.shape[1]} columns, {dtype(before)} → {dtype(after)}"
    facts = [Fact("mask", text, {"name": name, "from": list(before.shape), "to": list(after.shape)})]
    if name != "attention_mask":
        own, seen = run.batch["attention_mask"], attended.seen["attention_mask"]
        text = f"the encoder's attention_mask: {own.shape[1]} → {seen.shape[1]} columns"
        text += "; it sees no prefix" * (own.shape == seen.shape)
        facts.append(Fact("encoder_mask", text, {"from": list(own.shape), "to": list(seen.shape)}))
    if not run.meta:
        facts += beside_bare_model(side, run)
    return Described({"mask": before, "mask in the model": after, **attended.outputs}, tuple(facts), {"mask": name})


def beside_bare_model(side: Side, run: Run) -> list[Fact]:
    """The same texts through the base model alone."""
    with torch.no_grad(), same_random_numbers(side.base, run.seed):
        bare = call(side.base, run)
    facts = []
    outputs = side.made["attend"].outputs
    if "encoder_last_hidden_state" in outputs:
        same = torch.equal(outputs["encoder_last_hidden_state"], bare["encoder_last_hidden_state"])
        text = f"the encoder's output is {'bit for bit' if same else 'not'} what it is without a prefix"
        facts.append(Fact("encoder_unchanged", text, same))
    loss, bare_loss = side.made["attend"].loss.item(), loss_of(bare).item()
    text = f"loss {loss:.4f} with this untrained prefix, {bare_loss:.4f} without one"
    if "loss" not in bare:
        text += "; hidden states have no loss, so the mean of |last_hidden_state| stands in, as an example"
    return [*facts, Fact("loss", text, {"with": loss, "without": bare_loss})]


def learn(side: Side, run: Run) -> Described:
    learned = side.made["learn"]
    reached = [name for name, gradient in learned.gradients.items() if gradient is not None]
    base = len(list(side.base.parameters()))
    text = f"the gradient reached {len(reached)} of {count(len(learned.gradients), 'trainable tensor')}, and "
    text += f"{learned.reached_base} of the base model's {base}"
    facts = (Fact("reached", text, {"prefix": reached, "base": learned.reached_base}), gradient_of_rows(side, run))
    gradient = side.encoder.embedding.weight.grad
    return Described({"loss": side.made["attend"].loss, "embedding.weight.grad": gradient}, facts)


def gradient_of_rows(side: Side, run: Run) -> Fact:
    """Which rows of a vector got no gradient at all; without values, the rows that `split` gave to no layer."""
    config = side.model.active_peft_config
    rows, trainable = 2 * config.num_layers, side.model.get_nb_trainable_parameters()[0]
    if run.meta:
        dead, how = unread_rows(config), "as split shows, for there are no values here to count"
    else:
        dead, how = rows_without_gradient(side.made["learn"].vectors, rows), "counted in this run"
    lost = parameters_of_rows(side.encoder, dead, rows)
    if dead:
        text = f"no gradient at all for {len(dead)} of {rows} rows ({listed(dead)}): {lost:,} of the {trainable:,} "
        text += f"trainable numbers never learn; {how}"
    else:
        text = f"a gradient for each of the {rows} rows of a vector; {how}"
    data = {"rows": dead, "of": rows, "numbers": lost, "trainable": trainable, "counted": not run.meta}
    return Fact("rows_without_gradient", text, data)


def rows_without_gradient(gradient: Tensor, rows: int) -> list[int]:
    """Rows of the last axis, a key or value of one layer each, whose gradient is zero everywhere."""
    by_row = gradient.unflatten(-1, (rows, -1)).abs().amax(dim=(0, 1, 3))  # (batch, prefix_len, rows, hidden) → (rows,)
    return torch.nonzero(by_row == 0).flatten().tolist()


def keep(side: Side, run: Run) -> Described:
    kept = side.made["keep"]
    sizes = {name: tensor.numel() for name, tensor in kept.tensors.items()}
    held = ", ".join(f"{size:,} numbers, {dtype(kept.tensors[name])}" for name, size in sizes.items())
    written = kept.files.get("adapter_model.safetensors")
    where = f"{written:,} bytes" if written else "not written, since there are no values"
    data = {"tensors": sizes, "files": kept.files}
    inference = kept.config.get("inference_mode")
    facts = [
        Fact("weights", f"adapter_model.safetensors: {held} ({where})", data),
        Fact("config", f"adapter_config.json: {len(kept.config)} fields, inference_mode={inference}", kept.config),
    ]
    if hasattr(side.encoder, "transform"):
        trained = parameters_in(side.encoder)
        text = f"the {trained:,} trained numbers made these {sum(sizes.values()):,}; they are not written themselves"
        facts.append(Fact("projection", text, {"trained": trained, "written": sum(sizes.values())}))
    return Described({"past_key_values": kept.vectors, **kept.tensors}, tuple(facts))


def parameters_in(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


DESCRIPTIONS: dict[str, Callable[[Side, Run], Described]] = {
    step.__name__: step for step in (choose, prepare, wrap, encode, split, attend, learn, keep)
}
"""By the names of `prefix_lab.stages.STAGES`."""
