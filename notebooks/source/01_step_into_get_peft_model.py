# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 01 · Step into get_peft_model
#
# Many people learn how prefix tuning works by setting breakpoints in PEFT: in `get_peft_model`, in the table of tasks,
# in the preparation of the config, in `PrefixEncoder`. In this lesson you make that journey with a real T5, stage by
# stage, with our code beside PEFT's own. At the end you will be able to say
#
# - which class wraps your model, and why;
# - where every number of the config came from;
# - how `(batch, prefix_len)` becomes a key and a value for every attention layer;
# - what trains, and what does not.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

from dataclasses import replace

import peft
import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny_t5, show_progress, show_stage
from prefix_lab.course.lessons.lesson_01 import check_row_width, check_split
from prefix_lab.shapes import named

# %% [markdown] lang="en"
# ## The model that we will steer
#
# A T5 of one million parameters comes with this project. It reads bytes, and it has learnt to follow written
# instructions. Without an instruction it does not know what you want. A trained prefix will one day stand in the
# instruction's place; today we look at how the prefix gets into the model.

# %%
model, tokenizer = load_tiny_t5()
texts = ["reverse: garden", "reverse: piano", "garden", "piano"]
inputs = tokenizer(texts, padding=True, return_tensors="pt")
answers = tokenizer.batch_decode(model.generate(**inputs, max_new_tokens=12), skip_special_tokens=True)
for text, answer in zip(texts, answers, strict=True):
    print(f"{text:16} → {answer}")

# %% [markdown] lang="en"
# ## The configuration
#
# You say two things: what the model is for, and how many virtual tokens to learn. Every size that is `None` is still
# open; soon it will be read from the model.

# %%
config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
config

# %% [markdown] lang="en"
# ## Stage 1 · choose
#
# The walk has eight stages. The strip shows where you are, and each other name in it leads to that stage's lesson;
# below it stand our function and PEFT's, read from your own installation. The marked lines do the work: the task type
# is looked up in a table. What lies between them is folded, and opens with a click.

