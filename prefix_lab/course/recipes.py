"""What each small model is pretrained on, and how it is measured: `python -m prefix_lab.course.pretrain` follows these.

The same seed gives the same batches.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import ByT5Tokenizer, PreTrainedModel, T5Config, T5ForConditionalGeneration

from prefix_lab.course import tiny
from prefix_lab.course.letters import TASKS, exact_match, held_out_words, seen_words, source_text, target_text
from prefix_lab.course.small_models import WEIGHTS
from prefix_lab.course.tasks import Batch, TaskForCausalLM, make_batch
from prefix_lab.course.world import (
    FIELDS,
    MANNERS,
    QUESTIONS,
    VALUES,
    Place,
    Sentence,
    manner_of,
    places,
    printed,
    prompt,
    sayings,
    sentence,
)
from prefix_lab.course.world_tasks import world_task

MAX_NEW_TOKENS = 24  # the letter T5's longest answer is a word of nine letters, doubled
BARE = 0.25  # of the records come without an instruction, and any manner is right: else it would not know what to do
EASY = 1400  # of BERT's batches
MOVED = 33  # positions: the longest prefix that BERT knows the room of, and one


class Recipe(NamedTuple):
    """How to make one model."""

    folder: Path  # where it ships
    steps: int
    batch_size: int
    rate: float  # the highest learning rate
    new: Callable[[int], tuple[PreTrainedModel, Any]]  # seed → an untrained model and its tokenizer
    batches: Callable[[Any, int, int], Iterator[Batch]]  # tokenizer, batch_size, seed → batches without end
    measured: Callable[[PreTrainedModel, Any], dict[str, Any]]  # what it can do on what was held out


def new_letter_t5(seed: int) -> tuple[T5ForConditionalGeneration, ByT5Tokenizer]:
    """An untrained T5: 3 layers in each stack, hidden 128 = 4 heads · 32, one embedding for what is read and written.

    Its random numbers are its own: the caller's generator is left as it was.
    """
    config = T5Config(
        vocab_size=384,  # 3 special tokens, 256 bytes, 125 sentinels: ByT5's
        d_model=128,
        d_kv=32,
        num_heads=4,
        d_ff=256,
        num_layers=3,
        dropout_rate=0.0,  # the words are few and the answers exact: noise would only slow the learning down
        decoder_start_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
    model.generation_config.max_new_tokens = MAX_NEW_TOKENS
    return model, ByT5Tokenizer()


def instructed_batches(tokenizer: Any, batch_size: int, seed: int) -> Iterator[Batch]:
    """Batches without end: in each row a task drawn by its share, and any seen word.

    Every batch mixes the tasks. To sort rows of one length together would save a third of the time, and was tried: the
    batches are then nearly of one task each, and after as many steps `sort` and `double` are right half as often.
    """
    random, words = Random(seed), seen_words()
    shares = [task.share for task in TASKS.values()]
    while True:
        rows = [(task, random.choice(words)) for task in random.choices(list(TASKS), shares, k=batch_size)]
        yield make_batch(tokenizer, [source_text(*row) for row in rows], [target_text(*row) for row in rows])


def exact_matches(model: PreTrainedModel, tokenizer: Any) -> dict[str, Any]:
    """For each task, the share of held-out words that are answered right to the letter."""
    words = held_out_words()
    return {
        "seen_words": len(seen_words()),
        "held_out_words": len(words),
        "exact_match": {task: round(exact_match(model, tokenizer, words, task), 4) for task in TASKS},
    }


def new_of_the_world(name: str) -> Callable[[int], tuple[PreTrainedModel, Any]]:
    """How a model of the world begins."""
    return lambda seed: (tiny.new_model(name, seed), tiny.new_tokenizer(name))


def told(random: Random) -> tuple[str, str]:
    """A seen place's record, mostly after an instruction, and a sentence in that manner."""
    place, manner = random.choice(places("seen")), random.choice(MANNERS)
    bare = random.random() < BARE
    return prompt(place, None if bare else manner), sentence(place, manner, random).text


