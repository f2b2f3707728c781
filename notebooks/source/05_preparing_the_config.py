# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 05 · Preparing the config
#
# The same three lines give a t5-small its prefix, and fail with a flan-t5-small, in the middle of torch. Both are T5s.
# Why? At the end of this lesson you will be able to
#
# - say for any model where each size of its prefix comes from;
# - read the error, and rescue the model with one argument;
# - spot the config that still has another model's sizes.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

from dataclasses import replace

import peft
import torch
from transformers import T5ForConditionalGeneration

import prefix_lab
from prefix_lab.course import show_progress, show_stage
from prefix_lab.course.lessons.lesson_05 import (
    check_read_sizes,
    check_reopened,
    check_rescue,
    config_of,
    draw_widths,
    empty_model,
    show_sizes,
)
from prefix_lab.debugger import record
from prefix_lab.prepare import explain_preparation
from prefix_lab.shapes import shape_error
from prefix_lab.widgets import Stepper

# %% [markdown] lang="en"
# ## Try both
#
# The sizes of well-known models come with the project, their weights do not. `empty_model` builds a model that has
# shapes and no numbers, on torch's *meta* device; enough to see what fits. (A model of yours: load it with
# `AutoModelForSeq2SeqLM.from_pretrained("a/local/folder")` in place of `empty_model(name)`.)


# %%
def give_prefix(name, **sizes):
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, **sizes)
    with torch.device("meta"):
        return peft.get_peft_model(empty_model(name), config).get_prompt(batch_size=2)


failed = None
for name in ("t5-small", "flan-t5-small"):
    try:
        cache = give_prefix(name)
        print(f"{name:14} key of layer 0: {tuple(cache.self_attention_cache.layers[0].keys.shape)}")
    except RuntimeError as error:
        failed = error
        print(f"{name:14} {error}")

# %% [markdown] lang="en"
# The message is all numbers and no name. `shape_error` looks at the line that failed, at what stood in it, and says
# which axis does not fit, and by what.

# %%
shape_error(failed)

# %% [markdown] lang="en"
# Six heads do not divide 512. But who said that 512 numbers are to be shared among six heads?
#
# ## The place
#
# Preparation fills in what you left at `None`. It tries one name after the other, since every family has its own.

# %%
show_stage(
    "prepare",
    mark=("d_model", "TOKEN_DIM", "n_embd", "num_key_value_heads", "NUM_ATTENTION_HEADS"),
    also=("prefix_lab.prepare.explain_preparation",),
)

# %% [markdown] lang="en"
# For flan-t5-small, one field after the other, with the name that it was read from. Below it, what the model's config
# says itself. Is a name among these that preparation never looks at?

# %%
asked = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
flan = config_of("flan-t5-small")
for field, (value, source) in explain_preparation(asked, flan).items():
    print(f"{field:20} None → {value:<5} from {source}")
print("\nmodel.config:", {name: getattr(flan, name) for name in ("d_model", "num_heads", "d_kv", "num_layers")})

# %% [markdown] lang="en"
# `d_kv` is how wide one head is: 64. Six heads of 64 are 384, and the model is 512 wide. Most models have
# heads · head_dim = hidden, and preparation takes that for granted.
#
# ## Every model at once
#
# The arrow shows the name in each model's config. (The number of layers is `num_hidden_layers` for all of them:
# transformers has it as a second name for `num_layers` and `n_layer`.) ✗: what PEFT reads is not what is cached.

# %%
show_sizes()

# %%
draw_widths()

# %% [markdown] lang="en"
# For flan-t5-small, t5-3b and t5-11b the two differ. For llama-3-8b they agree, at 1024, though the model is 4096 wide:
# that is another case, and PEFT takes care of it. Walk through it line by line (`n`), and keep an eye on **Watches** at
# the right: `token_dim` becomes 4096, and then something else. Which name decides that?

# %%
watched = ["peft_config.num_layers", "peft_config.token_dim", "peft_config.num_attention_heads"]
llama = config_of("llama-3-8b")
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20)
with record([peft.utils.other], watch=watched) as recording:
    peft.utils.other._prepare_prompt_learning_config(config, llama)
Stepper(recording, height="660px")

# %% [markdown] lang="en"
# `num_key_value_heads` does. Llama 3 has 32 heads with a query each, but only 8 with a key and a value, each of which
# serves four: **grouped-query attention** (Ainslie and others, “GQA: Training Generalized Multi-Query Transformer
# Models from Multi-Head Checkpoints”, 2023, [arXiv 2305.13245](https://arxiv.org/abs/2305.13245)). The prefix goes into
# the cache, so it has 8 heads, too, and token_dim is 8 · 128 = 1024.
#
# ### Exercise 1 · read the sizes
#
# Write PEFT's preparation in a few lines: from a model's config, as a dict, to
# `(num_layers, token_dim, num_attention_heads)`. The table above has all the names. `first` helps you to try them.

# %% [markdown] lang="en" tags=["hint"]
# `first("hidden_size", "n_embd", "d_model")` is the width. Heads have four names; BART's is `encoder_attention_heads`.

# %% [markdown] lang="en" tags=["hint"]
# Where heads share keys, only `num_key_value_heads` of them are cached. How wide is one? Some configs say so, as
# `head_dim`; in the others the width is divided among the heads that ask.


