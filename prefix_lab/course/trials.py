"""Lesson 14's trials: a learner's line is put into one of `hunts`, and the mended copy is run against PEFT.

A trial takes the mended copy and returns what is still wrong, with the likely cause, or an empty text. Sizes are drawn
anew each time.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import textwrap
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prefix_lab import get_peft_model_state_dict
from prefix_lab.course import hunts
from prefix_lab.course.checking import DICE, SIZES, TODO, Verdict, is_open
from prefix_lab.course.recordings import arriving
from prefix_lab.course.small_models import before, small_bert, small_gpt2, small_ids, small_t5

Copy = Callable[..., Any]
"""One of the ten: a class, or a function."""


def hunted(copy: Copy, trial: Callable[[Copy], str], wrong: Any, right: Any, praise: str) -> Verdict:
    """Mend, run, judge. Nothing that the mended copy does is raised."""
    mended, problem = mend(copy, wrong, right)
    if problem:
        return problem
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            complaint = trial(mended)
        except (Exception, SystemExit) as error:
            said = str(error).strip().splitlines() or [""]
            complaint = f"with your line it stops, {type(error).__name__}: {said[0]}"
    return Verdict(not complaint, complaint or praise)


def mend(copy: Copy, wrong: Any, right: Any) -> tuple[Copy | None, Verdict | None]:
    """The copy anew with `right` where `wrong` stood; or the verdict on why there is none.

    `wrong` is a line of it, or a few in a row, `right` what is to stand there: any number of lines, none for an empty
    text. The indentation is that of the first line replaced.
    """
    if any(text is None or is_open(text) for text in (wrong, right)):
        return None, Verdict(False, TODO)
    for name, text in (("wrong", wrong), ("right", right)):
        if not isinstance(text, str):
            return None, Verdict(False, f"{name} is a {type(text).__name__}, expected a line as text, in quotes.")
    lines = inspect.getsource(copy).splitlines()
    place, problem = found(lines, [line.strip() for line in wrong.strip().splitlines()])
    if problem:
        return None, Verdict(False, problem)
    first, last = place
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if [line.strip() for line in right.strip().splitlines()] == [line.strip() for line in lines[first:last]]:
        return None, Verdict(False, "that is the line as it stood. What should it say instead?")
    new = textwrap.indent(textwrap.dedent(right.strip("\n")), indent).splitlines() if right.strip() else []
    if new:
        new[0] = indent + new[0].strip()
    return run("\n".join([*lines[:first], *new, *lines[last:]]) + "\n", copy)


def found(lines: list[str], wanted: list[str]) -> tuple[tuple[int, int], str]:
    """The first and the last line, plus one, of a run of lines; or why there is not exactly one such run."""
    nowhere = (0, 0)
    if not wanted:
        return nowhere, "wrong is empty: copy the line that you think is wrong."
    bare = [line.strip() for line in lines]
    at = [start for start in range(len(bare)) if bare[start : start + len(wanted)] == wanted]
    if len(at) == 1:
        return (at[0], at[0] + len(wanted)), ""
    if at:
        return nowhere, f"that line stands there {len(at)} times. Give it together with the line after it."
    near = difflib.get_close_matches(wanted[0], [line for line in bare if line], n=1, cutoff=0.5)
    hint = f" Did you mean: {near[0]}" if near else ""
    return nowhere, f"the copy has no such line. Copy a whole line from it into the quotes.{hint}"


def run(source: str, copy: Copy) -> tuple[Copy | None, Verdict | None]:
    """The copy that this source makes. It has a file's name, so that a debugger can show it."""
    file = f"<{copy.__name__}, mended>"
    mended = ModuleType(file)
    mended.__dict__.update({name: value for name, value in vars(hunts).items() if value is not copy})
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        exec(compile(source, file, "exec"), mended.__dict__)
    except SyntaxError as error:
        return None, Verdict(False, f"with your line it is no Python any more: {error.msg}, at {error.text!r}.")
    except Exception as error:
        return None, Verdict(False, f"with your line the copy cannot be loaded, {type(error).__name__}: {error}")
    if copy.__name__ not in vars(mended):
        return None, Verdict(False, f"with your line there is no {copy.__name__} any more.")
    return getattr(mended, copy.__name__), None


