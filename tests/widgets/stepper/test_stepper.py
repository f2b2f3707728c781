"""`Stepper(recording)` from Python: a lesson leads, listens, and is told in a sentence what cannot be."""

from __future__ import annotations

import pytest
import traitlets

from prefix_lab.debugger import Breakpoint, Recording, record
from prefix_lab.widgets import Stepper
from tests.debugger.recorded import recorded, refuses
from tests.widgets.stepper.javascript import cut_small
from tests.widgets.stepper.walks import walk


def inner(x):
    y = x + 1
    return y


def outer(n):
    total = 0
    for i in range(n):
        total += inner(i)
    return total


@pytest.fixture(scope="module")
def recording():
    return recorded(lambda: outer(3), [outer, inner])


@pytest.fixture
def stepper(recording):
    return Heard(recording)


class Heard(Stepper):
    """A stepper whose messages to its view are kept."""

    def __init__(self, *arguments, **options):
        self.sent = []
        super().__init__(*arguments, **options)

    def send(self, content, buffers=None):
        self.sent.append(content)


def file_of(stepper):
    return stepper.opening["opening"]["files"][0]


def line(function, below):
    return function.__code__.co_firstlineno + below


def test_it_begins_at_the_first_step_or_where_it_is_told(recording):
    assert Stepper(recording).step == 0
    assert Stepper(recording, at=7).step == 7
    assert Stepper(recording, at=recording.steps[5]).cursor.step == recording.steps[5]


def test_a_lesson_leads_and_asks_where_the_reader_is(stepper, recording):
    stepper.goto(4)
    assert stepper.step == 4
    stepper.goto(recording.steps[6])
    assert stepper.cursor.step == recording.steps[6]
    stepper.step = 2
    cursor = stepper.cursor
    cursor.step_in()
    assert (cursor.index, stepper.step) == (3, 2)


def test_it_runs_to_a_breakpoint_both_ways_and_says_whether_there_is_one(stepper):
    assert stepper.run_to(Breakpoint("inner", hits=2))
    assert stepper.cursor.locals["x"].value == 1
    assert stepper.run_to(Breakpoint("inner"), backwards=True)
    assert stepper.cursor.locals["x"].value == 0
    before = stepper.step
    assert not stepper.run_to(Breakpoint(condition="x > 100"))
    assert stepper.step == before


def test_who_listens_is_told_of_every_move_until_they_end_it(stepper):
    heard = []
    end = stepper.on_step(lambda step: heard.append((step.index, step.function)))
    stepper.goto(3)
    stepper.goto(3)
    stepper.set_state({"step": 4})  # as the view does
    end()
    stepper.goto(5)
    assert heard == [(3, stepper.recording.steps[3].function), (4, stepper.recording.steps[4].function)]


def test_it_goes_to_the_beginning_of_a_stage():
    stepper = Stepper(walk(named=False))
    stepper.goto_stage("encode")
    assert (stepper.cursor.step.event, stepper.cursor.step.function) == ("call", "PrefixEncoder.forward")
    stepper.goto_stage("choose")
    assert stepper.cursor.step.function == "get_peft_model"
    with refuses(ValueError, "name='fly' is not a stage", "choose", "encode", "split"):
        stepper.goto_stage("fly")


def test_a_recording_of_something_else_has_no_stages(stepper):
    with refuses(ValueError, "name='encode'", "Those are: none"):
        stepper.goto_stage("encode")


@pytest.mark.parametrize("step", [-1, 10**9])
def test_a_step_that_there_is_not_is_refused_and_the_reader_stays(stepper, recording, step):
    stepper.goto(2)
    with refuses(IndexError, f"step {step}", f"from 0 to {len(recording) - 1}"):
        stepper.step = step
    assert stepper.step == 2
    with refuses(IndexError, f"step {step}"):
        Stepper(recording, at=step)


@pytest.mark.parametrize("step", ["3", None, 1.5])
def test_what_is_no_number_of_a_step_is_refused(stepper, recording, step):
    with refuses(TypeError, f"step={step!r} is no step", "Give its number"):
        stepper.goto(step)
    with refuses(TypeError, f"at={step!r} is no step", "Give its number"):
        Stepper(recording, at=step)


def test_breakpoints_are_held_against_the_recording(stepper):
    file = file_of(stepper)
    kept = [{"file": file, "line": line(inner, 1), "condition": "x == 1"}]
    stepper.breakpoints = kept
    wrong = {
        "file='no.py' is not in this recording": {"file": "no.py", "line": 3},
        "expected a file and a line": {"file": file},
        "line='3', expected a whole number": {"file": file, "line": "3"},
        "condition='x =' is not an expression": {"file": file, "line": 3, "condition": "x ="},
        "nothing can be called but len": {"file": file, "line": 3, "condition": "open('f')"},
    }
    for words, one in wrong.items():
        with refuses(ValueError, words):
            stepper.breakpoints = [*kept, one]
        with refuses(ValueError, words):
            Stepper(stepper.recording, breakpoints=[one])
    with pytest.raises(traitlets.TraitError):
        stepper.breakpoints = ["here"]
    assert stepper.breakpoints == kept


