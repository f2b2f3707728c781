# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 06 · PrefixEncoder
#
# Everything that prefix tuning learns lies in one small module. In this lesson you look a virtual token up, count what
# trains, train a prefix with a projection, and then throw the projection away without changing one bit of what the
# model reads. At the end you will be able to say
#
# - what the encoder computes, with and without projection;
# - why its width is **2**·layers·hidden;
# - why the projection trains more numbers, and why none of them are kept;
# - why an encoder in inference mode has no `transform`.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import inspect
import tempfile

import peft
import torch

import prefix_lab
from prefix_lab.course import (
    answers,
    load_tiny_t5,
    record_walk,
    seen_words,
    show_progress,
    show_stage,
    task_batches,
    train,
)
from prefix_lab.course.lessons.lesson_06 import (
    check_fold,
    check_key_and_value,
    check_parameters,
    check_prefix_tokens,
    draw_forms,
)
from prefix_lab.prepare import prepare_prompt_learning_config
from prefix_lab.shapes import named
from prefix_lab.widgets import ParameterBars, ShapeFlow, TensorView, predict

# %% [markdown] lang="en"
# ## How much arithmetic is in it?
#
# We give an encoder the virtual tokens 3, 0 and 3. Before you run the cell: what do you expect of rows 0 and 2 of the
# result?

# %%
model, tokenizer = load_tiny_t5()  # or any T5 or BART, by a local folder or a hub name; the numbers then differ

config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
config = prepare_prompt_learning_config(config, model.config)
sizes = {"batch": 1, "prefix_len": 20, "layers": config.num_layers, "hidden": config.token_dim}

torch.manual_seed(0)
encoder = prefix_lab.PrefixEncoder(config)
prefix = encoder(torch.tensor([[3, 0, 3]]))

print(encoder)
print("rows 0 and 2 equal:      ", torch.equal(prefix[0, 0], prefix[0, 2]))
print("row 0 is row 3 of a table:", torch.equal(prefix[0, 0], encoder.embedding.weight[3]))
print("the table:", named(encoder.embedding.weight.shape, "prefix_len 2·layers·hidden", sizes))

# %% [markdown] lang="en"
# No arithmetic at all: a table, and a lookup. Here is the whole forward, ours and PEFT's. Two branches: the lookup
# alone, and one with a `transform` behind it, to which we come below.

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# ## Why the factor 2?
#
# A layer needs two vectors from each virtual token. Take one attention head with a prefix of three tokens, and double
# first the keys, then the values. What does each of them change?

# %%
draw = torch.Generator().manual_seed(1)
query, keys, values = torch.randn(4, generator=draw), *torch.randn(2, 3, 4, generator=draw)  # head_dim 4


def attend(keys, values):
    weights = torch.softmax(keys @ query / 4**0.5, dim=0)  # (prefix_len,): where the head looks
    return weights, weights @ values  # (head_dim,): what it finds there


for name, pair in {
    "as it is": (keys, values),
    "keys · 2": (2 * keys, values),
    "values · 2": (keys, 2 * values),
}.items():
    weights, found = attend(*pair)
    print(f"{name:11} looks at", *(f"{one:5.2f}" for one in weights), "  finds", *(f"{one:5.2f}" for one in found))

# %% [markdown] lang="en"
# A key decides **where** attention looks, a value **what** it finds there. They are trained separately, so each layer
# has two pieces in the row: key of layer 0, value of layer 0, key of layer 1, and so on.
#
# ### Exercise 1 · one layer's key and value
#
# Cut them out of the table: each is (prefix_len, hidden). (This is the order for a model with one stack of layers.
# Lesson 9 shows what becomes of it in a T5.)

# %% [markdown] lang="en" tags=["hint"]
# How wide is one piece? `table.shape[1]` is `2 * layers` pieces.

# %% [markdown] lang="en" tags=["hint"]
# `table.view(len(table), 2 * layers, -1)` gives the pieces an axis of their own. Which two belong to `layer`?


# %% tags=["exercise"]
def key_and_value(table, layer, layers):
    key = ...
    value = ...
    return key, value


check_key_and_value(key_and_value)


# %% tags=["solution"]
def key_and_value(table, layer, layers):
    pieces = table.view(len(table), 2 * layers, -1)  # (prefix_len, 2·layers, hidden)
    return pieces[:, 2 * layer], pieces[:, 2 * layer + 1]


check_key_and_value(key_and_value)

# %% [markdown] lang="en"
# ## With projection
#
# Li and Liang ([arXiv 2101.00190](https://arxiv.org/abs/2101.00190), section 4.3) found such a table unsteady to train.
# Their remedy: a **small** table, and an MLP that makes the wide rows from the narrow ones. All virtual tokens share
# the MLP.

