"""The three models of the world: they load alone and in every auto class, their tokens are words, and they can what
their reports say."""

import json
import subprocess
import sys
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from prefix_lab.course import load_tiny
from prefix_lab.course.pretrain import print_report
from prefix_lab.course.tiny import FOLDER, SPECIAL, new_tokenizer
from prefix_lab.course.world import GRAMMAR, QUESTIONS, places, prompt, sentence, vocabulary
from prefix_lab.course.world_tasks import world_task
from tests.house import ROOT

EVERYWHERE = places("seen") + places("held out")
NAMES = list(SPECIAL)

# Any use of a socket ends this program, and so does any warning.
LOAD_ALONE = """
import socket, sys
from transformers import AutoModelForSequenceClassification
def refuse(*arguments, **named): sys.exit("the network was used")
socket.socket = socket.getaddrinfo = socket.create_connection = refuse
from prefix_lab.course import load_tiny
for name in ("bert", "t5"):
    load_tiny(name)
load_tiny("bert", AutoModelForSequenceClassification, num_labels=2)
model, tokenizer = load_tiny("gpt2", attn_implementation="eager")
ids = tokenizer(["the golden fox"], return_tensors="pt")["input_ids"]
model(ids, labels=ids).loss.backward()
"""


def report(name):
    return json.loads((FOLDER / name / "report.json").read_text(encoding="utf-8"))


def test_they_load_with_no_network_no_warning_and_no_output():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_ALONE], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", NAMES)
def test_it_has_about_a_million_float32_parameters_in_a_folder_under_five_megabytes(name):
    model, tokenizer = load_tiny(name)
    assert not model.training
    assert 0.8e6 < model.num_parameters() < 1.1e6
    assert model.num_parameters() == report(name)["parameters"]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert sum(file.stat().st_size for file in (FOLDER / name).iterdir()) < 5_000_000
    assert model.config.vocab_size == len(tokenizer) == len(SPECIAL[name]) + len(vocabulary())


@pytest.mark.parametrize(
    ("name", "auto"),
    [
        ("gpt2", AutoModelForCausalLM),
        ("t5", AutoModelForSeq2SeqLM),
        *(("bert", auto) for auto in (AutoModelForSequenceClassification, AutoModelForTokenClassification)),
        *(("bert", auto) for auto in (AutoModelForQuestionAnswering, AutoModelForMaskedLM)),
        *((name, AutoModel) for name in NAMES),
    ],
)
def test_it_loads_in_each_auto_class_the_same_each_time_and_leaves_the_callers_random_numbers(name, auto):
    before = torch.get_rng_state()
    one, two = (load_tiny(name, auto)[0] for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert type(one) is type(auto.from_config(one.config))
    assert all(torch.equal(tensor, two.state_dict()[key]) for key, tensor in one.state_dict().items())


def test_the_seed_makes_the_head_and_the_body_is_the_pretrained_one():
    one, two = (load_tiny("bert", AutoModelForSequenceClassification, seed, num_labels=3)[0] for seed in (0, 1))
    assert one.classifier.out_features == 3
    assert not torch.equal(one.classifier.weight, two.classifier.weight)
    body = load_tiny("bert")[0].bert.state_dict()
    assert all(torch.equal(tensor, body[key]) for key, tensor in one.bert.state_dict().items())
    assert "pooler.dense.weight" in body  # what sentences are sorted by is pretrained too


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="name='gpt3', expected one of gpt2, bert, t5"):
        load_tiny("gpt3")


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_tokenizer_is_the_one_that_the_world_makes(name):
    shipped, made = AutoTokenizer.from_pretrained(FOLDER / name), new_tokenizer(name)
    assert shipped.get_vocab() == made.get_vocab()
    texts = (["do not miss it!"], ["what a joy!"])
    assert shipped(*texts).data == made(*texts).data
    assert shipped.padding_side == made.padding_side == ("left" if name == "gpt2" else "right")


@pytest.mark.parametrize("name", NAMES)
@given(index=st.integers(0, len(EVERYWHERE) - 1), manner=st.sampled_from(list(GRAMMAR)), seed=st.integers(0, 99))
def test_a_text_makes_one_known_token_of_each_word_and_comes_back_as_it_was(name, index, manner, seed):
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / name)
    said = sentence(EVERYWHERE[index], manner, Random(seed))
    assert tokenizer.tokenize(said.text) == list(said.words)
    for text in (said.text, f"{prompt(said.place, manner)} =", *(QUESTIONS[field][0] for field in said.fields)):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    offsets = tokenizer(said.text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    assert [said.text[start:stop] for start, stop in offsets] == list(said.words)
    assert tokenizer(said.text)["input_ids"] == tokenizer(list(said.words), is_split_into_words=True)["input_ids"]


def test_two_texts_for_bert_are_told_apart_by_their_types_and_a_words_place_is_known():
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "bert")
    pair = tokenizer("What is it near?", "the golden fox serves pizza.")
    tokens = " ".join(tokenizer.convert_ids_to_tokens(pair["input_ids"]))
    assert tokens == "[CLS] what is it near ? [SEP] the golden fox serves pizza . [SEP]"
    assert pair["token_type_ids"] == [0] * 7 + [1] * 7
    assert pair.sequence_ids() == [None, *[0] * 5, None, *[1] * 6, None]
    assert pair.word_ids()[7:13] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("name", "kind"), [("gpt2", "CAUSAL_LM"), ("t5", "SEQ_2_SEQ_LM")])
def test_it_writes_right_sentences_in_the_manner_that_it_is_asked_for_and_unasked_keeps_to_none(name, kind):
    model, tokenizer = load_tiny(name)
    for manner in ("plain", "praise"):
        task = world_task(kind, manner)
        told = task.instructed()
        assert told.score(model, tokenizer, told.test[::12]) > 0.85, manner
        assert task.score(model, tokenizer, task.test[::12]) < 0.9, manner


def test_the_reports_tell_how_much_was_learnt_and_that_it_took_less_than_a_quarter_of_an_hour():
    for name in NAMES:
        assert report(name)["held_out_places"] == len(places("held out"))
        assert report(name)["cpu_seconds"] < 15 * 60
    for name in ("gpt2", "t5"):
        assert min(report(name)["right_with_the_instruction"].values()) > 0.9
        assert max(report(name)["right_without_the_instruction"].values()) < 0.9
    assert min(report("bert")["masked_fields_right_after_its_own_record"].values()) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_world_says_what_the_report_says(name, capsys):
    print_report(report(name))
    assert capsys.readouterr().out in (ROOT / "docs" / "world.md").read_text(encoding="utf-8")
