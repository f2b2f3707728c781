# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 03 · Train it
#
# Our model reverses a word if you write `reverse: ` before it. Can ten virtual tokens say the same, to a model in which
# not one number may change? You will find out in this lesson. At the end you will be able to
#
# - write the training loop of a prefix, and say what the optimizer gets;
# - prove that the base model is unchanged;
# - see which rows of the prefix learnt, and where attention looks.
#
# It takes about 25 minutes; the training itself less than one, on your CPU.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab.beside.paper_layout import OneLayerPast
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    LiveTraining,
    answers,
    before_and_after,
    digest,
    exact_match,
    held_out_words,
    load_tiny,
    load_tiny_t5,
    make_batch,
    rate_at,
    seen_words,
    show_progress,
    show_stage,
    table,
    task_batches,
    train,
    world_task,
)
from prefix_lab.course.experiments import show
from prefix_lab.course.experiments.pictures import draw_attention_to_prefix, first_keys, nearest_words
from prefix_lab.course.lessons.lesson_03 import (
    check_moved,
    check_step,
    check_what_trains,
    draw_attention,
    draw_rows,
    sharpest,
)

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Before: with the instruction, and without
#
# All measuring is done on words that no training has seen, and an answer counts only if every letter is right.
#
# Another model? Load it in this line, any encoder-decoder of T5's or BART's kind, from a folder or a hub name. It will
# not know `reverse: ` unless somebody taught it, so compare with its own instruction; and a larger one takes longer.

# %%
model, tokenizer = load_tiny_t5()
task, words = "reverse", held_out_words()
instructed = exact_match(model, tokenizer, words, task, instruction=True)
bare = exact_match(model, tokenizer, words, task, instruction=False)
print(
    f"{len(words)} held-out words, exact match with the instruction {100 * instructed:.1f} %, bare {100 * bare:.1f} %"
)
for word, answer in zip(words[:3], answers(model, tokenizer, words[:3]), strict=True):
    print(f"{word:10} → {answer}")

# %% [markdown] lang="en"
# Without the instruction the model does something, but not this. Now the prefix. Its parameters are all that trains.
#
# PEFT puts a prefix into the decoder's self-attention alone. `layout="paper"` gives one to encoder, decoder and
# cross-attention each. (Figure 2 of Li and Liang, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190), shows it before
# encoder and decoder; the code that they published has it in cross-attention, too.) So a virtual token is a key and a
# value in three places of three layers, 18 rows of 128 numbers. We train both layouts, and compare. `encode="once"`
# only saves time.

# %%
torch.manual_seed(0)
config = prefix_lab.PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=10, layout="paper", encode="once")
peft_model = prefix_lab.get_peft_model(model, config)
peft_model.print_trainable_parameters()

base_before = digest(model)  # a fingerprint of all its numbers
table_before = peft_model.prompt_encoder["default"].embedding.weight.detach().clone()
print("fingerprint of the base:", base_before)

# %% [markdown] lang="en"
# ### Exercise 1 · what the optimizer gets
#
# Write a function that lists the parameters that train, of any wrapped model.

# %% [markdown] lang="en" tags=["hint"]
# `model.parameters()` gives all of them. What did wrapping set on those of the base, so that they do not train? (Lesson
# 2, stage 3.)


# %% tags=["exercise"]
def what_trains(model):
    return ...


check_what_trains(what_trains)


# %% tags=["solution"]
def what_trains(model):
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


check_what_trains(what_trains)

# %% [markdown] lang="en"
# ### Exercise 2 · one step of training
#
# Forward, forget the old gradient, backward, step. `model(**batch).loss` is the loss; return it as a plain number.

# %% [markdown] lang="en" tags=["hint"]
# The names are `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, `loss.item()`.

# %% [markdown] lang="en" tags=["hint"]
# `zero_grad` may stand anywhere before `backward`, but never between `backward` and `step`.


# %% tags=["exercise"]
def training_step(model, batch, optimizer):
    loss = ...
    return ...


check_step(training_step)


# %% tags=["solution"]
def training_step(model, batch, optimizer):
    loss = model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


check_step(training_step)

# %% [markdown] lang="en"
# ## Train
#
# This is the whole loop, nothing hidden. Two lines are new: the rate rises at first and then falls (`rate_at`), and
# a gradient that is too long is cut (`clip_grad_norm_`). The rate, 0.1, is far higher than one would take for a whole
# model: a prefix starts far from anything useful, and breaks nothing on its way.

