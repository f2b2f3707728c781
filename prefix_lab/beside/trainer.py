"""Known to transformers' Trainer: a prefix is saved, resumed and trained as PEFT's is, with only the import swapped.

Trainer asks `isinstance(model, peft.PeftModel)` before it saves an adapter rather than the whole model, reads the
base model's columns rather than the wrapper's, and loads an adapter when it resumes. It has no list to register with,
so our class is added to the name that it asks for: in `transformers.trainer_utils` and `transformers.trainer`, when
they are imported and not before. PEFT itself is neither imported nor changed, and need not be installed.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

ASKING = ("transformers.trainer_utils", "transformers.trainer")
"""The modules that ask, each by the name `PeftModel`."""


class Introduction(MetaPathFinder):
    """Adds a class to what the asking modules take for PEFT's, as soon as each is imported."""

    def __init__(self, kind: type):
        self.kind = kind

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec, which introduces the class after it has run; None for every other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in ASKING else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_introduce(module: ModuleType) -> None:
            run(module)
            introduce(module, self.kind)

        spec.loader.exec_module = run_and_introduce  # the loader is made anew for each spec
        return spec


def introduce(module: ModuleType, kind: type) -> None:
    """Let `isinstance(model, PeftModel)` in this module be true for `kind`, and still for PEFT's own class."""
    known = getattr(module, "PeftModel", ())
    module.PeftModel = (known, kind)  # isinstance takes tuples, one in another too
    if known == ():  # without PEFT, the module would not ask at all
        module.PeftMixedModel = ()
        module.is_peft_available = lambda: True


def make_known(kind: type) -> None:
    """Introduce `kind` to the asking modules, those that are imported already and those still to come."""
    for name in ASKING:
        if name in sys.modules:
            introduce(sys.modules[name], kind)
    sys.meta_path.insert(0, Introduction(kind))