def by_peft() -> ModuleType:
    import peft

    return peft


def with_prefixes(model: Any, copy: Copy, *args: Any, **wanted: Any) -> tuple[Any, Any]:
    """The model with the copy's prefix before it, and with PEFT's: see `small_models.before`."""
    return before(model, copy, *args, **wanted), before(model, by_peft(), *args, **wanted)


def training(model: Any) -> list[str]:
    """The names of the parameters that train."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trial_01(copy: Copy) -> str:
    """Who trains, with a table alone and with the projection; then one gradient."""
    heads, head_dim, prefix_len = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for projection in (False, True):
        wanted = {"prefix_len": prefix_len, "prefix_projection": projection}
        ours, theirs = with_prefixes(model, copy, **wanted)
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


def trial_02(copy: Copy) -> str:
    """The blocks, number by number, and those of PEFT's own prompt."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4).split(2)
    given = copy(prefix, layers, heads)
    if not isinstance(given, list | tuple) or not all(isinstance(block, Tensor) for block in given):
        return f"hunt_2 gives a {type(given).__name__}, expected a tuple of tensors, one a layer."
    if len(given) != layers:
        return f"there are {len(given)} blocks, expected one for each of {layers} layers."
    axes = "(key and value, batch, heads, prefix_len, head_dim)"
    if given[0].shape != right[0].shape:
        shape = f"a block's shape is {tuple(given[0].shape)}, expected {axes} = {tuple(right[0].shape)}"
        if given[0].shape == right[0].transpose(2, 3).shape:
            return f"{shape}: heads and prefix_len have not changed places."
        return f"{shape}."
    if all(map(torch.equal, given, right)):
        return same_prompt(copy, prefix_len, layers, heads, head_dim)
    cause = "look at which old axis each number of permute takes"
    if torch.equal(torch.cat(given), prefix.reshape(2 * layers, batch, heads, prefix_len, head_dim)):
        cause = "reshape alone renumbers and moves no axis"
    return f"the shape {axes} is right, the numbers are not where they belong: {cause}."


def same_prompt(copy: Copy, prefix_len: int, layers: int, heads: int, head_dim: int) -> str:
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.expand(2, -1, -1)
    pairs = zip(copy(prefix, layers, heads), theirs.get_prompt(2).layers, strict=True)
    same = all(torch.equal(block[0], one.keys) and torch.equal(block[1], one.values) for block, one in pairs)
    return "" if same else "with a trained table instead of counted numbers, PEFT's keys and values are others."


def trial_04(copy: Copy) -> str:
    """Which row each layer's key and value is."""
    prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 4)
    theirs = before(small_gpt2(layers, heads, head_dim), by_peft(), prefix_len)
    prefix = theirs.prompt_encoder["default"].embedding.weight.detach().expand(2, -1, -1)
    right = [(one.keys, one.values) for one in theirs.get_prompt(2).layers]
    given = [(one.keys, one.values) for one in copy(prefix, layers, heads).layers]
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


def trial_06(copy: Copy) -> str:
    """Models of other depth, width and heads, each after another; what each config says afterwards, and what trains."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    depths = [small_gpt2(4, heads, head_dim), small_gpt2(2, heads, head_dim), small_gpt2(3, heads, head_dim)]
    widths = [small_gpt2(2, heads, head_dim), small_gpt2(2, 2 * heads, head_dim), small_gpt2(2, heads, 2 * head_dim)]
    for models, what in ((depths, "layers"), (widths, "heads and widths")):
        given = copy(models, prefix_len)
        if not isinstance(given, list) or len(given) != len(models):
            return "hunt_6 gives no list with a wrapped model for each model."
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


def trial_08(copy: Copy) -> str:
    """In which precision the prefix lives, in which it is read, three steps of training, and where it lives."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model = small_t5(2, heads, head_dim)
    for precision in (torch.bfloat16, torch.float32):
        base = small_t5(2, heads, head_dim).to(precision)
        ours, theirs = with_prefixes(base, copy, prefix_len)
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
    away = before(model.to("meta"), copy, prefix_len).prompt_encoder["default"].embedding.weight
    return "" if away.device.type == "meta" else "the prefix does not follow the base model to its device any more."


