"""The pieces of a recording: JSON whatever was recorded, bounded in size, and all of it."""

from __future__ import annotations

import enum
import json
import math
import threading
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefix_lab.debugger import Recording
from prefix_lab.debugger.look import Look
from prefix_lab.debugger.summary import Summary
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import Desk
from prefix_lab.widgets.stepper.stepper import Stepper
from prefix_lab.widgets.stepper.written import LONGEST, as_json, colours_of, headline, short_path, short_paths, whole
from tests.debugger.recorded import PHASES, recorded, refuses
from tests.widgets.stepper.javascript import STEPPER, cut_small, javascript
from tests.widgets.stepper.walks import walk

HALF = "\ud800"  # of a pair: no UTF-8 says it


class Kind(enum.Enum):
    huge = 10**9_999
    far = -(2**60)
    text = f"</script>{HALF}"
    inf = math.inf


def odd():
    numbers = [math.nan, math.inf, -math.inf, -0.0, 1e308, 2.0, 2**53, -(2**53) + 1, True, None, 1j]
    huge = 10**9_999
    inside = {"huge": huge, HALF: HALF, 10**400: "x" * 5_000, (1, huge): {1, 2}, None: bytes(range(256))}
    text = f"<b>\x00\u2028\u202e{HALF}" * 30
    kinds = list(Kind)
    deep = [[[[[[numbers]]]]]]
    data = b"\xff" * 5_000
    try:
        raise ValueError(text)
    except ValueError as error:
        last = error
    return numbers, huge, inside, text, kinds, deep, data, last


@cache
def strange() -> Recording:
    """A recording of what is hard to write down, ended by an error, in a thread with such a name."""

    def program():
        odd()
        other = threading.Thread(target=odd, name=f"<i>{HALF}")
        other.start()
        other.join()
        raise RuntimeError(f"</script>{HALF}")

    return recorded(program, [odd, program], watch=["numbers[0]", "len(text)"])


def test_every_piece_is_json_that_javascript_reads():
    made = Pieces(strange(), title=HALF)
    texts = {key: as_json(made.get(key)).encode(errors="backslashreplace").decode() for key in made.names()}
    found = javascript("parsed", texts)
    assert found == {key: json.loads(text) for key, text in texts.items()}


def test_every_piece_and_answer_can_be_sent_by_a_kernel(recwarn):
    from jupyter_client.session import json_packer

    desk = Desk(strange(), title=HALF)
    json_packer(desk.first(0))
    questions: list[dict[str, Any]] = [{"ask": "search", "text": text} for text in ("e", "script", HALF)]
    questions += [{"ask": "history", "step": 0, "name": name} for name in range(len(strange().columns.names))]
    for number, question in enumerate(questions):
        json_packer(desk.reply({"number": number, "question": question}))
    for key in desk.pieces.names():
        json_packer(desk.reply({"number": 1, "get": [key]}))
    assert not recwarn.list


@settings(max_examples=60, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()), st.binary()),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters()), inner), st.tuples(inner)),
        max_leaves=20,
    )
)
def test_any_value_has_a_line_and_a_whole_that_are_json(value):
    seen = Look()(value)
    line, all_of_it = headline(seen), whole(seen)
    assert json.loads(as_json([line, all_of_it])) == javascript("parsed", {"": as_json([line, all_of_it])})[""]
    assert isinstance(line[0], str)
    assert len(line[1]) <= LONGEST


def test_a_values_line_is_short_however_much_is_in_it():
    seen = Look()([["x" * 200] * 24] * 24)
    assert len(as_json(headline(seen))) < 1_000
    error = Look()(ValueError("y" * 100_000))
    assert len(headline(error)[1]) <= LONGEST < len(error.text)
    assert headline(error)[1].endswith("…")


def test_a_tensors_line_has_its_shape_its_axes_and_which_one_it_is():
    value = Summary("torch.Tensor", "(batch, 3) float32", {"shape": (2, 3), "axes": ["batch", "3"]}, number=7)
    assert headline(value) == ["torch.Tensor", "(batch, 3) float32", [2, 3], ["batch", "3"], 7]
    opened = Summary("list", "[1]", {"length": 1}, (("0", 1),))
    assert headline(opened) == ["list", "[1]", None, None, None, 1]
    assert headline(5) == ["int", "5"]
    assert whole(opened)["parts"] == [["0", ["int", "1"]]]


def test_numbers_that_javascript_would_change_are_told_as_text():
    facts = {"small": 3, "far": 2**53, "whole": 2.0, "half": 0.5, "nan": math.nan, "list": (1, math.inf), "none": None}
    told = whole(Summary("thing", "a thing", facts))["facts"]
    assert told == {
        "small": 3,
        "far": {"py": "9007199254740992"},
        "whole": {"py": "2.0"},
        "half": 0.5,
        "nan": {"py": "nan"},
        "list": [1, {"py": "inf"}],
        "none": None,
    }


def twice(n):
    first = once(n)
    second = once(first)
    return second


def once(n):
    total = 0
    for i in range(n):
        total += i
    return total


