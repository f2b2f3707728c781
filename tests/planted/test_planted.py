"""The tests are worth something: each mistake that is planted into the package makes one of them fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.mutations import HERE, REPOSITORY, ROOMS, Mistake, mistakes
from tests.planted.patterns import plant
from tests.tiny_models import refuses

ROOM = {
    Path("a.py"): """def grown(self, old):
    # as PEFT
    new = old.view(2, 3)
    return torch.cat(
        (new, old), dim=1
    )
""",
    Path("b.py"): """class Rows:
    def first(self, rows):
        if rows:
            return rows[0]
        elif self:
            return f'{rows}·{len(self):,d}'
        return self.take(1, by=2, to=3)
""",
}


@pytest.mark.parametrize("name", ROOMS)
def test_every_planted_mistake_is_caught(name):
    known = len(mistakes((HERE / f"{name}.txt").read_text()))
    command = [sys.executable, "-m", "tests.planted", name]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: {known} of {known} mistakes caught" in done.stdout


@pytest.mark.parametrize(("name", "enough"), [("core", 140), ("debugger", 75)])
def test_there_are_enough_mistakes_and_each_has_a_name_of_its_own(name, enough):
    known = mistakes((HERE / f"{name}.txt").read_text())
    assert len({one.name for one in known}) == len(known) >= enough
    assert all(one.old and one.new and "::test_" in one.test for one in known)


def test_the_list_is_read_as_it_says():
    text = "How it is written.\n\n-- area::test_x\nkey lost\n@ Cache.keys\n<a\n<  b\n>c\n\n-- area::test_y\n"
    assert mistakes(text + "row lost\n<d\n>e\n") == [
        Mistake("key lost", "area::test_x", "Cache.keys", "a\n  b", "c"),
        Mistake("row lost", "area::test_y", "", "d", "e"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "where", "gives"),
    [
        ("$f(($one, $two), dim=1)", "$f(($two, $one), dim=1)", "", "return (torch.cat((old, new), dim=1))"),
        ("$a = $b.view($$sizes)\nreturn $c", "return $c", "", "# as PEFT\n    return torch.cat((new, old), dim=1)\n"),
        ("$x.view($$sizes)", "$x.view(5, $$sizes)", "grown", "new = (old.view(5, 2, 3))"),
        ("$x.take($$rest, to=3)", "$x.take($$rest, to=4)", "", "return (self.take(1, to=4, by=2))"),
        ("f'{$$a}{len($x):,d}{$$b}'", "f'{$$a}{len($x):d}{$$b}'", "Rows", "return (f'{rows}·{len(self):d}')"),
        ("if self:\n    $$rest", "if not self:\n    $$rest", "", "elif not self:\n            return f'{rows}·"),
        ("$rows[0]", "$rows[1]", "b", "return (rows[1])"),
        (
            "def first($self, $rows):\n    $$rest",
            "def first($self, $rows):\n    pass",
            "",
            "(self, rows):\n        pass\n",
        ),
    ],
)
def test_what_a_pattern_says_is_changed_and_all_around_it_is_not(old, new, where, gives):
    path, source = plant(ROOM, old, new, where)
    assert gives in source
    assert source.splitlines()[0] == ROOM[path].splitlines()[0]


@pytest.mark.parametrize(
    ("old", "where", "said"),
    [
        ("$x.viev(2, 3)", "", ["fits none; near are:", "a.py:3: old.view(2, 3)"]),
        ("$x.view(3, 2)", "", ["fits none"]),
        ("$x + $x", "", ["fits none"]),
        ("return $x", "Rows", ["in Rows", "fits 3:", "b.py:4: return rows[0]", "b.py:7"]),
        ("$x.view($$_)", "Rows", ["in Rows", "fits none"]),
    ],
)
def test_a_mistake_whose_code_is_not_there_once_is_stale_and_is_told_what_is_near(old, where, said):
    with refuses(LookupError, "is to fit one place", *said):
        plant(ROOM, old, "new", where)


def test_a_mistake_that_changes_nothing_is_none():
    with refuses(ValueError, "is the same with the mistake"):
        plant(ROOM, "$a.view($b, $c)", "($a.view($b, $c))")
