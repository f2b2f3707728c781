"""What a walk shows: its head and labelled rows, and how they are painted: coloured in a terminal, plain in a pipe."""

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import transformers
from rich.console import Console
from rich.text import Text
from torch import Tensor

from prefix_lab import PrefixTuningConfig
from prefix_lab.config import MIRRORED_PEFT
from prefix_lab.locale import _, ngettext
from prefix_lab.locale.room import columns, padded, wrapped
from prefix_lab.shapes import AXES
from prefix_lab.stages import STAGES
from prefix_lab.walk.compare import Check
from prefix_lab.walk.libraries import installed_peft, on_meta
from prefix_lab.walk.model import Base
from prefix_lab.walk.run import Seen, StageResult, Stop, axis_sizes, prepared_copy
from prefix_lab.walk.steps import Run


class About(NamedTuple):
    """The head of a walk, as data."""

    model: str
    model_class: str
    parameters: int
    values: bool  # False on the meta device
    notes: tuple[str, ...]
    config: dict[str, Any]  # what the user set
    texts: tuple[tuple[str, str], ...]  # input and expected output; none when the ids are random
    axes: tuple[tuple[str, int, str], ...]  # name, size, meaning
    seed: int
    versions: dict[str, str | None]  # of peft, None when it is not installed


def about(
    base: Base, config: PrefixTuningConfig, batch: Mapping[str, Tensor], texts: list[tuple[str, str]], seed: int
) -> About:
    """Gather it; nothing is run."""
    peft = installed_peft()
    run = Run(batch, len(batch["input_ids"]), seed, on_meta(base.model))
    filled = prepared_copy(config, base.model.config) if config.prefix_projection else None
    inner = filled.encoder_hidden_size if filled else None
    sizes = axis_sizes(run, config.num_virtual_tokens, base.model.config, inner)
    unset = PrefixTuningConfig()
    return About(
        model=base.name,
        model_class=type(base.model).__name__,
        parameters=sum(weight.numel() for weight in base.model.parameters()),
        values=not run.meta,
        notes=base.notes,
        config={
            name: getattr(value, "value", value)
            for name, value in config.to_dict().items()
            if value != getattr(unset, name)
        },
        texts=tuple(texts),
        axes=tuple((name, sizes[name], _(meaning)) for name, meaning in AXES.items() if name in sizes),
        seed=seed,
        versions={
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.version if peft else None,
        },
    )


MOST_DIFFERENCES = MOST_TEXTS = 4


class Row(NamedTuple):
    """A line of output, or several if it is long. `label` None starts at the margin; `hanging` indents what wraps."""

    label: str | None
    text: str
    kind: str = ""  # for the painter: title, shape, command, good, bad
    hanging: int = 0


BLANK = Row(None, "")


def rows_about(head: About) -> Iterator[Row]:
    """The top of the page."""
    yield Row(None, _("get_peft_model(model, PrefixTuningConfig(...)), stage by stage"), "title")
    yield BLANK
    about_model = _("{name}: {model_class}, {count} parameters")
    about_model = about_model.format(name=head.model, model_class=head.model_class, count=f"{head.parameters:,}")
    yield Row(_("model"), about_model)
    yield from (Row("", note) for note in head.notes)
    if not head.values:
        yield Row("", _("on torch's meta device: tensors have shapes and types, and no values"))
    yield Row(_("config"), ", ".join(f"{name}={value}" for name, value in head.config.items()))
    quoted = [f'"{source}" → "{target}"' if target else f'"{source}"' for source, target in head.texts]
    if len(quoted) > MOST_TEXTS:
        quoted[MOST_TEXTS:] = [_("… and {count} more").format(count=len(quoted) - MOST_TEXTS)]
    for place, text in enumerate(quoted or [_("random token ids") if head.values else _("token ids without values")]):
        yield Row("" if place else _("texts"), text)
    yield Row(_("beside"), beside(head))
    yield BLANK
    numbers = max(len(str(size)) for name, size, meaning in head.axes)
    yield from block(
        _("axes"), [(name, f"{size:<{numbers}}  {meaning}") for name, size, meaning in head.axes], numbers + 2
    )
    yield BLANK


