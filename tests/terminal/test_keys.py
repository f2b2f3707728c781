"""The replay driven by its keys, as a person drives it."""

import asyncio
import threading

import pytest

from prefix_lab.debugger.placing import Interrupted
from prefix_lab.terminal import keys
from prefix_lab.terminal.keys import KEYS, Replay
from tests.terminal.programs import recorded, replayed, screens, step_of, walked


def test_step_over_stays_in_the_function_and_goes_back_the_same_way(doubles):
    start = step_of(doubles, "total += double(i)")
    there = step_of(doubles, "for i in", 1)
    keys = ("n", "N", "j", "k", "f10", "p", "n", "shift+f10", "n", "f22")
    assert walked(doubles, *keys, first=start) == [there, start] * 5


def test_step_in_goes_to_the_very_next_step_and_back(doubles):
    start = step_of(doubles, "total += double(i)")
    keys = ("s", "S", "l", "left", "f11", "S", "right", "left")
    assert walked(doubles, *keys, first=start) == [start + 1, start] * 4
    assert replayed(doubles, "s", first=start).heading == " program.py:1  in double  is called; its arguments are below"


def test_step_out_goes_on_in_the_caller_and_backwards_to_the_call(doubles):
    start, inside = step_of(doubles, "total += double(i)"), step_of(doubles, "y.append(x)")
    there = step_of(doubles, "for i in", 1)
    keys = ("o", "u", "shift+f11", "u", "f23", "u", "O")
    assert walked(doubles, *keys, first=inside) == [there, inside, there, inside, there, inside, start]


def test_keys_come_as_a_terminal_sends_them_too(doubles):
    keys = ("s", "s", "S", "n", "colon", "5", "enter", "G", "u", "question_mark", "escape", "N")
    assert walked(doubles, *keys, slowly=True) == [1, 2, 1, 2, 2, 2, 5, len(doubles) - 1, 5, 5, 5, 4]


def test_at_either_end_it_stays_and_says_so(doubles):
    last = len(doubles) - 1
    assert walked(doubles, "G", "g", "end", "home") == [last, 0, last, 0]
    seen = screens(doubles, "N", "S", "O", "G", "n", "s", "o")[1:]
    assert [one.index for one in seen] == [0, 0, 0, last, last, last, last]
    assert [one.message for one in seen if one.index == 0] == ["This is the first step."] * 3
    assert [one.message for one in seen[4:]] == ["This is the last step."] * 3


def test_a_number_goes_to_its_step(doubles):
    assert walked(doubles, "colon", "'12'", "enter", "t", "'5'", "enter")[2::3] == [12, 5]
    wrong, mended = screens(doubles, "t", "'9,999'", "enter", "'1_2'", "enter")[3::2]
    assert (wrong.index, wrong.asking, mended.index, mended.asking) == (0, True, 12, False)
    assert wrong.message == f"'9,999' is no step; type a number from 0 to {len(doubles) - 1}."
    assert replayed(doubles, "t", "'-1'", "enter", "escape").asking is False


def test_a_jump_can_be_undone_and_single_steps_do_not_count(doubles):
    last = len(doubles) - 1
    assert walked(doubles, "colon", "'12'", "enter", "s", "s", "G", "u", "u")[2:] == [12, 13, 14, last, 14, 0]
    assert replayed(doubles, "u").message == "No jump to undo."


def test_a_breakpoint_at_a_function_is_run_on_to_and_back_to(doubles):
    calls = [step.index for step in doubles.find(function="double", event="call")]
    last = len(doubles) - 1
    keys = ("B", "'double'", "enter", "c", "f5", "C", "c", "shift+f5", "c", "f17", "G", "c")
    seen = screens(doubles, *keys)[3:]
    assert (seen[0].message, seen[0].breakpoints[0]) == ("double: c runs on to it, C runs back to it.", "● double")
    first, second = calls[:2]
    assert [one.index for one in seen] == [0, first, second, first, second, first, second, first, last, last]
    assert seen[1].message == "Stopped at double."
    assert seen[-1].message == "No breakpoint is reached after this step."


def test_a_breakpoint_at_a_line_is_marked_beside_it(doubles):
    seen = replayed(doubles, "B", "'program.py:3'", "enter", "c")
    assert seen.index == step_of(doubles, "y.append(x)")
    assert seen.line("y.append(x)").startswith("●▶")
    assert replayed(doubles, "B", "'3'", "enter", "c").index == seen.index


def test_a_condition_stops_where_it_holds(doubles):
    seen = replayed(doubles, "B", "'x == 2'", "enter", "c")
    assert (seen.heading.split()[2], seen.locals[0]) == ("double", "  x  2")
    seen = replayed(doubles, "B", "'double if x > 2'", "enter", "c")
    assert seen.index == doubles.find(function="double", event="call")[3].index
    seen = replayed(doubles, "B", "'program.py:3 if x == 1'", "enter", "c")
    assert seen.index == step_of(doubles, "y.append(x)", 1)


