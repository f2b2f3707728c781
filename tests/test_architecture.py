"""The house's rules: arrows that never exist, docstrings, and names of PEFT's that must still be there."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import prefix_lab
from prefix_lab.stages import STAGES

ROOT = Path(prefix_lab.__file__).parent
CORE = sorted(path.stem for path in ROOT.glob("*.py") if path.stem not in ("__init__", "__main__", "cli"))
HEAVY = ("peft", "matplotlib", "jupyterlab", "IPython", "ipywidgets", "anywidget")


class Import(NamedTuple):
    """One import: who says it, what it names, and whether importing the module already runs it."""

    module: str
    target: str
    at_import: bool

    def room(self) -> str:
        """Which room of the house the module belongs to: the core, or the folder or file of another part."""
        name = self.module.split(".")[1]
        return "core" if name in CORE or name == "__init__" else name

    def leads_to(self, *names: str) -> bool:
        return any(self.target == name or self.target.startswith(name + ".") for name in names)


def imports_in(root: Path) -> list[Import]:
    """Every import in a package's files, in functions too; relative ones by their full name."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = ("prefix_lab", *path.relative_to(root).with_suffix("").parts)
        found += [
            Import(".".join(parts), target, at_import)
            for target, at_import in targets(ast.parse(path.read_text()), parts)
        ]
    return found


def targets(tree: ast.AST, parts: tuple[str, ...], at_import: bool = True) -> Iterator[tuple[str, bool]]:
    """What the imports under a node name; `from a import b` names a.b, which may be a module or not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", at_import) for alias in node.names)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from targets(node, parts, at_import and not inside)


def forbidden(imports: list[Import]) -> list[str]:
    """The arrows that the house does not have."""
    ours = ("breakpoints", "debugger", "shapes", "widgets", "course", "walk", "terminal")
    core = tuple(f"prefix_lab.{name}" for name in CORE)
    wrong = []
    for one in imports:
        room = one.room()
        inner = one.leads_to("prefix_lab")
        broken = {
            "the core knows the other rooms": room == "core"
            and one.leads_to("peft", "prefix_lab.cli", *(f"prefix_lab.{name}" for name in ours)),
            "the debugger knows more than the standard library": room == "debugger"
            and not one.leads_to("prefix_lab.debugger", *sys.stdlib_module_names),
            "only cli, walk and the course itself know the course": room not in ("cli", "walk", "course")
            and one.leads_to("prefix_lab.course"),
            "widgets know more of the core than its sizes": room == "widgets"
            and inner
            and one.leads_to(*core, *public_names())
            and not one.leads_to("prefix_lab.config", "prefix_lab.prepare"),
            "peft is imported before it is used": one.at_import and one.leads_to("peft"),
        }
        wrong += [f"{one.module} imports {one.target}: {rule}" for rule, holds in broken.items() if holds]
    return wrong


def public_names() -> list[str]:
    """`from prefix_lab import ...` takes the core's names from the package."""
    return [f"prefix_lab.{name}" for name in prefix_lab.__all__]


def test_the_arrows_that_never_exist_do_not_exist():
    assert forbidden(imports_in(ROOT)) == []


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("past.py", "import prefix_lab.shapes.axes", "the core knows the other rooms"),
        ("past.py", "def f():\n    from .course import tasks", "the core knows the other rooms"),
        ("config.py", "from prefix_lab import walk", "the core knows the other rooms"),
        ("mapping.py", "def f():\n    import peft", "the core knows the other rooms"),
        ("mapping.py", "try:\n    from peft import X\nexcept ImportError: ...", "peft is imported before it is used"),
        ("walk/compare.py", "class A:\n    import peft.utils", "peft is imported before it is used"),
        ("course/lessons/lesson_05.py", "import peft", "peft is imported before it is used"),
        ("debugger/recorder.py", "import torch", "the debugger knows more than the standard library"),
        ("debugger/recorder.py", "from ..past import x", "the debugger knows more than the standard library"),
        ("shapes/walks.py", "from prefix_lab.course import load_tiny_t5", "only cli, walk and the course itself"),
        ("widgets/flow/flow.py", "from prefix_lab.past import past_key_values", "widgets know more of the core"),
        ("widgets/flow/flow.py", "from prefix_lab import PrefixEncoder", "widgets know more of the core"),
    ],
)
def test_a_planted_arrow_is_found(file, line, rule, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert any(rule in wrong for wrong in forbidden(imports_in(tmp_path)))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("past.py", "import torch\nfrom prefix_lab.config import PeftConfig\nfrom .encoder import PrefixEncoder"),
        ("walk/compare.py", "def f():\n    import peft"),
        ("walk/steps.py", "from prefix_lab.course import load_tiny_t5\nfrom prefix_lab import get_peft_model"),
        ("cli.py", "from prefix_lab.course import load_tiny_t5"),
        ("debugger/recorder.py", "import sys, collections.abc\nfrom . import replay\nfrom .replay import Cursor"),
        ("widgets/flow/flow.py", "import anywidget\nfrom prefix_lab.shapes import AXES"),
        ("widgets/sizes.py", "from prefix_lab.prepare import cache_sizes"),
    ],
)
def test_an_arrow_that_may_exist_is_let_pass(file, line, tmp_path):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert forbidden(imports_in(tmp_path)) == []


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
    texts = [(ROOT / f"{name}.py").read_text() for name in CORE]
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
    checked = re.search(r"--jaxtyping-packages=([^\"]+)", (ROOT.parent / "pyproject.toml").read_text())[1].split(",")
    assert {f"prefix_lab.{name}" for name in CORE} <= set(checked)


def test_every_public_name_is_where_the_package_says():
    beside = importlib.import_module("prefix_lab.beside")
    assert len(prefix_lab.__all__) > 30
    for name in prefix_lab.__all__:
        assert getattr(prefix_lab, name) is getattr(beside, name)


@pytest.mark.parametrize("module", ["debugger", "prepare"])
def test_the_debugger_and_the_sizes_can_be_imported_without_torch(module):
    said = f"import sys, prefix_lab.{module}; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_prefix_lab_imports_nothing_heavy():
    said = f"import sys, prefix_lab; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