# %%
projected_config = prefix_lab.PrefixTuningConfig(
    task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True, encoder_hidden_size=64
)


def untrained():
    torch.manual_seed(0)
    return prefix_lab.get_peft_model(model, projected_config)


projected = untrained().prompt_encoder["default"]
print(projected)

# %% [markdown] lang="en"
# ### Exercise 2 · the shape inside the projection
#
# PEFT's own encoder has been recorded at work, with projection. The stepper stands in its `forward`, before the lookup
# runs: look around (variables, calls, the lines above), then say what shape `prefix_tokens` will have. Answer there,
# or in the cell below. (The first recording takes some seconds: the names of the axes are proven.)

# %%
walk = record_walk("peft", projection=True, prefix_len=7, model=False)
question = predict(walk, "encode", "prefix_tokens", height="660px")
question

# %% [markdown] lang="en" tags=["hint"]
# The small table has `prefix_len` rows. How wide must a row be for the first `Linear` of the MLP, printed above? And
# how many texts look it up?

# %% tags=["exercise"]
prefix_tokens_shape = ...  # as a text, such as "(source, vocab)"

check_prefix_tokens(question, prefix_tokens_shape)

# %% tags=["solution"]
prefix_tokens_shape = "(batch, prefix_len, hidden)"

check_prefix_tokens(question, prefix_tokens_shape)

# %% [markdown] lang="en"
# Step on from there with the keys `n` and `N` (over a line, forwards and back) until `past_key_values` has its shape:
# it is as wide as without projection. What comes after the encoder cannot tell the two forms apart.

# %% [markdown] lang="en"
# ## What trains?
#
# ### Exercise 3 · parameters of both forms
#
# Count what trains: with the wide table alone, and with the small table and the MLP. A `Linear(a, b)` has `a·b`
# weights and `b` biases.

# %% [markdown] lang="en" tags=["hint"]
# The MLP is printed above: `Linear(hidden, encoder_hidden)`, `Tanh`, `Linear(encoder_hidden, 2·layers·hidden)`.

# %% [markdown] lang="en" tags=["hint"]
# Three parts for the projected form: `prefix_len * hidden`, then `(hidden + 1) * encoder_hidden`, then … The `+ 1` is
# the bias.


# %% tags=["exercise"]
def parameters(prefix_len, layers, hidden, encoder_hidden):
    table = ...
    projected = ...
    return table, projected


check_parameters(parameters)


# %% tags=["solution"]
def parameters(prefix_len, layers, hidden, encoder_hidden):
    row = 2 * layers * hidden
    table = prefix_len * row
    projected = prefix_len * hidden + (hidden + 1) * encoder_hidden + (encoder_hidden + 1) * row
    return table, projected


check_parameters(parameters)

# %%
print("as you count: ", parameters(20, 3, 128, 64))
print("as torch does:", tuple(sum(p.numel() for p in one.parameters()) for one in (encoder, projected)))

# %% [markdown] lang="en"
# For a t5-base: the table alone trains fewer numbers than LoRA; with PEFT's own width of the MLP, as wide as the
# model, the projection trains many more. Move the sliders.

# %%
ParameterBars("t5-base", prefix_len=20)

# %% [markdown] lang="en"
# The MLP costs the same for one virtual token and for a thousand; a row of the table costs 24 times as much as a small
# one. So the lines cross.

# %%
draw_forms(layers=12, hidden=768, encoder_hidden=(768, 64), prefix_len=20)

# %% [markdown] lang="en"
# `ShapeFlow` shows the same journey with any sizes. Set `projection` and `encoder_hidden`, and watch which boxes
# change: only those before `view`.

# %%
ShapeFlow(model, prefix_len=20, projection=True, encoder_hidden=64)

# %% [markdown] lang="en"
# ## Train it, then fold it
#
# Now let it learn: the tiny T5 sees bare words and should write them in capitals. 100 steps are not enough to do it
# well, but enough for the prefix to be worth keeping. (Lesson 3 trains in earnest.)

# %%
words = ["garden", "piano", "window"]
peft_model = untrained()
print("before:", answers(peft_model, tokenizer, words))
batches = task_batches(tokenizer, seen_words(), "upper", instruction=False, batch_size=8)
losses = train(peft_model, batches, steps=100, rate=1e-2)
print("after: ", answers(peft_model, tokenizer, words))
print(f"loss: {losses[0]:.2f} → {losses[-1]:.2f}")

# %% [markdown] lang="en"
# The virtual tokens are always 0, 1, 2, … 19. So the MLP is always given the same rows, and now that training is over,
# it always gives the same result. Why compute it again for every text?
#
# ### Exercise 4 · fold the projection away
#
# Compute the flat table, (prefix_len, 2·layers·hidden), that gives what the projected encoder gives: bit for bit.

