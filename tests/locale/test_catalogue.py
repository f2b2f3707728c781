"""The catalogue: as the sources are now, with every place of a template in its translation, and no dates."""

import ast
import csv
import re
from string import Formatter

import pytest

from notebooks import messages
from notebooks.build import code_of, commented, comments, lessons
from prefix_lab import locale
from prefix_lab.debugger.moves import PAGE, moves_of
from prefix_lab.widgets.stepper.stepper import SCRIPT
from tests.house import PACKAGE

LANGUAGES = messages.LANGUAGES
TRANSLATED = [
    (language, message)
    for language in LANGUAGES
    for message in messages.translated(language)
    if message.id and any(messages.forms(message)) and not message.fuzzy
]


def places(text):
    """`{name}` and `{0}` of a template; none where the braces are no places."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name}
    except ValueError:
        return set()


def test_the_catalogue_is_as_the_sources_are():
    stale = [messages.name(path) for path, text in messages.written().items() if path.read_bytes() != text]
    assert stale == [], "python -m notebooks.messages writes them anew"
    assert "Date" not in (locale.FOLDER / "prefix_lab.pot").read_text(encoding="utf-8")  # the same on another day


def test_a_translation_has_every_place_of_its_template_and_no_other():
    wrong = []
    for language, message in TRANSLATED:
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        wanted = set.union(*map(places, ids))
        wrong += [(language, said) for said in messages.forms(message) if places(said) != wanted]
    assert wrong == []


def test_a_translation_can_be_filled_and_keeps_lines_and_code():
    wrong = []
    for language, message in TRANSLATED:
        one = message.id[0] if isinstance(message.id, tuple) else message.id
        for said in messages.forms(message):
            if codes(said) != codes(one) or ends(said) != ends(one):
                wrong.append((language, one, said))
    assert wrong == []


def codes(text):
    """What stands in backticks."""
    return sorted(re.findall(r"`[^`]+`", text))


def ends(text):
    """Spaces and line ends at both ends, which hold a text apart from what it stands beside."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_as_many_as_the_language_has(language):
    catalogue = messages.translated(language)
    plural = [message for message in catalogue if isinstance(message.id, tuple)]
    assert plural
    assert {len(messages.forms(message)) for message in plural} == {catalogue.num_plurals}


def test_what_python_hands_to_javascript_is_what_its_texts_are():
    in_files = {text for path in (PACKAGE / "widgets").rglob("*.js") for text in messages.in_javascript(path)}
    of_moves = {text for one in moves_of(PAGE) for text in (one.says, one.word) if text}
    assert {*map(ast.literal_eval, locale.IN_JAVASCRIPT.findall(SCRIPT))} == in_files | of_moves


def test_no_function_that_translates_binds_the_name_of_the_translation():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        for scope in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(scope, ast.FunctionDef | ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp):
                continue
            inside = [node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id == "_"]
            arguments = [one for one in ast.walk(scope) if isinstance(one, ast.arg) and one.arg == "_"]
            called = [
                one for one in ast.walk(scope) if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "_"
            ]
            if called and (arguments or any(isinstance(node.ctx, ast.Store) for node in inside)):
                wrong.append((path.name, scope.lineno))
    assert wrong == []


def test_a_chinese_lesson_has_the_same_code_and_its_comments_in_chinese(monkeypatch):
    code = "x = 1  # each row adds up to 1\ny = x  # (batch, prefix_len)\n# a line of its own\nprint('# no comment')"
    monkeypatch.setattr("notebooks.build.said", lambda text, language: f"⟦{text}⟧")
    assert commented(code, "zh").split("\n") == [
        "x = 1  # ⟦each row adds up to 1⟧",
        "y = x  # (batch, prefix_len)",
        "# ⟦a line of its own⟧",
        "print('# no comment')",
    ]


def test_every_lessons_code_can_be_shown_with_its_comments_in_another_language(monkeypatch):
    monkeypatch.setattr("notebooks.build.said", lambda text, language: "注释")
    assert any(map(comments, lessons()))
    for source in lessons():
        for cell in code_of(source):
            assert ast.dump(ast.parse(commented(cell, "zh"))) == ast.dump(ast.parse(cell))


def terms():
    """The rows of the table of terms: what a term is called, and what it is never called."""
    with (locale.FOLDER / "terms.csv").open(encoding="utf-8", newline="") as file:
        return {row["english"]: row for row in csv.DictReader(file)}


def test_no_translation_has_a_word_that_the_table_of_terms_rules_out():
    never = {word for row in terms().values() for word in row["never"].split(";") if word}
    said = [text for language, message in TRANSLATED for text in messages.forms(message) if language == "zh_CN"]
    assert [(word, text) for word in never for text in said if word in text] == []


ONE_WAY = (
    "prefix",
    "virtual token",
    "breakpoint",
    "gradient",
    "mask",
    "encoder",
    "decoder",
    "frozen",
)
"""Terms that have one word in Chinese, wherever they stand."""


@pytest.mark.parametrize("term", ONE_WAY)
def test_a_term_is_said_in_one_way(term):
    chinese, wrong = terms()[term]["chinese"], []
    for _, message in TRANSLATED:
        one = message.id[0] if isinstance(message.id, tuple) else message.id
        said = re.search(rf"(?<![\w_`.\-]){term}s?(?![\w_`=(.-])", re.sub(r"`[^`]*`|\{[^}]*\}", " ", one))
        if said and chinese not in messages.forms(message)[0]:
            wrong.append((one, messages.forms(message)[0]))
    assert wrong == []


def test_chinese_has_its_own_punctuation_and_a_space_beside_latin():
    wrong = []
    for language, message in TRANSLATED:
        text = re.sub(r"`[^`]*`", "`", messages.forms(message)[0])
        half = re.search(r"[一-鿿][,;:?!]|[,;?!][一-鿿]|您", text)
        close = re.search(r"[一-鿿][A-Za-z0-9]|[A-Za-z0-9][一-鿿]", text)
        wrong += [text] if language == "zh_CN" and (half or close) else []
    assert wrong == []
