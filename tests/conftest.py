"""What every test relies on: no network, one thread, and examples that are the same in every run."""

import importlib
import os
import sys
from types import ModuleType

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported, which reads it once
os.environ["PREFIX_LAB_PROGRESS"] = ""  # the course's exercises are no learner's
os.environ["PREFIX_LAB_LANGUAGE"] = "en"  # whatever this system speaks
os.environ["OMP_NUM_THREADS"] = "1"  # for kernels and programs, too: two that train at once wait for each other

import pytest
import torch
from hypothesis import Phase, settings

# Sums over several threads differ in their last bits, and tiny tensors gain nothing from them.
torch.set_num_threads(1)

settings.register_profile("default", deadline=None, derandomize=True, max_examples=25)
# For tests.planted: a failure is all that it asks for, not the smallest one.
settings.register_profile(
    "mutant", parent=settings.get_profile("default"), database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """prefix_lab as its users have it: no type checker stands before our own errors, as it does in all other tests."""

    def ours() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "prefix_lab"}

    checked, finders = ours(), list(sys.meta_path)
    for name in checked:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in finders if not type(finder).__module__.startswith("jaxtyping")]
    try:
        package = importlib.import_module("prefix_lab")
        for name in package.__all__:
            getattr(package, name)  # each is imported when it is asked for, which is to happen here
        return package
    finally:
        sys.meta_path[:] = finders
        for name in ours():
            del sys.modules[name]
        sys.modules.update(checked)


@pytest.fixture(scope="session")
def peft_of_2023() -> None:
    """PEFT 0.4.0 in the user's cache folder, as its users have it: made once, by whichever test comes first."""
    from prefix_lab.years.environment import have, release

    have(release("peft==0.4.0"), lambda asked: True)
