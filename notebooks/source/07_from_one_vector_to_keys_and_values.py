# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 07 · From one vector to keys and values
#
# The encoder makes one long vector for each virtual token. Attention wants a key and a value, for each layer and each
# head. Between the two nothing is computed; the numbers are only regrouped, and this is where most people get lost.
# At the end you will be able to
#
# - say for any number in the vector to which layer and head it belongs, and where attention finds it;
# - tell `view` from `permute`, by eye;
# - turn a model's own cache back into a prefix, in three lines, exact to the last bit.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import peft
import torch
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text

import prefix_lab
from prefix_lab.course import load_tiny_t5, record_prompt, show_progress, show_stage, small_gpt2
from prefix_lab.course.lessons.lesson_07 import check_address, check_table_of, check_viewed
from prefix_lab.shapes import named
from prefix_lab.widgets import Mirror, ReshapeView, TensorView, predict

# %% [markdown] lang="en"
# ## Follow one number
#
# A GPT-2 with random weights is enough to see where numbers go. We fill the prefix with addresses: the number at each
# place is that place's own number, counted from 0 to 959. Then we look what layer 1's head 2 gets as the key of
# virtual token 3.

# %%
model = small_gpt2(layers=3, heads=4, head_dim=8)  # or AutoModelForCausalLM.from_pretrained("a/local/folder")
_, tokenizer = load_tiny_t5()  # reads bytes; for a model of yours, take its own tokenizer

config = prefix_lab.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
peft_model = prefix_lab.get_peft_model(model, config)
encoder = peft_model.prompt_encoder["default"]

width = 2 * config.num_layers * config.token_dim
addresses = torch.arange(5.0 * width).view(5, width)
encoder.load_prompt_embeddings(addresses)

key = peft_model.get_prompt(batch_size=2).layers[1].keys
sizes = {"batch": 2, "prefix_len": 5, "layers": 3, "heads": 4, "head_dim": 8, "hidden": 32}
print("the table:         ", named(addresses.shape, "prefix_len 2·layers·hidden", sizes))
print("key of layer 1:    ", named(key.shape, "batch heads prefix_len head_dim", sizes))
print("head 2, token 3:   ", key[0, 2, 3].int().tolist())
print("in token 3's vector:", (key[0, 2, 3].int() - 3 * width).tolist())

# %% [markdown] lang="en"
# They are eight numbers side by side, and they begin at place 80 of token 3's vector. Why 80? Walk through the journey
# at tiny sizes: press **Next**, watch the colours move, and choose other ones under "Colour by". At the end tick "What
# if it were view, not permute?".

# %%
ReshapeView()

# %% [markdown] lang="en"
# ### Exercise 1 · an address in the long vector
#
# At which place of a virtual token's vector do the numbers of this head begin? (`is_value` is 0 for the key and 1 for
# the value.)

# %% [markdown] lang="en" tags=["hint"]
# The vector is cut as `view(2*layers, heads, head_dim)`. Layer 1's key is piece 2, its value piece 3.

# %% [markdown] lang="en" tags=["hint"]
# Count whole pieces first, then whole heads: how many heads lie before this one, in all pieces? Each takes `head_dim`
# places.


# %% tags=["exercise"]
def first_place(layer, is_value, head, heads, head_dim):
    return ...


check_address(first_place)


# %% tags=["solution"]
def first_place(layer, is_value, head, heads, head_dim):
    piece = 2 * layer + is_value
    return (piece * heads + head) * head_dim


check_address(first_place)

# %% [markdown] lang="en"
# ## Stage 5 · split
#
# Here it is as written, ours and PEFT's. For a GPT-2, `num_transformer_submodules` is 1: no `cat`, and a `split` in
# twos. The many branches of PEFT's are for families with caches of their own.

# %%
show_stage(
    "split",
    mark=(".view(", "num_layers * 2,", ".permute(", ".split(", "num_transformer_submodules * 2", "DynamicCache("),
    also=("prefix_lab.past.split_layers",),
)

# %% [markdown] lang="en"
# ### Exercise 2 · the shape after view
#
# PEFT's own `get_prompt` has been recorded with this model. The stepper stands before the line with `.view(`; the
# variables, and `self.active_peft_config`, tell you all you need. What shape will `past_key_values` have? Answer in
# the stepper, or below. (The first time, this takes some seconds: the names are proven.)

# %%
ours, theirs = record_prompt("prefix_lab"), record_prompt("peft")
before_view = next(step for step in theirs.steps if ".view(" in step.text)
question = predict(theirs, before_view, "past_key_values", height="660px")
question

# %% [markdown] lang="en" tags=["hint"]
# The arguments of `view` stand in the lines below it, one an axis. `num_layers * 2` is a key and a value for each
# layer.

# %% tags=["exercise"]
viewed_shape = ...  # as a text, such as "(source, vocab)"

check_viewed(question, viewed_shape)

# %% tags=["solution"]
viewed_shape = "(batch, prefix_len, 2·layers, heads, head_dim)"

check_viewed(question, viewed_shape)

# %% [markdown] lang="en"
# Step over the next lines with `n`, and see what `permute` and `split` make of it. PEFT's comment above `permute` is
# older than the code: what it calls 2 × [num_layers, …] has 2·layers in front.

# %% [markdown] lang="en"
# Do we come to the same numbers as PEFT? Here are both recordings side by side. Choose `encode` or `split`, and both go
# to where that stage begins; the sign `=` beside its name leads to its end. What both hold there is compared number by
# number.

