"""A page for each function of PEFT's on the path of a prefix: its stage, its shapes, the lesson that teaches it, and
where it runs in the recordings that `walks.py` made, which are on the page. And the walk of the front page.
"""

from __future__ import annotations

from html import escape
from typing import Any

from notebooks.build import said
from notebooks.taught import TAUGHT, is_named
from prefix_lab.course.progress import lesson
from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.locale import N_
from prefix_lab.stages import STAGES, Flow
from prefix_lab.widgets.stepper.page import NO_SCRIPT
from website.live import element

MOST = 8  # calls of one function that are listed for a walk
KINDS = {"t5": "T5", "gpt2": "GPT-2", "bert": "BERT"}
TITLE = N_("PEFT's functions, one by one")
HEAD = N_(
    "Every function that runs between `get_peft_model` and a loaded prefix, in the order of the stages. Each has a "
    "page: what goes in and comes out, the lesson that teaches it, and a recording to step through it."
)
GENERATE = N_("generate: the model writes a text with the prefix as its past.")
STAGE = N_("Stage **{stage}**. {sentence}")
FUNCTION, LESSON, RUNS = N_("function"), N_("lesson"), N_("recorded in")
IN_GENERAL = N_("The stage takes {takes}, and gives {gives}.")
IN_WAYS = N_("A `|` stands between ways to write the same axis: which one holds depends on the model.")
SHAPES, TAKES, GIVES, WHERE = N_("Shapes in the recordings"), N_("is given"), N_("gives"), N_("recording")
NONE = N_("no tensor")
LAYERS = N_("`{kind}` of {count} layers, each: key {key}, value {value}")
TEACHES = N_("Where it is taught")
FROM_HEAD, FROM_LINE = N_("{lesson}, from its head"), N_("{lesson}, from the line with `{text}`")
ONLY_RUNS = N_("{lesson}, where it runs: see `{word}`")
STEPS = N_("Step through it")
IN_WALK = N_("{kind}, {count} calls")
IN_WALK_ONCE = N_("{kind}, one call")
CALL, CALL_BY = N_("steps {first} to {last}"), N_("steps {first} to {last}, called by {caller}")
MORE = N_("and {count} more")
ADDRESS = N_("The address of this page keeps the step where you stand: a copy of it leads there.")
PLAY, PAUSE = N_("▶ Play"), N_("Pause")
YOURS = N_("Yours now: n goes on, p goes back, s steps in, ? shows every key.")
TOUR = (
    N_("Two texts, and 20 virtual tokens for each: nothing but the numbers 0 to 19."),
    N_("A table gives each virtual token a vector, as wide as the model."),
    N_("A small network makes it long enough for a key and a value in every layer."),
    N_("view cuts the long vector into layers and heads. No number moves."),
    N_("A T5 has two stacks, so it is laid down twice. Half of it no layer will ever read: lesson 09 finds out which."),
    N_("permute and split put the layers first: each gets its own keys and values."),
    N_("And a cache takes them, as if the model had already read 20 tokens."),
    N_("Handed to the frozen model: each layer of its decoder reads its own part. This is a prefix."),
)


def page_name(function: str) -> str:
    return function.replace("peft.", "", 1).replace("<", "").replace(">", "")


def short(function: str) -> str:
    """`PeftModel.get_prompt`: the class and the name, of a function of a module its name."""
    owner, name = function.split(".")[-2:]
    return f"{owner}.{name}" if owner[:1].isupper() or owner[:2].strip("_")[:1].isupper() else name


def pages(walks: dict[str, Any], language: str) -> dict[str, str]:
    """Name → text of the pages, the one that lists them all among them."""
    found = {}
    rows = []
    for stage, functions in TAUGHT.items():
        rows.append(f"\n## {stage}\n\n{sentence_of(stage, language)}\n\n{head_of_table(language)}")
        for function in functions:
            found[page_name(function)] = page(function, stage, walks, language)
            lessons = ", ".join(dict.fromkeys(lesson_link(one, "../", language) for one in lessons_of(stage, function)))
            kinds = ", ".join(KINDS[kind] for kind in walks["functions"][function])
            rows.append(f"| [`{short(function)}`]({page_name(function)}.md) | {lessons} | {kinds} |")
    names = "\n".join(found)
    head = f"# {said(TITLE, language)}\n\n{said(HEAD, language)}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    return {"index": head + "\n".join(rows) + "\n"} | found


def head_of_table(language: str) -> str:
    return "| " + " | ".join(said(one, language) for one in (FUNCTION, LESSON, RUNS)) + " |\n|---|---|---|"


def sentence_of(stage: str, language: str) -> str:
    found = next((row.sentence for row in STAGES if row.name == stage), GENERATE)
    return said(found, language)


def lessons_of(stage: str, function: str) -> list[int]:
    return [one if is_named(one) else one[0] for one in TAUGHT[stage][function].values()]


def lesson_link(number: int, up: str, language: str) -> str:
    one = lesson(number)
    return f"[{one.number:02} · {said(one.title, language)}]({up}lessons/{one.file}.ipynb)"


