"""What the papers say of the prefix itself: its length, its projection, its start, and which layers read it.

Li & Liang 2021 is arXiv 2101.00190, P-tuning v2, Liu et al. 2021, is arXiv 2110.07602.
"""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor, nn

from prefix_lab.course.experiments.methods import bare_batches, examples, keys_and_values, learnt, with_prefix
from prefix_lab.course.experiments.runs import Experiment, Measured, Results, Setting, grid, percent
from prefix_lab.course.letters import TASKS, seen_words
from prefix_lab.locale import N_, _

REVERSE = TASKS["reverse"]
ON_WORDS = N_("The tiny T5 reads a bare word and has to write it backwards, which it can once it is told to.")
MEASURED_ON = N_("Measured on the 351 held-out words.")


def measure_length(setting: Setting, seed: int) -> Measured:
    """A prefix of that length, in that layout."""
    model = with_prefix(seed, setting["prefix_len"], layout=setting["layout"])
    return learnt(model, "reverse", seed, setting["steps"], setting["rate"])


def conclude_length(results: Results) -> str:
    """Whether more tokens are better, and whether there are too many."""
    lengths = results.values("prefix_len")
    of = [{"layout": "paper", "prefix_len": one} for one in lengths]
    best = max(of, key=lambda one: results.mean("right", **one).mean)
    rises, falls = (results.more("right", best, one).low > 0 for one in (of[0], of[-1]))
    sentence = {
        (True, True): _(
            "The claim holds here: with {best} virtual tokens {top} % are right, with {first} it is {one} %, "
            "with {most} it is {last} %."
        ),
        (True, False): _(
            "The first half holds here: with {best} virtual tokens {top} % are right, with {first} it is "
            "{one} %; that {most}, with {last} %, are too many is not seen."
        ),
        (False, True): _(
            "The second half holds here: {most} virtual tokens are too many, with {last} % right; the best, "
            "{best}, with {top} %, are not clearly ahead of {first}, with {one} %."
        ),
        (
            False,
            False,
        ): _(
            "The claim cannot be seen here: {first}, {best} and {most} virtual tokens give {one} %, {top} % "
            "and {last} % right, which five seeds cannot tell apart."
        ),
    }[rises, falls]
    return sentence.format(
        best=best["prefix_len"],
        first=lengths[0],
        most=lengths[-1],
        one=percent(results.mean("right", **of[0])),
        top=percent(results.mean("right", **best)),
        last=percent(results.mean("right", **of[-1])),
    )


LENGTH = Experiment(
    name="length",
    title=N_("How long a prefix has to be"),
    claim=N_("Li & Liang, Figure 4: a longer prefix is better, up to a length beyond which it is a little worse."),
    how=(
        ON_WORDS,
        N_("100 steps of 16 words, in PEFT's layout and in the paper's, of which the claim speaks."),
        MEASURED_ON,
    ),
    settings=grid(layout=["paper", "peft"], prefix_len=[1, 3, 10, 30], steps=[100], rate=[0.1]),
    measure=measure_length,
    conclude=conclude_length,
    columns=("layout", "prefix_len", "right", "loss", "trained"),
    key="right",
    x="prefix_len",
    by="layout",
    log=True,
)


def measure_projection(setting: Setting, seed: int) -> Measured:
    """A table, or a small table and an MLP of that width."""
    width = setting["width"]
    model = with_prefix(seed, prefix_projection=width > 0, encoder_hidden_size=width or None)
    return learnt(model, "reverse", seed, setting["steps"], setting["rate"])


def conclude_projection(results: Results) -> str:
    """Which of the two is better at its best rate, and how many rates serve each."""
    direct, projected = (
        max(
            (one for one in results.experiment.settings if one["width"] == width),
            key=lambda one: results.mean("right", **one).mean,
        )
        for width in (0, 128)
    )
    gain = results.more("right", projected, direct)
    sentence = (
        _(
            "The claim holds here: at its best rate, {rate}, the projection is right in {one} %, and the table alone, "
            "at its own, {other}, in {two} %."
        )
        if gain.low > 0
        else _(
            "P-tuning v2's doubt is right here: at its best rate, {rate}, the projection is right in {one} %, and the "
            "table alone, at its own, {other}, in {two} %: five seeds see no gain."
        )
    )
    return sentence.format(
        rate=projected["rate"],
        other=direct["rate"],
        one=percent(results.mean("right", **projected)),
        two=percent(results.mean("right", **direct)),
    )


