"""Lesson 15: the rows of a learner's file, and how they are cut in two."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from prefix_lab.course.checking import (
    DICE,
    TODO,
    NotYet,
    brief,
    called,
    exercise,
    is_open,
    pair,
)
from prefix_lab.course.ready import Verdict
from prefix_lab.locale import N_, _

FEWEST = 8  # rows, below which nothing can be held out
SHOWN = 6  # words or rows that are named one by one

NO_LINES = N_("The file has no row below its line of column names.")
NO_COLUMN = N_("There is no column {name!r}. The file's columns are: {columns}. Put two of them into ASK and SAY.")
SEMICOLONS = N_("Its cells seem to be cut by {sign!r}: read it with `csv.DictReader(file, delimiter={sign!r})`.")
SAME_COLUMN = N_("ASK and SAY both name the column {name!r}: what is read cannot be what is to be written.")
HOLES = N_("No text in {name!r}, in row {rows}. (The first row below the column names is row 1.)")
TOO_MANY_CELLS = N_('Row {rows} has more cells than there are columns: a cell with a comma in it stands in "…".')
TOO_FEW_ROWS = N_("{count} rows are too few to hold some of them out: write at least {least}, better twenty.")
TWICE = N_("The same is asked more than once: {text!r}. Then a row that is held out may have been trained on.")
ONE_ANSWER = N_("Every row has the same {name!r}: nothing has to be read to write that.")
UNKNOWN = N_(
    "The model does not know {words}. It reads each of them as {sign}, and can write none. Take words from the list "
    "below, or a model that knows more."
)
TOO_LONG = N_("Row {rows} has more tokens than the model takes, {most} with the prefix. Cut it, or leave it out.")
GOOD_ROWS = N_("{count} rows, and every word is known.")


def check_own_data(lines: Any, ask: str, say: str, tokenizer: Any) -> Verdict:
    """Whether a file's rows can be trained on, and if not, what is wrong with them. Never raises."""
    try:
        look_at_columns(lines, ask, say)
        look_at_rows(lines, ask, say)
        look_at_words([line[ask] + " " + line[say] for line in lines], tokenizer)
    except NotYet as found:
        return Verdict(False, str(found))
    return Verdict(True, _(GOOD_ROWS).format(count=len(lines)))


def look_at_columns(lines: Any, ask: str, say: str) -> None:
    if not lines:
        raise NotYet(NO_LINES)
    columns = [name for name in lines[0] if name is not None]
    for name in (ask, say):
        if name not in columns:
            sign = next((sign for sign in ";\t" if len(columns) == 1 and sign in columns[0]), "")
            raise NotYet(NO_COLUMN, SEMICOLONS if sign else "", name=name, columns=", ".join(columns), sign=sign)
    if ask == say:
        raise NotYet(SAME_COLUMN, name=ask)


def look_at_rows(lines: Sequence[Mapping[Any, Any]], ask: str, say: str) -> None:
    if long := [row for row, line in enumerate(lines, 1) if None in line]:
        raise NotYet(TOO_MANY_CELLS, rows=listed(long))
    for name in (ask, say):
        if empty := [row for row, line in enumerate(lines, 1) if not (line[name] or "").strip()]:
            raise NotYet(HOLES, name=name, rows=listed(empty))
    if len(lines) < FEWEST:
        raise NotYet(TOO_FEW_ROWS, count=len(lines), least=FEWEST)
    [(text, times)] = Counter(line[ask].strip() for line in lines).most_common(1)
    if times > 1:
        raise NotYet(TWICE, text=text)
    if len({line[say].strip() for line in lines}) == 1:
        raise NotYet(ONE_ANSWER, name=say)


def look_at_words(texts: Sequence[str], tokenizer: Any) -> None:
    words = dict.fromkeys(re.findall(r"\w+|[^\w\s]", " ".join(texts)))
    unknown = [word for word in words if tokenizer.unk_token_id in tokenizer(word).input_ids]
    if unknown and tokenizer.unk_token_id != tokenizer.eos_token_id:  # OpenAI's GPT-2 has one for both, and knows all
        raise NotYet(UNKNOWN, words=listed(map(repr, unknown)), sign=tokenizer.unk_token)
    most = tokenizer.model_max_length
    if long := [row for row, text in enumerate(texts, 1) if len(tokenizer(text).input_ids) + 20 > most]:
        raise NotYet(TOO_LONG, rows=listed(long), most=most)


def listed(parts: Any) -> str:
    """The first few, and that there are more."""
    parts = [*map(str, parts)]
    return ", ".join([*parts[:SHOWN], *["…"] * (len(parts) > SHOWN)])


NO_LISTS = N_("Two lists of rows are wanted; your function gave {given}.")
IN_BOTH = N_("{count} rows are in both lists: what was trained on says nothing about what was learnt.")
LOST = N_("{count} of {all} rows are in neither list.")
INVENTED = N_("There are rows that were not given, or a row twice.")
NOTHING_HELD = N_("Nothing is held out.")
QUARTER = N_("Held out are {count} of {all} rows; a quarter is wanted, {wanted}.")
EXCHANGED = N_("The two lists are in each other's place: the quarter is to be held out.")
NOT_MIXED = N_("The rows are cut in the order of the file. Shuffle first: a file may be sorted.")
EACH_TIME = N_("A second call cuts them in another way. Then no run can be compared with the next: give a seed.")
CHANGED_ROWS = N_("The list that was given has another order now: shuffle a copy.")


@exercise("capstone_split")
def check_own_split(answer: Any) -> str:
    """`answer(rows)` is (rows to train on, a quarter of them held out), shuffled in the same way each time."""
    rows = [(f"{number} =", f" {number * number}") for number in range(DICE.choice([20, 24, 28]))]
    given = [*rows]
    train, held_out = pair(called(answer, given), "train, held_out")
    if is_open(train) or is_open(held_out):
        raise NotYet(TODO)
    if not isinstance(train, list | tuple) or not isinstance(held_out, list | tuple):
        raise NotYet(NO_LISTS, given=brief((train, held_out)))
    if given != rows:
        raise NotYet(CHANGED_ROWS)
    if not held_out:
        raise NotYet(NOTHING_HELD)
    if both := [row for row in rows if row in train and row in held_out]:
        raise NotYet(IN_BOTH, count=len(both))
    if lost := [row for row in rows if row not in train and row not in held_out]:
        raise NotYet(LOST, count=len(lost), all=len(rows))
    if len(train) + len(held_out) != len(rows):
        raise NotYet(INVENTED)
    quarter = len(rows) // 4
    if len(held_out) != quarter:
        cause = EXCHANGED if len(train) == quarter else ""
        raise NotYet(QUARTER, cause, count=len(held_out), all=len(rows), wanted=quarter)
    if list(held_out) in (rows[:quarter], rows[-quarter:]):
        raise NotYet(NOT_MIXED)
    if list(called(answer, [*rows])[1]) != list(held_out):
        raise NotYet(EACH_TIME)
    return _("Each row in one list, a quarter held out, the same at every run.")
