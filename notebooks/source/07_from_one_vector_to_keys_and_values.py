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
# - follow any number through `view`, `permute` and `split`, in a debugger;
# - tell `view` from `permute`, by what they do to the numbers;
# - make two words into a prefix, exact to the last bit.
#
# It takes about 30 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text, prompt_embeddings_from_past_key_values

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny, show_progress, show_stage, table, world_task
from prefix_lab.course.lessons.lesson_07 import check_address, check_followed, check_view_and_permute
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes, named
from prefix_lab.widgets import Mirror, ReshapeView, TensorView

# %% [markdown] lang="en"
# ## A prefix made of addresses
#
# The tiny GPT-2 of lesson 03, with a prefix of five virtual tokens. In place of its random numbers we put addresses
# into the table: 0, 1, 2, … to 5119, row after row. Wherever such a number turns up later, it says where it came from.

# %%
model, tokenizer = load_tiny("gpt2")  # or AutoModelForCausalLM.from_pretrained("a/local/folder"), with its tokenizer
described = world_task("CAUSAL_LM")
records = [described.source(example) for example in described.examples("test")[:2]]
batch = tokenizer(records, padding=True, return_tensors="pt")

peft_model = peft.get_peft_model(model, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
config, encoder = peft_model.active_peft_config, peft_model.prompt_encoder["default"]
width = 2 * config.num_layers * config.token_dim
addresses = torch.arange(5.0 * width).view(5, width)
encoder.load_prompt_embeddings(addresses)

sizes = {"batch": 2, "prefix_len": 5, "layers": 4, "heads": 4, "head_dim": 32, "hidden": 128}
print(named(addresses.shape, "prefix_len 2·layers·hidden", sizes))
print(addresses.int())

# %% [markdown] lang="en"
# ## The place
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
# `get_prompt` is long. These are the commands that run on to the lines that matter: before the `view`, behind it, and
# behind `permute` and `split`.


# %%
def until(text):
    lines, first = inspect.getsourcelines(peft.PeftModel.get_prompt)
    return f"until {next(number for number, line in enumerate(lines, first) if text in line)}"


before_view = until("past_key_values = past_key_values.view(")
after_view = until("if peft_config.num_transformer_submodules == 2:")
after_split = until("base_model = self.get_base_model()")
print(before_view, after_view, after_split, sep="\n")

# %% [markdown] lang="en"
# ### Exercise 1 · follow 3400
#
# The number 3400 lies in the row of virtual token 3. Where is it after the `view`, and where after `permute` and
# `split`? `(past_key_values == 3400).nonzero()` gives the places of a number in a tensor, a row for each place. There
# are two, one for each text, and the first row is the first text's. After the `split` there is a block for each layer:
# `past_key_values[0]`, `past_key_values[1]`, … Find the block, and the place in it. Type the commands printed above.

# %% [markdown] lang="en" tags=["hint"]
# After the `view`: `until` with the second number, then `p (past_key_values == 3400).nonzero()[0]`.

# %% [markdown] lang="en" tags=["hint"]
# After the `split`, `past_key_values` is a tuple. Ask every block at once:
# `p [block.eq(3400).nonzero().tolist() for block in past_key_values]`. Where is a list that is not empty?

# %% tags=["exercise"]
with stop_at("split", where="peft", suggest=[before_view, "p past_key_values.shape", "c"]) as stop:
    peft_model(**batch)

check_followed(
    stop,
    {
        "after_view": ...,  # five numbers, such as (0, 4, 4, 4, 31)
        "layer": ...,  # the number of the block
        "in_its_block": ...,  # five numbers
    },
)

# %% tags=["solution"]
look = [
    *(after_view, "p (past_key_values == 3400).nonzero().tolist()"),
    *(after_split, "p [block.eq(3400).nonzero().tolist() for block in past_key_values]", "c"),
]
with stop_at("split", where="peft", commands=look) as stop:
    peft_model(**batch)

check_followed(stop, {"after_view": (0, 3, 2, 2, 8), "layer": 1, "in_its_block": (0, 0, 2, 3, 8)})

# %% [markdown] lang="en"
# After the `view` the axes are (batch, prefix_len, 2·layers, heads, head_dim): text 0, token 3, piece 2, head 2,
# number 8. Piece 2 is the key of layer 1, since pieces 0 and 1 are layer 0's key and value. In that layer's block the
# axes are (2, batch, heads, prefix_len, head_dim): the key, text 0, head 2, token 3, number 8. PEFT's comment above
# `permute` is older than the code: what it calls 2 × [num_layers, …] has 2·layers in front.
#
# And is it where layer 1 will look for it?

# %%
cache = peft_model.get_prompt(batch_size=2)
print(named(cache.layers[1].keys.shape, "batch heads prefix_len head_dim", sizes))
print(cache.layers[1].keys[0, 2, 3].int().tolist())

# %% [markdown] lang="en"
# 32 numbers side by side, and the ninth is 3400. Walk through the journey at smaller sizes: press **Next**, watch the
# colours move, and choose other ones under "Colour by". At the end tick "What if it were view, not permute?".

# %%
ReshapeView()

# %% [markdown] lang="en"
# ### Exercise 2 · view and permute
#
# Bring the prefix from (batch, prefix_len, 2·layers·hidden) to (2·layers, batch, heads, prefix_len, head_dim): one
# `view`, one `permute`. A shape can be right while the numbers are not; the check looks at both.

# %% [markdown] lang="en" tags=["hint"]
# First `view` cuts the last axis: which three axes lie in it, one after the other? You have just seen them.

# %% [markdown] lang="en" tags=["hint"]
# Then `permute` lists the axes in their new order, by their old numbers: which of the five has to be the first?


# %% tags=["exercise"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return ...


check_view_and_permute(split)


# %% tags=["solution"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return prefix.view(batch, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)


check_view_and_permute(split)

# %% [markdown] lang="en"
# ### Exercise 3 · an address in the long vector
#
# Now the other way round: you stand in a layer, at one head, and ask where in a virtual token's vector its numbers
# begin. (`is_value` is 0 for the key and 1 for the value. For 3400's head, layer 1, key, head 2, it is place 320.)

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
# Do we come to the same numbers as PEFT? Both libraries make the cache here, and each line is kept. Choose `encode` or
# `split`, and both go to where that stage begins; the sign `=` beside its name leads to its end. What both hold there
# is compared number by number. (The first time, this takes some seconds: the names of the axes are proven.)

# %%
our_config = prefix_lab.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
our_model = prefix_lab.get_peft_model(load_tiny("gpt2")[0], our_config)
our_model.prompt_encoder["default"].load_prompt_embeddings(addresses)
with record(["prefix_lab"], keep="statistics") as ours:
    our_model.get_prompt(batch_size=2)
with record(["peft"], keep="statistics") as theirs:
    peft_model.get_prompt(batch_size=2)
names = name_axes("GPT-2, direct")
mirror = Mirror(ours.with_names(names), theirs.with_names(names), labels=("prefix_lab", "PEFT"))
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
print(type(cache).__name__, len(cache), cache.get_seq_length())
with torch.no_grad():
    grown = peft_model(**batch).past_key_values
sizes["source"] = batch.input_ids.shape[1]
print(type(grown).__name__, len(grown), grown.get_seq_length())
print(named(grown.layers[0].keys.shape, "batch heads prefix_len+source head_dim", sizes))

# %% [markdown] lang="en"
# ## The way back: words as a prefix
#
# A prefix is keys and values of tokens that the model never read. Does it also work the other way? Take keys and values
# of words that it *did* read, and use them as a prefix. This GPT-2 describes a place when `plain :` stands before its
# record, and praises or complains when nothing does.


# %%
def written(model, texts):
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    return tokenizer.batch_decode(tokens[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)


reader, _ = load_tiny("gpt2")  # a new one: the one above has a prefix of addresses around it
alone = written(reader, records)
told = written(reader, [f"plain : {record}" for record in records])
table(("alone", "plain :"), zip(alone, told, strict=True))

# %% [markdown] lang="en"
# Let it read the two words, and look what is in its cache then: for each layer a key and a value, each (batch, heads,
# source, head_dim), with a batch of one and two tokens.

# %%
words = tokenizer("plain :", return_tensors="pt", add_special_tokens=False)
with torch.no_grad():
    read = reader(**words).past_key_values
TensorView(read.layers[0].keys, "batch heads source head_dim", show=("head_dim", "source"))

# %% [markdown] lang="en"
# Now the way of this lesson backwards: tokens to the front, then the pieces, then the heads, all in one row. PEFT does
# it in `initialize_kv_prefix_from_text`: it lets the base model read, packs the cache into a table, and loads it into a
# prefix of as many virtual tokens, two. Stop where it packs, and see what comes in. By hand it is one `permute`: are
# the two tables equal?

# %%
spoken = peft.get_peft_model(load_tiny("gpt2")[0], peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
with stop_at(
    prompt_embeddings_from_past_key_values,
    suggest=["p num_virtual_tokens, len(past_key_values)", "p past_key_values.layers[0].keys.shape", "u", "c"],
):
    packed = initialize_kv_prefix_from_text(spoken, tokenizer, text="plain :", use_chat_template=False)

pieces = [one[0] for layer in read.layers for one in (layer.keys, layer.values)]  # each (heads, source, head_dim)
by_hand = torch.stack(pieces).permute(2, 0, 1, 3).flatten(1)  # (prefix_len, 2·layers·hidden)
print(named(by_hand.shape, "prefix_len 2·layers·hidden", sizes | {"prefix_len": 2}))
print(torch.equal(by_hand, packed))

# %% [markdown] lang="en"
# Does `get_prompt` give the model its own keys and values back? And what does the model write now, when it reads the
# record alone, with no instruction before it?

# %%
pairs = zip(spoken.get_prompt(1).layers, read.layers, strict=True)
print([torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in pairs])
prefixed = written(spoken.eval(), records)
print(prefixed == told, *prefixed, sep="\n")

# %% [markdown] lang="en"
# So every text can be made into a prefix. But not every prefix comes from a text: training may give it any numbers,
# also those that no text would. And it may *start* from a text's prefix, which helps where examples are few (Li and
# Liang, “Prefix-Tuning: Optimizing Continuous Prompts for Generation”, 2021, [arXiv
# 2101.00190](https://arxiv.org/abs/2101.00190), section 7.4).
#
# ## And an encoder-decoder?
#
# A T5 has two kinds of attention in each decoder layer, so PEFT takes another branch for it: look for
# `num_transformer_submodules == 2` above. What comes of that branch is a detective story, and lesson 09 tells it.
#
# ## What you have seen
#
# - `view` cuts the long vector: pieces, heads, numbers. `permute` brings the pieces to the front, `split` hands each
#   layer its two. No number is changed.
# - The result is a cache as the model makes it. A text's own cache, flattened, is a prefix: exact to the last bit.
#
# Read next: `prefix_lab/past.py`, one screen of it; and `prefix_lab/beside/initialization.py`, which makes a prefix of
# a text, with its refusals.

# %%
show_progress(7)
