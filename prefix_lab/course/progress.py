"""The course's lessons and their exercises, and which of them a learner has solved.

What is solved, and the likely cause of an answer that was wrong, is noted in a small file on this machine, and nothing
is sent anywhere. It is `progress.json` in the user's data folder; the environment's PREFIX_LAB_PROGRESS names another
one, and an empty value keeps no notes.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_data_path

from prefix_lab.debugger.storage import write_whole
from prefix_lab.locale import N_, _
from prefix_lab.widgets.table import Table, table


class Lesson(NamedTuple):
    """One lesson: its number, its file in notebooks/source, its title, and how many minutes it takes."""

    number: int
    file: str
    title: str
    minutes: int


LESSONS = (
    Lesson(0, "00_start_here", "Start here", 15),
    Lesson(1, "01_step_into_get_peft_model", "Step into get_peft_model", 35),
    Lesson(2, "02_a_prefix_by_hand", "A prefix by hand", 20),
    Lesson(3, "03_train_it", "Train it", 25),
    Lesson(4, "04_from_task_type_to_class", "From task type to class", 20),
    Lesson(5, "05_preparing_the_config", "Preparing the config", 25),
    Lesson(6, "06_prefix_encoder", "PrefixEncoder", 25),
    Lesson(7, "07_from_one_vector_to_keys_and_values", "From one vector to keys and values", 30),
    Lesson(8, "08_how_gpt2_and_llama_read_it", "How GPT-2 and Llama read it", 30),
    Lesson(9, "09_how_t5_reads_it", "How T5 reads it: a detective story", 30),
    Lesson(10, "10_six_tasks_six_forwards", "Six tasks, six forwards", 30),
    Lesson(11, "11_save_load_serve", "Save, load, serve", 25),
    Lesson(12, "12_breakpoints_three_ways", "Breakpoints three ways", 30),
    Lesson(13, "13_lora_the_other_branch", "LoRA, the other branch", 25),
    Lesson(14, "14_bug_hunts", "Bug hunts", 75),
    Lesson(15, "15_capstone_your_own_data", "Capstone: your own data", 60),
    Lesson(16, "16_2023_and_now", "2023 and now", 25),
)


class Exercise(NamedTuple):
    """One exercise: what it is noted by, its title, how hard it is (1 to 3), and about how many minutes it takes."""

    key: str
    title: str
    level: int
    minutes: int


EXERCISES = {
    0: (
        Exercise("what_is_added", "what is a prefix?", 1, 2),
        Exercise("first_shape", "say a shape before it is there", 1, 3),
    ),
    1: (
        Exercise("chosen", "which class, and in which table?", 1, 4),
        Exercise("sizes_from", "from which names?", 2, 5),
        Exercise("frozen", "before, after, and who called", 2, 5),
        Exercise("asked_by", "who asked for the prefix?", 2, 4),
        Exercise("who_prepares", "who prepares today?", 1, 2),
    ),
    2: (
        Exercise("attend_with_prefix", "attend with a prefix", 1, 4),
        Exercise("prefix_share", "the share that the prefix takes", 1, 3),
        Exercise("same_line", "the same line, in a debugger", 2, 4),
        Exercise("order", "does the order of virtual tokens matter?", 2, 4),
    ),
    3: (
        Exercise("labels", "what is to be learnt", 1, 3),
        Exercise("step", "one step of training", 2, 4),
        Exercise("gradient", "where is the gradient?", 2, 5),
        Exercise("why_none", "why has GPT-2 none?", 1, 2),
    ),
    4: (
        Exercise("classes", "which class for which job?", 1, 2),
        Exercise("outcomes", "what happens then?", 2, 3),
        Exercise("no_task_type", "where the two part", 1, 4),
        Exercise("who_fills", "who calls it?", 1, 3),
    ),
    5: (
        Exercise("not_asked_for", "a name that nobody asks for", 1, 4),
        Exercise("rescue", "rescue flan-t5-small", 2, 3),
        Exercise("grouped", "a size that is written twice", 2, 4),
        Exercise("next_model", "a config for the next model", 2, 2),
    ),
    6: (
        Exercise("encode_shapes", "two steps instead of one", 1, 4),
        Exercise("more_tokens", "twice as many virtual tokens", 1, 2),
        Exercise("fold", "fold the projection away", 2, 4),
        Exercise("no_transform", "the branch not taken", 2, 4),
    ),
    7: (
        Exercise("followed", "follow 3400", 2, 6),
        Exercise("view_and_permute", "view and permute", 2, 4),
        Exercise("address", "an address in the long vector", 2, 4),
    ),
    8: (
        Exercise("arrives", "what is handed on", 2, 4),
        Exercise("keys_join", "where keys are joined", 2, 5),
        Exercise("why_there", "why there?", 2, 3),
        Exercise("content", "attention without the prefix's share", 2, 3),
        Exercise("kv_head", "whose key does a head read?", 1, 2),
    ),
    9: (
        Exercise("silent_rows", "rows that never learn", 2, 5),
        Exercise("twins", "the twins", 2, 4),
        Exercise("crossing", "does cross-attention get a prefix?", 2, 3),
        Exercise("rows_of", "which rows a decoder layer reads", 3, 5),
        Exercise("encoder_sees", "which measurement tells?", 1, 2),
    ),
    10: (
        Exercise("causal_lm", "CAUSAL_LM", 1, 2),
        Exercise("seq_2_seq_lm", "SEQ_2_SEQ_LM", 1, 2),
        Exercise("seq_cls", "SEQ_CLS", 2, 3),
        Exercise("token_cls", "TOKEN_CLS", 1, 2),
        Exercise("question_ans", "QUESTION_ANS", 2, 3),
        Exercise("feature_extraction", "FEATURE_EXTRACTION", 1, 2),
        Exercise("ending", "end the forward yourself", 2, 4),
        Exercise("which_trains", "in which tasks does a head train?", 1, 2),
    ),
    11: (
        Exercise("kept_keys", "which keys are written?", 2, 5),
        Exercise("loaded", "who takes the numbers?", 2, 4),
        Exercise("serve", "serve several from one base", 2, 5),
        Exercise("who_notices", "who notices?", 1, 2),
    ),
    12: (
        Exercise("watched", "the line that doubles", 2, 6),
        Exercise("condition", "only in the second layer", 1, 2),
        Exercise("unread", "a prefix that nobody reads", 2, 5),
        Exercise("which_tool", "choose", 1, 3),
    ),
    13: (
        Exercise("lora_branch", "on LoRA's side of the fork", 2, 4),
        Exercise("lora_learns_first", "which matrix learns first?", 2, 3),
        Exercise("lora_layer", "a LoRA layer of your own", 2, 6),
        Exercise("merge", "merge it", 1, 2),
        Exercise("stale_total", "the stale total", 1, 2),
    ),
    14: (
        Exercise("hunt_1", "hunt 1 · every shape is right", 2, 9),
        Exercise("hunt_2", "hunt 2 · alone right, together wrong", 1, 8),
        Exercise("hunt_3", "hunt 3 · it learns, but not as well", 3, 9),
        Exercise("hunt_4", "hunt 4 · the second text", 2, 8),
        Exercise("hunt_5", "hunt 5 · steps too small to see", 2, 8),
        Exercise("hunt_6", "hunt 6 · two go in, one comes out", 3, 10),
        Exercise("hunt_7", "hunt 7 · right once, then wrong", 2, 9),
    ),
    15: (
        Exercise("capstone_split", "hold some rows out", 1, 3),
        Exercise("capstone_batch", "a batch", 3, 10),
        Exercise("capstone_fit", "the loop", 2, 6),
        Exercise("capstone_learnt", "is it better than before?", 1, 4),
        Exercise("capstone_load", "load it", 1, 3),
        Exercise("capstone_compared", "three numbers for each", 2, 5),
        Exercise("capstone_wrapper", "which class wraps it, and what decided?", 1, 3),
        Exercise("capstone_width", "token_dim · num_layers · 2", 2, 3),
        Exercise("capstone_mask", "how wide is the mask that arrives?", 2, 3),
        Exercise("capstone_gradient", "which parameter gets a gradient?", 2, 3),
        Exercise("capstone_saved", "which keys stand in the saved file?", 1, 3),
    ),
    16: (
        Exercise("equal_until", "equal, up to where?", 1, 3),
        Exercise("prepared", "the first change: another branch", 1, 4),
        Exercise("handed_on", "the second change: what is handed on", 2, 5),
        Exercise("text_unread", "the third change: when was the text not read?", 2, 5),
    ),
}
"""Lesson → its exercises, in order. Titles are in the catalogue, and translated where they are shown."""

LEFT = N_("Left in this lesson: {left} of {all}. What you have solved stays noted when you close the notebook.")
ALL_DONE = N_("All exercises of this lesson are solved.")


def lesson(number: int) -> Lesson:
    """The lesson of that number. Raises `ValueError` that lists them."""
    for one in LESSONS:
        if one.number == number:
            return one
    raise ValueError(f"lesson={number!r}, expected one of {', '.join(str(one.number) for one in LESSONS)}.")


def show_progress(number: int | None = None) -> Table:
    """Each exercise of a lesson with a ✓ when it is solved; without a number each lesson, and what comes next in it."""
    solved = done()
    if number is not None:
        exercises = EXERCISES[lesson(number).number]
        titles = [f"{place} · {_(one.title)}" for place, one in enumerate(exercises, 1)]
        rows = [("✓" if one.key in solved else "○", title) for one, title in zip(exercises, titles, strict=True)]
        left = sum(one.key not in solved for one in exercises)
        below = _(ALL_DONE) if left == 0 else _(LEFT).format(left=left, all=len(exercises))
        return table(("", N_("exercise")), rows, below)
    rows = []
    for one in LESSONS:
        exercises = EXERCISES[one.number]
        left = [f"{place} · {_(each.title)}" for place, each in enumerate(exercises, 1) if each.key not in solved]
        count = _("{solved} of {all}").format(solved=len(exercises) - len(left), all=len(exercises))
        after = left[0] if 0 < len(left) < len(exercises) else ""
        rows.append(("" if left else "✓", f"{one.number:02} · {_(one.title)}", count, after))
    return table(("", N_("lesson"), N_("solved"), N_("next in it")), rows)


def done() -> set[str]:
    """The keys of the exercises that were solved. What cannot be read, or is none of ours, says nothing."""
    solved: set[str] = set()
    for line in lines():
        with suppress(KeyError, TypeError):
            solved.update(key for key in line["solved"] if isinstance(key, str))
    return solved


def missed() -> list[tuple[str, str]]:
    """Exercise and cause of each wrong answer, in the order in which they came; what is none is passed over."""
    found = [line["missed"] for line in lines() if isinstance(line, dict) and "missed" in line]
    return [tuple(one) for one in found if isinstance(one, list) and [*map(type, one)] == [str, str]]


def of_lesson(number: int) -> set[str]:
    """The keys of its exercises."""
    return {one.key for one in EXERCISES[number]}


def lines() -> list[Any]:
    """What the notes hold, one line of JSON after the other; what is none is passed over."""
    path, found = file(), []
    try:
        texts = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, ValueError):
        return []
    for text in texts:
        with suppress(ValueError):
            found.append(json.loads(text))
    return found


def note(key: str) -> None:
    """An exercise was solved."""
    if key not in done():
        add({"solved": [key]})


def note_missed(key: str, cause: str) -> None:
    """An answer was wrong, for this cause; once, until another cause is found."""
    if next((last for exercise, last in reversed(missed()) if exercise == key), None) != cause:
        add({"missed": [key, cause]})


def add(line: dict[str, Any]) -> None:
    """One more line of notes. A learner whose home cannot be written to learns all the same."""
    if path := file():
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as notes:  # lessons that are open at once each add their own line
                notes.write("\n" + json.dumps(line) + "\n")


def reset(lesson: int | None = None) -> None:
    """Forget one lesson, with its stamps in the passport, or all."""
    left = done() - of_lesson(lesson) if lesson is not None else set()
    kept = [{"solved": sorted(left)}]
    for line in lines():
        stamp = line.get("passport") if isinstance(line, dict) else None
        if isinstance(stamp, dict) and stamp.get("exercise") in left:
            kept.append({"passport": stamp})
    kept += [{"missed": [*one]} for one in missed() if lesson is not None and one[0] not in of_lesson(lesson)]
    if path := file():
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, "\n".join(map(json.dumps, kept)).encode())


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
