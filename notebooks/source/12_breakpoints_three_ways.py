# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 12 · Breakpoints three ways
#
# A forward pass gives a number that you do not believe, or an error from deep inside somebody else's package. Can you
# stop exactly there, and look around? At the end of this lesson you will be able to
#
# - stop at any stage of the walk, in our code, in PEFT's and in transformers': with pdb, in JupyterLab, in VS Code;
# - stop only when it matters, by a condition;
# - change a value at a stop, and see what comes of it;
# - read an error's shapes by name, and walk a recording backwards;
# - choose the tool that fits the question.
#
# It takes about 25 minutes. Leave JupyterLab's debugger (the bug at the top right) off until the lesson asks for it.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import tempfile
from pathlib import Path

import peft
import torch
from transformers import T5Config, T5ForConditionalGeneration

import prefix_lab
from prefix_lab.breakpoints import break_at, breakpoints, clear, explain, stop_at
from prefix_lab.course import load_tiny_t5, record_walk, show_progress, show_stage
from prefix_lab.course.lessons.lesson_12 import (
    Editor,
    check_commands,
    check_condition,
    check_split_shapes,
    launch_configurations,
    line_with,
)
from prefix_lab.shapes import name_axes

# %% [markdown] lang="en"
# ## Two models to stop in
#
# The same tiny T5 twice, once with our prefix and once with PEFT's. The last line finds the names of all axes, so that
# the debugger can show them. That takes some seconds the first time; then they are kept.


# %%
settings = {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 20, "prefix_projection": True}


def with_prefix(library, seed=0):
    base, _ = load_tiny_t5()  # or AutoModelForSeq2SeqLM.from_pretrained("a/folder")
    torch.manual_seed(seed)
    return library.get_peft_model(base, library.PrefixTuningConfig(**settings)).eval()


ours, theirs = with_prefix(prefix_lab), with_prefix(peft)
_, tokenizer = load_tiny_t5()  # or AutoTokenizer.from_pretrained("a/folder")
batch = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
batch["labels"] = tokenizer(["nedrag", "onaip"], padding=True, return_tensors="pt").input_ids
names = name_axes("T5, projected")

# %% [markdown] lang="en"
# (Another T5 goes through the same lines with other numbers. For a GPT-2, load an `AutoModelForCausalLM`, set
# `"task_type": "CAUSAL_LM"`, and find names with `name_axes("GPT-2, projected")`: there is no `cat` on the way then.)
#
# ## The place
#
# We will stand in `encode`. Two lines do the work: one looks the virtual tokens up, one projects them.

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# ## First way · pdb, by the name of a stage
#
# `with stop_at("encode"):` opens a debugger when the block comes to that stage. It works wherever Python has a
# keyboard: in a cell, in a terminal, over ssh. In a plain Python that is pdb, with the prompt `(Pdb)`; in a notebook it
# is IPython's edition of it, whose prompt is `ipdb>`. The commands are the same. Here the lesson types for you, so that
# the notebook runs through: `n` runs one line, `shapes()` prints the tensors by name, `c` goes on.

# %%
with stop_at("encode", commands=["n", "shapes()", "c"]):
    ours(**batch)

# %% [markdown] lang="en"
# The arrow stands before the line that runs **next**. Now the same stage in PEFT, in your own installation: only
# `where` changes. `u 3` goes up three callers at once, past two of torch's own, to the function that asked for the
# prefix.

# %%
with stop_at("encode", where="peft", commands=["n", "n", "shapes()", "u 3", "p batch_size", "c"]):
    theirs(**batch)

# %% [markdown] lang="en"
# | type | to | | type | to |
# |---|---|---|---|---|
# | `n` | run one line | | `w` | see who called whom |
# | `s` | step into a call | | `u`, `d` | go up to the caller, and down again |
# | `r` | go on until the function returns | | `p x.shape` | print an expression |
# | `c` | go on | | `shapes()` | print all tensors here, by name |
# | `tbreak file:line` | stop there, once | | `q` | quit |
#
# Now you: take the `#` away. A box opens below the cell; type `n`, `shapes()`, and `c` to leave. Until you leave, no
# other cell runs.

# %%
# with stop_at("encode"): ours(**batch)

# %% [markdown] lang="en"
# ### Exercise 1 · commands for pdb
#
# You stand where **our** `PrefixEncoder.forward` begins. Which commands show the shape after the projection? The check
# types your list at a model with sizes drawn anew, and reads what the debugger shows.

# %% [markdown] lang="en" tags=["hint"]
# Look at our source above: with projection, which lines run before `past_key_values` has its value? The `if` counts as
# well.

# %% [markdown] lang="en" tags=["hint"]
# The arrow must stand **behind** the line that makes it. How many times `n` is that? Then print the shape, and go on.

# %% tags=["exercise"]
commands = ...
check_commands(commands)

# %% tags=["solution"]
commands = ["n", "n", "n", "p past_key_values.shape", "c"]
check_commands(commands)

