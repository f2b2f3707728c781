"""A page in Chinese says what its English twin says: the same headings, commands, links, lists and tables."""

import io
import re
import tokenize
from pathlib import Path

import pytest

from notebooks.build import SOURCE
from notebooks.messages import ROOT, translated
from prefix_lab.course.progress import LESSONS

TWINS = {
    "README.md": "README.zh.md",
    **{
        f"docs/{name}": f"docs/zh/{name}"
        for name in (
            "before-you-begin.md",
            "cheat-sheet.md",
            "class.md",
            "glossary.md",
            "teachers-guide.md",
            "what-is-taught.md",
            "world.md",
        )
    },
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
pages = pytest.mark.parametrize("english", TWINS)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf8")


def both(english: str) -> tuple[str, str]:
    return text_of(english), text_of(TWINS[english])


def parts(text: str) -> list[str]:
    """What stands under each heading, code blocks aside."""
    return re.split(r"^#+ .*$", BLOCK.sub("", text), flags=re.MULTILINE)


def uncommented(code: str) -> list[str]:
    """The lines of a block without what a comment says."""
    try:
        tokens = [*tokenize.generate_tokens(io.StringIO(code).readline)]
    except (tokenize.TokenError, SyntaxError):
        return [re.sub(r"\s+# .*", "", line) for line in code.splitlines()]
    lines = code.splitlines()
    for token in tokens:
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    return [line.rstrip() for line in lines]


def leads_to(page: str, link: str) -> str:
    """Where a link leads, by the English name of what it leads to."""
    if link.startswith("https://"):
        return link
    path = Path(ROOT, page).parent.joinpath(link).resolve().relative_to(ROOT.resolve()).as_posix()
    path = path.replace("notebooks/zh/", "notebooks/en/").replace("docs/zh/cheat-sheet.html", "docs/cheat-sheet.html")
    return {chinese: english for english, chinese in TWINS.items()}.get(path, path)


def links(page: str) -> list[str]:
    """Where the links of a page lead; the one to its twin aside."""
    return sorted({leads_to(page, link) for link in LINK.findall(text_of(page))} - {leads_to(page, Path(page).name)})


@pages
def test_headings_are_as_many_and_of_the_same_levels(english):
    one, other = ([len(found) for found in re.findall(r"^(#+) ", BLOCK.sub("", page), re.M)] for page in both(english))
    assert one == other


@pages
def test_code_blocks_are_the_same_but_for_their_comments(english):
    one, other = ([(kind, uncommented(code)) for kind, code in BLOCK.findall(page)] for page in both(english))
    assert one == other


@pages
def test_what_stands_in_backticks_is_the_same_under_each_heading(english):
    one, other = ([sorted(re.findall(r"`[^`]+`", part)) for part in parts(page)] for page in both(english))
    assert one == other


@pages
def test_lists_and_tables_have_as_many_lines_under_each_heading(english):
    one, other = (
        [[len(re.findall(mark, part, re.MULTILINE)) for mark in (r"^- ", r"^\d+\. ", r"^\|")] for part in parts(page)]
        for page in both(english)
    )
    assert one == other


@pages
def test_numbers_in_a_line_of_a_table_are_the_same(english):
    one, other = (
        [  # lesson 07 is 第 7 课
            sorted(re.findall(r"\d[\d,.]*\d|\d", re.sub(r"\]\([^)]*\)|\b0(?=\d\b)", "", line)))
            for line in re.findall(r"^\|.*", page, re.M)
        ]
        for page in both(english)
    )
    assert one == other


@pages
def test_links_lead_to_the_same_places(english):
    assert links(english) == links(TWINS[english])


@pages
def test_each_page_leads_to_its_twin_in_its_first_lines(english):
    chinese = TWINS[english]
    for page, other in ((english, chinese), (chinese, english)):
        text = text_of(page)
        near = text if "cheat-sheet" in page else "\n".join(text.splitlines()[:4])  # one page of paper has no room
        led = [Path(ROOT, page).parent.joinpath(link).resolve() for link in LINK.findall(near)]
        assert (ROOT / other).resolve() in led, page


@pages
def test_a_chinese_page_leads_to_chinese_pages_where_there_are_any(english):
    chinese = TWINS[english]
    for link in LINK.findall(text_of(chinese)):
        path = Path(ROOT, chinese).parent.joinpath(link).resolve()
        if link.startswith("https://"):
            continue
        if "notebooks" in path.parts:
            assert path.parent.name == "zh", link
            assert (SOURCE / f"{path.stem}.py").is_file(), link
        else:
            assert path.is_file(), link
            name = path.relative_to(ROOT.resolve()).as_posix()
            assert name not in TWINS or name == english, link


def test_the_readme_calls_the_lessons_as_the_catalogue_does():
    catalogue = translated("zh_CN")
    titles = [catalogue[one.title].string or one.title for one in LESSONS]
    shown = re.findall(r"^\| \[\d\d · (.*?)\]\(", text_of("README.zh.md"), re.MULTILINE)
    assert shown == titles


def test_the_teachers_guide_calls_headings_as_the_chinese_lessons_do():
    """Of a lesson that is translated; the English guide's names are held against the lessons in test_at_hand."""
    astray = []
    for one, other in zip(*(re.findall(r"^\| .*", page, re.M) for page in both("docs/teachers-guide.md")), strict=True):
        for heading, said in zip(*(re.findall("“(.*?)”", line) for line in (one, other)), strict=True):
            for source in SOURCE.glob("*.py"):
                text = source.read_text(encoding="utf8")
                twins = re.search(
                    rf"^# #+ {re.escape(heading)}$.*?^# %% \[markdown\] lang=\"zh\".*?^# #+ (.*?)$", text, re.M | re.S
                )
                if twins and twins[1] != said:
                    astray.append((heading, said, twins[1]))
    assert astray == []
