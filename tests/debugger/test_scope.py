"""What `include` means: whatever is named in it is recorded, and where nothing of it ran, the recording says so."""

from __future__ import annotations

import functools
import html
import importlib
import os
import runpy
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from prefix_lab.debugger import Recording, record
from tests.debugger.recorded import every_hook, recorded, refuses

MODULE = "def main():\n    a = 1\n    return a\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder where a test works, with what it imports forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


def written(folder: Path, name: str, text: str = MODULE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    importlib.invalidate_caches()
    return folder / f"{name}.py"


def called(recording: Recording) -> list[str]:
    return [step.function.rpartition(".")[2] for step in recording.steps if step.event == "call"]


@every_hook
def test_a_folder_is_the_same_by_each_of_its_links(hooks, elsewhere):
    written(elsewhere / "real", "linked")
    (elsewhere / "link").symlink_to(elsewhere / "real")
    (elsewhere / "other").symlink_to(elsewhere / "real")
    sys.path.insert(0, str(elsewhere / "link"))
    main = importlib.import_module("linked").main
    for given in ("link", "real", "other", "link/linked.py", "other/linked.py"):
        for form in (Path(given), str(elsewhere / given), os.path.join(os.curdir, given)):
            assert called(recorded(main, [form], hooks=hooks)) == ["main"], form


def test_a_folder_whose_name_only_begins_alike_is_another(elsewhere):
    written(elsewhere / "pack", "one")
    written(elsewhere / "package", "two")
    sys.path[:0] = [str(elsewhere / "pack"), str(elsewhere / "package")]
    one, two = (importlib.import_module(name).main for name in ("one", "two"))
    assert {Path(step.file).name for step in recorded(lambda: (one(), two()), ["./pack"]).steps} == {"one.py"}


@every_hook
def test_a_file_is_known_by_the_relative_name_that_its_code_has(hooks, elsewhere):
    path = written(elsewhere, "script")
    for given in (path, elsewhere, "script.py"):
        main = runpy.run_path("script.py")["main"]
        assert main.__code__.co_filename == "script.py"
        recording = recorded(main, [given], hooks=hooks)
        assert [step.text for step in recording.steps] == ["def main():", "a = 1", "return a", "return a"]


def test_a_zip_is_a_folder(elsewhere):
    with zipfile.ZipFile("lib.zip", "w") as file:
        file.writestr("zipped.py", MODULE)
    sys.path.insert(0, "lib.zip")
    zipped = importlib.import_module("zipped")
    for given in ("lib.zip", elsewhere / "lib.zip", zipped, "zipped", zipped.main):
        recording = recorded(zipped.main, [given])
        assert [step.text for step in recording.steps] == ["def main():", "a = 1", "return a", "return a"], given


def test_a_folder_that_is_no_module_needs_no_slash(elsewhere):
    (elsewhere / "1st").mkdir()
    main = runpy.run_path(str(written(elsewhere / "1st", "script")))["main"]
    assert called(recorded(main, "1st")) == ["main"]


@every_hook
def test_a_module_that_was_started_with_m_has_two_names(hooks, elsewhere):
    text = (
        f"from prefix_lab.debugger import record\n{MODULE}with record(['pack'], hooks={hooks!r}) as it:\n    main()\n"
    )
    written(elsewhere / "pack", "started", text)
    sys.path.insert(0, str(elsewhere))
    there = runpy.run_module("pack.started", run_name="__main__")
    assert "main" in called(there["it"])


def shared(self):
    return 2


def decorated(function):
    @functools.wraps(function)
    def around(*arguments):
        return function(*arguments)

    return around


class Described:
    """A descriptor of somebody's own."""

    def __init__(self, getter):
        self.getter = getter

    def __get__(self, one, owner=None):
        return self.getter(one)


class Box:
    class Inner:
        def inside(self):
            return 1

    Outer = dict

    def __init__(self):
        self._size = 1

    @property
    def size(self):
        return self._size

    @size.setter
    def size(self, size):
        self._size = size

    @functools.cached_property
    def area(self):
        return 4

    @Described
    def depth(self):
        return 5

    @functools.lru_cache  # noqa: B019
    def volume(self):
        return 8

    @classmethod
    def of(cls):
        return cls

    @staticmethod
    def own():
        return 3

    @decorated
    def wrapped(self):
        return 6

    def scaled(self, by):
        return [by for _ in range(1)]

    doubled = functools.partialmethod(scaled, 2)
    elsewhere = shared
    turned = lambda self: self  # noqa: E731

    @functools.singledispatchmethod
    def chosen(self, one):
        return "any"

    @chosen.register
    def _(self, one: int):
        return "int"


USES = {
    "size": (lambda box: box.size, "size"),
    "area": (lambda box: box.area, "area"),
    "volume": (lambda box: box.volume(), "volume"),
    "of": (lambda box: box.of(), "of"),
    "own": (lambda box: box.own(), "own"),
    "wrapped": (lambda box: box.wrapped(), "wrapped"),
    "doubled": (lambda box: box.doubled(), "scaled"),
    "elsewhere": (lambda box: box.elsewhere(), "shared"),
    "turned": (lambda box: box.turned(), "<lambda>"),
    "chosen": (lambda box: box.chosen(1), "_"),
    "Inner": (lambda box: Box.Inner().inside(), "inside"),
}


@every_hook
@pytest.mark.parametrize("part", USES)
def test_a_class_means_all_that_it_does_and_each_part_can_be_included_alone(part, hooks):
    use, name = USES[part]
    box = Box()
    assert name in called(recorded(lambda: use(box), Box, hooks=hooks))
    others = [one for other, (one, _) in USES.items() if other not in (part, "doubled", "turned")]
    found = recorded(lambda: [one(Box()) for one in (*others, use)], [vars(Box)[part]], hooks=hooks)
    assert {one for one in called(found) if one not in ("<listcomp>", "around")} == {name}


def test_a_descriptor_of_somebodys_own_belongs_to_its_class_and_a_propertys_getter_is_not_its_setter():
    box = Box()
    assert called(recorded(lambda: box.depth, Box)) == ["depth"]
    assert called(recorded(lambda: setattr(box, "size", 2), Box)) == ["size"]
    assert called(recorded(lambda: setattr(box, "size", 2), [Box.size.fget])) == []


def test_a_class_of_properties_alone_and_a_generated_method_are_recorded():
    class Properties:
        only = property(shared)

    @dataclass
    class Generated:
        x: int

    @dataclass
    class Other:
        x: int

    assert called(recorded(lambda: Properties().only, Properties)) == ["shared"]
    assert called(recorded(lambda: (Generated(1), Other(2)), Generated)) == ["__init__"]


def test_a_class_does_not_mean_the_classes_and_values_that_it_names():
    class Uses:
        table = MappingProxyType({"shared": shared})
        kind = Box

        def use(self):
            return self.table["shared"](self), self.kind().own()

    assert called(recorded(lambda: Uses().use(), Uses)) == ["use"]


def test_an_object_that_can_be_called_means_its_call_and_its_class():
    class Model:
        def __call__(self, x):
            return self.forward(x)

        def forward(self, x):
            return x

    class Small(Model):
        def forward(self, x):
            return x + 1

    assert called(recorded(lambda: Small()(1), [Small()])) == ["__call__", "forward"]
    assert called(recorded(functools.partial(shared, 1), functools.partial(shared, 1))) == ["shared"]


@every_hook
def test_functions_of_one_line_and_one_name_are_told_apart(hooks):
    f, g = (lambda x: x), (lambda x: x)  # fmt: skip
    for one in (f, g):
        recording = recorded(lambda: (f(f), g(g)), [one], hooks=hooks)
        assert [step.locals["x"].text for step in recording.steps if step.event == "call"] == [
            recorded(lambda one=one: one(one), [one]).steps[0].locals["x"].text
        ]
        assert len(recording) == 3
    made = [eval("lambda x: x") for _ in range(2)]
    assert len(recorded(lambda: [one(1) for one in made], [made[0]], hooks=hooks)) == 3


def test_what_is_made_inside_a_function_is_recorded_with_it():
    def outer():
        class Made:
            def method(self):
                return [one for one in (lambda: [1])()]

        return Made

    made = outer()
    assert called(recorded(lambda: made().method(), [outer]))[:2] == ["method", "<lambda>"]


@every_hook
def test_a_function_is_the_same_when_its_module_is_loaded_anew(hooks, elsewhere):
    written(elsewhere, "again", f"pair = lambda: 1, lambda: 2\n{MODULE}")
    sys.path.insert(0, str(elsewhere))
    module = importlib.import_module("again")

    def use():
        importlib.reload(module)
        return module.main(), module.pair[0](), module.pair[1]()

    assert called(recorded(use, [module.main, module.pair[1]], hooks=hooks)) == ["main", "<lambda>"]


@every_hook
def test_code_whose_globals_have_no_name_is_recorded_where_it_asks_for_it(hooks):
    space = {"record": record, "hooks": hooks}
    exec("def main():\n    with record(hooks=hooks) as it:\n        a = 1\n    return it", space)
    assert [step.changed["a"].value for step in space["main"]().find(name="a")] == [1]


class Child(Box):
    def more(self):
        return 1


@every_hook
@pytest.mark.parametrize(
    ("include", "words"),
    [
        (["colorsys"], ["no line of colorsys ran"]),
        ([shared], ["no line of shared ran"]),
        ([Child], ["no line of Child ran", "what a class inherits"]),
        (["xml.dom.pulldom"], ["No module 'xml.dom.pulldom' was imported"]),
        ([Path(os.__file__)], ["os.py ran"]),
        ([Box.own, "colorsys"], ["no line of Box.own, colorsys ran"]),
    ],
)
def test_a_recording_of_nothing_says_what_ran_instead(include, words, hooks):
    sys.modules.pop("xml.dom.pulldom", None)
    box = Child()
    recording = recorded(lambda: box.wrapped(), include, hooks=hooks)
    assert len(recording) == 0
    (note,) = recording.notes
    assert all(word in note for word in ["Nothing was recorded", "around of test_scope.py", *words]), note
    assert note in repr(recording)
    assert html.escape(note) in recording._repr_html_()
    with refuses(IndexError, note):
        recording.steps[0]


def test_a_recording_of_nothing_names_the_folder_that_may_have_been_meant(elsewhere):
    main = runpy.run_path(str(written(elsewhere / "source", "script")))["main"]
    assert called(recorded(main, ["source"])) == ["main"]
    sys.path.insert(0, str(elsewhere))  # it can be imported now, as a package without a file
    (note,) = recorded(main, ["source"]).notes
    assert "No module 'source' was imported; the path of that name is './source'." in note
    assert "What ran: <lambda>" not in note
    assert "main of script.py" in note


def test_a_recording_that_reached_a_limit_or_has_steps_says_nothing_of_the_kind():
    assert recorded(lambda: shared(1), [shared, "colorsys"]).notes == []
    recording = recorded(lambda: shared(1), [shared], max_steps=1)
    assert (len(recording), len(recording.notes)) == (1, 1)
    assert "left out" in recording.notes[0]
