# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 03 · Train it
#
# A small GPT-2 knows places to eat, and six manners of speaking about them. Writing a postcard is none of them. Can ten
# virtual tokens make it write one, while not one of its own numbers changes? Here you train them, in a few seconds. At
# the end you will be able to
#
# - make the batches, and write the loop that trains a prefix;
# - stop in a training step, and find where the gradient is and where it is not;
# - prove that the model itself is unchanged;
# - see what has been learnt, and which heads read it.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import hashlib
import random

import peft
import torch
from torch.nn.utils.rnn import pad_sequence

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import TaskForCausalLM, load_tiny, show_progress, show_stage, table, train, world_task
from prefix_lab.course.experiments.pictures import draw_attention_to_prefix, first_keys, nearest_words
from prefix_lab.course.lessons.lesson_03 import check_gradient, check_labels, check_step, check_why_none, draw_rows

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## The model, and what it cannot do
#
# `load_tiny("gpt2")` has about 850,000 numbers, and one token for each word. It reads the record of a place and writes
# on behind the sign `=`. With a word such as `plain : ` or `advice : ` before the record it knows which manner is
# wanted. `postcard` is a word that nobody taught it.
#
# `answers` is what “writing on” means: the likeliest token at each step, up to the end.


# %%
def answers(model, records):
    batch = tokenizer(records, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**batch, max_new_tokens=32, do_sample=False)  # (batch, source+target)
    return tokenizer.batch_decode(tokens[:, batch.input_ids.shape[1] :], skip_special_tokens=True)


gpt2, tokenizer = load_tiny("gpt2")
world = world_task("CAUSAL_LM")
record, _, place = world.examples("test")[0]
texts = [instruction + record for instruction in ("plain : ", "advice : ", "postcard : ", "")]
table(("record", "answer"), zip(texts, answers(gpt2, texts), strict=True))

# %% [markdown] lang="en"
# ## What it is to learn
#
# One sentence for each place. Write another one if you like, with the place's `name`, `food`, `price`, `area`,
# `rating`, `families` and `near`; each word has to be one that the model knows (`tokenizer.get_vocab()` has them all).
#
# An example is a record and its sentence. The places to measure on are never trained on, and a sentence counts only
# when every letter of it is right.


# %%
def postcard(place):
    return f"we are at the {place.name} in the {place.area}. we eat {place.food}, and the food is {place.rating}!"


def pairs(part):
    return [(record, postcard(place)) for record, _, place in world.examples(part)]


seen, held_out = pairs("train"), pairs("test")


def exact_match(model, examples):
    written = answers(model, [record for record, _ in examples])
    return sum(one == sentence for one, (_, sentence) in zip(written, examples, strict=True)) / len(examples)


print(postcard(place))
print(f"train {len(seen)}, held out {len(held_out)}, exact match {exact_match(gpt2, held_out):.1%}")

# %% [markdown] lang="en"
# ### Exercise 1 · what is to be learnt
#
# A language model learns to foretell each token from those before it. The loss asks for that wherever `labels` has a
# token, and leaves out what is -100. Our model is to learn the sentence; the record is given. So what are the labels of
# one example? `record` and `sentence` are lists of token ids; the model reads `record + sentence`.
#
# (Label and token stand at the same place: the model's own forward looks one token ahead.)

# %% [markdown] lang="en" tags=["hint"]
# As many labels as tokens are wanted: first those of the record, then those of the sentence.

# %% [markdown] lang="en" tags=["hint"]
# In Python, `[7] * 3` is `[7, 7, 7]`. Which number does the loss leave out?


# %% tags=["exercise"]
def labels_of(record, sentence):
    return ...


check_labels(labels_of)


# %% tags=["solution"]
def labels_of(record, sentence):
    return [-100] * len(record) + sentence


check_labels(labels_of)

# %% [markdown] lang="en"
# A batch is some examples side by side, as long as the longest of them. What fills up the others is hidden by 0 in the
# mask, and by -100 in the labels. This is all that the model will be given:


# %%
def make_batch(examples):
    ids, labels = [], []
    for record, sentence in examples:
        before = tokenizer(record).input_ids
        after = [*tokenizer(sentence).input_ids, tokenizer.eos_token_id]  # the end is to be learnt, too
        ids.append(torch.tensor(before + after))
        labels.append(torch.tensor([-100] * len(before) + after))
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
        "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
    }