def test_the_pieces_together_are_the_whole_recording():
    recording = recorded(lambda: twice(5), [twice, once])
    with cut_small(4):
        made = Pieces(recording)
        found = {key: made.get(key) for key in made.names()}
        pages = [found[f"steps/{number}"] for number in range(made.count("steps"))]
        calls = [call for number in range(made.count("calls")) for call in made.calls(number)]
        values = [value for number in range(made.count("values")) for value in made.values(number)]
    assert [place for page in pages for place in page["place"]] == list(recording.columns.step_place)
    assert [page["first"] for page in pages] == list(range(0, len(recording), 4))
    assert len(values) == len(recording.columns.values) == found["opening"]["values"]
    text = recording.sources[recording.steps[0].file]
    assert found["source/0"][:2] == [text, colours_of(text)]
    counts = []
    for distances in found["index"]:
        counts.append([sum(distances[: at + 1]) for at in range(len(distances))])
    assert counts == [list(steps) for steps in recording.columns.steps_at]

    def tree(at: int) -> list[Any]:
        name, *_, first, count = calls[at]
        return [name, [tree(one) for one in range(first, first + count)]]

    def of(call: Any) -> list[Any]:
        return [call.function, [of(one) for one in call.calls]]

    assert tree(0) == ["", [of(call) for call in recording.calls]]


WRONG = ["", "opening/0", "steps", "steps/", "steps/-1", "steps/9999", "steps/1.0", "steps/x", "steps/0/0", "source/1"]


@pytest.mark.parametrize("key", [*WRONG, "nothing/0", "__class__", "get/0", "names"])
def test_a_name_that_no_piece_has_is_refused(key):
    with refuses(KeyError, f"no piece {key!r}"):
        Pieces(recorded(lambda: once(3), [once])).get(key)


def test_an_empty_recording_has_an_opening_that_says_so():
    made = Pieces(recorded(lambda: None, [once]))
    assert made.names() == ["opening", "index", "raised", "calls/0"]
    opening = made.get("opening")
    assert (opening["steps"], opening["stretches"], opening["files"], opening["stages"]) == (0, [], [], [])
    assert made.get("index") == []
    desk = Desk(made.recording)
    assert desk.first(0) == {"opening": desk.pieces.opening()}


def test_the_stretches_of_a_recording_say_how_deep_it_goes_and_how_many_steps_each_function_has():
    def down(n):
        return down(n - 1) if n else 0

    stretches = Pieces(recorded(lambda: down(30), [down])).stretches()
    assert max(depth for depth, *_ in stretches) == 30
    assert stretches[0][0] == 0
    made = Pieces(long()).stretches()
    assert len(made) == 400
    inside = Counter()
    for _, *counts in made:
        for function, times in zip(counts[::2], counts[1::2], strict=True):
            inside[function] += times
    columns = long().columns
    assert inside == Counter(columns.places[place][1] for place in columns.step_place)


@cache
def long() -> Recording:
    """A hundred thousand steps, in calls and in one long loop."""

    def add(a, b):
        return a + b

    def adds(n):
        total = 0
        for i in range(n):
            total = add(total, i)
        for i in range(n):
            total -= i
        return total

    return recorded(lambda: adds(15_000), [adds, add])


def sent_first(recording: Recording) -> int:
    """Bytes that a notebook gets before the first picture."""
    opening = len(as_json(Desk(recording).first(0)).encode())
    return opening + len(Stepper._esm.encode()) + len((STEPPER / "stepper.css").read_bytes())


def test_a_recording_of_a_hundred_thousand_steps_opens_with_less_than_300_kb():
    assert len(long()) > 100_000
    assert sent_first(long()) < 300_000
    assert len(as_json(Desk(long()).first(0))) < 100_000


def test_no_piece_of_a_long_recording_is_large():
    made = Pieces(long())
    last = made.count("steps") - 1
    for key in ("opening", "steps/0", f"steps/{last // 2}", f"steps/{last}", "values/0", "calls/0"):
        assert len(as_json(made.get(key))) < 100_000, key


def test_the_seed_walk_opens_with_less_than_300_kb_and_its_page_has_less_than_410_kb(tmp_path):
    seed = walk(keep="shapes", model=True)
    assert sent_first(seed) < 300_000
    seed.to_html(tmp_path / "walk.html")
    assert (tmp_path / "walk.html").stat().st_size < 410_000
    made = Pieces(seed)
    assert max(len(as_json(made.get(key))) for key in made.names()) < 300_000


def test_files_are_called_by_their_place_in_a_package_and_never_by_a_home():
    import peft

    assert short_path(peft.__file__) == "peft/__init__.py"
    home = Path("/home/someone/venv/lib/python3.12/site-packages/torch/nn/modules/linear.py")
    assert short_path(str(home)) == "torch/nn/modules/linear.py"
    assert short_path("/tmp/ipykernel_4242/1234567.py") == "cell 1234567"
    assert short_path("<ipython-input-7-abc>") == "cell 7"
    assert short_path("/somewhere/else/train.py") == "else/train.py"
    assert short_path("<string>") == "<string>"


def test_two_files_never_have_one_name():
    files = ["/a/one/train.py", "/b/one/train.py", "/c/two/train.py"]
    assert short_paths(files) == ["/a/one/train.py", "/b/one/train.py", "two/train.py"]
