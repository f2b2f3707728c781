# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 11 · Save, load, serve
#
# You trained a prefix with projection, saved it, and the file holds far fewer numbers than trained. Where are the
# others? And can you train on from that file? At the end you will be able to
#
# - say what is in the two files, to the byte, and what is not;
# - go on training from them all the same;
# - keep several prefixes on one base model, and answer each request with its own.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import json
import tempfile
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file, save_file

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    after_exercise,
    answers,
    exact_match,
    held_out_words,
    load_tiny_t5,
    make_batch,
    seen_words,
    show_progress,
    show_stage,
    table,
    task_batches,
    train,
)
from prefix_lab.course.lessons.lesson_11 import (
    anatomy,
    bytes_of,
    check_bytes,
    check_go_on,
    check_kept,
    check_serve,
    draw_bytes,
)
from prefix_lab.shapes import named

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Save
#
# We take a prefix of 20 virtual tokens with projection, PEFT's own. It is not trained, which makes no difference to the
# file. You may load another model in the first line, from a local folder or the hub; the bytes below are then its own.
# Everything is written to a temporary folder, which disappears with the kernel.

# %%
model, tokenizer = load_tiny_t5()
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
peft_model = peft.get_peft_model(model, config).eval()
peft_model.print_trainable_parameters()

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "projected"
peft_model.save_pretrained(folder)
for file in sorted(folder.iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,} bytes")

# %% [markdown] lang="en"
# `README.md` is a model card to fill in. The config is yours, with the sizes that preparation found, and one field that
# you did not set: `inference_mode`. What does it say?

# %%
json.loads((folder / "adapter_config.json").read_text())

# %% [markdown] lang="en"
# The safetensors file is so plain that no library is needed to read it: eight bytes for the header's length, the header
# as JSON, then the numbers.

# %%
anatomy(folder / "adapter_model.safetensors")

# %% [markdown] lang="en"
# One tensor. No table of 20 × 128, no MLP: what is kept is what came out of them.

# %%
encoder = peft_model.prompt_encoder["default"]
for name, parameter in encoder.named_parameters():
    print(f"trained  {name:20} {tuple(parameter.shape)}")
kept = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"]
sizes = {"prefix_len": 20, "layers": 3, "hidden": 128}
print("kept     prompt_embeddings    ", named(kept.shape, "prefix_len 2·layers·hidden", sizes))

# %% [markdown] lang="en"
# ### Exercise 1 · how many bytes are kept?
#
# The numbers alone, without the header. `bytes_each` is 4 for float32 and 2 for bfloat16.

# %% [markdown] lang="en" tags=["hint"]
# The shape is printed above: (prefix_len, 2·layers·hidden). Does the width of the projection matter?


# %% tags=["exercise"]
def kept_bytes(prefix_len, layers, hidden, bytes_each):
    return ...


check_bytes(kept_bytes)


# %% tags=["solution"]
def kept_bytes(prefix_len, layers, hidden, bytes_each):
    return prefix_len * 2 * layers * hidden * bytes_each


check_bytes(kept_bytes)

# %%
rows = [
    ("the base model", bytes_of(model)),
    ("what trains: table and projection", bytes_of(peft_model, trains=True)),
    ("what is kept: adapter_model.safetensors", (folder / "adapter_model.safetensors").stat().st_size),
]
after_exercise(1, draw_bytes(rows))

# %% [markdown] lang="en"
# ## Stand where it is computed
#
# Our marked line runs the encoder once, for one row of virtual tokens, and takes the batch axis off. Below, pdb stops
# in PEFT's encoder while it saves, and `u` goes up to the functions that called it. Compare the two shapes: for an
# encoder-decoder PEFT keeps the numbers 0 to 39, and hands 0 to 19 to the encoder.

# %%
show_stage(
    "keep",
    mark=("= encoder(", "= get_peft_model_state_dict("),
    also=("prefix_lab.models.PeftModel.get_prompt_embedding_to_save",),
)

# %%
with stop_at(
    peft.PrefixEncoder.forward,
    commands=["p tuple(prefix.shape)", "u", "u", "u", "p tuple(self.prompt_tokens[adapter_name].shape)", "c"],
    debugger="pdb",
):
    peft_model.save_pretrained(folder)

# %% [markdown] lang="en"
# ### Exercise 2 · what goes into the file
#
# Compute it yourself. `encoder.embedding.weight` is the small table, (prefix_len, hidden); `encoder.transform` the
# projection. Return the numbers alone, with no graph behind them.

# %% [markdown] lang="en" tags=["hint"]
# What does the encoder's `forward` do with the rows that it has looked up? It can be done with the whole table at once.
# `detach()` cuts the graph off.


