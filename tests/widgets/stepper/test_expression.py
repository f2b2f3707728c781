"""Conditions and watches in a view mean what `prefix_lab.debugger.conditions` makes of them."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.look import Look
from prefix_lab.debugger.summary import Summary, as_summary
from tests.debugger.test_against_interpreter import PHASES
from tests.widgets.stepper.javascript import as_seen, javascript, tensor


class Record(NamedTuple):
    left: int
    right: int


LOOK = Look()
SHAPE = {"axes": ["batch", "prefix_len", "hidden"]}
VALUES: dict[str, Any] = {
    "i": 5,
    "j": -3,
    "zero": 0,
    "half": 0.5,
    "whole": 2.0,
    "nan": math.nan,
    "inf": math.inf,
    "yes": True,
    "no": False,
    "nothing": None,
    "text": "a'b\"c\\d\n\x00é\U0001f600\u202e",
    "blank": "",
    "word": "prefix",
    "long": LOOK("x" * 500),
    "raw": b"ab",
    "items": LOOK([1, "two", None, [3]]),
    "pair": LOOK((1, 2)),
    "empty": LOOK([]),
    "table": LOOK({"a": 1, 2: "b", (1, 2): 3, None: 4, True: 5, "constructor": 6}),
    "x": tensor(2, 20, 512, **SHAPE),
    "y": tensor(2, 20, 512, digest="ff", **SHAPE),
    "scalar": tensor(),
    "module": Summary("torch.nn.Linear", "Linear", {"parameters": 12_345, "trainable": 0, "training": False}),
    "huge": 2**53 + 2,
    "vast": 2**60 + 1,
    "record": LOOK(Record(4, 5)),
    "é_ñ": 7,
}
ACCEPTED = [
    "i == 5",
    "i==5 and j<0",
    "vast == 1152921504606846977",
    "vast == 1152921504606846976",
    "vast - 1 == 2 * 576460752303423488",
    "vast - 1152921504606846972 == i",
    "vast % 10 == 7 and vast // -10 == -115292150460684698 and -vast % 10 == 3",
    "vast > 1152921504606846976 and vast < huge * huge and vast / 2 > 1 and not vast // 0 == 1",
    "record.left == record[0] == 4 and record[-1] == 5",
    "not i",
    "not not yes",
    "i != 5 or (j == -3 and zero == 0)",
    "0 < i < 10 != j",
    "-i == - 5",
    "--j < 0",
    "i + 2 * j - 1 == -2",
    "(i + 2) * j % 4 == 3",
    "j // 2 == -2",
    "j % 2 == 1",
    "7.5 // -2 == -4 and 7.5 % -2 == -0.5",
    "i / 2 == 2.5",
    "1 / zero",
    "i % zero == 0",
    "half + whole == 2.5",
    ".5 == half and 5e-1 == half and 0.50e0 == half",
    "nan",
    "nan == nan",
    "nan != nan",
    "inf > 10 and -inf < 0",
    "inf % 2 == 1",
    "yes == 1 and yes + yes == 2",
    "yes is True and no is not True",
    "nothing is None",
    "i is None",
    "x is not None",
    "nothing == None == nothing",
    "nothing < 1",
    "text == 'a\\'b\"c\\\\d\\n\\x00\\u00e9\\U0001F600\\u202e'",
    "text[0] == 'a' and text[-1] == '\\u202e'",
    "len(text) == 11",
    "text[1.5] == 'a'",
    "text[40] == 'a'",
    "'b' in text and not 'z' in text",
    "'b' not in text",
    "1 in text",
    "word < 'z' and word >= 'prefix' and word > 'pre'",
    "'\\uffff' < '\\U0001f600'",
    "word < 1",
    "word == 1",
    "word + 'a' == 'prefixa'",
    "blank",
    "blank == '' == \"\"",
    "'or' == 'or' or 'and' == word",
    "'\\101\\0' == 'A\\x00'",
    "long.length == 500 and len(long) == 500",
    "long",
    "raw == raw",
    "items",
    "empty",
    "len(empty) == 0",
    "len(items) == 4 and items.length == 4",
    "items[0] == 1 and items[1] == 'two' and items[2] is None",
    "items[3][0] == 3",
    "items[-1]",
    "items[9] == 1",
    "1 in items",
    "items == items",
    "items != pair",
    "pair == (1, 2)",
    "table['a'] == 1 and table[2] == 'b'",
    "table[None] == 4",
    "table[True] == 5",
    "table[1, 2] == 3",
    "table['constructor'] == 6",
    "table['toString']",
    "table.constructor == 6",
    "table.a == 1",
    "x.shape == (2, 20, 512)",
    "x.shape == [2, 20, 512]",
    "x.shape[0] > 1 and x.shape[-1] == 512",
    "x.shape[True] == 20",
    "x.shape[3]",
    "x.shape < (2, 21)",
    "x.shape > (2, 20)",
    "(1, 'a') < (1, 2)",
    "() < (1,)",
    "(1,) in ((1,), 2)",
    "x.axes[1] == 'prefix_len'",
    "'hidden' in x.axes",
    "x.dtype == 'float32'",
    "x.type == 'torch.Tensor'",
    "x.nothing_such",
    "x.toString",
    "x.constructor",
    "x.__proto__",
    "x.hasOwnProperty",
    "toString",
    "constructor",
    "__proto__",
    "len(x) == 2",
    "len(x.shape) == 3",
    "len(scalar)",
    "len((1, 2)) == 2",
    "len([]) == 0",
    "len(i)",
    "len(i,)",
    "len",
    "scalar.shape == ()",
    "x == y",
    "x == x",
    "x",
    "x + 1",
    "-x",
    "-word",
    "x < y",
    "module.parameters > 10000 and not module.trainable",
    "module.training is False",
    "huge == 9007199254740994",
    "é_ñ == 7",
    "e\u0301_n\u0303 == 7",
    "ﬁ",
    "unknown",
    "unknown == 1 or i == 5",
    "i == 5 or unknown == 1",
    "None",
    "True and 'a'",
    "()",
    "[]",
    "[1, (2, 3),]",
    "(((((i)))))",
    "i .real",
    "00 == zero",
    "match == case",
    "  \t i == 5 \n",
    "i\t==\f5",
    "(i ==\n5)",
]
REFUSED = [
    "",
    " ",
    "i =",
    "i = 5",
    "i == ",
    "(i := 5)",
    "== 5",
    "i === 5",
    "i <> 5",
    "i && j",
    "i || j",
    "!i",
    "~i",
    "+i",
    "i ** 2",
    "i @ j",
    "i & j",
    "i << 2",
    "i if j else 5",
    "lambda: 1",
    "await i",
    "yield",
    "[i for i in x]",
    "{i}",
    "{}",
    "{'a': 1}",
    "x[1:2]",
    "x[:]",
    "x[]",
    "x[*y]",
    "f(1)",
    "x.f()",
    "len()",
    "len(x, y)",
    "len(x=1)",
    "len(x, y=1)",
    "len(*x)",
    "len(x)(y)",
    "(lambda: 1)()",
    "'a'()",
    "__import__('os').system('true')",
    "i == not j",
    "- not i",
    "not",
    "i not j",
    "i is is j",
    "a b",
    "i;",
    "i; j",
    "(i",
    "i)",
    "[i",
    "(,)",
    "(1,,)",
    ",",
    "x.",
    "x..y",
    "x.1",
    ".x",
    "x.None",
    "x.class",
    "class == 1",
    "import os",
    "return",
    "007 == i",
    "1x",
    "1_",
    "1__0",
    "0x",
    "'abc",
    'abc"',
    "'a\nb'",
    "'\\x4'",
    "'\\u12'",
    "'\\U00110000'",
    "f'{i}'",
    "$i",
    "i ? j : 5",
    "i == 5 -- ",
    "\x00",
    "i\u00a0== 5",
    "i == “5”",
    "🙂",
    "<script>alert(1)</script>",
    "`i`",
    "\\",
    "(" * 5_000,
    "(" * 250 + "1" + ")" * 250,
]
ONLY_PYTHON = ["1_000 == i", "0x1F == i", "1j", "...", "r'a'", "b'a'", "'a' 'b'", "'''a'''", "1, 2", "i == 5  # five"]
ONLY_PYTHON += ["i == \\\n5", "(" * 150 + "1" + ")" * 150, "i == 5 or " * 300 + "i"]


def accepted_by_python(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Condition(text.strip())
            return True
        except ValueError:
            return False


def test_an_expression_is_accepted_where_python_accepts_it():
    assert [text for text in ACCEPTED if not accepted_by_python(text)] == []
    found = dict(zip(ACCEPTED, javascript("wrong", ACCEPTED), strict=True))
    assert {text: wrong for text, wrong in found.items() if wrong} == {}


def test_what_python_refuses_is_refused_in_a_sentence():
    assert [text for text in REFUSED if accepted_by_python(text)] == []
    for text, wrong in zip(REFUSED, javascript("wrong", REFUSED), strict=True):
        assert wrong, text
        assert wrong.endswith("."), (text, wrong)


def test_what_only_python_can_read_is_refused_in_a_sentence():
    assert [text for text in ONLY_PYTHON if not accepted_by_python(text)] == []
    for text, wrong in zip(ONLY_PYTHON, javascript("wrong", ONLY_PYTHON), strict=True):
        assert wrong, text
        assert wrong.endswith("."), (text, wrong)


def truths(texts: list[str], values: dict[str, Any]) -> list[bool]:
    names = {name: as_summary(value) for name, value in values.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Condition(text.strip()).is_true_of(names) for text in texts]


def test_an_expression_is_true_where_python_says_so():
    found = javascript("truths", ACCEPTED, as_seen(VALUES))
    expected = truths(ACCEPTED, VALUES)
    assert {text: one for text, one, other in zip(ACCEPTED, found, expected, strict=True) if one != other} == {}
    assert 0.3 < sum(found) / len(found) < 0.8  # the list says something


@pytest.mark.parametrize("text", ["i < j.shape[0] and len(x) > 2", "not (a or b[c.d, e])", "-f // 2 in [g, h]", "len"])
def test_the_names_that_an_expression_needs_are_those_that_python_finds(text):
    assert set(javascript("names", text)) - {"len"} == Condition(text).names


atoms = st.one_of(
    st.sampled_from(sorted({*VALUES} - {"raw"})),  # of bytes a view has the text alone
    st.sampled_from(["unknown", "None", "True", "False", "'prefix'", "''", "0", "1", "2", "5", "0.5", "1e3", "()"]),
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    combined = st.sampled_from(["and", "or", "+", "-", "*", "//", "/", "%"])
    fact = st.sampled_from(["shape", "axes", "dtype", "type", "length", "parameters", "training", "a", "valueOf"])
    key = st.one_of(st.sampled_from(["0", "1", "-1", "2", "9", "'a'", "None", "True"]), inner)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.one_of(compared, combined), inner),
        st.builds("{} {} {} {} {}".format, inner, compared, inner, compared, inner).map("({})".format),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("len({})".format, inner),
        st.builds("{}.{}".format, inner.map("({})".format), fact),
        st.builds("({})[{}]".format, inner, key),
        st.builds("({}, {})".format, inner, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["None", "True", "not None"])),
    )


expressions = st.recursive(atoms, larger, max_leaves=8)


@settings(phases=PHASES)
@given(st.lists(expressions, min_size=30, max_size=60))
def test_drawn_expressions_are_read_and_worked_out_as_in_python(texts):
    assert javascript("wrong", texts) == [None] * len(texts)
    found, expected = javascript("truths", texts, as_seen(VALUES)), truths(texts, VALUES)
    assert {text: one for text, one, other in zip(texts, found, expected, strict=True) if one != other} == {}


SIGNS = st.sampled_from([*"éix01.[](),'\"\\ +-*/%<>=!:#@\n", "not ", " and ", " is ", " in ", "len(", "None", "if "])


@settings(phases=PHASES)
@given(st.lists(st.lists(SIGNS, max_size=8).map("".join), min_size=50, max_size=100))
def test_nothing_is_accepted_that_python_refuses(texts):
    texts = [text for text in texts if "\n" not in text.strip()]  # views have one line
    for text, wrong in zip(texts, javascript("wrong", texts), strict=True):
        assert wrong or accepted_by_python(text), text


@given(st.text(st.characters(), max_size=40))
def test_a_text_is_read_back_from_what_python_writes(text):
    assert javascript("read", [repr(text)]) == [text]
    assert javascript("worth", "text", as_seen({"text": text})) == text


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)))
def test_a_number_is_read_back_exactly(value):
    found = javascript(
        "truths", [f"value == {value!r}", f"enum == {value!r}"], as_seen({"value": value, "enum": of(value)})
    )
    assert found == [True, True]


def of(value: Any) -> Summary:
    """As the recorder sums up an enum's member."""
    return Summary("Kind", "Kind.one", {"value": value})


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None, True, False, -0.0])
def test_numbers_without_digits_are_read_back(value):
    for seen in (value, of(value)):
        texts = [
            "value > 1e308",
            "value < -1e308",
            "value != value",
            "value is None",
            "value is True",
            "value is False",
        ]
        values = {"value": seen}
        assert javascript("truths", texts, as_seen(values)) == truths(texts, values)


def test_a_deep_expression_is_worked_out_or_refused_but_never_ends_the_view():
    deep = ["-" * 1_900 + "i", "not " * 450 + "i", "x" + ".shape" * 300, "x" + "[0]" * 600, "(" * 90 + "i" + ")" * 90]
    assert javascript("wrong", deep) == [None] * len(deep)
    assert javascript("truths", deep, as_seen(VALUES)) == [True, True, False, False, True]