# %%
steps = 400
torch.manual_seed(0)
peft_model.prompt_encoder["default"].load_prompt_embeddings(table_before)  # each run of this cell begins anew
parameters = [parameter for parameter in peft_model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(parameters, weight_decay=0.0)
batches = task_batches(tokenizer, seen_words(), task, instruction=False, batch_size=16)
live = LiveTraining(steps, start=bare, goal=instructed)

peft_model.train()
for step, batch in zip(range(steps), batches, strict=False):
    for group in optimizer.param_groups:
        group["lr"] = rate_at(step, steps, 0.1)
    loss = peft_model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    live.add(loss.item())
    if (step + 1) % 40 == 0:
        live.measured(exact_match(peft_model, tokenizer, words[:128], task, instruction=False))

# %% [markdown] lang="en"
# ## After
#
# Now we measure on all held-out words. And is the base still the same, to the last bit?

# %%
peft_model.eval()
prefixed = exact_match(peft_model, tokenizer, words, task, instruction=False)
print(f"exact match: bare {100 * bare:.1f} %, with the prefix {100 * prefixed:.1f} %, ", end="")
print(f"with the instruction {100 * instructed:.1f} %")
print("the base has its fingerprint still:", digest(model) == base_before)

right = [one[::-1] for one in words[:8]]
table(
    ("word", "with the prefix", "right"),
    zip(words[:8], answers(peft_model, tokenizer, words[:8]), right, strict=True),
)

# %% [markdown] lang="en"
# Nothing was written before the words. The model reverses them because each of its attention layers reads ten keys and
# ten values more, which no text has ever made.
#
# *Short path: go on to lesson 07 from here.*

# %% [markdown] lang="en"
# ## Stand where a layer reads it
#
# With this layout an encoder layer gets its prefix through `OneLayerPast.update`, as it would get a cache. Stop there
# before the two are joined, prefix_len and source, and look one call further up: T5's own attention, once a layer.

# %%
one_word = make_batch(tokenizer, ["garden"], ["nedrag"])
with stop_at(
    OneLayerPast.update,
    commands=["p tuple(self.key.shape), tuple(key.shape)", "u", "p type(self).__name__, self.layer_idx", "c"]
    + 2 * ["u", "p type(self).__name__, self.layer_idx", "c"],
    debugger="pdb",
):
    output = peft_model(**one_word)
print(f"loss on garden → nedrag: {output.loss.item():.5f}")

# %% [markdown] lang="en"
# ### Exercise 3 · how far did each row move?
#
# `before` and `after` are (prefix_len, rows·hidden): each virtual token's keys and values, one row after the other.
# Return how far each row moved, (prefix_len, rows): the length of the change over `hidden`.

# %% [markdown] lang="en" tags=["hint"]
# `view(prefix_len, rows, -1)` cuts the width into rows of `hidden` numbers.

# %% [markdown] lang="en" tags=["hint"]
# `tensor.norm(dim=-1)` is the length along the last axis.


# %% tags=["exercise"]
def distance(before, after, rows):
    return ...


check_moved(distance)


# %% tags=["solution"]
def distance(before, after, rows):
    change = (after - before).view(len(before), rows, -1)
    return change.norm(dim=-1)


check_moved(distance)

# %% [markdown] lang="en"
# Here are all of them. Encoder, decoder and cross-attention have a key and a value in each of three layers, 18 rows.
# In this layout each is read by one layer, so each one learns.

# %%
table_after = peft_model.prompt_encoder["default"].embedding.weight.detach()
rows = 2 * (config.encoder_layers + 2 * config.num_layers)
moved = (table_after - table_before).view(config.num_virtual_tokens, rows, config.token_dim).norm(dim=-1)
draw_rows(moved, config.num_layers)

# %% [markdown] lang="en"
# ## Where attention looks
#
# Left, how much of each head's attention goes to the prefix, while the model reads `garden` and writes `nedrag`. Right,
# the cross-attention head that looks hardest at single letters.

# %%
model.set_attn_implementation("eager")  # the one that keeps its weights to be looked at
with torch.no_grad():
    looked = peft_model(**one_word, output_attentions=True)
model.set_attn_implementation("sdpa")  # and back
layer, head = sharpest(looked, len("garden"), config.num_virtual_tokens)
draw_attention(looked, config.num_virtual_tokens, [*"garden", "end"], [*"nedrag", "end"], layer, head)

# %% [markdown] lang="en"
# Some heads look at almost nothing but the prefix: whatever the word is, they give the same. Others hardly look at it,
# and read the word as they always did. The right picture shows the reversing itself: for each letter that is written,
# the head looks at the letter to copy. The model could do that before; the prefix only has to ask for it.

# %% [markdown] lang="en"
# ## PEFT's own layout
#
# The same words, steps and rate, with PEFT itself. Its prefix stands in the decoder's self-attention alone; to be fair,
# it gets 30 virtual tokens, so that as many parameters train. The paper's forward is ours for PEFT's layout with one
# line around it:

# %%
show_stage(
    "attend",
    mark=("encoder_prefix(self)", "get_prompt("),
    also=("prefix_lab.beside.paper_layout.PeftModelForSeq2SeqLM.forward",),
)

# %%
fresh_model, _ = load_tiny_t5()
torch.manual_seed(0)
their_config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=30)
their_model = peft.get_peft_model(fresh_model, their_config)
their_batches = task_batches(tokenizer, seen_words(), task, instruction=False, batch_size=16)
their_losses = train(their_model, their_batches, steps, 0.1)
theirs = exact_match(their_model, tokenizer, words, task, instruction=False)

