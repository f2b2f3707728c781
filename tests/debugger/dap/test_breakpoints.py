"""Breakpoints over the protocol: lines that moved, conditions, counts, functions, exceptions."""

from __future__ import annotations

import pytest

from tests.debugger.dap.client import connected
from tests.debugger.dap.conftest import line_of, of_program


def test_a_breakpoint_stands_where_code_ran_and_says_where_it_moved(doubles):
    recording, path = doubles
    with connected(recording) as client:
        client.start()
        ran, comment = line_of(path, "total = 0"), line_of(path, "# a comment")
        never, header = line_of(path, "y = [more]"), line_of(path, "    x,")
        found = client.break_at(path, ran, comment, never, header, 10**6)
        assert [point["verified"] for point in found] == [True, True, False, True, False]
        assert [point["line"] for point in found] == [ran, comment + 1, never, 1, 10**6]
        told = [point.get("message", "") for point in found]
        assert told[:2] == [
            "",
            f"Line {comment} has no code of its own; moved to line {comment + 1}.",
        ]
        assert f"program.py:{never} never ran in this recording. Lines near it that did: " in told[2]
        assert told[3] == "Moved to line 1, where the function is called."
        assert len({point["id"] for point in found}) == 5
        client.break_at(path, header)
        assert client.move("continue")["reason"] == "breakpoint"  # at module level, where `def` runs
        assert client.at() == ("<module>", 1)
        client.move("continue")
        assert client.at() == ("double", 1)


def test_setting_breakpoints_replaces_those_of_the_file(walk):
    client, path = walk
    client.break_at(path, line_of(path, "y = [x]"))
    client.break_at(path, line_of(path, "total = 0"))
    client.move("continue")
    assert client.at() == ("main", line_of(path, "total = 0"))
    client.break_at(path)
    assert client.move("reverseContinue")["reason"] == "entry"


def test_a_condition_holds_back_until_it_is_true(walk):
    client, path = walk
    line = line_of(path, "y.append(x)")
    client.break_at(path, {"line": line, "condition": "x == 2 and len(y) == 1"})
    client.move("continue")
    assert client.locals() == {"x": "2", "more": "0", "y": "[2]"}
    assert client.move("continue")["reason"] == "end"
    client.move("reverseContinue")
    assert client.locals()["x"] == "2"


@pytest.mark.parametrize(
    ("hits", "stops"), [("3", [2]), ("== 1", [0]), (">= 3", [2, 3]), ("<2", [0]), ("% 2", [1, 3]), ("  ", [0, 1, 2, 3])]
)
def test_a_hit_condition_counts_from_the_beginning_whichever_way_one_comes(walk, hits, stops):
    client, path = walk
    client.break_at(path, {"line": line_of(path, "y.append(x)"), "hitCondition": hits})
    for command, expected in (("continue", stops), ("reverseContinue", stops[::-1])):
        found = []
        while client.move(command)["reason"] == "breakpoint":
            found.append(int(client.locals()["x"]))
        assert found == expected