# %% tags=["exercise"]
def what_is_kept(encoder):
    return ...


check_kept(what_is_kept)


# %% tags=["solution"]
def what_is_kept(encoder):
    return encoder.transform(encoder.embedding.weight).detach()


check_kept(what_is_kept)

# %% [markdown] lang="en"
# ## Load
#
# `PeftModel.from_pretrained` reads the config, wraps the base as `get_peft_model` does, and calls `load_adapter`. That
# one reads the file (`load_peft_weights`) and hands the tensors out (`set_peft_model_state_dict`); for a prefix, the
# encoder's `_load_adapter_state_dict` puts them into its table. Stop in any of them if you want to see it happen.
#
# Here it is on a fresh base. Is the answer the same to the last bit? And what does the encoder consist of now?

# %%
batch = make_batch(tokenizer, ["garden", "piano"], ["nedrag", "onaip"])
loaded = peft.PeftModel.from_pretrained(load_tiny_t5()[0], folder)
with torch.no_grad():
    before, after = peft_model(**batch), loaded(**batch)
print("logits equal:", torch.equal(before.logits, after.logits))
print("its encoder: ", [(name, tuple(one.shape)) for name, one in loaded.prompt_encoder["default"].named_parameters()])

# %% [markdown] lang="en"
# There is no `transform` left, so training cannot go on as it was: many projections give the same prefix, and the file
# does not say which one yours was. But for a prefix *without* projection the file holds everything that trained. Will
# PEFT load that one to be trained on? Guess, then run the cell.

# %%
direct = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
peft.get_peft_model(load_tiny_t5()[0], direct).save_pretrained(folder.with_name("direct"))
for library, saved in ((peft, "projected"), (peft, "direct"), (prefix_lab, "direct")):
    try:
        library.PeftModel.from_pretrained(load_tiny_t5()[0], folder.with_name(saved), is_trainable=True)
    except ValueError as error:
        print(f"{library.__name__}, {saved}: {error}\n")

# %% [markdown] lang="en"
# PEFT refuses both. In `PeftModel.from_pretrained` it asks only whether the method is prompt learning, and so refuses
# prompt tuning and P-tuning as well, whatever lies in the file. Ours refuses where PEFT does, and says the way out.

# %% [markdown] lang="en"
# ### Exercise 3 · go on from a file
#
# Two ways lead on. If you plan ahead, keep the encoder's own `state_dict()` beside the adapter, and the optimizer's.
# If you have only the file, take a new prefix *without* projection, and put the kept numbers into its table. Write
# that: the parameter has to stay the same object, since an optimizer may hold it already.

# %% [markdown] lang="en" tags=["hint"]
# `tensor.copy_(other)` writes into a tensor in place.

# %% [markdown] lang="en" tags=["hint"]
# torch refuses to change a parameter in place while it takes notes for the gradient. Which context switches that off?


# %% tags=["exercise"]
def go_on(encoder, kept): ...


check_go_on(go_on)


# %% tags=["solution"]
def go_on(encoder, kept):
    with torch.no_grad():
        encoder.embedding.weight.copy_(kept)


check_go_on(go_on)

# %% [markdown] lang="en"
# PEFT has this as `load_prompt_embeddings`. The new prefix starts exactly where you stopped, and it trains. But each
# number now trains by itself, without an MLP before it, so you will have to look for a new learning rate.

# %%
direct = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
resumed = peft.get_peft_model(load_tiny_t5()[0], direct).eval()
resumed.prompt_encoder["default"].load_prompt_embeddings(kept)
again = resumed(**batch)
print("logits equal:", torch.equal(again.logits, before.logits))
again.loss.backward()
print(
    "gradient:    ",
    named(resumed.prompt_encoder["default"].embedding.weight.grad.shape, "prefix_len 2·layers·hidden", sizes),
)

# %% [markdown] lang="en"
# ## Half the bytes
#
# *Short path: you have arrived. Lesson 14 has bugs to hunt when you come back.*
#
# With the base in bfloat16, the prefix still trains in float32, and the cache is rounded to the base's precision. Then
# would a file of half the size do as well?

# %%
half_base = load_tiny_t5()[0].to(torch.bfloat16)
half = peft.PeftModel.from_pretrained(half_base, folder)
key = half.get_prompt(1).self_attention_cache.layers[0].keys
print("encoder:", half.prompt_encoder["default"].embedding.weight.dtype, "· cache:", key.dtype)
half.save_pretrained(folder.with_name("from_half"))
print(
    "a file saved from it:",
    load_file(folder.with_name("from_half") / "adapter_model.safetensors")["prompt_embeddings"].dtype,
)

