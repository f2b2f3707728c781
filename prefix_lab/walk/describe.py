"""What our side made at each stage, in words and numbers: by stage, the function that tells it."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab import past
from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.locale import _, ngettext
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
    text = _("a vector is {rows} rows of {width}; {rule}")
    facts = [Fact("rows", text.format(rows=rows, width=config.token_dim, rule=rule(pairs, rows)), pairs)]
    sharing = [(pairs.index(pair), layer) for layer, pair in enumerate(pairs) if pairs.index(pair) != layer]
    unread = unread_rows(config)
    if sharing:
        first, second = sharing[0]
        text = _("layers {first} and {second} read the same rows")
        if more := len(sharing) - 1:
            text = ngettext(
                "layers {first} and {second} read the same rows, and so does {more} more pair",
                "layers {first} and {second} read the same rows, and so do {more} more pairs",
                more,
            )
        facts.append(Fact("shared", text.format(first=first, second=second, more=more), sharing))
    text = _("every row is read")
    if unread and config.num_transformer_submodules == 2:
        text = _("no layer reads rows {rows}: {dead} of {all} are dead, cut for cross-attention and dropped")
    elif unread:
        text = _("no layer reads rows {rows}: {dead} of {all} are dead")
    return [*facts, Fact("unread", text.format(rows=listed(unread), dead=len(unread), all=rows), unread)]


def rule(pairs: list[tuple[int, int]], rows: int) -> str:
    """The pattern, if it is one of the two that there are; else the pairs themselves."""
    if pairs == [(2 * layer, 2 * layer + 1) for layer in range(len(pairs))]:
        return _("layer i reads row 2i as its key and 2i+1 as its value")
    if pairs == [(4 * layer % rows, (4 * layer + 1) % rows) for layer in range(len(pairs))]:
        return _("layer i reads row 4i as its key and 4i+1 as its value, modulo {rows}").format(rows=rows)
    one = _("layer {layer} reads {key} and {value}")
    return "; ".join(one.format(layer=layer, key=key, value=value) for layer, (key, value) in enumerate(pairs))


def parameters_of_rows(encoder: nn.Module, rows: list[int], of: int) -> int:
    """How many parameters make these rows: columns of the table, or what the last Linear has for them."""
    last = encoder.transform[-1].parameters() if hasattr(encoder, "transform") else [encoder.embedding.weight]
    return sum(weight.numel() for weight in last) * len(rows) // of


def choose(side: Side, run: Run) -> Described:
    task, reason = choose_task(side.base.config)
    given = str(getattr(side.config.task_type, "value", side.config.task_type))
    why = _("{task} fits: {reason}") if given == task else _("{task} is what the config says")
    classes = {str(key.value): row.__name__ for key, row in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items()}
    return Described(
        values={
            "model": type(side.base).__name__,
            "config.task_type": given,
            "task class": side.made["choose"].__name__,
        },
        facts=(
            Fact("reason", why.format(task=given, reason=reason), {"task_type": given, "fits": given == task}),
            Fact(
                "table",
                _("the class is looked up in a table of {count} task types").format(count=len(classes)),
                classes,
            ),
        ),
    )


def prepare(side: Side, run: Run) -> Described:
    sources = {field: row.source for field, row in explain_preparation(side.config, side.base.config).items()}
    fields = ("num_layers", "token_dim", "num_attention_heads", "encoder_hidden_size")
    values = {name: getattr(side.made["prepare"], name) for name in fields}
    notes = {
        name: _("from {field}").format(field=sources[name]) if name in sources else _("as you set it")
        for name in fields
    }
    head_dim = values["token_dim"] // values["num_attention_heads"]
    division = f"{values['token_dim']} / {values['num_attention_heads']}"
    by_user = len(fields) - len(sources)
    filled = ngettext("{count} size of the config filled", "{count} sizes of the config filled", len(sources))
    if by_user:
        filled = ngettext(
            "{count} size of the config filled; {kept} as you set",
            "{count} sizes of the config filled; {kept} as you set",
            len(sources),
        )
    return Described(
        values={"model.config": type(side.base.config).__name__, **values},
        facts=(
            Fact("filled", filled.format(count=len(sources), kept=by_user), sources),
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
    text_frozen = _("frozen: {held} numbers, in {frozen} of the base model's {all} tensors")
    text_added = ngettext(
        "added: {added} numbers, in {count} tensor of the prefix encoder",
        "added: {added} numbers, in {count} tensors of the prefix encoder",
        len(weights),
    )
    words = io.StringIO()
    with redirect_stdout(words):
        side.model.print_trainable_parameters()
    facts = [
        Fact("frozen", text_frozen.format(held=f"{held:,}", frozen=len(frozen), all=len(base)), held),
        Fact("added", text_added.format(added=f"{added:,}", count=len(weights)), added),
        Fact("trainable", words.getvalue().strip(), counts),
    ]
    if len(prompt_tokens) != prefix_len:
        text = _("prompt_tokens 0 … {last} are made; the first {used} are looked up")
        text = text.format(last=len(prompt_tokens) - 1, used=prefix_len)
        facts.append(Fact("prompt_tokens", text, {"made": len(prompt_tokens), "used": prefix_len}))
    return Described(values={"base model": type(side.base).__name__, **weights}, facts=tuple(facts))


def encode(side: Side, run: Run) -> Described:
    prompt_tokens, vectors = side.made["encode"]
    config, size = side.model.active_peft_config, vectors.shape[-1]
    projected = hasattr(side.encoder, "transform")
    text = _("a vector: (key + value) · {layers} layers · {width} = {size} numbers, looked up in the table")
    if projected:
        text = _(
            "a vector: (key + value) · {layers} layers · {width} = {size} numbers, looked up, then Linear, Tanh, Linear"
        )
    text = text.format(layers=config.num_layers, width=config.token_dim, size=f"{size:,}")
    facts = [Fact("vector", text, {"size": size, "projected": projected})]
    if run.batch_size > 1 and not run.meta:
        same = all(torch.equal(vectors[0], text) for text in vectors)
        text = _("the {count} texts get the same vectors") if same else _("the {count} texts get vectors of their own")
        facts.append(Fact("same_for_all", text.format(count=run.batch_size), same))
    return Described({"prompt_tokens": prompt_tokens, "past_key_values": vectors}, tuple(facts))


def split(side: Side, run: Run) -> Described:
    cache = side.made["split"]
    own = getattr(cache, "self_attention_cache", cache)
    text = ngettext("{cache} with {count} layer", "{cache} with {count} layers", len(own.layers))
    facts = [Fact("cache", text.format(cache=type(cache).__name__, count=len(own.layers)), type(cache).__name__)]
    if own is not cache:
        filled = len(cache.cross_attention_cache.layers)
        text = ngettext(
            "its cross-attention part has {count} layer: the model fills it from what the encoder reads",
            "its cross-attention part has {count} layers: the model fills it from what the encoder reads",
            filled,
        ).format(count=filled)
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
    text = _("{mask}: {before} → {after} columns, {dtype_before} → {dtype_after}").format(
        mask=name, before=before.shape[1], after=after.shape[1], dtype_before=dtype(before), dtype_after=dtype(after)
    )
    facts = [Fact("mask", text, {"name": name, "from": list(before.shape), "to": list(after.shape)})]
    if name != "attention_mask":
        own, seen = run.batch["attention_mask"], attended.seen["attention_mask"]
        text = _("the encoder's attention_mask: {before} → {after} columns")
        if own.shape == seen.shape:
            text = _("the encoder's attention_mask: {before} → {after} columns; it sees no prefix")
        text = text.format(before=own.shape[1], after=seen.shape[1])
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
        text = _("the encoder's output is not what it is without a prefix")
        if same:
            text = _("the encoder's output is bit for bit what it is without a prefix")
        facts.append(Fact("encoder_unchanged", text, same))
    loss, bare_loss = side.made["attend"].loss.item(), loss_of(bare).item()
    text = _("loss {with_it:.4f} with this untrained prefix, {without:.4f} without one")
    if "loss" not in bare:
        text = _(
            "loss {with_it:.4f} with this untrained prefix, {without:.4f} without one; hidden states have no loss, so "
            "the mean of |last_hidden_state| stands in, as an example"
        )
    return [*facts, Fact("loss", text.format(with_it=loss, without=bare_loss), {"with": loss, "without": bare_loss})]


def learn(side: Side, run: Run) -> Described:
    learned = side.made["learn"]
    reached = [name for name, gradient in learned.gradients.items() if gradient is not None]
    base = len(list(side.base.parameters()))
    text = ngettext(
        "the gradient reached {reached} of {all} trainable tensor, and {reached_base} of the base model's {base}",
        "the gradient reached {reached} of {all} trainable tensors, and {reached_base} of the base model's {base}",
        len(learned.gradients),
    ).format(reached=len(reached), all=len(learned.gradients), reached_base=learned.reached_base, base=base)
    facts = (Fact("reached", text, {"prefix": reached, "base": learned.reached_base}), gradient_of_rows(side, run))
    gradient = side.encoder.embedding.weight.grad
    return Described({"loss": side.made["attend"].loss, "embedding.weight.grad": gradient}, facts)


def gradient_of_rows(side: Side, run: Run) -> Fact:
    """Which rows of a vector got no gradient at all; without values, the rows that `split` gave to no layer."""
    config = side.model.active_peft_config
    rows, trainable = 2 * config.num_layers, side.model.get_nb_trainable_parameters()[0]
    dead = unread_rows(config) if run.meta else rows_without_gradient(side.made["learn"].vectors, rows)
    lost = parameters_of_rows(side.encoder, dead, rows)
    if dead and run.meta:
        text = _(
            "no gradient at all for {dead} of {rows} rows ({which}): {lost} of the {trainable} trainable numbers never "
            "learn; as split shows, for there are no values here to count"
        )
    elif dead:
        text = _(
            "no gradient at all for {dead} of {rows} rows ({which}): {lost} of the {trainable} trainable numbers never "
            "learn; counted in this run"
        )
    elif run.meta:
        text = _(
            "a gradient for each of the {rows} rows of a vector; as split shows, for there are no values here to count"
        )
    else:
        text = _("a gradient for each of the {rows} rows of a vector; counted in this run")
    text = text.format(dead=len(dead), rows=rows, which=listed(dead), lost=f"{lost:,}", trainable=f"{trainable:,}")
    data = {"rows": dead, "of": rows, "numbers": lost, "trainable": trainable, "counted": not run.meta}
    return Fact("rows_without_gradient", text, data)


def rows_without_gradient(gradient: Tensor, rows: int) -> list[int]:
    """Rows of the last axis, a key or value of one layer each, whose gradient is zero everywhere."""
    by_row = gradient.unflatten(-1, (rows, -1)).abs().amax(dim=(0, 1, 3))  # (batch, prefix_len, rows, hidden) → (rows,)
    return torch.nonzero(by_row == 0).flatten().tolist()


def keep(side: Side, run: Run) -> Described:
    kept = side.made["keep"]
    sizes = {name: tensor.numel() for name, tensor in kept.tensors.items()}
    one = _("{count} numbers, {dtype}")
    held = ", ".join(one.format(count=f"{size:,}", dtype=dtype(kept.tensors[name])) for name, size in sizes.items())
    written = kept.files.get("adapter_model.safetensors")
    weights = _("adapter_model.safetensors: {held} (not written, since there are no values)").format(held=held)
    if written:
        weights = _("adapter_model.safetensors: {held} ({written} bytes)").format(held=held, written=f"{written:,}")
    config = _("adapter_config.json: {count} fields, inference_mode={inference}")
    data = {"tensors": sizes, "files": kept.files}
    inference = kept.config.get("inference_mode")
    facts = [
        Fact("weights", weights, data),
        Fact("config", config.format(count=len(kept.config), inference=inference), kept.config),
    ]
    if hasattr(side.encoder, "transform"):
        trained = parameters_in(side.encoder)
        text = _("the {trained} trained numbers made these {written}; they are not written themselves")
        text = text.format(trained=f"{trained:,}", written=f"{sum(sizes.values()):,}")
        facts.append(Fact("projection", text, {"trained": trained, "written": sum(sizes.values())}))
    return Described({"past_key_values": kept.vectors, **kept.tensors}, tuple(facts))


def parameters_in(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


DESCRIPTIONS: dict[str, Callable[[Side, Run], Described]] = {
    step.__name__: step for step in (choose, prepare, wrap, encode, split, attend, learn, keep)
}
"""By the names of `prefix_lab.stages.STAGES`."""
