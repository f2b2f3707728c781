"""What the walk finds at one stage, as plain values: what went in and out, what changed, and whether PEFT agrees."""

from typing import Any, NamedTuple

from prefix_lab.stages import Stage


class Seen(NamedTuple):
    """Something that entered or left a stage: a tensor with its named shape, or (`shape` is None) a value in words."""

    name: str
    shape: tuple[int, ...] | None = None
    axes: tuple[str, ...] | None = None  # names that give the seen size; a bare number where none does
    dtype: str | None = None
    value: str | int | float | None = None
    note: str = ""


class Fact(NamedTuple):
    """One thing that changed, or was counted, in this run: a sentence to read, and the same as data."""

    name: str
    text: str
    data: Any = None


class Described(NamedTuple):
    """What one stage is told by: `values` and `notes` by the names that the table of stages gives to what flows."""

    values: dict[str, Any]
    facts: tuple[Fact, ...] = ()
    notes: dict[str, str] = {}  # noqa: RUF012  a NamedTuple's default is never changed


class Difference(NamedTuple):
    """One thing that is not as in PEFT, and by how much; `largest` is the largest difference of two numbers."""

    name: str
    text: str
    largest: float | None = None


class Check(NamedTuple):
    """One comparison with PEFT: what was compared, how many things, how exactly, and which of them differ."""

    what: str
    compared: int
    differences: tuple[Difference, ...] = ()
    exactness: str = ""

    @property
    def equal(self) -> bool:
        return not self.differences


class Stop(NamedTuple):
    """Why the walk ends at this stage: our error, what PEFT does there, and the fields that would let it go on."""

    error: str
    peft: str = ""
    way_out: dict[str, int] = {}  # noqa: RUF012  a NamedTuple's default is never changed


class StageResult(NamedTuple):
    """One stage of one run. `ours` and `peft` are the dotted names of what ran; `checks` is empty without PEFT."""

    stage: Stage
    ours: str
    peft: str
    takes: tuple[Seen, ...]
    gives: tuple[Seen, ...]
    facts: tuple[Fact, ...]
    checks: tuple[Check, ...]
    stop: Stop | None = None

    @property
    def equal(self) -> bool | None:
        """Whether PEFT's own result is the same; None when it was not compared."""
        return all(check.equal for check in self.checks) if self.checks else None
