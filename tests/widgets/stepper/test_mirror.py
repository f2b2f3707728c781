"""`Mirror(ours, theirs)`: stage by stage what is equal, and where two recordings part."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import torch

from prefix_lab.debugger import Breakpoint, record
from prefix_lab.debugger.summary import Summary
from prefix_lab.widgets import Mirror
from prefix_lab.widgets.stepper.compare import compared, compared_here
from prefix_lab.widgets.stepper.mirror import Boundary, gates
from tests.debugger.recorded import recorded, refuses
from tests.widgets.stepper import walks
from tests.widgets.stepper.javascript import as_seen, javascript, tensor

walk = partial(walks.walk, named=False)  # a mirror needs no names
COMPARED = ["prepare", "wrap", "choose", "encode", "split", "attend"]


@pytest.fixture(scope="module")
def mirror():
    return Mirror(walk("prefix_lab"), walk("peft"), labels=("prefix_lab", "PEFT"))


class Heard(Mirror):
    """A mirror whose messages to its view are kept."""

    def __init__(self, *arguments, **options):
        self.sent = []
        super().__init__(*arguments, **options)

    def send(self, content, buffers=None):
        self.sent.append(content)


def verdicts(mirror):
    return {one.stage: one.verdict for one in mirror.boundaries}


def test_ours_and_pefts_are_equal_at_the_end_of_every_stage(mirror):
    assert verdicts(mirror) == dict.fromkeys(COMPARED, "equal") | {"learn": "noValue"}
    what = {one.stage: one.what for one in mirror.boundaries}
    assert "past_key_values" in what["encode"]
    assert "the result" in what["attend"]
    assert mirror.parted is None  # two writings have other lines throughout


def test_a_stage_has_its_steps_on_both_sides(mirror):
    encode = next(one for one in mirror.boundaries if one.stage == "encode")
    for recording, (first, last) in ((mirror.ours, encode.ours), (mirror.theirs, encode.theirs)):
        assert recording.steps[first].event == "call"
        assert recording.steps[last].event == "return"
        assert recording.steps[first].function == recording.steps[last].function == "PrefixEncoder.forward"


def test_a_planted_mistake_is_found_at_the_stage_where_it_is_made(monkeypatch):
    monkeypatch.setattr("prefix_lab.encoder.nn.Tanh", torch.nn.ReLU)
    planted = walks.walk.__wrapped__("prefix_lab", named=False)
    monkeypatch.undo()
    mirror = Mirror(planted, walk("peft"))
    found = verdicts(mirror)
    assert [stage for stage in COMPARED if found[stage] != "equal"] == ["encode", "split", "attend"]
    encode = next(one for one in mirror.boundaries if one.stage == "encode")
    assert encode.what == "past_key_values: digest differs: other numbers"
    assert "≠ encode: past_key_values: digest differs" in mirror.text
    assert "= choose" in mirror.text


def test_another_shape_is_named_on_both_sides():
    longer = walk("prefix_lab", prefix_len=21)
    found = {one.stage: one for one in Mirror(longer, walk("peft")).boundaries}
    assert found["wrap"].what == "encoder: parameters: 118,272 and 118,144"
    assert found["encode"].what == "self: parameters: 118,272 and 118,144"
    assert "shape differs: (2, 4, 21, 32) and (2, 4, 20, 32)" in found["split"].what
    assert {found[stage].verdict for stage in ("wrap", "encode", "split")} == {"different"}


def test_without_statistics_only_shapes_are_compared_and_that_is_said():
    found = verdicts(Mirror(walk("prefix_lab", keep="shapes"), walk("peft")))
    assert found["encode"] == found["split"] == "shapesOnly"
    assert "different" not in found.values()


def test_a_stage_that_one_side_does_not_run_through_is_said_to_be_so():
    direct = walk("prefix_lab", projection=False)
    empty = recorded(lambda: None, [verdicts])
    assert set(verdicts(Mirror(direct, empty)).values()) == {"only"}
    assert Mirror(empty, empty).boundaries == []
    assert "Mirror of" in Mirror(empty, empty).text


def counts(n):
    total = 0
    for i in range(n):
        total += i
    return total


def test_two_recordings_of_one_program_part_at_the_first_line_that_differs():
    before, after = (recorded(lambda n=n: counts(n), [counts]) for n in (3, 4))
    same = Mirror(before, recorded(lambda: counts(3), [counts]))
    assert same.parted is None
    assert same.pairs["parted"] is None
    mirror = Mirror(before, after, labels=("before", "after"))
    assert mirror.parted.what == "n differs: 3, and 4."
    assert mirror.pairs["parted"] == {"ours": 0, "theirs": 0, "what": "n differs: 3, and 4."}
    assert "they part: n differs: 3, and 4." in mirror.text


def test_where_one_recording_ends_the_other_goes_on():
    def fails(n):
        counts(2)
        if n:
            raise ValueError(n)

    def program(n):
        with suppress(ValueError):
            fails(n)

    short = recorded(lambda: counts(2), [counts])
    long = recorded(lambda: [counts(2), counts(3)], [counts])
    mirror = Mirror(short, long)
    assert "goes on" in mirror.parted.what
    assert mirror.pairs["parted"]["ours"] == len(short) - 1
    assert mirror.pairs["parted"]["theirs"] == len(short)
    quiet, loud = (recorded(lambda n=n: program(n), [counts, fails]) for n in (0, 1))
    assert "n differs: 0, and 1." in Mirror(quiet, loud).text


def test_a_stage_leads_both_sides_to_its_beginning_or_its_end():
    mirror = Mirror(walk("prefix_lab"), walk("peft"))
    mirror.goto_stage("encode")
    sides = (mirror.ours.steps[mirror.steps["ours"]], mirror.theirs.steps[mirror.steps["theirs"]])
    assert [(step.event, step.function) for step in sides] == [("call", "PrefixEncoder.forward")] * 2
    mirror.goto_stage("split", end=True)
    assert mirror.ours.steps[mirror.steps["ours"]].event == "return"
    assert mirror.theirs.steps[mirror.steps["theirs"]].function.endswith("get_prompt")
    with refuses(ValueError, "name='fly' is not a stage", *COMPARED):
        mirror.goto_stage("fly")


def test_a_side_that_is_led_takes_the_other_along(mirror):
    told = []
    done = mirror.on_step(lambda ours, theirs: told.append((ours.function, theirs.function)))
    assert mirror.run_to(Breakpoint("PrefixEncoder.forward"), side="theirs")
    assert told[-1] == ("PrefixEncoder.forward", "PrefixEncoder.forward")
    mirror.goto(ours=mirror.ours.steps[-1])
    last = mirror.gates[-1]
    assert mirror.steps == {"ours": len(mirror.ours) - 1, "theirs": last.theirs}
    mirror.goto(ours=3, theirs=5)
    assert [cursor.index for cursor in mirror.cursors] == [3, 5]
    done()
    mirror.goto(theirs=0)
    assert len(told) == 3
    assert not mirror.run_to(Breakpoint("nowhere"))
    with refuses(IndexError, f"theirs={len(mirror.theirs)}", "from 0 to"):
        mirror.goto(theirs=len(mirror.theirs))
    with refuses(ValueError, "side='both'", "'ours' or 'theirs'"):
        mirror.run_to(Breakpoint("nowhere"), side="both")


def test_both_come_to_the_gates_in_one_order_even_where_one_nests_what_the_other_does_in_turn():
    encode, split = Boundary("encode", (2, 3), (11, 12), "equal", ""), Boundary("split", (4, 8), (10, 18), "equal", "")
    found = gates([encode, split, Boundary("learn", (9, 9), None, "only", "")], None)
    assert [(one.stage, one.end) for one in found] == [("encode", False), ("encode", True), ("split", True)]
    assert gates([], {"ours": 1, "theirs": 2, "what": ""}) == [(1, 2, "", False)]


def test_a_view_asks_each_side_for_its_own(mirror):
    heard = Heard(mirror.ours, mirror.theirs)
    for number, side in enumerate(("ours", "theirs")):
        heard._heard(heard, {"number": number, "side": side, "get": ["steps/0"]}, [])
    heard._heard(heard, {"side": "both", "get": ["steps/0"]}, [])
    ours, theirs = heard.sent
    assert (ours["number"], theirs["number"]) == (0, 1)
    assert ours["answer"]["steps/0"]["place"] != theirs["answer"]["steps/0"]["place"]
    assert {side: one["opening"]["title"] for side, one in heard.opening.items()} == {
        "ours": "ours",
        "theirs": "theirs",
    }


def test_what_is_no_recording_is_refused_by_its_side():
    with refuses(TypeError, "ours=None", "is no recording"):
        Mirror(None, walk())
    with refuses(TypeError, "theirs='a.rec'", "is no recording"):
        Mirror(walk(), "a.rec")
    for labels in [("one",), (1, 2), None]:
        with refuses(TypeError, f"labels={labels!r}", "two texts"):
            Mirror(walk(), walk(), labels=labels)
    with record([counts]) as recording, refuses(RuntimeError, "not finished"):
        Mirror(walk(), recording)


def test_its_text_has_every_stage_and_what_is_equal_here_and_a_notebook_gets_it_whole(mirror):
    mirror.goto_stage("encode", end=True)
    assert repr(mirror) == str(mirror) == mirror.text
    assert "PEFT at <" in mirror.text
    assert "\n  = prefix_tokens" in mirror.text
    assert mirror.text.startswith("<Mirror of prefix_lab and PEFT>")
    assert all(f"= {stage}: " in mirror.text for stage in COMPARED)
    found = mirror._repr_mimebundle_()
    bundle = found[0] if isinstance(found, tuple) else found
    assert bundle["text/plain"] == mirror.text
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == mirror.model_id


NUMBERS = {"digest": "aa"}


@pytest.mark.parametrize(
    ("mine", "other", "verdict", "what"),
    [
        ({"x": tensor(2, **NUMBERS)}, {"x": tensor(2, **NUMBERS)}, "equal", "x"),
        ({"x": tensor(2, digest="aa")}, {"x": tensor(2, digest="bb")}, "different", "x: digest differs: other numbers"),
        ({"x": tensor(2)}, {"x": tensor(2, **NUMBERS)}, "shapesOnly", "x"),
        ({"x": tensor(2, 3)}, {"x": tensor(3, 2)}, "different", "x: shape differs: [2, 3] and [3, 2]"),
        ({"x": tensor(2)}, {"x": Summary("int", "5", {"value": 5})}, "different", "x: shape differs: [2] and None"),
        ({"x": tensor(2)}, {"y": tensor(2)}, "noValue", ""),
        ({}, {}, "noValue", ""),
        (
            {"cache": Summary("a.Cache", "c", {}, (("key", tensor(2, digest="aa")),))},
            {"cache": Summary("b.Cache", "d", {}, (("key", tensor(2, digest="bb")),))},
            "different",
            "cache.key: digest differs: other numbers",
        ),
        (
            {"m": Summary("a.M", "M", {"parameters": 5, "trainable": 5})},
            {"m": Summary("b.M", "M", {"parameters": 5, "trainable": 0})},
            "different",
            "m: trainable: 5 and 0",
        ),
        (
            {"encoder": Summary("a.M", "M", {"parameters": 5, "trainable": 5})},
            {"made": Summary("b.M", "M", {"parameters": 6, "trainable": 6})},
            "different",
            "encoder: parameters: 5 and 6",
        ),
        (
            {"one": Summary("a.M", "M", {"parameters": 5, "trainable": 5})},
            {name: Summary("b.M", "M", {"parameters": 6, "trainable": 6}) for name in ("x", "y")},
            "noValue",
            "",
        ),
        ({"n": Summary("int", "5", {"value": 5})}, {"n": Summary("int", "6", {"value": 6})}, "different", "n: 5 and 6"),
        ({"k": Summary("a.K", "one")}, {"k": Summary("b.K", "two")}, "equal", "k"),
    ],
)
def test_values_are_compared_by_what_matters_and_in_the_view_as_in_python(mine, other, verdict, what):
    assert compared(mine, other) == (verdict, what)
    for name, one, _ in compared_here(mine, other):
        assert javascript("compared", name, *(as_seen(side)[name] for side in (mine, other))) == one
