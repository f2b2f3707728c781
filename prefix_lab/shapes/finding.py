"""`name_axes`: run a walk at several sizes, name what the sizes explain, keep what one more run bears out."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from prefix_lab.debugger import record
from prefix_lab.debugger.progress import Progress
from prefix_lab.debugger.scope import is_module
from prefix_lab.locale import N_, _
from prefix_lab.shapes import cache
from prefix_lab.shapes.axes import worth
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.sightings import Sighting, Spot, sightings
from prefix_lab.shapes.solving import Way, same_in, solve, table_of
from prefix_lab.shapes.walks import (
    MODELS,
    STANDARD_RUNS,
    WALKS,
    Runs,
    Walk,
    check_sizes,
    held_out_run,
    standard_runs,
)

INCLUDE = (
    *("prefix_lab", "peft", "transformers.models", "transformers.cache_utils", "transformers.masking_utils"),
    *("transformers.generation.utils", "transformers.integrations.sdpa_attention", "transformers.loss"),
)
NAMING = N_("Naming the axes of a walk: run {far} of {of}, {seconds:.0f} s")
NOT_NAMED = N_("Stopped. No name of this walk was found or kept: ask for them again.")


def name_axes(
    walk: Walk | str | Iterable[Walk | str],
    include: Any = (),
    runs: Sequence[Mapping[str, int]] | None = None,
    held_out: Mapping[str, int] | None = None,
) -> Names:
    """Find the names of all axes in a walk, by running it at several sizes and once more to prove them.

    `walk(axes)` gets a dict with every standard axis (batch, prefix_len, layers, heads, kv_heads, head_dim, hidden,
    source, target, vocab, ff, encoder_hidden) and runs something at those sizes; or it is the name of a standard walk
    in `walks.WALKS`, or of a family, which has two; or several of these. `include` adds to what is recorded: the
    walk's own code, the packages prefix_lab and peft, and the models of transformers. `runs` are other sizes, with
    axes of any names, and `held_out` those of the run that proves.

    The names of a walk are found once and then remembered; those of the standard walks also on disk, see `cache`.

    Raises `ValueError` for sizes that leave axes apart, for an unknown walk, and when the walk itself fails at some
    size, which it then names.
    """
    if isinstance(walk, str) and walk in MODELS:
        walk = [name for name in WALKS if name.startswith(f"{walk}, ")]
    if isinstance(walk, str) and walk not in WALKS:
        raise ValueError(f"walk={walk!r} is not a standard walk. They are: {', '.join(WALKS)}.")
    if not isinstance(walk, str) and not callable(walk):
        names = Names()
        for one in several(walk):
            names.join(name_axes(one, include, runs, held_out))
        return names
    all_runs = STANDARD_RUNS
    if runs is not None or held_out is not None:
        held_out = held_out_run() if held_out is None else held_out
        asked = check_sizes(standard_runs() if runs is None else runs, held_out)
        all_runs = tuple(tuple(run.items()) for run in asked)
    one = isinstance(include, str | Path | ModuleType) or callable(include)
    return found_names(walk, (include,) if one else tuple(include), all_runs)


def several(walks: Any) -> list[Any]:
    """The walks of a list. Raises `ValueError` for what is none, or empty."""
    found = list(walks) if isinstance(walks, Iterable) else []
    if not found:
        raise ValueError(
            f"walk={walks!r}, expected a function that takes a dict of sizes, the name of a standard walk, or a list "
            f"of these. The standard walks are: {', '.join(WALKS)}."
        )
    return found


@functools.cache
def found_names(walk: Walk | str, include: tuple, runs: Runs) -> Names:
    """The names of one walk; the arguments are hashable, so that they are found only once. The last run proves."""
    if not isinstance(walk, str):
        return proven_names(walk, include, runs)
    if include:
        return proven_names(WALKS[walk], include, runs)
    names = cache.load(walk, runs)
    if names is None:
        names = proven_names(WALKS[walk], include, runs)
        cache.save(names, walk, runs)
    return names


def ready_for_debugger(model_config: Any, projected: bool) -> None:
    """Where a debugger is attached: see that the names of the model's standard walk are kept before it stops.

    Its pane of variables cannot wait for them. They are found in a process of its own, since one that is debugged
    cannot be recorded; the debugger does not follow it there.
    """
    family = cache.FAMILIES.get(getattr(model_config, "model_type", None))
    walk = f"{family}, {'projected' if projected else 'direct'}"
    if walk not in WALKS or cache.folder() is None or cache.load(walk, STANDARD_RUNS):
        return
    from _pydev_bundle.pydev_monkey import skip_subprocess_arg_patch

    find = f"from prefix_lab.shapes import name_axes; name_axes({walk!r})"
    with skip_subprocess_arg_patch():
        subprocess.run([sys.executable, "-c", find], check=False)  # without names, shapes are shown all the same


def proven_names(walk: Walk, include: tuple, runs: Runs) -> Names:
    """Run the walk at all sizes, and solve for each place what its axes are."""
    seen: list[Any] = []
    with Progress(_(NAMING), _(NOT_NAMED), lambda: len(seen) + 1, of=len(runs)):
        for run in runs:
            seen.append(by_place(seen_in(walk, include, dict(run))))
    return names_from(seen, runs)


def names_from(seen: Sequence[Any], runs: Runs) -> Names:
    """The names that what was `seen` in each run bears out, each as `by_place` gives it; the last run proves."""
    *found_at, last_sizes = map(dict, runs)
    *first, last = seen
    table = table_of(found_at)
    names = Names(same=same_in([*found_at, last_sizes]))
    value_of: Callable[[str], int | None] = functools.cache(lambda text: worth(text, last_sizes))
    for key in first[0]:
        others = [one.get(key, {}) for one in first[1:]]
        names.places[key] = solve(first[0][key], others, last.get(key, {}), table, value_of)
    return names


def seen_in(walk: Walk, include: tuple, sizes: Mapping[str, int]) -> list[Sighting]:
    """Run the walk once, and say what tensors were seen where.

    Raises `ValueError` for a walk that fails, and for a walk or an `include` that has no Python code to record.
    """
    included = [*filter(is_module, INCLUDE), walk, *include]  # not all of these packages need be installed
    recorder = record(included)
    try:
        with recorder as recording:
            walk(dict(sizes))
    except Exception as error:
        raise ValueError(
            f"The walk failed at the sizes {dict(sizes)}: {type(error).__name__}: {error}. Give runs= and held_out= "
            "sizes that the model can have."
        ) from error
    return list(sightings(recording))


def by_place(seen: Sequence[Sighting]) -> dict[tuple[Spot, str], dict[Way, tuple[int, ...]]]:
    found: dict[tuple[Spot, str], dict[Way, tuple[int, ...]]] = defaultdict(dict)
    for one in seen:
        found[one.spot, one.name].setdefault((one.way, one.visits), one.shape)
    return found
