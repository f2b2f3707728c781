"""`course.train`: every kind of task learns, nothing but the prefix moves, and nothing is lost on the way."""

import os
import signal
import warnings

import peft
import pytest
import torch
from accelerate import debug_launcher
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
)

import prefix_lab
from prefix_lab.course import before_and_after, digest, get_task, load_model, load_tiny_t5, train
from prefix_lab.course.kept import Interrupted
from prefix_lab.course.task_heads import (
    TaskForFeatureExtraction,
    TaskForQuestionAnswering,
    TaskForSequenceClassification,
    TaskForTokenClassification,
)
from prefix_lab.course.tasks import TaskForCausalLM, TaskForSeq2SeqLM
from tests.parity.pair import without_pefts_deprecation
from tests.tiny_models import TINY_BERT, random_weights, seed, tiny_bert, tiny_gpt2, tiny_t5

FOODS, AREAS = ("soup", "fish", "rice", "pie"), ("north", "south", "west")
WORDS = [*FOODS, *AREAS, "we", "eat", "in", "the", "where", "is", "it", "good", "of"]
PAIRS = [(food, area) for food in FOODS for area in AREAS]


def tokenizer():
    """A word a token."""
    words = Tokenizer(
        models.WordLevel({word: n for n, word in enumerate(["<pad>", "<end>", "<unk>", *WORDS])}, "<unk>")
    )
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")


def said(food, area):
    return f"we eat {food} in the {area}"


def bert(head, **sizes):
    return lambda: random_weights(lambda: head(tiny_bert().config.__class__(**TINY_BERT, **sizes)))


TASKS = {
    "SEQ_2_SEQ_LM": (
        tiny_t5,
        TaskForSeq2SeqLM("sentence", [(f"{food} {area}", said(food, area)) for food, area in PAIRS]),
    ),
    "CAUSAL_LM": (
        tiny_gpt2,
        TaskForCausalLM(
            "sentence",
            [(" ".join(pair), said(*pair).partition(" in" * (pair[0] == "pie") or "!")[0]) for pair in PAIRS],
        ),
    ),
    "SEQ_CLS": (
        bert(BertForSequenceClassification, num_labels=3),
        TaskForSequenceClassification("area", [(said(*pair), pair[1]) for pair in PAIRS]),
    ),
    "TOKEN_CLS": (
        bert(BertForTokenClassification, num_labels=2),
        TaskForTokenClassification(
            "food", [(said(*pair).split(), ["-", "-", "food", "-", "-", "-"]) for pair in PAIRS]
        ),
    ),
    "QUESTION_ANS": (
        bert(BertForQuestionAnswering),
        TaskForQuestionAnswering("where", [("where is it", said(*pair), pair[1]) for pair in PAIRS]),
    ),
    "FEATURE_EXTRACTION": (
        tiny_bert,
        TaskForFeatureExtraction("same", [(said(*pair), f"the {pair[1]} is good of {pair[0]}") for pair in PAIRS]),
    ),
}


def wrapped(kind, library=prefix_lab, **fields):
    """A model with random weights and a prefix of three."""
    seed(0)
    config = library.PrefixTuningConfig(task_type=kind, num_virtual_tokens=3, **fields)
    with without_pefts_deprecation():
        return library.get_peft_model(TASKS[kind][0](), config)


def run(model, kind, steps=6, **options):
    options = {"rate": 0.05, "batch_size": 4, "tokenizer": tokenizer(), "progress": ""} | options
    return train(model, TASKS[kind][1], steps, **options)


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_of_task_learns_and_nothing_else_gets_a_gradient(kind):
    model = wrapped(kind)
    base = {name: one.clone() for name, one in model.named_parameters() if not one.requires_grad}
    history = run(model, kind, steps=20, rate=0.1, batch_size=10)
    assert min(history[-3:]) < 0.95 * history[0]
    assert [step for step, _ in history.scores] == list(range(0, 21, 2))
    touched = {name for name, one in model.named_parameters() if one.grad is not None}
    assert all("prompt_encoder" in name or "modules_to_save" in name for name in touched)
    assert any("prompt_encoder" in name for name in touched)
    assert all(torch.equal(dict(model.named_parameters())[name], one) for name, one in base.items())
    assert "the same to the last bit" in history.below
    assert not model.training
    told = before_and_after(model, TASKS[kind][1], tokenizer(), count=2)
    assert len(told.rows) == 2


@pytest.mark.parametrize("kind", ["CAUSAL_LM", "TOKEN_CLS"])
def test_pefts_own_model_learns_the_same(kind):
    ours, theirs = (run(wrapped(kind, library), kind) for library in (prefix_lab, peft))
    assert ours == theirs
    assert ours.scores == theirs.scores


