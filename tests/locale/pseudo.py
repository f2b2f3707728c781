"""A language for tests: each piece of a message stands in ⟦brackets⟧, and what fills its places does not.

What is shown in it and stands outside of the brackets came through no catalogue. `untranslated` gives the words of it
that are English: those that are neither numbers, code, nor names of the code.
"""

import re
from pathlib import Path
from string import Formatter

from babel.messages.mofile import write_mo

from notebooks.messages import Lasting, template
from prefix_lab.debugger import Recording
from prefix_lab.shapes import AXES
from prefix_lab.stages import STAGES

CODE = "xx"


def bracketed(message: str) -> str:
    """`⟦It has ⟧{count}⟦ rows.⟧`; a text whose braces are no places is one piece."""
    try:
        parts = [*Formatter().parse(message)]
    except ValueError:
        return f"⟦{message}⟧"
    if not any(name for _, name, _, _ in parts) or any(name == "" for _, name, _, _ in parts):
        return f"⟦{message}⟧"
    found = ""
    for said, name, form, conversion in parts:
        said = said.replace("{", "{{").replace("}", "}}")
        found += f"⟦{said}⟧" if said.strip() else said
        if name is not None:
            found += "{" + name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "") + "}"
    return found


def write_catalogue(folder: Path) -> None:
    """The catalogue of this language, as gettext finds it in `folder`."""
    found = Lasting("en")
    for message in template():
        if message.id:
            both = (message.id,) if isinstance(message.id, str) else message.id
            said = tuple(map(bracketed, both))
            found.add(message.id, said[0] if isinstance(message.id, str) else said)
    path = folder / CODE / "LC_MESSAGES" / "prefix_lab.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, found)


IN_BRACKETS = re.compile(r"⟦[^⟦⟧]*⟧")
QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"|“[^”]*”|<code>.*?</code>", re.DOTALL)
NAME = re.compile(r"\w+(?:[.=]\w+)+|\.\w+|\w*[_\d]\w*|\b\w*[a-z][A-Z]\w*|\b[A-Z]{2,}\w*|--[\w-]+|[\w-]*/[\w./-]+")
"""What only code looks like: a_name, a.name, camelCase, CAPITALS, key=value, --option, a/path."""
NAMES_IN_CODE = """
alpha batch break bytes call cat cpu dtype embedding exception float flow int len line list loss mean min max model mask
module past permute prefix resume return self shape split std str text tuple view yield base flan small large params
trainable all bart bert llama gpt ours theirs peft transformers torch key value keys values none nan inf lora
dictcomp genexpr lambda listcomp setcomp Linear Tanh ReLU Embedding LayerNorm Tensor True False None NaN Inf PEFT Python
LoRA NumPy json html accelerate ipywidgets matplotlib anywidget
"""
OF_THE_CODE = {
    *AXES,
    *(row.name for row in STAGES),
    *(flow.name for row in STAGES for flow in (*row.takes, *row.gives) if " " not in flow.name),
    *NAMES_IN_CODE.split(),
}
ERROR = re.compile(r"\w+(?:Error|Exit|Exception|Interrupt|Warning|Iteration)\b(?:\s|⟦: ⟧|:).*?(?=⟦|$)", re.MULTILINE)
"""What Python, torch and PEFT say of an error stays as they say it."""
WORD = re.compile(r"[A-Za-z][a-z]{2,}")


def untranslated(text: str, *also: str) -> list[str]:
    """The English words of a text that no catalogue brought; `also` are names of the code or of the learner."""
    text = ERROR.sub(" ", text)
    while (left := IN_BRACKETS.sub(" ", text)) != text:
        text = left
    text = NAME.sub(" ", QUOTED.sub(" ", text))
    known = {one.lower() for one in (*OF_THE_CODE, *also)}
    return [word for word in WORD.findall(text) if word.lower() not in known]


def names_of(recording: Recording) -> set[str]:
    """The names in a recording, and how it tells what it holds: `Linear with 6 parameters`."""
    columns = recording.columns
    return {"locals", "with", "parameters"} | {
        part for one in (*columns.names, *(name for _, name, _ in columns.functions)) for part in one.split(".")
    }
