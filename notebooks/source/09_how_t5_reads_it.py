# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 09 · How T5 reads it: a detective story
#
# PEFT says how many parameters of a T5's prefix train. Often only half of them do. In this lesson you find the missing
# half, by looking at gradients; then the place where it gets lost; then you predict for which models it happens. At
# the end you will be able to
#
# - show, for any model, which of its parameters never learn;
# - say which rows of the prefix a decoder layer reads, and which layers share one;
# - give encoder, decoder and cross-attention a prefix each.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab.course import (
    after_exercise,
    exact_match,
    held_out_words,
    load_tiny_t5,
    make_batch,
    record_prompt,
    seen_words,
    show_progress,
    show_stage,
    small_t5,
    task_batches,
    train,
)
from prefix_lab.course.lessons.lesson_09 import check_encoder_sees, check_rows_of, check_silent_rows, draw_rows
from prefix_lab.widgets import ReshapeView, ShapeFlow, Stepper

# %% [markdown] lang="en"
# ## The case
#
# A T5 with four encoder layers and four decoder layers, wrapped by PEFT itself. How many of its trainable numbers will
# get a gradient from a batch?

# %%
model = small_t5(layers=4)  # or any T5 or BART; with an odd number of layers the case is another: see below
_, tokenizer = load_tiny_t5()  # reads bytes; for a model of yours, take its own tokenizer

torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
peft_model = peft.get_peft_model(model, config)
peft_model.print_trainable_parameters()

batch = make_batch(tokenizer, ["who did it?", "when?"], ["the cat", "at night"])
peft_model(**batch).loss.backward()
gradient = peft_model.prompt_encoder["default"].embedding.weight.grad  # (prefix_len, 2·layers·hidden)
print(f"numbers that train: {gradient.numel():,}; without any gradient: {(gradient == 0).sum():,}")

# %% [markdown] lang="en"
# Half of them, and exactly half: that is no accident. In which rows are they? A virtual token's vector consists of
# 2·layers rows: key of layer 0, value of layer 0, key of layer 1, …
#
# ### Exercise 1 · rows that never learn
#
# Find the rows in which no number of any virtual token has a gradient.

# %% [markdown] lang="en" tags=["hint"]
# `gradient.view(len(gradient), 2 * layers, -1)` is (prefix_len, 2·layers, hidden). Which two axes have to go?

# %% [markdown] lang="en" tags=["hint"]
# A sum may be zero by chance, +1 and -1. So take the signs away before you add up, and see which rows are exactly 0.


# %% tags=["exercise"]
def silent_rows(gradient, layers):
    return ...  # a list of row numbers


check_silent_rows(silent_rows)


# %% tags=["solution"]
def silent_rows(gradient, layers):
    rows = gradient.view(len(gradient), 2 * layers, -1)  # (prefix_len, 2·layers, hidden)
    strength = rows.abs().sum(dim=(0, 2))  # (2·layers,)
    return [row for row in range(2 * layers) if strength[row] == 0]


check_silent_rows(silent_rows)

# %%
after_exercise(1, draw_rows(gradient, {"decoder": 4}, "PEFT's layout, 4 layers: which rows get a gradient?"))

# %% [markdown] lang="en"
# Keys and values of "layer 1" and "layer 3" are dead. So do layers 1 and 3 have no prefix at all?
#
# ## The twins
#
# Look at what the layers really get.

# %%
layers = peft_model.get_prompt(batch_size=1).self_attention_cache.layers
for first in range(4):
    same = [second for second in range(4) if torch.equal(layers[first].keys, layers[second].keys)]
    print(f"decoder layer {first} has the same keys as layers {same}")

# %% [markdown] lang="en"
# Each has a prefix, but two and two share one: layers 0 and 2, layers 1 and 3. Somebody took rows twice, and left
# others lying.
#
# ## The scene
#
# It must have happened where the long vector is cut. The stepper stands in PEFT's `get_prompt`, at the suspect's
# line. Step over it with `n`, and watch the shape of `past_key_values`; go back with `N`.

# %%
recording = record_prompt("peft", "T5", layers=4)
suspect = next(step for step in recording.steps if "torch.cat([past_key_values" in step.text)
Stepper(recording, at=suspect, height="560px")

# %% [markdown] lang="en"
# The rows are doubled, so that there are four for each layer: two for the decoder's own attention, two for
# cross-attention. Then they are split in fours. And then the cache of cross-attention is emptied, since it is to be
# filled from the encoder. Walk it through at tiny sizes: which numbers arrive, and which are nowhere at the end?

# %%
ReshapeView("T5", sizes={"batch": 1, "prefix_len": 2, "layers": 4, "heads": 1, "head_dim": 2})

# %%
show_stage(
    "split",
    mark=("torch.cat([", ".split(", "num_transformer_submodules * 2", "cross_attention_cache = DynamicCache()"),
    also=("prefix_lab.past.encoder_decoder_cache",),
)

# %% [markdown] lang="en"
# ### Exercise 2 · which rows a decoder layer reads
#
# The rows 0, 1, …, 2·layers-1 are put there twice, one after the other, and cut in fours. A layer reads the first two
# of its four. Which rows are these: its key's, and its value's?

# %% [markdown] lang="en" tags=["hint"]
# For 4 layers the doubled rows are 0 1 2 3 | 4 5 6 7 | 0 1 2 3 | 4 5 6 7. What does layer 2 get?

# %% [markdown] lang="en" tags=["hint"]
# The four of a layer begin at place `4 * layer`. There are only `2 * layers` rows; after the last one comes row 0
# again: `%`.


# %% tags=["exercise"]
def rows_of(layer, layers):
    key_row = ...
    value_row = ...
    return key_row, value_row


check_rows_of(rows_of)


