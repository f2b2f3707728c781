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
# - stop where a prefix is saved and where it is loaded, and say which numbers are kept;
# - go on training from them all the same;
# - keep several prefixes on one base model, and answer each request with its own;
# - say who notices when a prefix meets the wrong model.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import tempfile
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import TaskForCausalLM, load_tiny, show_progress, show_stage, table, train, world_task
from prefix_lab.course.lessons.lesson_11 import (
    anatomy,
    check_kept_keys,
    check_loaded,
    check_serve,
    check_who_notices,
    draw_bytes,
)
from prefix_lab.shapes import named

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Train, and save
#
# The postcards of lesson 03 again. This time with projection, so that there is something that could get lost: a small
# table, and an MLP that makes keys and values of it (lesson 06). It takes a few seconds.

# %%
world = world_task("CAUSAL_LM")


def postcard(place):
    return f"we are at the {place.name} in the {place.area}. we eat {place.food}, and the food is {place.rating}!"


def pairs(part):
    return [(record, postcard(place)) for record, _, place in world.examples(part)]


held_out = pairs("test")
postcards = TaskForCausalLM("postcards", pairs("train"), held_out)

gpt2, tokenizer = load_tiny("gpt2")
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10, prefix_projection=True)
peft_model = peft.get_peft_model(gpt2, config)
train(peft_model, postcards, steps=60, rate=0.01, tokenizer=tokenizer, measured_on=40, progress="")

# %% [markdown] lang="en"
# Everything is written to a temporary folder, which disappears with the kernel.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "postcards"
peft_model.save_pretrained(folder)
for file in sorted(folder.iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,} bytes")

# %% [markdown] lang="en"
# `README.md` is a model card to fill in. `adapter_config.json` is your config, with the sizes that preparation found.
# And the safetensors file is so plain that no library is needed to read it: eight bytes for the header's length, the
# header as JSON, then the numbers.

# %%
anatomy(folder / "adapter_model.safetensors")

# %% [markdown] lang="en"
# One tensor. What has trained is more than that:

# %%
for name, parameter in peft_model.prompt_encoder["default"].named_parameters():
    print(f"{name:20} {tuple(parameter.shape)}")
print()
kept = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"]
sizes = {"prefix_len": 10, "layers": 4, "hidden": 128}
print("prompt_embeddings   ", named(kept.shape, "prefix_len 2·layers·hidden", sizes))


# %%
def bytes_of(parameters):
    return sum(one.nbytes for one in parameters)


draw_bytes(
    base=bytes_of(gpt2.parameters()),
    trained=bytes_of(one for one in peft_model.parameters() if one.requires_grad),
    kept=(folder / "adapter_model.safetensors").stat().st_size,
)

# %% [markdown] lang="en"
# ## Where the projection goes
#
# `save_pretrained` asks `get_peft_model_state_dict` what to write, and that one asks the method: here, the prefix
# encoder's class with its `_get_adapter_state_dict`.

# %%
show_stage(
    "keep",
    mark=("= encoder(", "= get_peft_model_state_dict("),
    also=("prefix_lab.models.PeftModel.get_prompt_embedding_to_save",),
)

# %% [markdown] lang="en"
# ### Exercise 1 · which keys are written?
#
# Stop at the end of that way, in `_get_adapter_state_dict`. Everything is at hand there. Find out
#
# - `at_hand`: how many tensors the caller's `state_dict` holds;
# - `of_projection`: how many of them are the projection's, `prompt_encoder.default.transform`;
# - `written`: the shape of the one that is handed back to be written.
#
# (For the first two, ask in the frame of `get_peft_model_state_dict`; for the last, run the line that makes it.)

# %%
with stop_at(peft.PrefixEncoder._get_adapter_state_dict, suggest=["p config.inference_mode", "u"]) as saving:
    peft_model.save_pretrained(folder)

# %% [markdown] lang="en" tags=["hint"]
# `u` climbs to `get_peft_model_state_dict`. There, `p len(state_dict)` counts. Python's own tools work at the prompt,
# too:
#
# `p [name for name in list(state_dict) if "prompt_encoder" in name]`

# %% [markdown] lang="en" tags=["hint"]
# `d` leads back down. There `n` runs a line, and the second one makes `prompt_embeddings`.

# %% tags=["exercise"]
check_kept_keys(saving, {"at_hand": ..., "of_projection": ..., "written": ...})

