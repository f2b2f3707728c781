"""What the rows look like: in a terminal, in a pipe, and in a narrow window."""

import io

import pytest

from prefix_lab.walk.page import Painter, Row, rows_of, wrap
from tests.tiny_models import tiny_llama
from tests.walk.walking import walked


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def painted(rows, stream):
    Painter(stream).paint(rows)
    return stream.getvalue()


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


TITLE, GOOD = Row(None, "4 encode", "title"), Row("equal", "yes  input and output", "good", 5)


def test_a_terminal_gets_colours_and_drawn_rules(terminal):
    text = painted([TITLE, GOOD], terminal)
    assert "\x1b[" in text
    assert "── 4 encode ───" in text


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_none(variable, value, terminal, monkeypatch):
    monkeypatch.setenv(variable, value)
    text = painted([TITLE, GOOD], terminal)
    assert "\x1b" not in text
    assert text.splitlines()[0] == "-- 4 encode ".ljust(80, "-")


def test_a_pipe_gets_plain_text():
    assert painted([GOOD], io.StringIO()) == "  equal    yes  input and output\n"


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_or_80(columns, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Painter, "write", lambda self, line, kind: self.stream.write(line + "\n"))
    results = walked(tiny_llama(), projection=True).values()
    rows = [row for number, result in enumerate(results, 1) for row in rows_of(number, result, "0.21.2")]
    assert max(map(len, painted(rows, terminal).splitlines())) <= min(columns, 80)


def test_a_long_shape_breaks_between_its_names_and_its_numbers():
    names, numbers = "key  (batch, kv_heads, prefix_len)", "= (2, 2, 20)"
    assert wrap(f"{names} {numbers}", 40, hanging=5) == [names, f"     {numbers}"]
