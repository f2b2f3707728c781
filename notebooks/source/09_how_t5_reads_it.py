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
# half, by looking at gradients; you find the culprit, by stopping in the attention layers; then you predict for which
# models it happens. At the end you will be able to
#
# - show, for any model, which of its parameters never learn;
# - say which rows of the prefix a decoder layer reads, and which layers share one;
# - give encoder, decoder and cross-attention a prefix each.
#
# It takes about 30 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import peft
import torch
from transformers.models.t5.modeling_t5 import T5Attention

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, make_batch, show_progress, show_stage, train, world_task
from prefix_lab.course.experiments import show
from prefix_lab.course.lessons.lesson_08 import draw_reading
from prefix_lab.course.lessons.lesson_09 import (
    check_crossing,
    check_encoder_sees,
    check_rows_of,
    check_silent_rows,
    check_twins,
    deep_t5,
    draw_rows,
)
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes
from prefix_lab.widgets import ReshapeView, ShapeFlow, Stepper

# %% [markdown] lang="en"
# ## The case
#
# The T5 of our small world has three layers in its encoder and three in its decoder. T5-small has six, T5-base twelve,
# and BART has six or twelve. To have an even number, too, we give ours a fourth: its second layer stands there twice.
# It still writes in every manner. PEFT wraps it with five virtual tokens, which are to replace the word `question`.

# %%
model, tokenizer = deep_t5(layers=4)  # or any T5 or BART; with an odd number of layers the case is another: see below
task = world_task("SEQ_2_SEQ_LM", "question")
records, questions, _ = zip(*task.examples("train")[:2], strict=True)
batch = make_batch(tokenizer, list(records), list(questions))

torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
peft_model = peft.get_peft_model(model, config)
peft_model.print_trainable_parameters()

weight = peft_model.prompt_encoder["default"].embedding.weight  # (prefix_len, 2·layers·hidden)
at_first = weight.detach().clone()
train(peft_model, task, steps=60, rate=0.1, tokenizer=tokenizer, measured_on=1, progress="")  # as in lesson 3
print(records[0])
print(task.answers(peft_model, tokenizer, task.examples("train")[:1])[0])
moved = weight != at_first
print(f"{weight.numel():,} {moved.sum():,}")

# %% [markdown] lang="en"
# It has learnt to ask. So where is the crime? Look at the last line: PEFT says that 5,120 numbers train, and only
# 2,560 have moved, by however little. Exactly half: that is no accident.
#
# A number that gets no gradient never moves. A virtual token's vector consists of 2·layers rows: key of layer 0, value
# of layer 0, key of layer 1, … In which rows is the gradient zero?

# %%
peft_model.zero_grad()
peft_model(**batch).loss.backward()
gradient = weight.grad
print(tuple(gradient.shape), int((gradient == 0).sum()))

# %% [markdown] lang="en"
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
after_exercise(1, draw_rows(gradient, {"decoder": 4}, "peft, layers=4"))

# %% [markdown] lang="en"
# Keys and values of “layer 1” and “layer 3” are dead. So do layers 1 and 3 have no prefix at all?
#
# ## A witness in each layer
#
# Go and see. The next stop is in T5's own attention, once in each decoder layer, before it has done anything. What has
# its cache got?
#
# ### Exercise 2 · the twins
#
# Look at the first key's first numbers in all four layers. Which layer has the same prefix as layer 0? And as layer 1?
# Run the cell with the stop by itself, ask, and write what you found into the cell below it.

# %% [markdown] lang="en" tags=["hint"]
# `c` leads to the next layer. Ask the same in each: `p self.layer_idx`, and the long question from the suggestions.

# %% [markdown] lang="en" tags=["hint"]
# Four numbers of layers, and four answers: two and two of them are alike, to the last digit.

# %%
with stop_at(
    "attend",
    where="transformers",
    suggest=[
        "p self.layer_idx",
        "p past_key_values.self_attention_cache.layers[self.layer_idx].keys[0, 0, 0, :3]",
        "c",
    ],
) as stop:
    peft_model(**batch)

# %% tags=["exercise"]
check_twins(stop, {"twin_of_0": ..., "twin_of_1": ...})

