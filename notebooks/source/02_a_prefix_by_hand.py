# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 02 · A prefix by hand
#
# Suppose you may add rows to what an attention head reads, and touch nothing else: no weight, no word. What can you
# make it do, and what can you never make it do? With one head of a real model and a few lines of torch you will
#
# - put keys and values before a head's own;
# - say how much of its attention they take, also when they are all zeros;
# - split the result exactly into what was there before, and what the prefix adds;
# - find the same line in a real model, with a debugger;
# - know when the order of the virtual tokens matters.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stop

import peft
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.cache_utils import DynamicLayer

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, load_tiny_t5, show_progress, show_source, table
from prefix_lab.course.lessons.lesson_02 import (
    check_attend_with_prefix,
    check_order,
    check_prefix_share,
    check_same_line,
    draw_attention,
    draw_shares,
)
from prefix_lab.shapes import named

# %% [markdown] lang="en"
# ## One head, six letters
#
# The tiny T5 reads letters. We take one head of its decoder's first layer and let it read a word: each letter asks
# with its `query`, is found by its `key`, and gives its `value`. Mask and positions are left out for now.
#
# Take another `word` or `head` if you like. (For another model, load it here, and change the lines below that use T5's
# names.)

# %%
model, tokenizer = load_tiny_t5()
word, head = "garden", 0

layer = model.decoder.block[0].layer[0]
heads, head_dim = model.config.num_heads, model.config.d_kv
letters = tokenizer(word, add_special_tokens=False, return_tensors="pt").input_ids[0]
with torch.no_grad():
    hidden = layer.layer_norm(model.shared(letters))
    project = layer.SelfAttention
    query, keys, values = (
        each(hidden).view(-1, heads, head_dim)[:, head] for each in (project.q, project.k, project.v)
    )

sizes = {"source": len(word), "prefix_len": 4, "head_dim": head_dim, "hidden": model.config.d_model}
print("hidden ", named(hidden.shape, "source hidden", sizes))
print("query  ", named(query.shape, "source head_dim", sizes))


# %% [markdown] lang="en"
# Attention is two products with a softmax between them. (Many models divide the scores by √head_dim. T5 has that in
# its weights.)


# %%
def weights_of(query, keys):
    scores = query @ keys.T  # (source, head_dim) · (head_dim, source) → (source, source)
    return scores.softmax(-1)  # each row adds up to 1


def attend(query, keys, values):
    return weights_of(query, keys) @ values  # (source, head_dim)


base = attend(query, keys, values)
weights = weights_of(query, keys)
print("weights", named(weights.shape, "source source", sizes), "rows add up to", weights.sum(-1))
print("output ", named(base.shape, "source head_dim", sizes))

# %% [markdown] lang="en"
# ## Now the prefix
#
# Four virtual tokens. They have no letters and no queries, only a key and a value each: these are the numbers that
# prefix tuning learns. Ours are drawn by chance.

# %%
dice = torch.Generator().manual_seed(1)
prefix_keys = torch.randn(4, head_dim, generator=dice)
prefix_values = torch.randn(4, head_dim, generator=dice)
print("prefix_keys", named(prefix_keys.shape, "prefix_len head_dim", sizes))

# %% [markdown] lang="en"
# ### Exercise 1 · attend with a prefix
#
# Let every letter read the prefix, too, as if those four tokens had come first. Three lines are enough.

# %% [markdown] lang="en" tags=["hint"]
# `torch.cat([a, b])` puts the rows of `b` below those of `a`. What has to grow: query, keys, values?

# %% [markdown] lang="en" tags=["hint"]
# The prefix is read, and asks nothing. So which two of the three grow? With those, `attend` from above does the rest.


# %% tags=["exercise"]
def attend_with_prefix(query, keys, values, prefix_keys, prefix_values):
    return ...


check_attend_with_prefix(attend_with_prefix)


# %% tags=["solution"]
def attend_with_prefix(query, keys, values, prefix_keys, prefix_values):
    keys = torch.cat([prefix_keys, keys])  # (prefix_len+source, head_dim)
    values = torch.cat([prefix_values, values])  # (prefix_len+source, head_dim)
    return attend(query, keys, values)


check_attend_with_prefix(attend_with_prefix)

# %% [markdown] lang="en"
# ## Look at it
#
# Each row is a letter that asks, each column a key that is read. Compare the row of **d** on both sides, then that of
# **n**: who gives up more to the prefix, and to which virtual token? What happens to the order among the letters?

# %%
after = weights_of(query, torch.cat([prefix_keys, keys]))
draw_attention(weights, after, word)

# %% [markdown] lang="en"
# ### Exercise 2 · the share that the prefix takes
#
# How much of each letter's attention goes to the prefix, all its virtual tokens together? One number for each letter.

