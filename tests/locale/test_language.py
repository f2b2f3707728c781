"""Which language is shown, and that it may change at any time."""

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from prefix_lab import locale
from prefix_lab.course.checking import NotYet
from prefix_lab.course.ready import Verdict
from prefix_lab.widgets.table import table

MESSAGES = {
    "It has {count} rows.": "它有 {count} 行。",
    "Take another.": "换一个。",
    "What you gave": "你给的",
    "right: {text}": "对：{text}",
    ("{count} line more", "{count} lines more"): ("还有 {count} 行",),
}


@pytest.fixture(autouse=True)
def chinese(tmp_path, monkeypatch):
    """A small catalogue, in an environment that says nothing of a language."""
    catalogue = Catalog(locale="zh_CN")
    for message, said in MESSAGES.items():
        catalogue.add(message, said)
    path = tmp_path / "zh_CN" / "LC_MESSAGES" / "prefix_lab.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(locale, "FOLDER", tmp_path)
    for name in ("PREFIX_LAB_LANGUAGE", "JPY_SESSION_NAME", *locale.SYSTEM):
        monkeypatch.delenv(name, raising=False)


class Shell:
    """A kernel's shell, as much of it as says which notebook is open."""

    def __init__(self, **names):
        self.user_ns = names


@pytest.mark.parametrize(
    ("environment", "told", "expected"),
    [
        ({}, None, "en"),
        ({"LANG": "zh_CN.UTF-8"}, None, "zh_CN"),
        ({"LANG": "C.UTF-8"}, None, "en"),
        ({"LANG": "fr_FR.UTF-8"}, None, "en"),
        ({"LANGUAGE": "fr:zh:en"}, None, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, None, "en"),
        ({"LANG": "zh_CN.UTF-8", "PREFIX_LAB_LANGUAGE": "en"}, None, "en"),
        ({"PREFIX_LAB_LANGUAGE": "zh"}, None, "zh_CN"),
        ({"PREFIX_LAB_LANGUAGE": "zh-Hans"}, None, "zh_CN"),
        ({"PREFIX_LAB_LANGUAGE": "nonsense", "LANG": "zh_CN"}, None, "zh_CN"),
        ({"JPY_SESSION_NAME": "/home/me/notebooks/zh/00_start_here.ipynb"}, {}, "zh_CN"),
        ({"JPY_SESSION_NAME": "/x/en/00_start_here.ipynb", "PREFIX_LAB_LANGUAGE": "zh"}, {}, "en"),
        ({"JPY_SESSION_NAME": "/home/me/mine.ipynb", "PREFIX_LAB_LANGUAGE": "zh"}, {}, "zh_CN"),
        ({"JPY_SESSION_NAME": "/x/zh/00_start_here.ipynb"}, None, "en"),  # a program that a kernel started
        ({}, {"__vsc_ipynb_file__": "/x/zh/00_start_here.ipynb"}, "zh_CN"),
    ],
)
def test_the_notebook_decides_then_the_learner_then_the_system(environment, told, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("IPython.get_ipython", lambda: None if told is None else Shell(**told))
    assert locale.language() == expected


def test_a_text_is_translated_when_it_is_shown(monkeypatch):
    verdict, said = Verdict(True, "Take another."), repr(Verdict(True, "Take another."))
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    assert (said, repr(verdict)) == ("right: Take another.", "对：换一个。")
    assert str(NotYet("It has {count} rows.", "Take another.", count=3)) == "它有 3 行。换一个。"
    assert table(["", "What you gave"], [["a", 1]], "Take another.") == (("", "你给的"), (("a", "1"),), "换一个。")
    assert locale.ngettext("{count} line more", "{count} lines more", 1).format(count=1) == "还有 1 行"
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "en")
    assert repr(verdict) == said
    assert locale.ngettext("{count} line more", "{count} lines more", 1).format(count=1) == "1 line more"


def test_nothing_stays_nothing_and_what_is_not_in_the_catalogue_stays_as_it_is(monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", "zh")
    assert (locale._(""), locale._("No such text.")) == ("", "No such text.")