def test_the_nearest_of_several_breakpoints_is_the_next(doubles):
    indices = walked(doubles, "B", "'4'", "enter", "B", "'2'", "enter", "c", "c", "G", "C")
    two, four = step_of(doubles, "y = [x]"), step_of(doubles, "return sum(y)")
    assert indices[6:] == [two, four, len(doubles) - 1, step_of(doubles, "return sum(y)", 3)]


def test_a_breakpoint_is_taken_away_by_setting_it_again_and_all_by_a_capital_d(doubles):
    here = step_of(doubles, "y = [x]")
    seen = screens(doubles, "f9", "f9", "f9", "B", "'double'", "enter", "D", "c", first=here)
    assert seen[1].breakpoints[0] == "● program.py:2"
    assert seen[2].message == "program.py:2: taken away."
    assert seen[6].breakpoints[:2] == ["● program.py:2", "● double"]
    assert (seen[7].index, seen[7].message) == (here, "No breakpoint is set now.")
    assert seen[8].message == "No breakpoint is set: b sets one here, B elsewhere. G goes to the last step."


def test_a_breakpoint_that_could_never_be_reached_is_refused_and_can_be_mended(doubles):
    refused = {
        "doubel": "No function 'doubel' was called in this recording. Near it: double.",
        "program.py:99": "program.py:99 never ran in this recording. Lines near it that did: 10, 12.",
        "nowhere.py:5": "nowhere.py:5 never ran in this recording. No line of that file did.",
        "9999999999": "program.py:9999999999 never ran in this recording. Lines near it that did: 10, 12.",
        "zz > 3": "zz was not recorded there. Known there: ",
        "x ==": "is not an expression",
        "print(x) > 3": "cannot be worked out on a recording",
        "1 + 1 if x": "'1 + 1' is no place.",
        " ": "Type a stage, a function, file.py:30, x changes, raises, or i == 5.",
    }
    keys = [key for typed in refused for key in (f"'{typed}'", "enter")]
    seen = screens(doubles, "B", *keys)[3::2]
    for one, told in zip(seen, refused.values(), strict=True):
        assert told in one.message
        assert (one.asking, any(one.breakpoints)) == (True, False)


def test_a_search_for_a_breakpoint_can_be_given_up(doubles, monkeypatch):
    def endless(*_, given_up):
        while not given_up():
            threading.Event().wait(0.01)
        raise Interrupted

    monkeypatch.setattr(keys, "nearest", endless)

    async def give_up(key):
        app = Replay(doubles)
        async with app.run_test() as pilot:
            await pilot.press("s", "f9", "c")
            running = [worker.is_running for worker in app.workers]
            await pilot.press(key)
            await pilot.pause()
            return running, list(app.workers), app.state.index

    assert asyncio.run(give_up("escape")) == ([True], [], 1)
    assert asyncio.run(give_up("s")) == ([True], [], 2)


def test_a_text_is_searched_and_its_places_are_walked(doubles):
    found = [step.index for step in doubles.find(text="append")]
    keys = ("full_stop", "f3", "comma", "shift+f3", "full_stop", "f15", "comma", "u")
    seen = screens(doubles, "slash", "'append'", "enter", *keys)[3:]
    assert seen[0].message == "'append': 1 of 4 places.  . next  , previous"
    assert [one.index for one in seen] == [found[at] for at in (0, 1, 2, 1, 0, 1, 0, 0, 1)]
    assert seen[-2].message == "No earlier place; found in all: 4."


def test_a_search_begins_where_one_stands(doubles):
    found = [step.index for step in doubles.find(text="append")]
    assert replayed(doubles, "slash", "'append'", "enter", first=found[1] - 1).index == found[1]
    assert replayed(doubles, "slash", "'append'", "enter", first=len(doubles) - 1).index == found[0]


def test_a_search_that_finds_nothing_says_so(doubles):
    seen = screens(doubles, "full_stop", "slash", "enter", "'nowhere'", "enter")
    assert seen[1].message == "Nothing was found yet: / asks for a text."
    assert seen[3].message.startswith("Type a text")
    assert seen[5].message == "'nowhere' was not found."


def test_the_history_of_a_name_is_a_list_to_jump_from(doubles):
    inside = step_of(doubles, "return total")
    seen = screens(doubles, "h", "'z'", "enter", "'total'", "enter", "up", "k", "down", "up", "enter", first=inside)
    assert "'z' never had a value in main" in seen[3].message
    assert [line.split()[-1] for line in seen[5].choices if line] == ["0", "0", "2", "6", "12"]
    assert (seen[-1].index, seen[-1].choices) == (doubles.history("total", inside)[2][0].index, [])
    assert replayed(doubles, "h", "'total'", "enter", "g", "escape", first=inside).index == inside


def test_what_is_typed_is_completed_from_the_names_that_have_a_value(doubles):
    seen = replayed(doubles, "h", "t", "o", "right", "enter", first=step_of(doubles, "return total"), slowly=True)
    assert len([line for line in seen.choices if line]) == 5