# %% [markdown] lang="en" tags=["hint"]
# You have the weights of all keys: `weights_of(query, torch.cat([prefix_keys, keys]))`. Which columns are the prefix's?

# %% [markdown] lang="en" tags=["hint"]
# They came first in the `cat`, and there are `len(prefix_keys)` of them. A row is added up along the last axis.


# %% tags=["exercise"]
def prefix_share(query, keys, prefix_keys):
    return ...


check_prefix_share(prefix_share)


# %% tags=["solution"]
def prefix_share(query, keys, prefix_keys):
    weights = weights_of(query, torch.cat([prefix_keys, keys]))  # (source, prefix_len+source)
    return weights[:, : len(prefix_keys)].sum(-1)  # (source,)


check_prefix_share(prefix_share)

# %% [markdown] lang="en"
# ## The law
#
# With that share, everything that a prefix does to a head fits in one line:
#
# **output with prefix = (1 − share) · output without it + share · what the prefix alone would give**
#
# What the head gave before counts for less, and something is added to it. Nothing else happens. (Petrov, Torr and Bibi,
# “When Do Prompting and Prefix-Tuning Work? A Theory of Capabilities and Limitations”, 2023, [arXiv
# 2310.19698](https://arxiv.org/abs/2310.19698).) Does it hold? The share below is computed from the picture's weights,
# so that the cell runs before you have solved anything.

# %%
share = after[:, :4].sum(-1, keepdim=True)  # (source, 1)
added = attend(query, prefix_keys, prefix_values)  # what the prefix alone would give
with_prefix = after @ torch.cat([prefix_values, values])
by_the_law = (1 - share) * base + share * added
print(f"largest difference: {(with_prefix - by_the_law).abs().max():.1e}")

# %% [markdown] lang="en"
# And among themselves, do the letters keep their attention? Take the prefix's columns away and let each row add up to
# 1 again.

# %%
among_letters = after[:, 4:] / after[:, 4:].sum(-1, keepdim=True)
print(f"largest difference to the weights without a prefix: {(among_letters - weights).abs().max():.1e}")

# %% [markdown] lang="en"
# So this is what a prefix **can never do** to this head: make `g` prefer `r` to `a` if it did not before. It can only
# take attention away from the whole word, and add something of its own. (The next layer then reads changed letters, so
# across several layers it can do more.)
#
# *Short path: go on to lesson 03 from here.*
#
# ## A prefix of zeros
#
# PEFT offers `init_weights="zero"`: all keys and values zero. Guess first: does a prefix of zeros change anything?

# %%
zero_shares = {}
for prefix_len in (1, 5, 20):
    zero_keys = torch.zeros(prefix_len, head_dim)
    zero_shares[prefix_len] = weights_of(query, torch.cat([zero_keys, keys]))[:, :prefix_len].sum(-1)
draw_shares(zero_shares, word)

# %% [markdown] lang="en"
# It does. A zero key scores 0 with every query, and e⁰ is 1, not 0: it takes its share of the softmax, and its value
# brings nothing in return. So a prefix of zeros makes a head quieter, the longer the more: twenty zero tokens take 60
# to 81 % of what five of these letters have to give, and only 19 % of `d`, which has a high score of its own. Quieter,
# then, but not silent. To take nothing at all, a key would have to score −∞, and that is what a mask does.

# %% [markdown] lang="en"
# ## The same in a real model
#
# A model that writes keeps the keys and values of what it has read, so that it need not compute them again: that is its
# *cache*. Whatever a layer computes next is put behind what its part of the cache holds. There stands your `torch.cat`:

# %%
show_source(DynamicLayer.update, mark="torch.cat(")

# %% [markdown] lang="en"
# So PEFT has to change nothing in any model. It hands over a cache that is not empty: five virtual tokens for each
# layer, as if they had been read before.

# %%
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
peft_model = peft.get_peft_model(model, config)

garden = tokenizer("garden", add_special_tokens=False, return_tensors="pt").input_ids
plain_text = {"input_ids": garden, "attention_mask": torch.ones_like(garden)}
text = plain_text | {"decoder_input_ids": garden}  # it reads the word and, to keep it simple, writes the same one

# %% [markdown] lang="en"
# ### Exercise 3 · the same line, in a debugger
#
# `get_prompt` makes the cache that PEFT hands over; here we hand it to the frozen model ourselves. Stop where its first
# layer reads it. How many keys does that layer hold `before` the line with `torch.cat` has run, and how many `after`
# it? Then climb from the cache up to the attention: it is `asked_by` which class? Look first; below, you write it down.

