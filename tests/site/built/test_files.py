"""All pages: their links, what they load, how large they are, and that nothing of the machine is in them."""

import json
import zlib
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from notebooks.taught import TAUGHT
from prefix_lab.course.progress import LESSONS
from website.functions import page_name
from website.pages import ROOT

MOST = 1_500_000
LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}


class Read(HTMLParser):
    """A page's ids, links and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get(LOADED.get(tag, "")) and found.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loads.append(found[LOADED[tag]])


@pytest.fixture(scope="module")
def pages(site):
    return {path: Read(path) for path in sorted(site.rglob("*.html"))}


def test_both_languages_have_the_same_pages_all_lessons_and_all_functions(site, pages):
    there = {
        one: {path.relative_to(site / one) for path in pages if path.is_relative_to(site / one)} for one in ("en", "zh")
    }
    assert there["en"] == there["zh"]
    names = {path.as_posix() for path in there["en"]}
    assert {f"lessons/{lesson.file}.html" for lesson in LESSONS} <= names
    assert {f"functions/{page_name(one)}.html" for some in TAUGHT.values() for one in some} <= names


def test_every_link_and_picture_leads_somewhere(site, pages):
    wrong = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("#at="):
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if to.is_dir():
                to /= "index.html"
            if not to.is_relative_to(site) or not to.is_file():
                wrong.append(f"{path.relative_to(site)}: {link}")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].ids:
                wrong.append(f"{path.relative_to(site)}: {link}: no such place")
    assert wrong == []


def test_a_lesson_says_that_it_was_run_and_blames_nobody_for_a_stub(site):
    for lesson in LESSONS:
        text = (site / "en" / "lessons" / f"{lesson.file}.html").read_text(encoding="utf-8")
        assert "This lesson has been run for you" in text
        assert "<b>Not yet</b>" not in text


def test_2023_stands_beside_today(site):
    text = (site / "en" / "lessons" / "16_2023_and_now.html").read_text(encoding="utf-8")
    assert "not here" not in text
    assert text.count("&quot;theirs&quot;") >= 2


def test_nothing_is_loaded_from_elsewhere(site, pages):
    loads = {(path.name, one) for path, page in pages.items() for one in page.loads}
    assert {one for one in loads if urlsplit(one[1]).scheme not in ("", "data")} == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert "url(http" not in styles.replace('"', "").replace("'", "")


def test_a_page_is_small_before_its_recordings(site, pages):
    def weight(path: Path, page: Read) -> int:
        files = [(path.parent / urlsplit(one).path) for one in page.loads if not urlsplit(one).scheme]
        return path.stat().st_size + sum(one.stat().st_size for one in {one.resolve() for one in files})

    large = {path.name: weight(path, page) for path, page in pages.items() if weight(path, page) >= MOST}
    assert large == {}


def test_nothing_of_this_machine_is_in_what_is_published(site):
    texts = [path for path in site.rglob("*") if path.suffix in (".html", ".js", ".ipynb", ".css")]
    folders = (str(ROOT), f"{Path.home()}/")
    assert [one.name for one in texts if any(folder in one.read_text(encoding="utf-8") for folder in folders)] == []
    recorded = [path for path in (site / "recordings").glob("*.js") if len(path.stem) == 16]
    packed = {path.name: json.loads(path.read_text(encoding="utf-8").split(",", 1)[1][:-2]) for path in recorded}
    told = {
        name: "".join(zlib.decompress(b64decode(one)).decode() for one in some.values())
        for name, some in packed.items()
    }
    assert told
    assert [name for name, text in told.items() if any(folder in text for folder in folders)] == []