def test_all_of_a_value_can_be_read(doubles):
    seen = screens(doubles, "v", "'z'", "enter", "'y'", "enter", first=step_of(doubles, "return sum(y)", 2))
    assert "'z' has no value here. Names that have: x, y." in seen[3].message
    rows = ["y  [2, 2]  list", "length  2", "0  2  int", "1  2  int"]
    assert [line.strip() for line in seen[5].choices if line] == rows
    seen = replayed(doubles, "v", "'returned'", "enter", first=doubles.find(function="double", event="return")[2].index)
    assert seen.choices[0] == "returned  4  int"


def test_the_calls_are_a_tree_to_jump_from(doubles):
    seen = screens(doubles, "i", "down", "j", "enter", name="x.recording")
    assert [line.split()[0] for line in seen[1].choices if line] == ["<module>", "main", "double"]
    assert "4×" in seen[1].choices[2]
    assert seen[-1].index == doubles.find(function="double")[0].index


def test_help_lists_every_key_and_closes(doubles):
    seen = screens(doubles, "question_mark", "escape", "f1", "q", "question_mark", "question_mark", size=(100, 60))
    rows = [line.strip() for line in seen[1].choices if line]
    assert (len(rows), rows[-1].split()) == (len(KEYS), ["q", "Ctrl+C", "Quit"])
    assert [bool(one.choices) for one in seen[1:]] == [True, False] * 3
    assert seen[-1].running


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_q_quits(doubles, key):
    async def quit():
        app = Replay(doubles)
        async with app.run_test() as pilot:
            await pilot.press(key)
        return app.return_code

    assert asyncio.run(quit()) == 0


def test_the_source_can_be_looked_at_without_moving(tmp_path):
    source = "\n".join(["x = 0", *(f"x = {n}  # {'-' * 90} end" for n in range(1, 60))])
    recording = recorded(tmp_path, source)
    keys = ("down", "up", "pagedown", "pageup", "greater_than_sign", "less_than_sign")
    top, down, up, paged, back, right, left = (one.source for one in screens(recording, *keys))
    assert (down[0], paged[0]) == (top[1], top[10])
    assert top == up == back == left
    assert right[1].startswith("    2 ---")
    assert {one.index for one in screens(recording, *keys)} == {0}


def test_steps_go_past_comprehensions_and_past_a_function_that_is_named(doubles, tmp_path):
    recording = recorded(tmp_path, "def f(x):\n    return x\n\ntotal = sum(f(i) for i in range(2))\nlast = total\n")
    start = step_of(recording, "total = sum")
    seen = screens(recording, "s", "s", "s", "s", "s", "s", "s", first=start)
    assert [one.heading.split()[2] for one in seen[1:]] == [*["f"] * 6, "<module>"]
    call = step_of(doubles, "total += double(i)")
    seen = screens(doubles, "s", "x", "O", "s", "x", first=call)
    assert seen[2].message == "Steps go past double from now on; x changes that."
    assert [seen[3].index, seen[4].index] == [call, step_of(doubles, "for i in", 1)]
    assert seen[5].message == "Steps go past main from now on; x changes that."


def test_what_has_changed_since_a_mark_is_listed(doubles):
    first = step_of(doubles, "total += double(i)")
    seen = screens(doubles, "equals_sign", "m", "n", "n", "n", "equals_sign", first=first)
    assert seen[1].message == "No step is marked: m marks the one where you stand."
    assert seen[2].message == f"Step {first} is marked: = lists what has changed since."
    assert [line.split("  ")[:2] for line in seen[6].choices if line] == [["total", "0 → 2"], ["i", "0 → 1"]]


def test_a_move_that_leads_nowhere_says_why(tmp_path):
    recording = recorded(tmp_path, "a = 1\nb = 2\nc = 3\n")
    said = [one.message for one in screens(recording, "s", "O", "g", "S")]
    assert said[2] == "No recorded step is outside this call on that side."
    assert said[4] == "This is the first step."


def test_a_click_sets_a_breakpoint_goes_to_a_caller_or_opens_a_value(doubles):
    inside = step_of(doubles, "y.append(x)")
    seen = screens(doubles, "click #source 8 3", "click #stack 4 2", "u", "click #locals 4 2", first=inside)
    assert seen[1].breakpoints[0] == "● program.py:4"
    assert seen[2].index == step_of(doubles, "total += double(i)")
    assert seen[4].choices[0] == "y  [0]  list"


def test_a_hundred_thousand_steps_are_walked_searched_and_run_through(long):
    last = len(long) - 1
    seen = screens(long, "G", "N", "colon", "'50,000'", "enter", "n", "p", "o", "u", size=(80, 24))
    assert [seen[1].index, seen[5].index, seen[9].index] == [last, 50_000, 50_000]
    seen = replayed(long, "B", "'add if b == 19999'", "enter", "c")
    assert (seen.locals[1].split()[-2:], last - seen.index < 10) == (["b", "19999"], True)
    seen = replayed(long, "slash", "'last = i'", "enter", "full_stop")
    assert seen.message.startswith("'last = i': 2 of 20,000 places.")
    inside = step_of(long, "last = i", 5)
    seen = replayed(long, "h", "'total'", "enter", "end", "enter", first=inside)
    assert last - seen.index < 10