def test_watches_are_expressions(stepper):
    stepper.watches = ["x + 1", "len(y)"]
    for text, words in {"x +": "is not an expression", "x.f()": "nothing can be called", "": "is not an"}.items():
        with refuses(ValueError, f"condition={text!r}", words):
            stepper.watches = ["x", text]
    with pytest.raises(traitlets.TraitError):
        stepper.watches = [5]
    assert stepper.watches == ["x + 1", "len(y)"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"breakpoints": ["fact"]}, ["breakpoints has 'fact'", "{'file': 'a/b.py', 'line': 300}"]),
        ({"breakpoints": {"file": "a.py", "line": 3}}, ["breakpoints={'file': 'a.py', 'line': 3}, expected a list"]),
        ({"watches": 5}, ["watches=5, expected a text or a list of texts", "x.shape[0]"]),
        ({"skip": [3]}, ["skip=[3], expected a text or a list of texts"]),
        ({"height": 400}, ["height=400, expected a text, such as '600px'"]),
        ({"title": 5}, ["title=5, expected a text"]),
    ],
)
def test_options_of_another_type_are_refused_by_name(recording, options, words):
    with pytest.raises((TypeError, ValueError)) as raised:
        Stepper(recording, **options)
    assert all(word in str(raised.value) for word in words), raised.value


def test_one_watch_and_one_name_to_skip_need_no_list(recording):
    stepper = Stepper(recording, watches="x + 1", skip="inner")
    assert (stepper.watches, stepper.skip) == (["x + 1"], ["inner"])


def test_a_view_is_handed_the_texts_of_the_readers_language(recording, monkeypatch):
    assert Stepper(recording).said == {"code": "en", "texts": {}}
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    said = Stepper(recording).said
    assert said["code"] == "zh-CN"
    assert said["texts"]["Next stage"] == "下一阶段"


@pytest.mark.parametrize("value", [None, "walk.recording"])
def test_what_is_no_recording_is_refused(value):
    with refuses(TypeError, "recording=", "is no recording", "Recording.load(path)"):
        Stepper(value)


def test_an_unfinished_recording_is_refused():
    with record([inner]) as recording, refuses(RuntimeError, "not finished"):
        Stepper(recording)
    with refuses(RuntimeError, "not finished"):
        Stepper(Recording())


def test_an_empty_recording_is_shown_as_such():
    stepper = Stepper(recorded(lambda: None, [inner]))
    assert stepper.opening["opening"]["steps"] == 0
    assert "empty recording" in repr(stepper)
    assert not stepper.run_to(Breakpoint("inner"))
    with refuses(ValueError, "none"):
        stepper.goto_stage("encode")


def test_the_widget_brings_what_its_first_picture_needs(recording, monkeypatch):
    with cut_small():
        stepper = Stepper(recording, at=17, title="A walk")
    assert sorted(stepper.opening) == ["opening", "source/0", "steps/2"]
    assert stepper.opening["opening"]["title"] == "A walk"
    assert stepper.get_state()["opening"] == stepper.opening


def test_a_view_gets_pieces_and_answers_under_the_number_of_its_request(stepper):
    file = file_of(stepper)
    stepper._handle_msg(message({"number": "a1", "get": ["steps/0", "values/0"]}))
    question = {"ask": "stop", "step": 0, "breakpoints": [{"file": file, "line": line(inner, 1)}]}
    stepper._handle_msg(message({"number": "a2", "question": question}))
    pieces, answer = stepper.sent
    assert (pieces["number"], sorted(pieces["answer"])) == ("a1", ["steps/0", "values/0"])
    assert pieces["answer"]["steps/0"]["first"] == 0
    assert answer["number"] == "a2"
    assert stepper.recording.steps[answer["answer"][0]].text == "y = x + 1"


def message(content):
    return {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"get": 5},
        {"get": ["nothing"]},
        {"question": "stop"},
        {"question": {"ask": "__class__"}},
        {"question": {"ask": "stop", "step": 0, "breakpoints": [None]}},
        {"question": {"ask": "search"}},
    ],
)
def test_a_malformed_request_is_answered_by_an_error_and_changes_nothing(stepper, asked):
    state = stepper.get_state()
    stepper._heard(stepper, {"number": 7} | asked, [])
    [said] = stepper.sent
    assert said["number"] == 7
    assert isinstance(said["error"], str)
    assert said["error"]
    assert "answer" not in said
    assert stepper.get_state() == state


@pytest.mark.parametrize("asked", [None, {"get": ["opening"]}])
def test_what_is_no_request_is_passed_over(stepper, asked):
    stepper._heard(stepper, asked, [])
    assert stepper.sent == []


def test_its_text_says_where_the_reader_is(stepper):
    stepper.run_to(Breakpoint("inner"))
    assert str(stepper) == repr(stepper) == stepper.text
    assert "call inner" in stepper.text
    assert "x = 0" in stepper.text


def test_a_notebook_gets_the_widget_and_the_whole_text(recording):
    stepper = Stepper(recording, at=5)
    found = stepper._repr_mimebundle_()
    bundle = found[0] if isinstance(found, tuple) else found
    assert bundle["text/plain"] == stepper.text
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == stepper.model_id