def test_the_same_call_gives_the_same_bits_and_leaves_the_callers_random_numbers():
    models = [wrapped("SEQ_CLS"), wrapped("SEQ_CLS")]
    assert models[0].config.hidden_dropout_prob > 0
    seed(3)
    first = run(models[0], "SEQ_CLS")
    drawn = torch.rand(2)
    seed(4)
    again = run(models[1], "SEQ_CLS")
    seed(3)
    assert first == again
    assert digest(models[0]) == digest(models[1])
    assert torch.equal(drawn, torch.rand(2))
    assert run(wrapped("SEQ_CLS"), "SEQ_CLS", seed=1) != first


class InterruptedInStep:
    """The task of that kind, during whose batch of that number somebody presses Ctrl-C."""

    def __init__(self, kind, number):
        self.task, self.left = TASKS[kind][1], number

    def __getattr__(self, name):
        return getattr(self.task, name)

    def batch(self, tokenizer, examples):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return self.task.batch(tokenizer, examples)


@pytest.mark.parametrize("stopped_in", [3, 5])
def test_an_interrupted_training_goes_on_as_if_it_had_not_stopped(stopped_in, tmp_path):
    straight = wrapped("SEQ_CLS")
    whole = run(straight, "SEQ_CLS")
    handler = signal.getsignal(signal.SIGINT)
    broken, options = wrapped("SEQ_CLS"), {"rate": 0.05, "batch_size": 4, "tokenizer": tokenizer(), "progress": ""}
    with pytest.raises(
        Interrupted, match=rf"Stopped at step {stopped_in} of 6\. All of it is kept in .* goes on"
    ) as caught:
        train(broken, InterruptedInStep("SEQ_CLS", stopped_in), 6, folder=tmp_path, **options)
    assert caught.value.history == whole[:stopped_in]
    assert signal.getsignal(signal.SIGINT) == handler
    assert not broken.training
    resumed = wrapped("SEQ_CLS")
    assert run(resumed, "SEQ_CLS", folder=tmp_path) == whole
    assert digest(resumed) == digest(straight)
    finished = wrapped("SEQ_CLS")
    again = run(finished, "SEQ_CLS", folder=tmp_path)
    assert (again, again.scores) == (whole, whole.scores)
    assert digest(finished) == digest(straight)


def test_without_a_folder_an_interruption_leaves_what_was_learnt_in_the_model():
    model, before = wrapped("SEQ_CLS"), digest(wrapped("SEQ_CLS"))
    with pytest.raises(
        Interrupted, match=r"Stopped at step 2 of 6\. What was learnt until now is in the model"
    ) as caught:
        train(model, InterruptedInStep("SEQ_CLS", 2), 6, tokenizer=tokenizer(), progress="", batch_size=4)
    assert len(caught.value.history) == 2
    assert digest(model) != before


def test_a_folder_with_another_training_is_refused_with_what_differs(tmp_path):
    run(wrapped("SEQ_CLS"), "SEQ_CLS", folder=tmp_path)
    with pytest.raises(ValueError, match=r"holds a training with rate=0.05, and this one has rate=0.01\. Give another"):
        run(wrapped("SEQ_CLS"), "SEQ_CLS", folder=tmp_path, rate=0.01)
    with pytest.raises(ValueError, match="holds a training with frozen="):
        run(wrapped("TOKEN_CLS"), "TOKEN_CLS", folder=tmp_path)


def test_a_loss_that_is_no_number_stops_before_it_does_harm():
    model = wrapped("CAUSAL_LM")
    model.prompt_encoder["default"].embedding.weight.data[0] = float("inf")
    said = r"The loss is nan .* step 1 of 6\. The model is as it was after step 0\. .* rate=0.005\."
    with pytest.raises(FloatingPointError, match=said):
        run(model, "CAUSAL_LM")
    assert model.prompt_encoder["default"].embedding.weight[1:].isfinite().all()


