# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 15 · Capstone: your own data
#
# Twenty rows of your own, a model from a folder, PEFT, and a loop that you write. No helper of ours does any of the
# work here; `stop_at` alone is left, for the debugger. At the end you will have
#
# - trained a prefix on your own rows, and read what the model writes before and after;
# - saved it, loaded it in a fresh process, and compared it with LoRA;
# - answered five questions about your own run, each with the debugger.
#
# It takes about 60 minutes. Do it once with the file that ships, and then with one of your own. Begin at the top:
# **Shift + Enter** runs a cell and leads to the next one. What a teacher looks at:
#
# | part | points | full points for |
# |---|---:|---|
# | your data | 3 | twenty rows of your own that ask for one thing; no row in both parts |
# | batch and loop | 6 | your own lines; padding and source are left out of the loss; the base is unchanged |
# | before and after | 3 | held-out texts side by side, with those that went wrong |
# | save and load | 3 | the loaded model writes the same, in a fresh process too |
# | beside LoRA | 3 | three numbers for each, and when you would take which |
# | five questions | 10 | for each: one for the answer, one for having seen it at the stop (your passport says so) |
# | report | 2 | five sentences at the end, one of them about a text that went wrong, and why |
# | **all** | **30** | 24 or more: you can do this with a model of your own |

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import csv
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, logging

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import show_progress, table
from prefix_lab.course.lessons.lesson_15 import (
    check_own_batch,
    check_own_class,
    check_own_compared,
    check_own_data,
    check_own_file,
    check_own_fit,
    check_own_gradient,
    check_own_load,
    check_own_mask,
    check_own_results,
    check_own_split,
    check_own_width,
    usable,
)
from prefix_lab.course.tiny import FOLDER

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## A model from a folder
#
# The folder is an ordinary one, as `save_pretrained` writes it; this one has the tiny GPT-2. Put the path of another
# decoder in its place, or a hub name such as `"gpt2"` if you have a line to the hub: all that follows is written for
# it.

# %%
logging.disable_progress_bar()
BASE = str(FOLDER / "gpt2")
tokenizer = AutoTokenizer.from_pretrained(BASE, padding_side="left")
if tokenizer.pad_token is None:  # OpenAI's GPT-2 has none
    tokenizer.pad_token = tokenizer.eos_token


def load_base():
    model = AutoModelForCausalLM.from_pretrained(BASE)
    model.loss_type = "ForCausalLM"  # transformers guesses it from the class's name, and not from this one
    return model.eval()


base = load_base()
print(type(base).__name__, f"{sum(one.numel() for one in base.parameters()):,}")

# %% [markdown] lang="en"
# ## Your data
#
# A file with a line of column names and a row for each example; commas stand between cells, and a cell with a comma in
# it stands in `"…"`. `ASK` and `SAY` name the two columns: what is read, and what is to be written. Start with the file
# that ships: a place to eat, and a tip in words that the model was never taught to say in this way.

# %%
FILE, ASK, SAY = "../capstone/tips.csv", "place", "tip"
with open(FILE, encoding="utf-8-sig", newline="") as file:
    lines = list(csv.DictReader(file))
print(len(lines), lines[0])
check_own_data(lines, ASK, SAY, tokenizer)

# %% [markdown] lang="en"
# **Write your own.** In JupyterLab: *File → New → Text File*, a first line such as `place,tip`, twenty rows or more,
# and save it beside this notebook as `mine.csv`; then `FILE = "mine.csv"`. From a spreadsheet, save as *CSV UTF-8*. Ask
# for **one** thing, and for something short: which food, good or bad, a tip. A long new sentence takes more than twenty
# rows.
#
# Each word is one token of this model, and it knows only the words below. Any other is read as `<unk>`, so all unknown
# words look the same to it, and it can write none of them. The check above names them.

# %%
print(*sorted(tokenizer.get_vocab())[:250])

