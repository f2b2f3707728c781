"""The page to print, a line for each stage of the walk: `python -m notebooks.cheat_sheet` writes docs/cheat-sheet.md,
and the same as docs/cheat-sheet.html, which a browser prints on one sheet of A4; both in Chinese in docs/zh.

Stages, files and shapes come from `prefix_lab/stages.py` and the installed PEFT; what to type there and the usual
error stand here, and a test types every command where it is said to work. What is said comes from the catalogue.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from notebooks.build import commented, joined, said
from prefix_lab.locale import N_
from prefix_lab.stages import STAGES, Flow, Stage

PAGE = Path(__file__).parents[1] / "docs" / "cheat-sheet.md"
PAGES = {"en": PAGE, "zh": PAGE.parent / "zh" / PAGE.name}


class Look(NamedTuple):
    """What to type into pdb at a stage, and the error that has its cause there: its words, and what they mean."""

    commands: tuple[str, ...]
    error: str
    cause: str


LOOKS = {
    "choose": Look(
        ("p peft_config.task_type", "p peft_config.is_prompt_learning"),
        "`KeyError: None`",
        N_("no `task_type` was given"),
    ),
    "prepare": Look(
        ("p peft_config.token_dim", "r", "p peft_config.token_dim"),
        "`shape '[…]' is invalid for input of size …`",
        N_("`hidden` is not heads · head_dim: set `token_dim` yourself"),
    ),
    "wrap": Look(
        ("p self.peft_config[adapter_name]", "r", "p [n for n, p in self.named_parameters() if p.requires_grad]"),
        "`element 0 of tensors does not require grad`",
        N_("the prefix was frozen as well"),
    ),
    "encode": Look(
        ("p prefix.shape", "r", "p __return__.shape"),
        "`'PrefixEncoder' object has no attribute 'transform'`",
        N_("it is in inference mode, where only the flat table is left: ask `get_prompt`"),
    ),
    "split": Look(
        ("p batch_size", "r", "p __return__.self_attention_cache.layers[0].keys.shape"),
        N_("no error at all, and wrong answers"),
        N_("`view` in place of `permute`: compare numbers, not shapes"),
    ),
    "attend": Look(
        ("p input_ids.shape", "w", "r", "p __return__.logits.shape"),
        "`The size of tensor a (…) must match the size of tensor b (…)`",
        N_("if they differ by prefix_len, the wrong mask has grown: look at the task type"),
    ),
    "learn": Look(
        ("p self", "p self.grad_fn", "u"),
        "`Trying to backward through the graph a second time`",
        N_("run the forward again: a loss has one backward"),
    ),
    "keep": Look(
        ("p save_directory", "p list(self.peft_config)"),
        "`Cannot set a prompt learning adapter to trainable`",
        N_("PEFT loads a prefix to use it, not to train on: `load_prompt_embeddings` into a new one"),
    ),
}

TITLE = N_("Cheat sheet")
LEDE = N_("One line for each stage of the walk. To stop there, live, in PEFT's own source:")
CODE = """from prefix_lab.breakpoints import stop_at

with stop_at("encode", where="peft") as stop:  # a name of the first column; without `where`, in our code
    peft_model(**batch)  # choose, prepare, wrap: get_peft_model(model, config) · keep: save_pretrained(folder)"""
COMMENTS = (
    N_("a name of the first column; without `where`, in our code"),
    N_("choose, prepare, wrap: get_peft_model(model, config) · keep: save_pretrained(folder)"),
)
"""Those of `CODE`, for the catalogue."""
HEADS = (N_("stage"), N_("PEFT's"), N_("shapes"), N_("type"), N_("the usual error, and what it means"))

PDB = N_("""**pdb.** `n` next line · `s` step into the call · `r` on to the function's return, then `p __return__` · `u`
and `d` up to the caller and down again, `u 3` three at once · `w` who called whom · `l` the lines around,
`ll` the whole function · `p x.shape` print · `a` the arguments · `b file:line, condition` a breakpoint ·
`tbreak file:line` one that stops once · `c` go on · `q` quit the block · `!x = 1` run a statement. In a
notebook the prompt is `ipdb>`, and the commands are the same. `shapes()` prints every tensor there with its
axes. To stop anywhere else: `stop_at(peft.PrefixEncoder.__init__)`, any function or method written in
Python; `condition="batch_size == 2"`, `times=1`.""")
SHAPES = N_("""**Shapes.** prefix_len is PEFT's `num_virtual_tokens`. 2·layers: a key and a value for each layer. hidden
= heads · head_dim; in a grouped-query model (Llama 3), kv_heads · head_dim. The shapes are those of an
encoder-decoder; a GPT-2 has source in place of target.""")
STEPPER = N_("""**Stepper**, and `prefix-lab replay`. `n` `s` `o` over, into, out; `r` to the call's end; `N` `S` `O`
`R` backwards; `b` breakpoint, `B` elsewhere, `w` where a name's value changes; `c` `C` to the next one, to the
one before; `[` `]` stages; `?` all keys. **Passport.** `prefix-lab passport` in a terminal: what you have seen,
stage by stage.""")
MADE = N_("""`python -m notebooks.cheat_sheet` writes this page from the table of stages, and [the same to
print](cheat-sheet.html), one sheet of A4. Words: [glossary](glossary.md).""")
TWIN = {"en": "[中文](zh/cheat-sheet.md).", "zh": "[English](../cheat-sheet.md)。"}

