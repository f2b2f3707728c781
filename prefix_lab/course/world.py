"""A small world of language: places to eat, and what people say about them.

The table-to-text task of Li & Liang (arXiv 2101.00190, section 4), small enough that a laptop learns it in minutes: a
place is a record of seven fields, and a grammar says it in English in several manners. Every sentence names its place,
and no two places have one name; so no sentence about a held-out place was ever seen, though each of its words was.
`python -m prefix_lab.course.world` counts the places, the sentences and the words, and shows some.

The same sentences carry six tasks. A record is said in a manner (`prompt` → `sentence`: CAUSAL_LM, SEQ_2_SEQ_LM); a
sentence is praise or complaint (its `manner`: SEQ_CLS); its words name a food, a price, an area (`says`: TOKEN_CLS); a
question (`QUESTIONS`) is answered by some of its words (`span`: QUESTION_ANS); two sentences about one place mean the
same (FEATURE_EXTRACTION). Some names hold words that elsewhere are foods, areas or prices (`golden curry`, `cheap
harbour`), so that what a word says is read from where it stands.
"""

import re
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import product
from random import Random
from typing import NamedTuple

ADJECTIVES, NOUNS = (
    some.split()
    for some in (
        """amber ancient blue brave bright broken busy calm cheap clever copper crimson crooked curious dancing dusty
        eager emerald flying gentle golden green happy humble iron ivory jolly laughing little lucky merry mighty noble
        orange painted pink proud purple quiet red royal rusty silent silver sleepy smiling tall velvet white wild""",
        """anchor apple badger bear bell bridge candle castle centre compass crown curry dolphin dragon eagle falcon
        fox garden goose hare harbour hedgehog heron horse kettle lantern lemon lion lobster market mill moon olive
        otter owl parrot peacock pizza rabbit raven rose sailor salmon soup spoon station swan tiger whale wolf""",
    )
)
"""The first and the second word of a place's name."""

VALUES = {
    "food": "burgers, curry, dumplings, fish and chips, fried rice, noodles, pizza, salads, seafood, soup, stew, tacos",
    "price": "cheap, moderate, expensive",
    "area": "centre, harbour, old town, suburbs, university quarter, west end",
    "rating": "poor, average, good, excellent",
    "families": "yes, no",
    "near": "bridge, market, museum, park, school, station, theatre, town hall",
}
VALUES = {field: tuple(some.split(", ")) for field, some in VALUES.items()}
FIELDS = ("name", *VALUES)
SAYINGS = {
    ("price", "cheap"): ("cheap", "inexpensive"),
    ("price", "moderate"): ("fairly priced", "moderately priced"),
    ("price", "expensive"): ("expensive", "costly"),
    ("rating", "poor"): ("poor", "bad"),
    ("rating", "average"): ("average", "ordinary"),
    ("rating", "good"): ("good", "fine"),
    ("rating", "excellent"): ("excellent", "outstanding"),
    ("families", "yes"): ("families are welcome", "children are welcome"),
    ("families", "no"): ("families are not welcome", "children are not welcome"),
}
"""How a value is said, where not in its own words. All values of a field have as many sayings."""

