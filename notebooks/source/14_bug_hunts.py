# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 14 · Bug hunts
#
# Ten copies of a stage, each with one mistake that somebody really could make. Nine of them raise no error. You see
# what goes wrong, you choose where to look, and you mend it. After them you will be able to
#
# - go from a wrong number to the line that made it;
# - choose the tool for it: a print, pdb, a recording, two runs side by side, a picture;
# - say which lines of prefix tuning nothing warns you about.
#
# It takes about 60 minutes, five or six a hunt. They do not depend on each other: take one today and one tomorrow.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import peft
import torch

import prefix_lab
from prefix_lab import get_peft_model_state_dict, set_peft_model_state_dict
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    arriving,
    before,
    hunts,
    load_tiny_t5,
    make_batch,
    show_progress,
    show_source,
    show_stage,
    small_bert,
    small_gpt2,
    small_ids,
    small_t5,
)
from prefix_lab.course.lessons.lesson_14 import (
    check_hunt,
    draw_moves,
    draw_positions,
    draw_rows,
    rows_read,
)
from prefix_lab.debugger import Breakpoint, record
from prefix_lab.past import past_key_values
from prefix_lab.shapes import named
from prefix_lab.widgets import Mirror, ReshapeView, Stepper

# %% [markdown] lang="en"
# ## How a hunt goes
#
# First the **symptom**: a number from the broken copy beside the right one. Then the **copy** itself, and **a place to
# look**. When you know, put two texts in the exercise: `wrong`, the line as it stands in the copy, and `right`, what
# should stand there. Both may be several lines, in `"""triple quotes"""`. The check puts your line into the copy and
# runs it against PEFT, at sizes drawn anew; every number must be equal.
#
# `before(model, by)` puts a random prefix before a copy of a model; `by` is `peft`, `prefix_lab` or the class of a
# hunt. The same seed gives all of them the same prefix, so any difference is the bug's.

# %%
model, tokenizer = load_tiny_t5()  # or a T5 or BART of yours, by AutoModelForSeq2SeqLM and AutoTokenizer
batch = make_batch(tokenizer, ["reverse: garden", "reverse: planet"], ["nedrag", "tenalp"])
gpt2, ids = small_gpt2(), small_ids()  # random weights, so that we can choose every size

# %% [markdown] lang="en"
# ## Hunt 1 · nothing learns
#
# A prefix of five virtual tokens before the tiny T5. How many numbers train?

# %%
for name, by in {"the copy": hunts.Hunt1, "PEFT": peft}.items():
    parameters = list(before(model, by).parameters())
    trainable = sum(one.numel() for one in parameters if one.requires_grad)
    print(f"{name:9} {trainable:6,} of {sum(one.numel() for one in parameters):,}")

# %%
show_source(hunts.Hunt1)

# %% [markdown] lang="en"
# A recording can watch an expression after every line. Here it counts what trains, while the copy wraps the model.
# In the stepper, press **n** for the next line and **N** for the one before, and keep an eye on "Watches" at the right.

# %%
counting = "sum(p.numel() for p in self.parameters() if p.requires_grad)"
with record([hunts], watch=counting) as recording:
    before(model, hunts.Hunt1)
Stepper(recording, title="hunt 1", height="600px")

# %% [markdown] lang="en" tags=["hint"]
# Find the line where the count grows, and the line where it falls to nothing. The second is in a loop.

# %% [markdown] lang="en" tags=["hint"]
# The loop goes through the children of `self`. Print `list(dict(before(...).named_children()))`: who are they, and
# since when is the last of them there?

# %% [markdown] lang="en" tags=["hint"]
# PEFT freezes the base model, not everything that the wrapper holds.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(1, wrong, right)

# %% tags=["solution"]
wrong = "for child in self.children():"
right = "for child in self.base_model.children():"