STYLE = """
@page { size: A4 landscape; margin: 8mm }
body { font: 8pt/1.25 system-ui, sans-serif; margin: 0 auto; max-width: 281mm; padding: 0 }
h1 { font-size: 12pt; margin: 0 }
p, pre { margin: 1.2mm 0 }
code { font: 7.1pt ui-monospace, monospace }
table { border-collapse: collapse; margin: 1.5mm 0; width: 100% }
th, td { border: 0.3pt solid #888; padding: 0.7mm 1.2mm; text-align: left; vertical-align: top }
td code { overflow-wrap: anywhere }
table { table-layout: fixed }
th:nth-child(1) { width: 6% }
th:nth-child(2) { width: 17% }
th:nth-child(3) { width: 24% }
th:nth-child(4) { width: 23% }
@media screen { body { padding: 1em } }
@media (max-width: 1000px) {
  table { display: block; overflow-x: auto; table-layout: auto }
  pre { white-space: pre-wrap }
}
"""


def page(language: str = "en") -> str:
    """The whole page, as Markdown."""
    heads = f"| {' | '.join(said(one, language) for one in HEADS)} |\n|{'---|' * len(HEADS)}\n"
    rows = "".join(line(number, row, language) for number, row in enumerate(STAGES, 1))
    parts = [
        f"# {said(TITLE, language)}",
        said(LEDE, language),
        f"```python\n{commented(CODE, language)}\n```",
        heads + rows.rstrip("\n"),
        *(said(one, language) for one in (PDB, SHAPES, STEPPER)),
        said(MADE, language) + (" " if language == "en" else "") + TWIN[language],
    ]
    return "\n\n".join(parts) + "\n"


def printed(language: str = "en") -> str:
    """The whole page, to be printed by a browser."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(joined(page(language)))
    code, title = {"en": "en", "zh": "zh-CN"}[language], said(N_("Prefix tuning in PEFT: cheat sheet"), language)
    width = '<meta name="viewport" content="width=device-width">'
    return (
        f'<!doctype html>\n<html lang="{code}">\n<meta charset="utf-8">\n{width}\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n{body}</html>\n"
    )


def line(number: int, row: Stage, language: str) -> str:
    """One stage as a line of the table."""
    look, stop = LOOKS[row.name], "; " if language == "en" else "；"
    takes, gives = (stop.join(flowing(flow, language) for flow in flows) for flows in (row.takes, row.gives[:2]))
    commands = "<br>".join(f"`{command}`" for command in look.commands)
    error = said(N_("{error}: {cause}"), language).format(
        error=said(look.error, language), cause=said(look.cause, language)
    )
    cells = (f"**{number} {row.name}**", place(row), f"{takes} → {gives}", commands, error)
    return f"| {' | '.join(cells)} |\n"


def place(row: Stage) -> str:
    """PEFT's file, from the package's folder on, and the function in it."""
    function = row.function("peft")
    file = Path(inspect.getsourcefile(function))
    package = row.peft.split(".")[0]
    inside = file.parts[len(file.parts) - 1 - file.parts[::-1].index(package) :]
    return f"`{'/'.join(inside)}`<br>`{function.__qualname__}`"


def flowing(flow: Flow, language: str) -> str:
    """What flows, with its axes, each by the first of its names; what is no name of the code is said in words."""
    name = said(flow.name, language) if " " in flow.name else f"`{flow.name}`"
    return name if flow.axes is None else f"{name} ({', '.join(axis.split('|')[0] for axis in flow.axes)})"


def main() -> None:
    for language, path in PAGES.items():
        for file, text in ((path, page(language)), (path.with_suffix(".html"), printed(language))):
            file.write_text(text, encoding="utf8")
            print(f"wrote {file.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