batch = make_batch(seen[:4])
print({name: tuple(tensor.shape) for name, tensor in batch.items()})
tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
print(*(f"{token}/{label}" for token, label in zip(tokens, batch["labels"][0].tolist(), strict=True)))

# %% [markdown] lang="en"
# ## The prefix
#
# As in lesson 01: a config, and `get_peft_model`. Only one parameter trains. It has a row for each virtual token: a key
# and a value in each of four layers, eight times 128 numbers. In lesson 02 such a key and value were random, and stood
# before one head. Here they stand before all sixteen, and what they are is to be learnt.

# %%
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
peft_model = peft.get_peft_model(gpt2, config)
peft_model.print_trainable_parameters()

prefix = peft_model.prompt_encoder["default"].embedding.weight
start = prefix.detach().clone()  # to begin anew, and to see later how far it went
for name, parameter in peft_model.named_parameters():
    if parameter.requires_grad:
        print(name, tuple(parameter.shape))

# %% [markdown] lang="en"
# For the proof, a fingerprint of all numbers of GPT-2. One changed bit anywhere gives another one.


# %%
def fingerprint(model):
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()[:16]


before_training = fingerprint(gpt2)
before_training

# %% [markdown] lang="en"
# ### Exercise 2 · one step of training
#
# Forward, forget the old gradient, backward, step. `model(**batch).loss` is the loss; return it as a plain number.

# %% [markdown] lang="en" tags=["hint"]
# The names are `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, `loss.item()`.

# %% [markdown] lang="en" tags=["hint"]
# What does each of them do with the gradient: make it, use it, or throw it away? None of it may be thrown away before
# it was used, and none may be used twice.


# %% tags=["exercise"]
def training_step(model, batch, optimizer):
    loss = ...
    return ...


check_step(training_step)