# %% [markdown] lang="en"
# In the batch a source ends with a sign, ` =`, after which the target stands; the blank before the target matters to
# tokenizers that keep blanks, as OpenAI's does.

# %%
rows = [(f"{line[ASK].strip()} =", f" {line[SAY].strip()}") for line in lines]
rows[0]

# %% [markdown] lang="en"
# ### Exercise 1 · hold some rows out
#
# Cut the rows into two lists: a quarter, held out, to measure on, and the rest to train on. Shuffle first, in the same
# way at every run: your file may be sorted.

# %% [markdown] lang="en" tags=["hint"]
# `random.Random(0).sample(rows, len(rows))` is a shuffled copy. Then two slices.


# %% tags=["exercise"]
def split(rows):
    train = ...
    held_out = ...
    return train, held_out


check_own_split(split)


# %% tags=["solution"]
def split(rows):
    mixed = random.Random(0).sample(rows, len(rows))
    quarter = len(rows) // 4
    return mixed[quarter:], mixed[:quarter]


check_own_split(split)

# %% [markdown] lang="en"
# `usable(split)` is yours once its check passes. Until then a stand-in of the lesson's goes on, and says so: you may
# come back to any part later.

# %%
train, held_out = usable(split)(rows)
print(len(train), len(held_out))

# %% [markdown] lang="en"
# ### Exercise 2 · a batch
#
# Make `input_ids`, `attention_mask` and `labels` of some rows, each (batch, longest). A row is its source, its target,
# and `tokenizer.eos_token_id`. Only target and end count in the loss: everywhere else, the label is -100. Do not shift
# the labels; the model does that itself.

# %% [markdown] lang="en" tags=["hint"]
# `tokenizer(text).input_ids` is a list of numbers. Make one list for each row first, and see which is the longest.

# %% [markdown] lang="en" tags=["hint"]
# For one row: `labels = [-100] * len(source) + target`, where target has its end. Then fill all three up to the longest
# row: ids with `tokenizer.pad_token_id`, the mask with 0, labels with -100.


# %% tags=["exercise"]
def make_batch(tokenizer, rows):
    input_ids, attention_mask, labels = ..., ..., ...
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


check_own_batch(make_batch)


# %% tags=["solution"]
def make_batch(tokenizer, rows):
    input_ids, attention_mask, labels = [], [], []
    for source, target in rows:
        source = tokenizer(source).input_ids
        target = [*tokenizer(target).input_ids, tokenizer.eos_token_id]
        input_ids.append(source + target)
        attention_mask.append([1] * len(source + target))
        labels.append([-100] * len(source) + target)
    longest = max(map(len, input_ids))
    filled = {}
    for name, lists, fill in (
        ("input_ids", input_ids, tokenizer.pad_token_id),
        ("attention_mask", attention_mask, 0),
        ("labels", labels, -100),
    ):
        filled[name] = torch.tensor([one + [fill] * (longest - len(one)) for one in lists])
    return filled


check_own_batch(make_batch)

# %%
batch = usable(make_batch)(tokenizer, train)
print({name: tuple(one.shape) for name, one in batch.items()})

# %% [markdown] lang="en"
# ## Train
#
# Ten virtual tokens, PEFT's own class and nothing else.

# %%
LENGTH = 10


def new_prefix():
    torch.manual_seed(0)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH)
    return peft.get_peft_model(load_base(), config)


new_prefix().print_trainable_parameters()

# %% [markdown] lang="en"
# ### Exercise 3 · the loop
#
# Train whatever in the model wants a gradient, on this one batch, again and again. Return the loss of each step, as
# plain numbers; leave the model in eval mode.

# %% [markdown] lang="en" tags=["hint"]
# Lesson 3 has each line: which parameters, which optimizer, and in which order forward, `zero_grad`, `backward`,
# `step`.