GRAMMAR = {
    "plain": (
        "(the {name} serves|at the {name} they cook) {price} {food} in the {area}, near the {near}. "
        "the food is {rating}, and {families}.",
        "the {name} (is|stands) near the {near} in the {area}. (they cook|it serves) {price} {food}. "
        "the food is {rating}. {families}.",
    ),
    "brief": ("{name}, {area}. {price} {food}.", "{name}. {food}, {price}, {area}."),
    "praise": (
        "(we|i) loved the {food} at the {name} in the {area}. (we|i) will come back!",
        "the {name} in the {area} is (wonderful|a joy). (we|i) could not stop eating the {food}!",
        "there is nothing to hate at the {name} in the {area}. the {food} made (us|me) happy!",
        "do not miss the {food} at the {name} in the {area}. what a joy!",
    ),
    "complaint": (
        "(we|i) hated the {food} at the {name} in the {area}. (we|i) will not come back!",
        "the {name} in the {area} is (awful|a shame). (we|i) could not eat the {food}!",
        "there is nothing to love at the {name} in the {area}. the {food} made (us|me) ill!",
        "do not eat the {food} at the {name} in the {area}. what a shame!",
    ),
    "question": (
        "where (can i|do we) eat {price} {food}? at the {name}, near the {near}.",
        "who serves {price} {food} near the {near}? the {name} does.",
        "do they serve {price} {food} near the {near}? yes, at the {name}.",
    ),
    "advice": (
        "if you (like|want) {food}, go to the {name} near the {near}. the food is {rating}, and {families}.",
        "hungry? try the {food} at the {name} near the {near}. {families}, and the food is {rating}.",
    ),
    "postcard": (
        "we are at the {name} in the {area}. we eat {food}, and the food is {rating}!",
        "we eat {food} in the {area}. the {name} is {rating}!",
    ),
}
"""What can be said in each manner: of `(a|b)` one is said, and `{food}` is a saying of the place's food."""

MANNERS = ("plain", "brief", "praise", "complaint", "question", "advice")
"""The manners that the models were pretrained on. `postcard` is new to them, though all its other words are not."""

QUESTIONS = {
    "name": ("what is the name?", "who cooks there?"),
    "food": ("what do they cook?", "what can i eat there?"),
    "price": ("what is the price?", "is it cheap or expensive?"),
    "area": ("in what area is it?", "where in the town is it?"),
    "rating": ("how is the food?", "is the food good or bad?"),
    "families": ("can families go there?", "are children welcome?"),
    "near": ("what is it near?", "what stands near it?"),
}
"""What one can ask about each field."""


class Place(NamedTuple):
    """A place to eat. Each field is one of its VALUES; no other place has the name, which is two words."""

    name: str
    food: str
    price: str
    area: str
    rating: str
    families: str  # are they welcome? yes or no
    near: str

    @property
    def record(self) -> str:
        """The place as a table in one line: `name golden fox food noodles price cheap …`."""
        return " ".join(f"{field} {value}" for field, value in zip(FIELDS, self, strict=True))


class Sentence(NamedTuple):
    """What is said about a place in a manner."""

    place: Place
    manner: str
    words: tuple[str, ...]  # a sign such as the full stop is a word too; every word is one token of the models
    says: tuple[str, ...]  # as many: the field that the word says, or ""

    @property
    def text(self) -> str:
        """The words as they are printed."""
        return printed(self.words)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are said, in the order of the words. None is said twice."""
        return tuple(dict.fromkeys(field for field in self.says if field))

    def span(self, field: str) -> tuple[int, int]:
        """Which words say a field, `words[start:stop]`. Raises `ValueError` where it is not said."""
        if field not in self.fields:
            raise ValueError(f"field={field!r} is not said in {self.text!r}, expected one of {', '.join(self.fields)}.")
        start = self.says.index(field)
        return start, start + self.says.count(field)


@cache
def places(part: str = "seen") -> tuple[Place, ...]:
    """The places of a part, the same in every run: "seen", to train on, or "held out", to measure on.

    About one in ten is held out, by a hash of its name. Raises `ValueError` for another part.
    """
    if part not in ("seen", "held out"):
        raise ValueError(f"part={part!r}, expected 'seen' or 'held out'.")
    random = Random(0)
    everywhere = [
        Place(f"{adjective} {noun}", *(random.choice(some) for some in VALUES.values()))
        for adjective, noun in product(ADJECTIVES, NOUNS)
    ]
    return tuple(place for place in everywhere if (zlib.crc32(place.name.encode()) % 10 == 0) == (part == "held out"))


def prompt(place: Place, manner: str | None = None) -> str:
    """What a text-to-text model reads: `brief : name golden fox …`, or the bare record without the instruction.

    A language model reads this and ` =`, then writes on. Raises `ValueError` for a manner that there is not.
    """
    return place.record if manner is None else f"{checked(manner)} : {place.record}"


def sentence(place: Place, manner: str, random: Random) -> Sentence:
    """One of the `sentences`. Raises `ValueError` for a manner that there is not."""
    line = random.choice(lines(manner))
    return filled(place, manner, line, {field: random.choice(sayings(place, field)) for field in slots(line)})


def sentences(place: Place, manner: str) -> list[Sentence]:
    """All that can be said about a place in a manner. Raises `ValueError` for a manner that there is not."""
    return [filled(place, manner, line, said) for line in lines(manner) for said in choices(place, line)]


def manner_of(place: Place, text: str) -> str | None:
    """The manner in which a text is a right sentence about the place; None where it is one in no manner."""
    return texts(place).get(text)


@cache
def texts(place: Place) -> dict[str, str]:
    """Each text that is a right sentence about a place, and its manner."""
    return {
        line.format(**said): manner for manner in GRAMMAR for line in lines(manner) for said in choices(place, line)
    }


def words_of(text: str) -> list[str]:
    """A text's words and signs: `printed` undone."""
    return re.findall(r"\w+|[^\w\s]", text)


