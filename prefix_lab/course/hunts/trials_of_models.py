"""Does a mended copy do what PEFT does? Here the hunts for what a model makes of its prefix; see `trials`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prefix_lab import get_peft_model_state_dict
from prefix_lab.course.arrivals import arriving
from prefix_lab.course.checking import DICE, SIZES
from prefix_lab.course.hunts.models import before, small_bert, small_gpt2, small_ids, small_t5
from prefix_lab.course.hunts.trials import by_peft, training


def padded(batch: int, tokens: int) -> Tensor:
    """A mask with padding on the left, as for texts that are to go on."""
    mask = torch.ones(batch, tokens, dtype=torch.long)
    for text in range(1, batch):
        mask[text, : 2 * text] = 0
    return mask


def trial_03(mended: ModuleType) -> str:
    """No mask, a mask of ones, and padding."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours = before(model, mended.PeftModelForCausalLM, prefix_len)
    theirs = before(model, by_peft(), prefix_len)
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


def trial_05(mended: ModuleType) -> str:
    """Who trains, with and without modules of the user's own; what is saved after a step."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_bert(2, heads, head_dim), small_ids()
    for own in (None, ["pooler"]):
        ours = before(model, mended.PeftModelForSequenceClassification, prefix_len, modules_to_save=own and [*own])
        theirs = before(model, by_peft(), prefix_len, modules_to_save=own and [*own])
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


def trial_07(mended: ModuleType) -> str:
    """Labels with padding, what of them arrives, loss and logits; and no labels."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids, labels = small_t5(2, heads, head_dim), small_ids(), small_ids(2, 6, seed=3)
    labels[1, 4:] = -100
    ours = before(model, mended.PeftModelForSeq2SeqLM, prefix_len)
    theirs = before(model, by_peft(), prefix_len)
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


def trial_09(mended: ModuleType) -> str:
    """The two parts of the cache, two sources, and generation."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_t5(3, heads, head_dim), small_ids(2, prefix_len)
    ours = before(model, mended.PeftModelForSeq2SeqLM, prefix_len)
    theirs = before(model, by_peft(), prefix_len)
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


def trial_10(mended: ModuleType) -> str:
    """The positions at each call while a text is written, with and without padding; then the text."""
    prefix_len, heads, head_dim = DICE.sample(SIZES, 3)
    model, ids = small_gpt2(2, heads, head_dim), small_ids(3, 9)
    ours = before(model, mended.PeftModelForCausalLM, prefix_len)
    theirs = before(model, by_peft(), prefix_len)
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