# %% tags=["solution"]
def training_step(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


check_step(training_step)

# %% [markdown] lang="en"
# ## Stop where it learns
#
# On the map, the stage is called `learn`, and it is torch's work, not PEFT's: a method of the loss.

# %%
show_stage("learn", mark=("torch.autograd.backward(",))

# %% [markdown] lang="en"
# ### Exercise 3 · where is the gradient?
#
# `one_step` is a step in plain lines, with a rate of 0, so that nothing moves yet. Stop it in `backward`. Which
# parameters have a gradient **before** this line of `one_step`, and which **after** it? `with_gradient()` lists them.
# It is yours, and torch does not know it: climb from torch's frame to your own (`u`), look, run the one line, and look
# again.


# %%
def with_gradient():
    return {name: tuple(one.grad.shape) for name, one in peft_model.named_parameters() if one.grad is not None}


def one_step():
    optimizer = torch.optim.AdamW([prefix], lr=0.0)
    loss = peft_model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


with torch.no_grad():
    prefix.copy_(start)  # each run of this cell begins anew
with stop_at("learn", suggest=["p self", "u", "p with_gradient()"]) as stop:
    one_step()

# %% [markdown] lang="en"
# What did you find? How many parameters had a gradient `before` the line and how many `after` it, and what is the
# `shape` of the one that you saw?

# %% [markdown] lang="en" tags=["hint"]
# After `u` you stand in `one_step`, at `loss.backward()`, which has not finished: an empty `{}` is what there is to
# see.

# %% [markdown] lang="en" tags=["hint"]
# `n` runs the line of the frame in which you stand. In `one_step`, that is the whole of `loss.backward()`.

# %% tags=["exercise"]
check_gradient(stop, {"before": ..., "after": ..., "shape": ...})

# %% tags=["solution"]
with stop_at("learn", commands=["p self", "u", "p with_gradient()", "n", "p with_gradient()", "c"]) as stop:
    one_step()

check_gradient(stop, {"before": 0, "after": 1, "shape": (10, 1024)})

# %% [markdown] lang="en"
# ### Exercise 4 · why has GPT-2 none?
#
# The gradient has to come from the loss, back through all four layers of GPT-2, to keys and values of the prefix. All
# the same, none of GPT-2's parameters had one afterwards. Why?
#
# - `"a"`: GPT-2 ran under `torch.no_grad()`.
# - `"b"`: the gradient passes through, and torch keeps it only where `requires_grad` is true.
# - `"c"`: the optimizer was given the prefix alone.
# - `"d"`: PEFT detaches the prefix from GPT-2 before the forward.

# %% [markdown] lang="en" tags=["hint"]
# Two of these would leave the prefix without a gradient as well. And which of them does `backward` know nothing about?

# %% tags=["exercise"]
check_why_none(...)

# %% tags=["solution"]
check_why_none("b")

# %% [markdown] lang="en"
# ## Train
#
# This is the whole loop: your step, sixty times, with sixteen places each. The rate, 0.1, is far higher than one would
# take for a whole model: a prefix starts as random numbers, far from anything useful, and breaks nothing on its way.

# %%
steps = 60
with torch.no_grad():
    prefix.copy_(start)  # each run of this cell begins anew
optimizer = torch.optim.AdamW([prefix], lr=0.1, weight_decay=0.0)
dice = random.Random(0)

peft_model.train()
for step in range(1, steps + 1):
    loss = peft_model(**make_batch(dice.sample(seen, 16))).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == 1 or step % 10 == 0:
        print(f"step {step:2}   loss {loss.item():.3f}   exact match {exact_match(peft_model, held_out[:40]):.1%}")
# %% [markdown] lang="en"
# ## After
#
# On all places that no training has seen; and is GPT-2 the same to the last bit? `disable_adapter` lets it answer
# without the prefix.

# %%
peft_model.eval()
print(f"exact match {exact_match(peft_model, held_out):.1%}")
print("fingerprint", before_training, fingerprint(gpt2), before_training == fingerprint(gpt2))

records = [record for record, _ in held_out[:4]]
with peft_model.disable_adapter():
    without = answers(peft_model, records)
table(("record", "disable_adapter()", "prefix"), zip(records, without, answers(peft_model, records), strict=True))

# %% [markdown] lang="en"
# Nothing was written before the records. GPT-2 writes postcards because each of its attention heads reads ten keys and
# ten values more, which no word has ever made.
#
# *Short path: go on to lesson 07 from here.*
#
# ## What has moved
#
# How far did each row go, from its random beginning? The 1,024 numbers of a virtual token are eight rows of 128, so one
# `view` tells them apart, and a row's distance is the length of its change.

# %%
moved = (prefix.detach() - start).view(10, 8, 128).norm(dim=-1)  # (prefix_len, rows)
draw_rows(moved)

# %% [markdown] lang="en"
# Every row has learnt: each of them is read by some head. Who reads them most, while GPT-2 reads the first of the
# records? Here is the share of attention that goes to the prefix, as in lesson 02, for each of the sixteen heads.

# %%
draw_attention_to_prefix(peft_model, tokenizer, records[0])

# %% [markdown] lang="en"
# And is a virtual token a word in disguise? For its key in the first layer, these are the words with the nearest keys.

# %%
names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
nearest_words(*first_keys(peft_model, tokenizer), names)

# %% [markdown] lang="en"
# ## The same loop, grown up
#
# From here on the lessons train with `course.train`. It is your loop: batches, forward, `zero_grad`, backward, step.
# What it does beside that: the rate rises at first and then falls, a gradient that is too long is cut, held-out
# examples are answered ten times on the way, an interrupted training can go on, and at the end it proves that nothing
# else has changed. It takes any model, and any examples, also from a file of your own (`task_from_file("mine.csv")`).

# %%
again, _ = load_tiny("gpt2")
torch.manual_seed(0)
grown = peft.get_peft_model(again, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10))
postcards = TaskForCausalLM("postcards", seen, held_out)
train(grown, postcards, steps=60, rate=0.15, tokenizer=tokenizer, measured_on=40, progress="")

# %% [markdown] lang="en"
# ## What you have seen
#
# A dozen lines train a prefix. The gradient runs through the whole frozen model and stays in one table of 10,240
# numbers; the other 854,272 did not move, and the model says what it never said before.
#
# Read next: Li and Liang's section 4 ([arXiv 2101.00190](https://arxiv.org/abs/2101.00190)), whose own task was this
# one, records to sentences; and `prefix_lab/course/training.py`, the grown-up loop. Lesson 06 opens the table that
# trained, and lesson 11 puts it into a file.

# %%
show_progress(3)