PROJECTION = Experiment(
    name="projection",
    title=N_("With and without projection, and how wide it is"),
    claim=N_(
        "Li & Liang, section 4.3: a prefix that is trained without the MLP is less steady and ends a little worse. "
        "P-tuning v2, section 3.3, found no gain in some tasks."
    ),
    how=(
        ON_WORDS,
        N_("Ten virtual tokens in the paper's layout, 60 steps of 16 words at several learning rates."),
        MEASURED_ON,
    ),
    settings=(
        *grid(width=[0], rate=[0.03, 0.1, 0.3], steps=[60]),
        *grid(width=[128], rate=[0.003, 0.01, 0.03], steps=[60]),
        *grid(width=[16, 512], rate=[0.01], steps=[60]),
    ),
    measure=measure_projection,
    conclude=conclude_projection,
    columns=("width", "rate", "right", "loss", "trained"),
    key="right",
    x="rate",
    by="width",
    log=True,
)


PREFIX_LEN = len(REVERSE.instruction)  # a byte is a token: as many virtual tokens as the instruction has


def measure_start(setting: Setting, seed: int) -> Measured:
    """A prefix that starts so, trained on so many words."""
    model = with_prefix(seed, PREFIX_LEN)
    table = model.prompt_encoder["default"]
    if setting["start"] == "zero":
        torch.nn.init.zeros_(table.embedding.weight)
    elif setting["start"] != "random":
        random = Random(seed)
        read = REVERSE.instruction if setting["start"] == "instruction" else " ".join(random.sample(seen_words(), 4))
        texts = [read[:PREFIX_LEN] + word for word in random.sample(seen_words(), 64)]
        table.load_prompt_embeddings(keys_and_values(texts, PREFIX_LEN))
    words = examples(setting["examples"], seed)
    return learnt(model, "reverse", seed, setting["steps"], setting["rate"], words)


def conclude_start(results: Results) -> str:
    """Whether words, and the instruction's own, help more than random numbers, with few examples and with all."""

    def best(start: str, count: int | None) -> Setting:
        """At its better rate."""
        chosen = {"start": start, "examples": count}
        some = [one for one in results.experiment.settings if chosen.items() <= one.items()]
        return max(some, key=lambda one: results.mean("right", **one).mean)

    few, everything = results.values("examples")
    told = results.more("right", best("instruction", few), best("random", few)).low > 0
    words = results.more("right", best("words", few), best("zero", few)).low > 0
    still = results.more("right", best("instruction", everything), best("random", everything)).low > 0
    sentence = {
        (True, True, False): _(
            "The claim holds here: with {few} examples the instruction reaches {told} %, other words "
            "{words} %, random numbers {random} % and zeros {zero} %; with all of them instruction and random numbers "
            "are too close to tell, {told_all} % and {random_all} %."
        ),
        (True, True, True): _(
            "With few examples the claim holds here: with {few} the instruction reaches {told} %, "
            "other words {words} %, random numbers {random} % and zeros {zero} %; but with all of them the "
            "instruction is still ahead after so short a training, {told_all} % to {random_all} %."
        ),
        (True, False, False): _(
            "The claim holds here for the instruction: with {few} examples it reaches {told} %, "
            "random numbers {random} %, and with all of them the two are too close to tell, {told_all} % and "
            "{random_all} %; other words, {words} % with {few} examples, do no better than zeros, {zero} %."
        ),
        (True, False, True): _(
            "With few examples the claim holds here for the instruction: with {few} it reaches {told} "
            "%, random numbers {random} %; but other words, {words} %, do no better than zeros, {zero} %, and with all "
            "examples the instruction is still ahead after so short a training, {told_all} % to {random_all} %."
        ),
    }.get(
        (told, words, still),
        _(
            "The claim does not hold here: with {few} examples the instruction reaches {told} %, other words {words} "
            "%, random numbers {random} % and zeros {zero} %; with all of them the instruction {told_all} % and random "
            "numbers {random_all} %."
        ),
    )
    said = {start: percent(results.mean("right", **best(start, few))) for start in results.values("start")}
    return sentence.format(
        few=few,
        told=said.pop("instruction"),
        told_all=percent(results.mean("right", **best("instruction", everything))),
        random_all=percent(results.mean("right", **best("random", everything))),
        **said,
    )