# %%
show_stage("choose", mark=("MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "task_class"))

# %%
from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING, choose_task_class

for task_type, task_class in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items():
    print(f"{task_type.value:20} → {task_class.__name__}")
print("\nour config chooses", choose_task_class(config).__name__)

# %% [markdown] lang="en"
# ## Stage 2 · prepare
#
# Every model family has its own names for the same few sizes: T5 says `d_model`, GPT-2 says `n_embd`. Preparation
# tries the names one after the other.

# %%
show_stage(
    "prepare",
    mark=("num_hidden_layers", "d_model", "NUM_LAYERS", "TOKEN_DIM", "NUM_ATTENTION_HEADS"),
    also=("prefix_lab.prepare.explain_preparation",),
)

# %% [markdown] lang="en"
# First, what `model.config` says of the sizes. Then each field that preparation fills, with the name that it was read
# from.

# %%
from prefix_lab.prepare import explain_preparation, prepare_prompt_learning_config

names = ("d_model", "d_kv", "num_heads", "num_layers", "num_decoder_layers")
print("model.config:", {name: getattr(model.config, name) for name in names}, "\n")
for field, (value, source) in explain_preparation(config, model.config).items():
    print(f"{field:20} None → {value:<5} from {source}")

# %%
filled = prepare_prompt_learning_config(replace(config), model.config)  # a copy: it fills what it is given
filled

# %% [markdown] lang="en"
# ### Exercise 1 · how wide is a virtual token?
#
# Without projection, the encoder is nothing but a table with one row for each virtual token. That row holds what every
# attention layer will read. How many numbers is that? Write it with `layers`, `heads` and `head_dim`.

# %% [markdown] lang="en" tags=["hint"]
# Attention reads a **key** and a **value** for each position. Each of them is `heads` vectors of `head_dim` numbers.


# %% tags=["exercise"]
def row_width(layers, heads, head_dim):
    return ...


check_row_width(row_width)


# %% tags=["solution"]
def row_width(layers, heads, head_dim):
    return 2 * layers * heads * head_dim


check_row_width(row_width)

# %% [markdown] lang="en"
# ## Stage 3 · wrap
#
# Now the whole call. It chooses, prepares, freezes every parameter of the base model, and puts a `PrefixEncoder` beside
# it. (A new config, which it fills in place; the filled copy from above would do as well for this model.)

# %%
show_stage(
    "wrap",
    mark=("requires_grad", "PrefixEncoder(", "prompt_encoder = model_cls(config)", "torch.arange("),
)

# %%
torch.manual_seed(0)
peft_config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
peft_model = prefix_lab.get_peft_model(model, peft_config)
peft_model.print_trainable_parameters()
trains = [name for name, parameter in peft_model.named_parameters() if parameter.requires_grad]
print("what trains:", trains)

# %% [markdown] lang="en"
# 15,360 numbers are 20 virtual tokens with your `row_width(3, 4, 32)` = 768 numbers each.
#
# From here on every shape is printed with its axes named. A name is shown only where its size is the one that the
# tensor really has.

# %%
batch = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
labels = tokenizer(["nedrag", "onaip"], padding=True, return_tensors="pt").input_ids
labels[labels == tokenizer.pad_token_id] = -100  # padding is not to be learnt

sizes = {
    "batch": batch.input_ids.shape[0],
    "source": batch.input_ids.shape[1],
    "target": labels.shape[1],
    "prefix_len": peft_config.num_virtual_tokens,
    "layers": peft_config.num_layers,
    "heads": peft_config.num_attention_heads,
    "head_dim": peft_config.token_dim // peft_config.num_attention_heads,
    "hidden": peft_config.token_dim,
    "vocab": model.config.vocab_size,
}


def show(name, tensor, axes):
    print(f"{name:24}{named(tensor.shape, axes, sizes)}")


show("input_ids", batch.input_ids, "batch source")
show("labels", labels, "batch target")

# %% [markdown] lang="en"
# ## Stage 4 · encode
#
# The virtual tokens are the numbers 0, 1, 2, … 19, the same for every text in the batch. The encoder looks each of them
# up. PEFT keeps twice as many numbers for an encoder-decoder and uses the first half.

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %%
encoder = peft_model.prompt_encoder["default"]
prompt_tokens = peft_model.prompt_tokens["default"][: peft_config.num_virtual_tokens].expand(2, -1)
past_key_values = encoder(prompt_tokens)

show("prompt_tokens", prompt_tokens, "batch prefix_len")
show("past_key_values", past_key_values, "batch prefix_len 2·layers·hidden")

# %% [markdown] lang="en"
# ### The same place, in a debugger
#
# This is what you would see with a breakpoint on the first line of `PrefixEncoder.forward`. The lesson types the
# commands behind `(Pdb)` for you: `p` prints, `u` goes up to the caller, `c` continues. It is PEFT's encoder this
# time, with projection, so that there are two steps to watch.

# %%
theirs = peft.PrefixEncoder(
    peft.PrefixTuningConfig(
        num_virtual_tokens=20, token_dim=128, num_layers=3, encoder_hidden_size=64, prefix_projection=True
    )
)
with stop_at(
    peft.PrefixEncoder.forward,
    commands=["p prefix.shape", "n", "n", "p prefix_tokens.shape", "n", "p past_key_values.shape", "c"],
    debugger="pdb",
):
    theirs(prompt_tokens)

# %% [markdown] lang="en"
# In a notebook of your own, three ways lead into a debugger:
#
# - **The bug** at the top right of JupyterLab switches its debugger on. Then click left of a line number to set a
#   breakpoint, or write `breakpoint()`; the program stops there, and the side bar shows the variables.
# - **`breakpoint()` with the bug off does nothing** in a notebook, not even a message. (In a plain Python script it
#   opens pdb.) Try it: the next cell runs through. Switch the bug on and run it again: it stops.
# - **`%debug`** in a new cell, after a cell has raised an error, opens pdb at the line that failed. Type `u` until you
#   are in code that you know, `p` what you want to see, and `q` to leave. Until you leave, no other cell runs.


# %%
def look(prompt_tokens):
    breakpoint()  # with the bug off, nothing happens here
    return encoder(prompt_tokens)


show("past_key_values", look(prompt_tokens), "batch prefix_len 2·layers·hidden")

# %% [markdown] lang="en"
# To try `%debug`: take the `#` away, run the cell, and run `%debug` in a new cell.

# %%
# encoder(torch.tensor([[20]]))  # the table has rows 0 to 19

# %% [markdown] lang="en"
# ## Stage 5 · split
#
# Nothing is computed here. The long vector is cut into layers, keys and values, and heads; then the axes change places,
# so that each layer finds its part. Try it yourself before you read how it is written.

# %% [markdown] lang="en"
# ### Exercise 2 · view and permute
#
# Bring the prefix from `(batch, prefix_len, 2·layers·hidden)` to `(2·layers, batch, heads, prefix_len, head_dim)`: one
# `view`, one `permute`. A shape can be right while the numbers are not; the check looks at both.

# %% [markdown] lang="en" tags=["hint"]
# First `view` cuts the last axis: it becomes `2·layers`, `heads` and `head_dim`, in this order. Then `permute` lists
# the axes in their new order, by their old numbers.


# %% tags=["exercise"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return ...


check_split(split)


# %% tags=["solution"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return prefix.view(batch, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)


check_split(split)

# %% [markdown] lang="en"
# And here it is. For an encoder-decoder there is one line more, in which PEFT doubles the rows before it cuts them.
# Leave it aside for now: lesson 9 comes back to this place.

# %%
show_stage(
    "split",
    mark=(".view(", "torch.cat([", ".permute(", ".split(", "EncoderDecoderCache("),
    also=("prefix_lab.past.split_layers", "prefix_lab.past.encoder_decoder_cache"),
)

# %% [markdown] lang="en"
# `get_prompt` does encode and split, and puts the result in the kind of cache that the model's own generation uses. A
# T5 gets an `EncoderDecoderCache`: the decoder's self-attention is filled with the prefix, the cross-attention is
# empty.

# %%
cache = peft_model.get_prompt(batch_size=2)
print(type(cache).__name__, "with", len(cache), "layers")
for number, layer in enumerate(cache.self_attention_cache.layers):
    show(f"layer {number} key", layer.keys, "batch heads prefix_len head_dim")
    show(f"layer {number} value", layer.values, "batch heads prefix_len head_dim")
print("cross-attention:", len(cache.cross_attention_cache), "layers, filled later from the encoder's output")

# %% [markdown] lang="en"
# ## Stage 6 · attend
#
# The forward pass hands the cache to the base model as if those 20 tokens had been read before. Only the decoder's
# mask has to grow. To see what arrives inside, we give the base model a *hook*: a function that torch calls before the
# model runs, with all that the model is given.

# %%
show_stage(
    "attend",
    mark=("get_prompt(batch_size)", "decoder_attention_mask=self", "prefix_attention_mask = torch"),
)

# %%
arrived = {}
listener = model.register_forward_pre_hook(
    lambda module, args, kwargs: arrived.update(kwargs),
    with_kwargs=True,
)
decoder_attention_mask = torch.ones_like(labels)
output = peft_model(**batch, labels=labels, decoder_attention_mask=decoder_attention_mask)
listener.remove()

show("mask that we gave", decoder_attention_mask, "batch target")
show("mask that arrived", arrived["decoder_attention_mask"], "batch prefix_len+target")
show("encoder's mask", arrived["attention_mask"], "batch source")
show("logits", output.logits, "batch target vocab")
show("loss", output.loss, "")
print(f"\nloss: {output.loss.item():.6f}")

# %% [markdown] lang="en"
# Is that what PEFT computes? The same seed, the same model, PEFT's own `get_peft_model`: every logit must be equal to
# the last bit.

# %%
fresh_model, _ = load_tiny_t5()
torch.manual_seed(0)
their_config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
their_model = peft.get_peft_model(fresh_model, their_config)
their_output = their_model(**batch, labels=labels, decoder_attention_mask=torch.ones_like(labels))
print("logits equal:", torch.equal(output.logits, their_output.logits))
print("loss equal:  ", torch.equal(output.loss, their_output.loss))
their_model.print_trainable_parameters()

# %% [markdown] lang="en"
# ## Stage 7 · learn
#
# The gradient runs back through the frozen model into the table of the prefix, and nowhere else.

# %%
peft_model.zero_grad()  # forget those of an earlier run: backward adds to what is there
peft_model(**batch, labels=labels).loss.backward()
gradient = encoder.embedding.weight.grad
show("gradient of the prefix", gradient, "prefix_len 2·layers·hidden")
with_gradient = sum(parameter.grad is not None for parameter in model.parameters())
print("parameters of the base with a gradient:", with_gradient)

# %% [markdown] lang="en"
# ## Stage 8 · keep
#
# What is saved is the computed prefix, not the model: compare its size with the model's 4 MB.

# %%
from prefix_lab import get_peft_model_state_dict

kept = get_peft_model_state_dict(peft_model)
show("prompt_embeddings", kept["prompt_embeddings"], "prefix_len 2·layers·hidden")
print(f"{kept['prompt_embeddings'].nbytes:,} bytes")

# %% [markdown] lang="en"
# ## What you have seen
#
# A table lookup, a view, a permute, a cache. That is all of prefix tuning's machinery; the rest is the model that you
# already had.
#
# *Short path: go on to lesson 02 from here.*
#
# Read next: `prefix_lab/encoder.py` and `prefix_lab/past.py`, which fit on one screen each. In a terminal,
# `make walk` makes this journey in a few seconds, and `.venv/bin/prefix-lab walk --config-only --model t5-base` makes
# it for a model of 223 million parameters without downloading one of them.

# %%
show_progress(1)