# %%
cache = peft_model.get_prompt(batch_size=1)
with stop_at(DynamicLayer.update, times=1, suggest=["p self.keys.shape", "p key_states.shape"]) as stop:
    output = model(**text, past_key_values=cache)

# %% [markdown] lang="en" tags=["hint"]
# A shape here is (batch, heads, tokens, head_dim). Your `cat` joined along axis 0; where do the tokens stand now?

# %% [markdown] lang="en" tags=["hint"]
# `n` runs one line. The arrow shows the line that comes next, so a line has run when the arrow is below it.

# %% [markdown] lang="en" tags=["hint"]
# `u` climbs to the caller. The first one is the cache of all layers; climb again. `p type(self)` asks whose method it
# is.

# %% tags=["exercise"]
check_same_line(stop, {"before": ..., "after": ..., "asked_by": ...})

# %% tags=["solution"]
held, climb = "p self.keys.shape", ["u", "u", "p type(self)", "c"]
cache = peft_model.get_prompt(batch_size=1)
with stop_at(DynamicLayer.update, times=1, commands=[held, "p key_states.shape", "n", "n", held, *climb]) as stop:
    model(**text, past_key_values=cache)

check_same_line(stop, {"before": 5, "after": 11, "asked_by": "T5Attention"})

# %% [markdown] lang="en"
# You gave the frozen model nothing but that cache. Is this already all that PEFT's model does?

# %%
torch.equal(output.logits, peft_model(**text).logits)  # every logit, to the last bit

# %% [markdown] lang="en"
# ### Exercise 4 · does the order of virtual tokens matter?
#
# Shuffle the rows of a trained prefix, each key with its value. Is the answer another one? Say it for our head, then
# for three models. `True`: it matters.

# %% [markdown] lang="en" tags=["hint"]
# Try it with our head: `order = [2, 0, 3, 1]`, then compare `attend_with_prefix` for `prefix_keys[order]` and
# `prefix_values[order]` with the unshuffled one.

# %% [markdown] lang="en" tags=["hint"]
# How do models know positions? GPT-2 adds a vector to the *embedding* of each token. Llama turns each *key* by its
# position, before it goes into the cache. T5 adds a number to each *score*, by the distance of the two places.

# %% [markdown] lang="en" tags=["hint"]
# The prefix is in the cache from the start. It never was an embedding, and nobody turned its keys. But it has scores.

# %% tags=["exercise"]
check_order({"head": ..., "GPT-2": ..., "Llama": ..., "T5": ...})

# %% tags=["solution"]
check_order({"head": False, "GPT-2": False, "Llama": False, "T5": True})


# %% [markdown] lang="en"
# Now measure it. GPT-2 and Llama are tiny and random here, which is enough: what matters is how they read.


# %%
def moved_by_order(model, task_type, text):
    """By how much the logits change when the virtual tokens are shuffled; and how large they are."""
    config = peft.PrefixTuningConfig(task_type=task_type, num_virtual_tokens=4)
    peft_model = peft.get_peft_model(model.eval(), config)
    table = peft_model.prompt_encoder["default"].embedding.weight  # a row for each virtual token
    with torch.no_grad():
        table.normal_(std=3)
        before = peft_model(**text).logits
        table.copy_(table[[2, 0, 3, 1]])
        return (peft_model(**text).logits - before).abs().max(), before.std()


torch.manual_seed(0)
small = {"vocab_size": 384, "bos_token_id": 0, "eos_token_id": 1}
gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=4, n_embd=32, **small))
llama = LlamaForCausalLM(
    LlamaConfig(num_hidden_layers=2, hidden_size=32, num_attention_heads=4, intermediate_size=64, **small)
)
measured = {
    "GPT-2": moved_by_order(gpt2, "CAUSAL_LM", plain_text),
    "Llama": moved_by_order(llama, "CAUSAL_LM", plain_text),
    "T5": moved_by_order(load_tiny_t5()[0], "SEQ_2_SEQ_LM", text),
}
rows = [(name, f"{moved:.1e}", f"{spread:.1e}") for name, (moved, spread) in measured.items()]
after_exercise(4, table(("model", "logits move by", "their own spread"), rows))

# %% [markdown] lang="en"
# A prefix in GPT-2 or Llama is a **set** of virtual tokens. In T5 it is a list, since T5 gives a token far back in the
# cache another score than one close by.
#
# ## What you have seen
#
# - A prefix is rows of keys and values, put before a head's own. The query stays.
# - One softmax over both: the prefix takes a share, and the letters keep their proportions.
# - A prefix of zeros is not an empty prefix: it takes its share of the attention.
#
# Read next: section 3 of Petrov, Torr and Bibi, from which the law is. In lesson 03 the rows that were random numbers
# here are learnt.

# %%
show_progress(2)
