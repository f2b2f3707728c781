"""The course's table of contents: every lesson, what it is called, how long it takes, and its exercises."""

from __future__ import annotations

import html
import importlib
import importlib.util
from typing import NamedTuple

from prefix_lab.course import progress
from prefix_lab.course.checking import EXERCISES


class Lesson(NamedTuple):
    """One lesson: its number, its file in notebooks/source, its title, and how many minutes it takes."""

    number: int
    file: str
    title: str
    minutes: int

    @property
    def exercises(self) -> list[str]:
        """The titles of its exercises, in order; the checks say them."""
        name = f"prefix_lab.course.lessons.lesson_{self.number:02}"
        if importlib.util.find_spec(name) is None:
            return []
        importlib.import_module(name)
        own = sorted(one for one in EXERCISES.values() if one.lesson == self.number)
        return [one.title for one in own]


LESSONS = (
    Lesson(0, "00_start_here", "Start here", 10),
    Lesson(1, "01_a_prefix_by_hand", "A prefix by hand", 20),
    Lesson(2, "02_step_into_get_peft_model", "Step into get_peft_model", 20),
    Lesson(3, "03_from_task_type_to_class", "From task type to class", 15),
    Lesson(4, "04_preparing_the_config", "Preparing the config", 20),
    Lesson(5, "05_prefix_encoder", "PrefixEncoder", 20),
    Lesson(6, "06_from_one_vector_to_keys_and_values", "From one vector to keys and values", 25),
    Lesson(7, "07_how_gpt2_and_llama_read_it", "How GPT-2 and Llama read it", 25),
    Lesson(8, "08_how_t5_reads_it", "How T5 reads it: a detective story", 25),
    Lesson(9, "09_six_tasks_six_forwards", "Six tasks, six forwards", 20),
    Lesson(10, "10_breakpoints_three_ways", "Breakpoints three ways", 25),
    Lesson(11, "11_train_it", "Train it", 25),
    Lesson(12, "12_save_load_serve", "Save, load, serve", 25),
    Lesson(13, "13_lora_the_other_branch", "LoRA, the other branch", 20),
    Lesson(14, "14_bug_hunts", "Bug hunts", 60),
)


def lesson(number: int) -> Lesson:
    """The lesson of that number. Raises `ValueError` that lists them."""
    for one in LESSONS:
        if one.number == number:
            return one
    raise ValueError(f"lesson={number!r}, expected one of {', '.join(str(one.number) for one in LESSONS)}.")


class Progress:
    """What is done and what is left, of one lesson or of the course; text in a terminal, a table in a notebook."""

    def __init__(self, number: int | None = None):
        self.lessons = LESSONS if number is None else (lesson(number),)
        self.whole = number is None
        self.done = progress.done()

    def rows(self) -> list[tuple[str, int, int, list[str]]]:
        """Title, exercises solved, exercises in all, and the titles of those that are left."""
        found = []
        for one in self.lessons:
            solved = self.done.get(one.number, set())
            left = [title for number, title in enumerate(one.exercises, 1) if number not in solved]
            found.append((f"{one.number:02} · {one.title}", len(one.exercises) - len(left), len(one.exercises), left))
        return found

    def __repr__(self) -> str:
        lines = []
        for title, solved, count, left in self.rows():
            mark = "✓" if not left else " "
            rest = f"   left: {'; '.join(left)}" if left and (solved or not self.whole) else ""
            lines.append(f"{mark} {title:44} {solved} of {count}{rest}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓' if not left else ''}</td><td style='text-align: left'>{html.escape(title)}</td>"
            f"<td>{solved} of {count}</td><td style='text-align: left'>{html.escape('; '.join(left))}</td></tr>"
            for title, solved, count, left in self.rows()
        )
        heads = "".join(f"<th style='text-align: left'>{head}</th>" for head in ("", "lesson", "solved", "left"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def show_progress(number: int | None = None) -> Progress:
    """What is done: of one lesson, or without a number of the whole course."""
    return Progress(number)
