"""Every Chinese text keeps to the table of terms, to full-width punctuation, and to a space beside Latin text."""

import csv
import re
from collections.abc import Iterator

import jupytext
import pytest

from notebooks.build import lessons
from notebooks.messages import ROOT, forms, translated
from prefix_lab.locale import FOLDER
from tests.locale.test_twins import TWINS

OF_THE_SITE = ("website/zh/index.md", "website/zh/run.md")
HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
HALF = re.compile(rf"{HAN}[*_]*[,;:?!]|[,;?!]{HAN}|{HAN}\.(?=\s|$)|{HAN}\([^)]*{HAN}[^)]*\)")
"""Half-width punctuation behind a Chinese character, before one, or brackets around Chinese text."""
CLOSE = re.compile(rf"{HAN}[*_]*[A-Za-z0-9]|[A-Za-z0-9%][*_]*{HAN}")
BESIDE_CODE = re.compile(rf"{HAN}`|`{HAN}")
WIDE = re.compile(r"[，。：；？！、（）《》] (?=[^\s`*|·])|[^\s|#>*·\d.-] [，。：；？！、）》]")
"""A space beside full-width punctuation, which has its own room."""
ZERO = re.compile(r"第 0\d")
"""A lesson is 第 7 课, as it is spoken; 07 is the name of its file."""
EXCEPTIONS: dict[str, str] = {}
"""A piece of text that stands as it is → why."""


def never() -> dict[str, str]:
    """Each word that the table rules out → the word in its place."""
    with (FOLDER / "terms.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    return {word: row["chinese"] for row in rows for word in row["never"].split(";") if word}


def texts() -> Iterator[tuple[str, str]]:
    """Where each Chinese text stands, and the text."""
    for path in lessons():
        for number, cell in enumerate(jupytext.read(path, fmt="py:percent").cells, 1):
            if cell.metadata.get("lang") == "zh":
                yield f"{path.name}, cell {number}", cell.source
    for message in translated("zh_CN"):
        if message.id and not message.fuzzy:
            yield from (("the catalogue", form) for form in forms(message) if form)
    yield from ((page, (ROOT / page).read_text(encoding="utf8")) for page in (*TWINS.values(), *OF_THE_SITE))


def plain(text: str) -> str:
    """A text without blocks of code, places of templates, addresses and formulas; code is a pair of backticks."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(`+)[^`].*?\1", "``", text)
    text = re.sub(r"\$[^$\n]+\$", "``", text)
    text = re.sub(r"\]\([^)\s]*\)", "]", re.sub(r"<[^>]+>", "", text))
    return re.sub(r"\{[^{}]*\}", "□", text)


def faults(text: str, ruled_out: dict[str, str]) -> list[str]:
    """What is wrong with a text, each with the characters around it."""
    said = plain(text)
    for one in EXCEPTIONS:
        said = said.replace(one, "")
    found = [f"{word}, say {instead}" for word, instead in ruled_out.items() if word in said]
    for pattern, why in (
        (HALF, "punctuation of half width"),
        (CLOSE, "no space beside Latin text"),
        (BESIDE_CODE, "no space beside code"),
        (WIDE, "a space beside full-width punctuation"),
        (ZERO, "a lesson's number without its zero"),
    ):
        found += [f"{why}: …{said[max(0, at.start() - 8) : at.end() + 8]}…" for at in pattern.finditer(said)]
    return found


def test_every_chinese_text_keeps_to_the_terms_and_to_chinese_typography():
    ruled_out = never()
    assert [(where, fault) for where, text in texts() for fault in faults(text, ruled_out)] == []


PLANTED = {
    "每个虚拟标记都有一个键。": "虚拟标记",
    "在这里设一个中断点。": "中断点",
    "前缀微調很省。": "前缀微調",
    "这是前缀,它很短。": "half width",
    "这是**前缀**:它很短。": "half width",
    "对吗?": "half width",
    "它有一个键.\n再来": "half width",
    "看掩码(编码器的)": "half width",
    "PEFT的前缀": "no space beside Latin",
    "共3 层": "no space beside Latin",
    "占 5%的数": "no space beside Latin",
    "运行`make lab`。": "beside code",
    "形状是 `(2, 20)`和": "beside code",
    "前缀， 键和值": "full-width",
    "用 PEFT ，再看": "full-width",
    "见第 07 课。": "without its zero",
}


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_mistake_is_caught(text):
    assert any(PLANTED[text] in fault for fault in faults(text, never()))


@pytest.mark.parametrize(
    "text",
    [
        "PEFT 的 `prefix_len`（前缀长度）是 3，共 2·layers 个。",
        "停在 `encode`：看 `(batch, prefix_len) = (2, 20)`。",
        "第 {number} 步，共 {count} 步：{code}",
        "- **前缀**：[第 7 课](../07.ipynb)，*不是*词。\n\n```python\nx = 1  # 行:列\n```\n",
        "$a,b$ 是权重。<br>前 3 个。",
    ],
)
def test_what_is_written_well_passes(text):
    assert faults(text, never()) == []


def test_each_exception_is_still_needed():
    every = [text for _, text in texts()]
    assert [one for one in EXCEPTIONS if not any(one in text for text in every)] == []