# %% tags=["solution"]
names, made = "[name for name in list(state_dict) if 'prompt_encoder' in name]", "prompt_embeddings.shape"
look = ["u", "p len(state_dict)", f"p {names}", "d", "n", "n", f"p {made}", "c"]
with stop_at(peft.PrefixEncoder._get_adapter_state_dict, commands=look) as saving:
    peft_model.save_pretrained(folder)

check_kept_keys(saving, {"at_hand": 59, "of_projection": 4, "written": (10, 1024)})

# %% [markdown] lang="en"
# So the projection is thrown away with open eyes. `get_prompt_embedding_to_save` runs the encoder a last time and keeps
# what comes out: the keys and values, which are all that attention will ever read. (In lesson 06 you folded the
# projection away yourself; this is the same.)
#
# ## Load
#
# `PeftModel.from_pretrained` reads the config, wraps the base as `get_peft_model` does, and calls `load_adapter`. That
# one reads the file (`load_peft_weights`) and gives the tensors to `set_peft_model_state_dict`. There, torch's own
# `load_state_dict` is called with `strict=False`: what does not fit is left out, and nothing is said. A line later PEFT
# calls the encoder's `_load_adapter_state_dict`. Two calls for one tensor?
#
# ### Exercise 2 · who takes the numbers?
#
# Stop in the second of them, and look at `load_result` of the first, one frame above: which name of the file was
# `unexpected`, and how many of the model's own names were `missing` in the file? Then run the line on which you stand,
# and see what it changes: is `self.embedding.weight` now what the file says?

# %%
with stop_at(peft.PrefixEncoder._load_adapter_state_dict, suggest=["p list(state_dict)", "u"]) as loading:
    loaded = peft.PeftModel.from_pretrained(load_tiny("gpt2")[0], folder)

# %% [markdown] lang="en" tags=["hint"]
# `load_result` has two lists, `missing_keys` and `unexpected_keys`. One of them is long: `len` counts it.

# %% [markdown] lang="en" tags=["hint"]
# `d` leads back down, and `torch.equal(self.embedding.weight, state_dict["prompt_embeddings"])` compares, before `n`
# and after it.

# %% tags=["exercise"]
check_loaded(loading, {"unexpected": ..., "missing": ...})

# %% tags=["solution"]
equal = "p torch.equal(self.embedding.weight, state_dict['prompt_embeddings'])"
look = [equal, "u", "p load_result.unexpected_keys", "p len(load_result.missing_keys)", "d", "n", equal, "c"]
with stop_at(peft.PrefixEncoder._load_adapter_state_dict, commands=look) as loading:
    peft.PeftModel.from_pretrained(load_tiny("gpt2")[0], folder)

check_loaded(loading, {"unexpected": "prompt_embeddings", "missing": 55})

# %% [markdown] lang="en"
# The first call took nothing: 55 names were missing, the base's and the encoder's own, and the only name in the file
# was unexpected. It is the second call that puts the numbers into the encoder's table. (That the encoder has a table
# that wide, and no projection, you saw in lesson 06.) Is the answer the same?

# %%
batch = postcards.batch(tokenizer, held_out[:4])
with torch.no_grad():
    before, after = peft_model(**batch), loaded(**batch)
print(torch.equal(before.logits, after.logits), [*loaded.prompt_encoder["default"].state_dict()])

# %% [markdown] lang="en"
# ## Go on from a file
#
# With projection, training cannot go on as it was: many projections give the same prefix, and the file does not say
# which one yours was. Without projection, the file holds everything that trained. Will PEFT load that one to be trained
# on? Guess, then run the cell.

# %%
direct = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
peft.get_peft_model(load_tiny("gpt2")[0], direct).save_pretrained(folder.with_name("direct"))
for name in ("postcards", "direct"):
    try:
        peft.PeftModel.from_pretrained(load_tiny("gpt2")[0], folder.with_name(name), is_trainable=True)
    except ValueError as error:
        print(f"{name}: {error}\n")

# %% [markdown] lang="en"
# PEFT refuses both. In `PeftModel.from_pretrained` it asks only whether the method is prompt learning, and so refuses
# prompt tuning and P-tuning as well, whatever lies in the file. Two ways lead on all the same. If you plan ahead, keep
# the encoder's own `state_dict()` beside the adapter, and the optimizer's. If you have only the file, take a new prefix
# **without** projection, and put the kept numbers into its table; PEFT has `load_prompt_embeddings` for that.

# %%
resumed = peft.get_peft_model(load_tiny("gpt2")[0], direct)
resumed.prompt_encoder["default"].load_prompt_embeddings(kept)
again = resumed(**batch)
print("logits equal", torch.equal(again.logits, before.logits))
again.loss.backward()
print("gradient", tuple(resumed.prompt_encoder["default"].embedding.weight.grad.shape))

