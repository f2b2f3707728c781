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
# By now you have stopped at every stage, in our code and in PEFT's, with `n`, `s`, `u`, `p`, `c`. Often that is all
# one needs. This lesson is about the rest: a stop in the one call of three hundred that matters, a value that you
# change to see what comes of it, an error that has already happened, a way back; and about other debuggers than pdb.
# At the end you will be able to
#
# - go to a line by its text, watch a value, and stop by a condition;
# - change the program that you stand in;
# - take the same stop to JupyterLab's debugger and to VS Code;
# - read an error after the fact, and walk a recording backwards;
# - choose the tool that fits the question.
#
# It takes about 30 minutes. Leave JupyterLab's debugger (the bug at the top right) off until the lesson asks for it.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import tempfile
from pathlib import Path

import peft
import torch
from transformers import T5Config, T5ForConditionalGeneration

from prefix_lab.breakpoints import break_at, breakpoints, clear, explain, stop_at
from prefix_lab.course import load_tiny_t5, record_walk, show_progress
from prefix_lab.course.editor import Editor
from prefix_lab.course.lessons.lesson_12 import (
    check_condition,
    check_unread,
    check_watched,
    check_which_tool,
    launch_configurations,
    line_of,
)
from prefix_lab.shapes import name_axes

# %% [markdown] lang="en"
# ## A model to stop in
#
# The tiny T5 with PEFT's prefix, and two words that it is to reverse. The last line finds the names of all axes, so
# that `shapes()` can show them. That takes some seconds the first time; then they are kept.


# %%
def with_prefix(seed=0):
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
    base, _ = load_tiny_t5()  # or AutoModelForSeq2SeqLM.from_pretrained("a/folder")
    torch.manual_seed(seed)
    return peft.get_peft_model(base, config).eval()


def reverse(model):
    _, tokenizer = load_tiny_t5()  # or AutoTokenizer.from_pretrained("a/folder")
    words = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
    labels = tokenizer(["nedrag", "onaip"], padding=True, return_tensors="pt").input_ids
    with torch.no_grad():
        return model(**words, labels=labels)


theirs = with_prefix()
names = name_axes("T5, projected")

# %% [markdown] lang="en"
# (Another T5 goes through the same lines with other numbers. For a GPT-2, load an `AutoModelForCausalLM`, set
# `task_type="CAUSAL_LM"`, and find names with `name_axes("GPT-2, projected")`: there is no `cat` on the way then.)
#
# ## pdb, further · to a line by its text
#
# PEFT's `get_prompt` is long, and the interesting part is not at its beginning. Three commands go to a line at once:
#
# | type | to |
# |---|---|
# | `tbreak 787` | stop at that line, once; then `c` |
# | `until 794` | run on to that line, or to a later one |
# | `jump 86` | go there **without** running what lies between, back as well |
#
# They want numbers, and lines move with every release. So `line_of` looks a number up, in your installation, by what
# stands in the line. And `display` shows a value again whenever it has changed:


# %%
def past_the_view():
    view = line_of(peft.PeftModel.get_prompt, "past_key_values.view(")
    after = line_of(peft.PeftModel.get_prompt, "if peft_config.num_transformer_submodules == 2:")
    return [f"tbreak {view}", "c", "display past_key_values.shape", f"until {after}"]


with stop_at("split", where="peft", suggest=[*past_the_view(), "c"]):
    reverse(theirs)

# %% [markdown] lang="en"
# ### Exercise 1 · the line that doubles
#
# One of the next lines makes an axis of `past_key_values` twice as long. Which one? Go on from there, one line at a
# time, with the shape on display before and after.

# %% [markdown] lang="en" tags=["hint"]
# Type the commands that are suggested above the prompt. From then on it is `n`.

# %% [markdown] lang="en" tags=["hint"]
# The arrow shows the line that runs next. When `display` shows a new shape, the line that you have just left made it.

# %% tags=["exercise"]
with stop_at("split", where="peft", suggest=past_the_view()) as stop:
    reverse(with_prefix())

line = ...  # the whole line, in quotes
check_watched(stop, line)

# %% tags=["solution"]
with stop_at("split", where="peft", commands=[*past_the_view(), "n", "n", "c"]) as stop:
    reverse(with_prefix())

line = "past_key_values = torch.cat([past_key_values, past_key_values], dim=2)"
check_watched(stop, line)

