"""Virtual tokens in other places: before the text or within it, in some of the layers or as embeddings alone.

A text is what is given and what is written: `record` and `= sentence`, say. Li & Liang 2021, sections 7.2 and 7.3, call
[prefix; given; written] prefix-tuning and [given; infix; written] infix-tuning: what is given cannot see an infix,
since a language model looks back alone. What only some layers read is the depth study of P-tuning v2, section 4.4.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache

from prefix_lab.course.experiments.methods import BATCH_SIZE
from prefix_lab.course.experiments.runs import Experiment, Measured, Results, Setting, percent
from prefix_lab.course.tasks import IGNORED, Batch, drawn
from prefix_lab.course.tiny import load_tiny
from prefix_lab.course.training import train
from prefix_lab.course.world import Place, manner_of, places, prompt, sentence
from prefix_lab.locale import N_, _

Tokens = Int[Tensor, "batch _"]


class Output(NamedTuple):
    """What a training loop asks for."""

    loss: Float[Tensor, ""]


class Placed(nn.Module):
    """A frozen GPT-2 and virtual tokens that train: `layers` read their keys and values, or none, and they are
    embeddings at the first layer's door. `order` is "prefix" or "infix".
    """

    def __init__(self, base: Any, layers: list[int] | None, order: str = "prefix", prefix_len: int = 10):
        super().__init__()
        base.set_attn_implementation("eager")  # its layers take a mask of numbers, to which a hook can add
        self.base, self.order, self.prefix_len = base.requires_grad_(False).eval(), order, prefix_len
        self.layers = layers
        config = base.config
        if layers is None:
            words = base.get_input_embeddings().weight
            self.virtual = nn.Parameter(words.mean(0) + words.std(0) * torch.randn(prefix_len, config.n_embd))
            return
        shape = (len(layers), 2, config.n_head, prefix_len, config.n_embd // config.n_head)
        self.virtual = nn.Parameter(torch.randn(shape))
        for number, block in enumerate(base.transformer.h):
            if number not in layers:
                block.attn.register_forward_pre_hook(self.hide, with_kwargs=True)

    def hide(self, attention: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """A layer that has no virtual tokens of its own finds their place masked."""
        mask = kwargs["attention_mask"].clone()  # (batch, 1, queries, keys), added to the scores
        start = 0 if self.order == "prefix" else self.given
        mask[..., start : start + self.prefix_len] = torch.finfo(mask.dtype).min
        return args, kwargs | {"attention_mask": mask}

    def forward(self, input_ids: Tokens, attention_mask: Tokens, written: Tokens, labels: Tokens) -> Output:
        """The loss of what is written, nats a token; `labels` is as wide as `written`, -100 where nothing counts."""
        logits = self.logits(input_ids, attention_mask, written)
        return Output(nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))

    def logits(self, given: Tokens, mask: Tokens, written: Tokens) -> Float[Tensor, "batch written vocab"]:
        """What comes after each token of `written`, which begins with the sign that ends what is given.

        `mask` is 0 where `given` is padding, at its left.
        """
        batch, self.given = given.shape
        virtual, rest = mask.new_ones(batch, self.prefix_len), torch.ones_like(written)
        first = self.order == "prefix"
        whole = torch.cat([virtual, mask, rest] if first else [mask, virtual, rest], dim=1)
        places = (whole.cumsum(1) - 1).clamp(min=0)
        if self.layers is None:
            embed = self.base.get_input_embeddings()
            tokens = [self.virtual.expand(batch, -1, -1), embed(given)]
            inputs = torch.cat([*(tokens if first else tokens[::-1]), embed(written)], dim=1)
            found = self.base(inputs_embeds=inputs, attention_mask=whole, position_ids=places)
            return found.logits[:, -written.shape[1] :]
        past, new = self.cache(batch), torch.cat([given, written], dim=1)
        if not first:
            before = self.base(input_ids=given, attention_mask=mask, position_ids=places[:, : self.given])
            past, new = self.behind(before.past_key_values, past), written
        found = self.base(
            input_ids=new, past_key_values=past, attention_mask=whole, position_ids=places[:, -new.shape[1] :]
        )
        return found.logits[:, -written.shape[1] :]

    def cache(self, batch: int) -> DynamicCache:
        """The keys and values of all layers; where a layer has none, zeros that `hide` masks."""
        none = torch.zeros_like(self.virtual[0])
        rows = [
            self.virtual[self.layers.index(n)] if n in self.layers else none for n in range(self.base.config.n_layer)
        ]
        return DynamicCache([(key.expand(batch, -1, -1, -1), value.expand(batch, -1, -1, -1)) for key, value in rows])

    @staticmethod
    def behind(given: DynamicCache, virtual: DynamicCache) -> DynamicCache:
        """The virtual tokens behind what is given."""
        pairs = zip(given.layers, virtual.layers, strict=True)
        return DynamicCache(
            [(torch.cat([a.keys, b.keys], dim=2), torch.cat([a.values, b.values], dim=2)) for a, b in pairs]
        )

    @torch.no_grad()
    def write(self, given: Tokens, mask: Tokens, begun: Tokens, most: int, end: int) -> Tokens:
        """The likeliest tokens after `begun`, (batch, at most `most`), until every row has come to `end`."""
        written = begun
        for _more in range(most):
            newest = self.logits(given, mask, written)[:, -1].argmax(-1, keepdim=True)
            written = torch.cat([written, newest], dim=1)
            if (written == end).any(1).all():
                break
        return written[:, begun.shape[1] :]


MANNER = "postcard"  # of the manners of the world the one that pretraining left out
END = "="  # ends the record; a sentence comes after it
HELD_OUT, LONGEST = 48, 32  # records to measure on; words that may be written


@cache
def tiny_gpt2() -> tuple[Any, Any]:
    """Model and tokenizer, read once."""
    return load_tiny("gpt2")


def text_batch(tokenizer: Any, places_: list[Place], random: Random) -> Batch:
    """Records, padded at their left, and a sentence about each: what `Placed.forward` takes."""
    read = tokenizer([prompt(place) for place in places_], padding=True, return_tensors="pt")
    said = [f"{END} {sentence(place, MANNER, random).text}{tokenizer.eos_token}" for place in places_]
    rows = tokenizer(said, padding=True, padding_side="right", return_tensors="pt")
    labels = rows["input_ids"].masked_fill(rows["attention_mask"] == 0, IGNORED)
    return {
        "input_ids": read["input_ids"],
        "attention_mask": read["attention_mask"],
        "written": rows["input_ids"][:, :-1],
        "labels": labels[:, 1:],
    }


def text_batches(tokenizer: Any, seed: int) -> Iterator[Batch]:
    """Batches without end, the same ones for the same seed."""
    random = Random(seed)
    for some in drawn(places("seen"), BATCH_SIZE, seed):
        yield text_batch(tokenizer, some, random)


def measure_place(setting: Setting, seed: int) -> Measured:
    """Train virtual tokens in that place, and count the held-out records of which a right sentence is written."""
    model, tokenizer = tiny_gpt2()
    count = model.config.n_layer
    layers = {
        "embeddings": None,
        "lower half": [*range(count // 2)],
        "upper half": [*range(count // 2, count)],
        "all layers": [*range(count)],
    }[setting["place"]]
    torch.manual_seed(seed)
    placed = Placed(copy.deepcopy(model), layers, setting["order"], setting["prefix_len"])
    train(placed, text_batches(tokenizer, seed), setting["steps"], setting["rate"])
    some = list(places("held out")[:HELD_OUT])
    batch = text_batch(tokenizer, some, Random(0))
    begun = batch["written"][:, :1]
    written = placed.write(batch["input_ids"], batch["attention_mask"], begun, LONGEST, tokenizer.eos_token_id)
    texts = [text.partition(tokenizer.eos_token)[0].strip() for text in tokenizer.batch_decode(written)]
    right = sum(manner_of(place, text) == MANNER for place, text in zip(some, texts, strict=True))
    with torch.no_grad():
        loss = float(placed(**batch).loss)
    return {"right": round(right / len(some), 4), "loss": round(loss, 4), "trained": placed.virtual.numel()}


def conclude_place(results: Results) -> str:
    """Which of the three claims hold."""
    of = {(one["place"], one["order"]): one for one in results.experiment.settings}
    whole, lower, upper = (of[place, "prefix"] for place in ("all layers", "lower half", "upper half"))
    claims = {
        "a": results.more("right", whole, of["embeddings", "prefix"]),
        "b": results.more("right", whole, of["all layers", "infix"]),
        "c": results.more("right", upper, lower),
    }
    held = ", ".join(name for name, gain in claims.items() if gain.low > 0)
    sentence = (
        _(
            "Of the three claims these hold here: {held}. Embeddings alone write {embeddings} % right, the lower half "
            "of the layers {lower} %, the upper {upper} %, all of them {whole} %, and {infix} % as an infix."
        )
        if held
        else _(
            "None of the three claims holds here: embeddings alone write {embeddings} % right, the lower half of "
            "the layers {lower} %, the upper {upper} %, all of them {whole} %, and {infix} % as an infix."
        )
    )
    return sentence.format(
        held=held,
        embeddings=percent(results.mean("right", **of["embeddings", "prefix"])),
        lower=percent(results.mean("right", **lower)),
        upper=percent(results.mean("right", **upper)),
        whole=percent(results.mean("right", **whole)),
        infix=percent(results.mean("right", **of["all layers", "infix"])),
    )


PLACE = Experiment(
    name="place",
    title=N_("Where the virtual tokens go"),
    claim=N_(
        "Li & Liang, Table 5: (a) virtual tokens that are embeddings alone are far behind a prefix in all layers, "
        "and (b) an infix, between what is given and what is written, is a little behind a prefix. P-tuning v2, "
        "section 4.4: (c) the upper layers are worth more than the lower."
    ),
    how=N_(
        "The tiny GPT-2 reads a record of a place to eat and has to say it on a postcard, a manner that it was never "
        "taught. 60 steps of 16 records, ten virtual tokens; right is one of the sentences that the grammar allows, "
        "for 48 held-out places."
    ),
    settings=tuple(
        {"place": place, "order": order, "prefix_len": 10, "steps": 60, "rate": 0.1}
        for place, order in (
            ("embeddings", "prefix"),
            ("embeddings", "infix"),
            ("lower half", "prefix"),
            ("upper half", "prefix"),
            ("all layers", "prefix"),
            ("all layers", "infix"),
        )
    ),
    measure=measure_place,
    conclude=conclude_place,
    columns=("place", "order", "right", "loss", "trained"),
    key="right",
    x="place",
    by="order",
)