def test_no_examples_a_task_of_another_kind_and_nothing_to_train_are_refused():
    with pytest.raises(ValueError, match=r"task is 'none', and its examples\('train'\) are none"):
        train(wrapped("CAUSAL_LM"), TaskForCausalLM("none", []), 6, tokenizer=tokenizer())
    with pytest.raises(
        ValueError, match="task is 'area', of task_type='SEQ_CLS', and the model was wrapped for 'CAUSAL"
    ):
        train(wrapped("CAUSAL_LM"), TASKS["SEQ_CLS"][1], 6, tokenizer=tokenizer())
    two_labels = TaskForSequenceClassification("two", [("we eat", "yes"), ("we eat", "no")])
    with pytest.raises(ValueError, match=r"task is 'two', with 2 labels, and the model's head has num_labels=3\. Load"):
        train(wrapped("SEQ_CLS"), two_labels, 6, tokenizer=tokenizer())
    with pytest.raises(ValueError, match="nothing requires_grad"):
        train(wrapped("CAUSAL_LM").requires_grad_(False), TASKS["CAUSAL_LM"][1], 6, tokenizer=tokenizer())
    with pytest.raises(ValueError, match="tokenizer is not given, and the model's own is not found in ''"):
        train(wrapped("CAUSAL_LM"), TASKS["CAUSAL_LM"][1], 6)
    with pytest.raises(ValueError, match="The batches are none"):
        train(wrapped("CAUSAL_LM"), [], 6)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"steps": -1}, "steps=-1, expected a whole number of at least 0"),
        ({"batch_size": 0}, "batch_size=0, expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_its_name(asked, said):
    with pytest.raises(ValueError, match=said):
        train(**{"model": torch.nn.Linear(2, 2), "task": [], "steps": 1} | asked)


def test_answers_without_an_adapter_want_a_wrapped_model():
    with pytest.raises(ValueError, match="model is a Linear without an adapter"):
        before_and_after(torch.nn.Linear(2, 2), TASKS["CAUSAL_LM"][1])


def test_a_text_longer_than_the_model_takes_is_refused_with_the_text():
    long = TaskForCausalLM("long", [("soup north", said("soup", "north")), ("pie", " ".join(["pie"] * 60))])
    with pytest.raises(
        ValueError, match=r"has 62 tokens of input_ids and 3 virtual ones .* the 40 .*: \('pie', 'pie pie"
    ):
        train(wrapped("CAUSAL_LM"), long, 6, tokenizer=tokenizer(), progress="", measured_on=0)


def test_texts_of_unequal_length_are_answered_together_as_each_alone():
    model, task = wrapped("CAUSAL_LM"), TASKS["CAUSAL_LM"][1]
    examples = [(source, "we eat soup") for source in ("fish", "where is it", "good of the north")]
    alone = [task.answers(model, tokenizer(), [example])[0] for example in examples]
    assert task.answers(model, tokenizer(), examples) == alone
    assert len(set(alone)) > 1


class Shout:
    name = "shout"

    def examples(self, part):
        return ["soup", "pie"] if part == "train" else ["fish"]

    def batch(self, tokenizer, examples):
        return TaskForSeq2SeqLM.batch(None, tokenizer, [(word, word.upper()) for word in examples])

    def score(self, model, tokenizer, examples):
        return 0.25


def test_a_learners_own_object_is_a_task(capsys):
    model, _ = load_tiny_t5()
    model = prefix_lab.get_peft_model(model, prefix_lab.PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=2))
    history = train(model, Shout(), 2)  # the tokenizer is the model's own
    assert history.scores == [(0, 0.25), (1, 0.25), (2, 0.25)]
    assert "right 25.0 %" in capsys.readouterr().err
    assert "step  loss, mean since the last  right, %" in repr(history)
    assert 'role="img"' in history._repr_html_()
    assert "Right: 25.0 % at step 0" in history.plot().told


def test_a_letter_task_told_by_its_instruction_is_done_without_any_training():
    task = get_task("reverse")
    model, letters = load_tiny_t5()
    told = task.instructed()
    assert told.examples("test")[0][0].startswith("reverse: ")
    assert task.score(model, letters, task.examples("test")[:20]) < 0.5
    assert told.score(model, letters, told.examples("test")[:20]) > 0.9


def gradients_of(path, kind):
    """What a step's gradients are, for this process or for all of them together."""
    torch.set_num_threads(1)
    model = wrapped(kind)
    model.eval()
    run(model, kind, steps=1, batch_size=5)
    if os.environ.get("RANK", "0") == "0":
        torch.save({name: one.grad for name, one in model.named_parameters() if one.requires_grad}, path)


@pytest.mark.parametrize("kind", ["CAUSAL_LM"])
def test_two_processes_have_the_gradients_of_one(kind, tmp_path):
    gradients_of(tmp_path / "one", kind)
    with warnings.catch_warnings():
        debug_launcher(gradients_of, (tmp_path / "two", kind), num_processes=2)
    one, two = (torch.load(tmp_path / name) for name in ("one", "two"))
    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)
    assert any(gradient.abs().max() > 1e-3 for gradient in one.values())


def test_a_model_comes_from_a_folder_with_the_head_that_the_task_needs(tmp_path):
    task = TASKS["SEQ_CLS"][1]
    tiny_bert().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    model, words = load_model(tmp_path, task)
    assert model.config.num_labels == 3
    assert 0 <= task.score(model, words, task.examples("test")) <= 1
    model = prefix_lab.get_peft_model(model, prefix_lab.PrefixTuningConfig("SEQ_CLS", num_virtual_tokens=2))
    assert len(train(model, task, 2, progress="")) == 2


def test_a_model_that_is_nowhere_is_refused_with_the_way_out():
    with pytest.raises(
        ValueError, match=r"name='gpt2' gives no model for CAUSAL_LM: .* a hub that this machine reaches"
    ):
        load_model("gpt2", TASKS["CAUSAL_LM"][1])