# %% [markdown] lang="en"
# ## Only when it matters
#
# `attend` ends in transformers' own code: every attention layer of the decoder that reads the prefix. Stop there, and
# you stop in each of them. A **condition** chooses; `times` is how often to stop at most. A condition may use what has
# a value when the function begins: its arguments, and so `self`. One that uses a variable of a later line is refused at
# once: a debugger would only pass by, without a word.

# %%
with stop_at("attend", where="transformers", times=2, suggest=["p self.layer_idx", "p mask.shape", "c"] * 2):
    reverse(theirs)

try:
    stop_at("encode", condition="prefix_tokens.shape[0] == 1")
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ### Exercise 2 · only in the second layer
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
# were all zeros? Guess first: the same as without a prefix? Behind `!` stands any Python statement. (Type it as it is
# suggested; another change gives another loss.)

# %%
end = line_of(peft.PrefixEncoder.forward, "return past_key_values")
as_it_is = reverse(theirs).loss
with stop_at("encode", where="peft", suggest=[f"until {end}", "!_ = past_key_values.zero_()", "c"]):
    zeros = reverse(theirs).loss
without = reverse(theirs.get_base_model()).loss
print(f"loss: this prefix {as_it_is:.4f}, zeros {zeros:.4f}, no prefix {without:.4f}")

# %% [markdown] lang="en"
# Zeros are not nothing: keys of zero still take their share of the softmax.
#
# But why is the loss *lower* with a random prefix than with none? Is it luck? Try other seeds, and look how sure the
# model is: how much it gives, on average, to the letter that it likes best.


# %%
def loss_and_sureness(model):
    output = reverse(model)
    return f"loss {output.loss:.2f}, to its favourite letter {output.logits.softmax(-1).amax(-1).mean():.0%}"


print("no prefix:", loss_and_sureness(load_tiny_t5()[0]))
for seed in range(6):
    print(f"seed {seed}:   ", loss_and_sureness(with_prefix(seed)))

# %% [markdown] lang="en"
# It is no luck: each of them does. Without its instruction the model is very sure, and wrong, and being sure of a wrong
# letter costs most. A random prefix disturbs it. It knows no more than before, but it is less sure.
#
# ### Exercise 3 · a prefix that nobody reads
#
# Zeros were not enough. Stop where the T5 begins, with the prefix in its hands, and change **one** thing there so that
# the loss is that without a prefix, to the last digit. PEFT may make its prefix as ever.

# %% [markdown] lang="en" tags=["hint"]
# `p list(locals())` has the names of all that the function was called with. Which one is the prefix?

# %% [markdown] lang="en" tags=["hint"]
# An argument is a name like any other: behind `!` you can give it another value. With which value is this T5 called by
# somebody who has no prefix?

# %% tags=["exercise"]
with stop_at(T5ForConditionalGeneration.forward, suggest=["p list(locals())", "c"]) as stop:
    unread = reverse(with_prefix()).loss

check_unread(stop, reverse(load_tiny_t5()[0]).loss, unread)

# %% tags=["solution"]
with stop_at(T5ForConditionalGeneration.forward, commands=["!past_key_values = None", "c"]) as stop:
    unread = reverse(with_prefix()).loss

check_unread(stop, reverse(load_tiny_t5()[0]).loss, unread)

# %% [markdown] lang="en"
# And with `jump` a line runs **again**, with what you have changed. Here the projection gets zeros in place of the
# table's rows. What comes out is what its biases make of nothing, the same for each virtual token:

# %%
project = line_of(peft.PrefixEncoder.forward, "past_key_values = self.transform(")
again = [f"until {end}", "p past_key_values.std(1).mean()", "!_ = prefix_tokens.zero_()", f"jump {project}", "n"]
with stop_at("encode", where="peft", suggest=[*again, "p past_key_values.std(1).mean()", "c"]):
    reverse(theirs)

# %% [markdown] lang="en"
# For more than one line of Python there is `interact`, in a terminal: a Python of its own in the middle of the stop,
# with everything that the function knows. Ctrl + D leads back to pdb.
#
# **Over ssh** all this is the same, since it needs a keyboard and nothing else. Put the `with stop_at(...)` into a
# script and run it, or begin with `python -m pdb train.py`. (A plain `breakpoint()` in a line of yours opens pdb, too.)
#
# ## Second way · JupyterLab's debugger
#
# The same stop, with the mouse. Switch on **the bug** at the top right of the notebook, left of "Python 3"; it turns
# orange. Then run the next cell: while a debugger is attached, `stop_at` gives it the breakpoint, for as long as the
# block runs.
#
# ![The notebook's toolbar, with the bug at its right end in orange](pictures/breakpoints-bug.png)

