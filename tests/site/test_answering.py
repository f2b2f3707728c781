"""In a page without a kernel an answer to a question hears what Python would say."""

import json
import subprocess

import pytest

from prefix_lab.widgets import predict
from prefix_lab.widgets.stepper.predict import Score
from tests.widgets.stepper.javascript import node
from tests.widgets.stepper.walks import walk
from website.live import answers_of
from website.pages import HERE

TRIES = (
    ["(batch, prefix_len, 2·layers·hidden)"],
    ["2,20,768"],
    ["  2, 20,   6*hidden  "],
    ["batch, prefix_len, 2 layers hidden"],
    ["", "batch", "(2, 20)", "(2, 20, 768)"],
    ["batch, prefix_len, hidden", "batch, nonsense, 3", "batch, 21, 768", "[2, prefix_len, layers·256]"],
    ["batch, prefix_len, hidden/0", "batch, prefix_len, 2·layers·hidden-1", "batch, prefix_len, __proto__"],
)
SCRIPT = """
import { answered } from %r;
const { question, expected, tries } = JSON.parse(process.argv[1]);
let now = question;
console.log(JSON.stringify(tries.map((text) => (now = answered(now, { text }, expected)))));
"""


@pytest.mark.parametrize("tries", TRIES, ids=" / ".join)
def test_each_try_is_answered_in_the_same_words(tries):
    asked = predict(walk(), "encode", "past_key_values", score=Score())
    given = {"question": asked.question, "expected": answers_of(asked), "tries": tries}
    script = SCRIPT % str(HERE / "answering.js")
    command = [node(), "--input-type=module", "-e", script, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for text, page in zip(tries, json.loads(done.stdout), strict=True):
        asked.answer_with(text)
        for fact in ("said", "done", "offer", "score"):
            assert page[fact] == asked.question[fact], (text, fact)