# %% [markdown] lang="en"
# It starts exactly where you stopped, and it trains. But each number now trains by itself, without an MLP before it, so
# you will have to look for a new learning rate.
#
# *Short path: you have arrived. Lesson 14 has bugs to hunt when you come back.*
#
# ## Serve: several prefixes, one base
#
# Two more prefixes, for manners that GPT-2 knows, if only somebody asks for them. They are quickly trained, saved, and
# loaded beside the postcards on one fresh base.

# %%
for manner in ("advice", "question"):
    torch.manual_seed(0)
    student = peft.get_peft_model(load_tiny("gpt2")[0], direct)
    told = world_task("CAUSAL_LM", manner)
    history = train(student, told, steps=15, rate=0.1, tokenizer=tokenizer, measured_on=20, progress="")
    student.save_pretrained(folder.with_name(manner))
    size = (folder.with_name(manner) / "adapter_model.safetensors").stat().st_size
    print(f"{manner:10} {history.text} · {size:,} bytes")

# %%
base, _ = load_tiny("gpt2")
server = peft.PeftModel.from_pretrained(base, folder, adapter_name="postcards")
server.load_adapter(folder.with_name("advice"), adapter_name="advice")
server.load_adapter(folder.with_name("question"), adapter_name="question")
print(list(server.peft_config), "· active_adapter:", server.active_adapter)


# %% [markdown] lang="en"
# `load_adapter` adds and does not switch; `set_adapter` switches; `disable_adapter` gives the base for a moment.
# `reply` is what the server does with a single record.


# %%
def reply(record):
    tokens = tokenizer(record, return_tensors="pt")
    with torch.no_grad():
        written = server.generate(**tokens, max_new_tokens=32, do_sample=False)
    return tokenizer.decode(written[0, tokens.input_ids.shape[1] :], skip_special_tokens=True)


record = held_out[0][0]
replies = []
for name in server.peft_config:
    server.set_adapter(name)
    replies.append((name, reply(record)))
server.set_adapter("postcards")
with server.disable_adapter():
    replies.append(("disable_adapter()", reply(record)))
table(("adapter", record), replies)

# %% [markdown] lang="en"
# ### Exercise 3 · serve several from one base
#
# Requests come as pairs of an adapter's name and a record; the name `None` asks the base alone. `reply(record)` gives
# the model's answer as it stands. Return the replies in the order of the requests, and leave the model as you found it.

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
    for name, record in requests:
        if name is None:
            with peft_model.disable_adapter():
                replies.append(reply(record))
        else:
            peft_model.set_adapter(name)
            replies.append(reply(record))
    peft_model.set_adapter(before)
    return replies


check_serve(serve)

# %% [markdown] lang="en"
# ### Exercise 4 · who notices?
#
# A base model is trained further over night. In the morning somebody loads the old prefix onto it: the same class, the
# same sizes, the same name; other weights. Who notices? Guess first; the cell below tries it.
#
# - `"a"`: PEFT: it compares a fingerprint of the base with one in the file.
# - `"b"`: PEFT: it compares the name of the base with `base_model_name_or_path`.
# - `"c"`: nobody.
# - `"d"`: safetensors: the header would not fit.

# %% [markdown] lang="en" tags=["hint"]
# You have seen all that is in the two files. What in them knows the base's weights?

# %% tags=["exercise"]
check_who_notices(...)

# %% tags=["solution"]
check_who_notices("c")

# %%
other, _ = load_tiny("gpt2")
torch.manual_seed(0)
with torch.no_grad():
    for parameter in other.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
mistaken = peft.PeftModel.from_pretrained(other, folder)
records = [record for record, _ in held_out[:3]]
table(("record", "reply"), zip(records, postcards.answers(mistaken, tokenizer, held_out[:3]), strict=True))

# %% [markdown] lang="en"
# So write down which base a prefix belongs to: its name, its revision, and best a fingerprint as in lesson 03.
#
# ## What you have seen
#
# A saved prefix is one tensor of keys and values and a page of JSON. What made it is not kept, so you load it to use
# it, or copy it into a table to train on. The base stays one and the same, however many prefixes stand before it.
#
# Read next: `prefix_lab/checkpoint.py`, which writes it, and `prefix_lab/beside/saving.py`, which reads it; then lesson
# 13, where an adapter can be merged into the base, and a prefix cannot.

# %%
show_progress(11)