# %%
with stop_at("encode", where="peft", suggest=["n", "n", "shapes()", "c"]) as stop:
    reverse(theirs)
print(stop.by, [(visit.function, visit.line) for visit in stop.visits])

# %% [markdown] lang="en"
# With the bug on, it stops inside PEFT. Here is what you see after two clicks on *next*; with the bug off, pdb stops.
#
# ![JupyterLab's debugger inside PEFT: PrefixEncoder.forward with the line of self.transform highlighted, the variables
# prefix, Tensor (2, 20) int64, and prefix_tokens, Tensor (2, 20, 128) float32, and the call stack with forward on
# top](pictures/breakpoints-stopped.png)
#
# Above the call stack are the buttons: *continue* (F9), *terminate*, *next* (F10), *step in* (F11), *step out* (Shift +
# F11). Unfold a tensor for its statistics and numbers, a module for its parts, a cache for its layers:
#
# ![The variables, with prefix_tokens unfolded to shape, dtype, device, requires_grad, grad, items, and statistics with
# min, max, mean, nan and inf](pictures/breakpoints-unfolded.png)
#
# A breakpoint that stays is `break_at`: it stops in every cell from then on, until it is cleared. `breakpoints()` lists
# those that are set, and how often each was reached.

# %%
break_at("encode", where="peft", condition="prefix.shape[0] == 2")

# %%
reverse(theirs).loss

# %%
breakpoints()

# %%
clear()

# %% [markdown] lang="en"
# Now switch the bug **off** again. (A breakpoint on a line of a **cell** needs no name: with the bug on, click left of
# the line number.)
#
# ## Third way · VS Code
#
# Open the folder of this project in VS Code. Then **Run and Debug** (Ctrl + Shift + D) offers what stands in
# `.vscode/launch.json`; F5 starts it, F10 and F11 step. All of them have `"justMyCode": false`: without it, VS Code
# never stops in PEFT. `stop_at` and `break_at` work there too, in a notebook with *Debug Cell* and in a script.

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
    reverse(peft.get_peft_model(flan, peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)))
except RuntimeError as error:
    explained = explain(error)
explained

# %% [markdown] lang="en"
# That tells you the line, its tensors by name, the axis that cannot be cut, the stage, and where to stop next. To look
# around for yourself, type `%debug` in the next cell after an error: pdb opens in the function that failed, with all
# its values, and `u` leads to whoever called it. Nothing runs any more, so `n` and `s` only leave it.
#
# And the way out: say the width that fits, heads · head_dim:

# %%
flan = T5ForConditionalGeneration(sizes)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, token_dim=6 * 64)
reverse(peft.get_peft_model(flan, config)).logits.shape

# %% [markdown] lang="en"
# ## Which, when?
#
# ### Exercise 4 · choose
#
# | | you want to | |
# |---|---|---|
# | `"a"` | try expressions of your own in the middle of `get_prompt`, on a server, over ssh | |
# | `"b"` | know what the tensors were, after an error came from deep inside torch and the call is over | |
# | `"c"` | go from a wrong number back to where it came from | |
# | `"d"` | look at one of three hundred calls, the one whose mask has a zero in it | |
# | `"e"` | open a cache of twelve layers, and wander through it with the mouse | |
# | `"f"` | know what the loss would be if this mask were all ones, and edit no file | |
#
# Choose for each: `"pdb"`, a plain stop · `"condition"` · `"change"`, a value at a stop · `"bug"`, JupyterLab's or VS
# Code's debugger · `"post_mortem"`, `explain()` and `%debug` · `"recording"`, with `Stepper`, a replay or
# `prefix-lab dap`. Each one is wanted once.

# %% tags=["exercise"]
check_which_tool({"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...})

# %% tags=["solution"]
check_which_tool(
    {"a": "pdb", "b": "post_mortem", "c": "recording", "d": "condition", "e": "bug", "f": "change"},
)

# %% [markdown] lang="en"
# ## What you have seen
#
# A stage has a name, and each debugger can be sent there by it. What you see is the same everywhere: where you are, who
# called, and every tensor with its axes. What differs is what you can do: pdb changes things, the bug shows them, a
# recording goes back.
#
# Read next: `prefix_lab/breakpoints/places.py`, how a stage becomes a file and a line of what is installed, and
# Python's own page on pdb. Lesson 14 has seven broken files to use all this on.

# %%
show_progress(12)
