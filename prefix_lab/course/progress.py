"""The course's lessons and their exercises, and which of them a learner has solved.

What is solved is noted in a small file on this machine, and nothing is sent anywhere. It is `progress.json` in the
user's data folder; the environment's PREFIX_LAB_PROGRESS names another one, and an empty value keeps no notes.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_data_path

from prefix_lab.debugger.storage import write_whole
from prefix_lab.widgets.table import Table, table


class Lesson(NamedTuple):
    """One lesson: its number, its file in notebooks/source, its title, and how many minutes it takes."""

    number: int
    file: str
    title: str
    minutes: int


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

EXERCISES = {
    0: ("say a shape before it is there", "which stage would you look at?"),
    1: ("attend with a prefix", "the share that the prefix takes", "does the order of virtual tokens matter?"),
    2: ("how wide is a virtual token?", "view and permute"),
    3: ("which class for which job?", "what happens then?", "a registry of your own"),
    4: ("read the sizes", "rescue flan-t5-small", "a config for the next model"),
    5: (
        "one layer's key and value",
        "the shape inside the projection",
        "parameters of both forms",
        "fold the projection away",
    ),
    6: ("an address in the long vector", "the shape after view", "a cache, turned back into a table"),
    7: ("mask and positions", "whose key does a head read?", "attention without the prefix's share"),
    8: ("rows that never learn", "which rows a decoder layer reads", "does the encoder see the prefix?"),
    9: (
        "the line where the mask grows",
        "which mask arrives how wide?",
        "end the forward yourself",
        "count what trains",
    ),
    10: ("commands for pdb", "what split makes", "only in the second layer"),
    11: ("what the optimizer gets", "one step of training", "how far did each row move?"),
    12: ("how many bytes are kept?", "what goes into the file", "go on from a file", "serve several from one base"),
    13: ("how many numbers does LoRA train?", "the stale total", "a LoRA layer of your own", "merge it"),
    14: (
        "hunt 1 · nothing learns",
        "hunt 2 · the right shape",
        "hunt 3 · a mask of ones",
        "hunt 4 · who reads which row",
        "hunt 5 · a classifier that guesses",
        "hunt 6 · twice as many numbers",
        "hunt 7 · a loss that will not fall",
        "hunt 8 · steps too small to see",
        "hunt 9 · deaf to the source",
        "hunt 10 · right once, then wrong",
    ),
}
"""Lesson → the titles of its exercises, in order."""

EFFORT = {
    0: ((1, 3), (1, 2)),
    1: ((1, 4), (1, 3), (2, 4)),
    2: ((1, 2), (2, 4)),
    3: ((1, 2), (2, 3), (2, 5)),
    4: ((2, 5), (1, 2), (2, 4)),
    5: ((2, 4), (1, 2), (2, 4), (2, 3)),
    6: ((2, 4), (1, 2), (3, 7)),
    7: ((2, 4), (2, 3), (2, 3)),
    8: ((2, 5), (3, 5), (2, 4)),
    9: ((1, 2), (1, 3), (2, 4), (1, 2)),
    10: ((2, 4), (2, 5), (1, 2)),
    11: ((1, 2), (2, 4), (2, 4)),
    12: ((1, 2), (1, 2), (2, 3), (2, 5)),
    13: ((1, 2), (1, 2), (2, 6), (1, 2)),
    14: ((1, 5), (1, 5), (2, 6), (2, 6), (3, 7), (1, 5), (2, 6), (2, 6), (3, 7), (3, 7)),
}
"""Lesson → for each exercise how hard it is, 1 to 3, and about how many minutes it takes."""

LEFT = "Left in this lesson: {left} of {all}. What you have solved stays noted when you close the notebook."
ALL_DONE = "All exercises of this lesson are solved."


def lesson(number: int) -> Lesson:
    """The lesson of that number. Raises `ValueError` that lists them."""
    for one in LESSONS:
        if one.number == number:
            return one
    raise ValueError(f"lesson={number!r}, expected one of {', '.join(str(one.number) for one in LESSONS)}.")


def show_progress(number: int | None = None) -> Table:
    """Each exercise of a lesson with a ✓ when it is solved; without a number each lesson, and what comes next in it."""
    notes = done()
    if number is not None:
        solved, titles = notes.get(lesson(number).number, set()), EXERCISES[number]
        rows = [("✓" if place in solved else "○", f"{place} · {title}") for place, title in enumerate(titles, 1)]
        left = len(titles) - len(solved.intersection(range(1, len(titles) + 1)))
        return table(("", "exercise"), rows, (ALL_DONE if left == 0 else LEFT).format(left=left, all=len(titles)))
    rows = []
    for one in LESSONS:
        solved, titles = notes.get(one.number, set()), EXERCISES[one.number]
        left = [f"{place} · {title}" for place, title in enumerate(titles, 1) if place not in solved]
        count = f"{len(titles) - len(left)} of {len(titles)}"
        after = left[0] if left and solved else ""
        rows.append(("" if left else "✓", f"{one.number:02} · {one.title}", count, after))
    return table(("", "lesson", "solved", "next in it"), rows)


def done() -> dict[int, set[int]]:
    """Lesson → the exercises that were solved. What cannot be read, or is none of ours, says nothing."""
    solved: dict[int, set[int]] = {}
    path = file()
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, ValueError):
        return {}
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            for number, places in json.loads(line)["done"].items():
                solved.setdefault(int(number), set()).update(map(int, places))
    return {number: places for number, places in solved.items() if places}


def note(lesson: int, number: int) -> None:
    """An exercise was solved. A learner whose home cannot be written to learns all the same."""
    if number not in done().get(lesson, ()) and (path := file()):
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as notes:  # lessons that are open at once each add their own line
                notes.write("\n" + json.dumps({"done": {str(lesson): [number]}}) + "\n")


def reset(lesson: int | None = None) -> None:
    """Forget one lesson, or all."""
    kept = {} if lesson is None else {str(one): sorted(places) for one, places in done().items() if one != lesson}
    if path := file():
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps({"done": kept}).encode())


def file() -> Path | None:
    """Where the notes are; None where none are kept."""
    chosen = os.environ.get("PREFIX_LAB_PROGRESS")
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    try:
        path = user_data_path("prefix_lab", appauthor=False) / "progress.json"
    except RuntimeError:  # a user without a home, as in a container
        return None
    return path if path.is_absolute() else None  # older versions of platformdirs give "~/…" then