def page(function: str, stage: str, walks: dict[str, Any], language: str) -> str:
    """The page of one function."""
    told = {kind: walks["functions"][function].get(kind, []) for kind in KINDS}
    told = {kind: runs for kind, runs in told.items() if runs}
    parts = [f"# `{short(function)}`", f"`{function}`", stage_said(stage, language)]
    parts += in_general(function, language)
    parts += [f"## {said(TEACHES, language)}", taught(stage, function, language)]
    parts += [f"## {said(SHAPES, language)}", shapes(told, language)]
    parts += [f"## {said(STEPS, language)}", said(ADDRESS, language)]
    for kind, runs in told.items():
        parts += [heading_of(kind, runs, language), calls(kind, runs, language)]
        parts.append(stepper(kind, walks["walks"][kind]["recording"], runs[0]["first"], language))
    return "\n\n".join(parts) + "\n"


def stage_said(stage: str, language: str) -> str:
    return said(STAGE, language).format(stage=f"[{stage}](index.md#{stage})", sentence=sentence_of(stage, language))


def in_general(function: str, language: str) -> list[str]:
    """What the stage takes and gives, where this function is the stage's own."""
    row = next((row for row in STAGES if row.peft == function), None)
    if row is None:
        return []
    takes, gives = ("; ".join(flow_said(one, language) for one in flows) for flows in (row.takes, row.gives))
    ways = [said(IN_WAYS, language)] if "|" in takes + gives else []
    return [said(IN_GENERAL, language).format(takes=takes, gives=gives), *ways]


def flow_said(flow: Flow, language: str) -> str:
    name = said(flow.name, language) if " " in flow.name else f"`{flow.name}`"
    return name if flow.axes is None else f"{name} `({', '.join(axis.replace('|', ' | ') for axis in flow.axes)})`"


def taught(stage: str, function: str, language: str) -> str:
    lines = []
    for text, place in TAUGHT[stage][function].items():
        number, word = (place, "") if is_named(place) else place
        how = ONLY_RUNS if word else FROM_LINE if text else FROM_HEAD
        lines.append(
            "- " + said(how, language).format(lesson=lesson_link(number, "../", language), text=text, word=word)
        )
    return "\n".join(lines)


def shapes(told: dict[str, list[dict[str, Any]]], language: str) -> str:
    """What the first call of each recording was given, and gave, by names and by numbers."""
    lines = ["| " + " | ".join(said(one, language) for one in (WHERE, TAKES, GIVES)) + " |", "|---|---|---|"]
    for kind, runs in told.items():
        first = next((run for run in runs if run["given"]), runs[0])
        given = "<br>".join(f"`{name}` {tensor(axes)}" for name, *axes in first["given"])
        gives = "<br>".join(given_back(one, language) for one in first["gives"][:MOST])
        gives += "<br>" + said(MORE, language).format(count=left) if (left := len(first["gives"]) - MOST) > 0 else ""
        lines.append(f"| {KINDS[kind]} | {given or said(NONE, language)} | {gives or said(NONE, language)} |")
    return "\n".join(lines)


def given_back(line: dict[str, Any], language: str) -> str:
    """A line of `lines_of`: a tensor, a cache, what holds such, or anything else by the line that stands for it."""
    if "layers" in line:
        key, value = map(tensor, line["axes"])
        text = said(LAYERS, language).format(kind=line["kind"], count=line["layers"], key=key, value=value)
    else:
        text = tensor(line["axes"][0]) if "axes" in line else code(line.get("text") or line["kind"])
    return f"{code(line['name'])} {text}" if line["name"] else text


def tensor(axes: list[str]) -> str:
    """A tensor's axes by names and by numbers."""
    names, numbers = axes
    return f"{code(names)} = {code(numbers)}" if names else code(numbers)


def code(text: str) -> str:
    """Code in a table's cell."""
    return "`" + text.replace("|", r"\|").replace("`", "'") + "`"


def heading_of(kind: str, runs: list[dict[str, Any]], language: str) -> str:
    how = IN_WALK if len(runs) > 1 else IN_WALK_ONCE
    return f"### {said(how, language).format(kind=KINDS[kind], count=len(runs))}"


def calls(kind: str, runs: list[dict[str, Any]], language: str) -> str:
    lines = []
    for run in runs[:MOST]:
        first = f'<a href="#at={kind}&amp;step={run["first"]}">{run["first"]:,}'
        where = {"first": first, "last": f"{run['last']:,}</a>"}
        how = said(CALL_BY if run["by"] else CALL, language)
        lines.append("- " + how.format(**where, caller=function_link(run["by"]) if run["by"] else ""))
    if len(runs) > MOST:
        lines.append("- " + said(MORE, language).format(count=len(runs) - MOST))
    return "\n".join(lines)


def function_link(function: str) -> str:
    """The function's name, with a link where it has a page."""
    has_page = any(function in functions for functions in TAUGHT.values())
    return f"[`{short(function)}`]({page_name(function)}.md)" if has_page else f"`{short(function)}`"


def stepper(name: str, recording: str, step: int, language: str, **more: Any) -> str:
    """A place for a stepper, of the recording of a walk."""
    settings = {"step": step, "breakpoints": [], "watches": [], "skip": list(COMPREHENSIONS), "height": "600px"}
    still = f"<noscript><p>{escape(said(NO_SCRIPT, language))}</p></noscript>"
    return element(name, {"": recording}, settings | {"question": None} | more, still)


def front(walks: dict[str, Any], language: str) -> str:
    """The walk that plays on the front page."""
    walk = walks["walks"]["t5"]
    play = {
        "steps": walk["tour"],
        "said": [said(one, language) for one in TOUR],
        **{name: said(text, language) for name, text in {"play": PLAY, "pause": PAUSE, "yours": YOURS}.items()},
    }
    return stepper("walk", walk["recording"], walk["tour"][0], language, play=play, height="560px")
