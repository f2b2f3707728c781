"""Does a mended copy do what PEFT does? Here the hunts for what a prefix is; `trials_of_models` has those for its use.

A trial takes the mended module and returns what is still wrong, with the likely cause, or an empty text. Sizes are
drawn anew each time.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES
from prefix_lab.course.hunts.models import before, small_gpt2, small_ids, small_t5


def training(model: Any) -> list[str]:
    """The names of the parameters that train."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trial_01(mended: ModuleType) -> str:
    """Who trains, with a table alone and with the projection; then one gradient."""
    heads, head_dim, prefix_len = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for projection in (False, True):
        wanted = {"prefix_len": prefix_len, "prefix_projection": projection}
        ours, theirs = before(model, mended.PeftModelForSeq2SeqLM, **wanted), before(model, by_peft(), **wanted)
        said, expected = training(ours), training(theirs)
        base = [name for name in said if not name.startswith("prompt_encoder.")]
        missing = [name for name in expected if name not in said]
        if not said:
            return "still nothing trains: what is frozen after the encoder is attached, and what should be?"
        if base and missing:
            return (
                f"now the base model trains ({base[0]} and others) and the prefix does not: it is the wrong way round."
            )
        if base:
            return (
                f"the prefix trains, and {len(base)} parameters of the base model too ({base[0]}): it must be frozen."
            )
        if missing:
            return f"with prefix_projection={projection}, {missing[0]} does not train yet."
    ids = small_ids()
    gradients = [first_gradient(one, input_ids=ids, labels=ids) for one in (ours, theirs)]
    return "" if torch.equal(*gradients) else "the right parameters train, but their gradient is not PEFT's."


def first_gradient(model: Any, **batch: Tensor) -> Tensor:
    model(**batch).loss.backward()
    return next(parameter.grad for parameter in model.parameters() if parameter.grad is not None)


def trial_02(mended: ModuleType) -> str:
    """The blocks, number by number, and those of PEFT's own prompt."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4).split(2)
    given = mended.split_layers(prefix, layers, heads)
    if not isinstance(given, list | tuple) or not all(isinstance(block, Tensor) for block in given):
        return f"split_layers gives a {type(given).__name__}, expected a tuple of tensors, one a layer."
    if len(given) != layers:
        return f"there are {len(given)} blocks, expected one for each of {layers} layers."
    axes = "(key and value, batch, heads, prefix_len, head_dim)"
    if given[0].shape != right[0].shape:
        shape = f"a block's shape is {tuple(given[0].shape)}, expected {axes} = {tuple(right[0].shape)}"
        if given[0].shape == right[0].transpose(2, 3).shape:
            return f"{shape}: heads and prefix_len have not changed places."
        return f"{shape}."
    if all(map(torch.equal, given, right)):
        return same_prompt(mended, prefix_len, layers, heads, head_dim)
    cause = "look at which old axis each number of permute takes"
    if torch.equal(torch.cat(given), prefix.reshape(2 * layers, batch, heads, prefix_len, head_dim)):
        cause = "reshape alone renumbers and moves no axis"
    return f"the shape {axes} is right, the numbers are not where they belong: {cause}."


def same_prompt(mended: ModuleType, prefix_len: int, layers: int, heads: int, head_dim: int) -> str:
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.expand(2, -1, -1)
    pairs = zip(mended.split_layers(prefix, layers, heads), theirs.get_prompt(2).layers, strict=True)
    same = all(torch.equal(block[0], one.keys) and torch.equal(block[1], one.values) for block, one in pairs)
    return "" if same else "with a trained table instead of counted numbers, PEFT's keys and values are others."


def trial_04(mended: ModuleType) -> str:
    """Which row each layer's key and value is."""
    prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 4)
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.detach().expand(2, -1, -1)
    right = [(one.keys, one.values) for one in theirs.get_prompt(2).layers]
    given = [(one.keys, one.values) for one in mended.past_key_values(prefix, layers, heads).layers]
    if len(given) != layers:
        return f"the cache has {len(given)} layers, expected {layers}."
    if given[0][0].shape != right[0][0].shape:
        shapes = f"{tuple(given[0][0].shape)}, expected {tuple(right[0][0].shape)}"
        return f"a key's shape is {shapes}: (batch, heads, prefix_len, head_dim)."
    if alike(given, right):
        return ""
    if alike(given, [(value, key) for key, value in right]):
        return "each layer has its two rows, but as (value, key): the key comes first."
    if alike(given, right[::-1]):
        return "each layer has a key and its value, but those of the layer at the other end."
    rows = prefix.view(2, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)
    found = [row_of(one, rows) for one in given[1]]
    names = " and ".join("no row" if row is None else f"row {row}" for row in found)
    return f"layer 1 reads {names} as its key and value, expected row 2 and row 3: two neighbours for each layer."


