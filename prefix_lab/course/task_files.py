"""A task from a learner's own file: CSV with a line of column names, or JSON lines; a bad row never costs the rest."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prefix_lab.course.task_heads import (
    TaskForFeatureExtraction,
    TaskForQuestionAnswering,
    TaskForSequenceClassification,
    TaskForTokenClassification,
)
from prefix_lab.course.tasks import PARTS, TaskForCausalLM, TaskForSeq2SeqLM, TaskOfExamples

COLUMNS: dict[str, tuple[type[TaskOfExamples], tuple[str, ...]]] = {
    "SEQ_2_SEQ_LM": (TaskForSeq2SeqLM, ("source", "target")),
    "CAUSAL_LM": (TaskForCausalLM, ("source", "target")),
    "SEQ_CLS": (TaskForSequenceClassification, ("text", "label")),
    "TOKEN_CLS": (TaskForTokenClassification, ("words", "labels")),
    "QUESTION_ANS": (TaskForQuestionAnswering, ("question", "text", "answer")),
    "FEATURE_EXTRACTION": (TaskForFeatureExtraction, ("text", "other")),
}
"""Task type → its class, and the columns of a file for it. A column `part`, with train or test, is welcome in each."""

KEPT = "{file}: all {kept:,} rows are kept."
LEFT_OUT = "{file}: {kept:,} rows are kept, {bad:,} are left out: {which}."
WHICH = "line {line} ({why})"
MORE = "and {count:,} more"
SHOWN = 8  # lines that are told one by one


class BadRow(ValueError):
    """Why a row cannot be used, in a few words."""


class Read(NamedTuple):
    """A line of the file: its number, from 1, and its cells by column, or why it has none."""

    line: int
    cells: dict[str, Any] | BadRow


def task_from_file(path: str | Path, task_type: str = "SEQ_2_SEQ_LM", name: str | None = None) -> TaskOfExamples:
    """A task of this type from a `.csv` or `.jsonl` file in UTF-8; `COLUMNS` has the columns that it needs.

    Words and their labels are lists in JSON, and stand with spaces between them in CSV. Without a column `part`, one
    row in ten is held out. What is kept and what is left out, and why, is printed as one sentence. Raises `ValueError`
    for a file that gives no row or lacks a column, `FileNotFoundError` where there is none.
    """
    path = Path(path)
    if task_type not in COLUMNS:
        raise ValueError(f"task_type={task_type!r}, expected one of: {', '.join(COLUMNS)}.")
    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r} is no file, expected a .csv or .jsonl file.")
    readers = {".csv": csv_lines, ".jsonl": json_lines}
    if path.suffix.lower() not in readers:
        raise ValueError(f"path={str(path)!r} ends in {path.suffix!r}, expected .csv (with column names) or .jsonl.")
    kind, columns = COLUMNS[task_type]
    kept: dict[str, list[Any]] = {part: [] for part in ("", *PARTS)}  # "" for rows that do not say
    bad: list[tuple[int, BadRow]] = []
    for line, cells in readers[path.suffix.lower()](path, columns):
        try:
            if isinstance(cells, BadRow):
                raise cells
            kept[part_of(cells)].append(example_of(cells, columns, task_type))
        except BadRow as problem:
            bad.append((line, problem))
    count = sum(map(len, kept.values()))
    which = ", ".join(WHICH.format(line=line, why=why) for line, why in bad[:SHOWN])
    which += f", {MORE.format(count=len(bad) - SHOWN)}" if len(bad) > SHOWN else ""
    said = (LEFT_OUT if bad else KEPT).format(file=path.name, kept=count, bad=len(bad), which=which)
    if not count:
        raise ValueError(f"No row of path={str(path)!r} can be used. {said}")
    print(said)
    return kind(name or path.stem, [*kept[""], *kept["train"]], kept["test"] or None)


def part_of(cells: dict[str, Any]) -> str:
    """Which part the row is for, empty where it does not say."""
    part = cells.get("part") or ""
    if part and part not in PARTS:
        raise BadRow(f"part is {part!r}, neither train nor test")
    return part


def example_of(cells: dict[str, Any], columns: tuple[str, ...], task_type: str) -> tuple[Any, ...]:
    """The row as the task's class wants it."""
    if task_type == "TOKEN_CLS":
        words, labels = (listed(name, cells.get(name)) for name in columns)
        if len(words) != len(labels):
            raise BadRow(f"{len(words)} words and {len(labels)} labels")
        return words, labels
    row = tuple(text_of(name, cells.get(name)) for name in columns)
    if task_type == "QUESTION_ANS" and row[2] not in row[1]:
        raise BadRow("the answer is no piece of the text")
    return row


def text_of(name: str, value: Any) -> str:
    """One cell as text; a number will do."""
    if not isinstance(value, str | int | float):
        raise BadRow(f"no {name}" if value is None else f"{name} is no text")
    if not str(value).strip():
        raise BadRow(f"no {name}")
    return str(value).strip()


def listed(name: str, value: Any) -> list[str]:
    """One cell as a list of texts."""
    if isinstance(value, list) and value:
        return [text_of(name, one) for one in value]
    return text_of(name, value).split()


def csv_lines(path: Path, columns: tuple[str, ...]) -> Iterator[Read]:
    """The rows below the line of names; commas, semicolons or tabs stand between cells."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(keepends=True), delimiter=max(",;\t", key=first.count))
    names = reader.fieldnames or []
    if missing := [name for name in columns if name not in names]:
        raise ValueError(
            f"path={str(path)!r} has the columns {', '.join(map(repr, names)) or 'of no name'}, and lacks "
            f"{', '.join(map(repr, missing))}. The first line must name the columns."
        )
    for cells in reader:
        wrong = "more cells than columns" if None in cells else not_text(cells.values())
        yield Read(reader.line_num, BadRow(wrong) if wrong else cells)


def json_lines(path: Path, columns: tuple[str, ...]) -> Iterator[Read]:
    """One JSON object a line; empty lines are nothing."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError:
            yield Read(number, BadRow("no JSON"))
            continue
        wrong = not_text([line]) if isinstance(cells, dict) else "no JSON object"
        yield Read(number, BadRow(wrong) if wrong else cells)


def not_text(values: Any) -> str:
    """What is wrong with bytes that are not UTF-8; empty for those that are."""
    return "not UTF-8" if any("\ufffd" in value for value in values if value) else ""
