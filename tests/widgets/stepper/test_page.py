"""`recording.to_html(path)`: one file that asks nothing of a network, in which whatever was recorded is text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import resource
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from prefix_lab.debugger import Recording, record
from prefix_lab.widgets.stepper.page import page_of, write_page
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.written import as_json
from tests.browser.steppers import HOSTILE, hostile_recording
from tests.debugger.recorded import recorded, refuses
from tests.widgets.stepper.javascript import packed

SVG = "http://www.w3.org/2000/svg"  # the name of a kind of element; nothing is loaded from there


class Parsed(HTMLParser):
    """The elements of a page with their attributes, in order, and the text of each kind."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() or self.open[-1:] in (["script"], ["style"]):
            self.texts.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    def text_of(self, tag: str) -> list[str]:
        return [text for one, text in self.texts if one == tag]

    @property
    def policy(self) -> str:
        return next(found["content"] or "" for tag, found in self.elements if "http-equiv" in found)


def says(text):
    heard = text
    table = {text: [text, {"inside": text}]}
    return heard, table


@pytest.fixture(scope="module")
def recording():
    return recorded(lambda: says("a text"), [says])


@pytest.fixture(scope="module")
def page(recording):
    return Parsed(page_of(recording, "A title"))


def structure(page: Parsed) -> list[tuple[str, list[str]]]:
    return [(tag, sorted(found)) for tag, found in page.elements]


def test_a_page_is_whole_and_has_the_elements_that_are_ours(page):
    assert page.open == []
    assert [tag for tag, _ in page.elements] == (
        ["html", "head", "meta", "meta", "meta", "title", "style", "body", "header", "h1", "p", "main"]
        + ["noscript"]
        + ["script"] * 3
    )
    assert page.text_of("title") == page.text_of("h1") == ["A title"]


def test_hostile_titles_names_values_sources_and_errors_are_text_and_make_no_element(page, tmp_path):
    title = "".join(HOSTILE)
    recording = hostile_recording(tmp_path)
    found = Parsed(page_of(recording, title))
    assert structure(found) == structure(page)
    assert found.text_of("h1") == found.text_of("title") == [title]
    pieces = unpacked(found)
    assert pieces["opening"]["title"] == title
    assert pieces["opening"]["files"][0].endswith("<script>window.pwned=13<.py")
    assert "</script><script>window.pwned = 8</script>" in pieces["source/0"][0]
    assert pieces["opening"]["failure"]["text"].startswith("ValueError: <img src=x onerror=")


def unpacked(page: Parsed) -> dict[str, Any]:
    """The pieces in a page, as its script reads them."""
    found = json.loads(page.text_of("script")[1])
    return {key: json.loads(zlib.decompress(base64.b64decode(text))) for key, text in found.items()}


def test_all_pieces_are_in_the_page(recording, page):
    assert {key: as_json(piece) for key, piece in unpacked(page).items() if key != "opening"} == {
        key: text for key, text in packed(recording).items() if key != "opening"
    }
    assert unpacked(page)["opening"] == json.loads(as_json(Pieces(recording, "A title").opening()))


def test_the_policy_lets_the_pages_own_script_and_style_run_and_nothing_else(page):
    *_, script = page.text_of("script")
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert rules["script-src"] == f"'sha256-{hash_of(script)}'"
    assert rules["style-src"] == f"'sha256-{hash_of(page.text_of('style')[0])}'"
    assert "unsafe" not in page.policy
    assert [position for position, (tag, _) in enumerate(page.elements) if tag == "meta"][1] < 6  # before what it rules


def hash_of(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_nothing_is_loaded_from_elsewhere(page, recording):
    for _, found in page.elements:
        assert not {"src", "href", "srcset", "action", "data", "poster", "style"} & set(found)
        assert not [name for name in found if name.startswith("on")]
    for text in (*page.text_of("style"), *map(without_comments, page.text_of("script"))):
        assert not re.search(r"@import|url\(|https?:|wss?://|\bimport\s*\(|^\s*import\b|\bfetch\(|XMLHttp", text, re.M)
    *_, script = page.text_of("script")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)
    assert "</" not in script
    assert "<!--" not in script


def without_comments(text: str) -> str:
    """Types in comments name other modules, and load none."""
    return re.sub(r"/\*[\s\S]*?\*/|^\s*//.*", "", text, flags=re.MULTILINE).replace(SVG, "")


def test_what_is_in_the_page_tells_no_folder_of_the_machine(page, recording):
    text = json.dumps(unpacked(page))
    assert str(Path.home()) not in text
    assert str(Path(__file__).parent) not in text


def test_the_language_is_the_pages(recording, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    found = Parsed(page_of(recording))
    assert found.elements[0] == ("html", {"lang": "zh-CN"})
    assert json.loads(found.text_of("script")[0])["said"]["texts"]["Next stage"] == "下一阶段"
    assert "步" in found.text_of("h1")[0]


def test_an_empty_recording_has_a_page(tmp_path):
    recorded(lambda: None, [says]).to_html(tmp_path / "empty.html")
    assert unpacked(Parsed((tmp_path / "empty.html").read_text()))["opening"]["steps"] == 0


def test_a_recording_that_was_loaded_has_the_same_page(recording, tmp_path):
    recording.save(tmp_path / "says.recording")
    Recording.load(tmp_path / "says.recording").to_html(str(tmp_path / "page.html"), title="A title")
    assert unpacked(Parsed((tmp_path / "page.html").read_text())) == unpacked(Parsed(page_of(recording, "A title")))


def test_the_page_is_utf_8_whatever_was_recorded(tmp_path):
    recorded(lambda: says("".join(HOSTILE)), [says]).to_html(tmp_path / "page.html", title="".join(HOSTILE))
    (tmp_path / "page.html").read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no/page.html", ["path=", "there is no folder", "Make it first"]),
        ("", ["path=", "is a folder", "walk.html"]),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence_and_nothing_is_written(recording, tmp_path, path, words):
    with refuses(ValueError, *words):
        recording.to_html(tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_recording_is_refused_and_the_old_page_stays(tmp_path):
    (tmp_path / "page.html").write_text("old")
    with record([says]) as recording, refuses(RuntimeError, "not finished"):
        recording.to_html(tmp_path / "page.html")
    with refuses(RuntimeError, "not finished"):
        write_page(Recording(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"


@contextlib.contextmanager
def full_disk(size: int):
    """No file can grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_page_is_written_whole_or_not_at_all(recording, tmp_path):
    (tmp_path / "page.html").write_text("old")
    with full_disk(10_000), pytest.raises(OSError, match="too large"):
        recording.to_html(tmp_path / "page.html")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "old")]
    recording.to_html(tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text().endswith("</html>\n")
