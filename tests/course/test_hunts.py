"""Lesson 14's hunts: Mika's file is PEFT's, each bug is silent, each suspicion and mend is told its cause."""

import ast
from pathlib import Path

import jupytext
import peft
import pytest
import torch

from notebooks.build import SOURCE
from prefix_lab.course import hunts, trials
from prefix_lab.course.checking import NotYet
from prefix_lab.course.lessons import lesson_14
from prefix_lab.course.progress import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
CODE = [
    cell
    for cell in jupytext.read(SOURCE / "14_bug_hunts.py", fmt="py:percent").cells
    if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", [])
]


class Hunt:
    """A hunt's report and the lesson's own answer to it, from the cells of the notebook."""

    def __init__(self, number):
        self.number, names = number, {}
        imports = [one for one in ast.parse(CODE[0].source).body if isinstance(one, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), "imports", "exec"), names)
        names["check_hunt"] = self.given
        names["print"] = lambda *told: None
        for cell in CODE:
            if f"hunts.branch({number})" in cell.source or f"check_hunt({number}, " in cell.source:
                exec(compile(cell.source, f"hunt {number}", "exec"), names)
        self.names = names

    def given(self, number, report, where, seen, wrong, right):
        self.report = report
        self.answers = {"where": where, "seen": seen, "wrong": wrong, "right": right}

    def check(self, **other):
        return lesson_14.check_hunt(self.number, self.report, **{**self.answers, **other})


FOUND = {}


@pytest.fixture
def hunt(request):
    number = request.param
    if number not in FOUND:
        FOUND[number] = Hunt(number)
    return FOUND[number]


ALL = sorted(hunts.BUGS)
ALSO_RIGHT = {
    1: {"right": "rows = rows.permute(2, 0, 3, 1, 4)"},
    2: {
        "seen": [0.0, 0.0, 0.0],
        "right": "return torch.cat((torch.ones(len(mask), self.config.num_virtual_tokens), mask), dim=1)",
    },
    3: {"where": "look_up()", "right": "return self.embedding(numbers)"},
    4: {"right": "cache = self.to_cache(self.to_rows(self.encode(batch_size)))"},
    5: {"seen": "torch.bfloat16", "right": "return encoder.to(self.base_model.device)"},
    6: {"where": "PrefixEncoder.look_up"},
    7: {"right": "return self.config.num_virtual_tokens + positions"},
}
MISTAKES = {
    1: {
        "would be true as well": {"seen": lambda names: (8, 1, 4, names["prefix_len_1"], 32)},
        "step in.": {"where": "PrefixModel.get_prompt"},
        "go back towards": {"where": "PrefixModel.to_cache"},
        "nothing is wrong yet": {"where": "PrefixModel.encode"},
        "never reached": {"where": "PrefixModel.load_adapter"},
        "earlier draw": {"seen": [9.0, 9.0, 9.0, 9.0]},
        "still shows something else": {"right": "rows = rows.permute(2, 0, 3, 1, 4).flip(0)"},
        "it stops": {"right": "rows = rows.movedim(2, 0)"},
    },
    2: {
        "each time": {"where": "PrefixModel.to_rows"},
        "would be true as well": {"seen": 1.0},
        "at its call number 1": {"right": "return mask.float()"},
        "a gpt-2 that goes on, with padding and without": {
            "right": "more = self.config.num_virtual_tokens * (len(mask) < 3)\n"
            "return nn.functional.pad(mask.float(), (more, 0), value=1.0)"
        },
    },
    3: {
        "would be true as well": {"seen": "float32"},
        "is what prefixencoder.look_up would give": {"seen": True},
        "go back towards": {"where": "PrefixModel.to_rows"},
        "each time": {"where": "PrefixModel.virtual_tokens"},
        "still shows": {"right": "return nn.functional.embedding(numbers, self.embedding.weight).detach()"},
    },
    4: {
        "another of its calls": {"seen": lambda names: names["prefix_len_4"]},
        "each time": {"where": "PrefixModel.to_cache"},
        "step in.": {"where": "PrefixModel.generate"},
        "still shows": {"right": "cache = self.made.setdefault(batch_size, self.to_cache(self.to_rows(prefix)))"},
    },
    5: {
        "go back towards": {"where": "PrefixEncoder.look_up"},
        "would be true as well": {"seen": True},
        "is what prefixmodel.placed would give": {"seen": "float32"},
        "placed, at its call number 1": {"right": "return encoder.to(reference).float()"},
    },
    6: {
        "go back towards": {"where": "TextThatGoesOn.forward"},
        "step in.": {"where": "PrefixModel.save_pretrained"},
        "beside": {"where": "PrefixModel.set_adapter"},
        "earlier draw": {"seen": 0.5},
        "still shows": {"right": 'encoder, config = self.prompt_encoder["default"], self.peft_config[adapter_name]'},
    },
    7: {
        "nothing is wrong yet": {"where": "PrefixModel.get_prompt"},
        "step in.": {"where": "TextThatGoesOn.prepare_inputs_for_generation"},
        "would be true as well": {"seen": (1, 1)},
        "still shows": {"right": "return positions + self.config.num_virtual_tokens + filled"},
    },
}