# %% [markdown] lang="en"
# ## Further inside: a line by its text
#
# PEFT's `get_prompt` is long, and `n` would take many times. pdb's `tbreak` goes to a line at once, but lines move with
# every release. So we find the line by what stands in it: `line_with` gives `file:line`, read from your installation.

# %%
get_prompt = peft.PeftModel.get_prompt
view = line_with(get_prompt, "past_key_values = past_key_values.view(")
with stop_at("split", where="peft", commands=[f"tbreak {view}", "c", "shapes()", "c"]):
    theirs(**batch)

# %% [markdown] lang="en"
# ### Exercise 2 · what split makes
#
# That was before the `view`. Which axes has `past_key_values` **after** the `view`, after the `cat`, and each block
# (`past_key_values[0]`) after the `split`? Move the stop, and look. Texts to stop before:
#
# - `if peft_config.num_transformer_submodules == 2:`
# - `past_key_values = past_key_values.permute(`
# - `base_model = self.get_base_model()`

# %% [markdown] lang="en" tags=["hint"]
# Before the `if` the `view` has run, before the `permute` the `cat` has, and before `base_model` all three have.

# %% [markdown] lang="en" tags=["hint"]
# Replace the text in `line_with(...)` above by one of these, and run that cell again. `shapes()` says the names.

# %% tags=["exercise"]
check_split_shapes(
    {
        "view": ...,  # such as "(batch, prefix_len, 2·layers·hidden)"
        "cat": ...,
        "split": ...,  # one block
    }
)

# %% tags=["solution"]
check_split_shapes(
    {
        "view": "(batch, prefix_len, 2·layers, heads, head_dim)",
        "cat": "(batch, prefix_len, 4·layers, heads, head_dim)",
        "split": "(4, batch, heads, prefix_len, head_dim)",
    }
)

# %% [markdown] lang="en"
# ## Only when it matters
#
# `attend` ends in transformers' own code: every attention layer of the decoder that reads the prefix. Stop there, and
# you stop in each of them. A **condition** chooses; `times` is how often to stop at most. A condition may use what has
# a value when the function begins: its arguments, and so `self`. One that uses a variable of a later line is refused at
# once: a debugger would only pass by, without a word.

# %%
look = ["p self.layer_idx", "p mask.shape", "c"]
with stop_at("attend", where="transformers", commands=look * 3, debugger="pdb"):  # pdb itself prints less than ipdb
    theirs(**batch)

try:
    stop_at("encode", condition="prefix_tokens.shape[0] == 1")
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ### Exercise 3 · only in the second layer
#
# Write the condition with which the debugger stops in the decoder's second layer, and in no other.

# %% [markdown] lang="en" tags=["hint"]
# The cell above printed the number of each layer in which it stopped. Where does counting begin?

# %% tags=["exercise"]
condition = ...
check_condition(condition)

# %% tags=["solution"]
condition = "self.layer_idx == 1"
check_condition(condition)

# %% [markdown] lang="en"
# ## What if? Change it
#
# A debugger can do what no recording can: change the program that it stands in. What would the loss be, if the prefix
# were all zeros? Guess: the same as without a prefix? Behind `!` stands any Python statement.

# %%
there = line_with(peft.PrefixEncoder.forward, "return past_key_values")
change = [f"tbreak {there}", "c", "!_ = past_key_values.zero_()", "c"]
with torch.no_grad():
    as_it_is = theirs(**batch).loss
    with stop_at("encode", where="peft", commands=change):
        zeroed = theirs(**batch).loss
    without = theirs.get_base_model()(**batch).loss
print(f"\nloss: this prefix {as_it_is:.4f}, zeros {zeroed:.4f}, no prefix {without:.4f}")

# %% [markdown] lang="en"
# Zeros are not nothing: keys of zero still take their share of the softmax.
#
# But why is the loss *lower* with a random prefix than with none? Is it luck? Try other seeds, and look how sure the
# model is: how much it gives, on average, to the letter that it likes best.


# %%
def loss_and_sureness(model):
    with torch.no_grad():
        output = model(**batch)
    return f"loss {output.loss:.2f}, to its favourite letter {output.logits.softmax(-1).amax(-1).mean():.0%}"


print("no prefix:", loss_and_sureness(load_tiny_t5()[0]))
for seed in range(6):
    print(f"seed {seed}:   ", loss_and_sureness(with_prefix(peft, seed)))

# %% [markdown] lang="en"
# It is no luck: each of them does. Without its instruction the model is very sure, and wrong, and being sure of a wrong
# letter costs most. A random prefix disturbs it. It knows no more than before, but it is less sure.
#
# ## Second way · JupyterLab's debugger
#
# The same by name: `break_at`. It puts a breakpoint into whichever debugger is attached, with the same `where`,
# `condition` and `times`. With the bug off, none is attached, and it says what to do.

# %%
break_at("encode", where="peft", condition="prefix.shape[0] == 2")

