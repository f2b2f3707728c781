"""What is told of the first five stages: from a model and a config to a cache that holds the prefix."""

import io
from contextlib import redirect_stdout

import torch

from prefix_lab.mapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.prepare import explain_preparation
from prefix_lab.walk.results import Described, Fact
from prefix_lab.walk.rows import describe_rows
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.task import choose_task
from prefix_lab.walk.words import count


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
    sources = {row.field: row.source for row in explain_preparation(side.config, side.base.config)}
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
        same = all(torch.equal(vectors[0], row) for row in vectors)
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