def padded(batch: int, tokens: int) -> Tensor:
    """A mask with padding on the left, as for texts that are to go on."""
    mask = torch.ones(batch, tokens, dtype=torch.long)
    for text in range(1, batch):
        mask[text, : 2 * text] = 0
    return mask


def trial_03(copy: Copy) -> str:
    """No mask, a mask of ones, and padding."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    for what, mask in (("no mask", None), ("a mask of ones", torch.ones_like(ids)), ("padding", padded(*ids.shape))):
        wrong = wrong_with_mask(ours, ids, mask, prefix_len)
        if wrong:
            return f"with {what}, {wrong}"
        answers = [one(input_ids=ids, attention_mask=mask).logits for one in (ours, theirs)]
        if not torch.equal(*answers):
            return f"with {what}, the logits are not PEFT's."
    return ""


def wrong_with_mask(model: Any, ids: Tensor, mask: Tensor | None, prefix_len: int) -> str:
    [arrived] = arriving(model.base_model, "attention_mask", lambda: model(input_ids=ids, attention_mask=mask))
    if mask is None or arrived is None:
        return "" if mask is None else "no mask arrives at the base model: padding would be read as text."
    if arrived.shape[1] == mask.shape[1]:
        return "the mask arrives as long as the text; the model reads prefix_len more positions."
    expected = (mask.shape[0], prefix_len + mask.shape[1])
    if tuple(arrived.shape) != expected:
        return f"a mask {tuple(arrived.shape)} arrives, expected (batch, prefix_len+tokens) = {expected}."
    if not arrived[:, :prefix_len].all():
        if arrived[:, -prefix_len:].all() and torch.equal(arrived[:, :-prefix_len].long(), mask):
            return "the virtual tokens' ones stand behind the text: the cache has them before it."
        return "zeros stand where the virtual tokens are: 0 hides, 1 shows."
    return ""


def trial_05(copy: Copy) -> str:
    """Who trains, with and without modules of the user's own; what is saved after a step."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_bert(2, heads, head_dim), small_ids()
    for own in (None, ["pooler"]):
        ours, theirs = with_prefixes(model, copy, prefix_len, modules_to_save=own and [*own])
        said, expected = training(ours), training(theirs)
        if said != expected:
            return f"with modules_to_save={own}, {wrong_with_training(said, expected)}"
        for one in (ours, theirs):
            one(input_ids=ids, labels=torch.tensor([0, 2])).loss.backward()
            with torch.no_grad():
                for parameter in one.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(parameter.grad)
        kept = get_peft_model_state_dict(ours)
        right = by_peft().get_peft_model_state_dict(theirs)
        if kept.keys() != right.keys():
            missing = sorted(set(right) - set(kept)) or sorted(set(kept) - set(right))
            return f"with modules_to_save={own}, what is saved differs from PEFT's in {missing[0]}."
        if not all(torch.equal(kept[name], right[name]) for name in kept):
            return f"with modules_to_save={own}, what is saved after a step is not what PEFT saves."
    return ""


def wrong_with_training(said: list[str], expected: list[str]) -> str:
    missing = [name for name in expected if name not in said]
    extra = [name for name in said if name not in expected]
    if extra and any("classifier" in name for name in extra):
        return f"{extra[0]} trains: that is the model's own head, not the adapter's copy of it, and it is never saved."
    if extra:
        return f"{extra[0]} trains, which PEFT leaves frozen."
    if all("pooler" in name for name in missing):
        return "the module that the user named does not train: the head is wanted besides, not instead."
    return f"{missing[0]} does not train: when are the modules copied, and when is the head named?"