# %% [markdown] lang="en"
# So switch on **the bug** at the top right of the notebook, left of "Python 3"; it turns orange. Then run the next
# cell.
#
# ![The notebook's toolbar, with the bug at its right end in orange](pictures/breakpoints-bug.png)
#
# It stops inside PEFT. Here is what you see after two clicks on *next*; with the bug off, the cell simply runs.
#
# ![JupyterLab's debugger inside PEFT: PrefixEncoder.forward with the line of self.transform highlighted, the variables
# prefix, Tensor (2, 20) int64, and prefix_tokens, Tensor (2, 20, 128) float32, and the call stack with forward on
# top](pictures/breakpoints-stopped.png)

# %%
theirs(**batch).loss

# %% [markdown] lang="en"
# Above the call stack are the buttons: *continue* (F9), *terminate*, *next* (F10), *step in* (F11), *step out* (Shift +
# F11). Unfold a tensor for its statistics and numbers, a module for its parts, a cache for its layers:
#
# ![The variables, with prefix_tokens unfolded to shape, dtype, device, requires_grad, grad, items, and statistics with
# min, max, mean, nan and inf](pictures/breakpoints-unfolded.png)
#
# The pane *Breakpoints* lists those that you clicked. Those that have a stage's name, and how often each was reached
# and stopped, are listed by `breakpoints()`. Look, take them away, and switch the bug **off** again.

# %%
breakpoints()

# %%
clear()

# %% [markdown] lang="en"
# Two things to know. A breakpoint on a line of a **cell** needs no `break_at`: with the bug on, click left of the line
# number. And pdb and the bug do not go together on Python 3.11: while the bug is on, `stop_at` refuses, and says so.
#
# ## Third way · VS Code
#
# Open the folder of this project in VS Code. Then **Run and Debug** (Ctrl + Shift + D) offers what stands in
# `.vscode/launch.json`; F5 starts it, F10 and F11 step. All of them have `"justMyCode": false`: without it, VS Code
# never stops in PEFT. `break_at(...)` works there too, in a notebook with *Debug Cell* and in a script.

# %%
launch_configurations()

# %% [markdown] lang="en"
# ### And backwards
#
# The last line of that table is a debugger that can go **back**: not your program runs, but a recording of it. Here is
# what happens when you press VS Code's buttons. The lesson starts `prefix-lab dap` with a recording of PEFT at work,
# and talks to it as VS Code does.

# %%
folder = Path(tempfile.mkdtemp())
record_walk("peft", model=False).save(folder / "walk.recording")

with Editor(folder / "walk.recording") as editor:
    print("offers to go back:", editor.goes_back)
    editor.break_in("PrefixEncoder.forward")
    for button in ["continue", *["next"] * 4, "stepBack", "stepBack", "reverseContinue"]:
        editor.press(button)

# %% [markdown] lang="en"
# To try it in VS Code: in a terminal, `.venv/bin/prefix-lab record train.py` records a script of yours, and
# `.venv/bin/prefix-lab dap --port 4711 train.recording` waits; choose the last entry and press F5. In a notebook,
# `Stepper(recording)` of `prefix_lab.widgets` does the same without an editor.
#
# ## When an error has happened
#
# This T5 has the sizes of flan-t5-small, with two layers: 6 heads of 64 numbers, which is 384, but a width of 512.
# PEFT does not look at `d_kv`. In a notebook of your own, type `explain()` in the next cell after any error; here the
# error is caught, so that the lesson goes on.

# %%
sizes = T5Config(d_model=512, num_heads=6, d_kv=64, num_layers=2, vocab_size=384, decoder_start_token_id=0)
flan = T5ForConditionalGeneration(sizes)
try:
    peft.get_peft_model(flan, peft.PrefixTuningConfig(**settings))(**batch)
except RuntimeError as error:
    explained = explain(error)
explained

# %% [markdown] lang="en"
# That tells you the line, its tensors by name, the axis that cannot be cut, the stage, and where to stop next. And the
# way out: say the width that fits, heads · head_dim:

# %%
flan = T5ForConditionalGeneration(sizes)
config = peft.PrefixTuningConfig(**settings, token_dim=6 * 64)
peft.get_peft_model(flan, config)(**batch).logits.shape

# %% [markdown] lang="en"
# ## Which, when?
#
# | you want to | take |
# |---|---|
# | **stop** at a stage, anywhere, also over ssh | `with stop_at("split"):` |
# | **look** around with the mouse | `break_at("split")` and JupyterLab's bug, or VS Code |
# | **change** a value and see what comes of it | pdb, or the debugger's console |
# | **go back** to where a number came from | `Stepper(recording)`, or `prefix-lab dap` and VS Code |
# | stop in **someone else's source** | `where="peft"` or `"transformers"`; any other line: `tbreak` and `line_with` |
# | understand an **error** that has happened | `explain()`; outside of this walk `shape_error()` |
#
# ## What you have seen
#
# A stage has a name, and each debugger can be sent there by it. What you see is the same everywhere: where you are, who
# called, and every tensor with its axes.
#
# Read next: `prefix_lab/breakpoints/places.py`, how a stage becomes a file and a line of what is installed, and
# Python's own page on pdb. Lesson 14 has ten broken copies of a stage to use all this on.

# %%
show_progress(12)