# %% tags=["exercise"]
def read_sizes(known):
    def first(*names):
        return next(known[name] for name in names if name in known)

    layers = first("num_hidden_layers", "num_layers", "n_layer")
    token_dim = ...
    heads = ...
    return layers, token_dim, heads


check_read_sizes(read_sizes)


# %% tags=["solution"]
def read_sizes(known):
    def first(*names):
        return next(known[name] for name in names if name in known)

    layers = first("num_hidden_layers", "num_layers", "n_layer")
    token_dim = first("hidden_size", "n_embd", "d_model")
    heads = first("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")
    if "num_key_value_heads" in known:
        head_dim = known.get("head_dim", token_dim // heads)
        heads = known["num_key_value_heads"]
        token_dim = heads * head_dim
    return layers, token_dim, heads


check_read_sizes(read_sizes)

# %% [markdown] lang="en"
# ### Exercise 2 · rescue flan-t5-small
#
# Preparation fills only what is `None`. So one argument more saves the model: which `token_dim` fits its cache? Write
# it for any T5.

# %% [markdown] lang="en" tags=["hint"]
# `token_dim` is how many numbers one key has, all heads side by side. PEFT will divide it by the heads again.


# %% tags=["exercise"]
def fitting_token_dim(d_model, num_heads, d_kv):
    return ...


check_rescue(fitting_token_dim)


# %% tags=["solution"]
def fitting_token_dim(d_model, num_heads, d_kv):
    return num_heads * d_kv


check_rescue(fitting_token_dim)

# %% [markdown] lang="en"
# Does it hold in the forward pass? This model has real numbers and flan-t5-small's attention; to be built quickly it
# has a small vocabulary and small feed-forward layers.

# %%
torch.manual_seed(0)
small = T5ForConditionalGeneration(config_of("flan-t5-small", vocab_size=384, d_ff=64)).eval()
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, token_dim=384)
rescued = peft.get_peft_model(small, config)
ids = torch.tensor([[5, 6, 7, 1], [8, 9, 10, 1]])
print("logits", tuple(rescued(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).logits.shape))
print("key of layer 0", tuple(rescued.get_prompt(batch_size=2).self_attention_cache.layers[0].keys.shape))

# %% [markdown] lang="en"
# And ours? It behaves as PEFT does, but looks at the model before torch has to, and says the way out. With
# `sizes="model"`, a choice that PEFT does not have, it reads the cache's own sizes.

# %%
for choice in ({}, {"sizes": "model"}):
    config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, **choice)
    try:
        prefix_lab.get_peft_model(empty_model("flan-t5-small"), config)
        print(choice, "→ token_dim", config.token_dim)
    except ValueError as error:
        print(choice, "→", error)

# %% [markdown] lang="en"
# ## A config that remembers
#
# Filling happens *in your config object*. What if you use it again, for a larger model? Guess what PEFT prints for
# t5-base, which has 12 layers and 12 heads.

# %%
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
for name in ("t5-small", "t5-base"):
    with torch.device("meta"):
        cache = peft.get_peft_model(empty_model(name), config).get_prompt(batch_size=2)
    key = tuple(cache.self_attention_cache.layers[0].keys.shape)
    print(f"{name:9} num_layers {config.num_layers}, heads {config.num_attention_heads}: {len(cache)} layers of {key}")

# %% [markdown] lang="en"
# The second model got the first one's sizes, and PEFT said nothing; only the forward pass would fail. (With models that
# have a name it warns of the new name, not of the sizes.) Ours looks at the sizes, and says what may have happened:

# %%
config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
prefix_lab.get_peft_model(empty_model("t5-small"), config)
try:
    prefix_lab.get_peft_model(empty_model("t5-base"), config)
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ### Exercise 3 · a config for the next model
#
# Make a new config from a used one: what the user chose is kept (task type, virtual tokens, projection), what was read
# from the model is `None` again. The old config stays as it is, since its model still needs it.

# %% [markdown] lang="en" tags=["hint"]
# Configs are dataclasses. `replace(config, num_layers=None)` makes a copy with one field changed; it takes several.

# %% [markdown] lang="en" tags=["hint"]
# Five fields are filled: the three of exercise 1, and two more. Print a config before and after `get_peft_model`, and
# see which.


# %% tags=["exercise"]
def reopened(config):
    return ...


check_reopened(reopened)


# %% tags=["solution"]
def reopened(config):
    return replace(
        config,
        num_layers=None,
        token_dim=None,
        num_attention_heads=None,
        num_transformer_submodules=None,
        encoder_hidden_size=None,
    )


check_reopened(reopened)

# %% [markdown] lang="en"
# ## What you have seen
#
# - Each size is read by a list of names, and the first name that the model knows wins.
# - `token_dim` is the width of what is cached. PEFT reads the model's width, and knows grouped-query attention, but not
#   T5's `d_kv`. Set `token_dim` to heads · head_dim, and it fits.
# - A config is filled in place. Take a new one for each model.
#
# Read next: `prefix_lab/prepare.py`; its three tables are PEFT's. For any model's journey, picture and numbers:
# `ShapeFlow("flan-t5-small")`. Lesson 06 puts the sizes to use.

# %%
show_progress(5)