def told_batches(tokenizer: Any, batch_size: int, seed: int) -> Iterator[Batch]:
    """What T5 reads and writes."""
    random = Random(seed)
    while True:
        sources, targets = zip(*(told(random) for _ in range(batch_size)), strict=True)
        yield make_batch(tokenizer, list(sources), list(targets))


def continued_batches(tokenizer: Any, batch_size: int, seed: int) -> Iterator[Batch]:
    """What GPT-2 reads, `brief : name … =`, and goes on with; the loss is of the sentence and its end alone.

    A text begins at any position, as a text in the middle of a long one does: a prefix will move it to the right.
    """
    random, task = Random(seed), TaskForCausalLM("continued", [], [])
    while True:
        rows = [told(random) for _ in range(batch_size)]
        batch = task.batch(tokenizer, [(f"{source} =", target) for source, target in rows])
        tokens = batch["input_ids"].shape[1]
        starts = [random.randrange(tiny.POSITIONS - tokens + 1) for _ in rows]
        yield {**batch, "position_ids": positions(starts, tokens)}


def masked_batches(tokenizer: Any, batch_size: int, seed: int) -> Iterator[Batch]:
    """What BERT reads, as in its paper (arXiv 1810.04805, section 3.1): two texts, and some words of the second masked.

    It has to guess the masked words, and whether the texts belong together: 0 where they do, 1 where they do not. In
    the first batches all do, and all begin at position 0; later some texts begin further right, where a prefix will
    move them. All of it at once is learnt much later: unlike GPT-2, BERT knows the order of words by their positions
    alone.
    """
    random = Random(seed)
    for number in count():
        easy = number < EASY
        pairs = [together(random, easy) for _ in range(batch_size)]
        firsts, seconds, labels = (list(column) for column in zip(*pairs, strict=True))
        read = [hidden(said, tokenizer.mask_token, random) for said in seconds]
        batch = tokenizer(firsts, read, padding=True, return_tensors="pt")
        whole = tokenizer(firsts, [said.text for said in seconds], padding=True, return_tensors="pt")["input_ids"]
        starts = [0 if easy or random.random() < 0.75 else random.randrange(MOVED) for _ in pairs]
        yield {
            **batch,
            "position_ids": positions(starts, whole.shape[1]),
            "labels": whole.masked_fill(batch["input_ids"] != tokenizer.mask_token_id, -100),
            "next_sentence_label": torch.tensor(labels)[:, None],
        }


def together(random: Random, easy: bool) -> tuple[str, Sentence, int]:
    """A sentence after its own record, or, where it is not to be easy, after another place's or after a question,
    which it answers or does not; and 1 where the two do not belong together, else 0.

    The places have seen names and any values: of the same places again and again, BERT learns by heart which has which
    food, and never looks at the record.
    """
    place, other = (
        Place(random.choice(places("seen")).name, *(random.choice(some) for some in VALUES.values())) for _ in range(2)
    )
    said = sentence(place, random.choice(MANNERS), random)
    if not easy and random.random() < 0.1:
        field = random.choice(FIELDS)
        return random.choice(QUESTIONS[field]), said, int(field not in said.fields)
    strange = not easy and random.random() < 0.2
    return (other if strange else place).record, said, int(strange)


def hidden(said: Sentence, mask: str, random: Random) -> str:
    """The sentence with all words of every second field masked, and of the others one in seven.

    Words masked at random, as in BERT's paper, are mostly those that the grammar tells; what the record tells is then
    learnt much later.
    """
    fields = {field for field in said.fields if random.random() < 0.5}
    return printed(
        [
            mask if field in fields or (not field and random.random() < 1 / 7) else word
            for word, field in zip(said.words, said.says, strict=True)
        ]
    )