START = Experiment(
    name="start",
    title=N_("Where a prefix starts"),
    claim=N_(
        "Li & Liang, Figure 5 and section 7.4: with few examples the keys and values of real words are a far better "
        "start than random numbers, those of fitting words the best; with all examples the start does not matter."
    ),
    how=(
        ON_WORDS,
        N_(
            "Nine virtual tokens in the paper's layout, 60 steps of 16 words. Words and instruction stand before the "
            "encoder alone, so the decoder's own rows start at zero with them."
        ),
        MEASURED_ON,
    ),
    settings=grid(start=["random", "zero", "words", "instruction"], examples=[20, None], rate=[0.03, 0.1], steps=[60]),
    measure=measure_start,
    conclude=conclude_start,
    columns=("start", "examples", "rate", "right", "loss"),
    key="right",
    x="start",
    by="examples",
    panel="rate",
)


def measure_encoder(setting: Setting, seed: int) -> Measured:
    """A prefix in that layout before a T5 with so many layers; those behind the third do next to nothing."""
    model = with_prefix(seed, setting["prefix_len"], setting["layers"], setting["layout"])
    gradient = first_gradient(model, seed)
    rows = gradient.view(len(gradient), -1, model.active_peft_config.token_dim)
    alive = float((rows != 0).any(dim=2).any(dim=0).float().mean())
    return learnt(model, "reverse", seed, setting["steps"], setting["rate"]) | {"alive": round(alive, 4)}


def first_gradient(model: nn.Module, seed: int) -> Tensor:
    """The gradient of the prefix, (prefix_len, prefix_width), on the first batch of a training."""
    [weight] = [one for one in model.parameters() if one.requires_grad]
    model(**next(bare_batches(seen_words(), REVERSE.function, seed))).loss.backward()
    gradient, weight.grad = weight.grad, None
    return gradient


def conclude_encoder(results: Results) -> str:
    """Whether the paper's layout is better everywhere, and which rows are dead."""
    layers = results.values("layers")
    of = {(one["layers"], one["layout"]): one for one in results.experiment.settings}
    gains = [results.more("right", of[depth, "paper"], of[depth, "peft"]) for depth in layers]
    alive = {depth: results.mean("alive", **of[depth, "peft"]).mean for depth in layers}
    worst, best = min(layers, key=alive.get), max(layers, key=alive.get)
    sentence = (
        _(
            "The paper's layout is better at every depth here: with {worst} layers it is right in {paper} %, PEFT's "
            "with as many numbers in {peft} %; there {alive:.0f} % of PEFT's rows get a gradient, with {best} layers "
            "{all:.0f} %, and it is right in {other} %."
        )
        if all(gain.low > 0 for gain in gains)
        else _(
            "The paper's layout is not better at every depth here: with {worst} layers it is right in {paper} %, "
            "PEFT's with as many numbers in {peft} %; there {alive:.0f} % of PEFT's rows get a gradient, with {best} "
            "layers {all:.0f} %, and it is right in {other} %."
        )
    )
    return sentence.format(
        worst=worst,
        best=best,
        alive=100 * alive[worst],
        all=100 * alive[best],
        paper=percent(results.mean("right", **of[worst, "paper"])),
        peft=percent(results.mean("right", **of[worst, "peft"])),
        other=percent(results.mean("right", **of[best, "peft"])),
    )


ENCODER = Experiment(
    name="encoder",
    title=N_("The encoder: PEFT's layout and the paper's"),
    claim=N_(
        "Li & Liang, Figure 2: an encoder-decoder has a prefix before x and one before y. PEFT gives it to the "
        "decoder's self-attention alone, and with an even number of layers half of its rows never learn."
    ),
    how=(
        ON_WORDS,
        N_(
            "100 steps of 16 words; both layouts train as many numbers. The layers behind the third add next to "
            "nothing, so that all these T5 give the same answers and only the layout differs."
        ),
        MEASURED_ON,
    ),
    settings=tuple(
        {"layers": layers, "layout": layout, "prefix_len": prefix_len, "steps": 100, "rate": 0.1}
        for layers in (3, 4, 5)
        for layout, prefix_len in (("peft", 30), ("paper", 10))
    ),
    measure=measure_encoder,
    conclude=conclude_encoder,
    columns=("layers", "layout", "prefix_len", "right", "loss", "alive", "trained"),
    key="right",
    x="layers",
    by="layout",
)
