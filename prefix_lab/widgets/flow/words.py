"""The journey and its cost in words, for a terminal, a screen reader and the panel beside the picture."""

from __future__ import annotations

from collections.abc import Sequence

from prefix_lab.widgets.flow.journey import Cost, JourneyStep, Setting


def amount(number: float) -> str:
    """Bytes as one reads them: `2.8 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


def headline(setting: Setting) -> str:
    """What is shown, in one line."""
    how = "with projection" if setting.projection else "without projection"
    return f"The journey of a prefix: {setting.sizes.name}, prefix_len {setting.prefix_len}, {how}"


def trouble_said(setting: Setting) -> str:
    """Why PEFT fails with these sizes, and what to set; empty where it does not."""
    trouble = setting.sizes.trouble
    if trouble is None:
        return ""
    return (
        f"As it is, PEFT fails with this model. {trouble.reason} Way out: PrefixTuningConfig({trouble.way_out}, …). "
        "What is shown here is the journey with it."
    )


def facts(setting: Setting, cost: Cost) -> list[tuple[str, str]]:
    """What it costs, as (question, answer)."""
    said = [("Width of a key", width_said(setting)), ("Trainable parameters", f"{cost.trainable:,}")]
    if setting.projection:
        said.append(("… of them", ", ".join(f"{name} {count:,}" for name, count in cost.parts.items())))
    if cost.total is None:
        said.append(("Share of the whole", "choose a real model to see it"))
    else:
        said.append(("Share of the whole", f"{cost.share:.4f} % of {cost.total:,}, the prefix included"))
    each = f", {amount(cost.cache_bytes / setting.batch)} a text" if setting.batch > 1 else ""
    said.append((f"Cache, {setting.dtype}", f"{amount(cost.cache_bytes)} for {texts(setting.batch)}{each}"))
    said.append(("Dead rows", dead_said(setting, cost)))
    return said


def width_said(setting: Setting) -> str:
    """How the heads make up the width: `hidden = heads · head_dim = 12 · 64 = 768`."""
    sizes = setting.sizes
    product = f"{setting.cached_heads} · head_dim = {sizes.kv_heads} · {sizes.head_dim} = {sizes.token_dim}"
    return f"hidden = {product}" if setting.width == "hidden" else f"{product}, while hidden = {sizes.hidden}"


def texts(batch: int) -> str:
    return "one text" if batch == 1 else f"a batch of {batch}"


def dead_said(setting: Setting, cost: Cost) -> str:
    """How much of the prefix no layer reads, and what that costs."""
    sizes = setting.sizes
    if not cost.dead_rows:
        why = (
            "an odd number of layers goes over every row" if sizes.encoder_decoder else "every layer reads its own two"
        )
        return f"none of {cost.rows}: {why}"
    shared = sizes.layers % 2 == 0 and sizes.readers == sizes.layers
    return (
        f"{len(cost.dead_rows)} of {cost.rows}: {cost.dead_parameters:,} of the trainable parameters never get a "
        f"gradient, and take {amount(cost.dead_bytes)} in training (float32: weight, gradient, Adam's two moments)"
        + (f"; layers i and i+{sizes.layers // 2} read the same rows" if shared else "")
    )


def rows_said(setting: Setting, cost: Cost) -> str:
    """The rows in one sentence, for those who do not see the picture of them."""
    dead = ", ".join(map(str, cost.dead_rows))
    return f"Of rows 0 to {cost.rows - 1}, " + (f"these are read by no layer: {dead}." if dead else "each is read.")


def as_text(setting: Setting, steps: Sequence[JourneyStep], cost: Cost) -> str:
    """All of it as plain text."""
    rows = [(step.operation, f"{step.names} = {step.numbers}", step.dtype) for step in steps]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [headline(setting), *filter(None, [trouble_said(setting)]), ""]
    for number, (step, row) in enumerate(zip(steps, rows, strict=True), start=1):
        lines.append(f"{number:>2}  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}")
        lines.append(f"    {'':<{widths[0]}}  {step.sentence}")
    lines += ["", *(f"{question}: {answer}" for question, answer in facts(setting, cost))]
    if setting.sizes.encoder_decoder:
        lines.append(rows_said(setting, cost))
    return "\n".join(lines)