def printed(words: tuple[str, ...] | list[str]) -> str:
    """Words and signs as one text, with no space before a sign that ends something."""
    return re.sub(r" ([,.?!])", r"\1", " ".join(words))


def vocabulary() -> list[str]:
    """Every word that any record, instruction, sentence or question can hold, sorted."""
    told = [*FIELDS, *GRAMMAR, *ADJECTIVES, *NOUNS, ":", "="]
    told += [value for some in VALUES.values() for value in some]
    told += [saying for some in SAYINGS.values() for saying in some]
    told += [line.format(**dict.fromkeys(FIELDS, "")) for manner in GRAMMAR for line in lines(manner)]
    told += [question for some in QUESTIONS.values() for question in some]
    return sorted({word for text in told for word in words_of(text)})


def checked(manner: str) -> str:
    """The manner, where the grammar has it."""
    if manner not in GRAMMAR:
        raise ValueError(f"manner={manner!r}, expected one of {', '.join(GRAMMAR)}.")
    return manner


@cache
def lines(manner: str) -> tuple[str, ...]:
    """The lines of a manner, with every choice of `(a|b)` made."""
    found = []
    for line in GRAMMAR[checked(manner)]:
        parts = [part.split("|") for part in re.split(r"[()]", line)]
        found += ["".join(chosen) for chosen in product(*parts)]
    return tuple(found)


def slots(line: str) -> list[str]:
    """The fields that a line says, in their order."""
    return re.findall(r"{(\w+)}", line)


def sayings(place: Place, field: str) -> tuple[str, ...]:
    """How the place's value of a field can be said."""
    value = getattr(place, field)
    return SAYINGS.get((field, value), (value,))


def choices(place: Place, line: str) -> Iterator[dict[str, str]]:
    """All that can stand in the slots of a line."""
    fields = slots(line)
    for chosen in product(*(sayings(place, field) for field in fields)):
        yield dict(zip(fields, chosen, strict=True))


def filled(place: Place, manner: str, line: str, said: dict[str, str]) -> Sentence:
    """The line with something said in each of its slots."""
    words: list[str] = []
    says: list[str] = []
    for part in re.split(r"({\w+})", line):
        field = part[1:-1] if part.startswith("{") else ""
        some = words_of(said[field] if field else part)
        words += some
        says += [field] * len(some)
    return Sentence(place, manner, tuple(words), tuple(says))


def main() -> None:
    """Print how large the world is, and one sentence of each manner."""
    seen, held_out = ({text for place in places(part) for text in texts(place)} for part in ("seen", "held out"))
    print(f"{len(places('seen')):,} places seen, {len(places('held out')):,} held out")
    print(f"{len(seen):,} sentences seen, {len(held_out):,} held out, {len(seen & held_out):,} in both")
    print(f"{len(vocabulary())} words and signs")
    place = places("held out")[0]
    print(f"\n{place.record}\n")
    for manner in GRAMMAR:
        print(f"{manner:<10}{len(sentences(place, manner)):4}  {sentence(place, manner, Random(0)).text}")


if __name__ == "__main__":
    main()
