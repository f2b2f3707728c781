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
# Can you change what a model does without changing the model, and without a word of instruction? Prefix tuning does.
# In this course you find out how, inside the code that does it. At the end of this lesson you will
#
# - know that everything works on your machine;
# - have the map of the whole walk, eight stages from `get_peft_model` to a saved file;
# - have used each tool once: the pictures, the stepper, a question, a check, a hint.
#
# It takes about 10 minutes. **Begin at the top: Shift + Enter runs a cell and leads to the next one.** What a cell
# gives comes below it. Where a cell has `...`, your own answer is wanted; until it is there, everything else runs all
# the same.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

from prefix_lab.course import answers, load_tiny_t5, record_walk, self_check, show_progress, show_stage
from prefix_lab.course.lessons.lesson_00 import check_first_shape, check_where_to_look, draw_walk
from prefix_lab.widgets import ShapeFlow, Stepper, predict

# %% [markdown] lang="en"
# ## Does everything work?
#
# A ✓ in each line means yes. A ✗ comes with advice. Nothing here needs a network.

# %%
self_check()

# %% [markdown] lang="en"
# ## What is to be changed
#
# This is the model of the course: a T5 of one million parameters that knows ten small jobs. It reads an instruction,
# then a word. Try words and instructions of your own: `upper:`, `vowels:`, `sort:`, `double:`.

# %%
model, tokenizer = load_tiny_t5()  # or a model of your own, and its tokenizer
texts = ["reverse: garden", "upper: garden", "garden"]
for text, answer in zip(texts, answers(model, tokenizer, texts), strict=True):
    print(f"{text:16} → {answer}")

# %% [markdown] lang="en"
# Without its instruction, the model has to guess what you want. A **prefix** can take the instruction's place: not
# words, but keys and values that attention reads as if some tokens had come before. They are learnt, and the model
# stays as it is (Li and Liang, “Prefix-Tuning: Optimizing Continuous Prompts for Generation”, 2021, [arXiv
# 2101.00190](https://arxiv.org/abs/2101.00190)). In lesson 3 you train one.

# %% [markdown] lang="en"
# ## The map
#
# What PEFT's `get_peft_model(model, PrefixTuningConfig(...))` starts is a walk of eight stages. Each box says what
# happens, and below the arrow what comes out; a colour is an axis, the same one in every picture of the course.

# %%
draw_walk()

# %% [markdown] lang="en"
# At each stage our code stands beside PEFT's, which is read from your own installation. Ours gives the same numbers to
# the last bit, and has a shape beside each step. Here is the heart of it all, `encode`, where the two are much alike:

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# ## Tool 1 · pictures that follow your hand
#
# This is the prefix's whole journey, for t5-base. Before you move a slider, guess: when **prefix_len** doubles, which
# boxes change? And when you switch to `gpt2`? Then move it.

# %%
ShapeFlow("t5-base", prefix_len=20)

# %% [markdown] lang="en"
# ## Tool 2 · the stepper
#
# The next cell runs PEFT on the tiny T5 and records every line. In the stepper you walk through them, **backwards**
# too: with its buttons, or with keys. **The keys are the stepper's when its cell was just run, and whenever you have
# clicked into it**; until then they are JupyterLab's. With Esc you give them back.
#
# | key | what it does | backwards |
# |---|---|---|
# | `n` | go over a line | `N` |
# | `s` | go into the call on this line | `S` |
# | `o` | go out of this function | `O` |
# | `b`, `c` | set a breakpoint at this line; run to the next one | `C` |
# | `x` | step past this function from now on, or into it again | |
# | `m`, `=` | mark this step; list what has changed since | |
# | `?` | show all keys | |
#
# Each line shows what it gave. You are at `encode`; go on for a few lines, then come back.
#
# (The first time, finding the names of all axes takes some seconds. They are kept.)

# %%
recording = record_walk("peft", model=False, prefix_len=10)
stepper = Stepper(recording, height="520px", tour=True)
stepper.goto_stage("encode")
stepper