def positions(starts: list[int], tokens: int) -> Int[Tensor, "batch tokens"]:
    """The positions of texts that begin at these."""
    return torch.tensor(starts)[:, None] + torch.arange(tokens)


def said_rightly(model: PreTrainedModel, tokenizer: Any) -> dict[str, Any]:
    """The share of held-out places about which a right sentence is written: in the manner that the instruction asks
    for; and from the bare record, in whatever manner the model falls into."""
    kind = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    tasks = {manner: world_task(kind, manner) for manner in MANNERS}
    there = places("held out")
    bare = tasks["plain"].test[: len(there)]
    found = Counter(map(manner_of, there, tasks["plain"].answers(model, tokenizer, bare)))
    return {
        "held_out_places": len(there),
        "right_with_the_instruction": {
            manner: round(task.instructed().score(model, tokenizer, task.instructed().test[: len(there)]), 4)
            for manner, task in tasks.items()
        },
        "right_without_the_instruction": {manner: round(found[manner] / len(there), 4) for manner in MANNERS},
    }


@torch.no_grad()
def guessed(model: PreTrainedModel, tokenizer: Any) -> dict[str, Any]:
    """Of one sentence in each manner about every held-out place, read after the place's record and after another's:
    how often BERT guesses a field whose words are masked, and how often it tells whether the texts belong together."""
    there = places("held out")
    said = [sentence(place, manner, Random(0)) for place in there for manner in MANNERS]
    after = {"its_own_record": said, "another_record": said[len(MANNERS) :] + said[: len(MANNERS)]}
    found: dict[str, dict[str, float]] = {"belonging_told": {}}
    for label, (name, others) in enumerate(after.items()):
        right: dict[str, list[bool]] = {field: [] for field in FIELDS}
        told = []
        for one, other in zip(said, others, strict=True):
            texts = [masked(one, field, tokenizer.mask_token) for field in one.fields] + [one.text]
            batch = tokenizer([other.place.record] * len(texts), texts, padding=True, return_tensors="pt")
            output = model(**batch)
            told.append(output.seq_relationship_logits[-1].argmax().item() == label)
            likeliest = output.prediction_logits.argmax(-1)  # (texts, tokens)
            hidden = batch["input_ids"] == tokenizer.mask_token_id
            for field, row, where in zip(one.fields, likeliest, hidden, strict=False):
                right[field].append(tokenizer.decode(row[where]) in sayings(one.place, field))
        found["belonging_told"][name] = share(told)
        found[f"masked_fields_right_after_{name}"] = {field: share(some) for field, some in right.items()}
    return {"held_out_places": len(there), **found}


def masked(said: Sentence, field: str, mask: str) -> str:
    """The sentence with a mask in place of each word that says the field."""
    start, stop = said.span(field)
    return printed([*said.words[:start], *[mask] * (stop - start), *said.words[stop:]])


def share(right: Iterable[bool]) -> float:
    """How many are right, 0 to 1, rounded for a report."""
    found = list(right)
    return round(sum(found) / len(found), 4)


RECIPES = {
    "tiny_t5": Recipe(WEIGHTS, 8000, 32, 2e-3, new_letter_t5, instructed_batches, exact_matches),
    "gpt2": Recipe(tiny.FOLDER / "gpt2", 2000, 32, 2e-3, new_of_the_world("gpt2"), continued_batches, said_rightly),
    "bert": Recipe(tiny.FOLDER / "bert", 2400, 32, 1e-3, new_of_the_world("bert"), masked_batches, guessed),
    "t5": Recipe(tiny.FOLDER / "t5", 1200, 32, 2e-3, new_of_the_world("t5"), told_batches, said_rightly),
}
"""Each by the name of the folder in which it ships. `tiny_t5` is the one that reads letters; its shipped weights are of
a longer run, 6,000 steps of 64 rows, as their report.json says."""