def beside(head: About) -> str:
    """Which PEFT is compared with, or why none is."""
    version = head.versions["peft"]
    if version is None:
        return _("nothing: PEFT is not installed; pip install peft=={version} brings it").format(version=MIRRORED_PEFT)
    text = _("PEFT {version} at every stage, with the same random numbers (seed {seed})")
    if version != MIRRORED_PEFT:
        text = _("PEFT {version} at every stage; ours is written after {mirrored}, so stages may differ")
    elif not head.values:
        text = _("PEFT {version} at every stage, held against ours in names, shapes, counts")
    return text.format(version=version, seed=head.seed, mirrored=MIRRORED_PEFT)


def rows_of(number: int, result: StageResult, version: str | None, instead: str = "") -> Iterator[Row]:
    """One stage. `version` is PEFT's; `instead` is the command line that gets past an error."""
    yield Row(None, f"{number} {result.stage.name}", "title")
    yield Row(None, _(result.stage.sentence))
    yield BLANK
    yield Row(_("ours"), result.ours)
    yield Row(_("PEFT's"), result.peft)
    names = max((columns(called(seen.name)) for seen in result.takes + result.gives), default=0)
    for label, flows in (_("in"), result.takes), (_("out"), result.gives):
        values = max((len(str(seen.value)) for seen in flows if seen.shape is None), default=0)
        rows = block(label, [(padded(called(seen.name), names), seen_in_words(seen, values)) for seen in flows])
        yield from (row._replace(kind="shape" if seen.shape else "") for row, seen in zip(rows, flows, strict=True))
    for place, fact in enumerate(result.facts):
        yield Row("" if place else _("changed"), fact.text, hanging=2)
    yield from rows_of_stop(result.stop, instead) if result.stop else rows_of_checks(result.checks, version)
    yield BLANK


def block(label: str, entries: Sequence[tuple[str, str]], hanging: int = 0) -> Iterator[Row]:
    """Entries under one label, their names in a column."""
    width = max((columns(name) for name, text in entries), default=0)
    for place, (name, text) in enumerate(entries):
        yield Row("" if place else label, f"{padded(name, width)}  {text}", hanging=width + 2 + hanging)


def called(name: str) -> str:
    """What flows, by its name in the code, or in words."""
    return _(name) if " " in name else name


def seen_in_words(seen: Seen, width: int = 0) -> str:
    """`(batch, prefix_len) = (2, 20)`, or the value, with a note behind it."""
    if seen.shape is None:
        text = f"{seen.value!s:<{width}}"
    elif seen.shape == ():
        text = _("one number") if seen.value is None else _("one number, {value:.4f}").format(value=seen.value)
    else:
        text = f"({', '.join(seen.axes)}) = ({', '.join(map(str, seen.shape))})"
    return f"{text}  {seen.note}".rstrip()


def rows_of_checks(checks: tuple[Check, ...], version: str | None) -> Iterator[Row]:
    """Whether PEFT's result is the same, and what was looked at; or what differs, and by how much."""
    if not checks:
        why = _("not compared: PEFT failed before") if version else _("not compared: PEFT is not installed")
        yield Row(_("equal"), why)
        return
    wrong = [(check.what, found) for check in checks for found in check.differences]
    if not wrong:
        yes = _("yes  {what}").format(what=", ".join(map(looked_at, checks)))
        yield Row(_("equal"), yes, "good", hanging=5)
        return
    no = _("NO   different from PEFT's in {count} of {all}")
    yield Row(_("equal"), no.format(count=len(wrong), all=sum(check.compared for check in checks)), "bad")
    for what, found in wrong[:MOST_DIFFERENCES]:
        yield Row("", f"{_(what)}: {found.name} {found.text}", "bad", hanging=2)
    if len(wrong) > MOST_DIFFERENCES:
        yield Row("", _("… and {count} more").format(count=len(wrong) - MOST_DIFFERENCES), "bad")


def looked_at(check: Check) -> str:
    """`state dict (94, bit for bit)`"""
    how = [f"{check.compared:,}"] * (check.compared > 1) + [_(check.exactness)] * bool(check.exactness)
    return f"{_(check.what)} ({', '.join(how)})" if how else _(check.what)


def rows_of_stop(stop: Stop, instead: str) -> Iterator[Row]:
    """The error, what PEFT does at the same place, and what to type instead."""
    yield Row(_("stop"), stop.error, "bad")
    if stop.peft:
        yield Row("PEFT", stop.peft)
    if instead:
        yield Row(_("instead"), instead, "command", hanging=2)