with torch.no_grad():
    full_file = half(**batch).logits
    half.prompt_encoder["default"].embedding.weight.copy_(kept.bfloat16())  # rounded before, not after
    half_file = half(**batch).logits
save_file({"prompt_embeddings": kept.bfloat16()}, folder / "half.safetensors")
print("logits equal with the rounded file:", torch.equal(full_file, half_file))
for name in ("adapter_model", "half"):
    print(f"{name}.safetensors: {(folder / f'{name}.safetensors').stat().st_size:,} bytes")

# %% [markdown] lang="en"
# ## Serve: several prefixes, one base
#
# Now two that have really learnt something, in a few seconds each, with the layout of lesson 11. They are saved, and
# then loaded beside each other on one fresh base.

# %%
shelf = tempfile.TemporaryDirectory()
students = {task: Path(shelf.name) / task for task in ("upper", "vowels")}  # the folder of each
for task, place in students.items():
    torch.manual_seed(0)
    own = prefix_lab.PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=10, layout="paper", encode="once")
    student = prefix_lab.get_peft_model(load_tiny_t5()[0], own)
    train(student, task_batches(tokenizer, seen_words(), task, instruction=False, batch_size=16), steps=150, rate=0.1)
    student.save_pretrained(place)
    share = exact_match(student, tokenizer, held_out_words(), task, instruction=False)
    size = (place / "adapter_model.safetensors").stat().st_size
    print(f"{task:8} exact match {100 * share:.1f} %, file {size:,} bytes")

# %%
base, _ = load_tiny_t5()
server = prefix_lab.PeftModel.from_pretrained(base, students["upper"], adapter_name="upper")
server.load_adapter(students["vowels"], adapter_name="vowels")
print("adapters:", list(server.peft_config), "· in use:", server.active_adapter)

words = ["garden", "piano", "window", "paper"]
replies = {}
for name in ("upper", "vowels"):
    server.set_adapter(name)
    replies[name] = answers(server, tokenizer, words)
with server.disable_adapter():
    replies["disabled"] = answers(server, tokenizer, words)
table(("word", *replies), zip(words, *replies.values(), strict=True))

# %% [markdown] lang="en"
# `load_adapter` adds and does not switch; `set_adapter` switches; `disable_adapter` gives the base for a moment. The
# names are PEFT's, and so is the behaviour.

# %% [markdown] lang="en"
# ### Exercise 4 · serve several from one base
#
# Requests come as pairs of an adapter's name and a word; the name `None` asks the base alone. `reply(word)` gives the
# model's answer as it stands. Return the replies in the order of the requests, and leave the model as you found it.

# %% [markdown] lang="en" tags=["hint"]
# `peft_model.active_adapter` is the name in use: note it first, and set it again at the end.

# %% [markdown] lang="en" tags=["hint"]
# For `None`: `with peft_model.disable_adapter():`, and the reply inside.


# %% tags=["exercise"]
def serve(peft_model, requests, reply):
    replies = ...
    return replies


check_serve(serve)


# %% tags=["solution"]
def serve(peft_model, requests, reply):
    before, replies = peft_model.active_adapter, []
    for name, word in requests:
        if name is None:
            with peft_model.disable_adapter():
                replies.append(reply(word))
        else:
            peft_model.set_adapter(name)
            replies.append(reply(word))
    peft_model.set_adapter(before)
    return replies


check_serve(serve)

# %% [markdown] lang="en"
# ## What is not in the file
#
# The base. The config has its name, `base_model_name_or_path`, but nobody checks that the model you load the prefix
# into is the one it was trained on. Here is a base whose weights were changed a little, as further training would. The
# prefix is loaded without a warning, and the model answers:

# %%
stranger, _ = load_tiny_t5()
torch.manual_seed(0)
with torch.no_grad():
    for parameter in stranger.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
mistaken = prefix_lab.PeftModel.from_pretrained(stranger, students["upper"])
for word, answer in zip(words, answers(mistaken, tokenizer, words, max_new_tokens=10), strict=True):
    print(f"{word:8} → {answer}")

# %% [markdown] lang="en"
# So write down which base a prefix belongs to: its name, its revision, and best a fingerprint as in lesson 11.

# %% [markdown] lang="en"
# ## What you have seen
#
# A saved prefix is one tensor of keys and values and a page of JSON. What made it is not kept, so you load it to use
# it, or copy it into a table to train on. The base stays one and the same, however many prefixes stand before it.
#
# Read next: `prefix_lab/checkpoint.py`, which writes it, and `prefix_lab/beside/saving.py`, which reads it; then lesson
# 13, where an adapter can be merged into the base, and a prefix cannot.

# %%
show_progress(11)
