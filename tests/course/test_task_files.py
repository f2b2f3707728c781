"""A task from somebody's own file: what is broken in it is told by its line, and the rest is used."""

import json

import pytest

from prefix_lab.course import task_from_file

CSV = """source,target,part
soup,SOUP,
fish,,
rice,RICE,train
pie,PIE,test
tea,TEA,tomorrow
"salt
and pepper",SALT
milk,MILK,train,too much
caf\xe9,CAFE
"""
LINES = [
    {"text": "it was good", "label": "praise"},
    {"text": "it was bad", "label": "complaint"},
    {"text": "it was"},
    ["it was good", "praise"],
    {"text": "five of five", "label": 5},
    {"text": None, "label": "praise"},
    {"text": {"a": "b"}, "label": "praise"},
]


def test_a_strangers_csv_gives_its_good_rows_and_says_which_are_left_out_and_why(tmp_path, capsys):
    (tmp_path / "menu.csv").write_bytes(CSV.encode("latin-1"))
    task = task_from_file(tmp_path / "menu.csv")
    assert capsys.readouterr().out == (
        "menu.csv: 4 rows are kept, 4 are left out: line 3 (no target), line 6 (part is 'tomorrow', neither train nor "
        "test), line 9 (more cells than columns), line 10 (not UTF-8).\n"
    )
    assert task.examples("train") == [("soup", "SOUP"), ("salt\nand pepper", "SALT"), ("rice", "RICE")]
    assert task.examples("test") == [("pie", "PIE")]
    assert (task.name, task.task_type) == ("menu", "SEQ_2_SEQ_LM")


def test_json_lines_are_read_the_same(tmp_path, capsys):
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join([*map(json.dumps, LINES), "{half", ""]), encoding="utf-8")
    task = task_from_file(path, "SEQ_CLS", name="verdict")
    assert capsys.readouterr().out == (
        "said.jsonl: 3 rows are kept, 5 are left out: line 3 (no label), line 4 (no JSON object), line 6 (no text), "
        "line 7 (text is no text), line 8 (no JSON).\n"
    )
    assert task.labels == ["5", "complaint", "praise"]
    assert [*task.examples("train"), *task.examples("test")] == [
        ("it was bad", "complaint"),
        ("five of five", "5"),
        ("it was good", "praise"),
    ]


@pytest.mark.parametrize(
    ("task_type", "text", "said", "examples"),
    [
        ("CAUSAL_LM", "source;target\na, b;c\n", "all 1 rows are kept", [("a, b", "c")]),
        (
            "TOKEN_CLS",
            "words,labels\nwe eat,- -\nwe eat soup,- food\n",
            "line 3 (3 words and 2 labels)",
            [(["we", "eat"], ["-", "-"])],
        ),
        (
            "QUESTION_ANS",
            "question\ttext\tanswer\nwhat\twe eat soup\tsoup\nwhat\twe eat soup\tpie\n",
            "line 3 (the answer is no piece of the text)",
            [("what", "we eat soup", "soup")],
        ),
        ("FEATURE_EXTRACTION", "text,other\na,b\n", "all 1 rows are kept", [("a", "b")]),
    ],
)
def test_each_kind_of_task_has_its_columns(task_type, text, said, examples, tmp_path, capsys):
    (tmp_path / "rows.csv").write_text(text)
    task = task_from_file(tmp_path / "rows.csv", task_type)
    assert said in capsys.readouterr().out
    assert [*task.examples("test"), *task.examples("train")] == examples
    assert task.task_type == task_type


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("a.csv", "source,goal\na,b\n", {}, r"has the columns 'source', 'goal', and lacks 'target'\. The first line"),
        ("a.csv", "", {}, "has the columns of no name, and lacks 'source', 'target'"),
        ("a.csv", "source,target\na,\n", {}, r"No row of path=.* can be used\. a.csv: 0 rows .* line 2 \(no target\)"),
        ("a.txt", "a", {}, r"ends in '.txt', expected .csv \(with column names\) or .jsonl"),
        (
            "a.csv",
            "a",
            {"task_type": "TRANSLATION"},
            "task_type='TRANSLATION', expected one of: SEQ_2_SEQ_LM, CAUSAL_LM",
        ),
    ],
)
def test_a_file_that_gives_no_task_is_refused_with_the_way_out(name, text, options, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        task_from_file(tmp_path / name, **options)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(FileNotFoundError, match=r"path='nowhere.csv' is no file, expected a .csv or .jsonl file"):
        task_from_file("nowhere.csv")


def test_a_hundred_bad_rows_are_one_sentence(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("source,target\na,b\n" + "a,\n" * 100)
    task_from_file(tmp_path / "rows.csv")
    assert capsys.readouterr().out.endswith("line 10 (no target), and 92 more.\n")