# %% tags=["solution"]
def rows_of(layer, layers):
    key_row = 4 * layer % (2 * layers)
    return key_row, key_row + 1


check_rows_of(rows_of)

# %% [markdown] lang="en"
# ## Predict
#
# What does your formula say of a T5 with **three** layers? With five, with six? Decide first: which rows are dead,
# which layers are twins? The next cell measures all of them.


# %%
def measure(layers):
    torch.manual_seed(0)
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
    suspect = peft.get_peft_model(small_t5(layers), config)
    suspect(**batch).loss.backward()
    gradient = suspect.prompt_encoder["default"].embedding.weight.grad
    strength = gradient.view(5, 2 * layers, -1).abs().sum(dim=(0, 2))
    return strength.eq(0).nonzero().flatten().tolist()


solved = check_rows_of(rows_of).passed
for layers in (2, 3, 4, 5, 6):
    print(f"{layers} layers: dead rows {measure(layers) or 'none'}")
    if solved:
        print(f"{'':9} you say the layers read {[rows_of(layer, layers) for layer in range(layers)]}")

# %% [markdown] lang="en"
# With an odd number of layers every row is read, and read once: the second time round, the fours fall on the other
# rows. (They belong to other layers than one would think, but training does not mind.) The tiny T5 of lesson 1 has
# three layers, so nothing was lost there. But t5-small, base and large, and BART, have an even number:

# %%
ShapeFlow("t5-base", prefix_len=20)

# %% [markdown] lang="en"
# 184,320 of the 368,640 parameters that PEFT counts for t5-base never learn; they are saved all the same. And layers 0
# and 6, 1 and 7, … must make do with one prefix for two. It does not break training. It only makes a prefix weaker
# than its size says.

# %% [markdown] lang="en"
# ## And the encoder?
#
# One suspicion is left. In Figure 2 of the paper (Li and Liang, “Prefix-Tuning: Optimizing Continuous Prompts for
# Generation”, 2021, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)) an encoder-decoder has a prefix before the
# source **and** one before the target. Does PEFT's reach the encoder?
#
# ### Exercise 3 · does the encoder see the prefix?
#
# Make the experiment. `peft_model(**batch).encoder_last_hidden_state` is what the encoder gives; within
# `with peft_model.disable_adapter():` the model answers without its prefix. Return True if the prefix makes a
# difference.

# %% [markdown] lang="en" tags=["hint"]
# Two runs, one of them inside `disable_adapter()`. Compare with `torch.equal`, which is True for equal tensors.


# %% tags=["exercise"]
def encoder_sees(peft_model, batch):
    return ...


check_encoder_sees(encoder_sees)


# %% tags=["solution"]
def encoder_sees(peft_model, batch):
    with_prefix = peft_model(**batch).encoder_last_hidden_state
    with peft_model.disable_adapter():
        without = peft_model(**batch).encoder_last_hidden_state
    return not torch.equal(with_prefix, without)


check_encoder_sees(encoder_sees)

# %% [markdown] lang="en"
# ## Mended
#
# `layout="paper"` is ours, beside PEFT's. The vector of a virtual token has rows for the encoder's layers, then for the
# decoder's, as in that figure, and then for the decoder's cross-attention, as in the code that the authors published
# ([seq2seq/prefixTuning.py](https://github.com/XiangLi1999/PrefixTuning), `use_encoder_prefix` and `use_cross_prefix`).
# Three times as many rows, and each is read by one layer. Here is the case again.

# %%
torch.manual_seed(0)
config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, layout="paper")
mended = prefix_lab.get_peft_model(small_t5(layers=4), config)
mended.print_trainable_parameters()
mended(**batch).loss.backward()
mended_gradient = mended.prompt_encoder["default"].embedding.weight.grad
draw_rows(mended_gradient, {"encoder": 4, "decoder": 4, "cross-attention": 4}, "The paper's layout, 4 layers")

# %% [markdown] lang="en"
# Is it worth it? A small contest on the tiny T5, which is to write words backwards without being told. To be fair,
# both sides train about the same number of parameters: 20 virtual tokens in PEFT's layout, 7 in the paper's. (Its
# three layers lose nothing to dead rows, so what you see is the encoder's and cross-attention's part. About 15
# seconds.)

# %%
for layout, prefix_len in (("peft", 20), ("paper", 7)):
    base, tokenizer = load_tiny_t5()
    torch.manual_seed(0)
    contestant = prefix_lab.get_peft_model(
        base, prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=prefix_len, layout=layout)
    )
    batches = task_batches(tokenizer, seen_words(), "reverse", instruction=False, batch_size=16)
    losses = train(contestant, batches, steps=120, rate=3e-2)
    right = exact_match(contestant, tokenizer, held_out_words()[:100], "reverse", instruction=False)
    trains = contestant.get_nb_trainable_parameters()[0]
    print(f"{layout:6} {trains:,} parameters: loss {losses[-1]:.2f}, {right:.0%} of unseen words right")

# %% [markdown] lang="en"
# ## What you have seen
#
# - A count of trainable parameters says what *may* learn. What *does* learn, only a gradient tells.
# - For an even number of layers PEFT's layout leaves half of a T5's prefix unread, and couples layers i and
#   i + layers/2. We keep it by default, to be equal with PEFT bit for bit, and `layout="paper"` stands beside it.
# - The encoder never sees PEFT's prefix, and cross-attention has none. In the contest, that made the difference.
#
# Read next: the docstring of `encoder_decoder_cache` in `prefix_lab/past.py`, the whole story in six lines; then
# `prefix_lab/beside/paper_layout.py`, which hands a cache to an encoder that was never meant to have one.
# `tests/parity` checks that ours has the same dead rows as PEFT.

# %%
show_progress(9)