def test_a_count_counts_the_times_that_its_condition_held(walk):
    client, path = walk
    client.break_at(path, {"line": line_of(path, "y.append(x)"), "condition": "x > 0", "hitCondition": "2"})
    client.move("continue")
    assert client.locals()["x"] == "2"
    assert client.move("continue")["reason"] == "end"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"condition": "x ="}, "is not an expression"),
        ({"condition": "x.append(1)"}, "cannot be worked out on a recording"),
        ({"condition": "nowhere == 1"}, "nowhere was not recorded there. Known there: more, x, y."),
        ({"condition": "(" * 900}, "condition"),
        ({"hitCondition": "often"}, "expected a count such as 3, >= 3 or % 3"),
        ({"hitCondition": "% 0"}, "expected a count"),
        ({"hitCondition": "0"}, "expected a count"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_breakpoint_that_could_never_stop_says_why(walk, asked, told):
    client, path = walk
    [found] = client.break_at(path, {"line": line_of(path, "y.append(x)")} | asked)
    assert not found["verified"]
    assert told in found["message"]
    assert client.move("continue")["reason"] == "end"


def test_a_file_that_is_not_recorded_is_said(doubles):
    with connected(doubles[0]) as client:
        client.start()
        [found] = client.break_at("/nowhere/else.py", 3)
        assert not found["verified"]
        assert found["message"] == "else.py is not in this recording, which has program.py."


def test_function_breakpoints_stop_where_a_function_is_called(doubles):
    recording, _ = doubles
    with connected(recording) as client:
        client.start()
        asked = [{"name": "double", "condition": "x == 3"}, {"name": "doubel"}]
        found = client.request("setFunctionBreakpoints", breakpoints=asked)["breakpoints"]
        assert [one["verified"] for one in found] == [True, False]
        assert found[1]["message"] == "No function 'doubel' was called in this recording. Near it: double."
        stop = client.move("continue")
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("function breakpoint", [found[0]["id"]])
        assert client.locals()["x"] == "3"


def exceptions(client, **filters):
    client.request("setExceptionBreakpoints", **{"filters": []} | filters)
    found = []
    while (stop := client.move("continue"))["reason"] == "exception":
        found.append((stop["threadId"], [frame["name"] for frame in client.stack(stop["threadId"])]))
    client.move("reverseContinue")
    while client.move("reverseContinue")["reason"] != "entry":
        pass
    return found


def test_exceptions_stop_where_they_are_raised_and_once(failing_walk):
    client, _ = failing_walk
    raised = exceptions(client, filters=["raised"])
    names = [thread["name"] for thread in client.request("threads")["threads"]]
    assert sorted((names[thread - 1], stack) for thread, stack in raised) == [
        ("MainThread", ["inner", "caught", "outer", "<module>"]),
        ("MainThread", ["inner", "outer", "<module>"]),
        ("other", ["inner", "caught"]),
    ]
    [(_, stack)] = exceptions(client, filters=["uncaught"])
    assert stack == ["inner", "outer", "<module>"]
    named = {"filterId": "raised", "condition": "KeyError, ArithmeticError"}
    assert len(exceptions(client, filterOptions=[named])) == 3
    assert exceptions(client, filterOptions=[named | {"condition": "KeyError"}]) == []
    assert exceptions(client) == []
    [told] = client.request("setExceptionBreakpoints", filters=["every"])["breakpoints"]
    assert told["message"] == "'every' is no filter; there are raised and uncaught."


def test_an_exception_tells_its_class_message_and_stack(failing_walk):
    client, path = failing_walk
    assert client.refused("exceptionInfo", threadId=1) == "No exception is raised at this step."
    client.request("setExceptionBreakpoints", filters=["uncaught"])
    stop = client.move("continue")
    assert stop["text"] == "ZeroDivisionError: division by zero"
    info = client.request("exceptionInfo", threadId=stop["threadId"])
    assert (info["exceptionId"], info["breakMode"]) == ("ZeroDivisionError", "unhandled")
    assert info["details"]["message"] == "division by zero"
    *_, last = info["details"]["stackTrace"].split("\n")
    assert last == f"program.py:{line_of(path, 'return 1 / x')} in inner: return 1 / x"
    assert client.gives() == {"raised": "ZeroDivisionError: division by zero"}


def test_an_exception_that_was_caught_is_not_the_like_one_raised_after_it(tmp_path):
    source = """
        def caught():
            try:
                raise KeyError("\x1b[31mred")
            except KeyError:
                return "\x1b[31mred"

        raise KeyError(caught())
    """
    recording, _ = of_program(tmp_path, source)
    with connected(recording) as client:
        client.start()
        client.request("setExceptionBreakpoints", filters=["raised"])
        assert [(client.move("continue")["text"], client.at()[0]) for _ in range(2)] == [
            (r"KeyError: \x1b[31mred", "caught"),
            (r"KeyError: \x1b[31mred", "<module>"),
        ]
        assert client.move("continue")["reason"] == "end"


def outputs(client) -> list[str]:
    """What was printed in the console before the last stop."""
    said = [one["body"]["output"].rstrip("\n") for one in client.seen if one.get("event") == "output"]
    client.seen.clear()
    return said


def test_a_log_point_says_its_text_each_time_and_stops_nowhere_in_both_directions(walk):
    client, path = walk
    line = line_of(path, "y.append(x)")
    [found] = client.break_at(path, {"line": line, "logMessage": "x is {x}, y {y}, {nothing}", "condition": "x > 1"})
    assert found["verified"]
    outputs(client)
    assert client.move("continue")["reason"] == "end"
    *said, last = outputs(client)
    missing = "{nothing}: nothing has no value here"
    assert said == [f"x is 2, y [2], {missing}", f"x is 3, y [3], {missing}"]
    assert last.startswith("This is the last step")
    assert client.move("reverseContinue")["reason"] == "entry"
    assert [one[:6] for one in outputs(client)[:2]] == ["x is 3", "x is 2"]


def test_a_data_breakpoint_stops_where_a_name_gets_another_value(walk):
    client, path = walk
    client.break_at(path, line_of(path, "for i in range"))
    client.move("continue")
    client.break_at(path)
    pane = client.request("scopes", frameId=client.stack()[0]["id"])["scopes"][0]["variablesReference"]
    asked = client.request("dataBreakpointInfo", variablesReference=pane, name="total")
    assert asked["description"] == "total in main"
    [found] = client.request("setDataBreakpoints", breakpoints=[{"dataId": asked["dataId"]}])["breakpoints"]
    assert found["verified"]
    seen = []
    while (stop := client.move("continue"))["reason"] == "data breakpoint":
        seen.append(client.gives()["total"])
    assert stop["reason"] == "end"
    assert seen == ["2", "6", "12"]  # the first time, 0 was added to 0
    assert client.move("reverseContinue")["hitBreakpointIds"] == [found["id"]]
    assert client.gives()["total"] == "12"


def test_a_data_breakpoint_stops_where_a_values_contents_change(walk):
    client, path = walk
    client.request("setDataBreakpoints", breakpoints=[{"dataId": "double y"}])
    client.move("continue")
    assert client.at() == ("double", line_of(path, "y = [x]"))
    client.move("continue")
    assert client.at() == ("double", line_of(path, "y.append(x)"))


@pytest.mark.parametrize("name", ["len(y)", "[0]"])
def test_what_cannot_be_watched_says_why(walk, name):
    told = walk[0].request("dataBreakpointInfo", name=name)
    assert told["dataId"] is None
    assert "names of a function can be watched" in told["description"]


def test_a_name_that_never_had_a_value_is_no_data_breakpoint(walk):
    [found] = walk[0].request("setDataBreakpoints", breakpoints=[{"dataId": "main lost"}])["breakpoints"]
    assert found["message"] == "lost never had a value in main."


def test_a_breakpoint_in_a_file_edited_since_stands_where_its_line_was(tmp_path):
    recording, path = of_program(tmp_path, "a = 1\nb = 2\nc = 3\n")
    path.write_text("# new\na = 1\nb = 20\nc = 3\n")
    with connected(recording) as client:
        client.start()
        moved, written = client.break_at(path, 4, 3)
        assert (moved["verified"], moved["line"]) == (True, 3)
        assert moved["message"] == "The file was edited since: line 4 was line 3 when this was recorded."
        assert not written["verified"]
        assert written["message"] == "Line 3 of program.py was written after this was recorded."