def rows_of_end(results: Sequence[StageResult], version: str | None) -> Iterator[Row]:
    """The last line: everything equal, or where it is not."""
    different = [result.stage.name for result in results if result.equal is False]
    if different:
        text = _("Different from PEFT {version}: {stages}. Look at {first} first.")
        text = text.format(version=version, stages=", ".join(different), first=different[0])
        yield Row(None, text, "bad")
    if results[-1].stop:
        text = _("The walk ends at stage {number} of {all}, {stage}.")
        text = text.format(number=len(results), all=len(STAGES), stage=results[-1].stage.name)
        yield Row(None, text, "bad")
    elif not different:
        compared = sum(result.equal is True for result in results)
        same = ngettext(
            "PEFT {version} gives the same at {count} stage.",
            "PEFT {version} gives the same at all {count} stages.",
            compared,
        )
        same = same.format(version=version, count=compared) if compared else _("Not compared with PEFT.")
        yield Row(None, same, "good")


def rows_of_refusal(why: str, default: str, shape: str, sizes: Sequence[str]) -> Iterator[Row]:
    """A model that cannot be had, and three command lines that work."""
    yield Row(None, f"prefix-lab walk: error: argument --model: {why}")
    yield Row(None, _("What works:"))
    yield Row(_("folder"), "prefix-lab walk --model FOLDER", "command")
    yield Row("", _("with config.json and model.safetensors in it"))
    yield Row(_("default"), default, "command", hanging=2)
    yield Row("", _("the tiny T5 that ships"))
    yield Row(_("shapes"), shape, "command", hanging=2)
    yield Row("", _("or one of {sizes}").format(sizes=", ".join(sizes)))


WIDTH, MARGIN, LABEL = 80, 2, 9
STYLES = {"title": "bold", "command": "green", "good": "green", "bad": "bold red"}


class Painter:
    """Writes rows to a stream. A terminal gets colours and drawn rules, unless NO_COLOR asks for none."""

    def __init__(self, stream: io.TextIOBase):
        self.stream = stream
        drawn = stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        self.console = Console(file=stream, highlight=False, force_terminal=True) if drawn else None
        self.width = min(WIDTH, self.console.width) if self.console else WIDTH

    def paint(self, rows: Iterable[Row]) -> None:
        """Write them, and flush: a stage is on the screen when it is done."""
        for row in rows:
            for line in self.lines(row):
                self.write(line, row.kind)
        self.stream.flush()

    def lines(self, row: Row) -> list[str]:
        """One row as lines of text."""
        if row.kind == "title" and columns(row.text) + 4 <= self.width:
            rule = "─" if self.console else "-"
            return [f"{rule * 2} {row.text} {rule * (self.width - 4 - columns(row.text))}"]
        if row.label is None:
            return wrap(row.text, self.width)
        to_fit = wrap_command if row.kind == "command" else wrap
        first, *more = to_fit(row.text, max(20, self.width - MARGIN - LABEL), row.hanging)
        indent = " " * MARGIN
        return [f"{indent}{padded(row.label, LABEL)}{first}", *(f"{indent}{'':<{LABEL}}{line}" for line in more)]

    def write(self, line: str, kind: str) -> None:
        """One line, coloured if this is a terminal."""
        if self.console is None:
            self.stream.write(line.rstrip() + "\n")
            return
        text = Text(line.rstrip(), style=STYLES.get(kind, ""))
        if kind != "title":
            text.highlight_regex(rf"^ {{{MARGIN}}}[^\W\d_][^\W\d_']* ", "dim")
        if kind == "shape":
            text.highlight_regex(r"\([^()]*[a-z][^()]*\)(?= = \(|$)", "cyan")
        self.console.print(text, soft_wrap=True)


def wrap(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines of at most `width`, the later ones indented; a shape's numbers, and a third count, go to a line whole."""
    if columns(text) <= width:
        return [text]
    for sign in " = (", " || ":
        head, found, tail = text.rpartition(sign)
        last = " " * hanging + (sign + tail).strip()
        if found and max(columns(head), columns(last)) <= width:
            return [head, last]
    if hanging > width // 2:
        hanging = 2  # a narrow terminal: better a ragged line than a column of single words
    return wrapped(text, width, hanging)


def wrap_command(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines that a shell reads as one, broken before options only."""
    first, *options = re.split(r" (?=--)", text)
    lines = [first]
    for option in options:
        if len(f"{lines[-1]} {option} \\") <= width:
            lines[-1] += f" {option}"
        else:
            lines[-1] += " \\"
            lines.append(" " * hanging + option)
    return lines