def alike(mine: list, other: list) -> bool:
    return all(torch.equal(a, b) for one, two in zip(mine, other, strict=True) for a, b in zip(one, two, strict=True))


def row_of(one: Tensor, rows: Tensor) -> int | None:
    return next((number for number, row in enumerate(rows) if torch.equal(one, row)), None)


def trial_06(mended: ModuleType) -> str:
    """Models of other depth, width and heads, each after another; what each config says afterwards, and what trains."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    depths = [small_gpt2(4, heads, head_dim), small_gpt2(2, heads, head_dim), small_gpt2(3, heads, head_dim)]
    widths = [small_gpt2(2, heads, head_dim), small_gpt2(2, 2 * heads, head_dim), small_gpt2(2, heads, 2 * head_dim)]
    for models, what in ((depths, "layers"), (widths, "heads and widths")):
        given = mended.wrap_each(models, prefix_len)
        if not isinstance(given, list) or len(given) != len(models):
            return "wrap_each gives no list with a wrapped model for each model."
        for number, (one, model) in enumerate(zip(given, models, strict=True), 1):
            alone = before(model, by_peft(), prefix_len)
            mine, right = one.peft_config["default"], alone.peft_config["default"]
            which = f"of three models that differ in {what}, number {number}"
            for field in ("num_layers", "token_dim", "num_attention_heads", "encoder_hidden_size"):
                if getattr(mine, field) != getattr(right, field):
                    said = f"{field}={getattr(mine, field)}, and alone it would have {getattr(right, field)}"
                    return f"{which} has a config with {said}{shared(given)}"
            if one.get_nb_trainable_parameters() != alone.get_nb_trainable_parameters():
                return f"{which} trains more or fewer numbers than alone."
    if any(one.get_base_model() is not model for one, model in zip(given, models, strict=True)):
        return "the models that come back are not wrapped ones of those that went in."
    return ""


def shared(given: list) -> str:
    configs = {id(one.peft_config["default"]) for one in given}
    return ": they share one config, and the first model's sizes stay in it." if len(configs) == 1 else "."


def trial_08(mended: ModuleType) -> str:
    """In which precision the prefix lives, in which it is read, three steps of training, and where it lives."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for precision in (torch.bfloat16, torch.float32):
        base = small_t5(2, heads, head_dim).to(precision)
        ours, theirs = before(base, mended.PeftModelForSeq2SeqLM, prefix_len), before(base, by_peft(), prefix_len)
        weights = [one.prompt_encoder["default"].embedding.weight for one in (ours, theirs)]
        if weights[0].dtype != weights[1].dtype:
            return (
                f"before a base in {precision} the prefix is kept in {weights[0].dtype}, PEFT's in {weights[1].dtype}."
            )
        if not torch.equal(*weights):
            return f"the prefix before a base in {precision} does not start as PEFT's: something rounded it on the way."
        keys = [one.get_prompt(2).self_attention_cache.layers[0].keys for one in (ours, theirs)]
        if keys[0].dtype != keys[1].dtype:
            return f"a base in {precision} gets keys in {keys[0].dtype}: its attention layers need their own precision."
        if not torch.equal(*keys):
            return f"the keys before a base in {precision} are not PEFT's."
        ids = small_ids()
        for one, weight in zip((ours, theirs), weights, strict=True):
            optimizer = torch.optim.AdamW([weight], 1e-3)
            for _ in range(3):
                optimizer.zero_grad()
                one(input_ids=ids, labels=ids).loss.backward()
                optimizer.step()
        if not torch.equal(*weights):
            return f"after three steps before a base in {precision} the prefix is not PEFT's."
    away = before(model.to("meta"), mended.PeftModelForSeq2SeqLM, prefix_len).prompt_encoder["default"].embedding.weight
    return "" if away.device.type == "meta" else "the prefix does not follow the base model to its device any more."


def by_peft() -> ModuleType:
    import peft

    return peft
