"""What the replay shows of a step."""

import runpy
from contextlib import suppress

import pytest

from prefix_lab.debugger import record
from tests.terminal.programs import recorded, replayed, step_of, written


def test_it_opens_at_the_first_step_and_says_what_to_press(doubles):
    seen = replayed(doubles, size=(80, 24))
    assert (seen.index, seen.heading) == (0, " program.py:1  in <module>  begins")
    assert seen.message == "n: next line  s: into a call  N: a line back  i: all calls  ?: all keys"
    assert seen.position.startswith(f" step 0 of 0 to {len(doubles) - 1}")
    assert seen.stack[0] == "▶ <module>  program.py:1"
    for hint in ("over", "into", "leave", "back", "run", "break", "find", "calls", "value", "help", "quit"):
        assert f"&#160;{hint}" in seen.svg


def test_it_opens_with_the_current_line_in_the_middle(tmp_path):
    recording = recorded(tmp_path, "# above\n" * 60 + "first = 1\n" + "# below\n" * 60)
    seen = replayed(recording, first=1, size=(80, 24))
    assert seen.source.index(seen.line("first = 1")) in (len(seen.source) // 2, len(seen.source) // 2 - 1)


def test_the_current_line_is_marked_and_lines_that_ran_carry_what_they_gave(doubles):
    seen = replayed(doubles, first=step_of(doubles, "return sum(y)"))
    assert seen.line("return sum(y)").split() == ["▶", "4", "return", "sum(y)"]
    assert seen.line("def double(x)").split() == ["│", "1", "def", "double(x):", "x", "=", "0"]
    assert seen.line("y = [x]").endswith("y = [x]   y = [0]")
    assert seen.line("y.append(x)").endswith("y.append(x)   y ≈ [0, 0]")
    assert seen.line("def main()").split() == ["6", "def", "main():"]
    assert seen.heading.endswith("this line runs next")


def test_the_line_that_runs_next_says_what_it_will_give(doubles):
    seen = replayed(doubles, first=step_of(doubles, "y = [x]"))
    assert seen.line("y = [x]").endswith("y = [x]   → y = [0]")
    assert seen.heading.endswith("this line runs next, and gives  y = [0]")
    assert [line for line in seen.locals if line] == ["● x  0"]


def test_in_a_loop_a_line_carries_what_it_gave_last(doubles):
    seen = replayed(doubles, first=step_of(doubles, "total += double(i)", 2))
    assert seen.line("for i in").endswith("   i = 2")
    assert seen.line("total +=").endswith("   → total = 6")
    assert seen.line("total = 0").endswith("   total = 0")


def test_names_that_changed_are_marked_and_changes_in_place_otherwise(doubles):
    seen = replayed(doubles, first=step_of(doubles, "y.append(x)"))
    assert seen.locals[:2] == ["  x  0", "● y  [0]"]
    seen = replayed(doubles, first=step_of(doubles, "return sum(y)"))
    assert seen.locals[:2] == ["  x  0", "≈ y  [0, 0]"]


def test_a_return_shows_its_value_and_the_stack_its_callers(doubles):
    seen = replayed(doubles, first=doubles.find(function="double", event="return")[1].index)
    assert seen.heading == " program.py:4  in double  returns 2"
    assert seen.stack[:3] == ["▶ double  program.py:4", "  main  program.py:9", "  <module>  program.py:12"]


def test_what_the_program_holds_is_text_and_never_markup_or_a_terminals_command(tmp_path):
    source = r"""
        name = "[red]<script>alert(1)</script>[/red] \x1b[31m \x07 \u202e"
        [b] = [[name]]  # [bold]not bold[/bold]
        try:
            raise ValueError(name)
        except ValueError:
            pass
    """
    recording = recorded(tmp_path, source)
    (raised,) = recording.find(exception=True)
    for keys in (("v", "'name'", "enter"), ("h", "'name'", "enter"), ("slash", "'script'", "enter"), ("i",), ("b",)):
        seen = replayed(recording, *keys, first=raised.index, name="[red]name[/red] \x1b")
        text = "\n".join([*seen.source, *seen.locals, *seen.stack, *seen.choices, seen.heading, seen.message])
        assert all(one.isprintable() or one == "\n" for one in text)
        assert "<script>" in text
        assert "<script>" not in seen.svg
    seen = replayed(recording, first=raised.index, size=(160, 40))
    assert seen.heading.endswith(r"raises ValueError: [red]<script>alert(1)</script>[/red] \x1b[31m \x07 \u202e")
    assert "# [bold]not bold[/bold]" in seen.line("[b] =")


def test_tabs_and_control_characters_in_a_file_do_not_shift_the_screen(tmp_path):
    recording = recorded(tmp_path, "if True:\n\tx = '\x07\x1b[2J'\n\t\ny = '界'\n")
    seen = replayed(recording, "n", "n")
    assert r"    x = '\x07\x1b[2J'" in seen.line("x =")
    assert "界" in seen.line("y =")


def test_a_file_that_was_not_there_is_said_and_the_step_is_shown_all_the_same(tmp_path):
    code = compile("def f(x):\n    y = x + 1\n    return y\n", str(tmp_path / "gone.py"), "exec")
    names = {"__name__": "generated"}
    exec(code, names)
    with record(include=[names["f"]]) as recording:
        names["f"](1)
    seen = replayed(recording, "s", "click #source 3 1", size=(200, 40))
    assert f"The text of {tmp_path / 'gone.py'} was not there when this was recorded." in seen.source[0]
    assert seen.source[1].strip() == "▶ 2 y = 2"
    assert not any(seen.breakpoints)


def test_an_error_that_ended_the_program_is_told_at_the_start_on_one_line(tmp_path):
    path = written(tmp_path, "raise ValueError('one\\ntwo')")
    with suppress(ValueError), record(include=[path]) as recording:
        runpy.run_path(str(path))
    assert replayed(recording).message.startswith(r"It ended with ValueError: one\ntwo; G goes to the end.")


def test_threads_are_named_where_there_are_several(doubles, tmp_path):
    source = """
        import threading
        def work():
            return 1
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
    """
    recording = recorded(tmp_path, source)
    assert "thread worker" in replayed(recording, first=recording.find(function="work")[0].index).heading
    assert "thread" not in replayed(doubles).heading


def test_watched_expressions_stand_below_the_names(tmp_path):
    recording = recorded(tmp_path, "a = 1\na = 2\n", watch="a * 10")
    assert [line for line in replayed(recording, "G").locals if line][-1].split() == ["⌕", "a", "*", "10", "20"]


def test_a_name_that_was_deleted_is_said_to_be(tmp_path):
    recording = recorded(tmp_path, "def f():\n    a = 1\n    del a\n    return 2\nf()\n")
    assert replayed(recording, first=step_of(recording, "return 2")).locals[0].split() == ["a", "(deleted)"]


@pytest.mark.parametrize("size", [(40, 12), (20, 6), (200, 60)], ids=str)
def test_it_fits_any_terminal(doubles, size):
    assert replayed(doubles, "n", "n", "n", "s", "b", "'double'", "enter", size=size).index > 0