# %% [markdown] lang="en"
# ## Tool 3 · a question
#
# The stepper can also stop before a line and ask what it will give. That is the best way to learn shapes: say it first,
# then look.

# %%
question = predict(recording, at="encode", name="prefix_tokens", height="660px")
question

# %% [markdown] lang="en"
# ### Exercise 1 · say a shape before it is there
#
# Answer in the yellow field above, by names or by numbers, such as `(batch, prefix_len)`, and then run the cell below;
# or write it there as a text, in place of `...`. A wrong answer costs nothing and says what is wrong.

# %% [markdown] lang="en" tags=["hint"]
# `self.embedding` is a table. Each number in `prefix` is replaced by one row of it, so every axis of `prefix` stays,
# and one axis is added at the end.

# %% [markdown] lang="en" tags=["hint"]
# With projection, a row of the table is as wide as the model. Our own source, further up on this page, has the shape
# beside that line.

# %% tags=["exercise"]
check_first_shape(question, ...)

# %% tags=["solution"]
check_first_shape(question, "(batch, prefix_len, hidden)")

# %% [markdown] lang="en"
# That was a **check**. Every exercise has one: it tries your answer, often at sizes drawn anew, and tells the likely
# cause of a mistake. Above an exercise, **hints** fold out one at a time; below it, the **solution** does.

# %% [markdown] lang="en"
# ### Exercise 2 · which stage would you look at?
#
# Five reports came in. For each, write the name of the stage at which you would stop first. The map tells you.

# %% [markdown] lang="en" tags=["hint"]
# Ask of each report: which box of the map is the first that could have done this? Two of them are about sizes: one
# about a size that was read from the model, one about a mask that has to grow.

# %% tags=["exercise"]
check_where_to_look(
    {
        "the prefix has too few layers for the model": ...,
        "parameters of the base model are trained, too": ...,
        "layer 0 reads what was meant for layer 1": ...,
        "the attention mask is shorter than the keys": ...,
        "after loading, the answers are not the same": ...,
    }
)

# %% tags=["solution"]
check_where_to_look(
    {
        "the prefix has too few layers for the model": "prepare",
        "parameters of the base model are trained, too": "wrap",
        "layer 0 reads what was meant for layer 1": "split",
        "the attention mask is shorter than the keys": "attend",
        "after loading, the answers are not the same": "keep",
    }
)

# %% [markdown] lang="en"
# ## Tool 4 · real debuggers
#
# The stepper shows what has happened. A debugger stops a program while it runs, and you can change it there:
#
# - **JupyterLab's**: the bug at the top right switches it on; then click beside a line number.
# - **VS Code's**: open a script there, click beside a line number, and press F5. (In a notebook: Debug Cell.)
# - **pdb**, Python's own, works wherever there is a terminal: write `breakpoint()` into a script.
#
# Lesson 12 is about all three.

# %% [markdown] lang="en"
# ## What you have seen
#
# The map, and a tool for each kind of question: a picture for "how large?", the stepper for "what happened?", a
# question for "have I understood?", a debugger for "what if?".
#
# What you solve is noted in a small file on this machine, and sent nowhere. `show_progress()` shows the whole course;
# in a terminal, `prefix-lab progress` does.
#
# ## Your way through the course
#
# The lessons build on one another, so their order is a good one. **With 90 minutes**, take the short path: lessons 00,
# 01, 02, 06, 11 and 12, where a line that begins with *Short path* says when you may go on to the next one. Beside the
# course lie
#
# - a [self-test of ten minutes](../../docs/before-you-begin.md): is this course for you now?
# - the [glossary](../../docs/glossary.md), for any word that you meet, and the papers;
# - the [cheat sheet](../../docs/cheat-sheet.md), a page to print: each stage, its shapes, what to type there;
# - the [teacher's guide](../../docs/teachers-guide.md), if you lead others.
#
# Read next: `prefix_lab/stages.py`, the table behind the map. In lesson 01 you stop in PEFT
# itself.

# %%
show_progress(0)
