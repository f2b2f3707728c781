"""Prefix tuning as PEFT does it, written to be read: `get_peft_model(model, PrefixTuningConfig(...))`.

The names are PEFT's, so that `from peft import ...` can be swapped for `from prefix_lab import ...`. Start reading in
`stages.py`, then follow the data: config, mapping, prepare, encoder, past, models, tasks, checkpoint. What users import
stands in `beside`, around these nine files.
"""

import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefix_lab.beside import *  # noqa: F403  the names, for type checkers


def __getattr__(name: str) -> Any:
    """Looked up when it is used, so that `prefix_lab.debugger` can be had without torch."""
    if name == "__version__":
        from importlib.metadata import version

        found = version("prefix-lab")
    elif name.startswith("__") and name != "__all__":
        found = None
    elif importlib.util.find_spec(f"prefix_lab.{name}"):
        found = importlib.import_module(f"prefix_lab.{name}")
    else:
        beside = importlib.import_module("prefix_lab.beside")
        names = [name for name, one in vars(beside).items() if name[0] != "_" and not isinstance(one, ModuleType)]
        found = {"__all__": sorted(names), **{name: getattr(beside, name) for name in names}}.get(name)
        found = found or beside.wrapping.stand_in(name)
    if found is None:
        raise AttributeError(f"module 'prefix_lab' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
