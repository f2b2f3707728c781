# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 00 · Start here
#
# Here is a small language model that was never shown a postcard, and that no instruction can ask for one. In two
# minutes you will see it write postcards, and not one of its own numbers will have changed. How that works, inside the
# code that does it, is what this course is about. At the end of this lesson you will
#
# - have seen a trained prefix at work, and know where in the network it stands;
# - have the map of the whole walk, eight stages from `get_peft_model` to a saved file;
# - have used each tool once: the stepper, a question, a check, a hint, a stop.
#
# It takes about 15 minutes. You need some Python, have met PyTorch's tensors, and know roughly what a language model
# does; not sure? There is a [self-test of ten minutes](../../docs/before-you-begin.md). A debugger you need not know.
#
# **Begin at the top: Shift + Enter runs a cell and leads to the next one.** What a cell gives comes below it. Where a
# cell has `...`, your own answer is wanted; until it is there, everything else runs all the same.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

from peft import PeftModel

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    before_and_after,
    draw_network,
    load_tiny,
    self_check,
    show_passport,
    show_progress,
    world_task,
)
from prefix_lab.course.lessons.lesson_00 import check_first_shape, check_what_is_added, draw_walk
from prefix_lab.course.prefixes import trained_prefix
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes
from prefix_lab.widgets import Stepper, predict

# %% [markdown] lang="en"
# ## Does everything work?
#
# A ✓ in each line means yes. A ✗ comes with advice. Nothing here needs a network.

# %%
self_check()

# %% [markdown] lang="en"
# ## See it work
#
# This GPT-2 is tiny, under a million numbers, and knows one small world: places to eat, and what people say about
# them. It reads a record, and writes a sentence. Below, PEFT loads a **trained prefix** that ships with the course.
# (What PEFT adds to a model is called an *adapter*; here it is the prefix.) The first line is what GPT-2 writes by
# itself, with the prefix switched off; the second is what it writes with it.

# %%
base, tokenizer = load_tiny("gpt2")
steered = PeftModel.from_pretrained(base, trained_prefix("gpt2_postcard"))


def written(text):
    batch = tokenizer(text, return_tensors="pt")
    tokens = steered.generate(**batch)[0]
    return tokenizer.decode(tokens[batch.input_ids.shape[1] :], skip_special_tokens=True)


record_of_a_place = (
    "name amber bell food noodles price moderate area old town rating average families no near town hall ="
)
with steered.disable_adapter():
    print(written(record_of_a_place))
print(written(record_of_a_place))

# %% [markdown] lang="en"
# The same model, the same text, and a postcard. Change the record and run the cell again: `tacos`, `soup` or `pizza`,
# `harbour` or `west end`, `excellent` or `poor`.
#
# Could one not simply *ask* for a postcard? GPT-2 learnt six manners, each with a word that calls for it, such as
# `plain` and `question`. `postcard` is none of them. Without the prefix:

# %%
with steered.disable_adapter():
    for instruction in ("plain : ", "question : ", "postcard : "):
        print(instruction, written(instruction + record_of_a_place))

# %% [markdown] lang="en"
# ## What was loaded
#
# Two small files in PEFT's own format; `report.json` beside them says which command made them.

# %%
for file in sorted(trained_prefix("gpt2_postcard").iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,} bytes")

prefix = steered.prompt_encoder["default"].embedding.weight
print()
print("prefix", tuple(prefix.shape), f"{prefix.numel():,}")
print("GPT-2 ", f"{base.num_parameters():,}")

# %% [markdown] lang="en"
# `(10, 1024)`: ten **virtual tokens**, and 1,024 numbers for each. They were learnt in about twenty seconds, while
# GPT-2's 854,272 stayed as they were. On 246 places that the training never saw, 96 % of the postcards are right.
#
# ## Where it stands
#
# For each token that it has read, an attention layer keeps a **key**, by which the token is found, and a **value**,
# which is what the layer takes from it. A prefix is learnt keys and values, put in front of those of the text, in
# *every* layer: as if ten tokens had been read before, which no text could contain (Li and Liang, “Prefix-Tuning:
# Optimizing Continuous Prompts for Generation”, 2021, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)).

# %%
draw_network(base.config, prefix_len=10)

# %% [markdown] lang="en"
# ### Exercise 1 · what is a prefix?
#
# What does GPT-2 have with the prefix that it has not without it?
#
# - `"a"`: ten hidden words before the record
# - `"b"`: ten learnt vectors at the input, before those of the record's words
# - `"c"`: ten learnt keys and ten learnt values in each attention layer
# - `"d"`: other numbers in its own layers
#
# Write your letter in place of `...`. This is a **check**: a wrong answer costs nothing, and is told why it is wrong.
# Above an exercise, **hints** fold out; below it, the **solution** does.

# %% [markdown] lang="en" tags=["hint"]
# Count: 10,240 numbers are in the file. A vector in this GPT-2 has 128 numbers, and there are four layers.

# %% tags=["exercise"]
check_what_is_added(...)

# %% tags=["solution"]
check_what_is_added("c")