def trial_07(copy: Copy) -> str:
    """Labels with padding, what of them arrives, loss and logits; and no labels."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids, labels = small_t5(2, heads, head_dim), small_ids(), small_ids(2, 6, seed=3)
    labels[1, 4:] = -100
    ours, theirs = with_prefixes(model, copy, prefix_len)
    batch = {"input_ids": ids, "labels": labels}
    [arrived] = arriving(ours.base_model, "labels", lambda: ours(**batch))
    [first] = arriving(ours.base_model, "decoder_input_ids", lambda: ours(**batch))
    if arrived is None:
        return "no labels arrive at the base model, which computes the loss from them."
    if first is not None and torch.equal(first, labels):
        return "the decoder is given the very tokens that it is asked for: it can copy them."
    if not torch.equal(arrived, labels):
        if torch.equal(arrived[:, :-1], labels[:, 1:]):
            return "the labels arrive one place early, and T5 moves its decoder's input by one itself."
        if torch.equal(arrived[:, 1:], labels[:, :-1]):
            return "the labels arrive one place late: the decoder is asked for the token that it has just read."
        return "other labels arrive at the base model than those that were given."
    answers = [one(**batch) for one in (ours, theirs)]
    if not torch.equal(answers[0].loss, answers[1].loss) or not torch.equal(answers[0].logits, answers[1].logits):
        return "the labels arrive as they are, but loss or logits are not PEFT's."
    answers = [one(input_ids=ids, decoder_input_ids=ids).logits for one in (ours, theirs)]
    return "" if torch.equal(*answers) else "without labels, the logits are not PEFT's."


def trial_09(copy: Copy) -> str:
    """The two parts of the cache, two sources, and generation."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_t5(3, heads, head_dim), small_ids(2, prefix_len)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    cache = ours.get_prompt(2)
    if cache.get_seq_length() != prefix_len:
        return f"the decoder's self-attention has {cache.get_seq_length()} positions of past, expected {prefix_len}."
    filled = len(cache.cross_attention_cache) and cache.cross_attention_cache.get_seq_length()
    updated = any(cache.is_updated.values())
    if filled and updated:
        return "cross-attention still finds a cache that is full and says so: the encoder's output is never asked for."
    if filled:
        return "cross-attention is to fill its cache, but the prefix is still in it: the encoder's keys come behind it."
    if updated:
        return "cross-attention's cache is empty, but is_updated says that it is filled already."
    for source in (ids, ids.flip(0), small_ids(2, prefix_len + 2)):
        for mask in (None, torch.ones_like(source)):
            batch = {"input_ids": source, "attention_mask": mask, "labels": small_ids(2, 4, seed=3)}
            if not torch.equal(ours(**batch).logits, theirs(**batch).logits):
                return "both parts of the cache look right, but the logits are not PEFT's."
    asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 5, "do_sample": False}
    written = [one.generate(**asked) for one in (ours, theirs)]
    return "" if torch.equal(*written) else "forward is PEFT's, but generate writes something else."


def trial_10(copy: Copy) -> str:
    """The positions at each call while a text is written, with and without padding; then the text."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours, theirs = with_prefixes(model, copy, prefix_len)
    for what, mask in (("no mask", None), ("a mask of ones", torch.ones_like(ids)), ("padding", padded(*ids.shape))):
        asked = {"input_ids": ids, "max_new_tokens": 4, "do_sample": False}
        asked |= {} if mask is None else {"attention_mask": mask}
        seen = [positions_of(one, asked) for one in (ours, theirs)]
        wrong = wrong_with_positions(*seen, prefix_len)
        if wrong:
            return f"with {what}, {wrong}"
        if not torch.equal(*(one.generate(**asked) for one in (ours, theirs))):
            return f"with {what}, the positions are right, but the text is not PEFT's."
    return ""


def positions_of(model: Any, asked: dict[str, Any]) -> list[Any]:
    """The positions at each call of the base model while a text is written."""
    return arriving(model.base_model, "position_ids", lambda: model.generate(**asked))


def wrong_with_positions(mine: list[Any], right: list[Any], prefix_len: int) -> str:
    for call, (one, other) in enumerate(zip(mine, right, strict=True)):
        if one is None or one.shape != other.shape:
            return f"call {call + 1} of the base model gets other positions than PEFT's in number."
        if torch.equal(one, other):
            continue
        here, there = one[0, -1].item(), other[0, -1].item()
        when = "the first call" if call == 0 else f"call {call + 1}, for one new token,"
        causes = {-prefix_len: "the prefix is not counted", prefix_len: "the prefix is counted twice"}
        cause = causes.get(here - there, "count what stands before it")
        return f"{when} puts the last token at position {here}, PEFT at {there}: {cause}."
    return ""