check_hunt(1, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 2 · the right shape
#
# Here the shapes are all as they should be. We count the numbers of a prefix, 0, 1, 2, …, and look at the key that
# layer 0, head 0 gets for virtual token 1. The first head's numbers lie at the beginning of that token's vector.

# %%
layers, heads, head_dim, prefix_len = 3, 2, 4, 5
sizes = {"batch": 2, "layers": layers, "heads": heads, "head_dim": head_dim, "prefix_len": prefix_len}
counted = torch.arange(2 * prefix_len * 2 * layers * heads * head_dim).view(2, prefix_len, -1)
key = hunts.hunt_2(counted, layers, heads)[0][0]  # layer 0, its key

print(named(key.shape, "batch heads prefix_len head_dim", sizes))
print("the copy:         ", key[0, 0, 1].tolist())
print("token 1's vector: ", counted[0, 1, :head_dim].tolist(), "and so on")

# %%
show_source(hunts.hunt_2)

# %% [markdown] lang="en"
# Here are the copy's own steps at tiny sizes, each number in the colour of the token that it belongs to. Press
# **Next** and watch the colours: attention wants, for each head, one row a token.

# %%
view = ReshapeView(
    "batch prefix_len 2·layers·hidden",
    "view(batch, prefix_len, 2*layers, heads, head_dim)",
    "permute(2, 0, 1, 3, 4)",
    "reshape(2*layers, batch, heads, prefix_len, head_dim)",
)
view.colour_by.label = "prefix_len"
view

# %% [markdown] lang="en" tags=["hint"]
# In which step do numbers of two tokens come into one row?

# %% [markdown] lang="en" tags=["hint"]
# `reshape` moves no axis. It reads the numbers in their order and fills the new shape with them. What has to change
# places must do so in `permute`.

# %% [markdown] lang="en" tags=["hint"]
# `permute` lists the old axes in their new order. Old: batch 0, prefix_len 1, 2·layers 2, heads 3, head_dim 4. New:
# 2·layers, batch, heads, prefix_len, head_dim.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(2, wrong, right)

# %% tags=["solution"]
wrong = "rows = rows.permute(2, 0, 1, 3, 4).reshape(2 * layers, batch, heads, prefix_len, head_dim)"
right = "rows = rows.permute(2, 0, 3, 1, 4)"

check_hunt(2, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 3 · a mask of ones
#
# A mask of ones says "read everything". So it should change nothing. With a prefix before a GPT-2:

# %%
for name, by in {"the copy": hunts.Hunt3, "PEFT": peft}.items():
    wrapped = before(gpt2, by)
    without = wrapped(input_ids=ids, labels=ids).loss
    ones = wrapped(input_ids=ids, labels=ids, attention_mask=torch.ones_like(ids)).loss
    print(f"{name:9} loss without a mask {without:.6f}, with a mask of ones {ones:.6f}")

# %%
show_source(hunts.Hunt3)

# %% [markdown] lang="en"
# Let us stand where the copy hands over to GPT-2, with pdb. How many positions will attention read, and how many does
# the mask speak of?

# %%
broken = before(gpt2, hunts.Hunt3)
show = ["p input_ids.shape", "p kwargs['past_key_values'].get_seq_length()", "p attention_mask.shape"]
with stop_at(hunts.Hunt3.forward, commands=["n", "n", "n", *show, "c"], debugger="pdb"):
    output = broken(input_ids=ids, attention_mask=torch.ones_like(ids))

# %% [markdown] lang="en" tags=["hint"]
# Attention reads prefix_len + source positions. transformers does not complain of a shorter mask: it fills it up with
# zeros, at the end.

# %% [markdown] lang="en" tags=["hint"]
# So the last words are hidden, not the virtual tokens. Ones for the virtual tokens have to come before the mask.

# %% [markdown] lang="en" tags=["hint"]
# `self.prepend_prefix(mask)` does that, in `prefix_lab/models.py`. Who does not call it?

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(3, wrong, right)

# %% tags=["solution"]
wrong = "attention_mask=attention_mask,"
right = "attention_mask=self.prepend_prefix(attention_mask),"

check_hunt(3, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 4 · who reads which row
#
# The vector of a virtual token is a row for layer 0's key, one for its value, one for layer 1's key, and so on. The
# same prefix, cut by the copy and by PEFT; the loss of the GPT-2 behind it:

# %%
right_one, layers, heads = before(gpt2, peft), 3, 4
table = right_one.prompt_encoder["default"].embedding.weight
prefix = table.expand(2, -1, -1)  # (batch, prefix_len, 2·layers·hidden)
caches = {"the copy": hunts.hunt_4(prefix, layers, heads), "PEFT": right_one.get_prompt(2)}
for name, cache in caches.items():
    loss = gpt2(input_ids=ids, labels=ids, past_key_values=cache).loss
    print(f"{name:9} loss {loss:.6f}, layers in the cache {len(cache.layers)}")

# %%
show_source(hunts.hunt_4)

# %% [markdown] lang="en"
# To see who reads what, put the number 0 everywhere in row 0, 1 in row 1, and so on, and look what arrives. Full
# squares are keys, hatched ones values.

# %%
layers, heads, width = 3, 4, prefix.shape[-1]
found = {
    "the copy": rows_read(lambda rows: hunts.hunt_4(rows, layers, heads), layers, width),
    "prefix_lab": rows_read(lambda rows: past_key_values(rows, layers, heads, 1), layers, width),
}
draw_rows(found)

# %% [markdown] lang="en" tags=["hint"]
# On the right, layer i reads rows 2i and 2i+1. In the copy: row i and another one. How far apart are the two?

# %% [markdown] lang="en" tags=["hint"]
# `rows[a::b]` begins at `a` and takes every `b`-th. With two rows a layer, the step should never be `layers`.

# %% [markdown] lang="en" tags=["hint"]
# `rows[2 * number : …]` begins where it should. Where does it end?

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(4, wrong, right)

# %% tags=["solution"]
wrong = "key, value = rows[number::layers]"
right = "key, value = rows[2 * number : 2 * number + 2]"

check_hunt(4, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 5 · a classifier that guesses
#
# A BERT with a head for three classes, and a prefix. We take one large training step, keep what would be saved, and
# load it before a fresh BERT, whose head starts from other random numbers. The answers should be the same.

# %%
bert, other_bert = small_bert(), small_bert()
torch.nn.init.normal_(other_bert.classifier.weight, generator=torch.Generator().manual_seed(5))
classify = {"the copy": hunts.Hunt5, "prefix_lab": prefix_lab}
for name, by in classify.items():
    trained, fresh = before(bert, by), before(other_bert, by)
    trained(input_ids=ids, labels=torch.tensor([0, 2])).loss.backward()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter -= 0 if parameter.grad is None else parameter.grad
        set_peft_model_state_dict(fresh, get_peft_model_state_dict(trained))
        difference = (trained(input_ids=ids).logits - fresh(input_ids=ids).logits).abs().max()
    trainable, _ = trained.get_nb_trainable_parameters()
    print(f"{name:11} {trainable:,} numbers train; after loading, logits differ by {difference:.3f}")

# %%
show_source(hunts.Hunt5)

# %% [markdown] lang="en"
# What happens, and in which order? The stepper stands in `wrap_modules`, which copies what is to train beside the
# prefix, as PEFT's `ModulesToSaveWrapper` does. Step on with **n** and **o** until you are back in the copy.

# %%
ours = ["prefix_lab.models", *(f"prefix_lab.beside.{name}" for name in ("adapters", "modules_to_save", "task_classes"))]
with record([hunts, *ours]) as recording:
    before(bert, hunts.Hunt5)
stepper = Stepper(recording, title="hunt 5", height="460px")
stepper.run_to(Breakpoint("wrap_modules"))
stepper

# %% [markdown] lang="en" tags=["hint"]
# Look at the variables where the stepper stands first. What are the `names` of the modules to copy?

# %% [markdown] lang="en" tags=["hint"]
# They are `None`: the head has not been named yet. `name_the_head` comes later, when the modules have been copied
# already.

# %% [markdown] lang="en" tags=["hint"]
# Two lines change places. Give both as `wrong` and both as `right`, in triple quotes.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(5, wrong, right)

# %% tags=["solution"]
wrong = """
PeftModel.add_adapter(self, adapter_name, peft_config, autocast_adapter_dtype)
self.name_the_head(peft_config)
"""
right = """
self.name_the_head(peft_config)
PeftModel.add_adapter(self, adapter_name, peft_config, autocast_adapter_dtype)
"""

check_hunt(5, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 6 · twice as many numbers
#
# This copy calls PEFT itself, for several models in a row. The second GPT-2 has two layers. How many numbers train
# before it when it comes second, and how many when it comes alone? And how many of them ever get a gradient?

# %%
deep, flat = small_gpt2(layers=4), small_gpt2(layers=2)
for name, models in {"second": [deep, flat], "alone": [flat]}.items():
    last = hunts.hunt_6(models, prefix_len=5)[-1]
    last(input_ids=ids, labels=ids).loss.backward()
    gradient = last.prompt_encoder["default"].embedding.weight.grad
    print(f"{name:7} {gradient.numel():,} numbers train, {(gradient != 0).sum():,} get a gradient")

# %%
show_source(hunts.hunt_6)

# %% [markdown] lang="en"
# The sizes come from `_prepare_prompt_learning_config`. The stepper stands at its second call, in PEFT's own source.
# Walk through it with **n**: which of the `if`s are entered, and what does `peft_config` hold already?

# %%
with record(["peft.utils.other"]) as recording:
    hunts.hunt_6([small_gpt2(layers=4), small_gpt2(layers=2)], prefix_len=5)
stepper = Stepper(recording, title="hunt 6", height="460px")
stepper.run_to(Breakpoint("_prepare_prompt_learning_config"))
stepper.run_to(Breakpoint("_prepare_prompt_learning_config"))
stepper

# %% [markdown] lang="en" tags=["hint"]
# Preparation fills only what is `None`. It writes into the config that it is given.

# %% [markdown] lang="en" tags=["hint"]
# How many configs are made in `wrap_each`, and how many models are wrapped?

# %% [markdown] lang="en" tags=["hint"]
# Make a config for each model, where it is used. (Setting `num_layers` back to `None` is not enough: width and heads
# are filled as well, and the first model still reads the same config.)

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(6, wrong, right)

# %% tags=["solution"]
wrong = "wrapped.append(get_peft_model(model, config))"
right = """
config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len)
wrapped.append(get_peft_model(model, config))
"""

check_hunt(6, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 7 · a loss that will not fall
#
# The tiny T5 knows how to reverse a word when it is told to. A random prefix disturbs it, but the copy's loss is much
# higher than PEFT's, for the same model, the same prefix, the same labels.

# %%
for name, by in {"the copy": hunts.Hunt7, "PEFT": peft}.items():
    print(f"{name:9} loss {before(model, by)(**batch).loss:.4f}")

# %%
show_source(hunts.Hunt7)

# %% [markdown] lang="en"
# See what arrives at the base model, and at its decoder: at each place the decoder has read one token and is asked for
# the next. Which pair makes sense?

# %%
broken = before(model, hunts.Hunt7)
[labels] = arriving(broken.base_model, "labels", lambda: broken(**batch))
[reads] = arriving(broken.base_model.decoder, "input_ids", lambda: broken(**batch))


def letters(tokens):
    return "".join(
        f"{'·' if token < 3 else chr(token - 3):>2}" for token in tokens
    )  # bytes, after three special tokens


print("we gave the labels  ", letters(batch["labels"][0]))
print("the decoder reads   ", letters(reads[0]))
print("and is asked for    ", letters(labels[0]))

# %% [markdown] lang="en" tags=["hint"]
# Before it has read a letter, the decoder is asked for the second one.

# %% [markdown] lang="en" tags=["hint"]
# The labels were moved by one place, and so was the decoder's input. Once is enough. T5 moves the decoder's input by
# itself (and GPT-2 does the like inside its loss).

# %% [markdown] lang="en" tags=["hint"]
# PEFT hands the labels over as they are: a prefix in the cache takes no place among them.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(7, wrong, right)

# %% tags=["solution"]
wrong = "labels=self.next_tokens(labels),"
right = "labels=labels,"

check_hunt(7, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 8 · steps too small to see
#
# A base model in bfloat16, to save memory. The copy runs, the loss is nearly PEFT's. But let us train both for ten
# small steps, and measure after each how far the prefix is from where it began.

# %%
small_base, moved = small_t5().to(torch.bfloat16), {}
for name, by in {"the copy": hunts.Hunt8, "PEFT": peft}.items():
    wrapped = before(small_base, by)
    [weight] = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
    start, moved[name] = weight.detach().clone(), []  # its distance from there, after each step
    optimizer = torch.optim.AdamW([weight], lr=1e-4, weight_decay=0)
    for _ in range(10):
        loss = wrapped(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        moved[name].append((weight - start).float().abs().mean().item())
    print(f"{name:9} loss {loss:.4f}, {(weight != start).float().mean():.0%} of the numbers have moved")

# %%
draw_moves(moved)

# %%
show_source(hunts.Hunt8)

# %% [markdown] lang="en"
# Numbers have a precision as well as a shape, and a recording keeps it. Every tensor on the way, from the table to
# the keys, in the copy and in ours:

# %%
for name, by in {"the copy": hunts.Hunt8, "prefix_lab": prefix_lab}.items():
    wrapped = before(small_base, by)
    with record(["prefix_lab.encoder", "prefix_lab.past", "prefix_lab.models", hunts]) as recording:
        wrapped.get_prompt(2)
    for step in recording.find(event="return"):
        if "dtype" in step.value.facts:
            print(f"{name:11} {step.function.rpartition('.')[2]:14} gives {step.value.facts['dtype']}")
    table = wrapped.prompt_encoder["default"].embedding.weight
    print(f"{name:11} {'the table':14} is    {str(table.dtype).removeprefix('torch.')}")

# %% [markdown] lang="en" tags=["hint"]
# bfloat16 keeps about three decimal digits. A step of 0.0001 on a number near 1 is rounded away, every time.

# %% [markdown] lang="en" tags=["hint"]
# So PEFT keeps and trains the table in float32, and casts only what the attention layers read. Which line casts the
# table itself?

# %% [markdown] lang="en" tags=["hint"]
# `module.to(x)` with a tensor takes over its device *and* its dtype. Only the device is wanted.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(8, wrong, right)

# %% tags=["solution"]
wrong = "self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()))"
right = "self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()).device)"

check_hunt(8, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 9 · deaf to the source
#
# Two different words before the tiny T5. What it writes is no good yet with a random prefix. But it should not be the
# same for both.

# %%
words = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
for name, by in {"the copy": hunts.Hunt9, "PEFT": peft}.items():
    wrapped = before(model, by, prefix_len=16)
    written = wrapped.generate(**words, max_new_tokens=8)
    logits = wrapped(**words, decoder_input_ids=written[:, :1]).logits
    answers, apart = tokenizer.batch_decode(written, skip_special_tokens=True), (logits[0] - logits[1]).abs().max()
    print(f"{name:9} writes {answers}; their first logits differ by up to {apart:.4f}")

# %%
show_source(hunts.Hunt9)

# %% [markdown] lang="en"
# Both sides call the same T5, and hand it a cache. So let us record T5's own source in both, and look for the first
# step at which it goes another way.

# %%
small, sides = small_t5(), {}
for name, by in {"the copy": hunts.Hunt9, "prefix_lab": prefix_lab}.items():
    wrapped = before(small, by)
    with record(["transformers.models.t5.modeling_t5"]) as sides[name]:
        wrapped(input_ids=ids, labels=ids)
parting = next(
    pair for pair in zip(*(side.steps for side in sides.values()), strict=False) if pair[0].text != pair[1].text
)
for name, step in zip(sides, parting, strict=True):
    print(f"{name:11} step {step.index:,}, {step.function}: {step.text.strip()}")

# %%
mirror = Mirror(*sides.values(), labels=tuple(sides))
mirror.goto(*parting)
mirror

# %% [markdown] lang="en"
# The two stand in `T5Attention.forward` of the first cross-attention. Press **N** a few times: what was asked just
# before? One side goes on to project the encoder's output, the other does not.

# %% [markdown] lang="en" tags=["hint"]
# In cross-attention, T5 asks its cache: `is_updated`? If so, it takes the keys that are there, and never looks at what
# the encoder has read.

# %% [markdown] lang="en" tags=["hint"]
# What does the copy put into the cross-attention's part of the cache? What does PEFT leave there?

# %% [markdown] lang="en" tags=["hint"]
# An `EncoderDecoderCache` whose second part is an empty `DynamicCache()`. Saying "not updated" and leaving the prefix
# in it is not enough: the encoder's keys would come behind it.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(9, wrong, right)

# %% tags=["solution"]
wrong = "cache = EncoderDecoderCache(own, cross)"
right = "cache = EncoderDecoderCache(own, DynamicCache())"

check_hunt(9, wrong, right)

# %% [markdown] lang="en"
# PEFT of 2023 had this bug, in one case: when the source had exactly as many tokens as the prefix. Two different
# texts then gave the same logits.
#
# ## Hunt 10 · right once, then wrong
#
# A GPT-2 writes eight tokens after a prefix. The loss of `forward` is right. So is the first token.

# %%
for name, by in {"the copy": hunts.Hunt10, "PEFT": peft}.items():
    wrapped = before(gpt2, by)
    written = wrapped.generate(input_ids=ids, max_new_tokens=8, do_sample=False)[1, ids.shape[1] :]
    print(f"{name:9} loss {wrapped(input_ids=ids, labels=ids).loss:.4f}, writes {written.tolist()}")

# %%
show_source(hunts.Hunt10)

# %% [markdown] lang="en"
# What does the base model get at each call? Look at what arrives there again: `position_ids` says where its tokens are
# put.


# %%
def positions(wrapped):
    def write():
        return wrapped.generate(input_ids=ids, max_new_tokens=6, do_sample=False)

    return arriving(wrapped.base_model, "position_ids", write)  # (batch, tokens) of each call


places = {}
for name, by in {"the copy": hunts.Hunt10, "PEFT": peft}.items():
    calls = positions(before(gpt2, by))
    for number, one in enumerate(calls, 1):
        print(f"{name:9} call {number}: {one[0].tolist()}")
    places[name] = [one[0, -1].item() for one in calls]
draw_positions(places, prefix_len=5)

# %% [markdown] lang="en" tags=["hint"]
# At the first call, all is well. From the second one on, the copy's token is five places too early, and five is
# prefix_len.

# %% [markdown] lang="en" tags=["hint"]
# Which lines run at the first call only? `filled` is 0 then, and never again.

# %% [markdown] lang="en" tags=["hint"]
# The prefix is put into the cache once, but positions are counted anew at each call. One of the two lines under
# `if not filled:` belongs before it. Give that `if` and the line under it as `wrong`.

# %% tags=["exercise"]
wrong = ...
right = ...

check_hunt(10, wrong, right)

# %% tags=["solution"]
wrong = """
if not filled:
    self.shift_position_ids(model_kwargs)
"""
right = """
self.shift_position_ids(model_kwargs)
if not filled:
"""

check_hunt(10, wrong, right)

# %% [markdown] lang="en"
# ## Where PEFT does it right
#
# Four of the ten hunts go through `get_prompt`. Find, among the marked lines, those that answer hunts 2, 4, 8 and 9.

# %%
show_stage(
    "split",
    mark=(
        ".permute(",
        ".split(",
        "base_model_torch_dtype",
        "cross_attention_cache = DynamicCache()",
        "is_updated[key]",
    ),
    also=("prefix_lab.past.split_layers", "prefix_lab.past.encoder_decoder_cache"),
)

# %% [markdown] lang="en"
# For a classifier (hunt 5), PEFT names the head before it wraps, and says why. `_set_trainable` puts a
# `ModulesToSaveWrapper` in the head's place; its `update` makes the copy that trains, its `set_adapter` uses it.

# %%
from peft.utils.other import ModulesToSaveWrapper, _set_trainable

show_source(
    peft.PeftModelForSequenceClassification.__init__,
    _set_trainable,
    ModulesToSaveWrapper.update,
    mark=(
        "peft_config.modules_to_save.extend",
        "must happen before the init call",
        "super().__init__(",
        "new_module = wrapper_cls(",
        "copy.deepcopy(self.original_module)",
        "_set_layer_requires_grad(",
    ),
)

# %% [markdown] lang="en"
# And while a model writes (hunt 10), `generate` puts PEFT's `prepare_inputs_for_generation` in the base model's place.
# In a GPT-2 it runs for each token: mask and positions at every call, the prefix only at the first. In a T5 nothing is
# left to do but the prefix.

# %%
show_source(
    peft.PeftModelForCausalLM.generate,
    peft.PeftModelForCausalLM.prepare_inputs_for_generation,
    peft.PeftModelForSeq2SeqLM.generate,
    peft.PeftModelForSeq2SeqLM.prepare_inputs_for_generation,
    mark=(
        "self.base_model.prepare_inputs_for_generation = self.prepare_inputs_for_generation",
        "torch.cat((prefix_attention_mask, attention_mask), dim=1)",
        "self._adjust_prompt_learning_kwargs(",
        "if requires_prompt_injection and",
        "if is_prefill_stage:",
    ),
)

# %% [markdown] lang="en"
# ## What you have seen
#
# Only the first of these bugs would have stopped you with an error, at `backward`. The others train, write and save:
# the shape is right and a number is not. What helped each time: the same run beside a right one, with the same seed,
# and one question: which is the first number that differs?
#
# Read next: `tests/planted/core.txt` in this repository, a list of mistakes planted in our own code, each of which
# the tests must catch. And `docs/what-is-taught.md`: every line of PEFT's path, and the lesson that teaches it.

# %%
show_progress(14)