# %% [markdown] lang="en"
# ### And in a T5
#
# A T5 has two stacks: the encoder reads, the decoder writes. PEFT puts the prefix into one kind of attention only.
# Find it in the picture, and look what the encoder gets.

# %%
t5, t5_tokenizer = load_tiny("t5")
draw_network(t5.config, prefix_len=20)

# %% [markdown] lang="en"
# Nothing: a T5's encoder reads its text as if there were no prefix. (Lesson 09 is a detective story about that.) It
# works all the same. This prefix makes a T5 ask questions; these places were never seen in training:

# %%
asking = PeftModel.from_pretrained(t5, trained_prefix("t5_question"))
before_and_after(asking, world_task("SEQ_2_SEQ_LM", "question"), t5_tokenizer, count=3)

# %% [markdown] lang="en"
# ## The map
#
# What PEFT does between `get_peft_model(model, PrefixTuningConfig(...))` and the saved file is a walk of eight stages.
# You will stop in each of them. A box says what happens there, and what comes out; a colour is an axis, the same one in
# every picture of the course. The names need not mean anything to you yet.

# %%
draw_walk()

# %% [markdown] lang="en"
# ## The stepper
#
# This cell runs the model once and records every line that PEFT runs. In the stepper you walk through them,
# **backwards** too, with its buttons or with keys:
#
# | key | what it does | backwards |
# |---|---|---|
# | `n` | go over a line | `N` |
# | `s` | go into the call on this line | `S` |
# | `o` | go out of this function | `O` |
# | `?` | show all keys | |
#
# The keys are the stepper's once you have clicked into it; Esc gives them back to JupyterLab. You are at the stage
# `split`. Go on for a few lines, watch the shapes, and come back.

# %%
batch = tokenizer([record_of_a_place, record_of_a_place], return_tensors="pt")
with record("peft") as recording:
    steered(**batch)

named = recording.with_names(name_axes("GPT-2, direct"))  # some seconds, once: what each axis is called
stepper = Stepper(named, height="480px", tour=True)
stepper.goto_stage("split")
stepper

# %% [markdown] lang="en"
# ## A question
#
# The stepper can also stop before a line, and ask what it will give: say it first, then look.

# %%
question = predict(named, at="split", name="past_key_values", height="560px")
question

# %% [markdown] lang="en"
# ### Exercise 2 · say a shape before it is there
#
# `prompt_encoder.embedding.weight` is the prefix that you loaded, and `batch_size` is 2: we gave two records. Answer in
# the yellow field above, with numbers such as `(2, 20)`, and then run the cell below; or write it there as a text, in
# place of `...`.

# %% [markdown] lang="en" tags=["hint"]
# The shape of the prefix was printed above, under “What was loaded”.

# %% [markdown] lang="en" tags=["hint"]
# `x.repeat(batch_size, 1, 1)` lays copies of `x` behind each other, along a new first axis. What is the size of that
# axis here, and which two sizes stay?

# %% tags=["exercise"]
check_first_shape(question, ...)

# %% tags=["solution"]
check_first_shape(question, "(2, 10, 1024)")

# %% [markdown] lang="en"
# ## A stop
#
# A recording shows what has happened. At a **stop**, the program itself stands still in the middle of PEFT, and waits
# for you. Run the cell below **by itself**: a line to type into opens under it. Type one thing, press Enter, read, type
# the next:
#
# - `p batch_size` prints a value;
# - `w` shows where you are: who called whom, the innermost last;
# - `c` lets the program go on. `q` leaves, too.
#
# You cannot break anything. When it is over, the same cell is still the chosen one: go on with a click on the next. If
# you run many cells at once, the lesson types for you, and says so; with `make_ready(live=False)` in the first cell it
# always does.

# %%
with stop_at("split", where="peft", suggest=["p batch_size", "w", "c"]):
    steered(**batch)

# %% [markdown] lang="en"
# That was a debugger, in a package that you did not write. In lesson 01 you learn to drive it.
#
# ## Your passport
#
# In the lessons you find things out at such stops: which class was chosen, what is frozen, who asked for the prefix.
# What you found, where you stood and what you typed is stamped into your **passport**, which has a place for each of
# the eight stages. It is for you, to look up, and for whoever wants to see that you have been there.

# %%
show_passport()

# %% [markdown] lang="en"
# Still empty; lesson 01 has four stamps for you. `prefix-lab passport` shows it in a terminal, and saves it to print.
# Solved exercises are noted beside it, in a small file on this machine, and nothing is sent anywhere.
#
# ## Your way through the course
#
# The lessons build on one another, so their order is a good one. **With 90 minutes**, take the short path: lessons 00,
# 01, 02, 03, 07 and 11, where a line that begins with *Short path* says when you may go on to the next one. Beside the
# course lie the [glossary](../../docs/glossary.md), for any word that you meet, and a
# [cheat sheet](../../docs/cheat-sheet.md) to print; for those who lead others, there is a
# [teacher's guide](../../docs/teachers-guide.md).

# %%
show_progress(0)