# %% tags=["exercise"]
def fit(model, batch, steps, rate):
    optimizer = ...
    losses = []
    model.train()
    for _ in range(steps):
        # here: forward, forget the old gradient, backward, one step of the optimizer
        losses.append(...)
    model.eval()
    return losses


check_own_fit(fit)


# %% tags=["solution"]
def fit(model, batch, steps, rate):
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=rate)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


check_own_fit(fit)

# %% [markdown] lang="en"
# Then on your rows. If the loss stays where it is, try more steps; if it jumps, a lower rate.

# %%
STEPS, RATE = 60, 0.1
prefixed = new_prefix()
losses = usable(fit)(prefixed, batch, STEPS, RATE)
print([round(loss, 2) for loss in losses[:: max(1, STEPS // 10)]])

# %% [markdown] lang="en"
# ## Before and after
#
# `generate` writes on from the sources; what it gives begins with the sources themselves, which we cut off.


# %%
def write(model, sources):
    given = tokenizer(sources, return_tensors="pt", padding=True)
    with torch.no_grad():
        tokens = model.generate(**given, max_new_tokens=30, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    texts = tokenizer.batch_decode(tokens[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]


sources, right = [source for source, _ in held_out], [target.strip() for _, target in held_out]
written = write(prefixed, sources)
table(("read", "written with the prefix", "right"), zip(sources, written, right, strict=True))

# %% [markdown] lang="en"
# ### Exercise 4 · is it better than before?
#
# `before` is what the same model writes when its adapter is switched off, `after` what it writes with it. If the check
# is not content with your own data, read its advice, and what the model writes: they say more than a number.

# %% [markdown] lang="en" tags=["hint"]
# `with prefixed.disable_adapter():` gives the base for a moment.

# %% tags=["exercise"]
results = {"before": ..., "after": ..., "right": right}
check_own_results(results)

# %% tags=["solution"]
with prefixed.disable_adapter():
    before = write(prefixed, sources)
results = {"before": before, "after": write(prefixed, sources), "right": right}
check_own_results(results)

# %% [markdown] lang="en"
# ## Save, and load in a fresh process

# %%
shelf = tempfile.TemporaryDirectory()  # it disappears with the kernel; put a path of your own here to keep the files
folder = Path(shelf.name) / "prefix"
prefixed.save_pretrained(folder)
for file in sorted(folder.iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,}")

# %% [markdown] lang="en"
# ### Exercise 5 · load it
#
# Return a model that has the saved prefix, on a base that was loaded anew from `base_name`, a folder or a hub name.

# %% [markdown] lang="en" tags=["hint"]
# PEFT reads a saved adapter with a class method; lesson 11 used it under “Load”. `get_peft_model` would make a new one.


# %% tags=["exercise"]
def load(base_name, folder):
    return ...


check_own_load(load)


# %% tags=["solution"]
def load(base_name, folder):
    model = AutoModelForCausalLM.from_pretrained(base_name)
    return peft.PeftModel.from_pretrained(model, folder).eval()


check_own_load(load)

# %% [markdown] lang="en"
# A notebook remembers much. So here is a Python that has never seen this one: it gets the two folders and the sources,
# and writes. Does it write the same?

# %%
SCRIPT = """
import sys, torch, peft
from transformers import AutoModelForCausalLM, AutoTokenizer, logging
base, folder, *sources = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).eval()
given = tokenizer(sources, return_tensors="pt", padding=True)
tokens = model.generate(**given, max_new_tokens=30, do_sample=False, pad_token_id=tokenizer.pad_token_id)
for text in tokenizer.batch_decode(tokens[:, given["input_ids"].shape[1] :], skip_special_tokens=True):
    print(text.strip())
"""
fresh = subprocess.run([sys.executable, "-c", SCRIPT, BASE, folder, *sources], capture_output=True, text=True)
print(fresh.stdout or fresh.stderr[-2000:])
print(fresh.stdout.splitlines() == written)

# %% [markdown] lang="en"
# ## Beside LoRA
#
# The same rows, steps and loop, with matrices of rank 5 beside the layers that PEFT changes by itself; in a GPT-2 these
# are `c_attn`, whose weight lies the other way round than a `Linear`'s. The rate differs: LoRA begins at the model
# itself, a prefix at random, far from anything useful.

# %%
torch.manual_seed(0)
lora_config = peft.LoraConfig(task_type="CAUSAL_LM", r=5, fan_in_fan_out=True)
with_lora = peft.get_peft_model(load_base(), lora_config)
lora_losses = usable(fit)(with_lora, batch, STEPS, 0.01)
with_lora.save_pretrained(folder.with_name("lora"))
adapters = {"prefix": (prefixed, folder), "LoRA": (with_lora, folder.with_name("lora"))}
print(round(losses[-1], 3), round(lora_losses[-1], 3))

# %% [markdown] lang="en"
# ### Exercise 6 · three numbers for each
#
# `trained`: how many numbers train. `bytes`: how large `adapter_model.safetensors` is. `right`: how many of the
# held-out texts are right to the letter. Compute them; do not type them.

# %% [markdown] lang="en" tags=["hint"]
# `model.get_nb_trainable_parameters()` gives two numbers; `path.stat().st_size` is a file's size; `write(model,
# sources)` gives the texts, to be held against `right`.

# %% tags=["exercise"]
compared = {
    "prefix": {"trained": ..., "bytes": ..., "right": ...},
    "LoRA": {"trained": ..., "bytes": ..., "right": ...},
}
check_own_compared(adapters, right, compared)

# %% tags=["solution"]
compared = {}
for name, (model, place) in adapters.items():
    pairs = zip(write(model, sources), right, strict=True)
    compared[name] = {
        "trained": model.get_nb_trainable_parameters()[0],
        "bytes": (place / "adapter_model.safetensors").stat().st_size,
        "right": sum(one == other for one, other in pairs),
    }
check_own_compared(adapters, right, compared)

# %% [markdown] lang="en"
# ## Five questions
#
# Each stops in PEFT's or transformers' own code, at work on your model. Run the cell by itself. The suggestions are
# only the first steps: find the answer at the stop, leave with `c`, write it down, and run the cell once more (what you
# have asked still counts). The check wants to know whether it was seen.

# %% [markdown] lang="en"
# ### Exercise 7 · which class wraps it, and what decided?
#
# `class` is the name of the class; `by` is what picked it: `"task_type"`, `"peft_type"` or `"model_type"`.

# %% [markdown] lang="en" tags=["hint"]
# The last line of the function looks the class up in a table with a long name. `p` can do that, too.

# %% tags=["exercise"]
with stop_at("choose", where="peft", suggest=["p type(model).__name__", "p peft_config.task_type", "c"]) as stop:
    new_prefix()
check_own_class(stop, {"class": ..., "by": ...})

# %% tags=["solution"]
with stop_at(
    "choose", where="peft", commands=["p MODEL_TYPE_TO_PEFT_MODEL_MAPPING[peft_config.task_type]", "c"]
) as stop:
    new_prefix()
check_own_class(stop, {"class": "PeftModelForCausalLM", "by": "task_type"})

# %% [markdown] lang="en"
# ### Exercise 8 · token_dim · num_layers · 2
#
# Which number is it for your model, and which tensor is that wide? `used_in` is one of `"embedding.weight"`,
# `"transform.0.weight"`, `"prompt_tokens"`, `"attention_mask"`.

# %% [markdown] lang="en" tags=["hint"]
# Go on with `n` until the encoder has its table. `p self` shows which parts it has by then.

# %% tags=["exercise"]
with stop_at(peft.PrefixEncoder.__init__, suggest=["p config.token_dim", "p config.num_layers", "c"]) as stop:
    new_prefix()
check_own_width(prefixed, stop, {"number": ..., "used_in": ...})

# %% tags=["solution"]
with stop_at(
    peft.PrefixEncoder.__init__, commands=["p config.token_dim * config.num_layers * 2", "r", "p self.embedding", "c"]
) as stop:
    new_prefix()
check_own_width(prefixed, stop, {"number": 1024, "used_in": "embedding.weight"})

# %% [markdown] lang="en"
# ### Exercise 9 · how wide is the mask that arrives?
#
# You stand in the base model itself. How wide are `attention_mask` and `input_ids` there? Then climb to the function of
# PEFT's that called it, and see from what the mask was made.

# %% [markdown] lang="en" tags=["hint"]
# `u` goes up one frame; between transformers and PEFT there may be some of torch's. `w` lists them.

# %% tags=["exercise"]
with stop_at(type(base).forward, suggest=["p input_ids.shape", "u", "c"]) as stop:
    prefixed(**batch)
check_own_mask(prefixed, stop, {"attention_mask": ..., "input_ids": ...})

# %% tags=["solution"]
with stop_at(
    type(base).forward,
    commands=["p attention_mask.shape, input_ids.shape", "u 4", "p prefix_attention_mask.shape", "c"],
) as stop:
    prefixed(**batch)
longest = batch["input_ids"].shape[1]
check_own_mask(prefixed, stop, {"attention_mask": LENGTH + longest, "input_ids": longest})

# %% [markdown] lang="en"
# ### Exercise 10 · which parameter gets a gradient?
#
# You stand in `backward`, before it has run, on a prefix that has never been trained. Which parameters of the model
# have a gradient afterwards? Give the list of their names.

# %% [markdown] lang="en" tags=["hint"]
# `r` runs `backward` to its end, `u` climbs to the cell, where the model is called `newest`. A list of the names whose
# `.grad is not None` can be printed there.

# %% tags=["exercise"]
newest = new_prefix()
with stop_at(torch.Tensor.backward, suggest=["p self", "r", "u", "c"]) as stop:
    newest(**batch).loss.backward()
check_own_gradient(newest, stop, ...)

# %% tags=["solution"]
newest = new_prefix()
look = "p [name for name, one in newest.named_parameters() if one.grad is not None]"
with stop_at(torch.Tensor.backward, commands=["r", "u", look, "c"]) as stop:
    newest(**batch).loss.backward()
check_own_gradient(newest, stop, ["prompt_encoder.default.embedding.weight"])

# %% [markdown] lang="en"
# ### Exercise 11 · which keys stand in the saved file?
#
# You stand where PEFT gathers what is to be saved. Give the list of keys, as they will stand in the file.

# %% [markdown] lang="en" tags=["hint"]
# `r` runs to the function's return; `__return__` is what it hands back.

# %% tags=["exercise"]
with stop_at(peft.get_peft_model_state_dict, suggest=["p adapter_name", "r", "c"]) as stop:
    prefixed.save_pretrained(folder)
check_own_file(stop, ...)

# %% tags=["solution"]
with stop_at(
    peft.get_peft_model_state_dict, commands=["r", "p {k: v.shape for k, v in __return__.items()}", "c"]
) as stop:
    prefixed.save_pretrained(folder)
check_own_file(stop, ["prompt_embeddings"])

# %% [markdown] lang="en"
# ## Your report
#
# Double-click this cell and write five sentences in place of these:
#
# 1. What is in your rows, and what should the prefix learn?
# 2. How much of it did it learn, on rows that it had not seen?
# 3. One text that went wrong: what do you think is the cause, and what did you look at?
# 4. Would you take LoRA or the prefix here, and why?
# 5. What would you try next?

# %% [markdown] lang="en"
# ## What you have seen
#
# All of it is some forty lines of your own around PEFT: rows, a batch, a loop, a folder. With another base and another
# file they stay the same. To hand it in, save this notebook with its outputs; `prefix-lab passport` in a terminal
# prints what you saw at your stops.

# %%
show_progress(15)