def test_mikas_file_without_a_bug_gives_what_peft_gives():
    trials.hold_against_peft(hunts.branch(0), lambda by: None)


@pytest.mark.parametrize("number", ALL)
def test_each_bug_is_one_line_that_stands_there_once_and_changes_no_signature(number):
    right, wrong = hunts.BUGS[number]
    source = hunts.ORIGINAL.read_text()
    assert source.count(right) == 1
    assert wrong not in source
    assert max(map(len, source.replace(right, wrong).splitlines())) <= 120
    assert len(EXERCISES[14]) == len(lesson_14.PRAISE) == len(hunts.BUGS)


@pytest.mark.parametrize("hunt", ALL, indirect=True)
def test_the_lessons_answer_passes_and_so_does_another_that_is_as_good(hunt):
    assert hunt.check().passed, hunt.check()
    verdict = hunt.check(**ALSO_RIGHT[hunt.number])
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    ("hunt", "cause"), [(number, cause) for number in ALL for cause in MISTAKES[number]], indirect=["hunt"]
)
def test_a_wrong_suspicion_and_a_wrong_mend_are_told_their_cause(hunt, cause):
    wrong = MISTAKES[hunt.number][cause]
    verdict = hunt.check(**{name: one(hunt.names) if callable(one) else one for name, one in wrong.items()})
    assert not verdict.passed
    assert cause in verdict.text.lower(), verdict
    assert len(verdict.text) < 500


@pytest.mark.parametrize("hunt", [2], indirect=True)
def test_the_stub_is_open_and_what_was_seen_comes_before_the_mend(hunt):
    open_ = dict.fromkeys(("where", "seen", "wrong", "right"), ...)
    assert "Put your answer" in hunt.check(**open_).text
    assert "`seen` is still open" in hunt.check(seen=..., wrong=..., right=...).text
    assert "Well seen" in hunt.check(wrong=..., right=...).text
    assert "as it stood" in hunt.check(right=hunt.answers["wrong"]).text


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"where": 3}, "where is 3"),
        ({"where": "<script>"}, "has no function"),
        ({"where": "to_row"}, "Did you mean: PrefixModel.to_rows"),
        ({"seen": {"a": 1}}, "a tuple, a list"),
        ({"seen": ["<script>", 2, 3]}, "nothing of the kind"),
        ({"wrong": 3}, "wrong is 3"),
        ({"wrong": ""}, "wrong is empty"),
        ({"wrong": "rows = rows.movedim(2, 0)"}, "no such line"),
        ({"wrong": "rows = rows.movedim(2, 0).reshape(-1, batch)"}, "Did you mean: rows ="),
        ({"right": "rows = ("}, "no Python any more"),
        ({"right": "raise SystemExit('<script>')"}, "it stops, SystemExit"),
        ({"wrong": "class PrefixModel(nn.Module):", "right": "class PrefixModel(nn.Modul):"}, "cannot be loaded"),
    ],
)
@pytest.mark.parametrize("hunt", [1], indirect=True)
def test_a_hostile_answer_is_answered_in_words(hunt, other, said):
    verdict = hunt.check(**other)
    assert not verdict.passed
    assert said in verdict.text
    assert "<script>" not in verdict._repr_html_()


@pytest.mark.parametrize("hunt", [1], indirect=True)
def test_a_report_that_shows_no_bug_or_fails_is_told(hunt):
    def check(report):
        return lesson_14.check_hunt(1, report, **hunt.answers).text

    assert "gives the same with Mika's branch" in check(lambda by: None)
    assert "raised ZeroDivisionError" in check(lambda by: 1 / 0)
    assert "without brackets" in check(hunt.report(peft))


def test_a_line_that_stands_there_twice_is_to_be_given_with_its_neighbour():
    lines = ["    x = 1", "    y = 2", "    x = 1"]
    with pytest.raises(NotYet, match="more than once"):
        trials.found(lines, ["x = 1"])
    assert trials.found(lines, ["x = 1", "y = 2"]) == (0, 2)


@pytest.mark.parametrize("hunt", [1], indirect=True)
def test_a_check_leaves_the_branch_and_the_learners_random_numbers_alone(hunt):
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    hunt.check()
    assert torch.equal(torch.rand(3), first)
    assert hunts.BUGS[1][1] in Path(hunts.branch(1).__file__).read_text()


def test_what_was_seen_is_read_in_every_form():
    gave = dict(hunts.parts({"a": torch.arange(6.0).view(2, 3), "b": "name"}))
    for seen in ((2, 3), "float32", torch.float32, 2.5, 15, [3, 4, 5], torch.arange(6).view(2, 3), False, "name"):
        assert hunts.places(seen, gave), seen
    for seen in ((3, 2), "float16", 2.6, [3, 4, 6], [], [[1, 2], [3]], True, "other", torch.ones(2, 2)):
        assert not hunts.places(seen, gave), seen