# %% [markdown] lang="en" tags=["hint"]
# `encoder.embedding.weight` holds the narrow rows of all virtual tokens, in order. What did `forward` do with them?

# %% [markdown] lang="en" tags=["hint"]
# The MLP is `encoder.transform`: what does it take? Or let the encoder itself do everything, for one text with all
# virtual tokens, and take the batch axis away again. `.detach()` at the end lets go of the gradient's path.


# %% tags=["exercise"]
def fold(encoder):
    return ...


check_fold(fold)


# %% tags=["solution"]
def fold(encoder):
    return encoder.transform(encoder.embedding.weight).detach()


check_fold(fold)

# %% [markdown] lang="en"
# Does the model notice? We give the table to a prefix without projection, ours and PEFT's own, and compare what
# `get_prompt` hands to the model. (The next cell goes on with our `fold`, so that it runs even before yours does.)


# %%
def fold_ours(encoder):
    return encoder(torch.arange(encoder.embedding.num_embeddings)[None])[0].detach()


def same_prompt(one, other):
    layers = [model.get_prompt(2).self_attention_cache.layers for model in (one, other)]
    return all(torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in zip(*layers, strict=True))


table = fold_ours(peft_model.prompt_encoder["default"])
for library in (prefix_lab, peft):
    base, _ = load_tiny_t5()
    flat = library.get_peft_model(base, library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
    flat.prompt_encoder["default"].load_prompt_embeddings(table)
    print(f"{library.__name__:10} get_prompt equal, bit for bit:", same_prompt(peft_model, flat))
    print(f"{'':10} {answers(flat.eval(), tokenizer, words)}")

# %% [markdown] lang="en"
# Here is what was learnt, with the last axis cut up: a key and a value for each layer are 2·layers pieces, each with
# its heads. Move the sliders from piece to piece; the even ones are keys.

# %%
TensorView(table.view(20, 6, 4, 32), "prefix_len 2·layers heads head_dim", show=("prefix_len", "head_dim"))

# %% [markdown] lang="en"
# ## Why an encoder in inference mode has no `transform`
#
# Because what is saved has been folded already. `save_pretrained` writes the flat table and sets `inference_mode=True`.
# When PEFT builds an encoder in inference mode, it makes the wide table alone, ready to be filled from the file. In
# PEFT's `__init__`, look for the condition:

# %%
print(inspect.getsource(peft.PrefixEncoder.__init__))

# %%
with tempfile.TemporaryDirectory() as folder:
    peft_model.save_pretrained(folder)
    base, _ = load_tiny_t5()
    served = peft.PeftModel.from_pretrained(base, folder)  # PEFT reads what we wrote

theirs = served.prompt_encoder["default"]
print("projection in the config:", served.active_peft_config.prefix_projection)
print("inference mode:          ", served.active_peft_config.inference_mode)
print("has a transform:         ", hasattr(theirs, "transform"))
print("its table is our table:  ", torch.equal(theirs.embedding.weight, table))

# %% [markdown] lang="en"
# The config still says `prefix_projection=True`, but nothing is there to project with. So this encoder cannot be
# called, and `get_prompt` does not call it: in inference mode it reads the table itself, as the marked lines show.

# %%
show_stage(
    "split", mark=("inference_mode", "embedding.weight.repeat"), also=("prefix_lab.models.PeftModel.encode_prefix",)
)

# %%
complaints = {
    "PEFT's encoder, called": lambda: theirs(torch.arange(20)),
    "ours, called": lambda: prefix_lab.PrefixEncoder(ours_config)(torch.arange(20)),
    "a table for a projection": lambda: projected.load_prompt_embeddings(table),
}
ours_config = prepare_prompt_learning_config(
    prefix_lab.PrefixTuningConfig(num_virtual_tokens=20, prefix_projection=True, inference_mode=True), model.config
)
for name, call in complaints.items():
    try:
        call()
    except (AttributeError, ValueError) as error:
        print(f"{name}:\n    {type(error).__name__}: {error}")

# %% [markdown] lang="en"
# ## What you have seen
#
# - The encoder is a lookup; with projection, a lookup and an MLP. Its rows hold a key and a value for each layer.
# - The projection is scaffolding: it shapes the training, and is folded into the flat table before anything is saved.
# - There is no way back: from the table nobody can find the MLP again. (What that means for training on from a file is
#   in lesson 12.)
#
# Read next: `prefix_lab/encoder.py`, one screen; then `peft/tuners/prefix_tuning/model.py`. PEFT's encoder came from
# that of P-tuning v2 (Liu and others, “P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across
# Scales and Tasks”, 2021, [arXiv 2110.07602](https://arxiv.org/abs/2110.07602)), whose names
# `prefix_lab/beside/initialization.py` translates.

# %%
show_progress(6)