ours_trains, theirs_trains = (one.get_nb_trainable_parameters()[0] for one in (peft_model, their_model))
table(
    ("the model is told by", "parameters that train", "exact match, %"),
    [
        ("nothing", 0, f"{100 * bare:.1f}"),
        ("PEFT's prefix, decoder alone", f"{theirs_trains:,}", f"{100 * theirs:.1f}"),
        ("the paper's prefix, all three", f"{ours_trains:,}", f"{100 * prefixed:.1f}"),
        ("the words reverse: ", 0, f"{100 * instructed:.1f}"),
    ],
)

# %% [markdown] lang="en"
# The number of parameters does not explain it; the place does. By the time the decoder reads its prefix, the encoder
# has read the word without knowing what for. More steps help PEFT's prefix, though not that far: try `steps = 1200` for
# it, about half a minute. Our code writes PEFT's layout too, bit for bit: leave `layout` out, and you have it.

# %% [markdown] lang="en"
# ## On a model that writes sentences
#
# `load_tiny("gpt2")` is as small as our T5, and knows a small world: places to eat, and what people say about them in
# six manners. With `plain : ` before a place's record it describes the place. With the record alone it praises or
# complains, since nobody said what to do. A record in, a sentence out: this is the paper's own task, and
# `world_task("CAUSAL_LM")` has its examples. `train` is your loop from above, with the measuring and the fingerprint in
# it; it takes any model and any task, also one from a file of your own (`task_from_file("mine.csv")`).

# %%
gpt2, its_tokenizer = load_tiny("gpt2")
described = world_task("CAUSAL_LM")
torch.manual_seed(0)
gpt2_config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
prefixed_gpt2 = peft.get_peft_model(gpt2, gpt2_config)
train(prefixed_gpt2, described, steps=40, tokenizer=its_tokenizer, measured_on=20, progress="")

# %% [markdown] lang="en"
# Read what it writes of places that no training has seen, without the prefix and with it.

# %%
before_and_after(prefixed_gpt2, described, its_tokenizer, count=3)

# %% [markdown] lang="en"
# Which of its heads read the prefix, while it reads the first of these records?

# %%
record = described.source(described.examples("test")[0])
draw_attention_to_prefix(prefixed_gpt2, its_tokenizer, record)

# %% [markdown] lang="en"
# And is a virtual token a word in disguise? For its key in the first layer, these are the words with the nearest keys.

# %%
names = its_tokenizer.convert_ids_to_tokens(range(len(its_tokenizer)))
nearest_words(*first_keys(prefixed_gpt2, its_tokenizer), names)

# %% [markdown] lang="en"
# Does it go as well elsewhere? Here are the six tasks of this world, one for each of PEFT's task types, with a prefix,
# with LoRA of about as many parameters, and with all of the model trained: five seeds each, measured once by
# `python -m prefix_lab.course.experiments tasks`. The same command shows what the papers claim of prefixes, beside what
# came out here: `length`, `projection`, `start`, `few`, `place`, `encoder`, `limits`, `cost`.

# %%
show("tasks")

# %% [markdown] lang="en"
# ## What you have seen
#
# A loop of a dozen lines trains a prefix. 23,040 numbers learnt, a million did not move, and together they do most of
# what the written instruction does.
#
# Read next: `prefix_lab/beside/paper_layout.py`, a page or two of hooks; Li and Liang's section 4.3 on why they train
# through an MLP; and lesson 11, where the prefix goes into a file.

# %%
show_progress(3)