# %% tags=["solution"]
with stop_at(
    "attend",
    where="transformers",
    commands=["p past_key_values.self_attention_cache.layers[self.layer_idx].keys[0, 0, 0, :3]", "c"] * 4,
) as stop:
    peft_model(**batch)

check_twins(stop, {"twin_of_0": 2, "twin_of_1": 3})

# %% [markdown] lang="en"
# Nobody goes without. But two and two share one: somebody took rows twice, and left others lying.
#
# ## The other attention
#
# A decoder layer attends twice: to what it has written (self-attention, where you just were), and to what the encoder
# has read (cross-attention). Is the missing half there? The next stop is in the same function, `T5Attention.forward`,
# when it has been given the encoder's states.
#
# ### Exercise 3 · does cross-attention get a prefix?
#
# How many keys are in its part of the cache when it begins? And at how many does it look in the end?

# %% [markdown] lang="en" tags=["hint"]
# The suggestions ask for the first. For the second, run to the end of the function (`r`), where `key_states` are the
# keys that were looked at.

# %%
with stop_at(
    T5Attention.forward,
    condition="key_value_states is not None",  # cross-attention alone
    suggest=["p key_value_states.shape", "p past_key_values.cross_attention_cache.get_seq_length(self.layer_idx)", "r"],
) as stop:
    peft_model(**batch)

# %% tags=["exercise"]
check_crossing(stop, {"cached": ..., "keys": ...})

# %% tags=["solution"]
with stop_at(
    T5Attention.forward,
    condition="key_value_states is not None",
    commands=[
        "p past_key_values.cross_attention_cache.get_seq_length(self.layer_idx)",
        "r",
        "p key_states.shape",
        "c",
    ],
) as stop:
    peft_model(**batch)

check_crossing(stop, {"cached": 0, "keys": 18})

# %% [markdown] lang="en"
# Its keys are those of the source, and nothing else. Self-attention alone reads the prefix. Here it is on words, as in
# lesson 8: the more of its attention a head gives to the prefix, the fuller the cell. (`<pad>` is where T5 begins to
# write, and what is written *at* a word is the next word.)

# %%
with torch.no_grad():
    seen = peft_model(**batch, output_attentions=True)
written = tokenizer.convert_ids_to_tokens([model.config.decoder_start_token_id, *batch["labels"][0]][:-1])
draw_reading(seen.decoder_attentions, written, prefix_len=5)

# %% [markdown] lang="en"
# Most at the beginning, where T5 decides to ask. (The twins, layers 0 and 2, look at the same keys, each with queries
# of its own.) But where do the missing rows lie? It must have happened earlier, where the long vector is cut.
#
# ## The scene
#
# Here is a recording of PEFT's `get_prompt` at work. The stepper stands at the suspect's line. Step over it with `n`,
# and watch the shape of `past_key_values`; go back with `N`.

# %%
with record(["peft"], keep="statistics") as recording:
    peft_model.get_prompt(batch_size=2)
recording = recording.with_names(name_axes("T5, direct"))
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
# ### Exercise 4 · which rows a decoder layer reads
#
# The rows 0, 1, …, 2·layers-1 are put there twice, one after the other, and cut in fours. A layer reads the first two
# of its four. Which rows are these: its key's, and its value's?

# %% [markdown] lang="en" tags=["hint"]
# For 4 layers the doubled rows are 0 1 2 3 | 4 5 6 7 | 0 1 2 3 | 4 5 6 7. What does layer 2 get?

# %% [markdown] lang="en" tags=["hint"]
# The four of a layer begin at place `4 * layer`. But there are only `2 * layers` different rows, and after the last
# one comes row 0 again, as on a clock.


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
    suspect = peft.get_peft_model(deep_t5(layers)[0], config)
    suspect(**batch).loss.backward()
    gradient = suspect.prompt_encoder["default"].embedding.weight.grad
    strength = gradient.view(5, 2 * layers, -1).abs().sum(dim=(0, 2))
    return strength.eq(0).nonzero().flatten().tolist()


solved = check_rows_of(rows_of).passed
for layers in (2, 3, 4, 5, 6):
    print(f"{layers=} silent_rows={measure(layers)}")
    if solved:
        print("         rows_of", [rows_of(layer, layers) for layer in range(layers)])

