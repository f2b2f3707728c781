"""The house's rules: arrows that never exist, no circles, docstrings, and names of PEFT's that must still be there."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import prefix_lab
from prefix_lab.stages import STAGES
from tests import house
from tests.house import ESSENCE, PACKAGE, Import

CORE = [*ESSENCE, *sorted(f"beside.{path.stem}" for path in (PACKAGE / "beside").glob("*.py") if path.stem[0] != "_")]
HEAVY = ("peft", "matplotlib", "jupyterlab", "IPython", "ipywidgets", "anywidget")
ROOMS = ("beside", "breakpoints", "course", "debugger", "shapes", "terminal", "walk", "widgets")
MUTE = ("essence", "beside", "debugger", "sizes")


def forbidden(imports: list[Import]) -> list[str]:
    """The arrows that the house does not have."""
    wrong = []
    for one in imports:
        room = house.room_of(one.module)
        broken = {
            "the essence knows nothing of ours but itself": room == "essence"
            and one.leads_to("prefix_lab", "peft")
            and not one.leads_to(*(f"prefix_lab.{name}" for name in ESSENCE)),
            "beside knows more than the essence": room == "beside"
            and one.leads_to("peft", *(f"prefix_lab.{name}" for name in ROOMS if name != "beside")),
            "the debugger knows more than the standard library": room == "debugger"
            and not one.leads_to("prefix_lab.debugger", *sys.stdlib_module_names),
            "only the terminal and the course itself know the course": room not in ("terminal", "course")
            and one.leads_to("prefix_lab.course"),
            "widgets know more of the essence than its sizes": room == "widgets"
            and one.leads_to("prefix_lab.beside", *(f"prefix_lab.{name}" for name in (*ESSENCE, *prefix_lab.__all__)))
            and not one.leads_to("prefix_lab.config", "prefix_lab.prepare"),
            "what translates knows nothing of ours": room == "locale" and one.leads_to("prefix_lab"),
            "what says nothing, or only errors, needs no translation": room in MUTE
            and one.leads_to("prefix_lab.locale"),
            "peft is imported before it is used": one.at_import and one.leads_to("peft"),
        }
        wrong += [f"{one.module} imports {one.target}: {rule}" for rule, holds in broken.items() if holds]
    return wrong


def test_the_arrows_that_never_exist_do_not_exist():
    assert forbidden(house.imports_in()) == []


def test_no_circle_of_imports_exists():
    assert house.circles(house.arrows()) == []


def test_the_page_of_the_house_tells_its_rooms_and_arrows():
    def rooms(page: str) -> list[tuple[str, str]]:
        cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in page.splitlines() if row.count("|") == 5]
        return [(room, knows) for room, _, _, knows in cells if room not in ("tests", "**all**")]

    assert rooms((house.ROOT / "docs" / "house.md").read_text()) == rooms(house.told())


def planted(files: dict[str, str], root) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a.py": "from prefix_lab import b", "b.py": "def f():\n    import prefix_lab.a"}, ["a", "b"]),
        ({"r/__init__.py": "from .x import X", "r/x.py": "from prefix_lab.r import X"}, ["r", "r.x"]),
        ({"a.py": "from .b import B", "b.py": "import prefix_lab.c", "c.py": "from . import a"}, ["a", "b", "c"]),
        ({"a.py": "from .b import B", "b.py": "import os"}, None),
        ({"a.py": "if TYPE_CHECKING:\n    from .b import B", "b.py": "from .a import A"}, None),
    ],
)
def test_a_planted_circle_is_found(files, circle, tmp_path):
    planted(files, tmp_path)
    expected = [] if circle is None else [[f"prefix_lab.{name}" for name in circle]]
    assert house.circles(house.arrows(tmp_path)) == expected


KNOWS, LATER, ALONE = "the essence knows", "peft is imported before it is used", "the debugger knows more"
LOCALE, SAYS_NOTHING = "what translates knows nothing", "what says nothing, or only errors"
COURSE, SIZES = "only the terminal and the course itself", "widgets know more of the essence"
TASKS = "beside/task_classes.py"


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("past.py", "import prefix_lab.shapes.axes", KNOWS),
        ("past.py", "def f():\n    from .beside import lora", KNOWS),
        ("config.py", "from prefix_lab import walk", KNOWS),
        ("mapping.py", "def f():\n    import peft", KNOWS),
        ("mapping.py", "from prefix_lab import PeftModel", KNOWS),
        (TASKS, "from prefix_lab.shapes import AXES", "beside knows more"),
        (TASKS, "try:\n    from peft import X\nexcept ImportError: ...", LATER),
        ("walk/compare.py", "class A:\n    import peft.utils", LATER),
        ("course/lessons/lesson_06.py", "import peft", LATER),
        ("debugger/recorder.py", "import torch", ALONE),
        ("debugger/recorder.py", "from ..past import x", ALONE),
        ("shapes/walks.py", "from prefix_lab.course import load_tiny_t5", COURSE),
        ("widgets/flow/flow.py", "from prefix_lab.past import past_key_values", SIZES),
        ("widgets/flow/flow.py", "from prefix_lab import PrefixEncoder", SIZES),
        ("locale/__init__.py", "from prefix_lab.stages import STAGES", LOCALE),
        ("past.py", "from prefix_lab.locale import _", SAYS_NOTHING),
        (TASKS, "from prefix_lab.locale import _", SAYS_NOTHING),
        ("debugger/search.py", "from prefix_lab.locale import _", SAYS_NOTHING),
        ("walk/run.py", "from prefix_lab.locale import N_, _", None),
        ("past.py", "import torch\nfrom prefix_lab.config import PeftConfig\nfrom .encoder import PrefixEncoder", None),
        (TASKS, "from prefix_lab.models import PeftModel\nfrom .lora import LoraModel", None),
        ("walk/compare.py", "def f():\n    import peft", None),
        ("walk/run.py", "from prefix_lab import get_peft_model", None),
        ("terminal/cli.py", "from prefix_lab.course import load_tiny_t5", None),
        ("debugger/recorder.py", "import sys, collections.abc\nfrom . import replay\nfrom .replay import Cursor", None),
        ("widgets/flow/flow.py", "import anywidget\nfrom prefix_lab.shapes import AXES", None),
        ("widgets/sizes.py", "from prefix_lab.prepare import cache_sizes", None),
    ],
)
def test_a_planted_arrow_is_found_unless_it_may_exist(file, line, rule, tmp_path):
    planted({file: line}, tmp_path)
    found = forbidden(house.imports_in(tmp_path))
    assert found == [] if rule is None else any(rule in wrong for wrong in found)


def test_the_essence_is_read_in_one_sitting():
    assert house.lines([PACKAGE / f"{name}.py" for name in ESSENCE]) <= 750


def public_parts() -> Iterator[tuple[str, object]]:
    """Every public class, function and method that the core defines, by its dotted name."""
    for name in CORE:
        module = importlib.import_module(f"prefix_lab.{name}")
        yield module.__name__, module
        for label, thing in vars(module).items():
            if label.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{module.__name__}.{label}", thing
            if inspect.isclass(thing):
                methods = {k: v for k, v in vars(thing).items() if not k.startswith("_") and callable(v)}
                yield from ((f"{module.__name__}.{label}.{k}", v) for k, v in methods.items())


def docstring(thing: object) -> str | None:
    """What is written there; a method that overrides one keeps its text, but a class has a text of its own."""
    if not inspect.isclass(thing):
        return inspect.getdoc(thing)
    written = thing.__dict__.get("__doc__")
    return None if written and written.startswith(f"{thing.__name__}(") else written  # a dataclass makes one up


def test_every_public_part_of_the_core_has_a_docstring():
    assert [name for name, thing in public_parts() if not docstring(thing)] == []


def names_of_peft() -> list[str]:
    """Every name of PEFT's that the core's text or the table of stages says, each once."""
    texts = [(PACKAGE / f"{name.replace('.', '/')}.py").read_text() for name in CORE]
    said = [name for text in texts for name in re.findall(r"`(peft(?:\.\w+)+)`", text)]
    return sorted({*said, *(row.peft for row in STAGES)} - {"torch.Tensor.backward"})


@pytest.mark.parametrize("name", names_of_peft())
def test_a_name_of_pefts_that_the_core_says_is_there(name):
    assert pkgutil.resolve_name(name) is not None


def test_the_core_says_where_it_comes_from():
    assert len(names_of_peft()) > 20
    for name in set(CORE) - {"stages"}:
        assert "peft" in (importlib.import_module(f"prefix_lab.{name}").__doc__ or "").lower(), name


def test_every_file_of_the_core_is_type_checked_in_tests():
    checked = re.search(r"--jaxtyping-packages=([^\"]+)", (house.ROOT / "pyproject.toml").read_text())[1].split(",")
    assert {f"prefix_lab.{name.split('.')[0]}" for name in CORE} <= set(checked)


def test_every_public_name_is_had_from_the_package_and_listed():
    assert {"get_peft_model", "PrefixTuningConfig", "PeftModel", "LoraConfig", "TaskType"} <= set(prefix_lab.__all__)
    assert set(prefix_lab.__all__) <= set(dir(prefix_lab))
    for name in prefix_lab.__all__:
        home = getattr(getattr(prefix_lab, name), "__module__", "prefix_lab.beside")  # a table is at home nowhere
        assert house.room_of(home) in ("essence", "beside"), name


@pytest.mark.parametrize(
    ("statement", "without"),
    [
        ("import prefix_lab.debugger", ("torch", "numpy")),
        ("from prefix_lab import debugger", ("torch", "numpy")),
        ("from prefix_lab.terminal import record, replay", ("torch", "numpy")),
        ("import prefix_lab.prepare", ("torch", "numpy")),
        ("import prefix_lab", HEAVY),
    ],
)
def test_the_debugger_and_the_sizes_are_imported_without_torch_and_nothing_heavy_is(statement, without):
    said = f"import sys; {statement}; print([name for name in {without} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], cwd=house.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