# %%
mirror = Mirror(ours, theirs, labels=("prefix_lab", "PEFT"))
mirror.goto_stage("split")
mirror

# %% [markdown] lang="en"
# *Short path: go on to lesson 11 from here.*
#
# ## The cache
#
# What comes out is the same kind of cache that the model fills when it generates. The model cannot tell these keys from
# those of words that it has read. So the text comes after the prefix, and the cache grows.

# %%
texts = ["a past that was never read", "A PAST THAT WAS NEVER READ"]
batch = tokenizer(texts, return_tensors="pt", add_special_tokens=False)
cache = peft_model.get_prompt(batch_size=2)
print(type(cache).__name__, "with", len(cache), "layers;", cache.get_seq_length(), "tokens in it")

with torch.no_grad():
    output = peft_model(**batch)
sizes["source"] = batch.input_ids.shape[1]
grown = output.past_key_values
print("after a text of", sizes["source"], "tokens:  ", grown.get_seq_length(), "tokens in it")
print("key of layer 0 now:", named(grown.layers[0].keys.shape, "batch heads prefix_len+source head_dim", sizes))

# %% [markdown] lang="en"
# ## The way back
#
# A prefix is keys and values of tokens that the model never read. Does it also work the other way? Take keys and values
# of tokens that it *did* read, and use them as a prefix. Let GPT-2 read a real text, and take what is in its cache.
# Each key and each value is (batch, heads, source, head_dim), with a batch of one.

# %%
text = "The prefix is a past that the model never read."
input_ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
with torch.no_grad():
    read = model(input_ids=input_ids).past_key_values
print(input_ids.shape[1], "tokens were read;", len(read), "layers")
TensorView(read.layers[0].keys, "batch heads source head_dim", show=("head_dim", "source"))

# %% [markdown] lang="en"
# ### Exercise 3 · a cache, turned back into a table
#
# Three lines: collect every layer's key and value for the first `prefix_len` tokens, stack them, and bring them to
# (prefix_len, 2·layers·hidden). `cache.layers[n].keys` and `.values` are what you need. The check makes a cache from
# your table as `get_prompt` does, and compares bit for bit.

# %% [markdown] lang="en" tags=["hint"]
# Begin with a list: for each layer, its keys and then its values, each cut with `[0, :, :prefix_len]`, which leaves
# (heads, prefix_len, head_dim).

# %% [markdown] lang="en" tags=["hint"]
# `torch.stack` of that list is (2·layers, heads, prefix_len, head_dim). In the table the token is the first axis, then
# the piece, then the head. One `permute`.

# %% [markdown] lang="en" tags=["hint"]
# Write down which number each axis of the stacked tensor has: 2·layers 0, heads 1, and so on. In which order does the
# table want them? Then `.flatten(1)` joins all axes but the first.


# %% tags=["exercise"]
def table_of(cache, prefix_len):
    pieces = ...
    rows = ...
    return ...


check_table_of(table_of)


# %% tags=["solution"]
def table_of(cache, prefix_len):
    pieces = [one[0, :, :prefix_len] for layer in cache.layers for one in (layer.keys, layer.values)]
    rows = torch.stack(pieces)  # (2·layers, heads, prefix_len, head_dim)
    return rows.permute(2, 0, 1, 3).flatten(1)  # (prefix_len, 2·layers·hidden)


check_table_of(table_of)

# %% [markdown] lang="en"
# PEFT has this as a function: `initialize_kv_prefix_from_text` lets the base model read, and loads the prefix. Here it
# is with 20 virtual tokens. Is the prefix GPT-2's own cache? And does the model go on after it as if it had read those
# 20 tokens?

# %%
their_model = peft.get_peft_model(small_gpt2(), peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20))
their_table = initialize_kv_prefix_from_text(their_model, tokenizer, text=text, use_chat_template=False)

pairs = zip(their_model.get_prompt(1).layers, read.layers, strict=True)
same = [torch.equal(a.keys, b.keys[:, :, :20]) and torch.equal(a.values, b.values[:, :, :20]) for a, b in pairs]
print("get_prompt gives GPT-2's own keys and values, layer by layer:", same)

with torch.no_grad():
    whole = model(input_ids=input_ids).logits[:, 20:]
    rest = their_model(input_ids=input_ids[:, 20:]).logits
print("largest difference of the logits:", f"{(whole - rest).abs().max():.1e}")

# %%
mine = table_of(read, 20)
print("your table is PEFT's:", isinstance(mine, torch.Tensor) and torch.equal(mine, their_table))

# %% [markdown] lang="en"
# So every text can be made into a prefix. But not every prefix comes from a text: training may give it any numbers,
# also those that no text would. And it may *start* from a text's prefix, which helps where examples are few (Li and
# Liang, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190), section 7.4).

# %% [markdown] lang="en"
# ## And an encoder-decoder?
#
# A T5 has two kinds of attention in each decoder layer, so PEFT takes another branch for it: look for
# `num_transformer_submodules == 2` above. What comes of that branch is a detective story, and lesson 9 tells it.

# %% [markdown] lang="en"
# ## What you have seen
#
# - `view` cuts the long vector: pieces, heads, numbers. `permute` brings the pieces to the front, `split` hands each
#   layer its two. No number is changed.
# - The result is a cache as the model makes it. A text's own cache, flattened, is a prefix: exact to the last bit.
#
# Read next: `prefix_lab/past.py`, one screen of it; `prefix_lab/beside/initialization.py`, which is exercise 3 with its
# refusals; and in PEFT `prompt_embeddings_from_past_key_values`, which packs the same rows in a loop.

# %%
show_progress(7)