# %% [markdown] lang="en"
# With an odd number of layers every row is read, and read once: the second time round, the fours fall on the other
# rows. (They belong to other layers than one would think, but training does not mind.) That is why the three layers of
# our T5 lose nothing. But t5-small, base and large, and BART, have an even number:

# %%
ShapeFlow("t5-base", prefix_len=20)

# %% [markdown] lang="en"
# 184,320 of the 368,640 parameters that PEFT counts for t5-base never learn; they are saved all the same. And layers 0
# and 6, 1 and 7, … must make do with one prefix for two. It does not break training, as you saw. It only makes a prefix
# weaker than its size says.

# %% [markdown] lang="en"
# ## And the encoder?
#
# One suspicion is left. In Figure 2 of the paper (Xiang Lisa Li and Percy Liang, “Prefix-Tuning: Optimizing Continuous
# Prompts for Generation”, 2021, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)) an encoder-decoder has a prefix
# before the source **and** one before the target. Does PEFT's reach the encoder?
#
# ### Exercise 5 · which measurement tells?
#
# Run the model twice, with the prefix and without it (`with peft_model.disable_adapter():`), and compare. What has to
# be compared to know whether the *encoder* reads the prefix?
#
# - `"a"`: the logits;
# - `"b"`: the loss;
# - `"c"`: `encoder_last_hidden_state`, the encoder's output;
# - `"d"`: the gradients of the encoder's weights.

# %% [markdown] lang="en" tags=["hint"]
# Which of them would be the same with and without a prefix, if the decoder alone read it?

# %% tags=["exercise"]
check_encoder_sees(...)

# %% tags=["solution"]
check_encoder_sees("c")

# %%
with torch.no_grad():
    with_prefix = peft_model(**batch)
    with peft_model.disable_adapter():
        without = peft_model(**batch)
for name in ("logits", "encoder_last_hidden_state"):
    print(name, torch.equal(with_prefix[name], without[name]))

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
mended = prefix_lab.get_peft_model(deep_t5(layers=4)[0], config)
mended.print_trainable_parameters()
mended(**batch).loss.backward()
mended_gradient = mended.prompt_encoder["default"].embedding.weight.grad
draw_rows(mended_gradient, {"encoder": 4, "decoder": 4, "cross-attention": 4}, "paper, layers=4")

# %% [markdown] lang="en"
# Is it worth it? A small contest: both are to ask a question about a place, and both train 12,288 numbers, 12 virtual
# tokens in PEFT's layout and 4 in the paper's. What is printed is the loss at the end, and how many of the questions
# about 60 unseen places are right. It takes about ten seconds.

# %%
for layout, prefix_len in (("peft", 12), ("paper", 4)):
    base, _ = deep_t5(layers=4)
    torch.manual_seed(0)
    config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=prefix_len, layout=layout)
    contestant = prefix_lab.get_peft_model(base, config)
    losses = train(contestant, task, steps=60, rate=0.1, tokenizer=tokenizer, measured_on=1, progress="")
    right = task.score(contestant, tokenizer, task.examples("test")[:60])
    print(f"{layout:6} {contestant.get_nb_trainable_parameters()[0]:,} {sum(losses[-10:]) / 10:.3f} {right:.0%}")

# %% [markdown] lang="en"
# A little, here: the decoder can do most of this work alone. Where the encoder has to read otherwise than it was
# taught, the layout decides. That was measured with another tiny T5, which reads letters and has to write words
# backwards without being told:

# %%
show("encoder")

# %% [markdown] lang="en"
# ## What you have seen
#
# - A count of trainable parameters says what *may* learn. What *does* learn, only a gradient tells.
# - For an even number of layers PEFT's layout leaves half of a T5's prefix unread, and couples layers i and
#   i + layers/2. We keep it by default, to be equal with PEFT bit for bit, and `layout="paper"` stands beside it.
# - The encoder never sees PEFT's prefix, and cross-attention has none.
#
# Read next: the docstring of `encoder_decoder_cache` in `prefix_lab/past.py`, the whole story in six lines; then
# `prefix_lab/beside/paper_layout.py`, which hands a cache to an encoder that was never meant to have one.
# `tests/parity` checks that ours has the same dead rows as PEFT.

# %%
show_progress(9)
