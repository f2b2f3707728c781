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

# %% [markdown] lang="zh"
# # 11 · 保存、加载、服务
#
# 你训练了一个带投影的前缀，保存下来，文件里的数却比训练时少得多。其余的去哪儿了？还能从这个文件接着训练吗？学完这一课，你能够
#
# - 停在保存前缀和加载前缀的地方，说出哪些数留了下来；
# - 即使这样，也能从这些数接着训练；
# - 在一个基座模型上放几个前缀，每个请求用它自己的那个来回答；
# - 说出前缀遇到不对的模型时，谁会发现。
#
# 大约需要 25 分钟。从头开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

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

# %% [markdown] lang="zh"
# ## 训练并保存
#
# 还是第 3 课的明信片。这次带投影，好看看保存时会丢掉什么：一张小表，和一个用它算出键和值的 MLP（第 6 课）。要花几秒钟。

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

# %% [markdown] lang="zh"
# 所有文件都写进一个临时文件夹，内核一停，它就消失。

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

# %% [markdown] lang="zh"
# `README.md` 是一张等你填写的模型卡。`adapter_config.json` 是你的配置，以及准备阶段查到的那些大小。safetensors 文件的格式很简单，不用任何库就能读：先是八个字节，写着文件头有多长；
# 然后是 JSON 格式的文件头；最后是数值。

# %%
anatomy(folder / "adapter_model.safetensors")

# %% [markdown] lang="en"
# One tensor. What has trained is more than that:

# %% [markdown] lang="zh"
# 只有一个张量。参加训练的可不止这些：

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

# %% [markdown] lang="zh"
# ## 投影去了哪里
#
# `save_pretrained` 问 `get_peft_model_state_dict` 该写什么，后者再去问具体的方法：在这里，就是前缀编码器的类，问的是它的 `_get_adapter_state_dict`。

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

# %% [markdown] lang="zh"
# ### 练习 1 · 写进文件的是哪些键？
#
# 停在这条路的尽头，`_get_adapter_state_dict` 里。要查的东西，那里都看得到。查清楚
#
# - `at_hand`：调用者的 `state_dict` 里有几个张量；
# - `of_projection`：其中有几个属于投影，也就是 `prompt_encoder.default.transform`；
# - `written`：返回的、要写进文件的那一个，形状是什么。
#
# （这里的“键”是 `state_dict` 的键，也就是张量的名字，不是注意力的键。前两项在 `get_peft_model_state_dict` 的栈帧里问；最后一项，要先运行做出它的那一行。）

# %%
with stop_at(peft.PrefixEncoder._get_adapter_state_dict, suggest=["p config.inference_mode", "u"]) as saving:
    peft_model.save_pretrained(folder)

# %% [markdown] lang="en" tags=["hint"]
# `u` climbs to `get_peft_model_state_dict`. There, `p len(state_dict)` counts. Python's own tools work at the prompt,
# too:
#
# `p [name for name in list(state_dict) if "prompt_encoder" in name]`

# %% [markdown] lang="zh" tags=["hint"]
# `u` 向上走到 `get_peft_model_state_dict`。在那里，`p len(state_dict)` 能数出个数。提示符后面也能用 Python 自己的工具：
#
# `p [name for name in list(state_dict) if "prompt_encoder" in name]`

# %% [markdown] lang="en" tags=["hint"]
# `d` leads back down. There `n` runs a line, and the second one makes `prompt_embeddings`.

# %% [markdown] lang="zh" tags=["hint"]
# `d` 再向下回来。在那里 `n` 运行一行，第二行做出 `prompt_embeddings`。

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

# %% [markdown] lang="zh"
# 可见，丢掉投影是有意的。`get_prompt_embedding_to_save` 最后运行一次编码器，留下它的输出：键和值。注意力要读的，从来只有这些。（第 6 课里，你自己把投影折叠掉了；这里做的是同一件事。）
#
# ## 加载
#
# `PeftModel.from_pretrained` 读出配置，像 `get_peft_model` 那样包装基座模型，再调用 `load_adapter`。后者读文件（`load_peft_weights`），
# 把张量交给 `set_peft_model_state_dict`。在那里，先调用 torch 自己的 `load_state_dict`，参数是 `strict=False`：对不上的就跳过，什么也不说。下一行，
# PEFT 又调用编码器的 `_load_adapter_state_dict`。只有一个张量，为什么调用两次？
#
# ### 练习 2 · 谁收下了这些数？
#
# 停在第二次调用里，到上一个栈帧去看第一次调用的 `load_result`：文件里的哪个名字是意外的（`unexpected`）？模型自己的名字，有几个在文件里找不到（`missing`）？然后运行你所在的那一行，看它改变了什么：
# `self.embedding.weight` 现在和文件里的一样了吗？

# %%
with stop_at(peft.PrefixEncoder._load_adapter_state_dict, suggest=["p list(state_dict)", "u"]) as loading:
    loaded = peft.PeftModel.from_pretrained(load_tiny("gpt2")[0], folder)

# %% [markdown] lang="en" tags=["hint"]
# `load_result` has two lists, `missing_keys` and `unexpected_keys`. One of them is long: `len` counts it.

# %% [markdown] lang="zh" tags=["hint"]
# `load_result` 里有两个列表，`missing_keys` 和 `unexpected_keys`。其中一个很长：用 `len` 数。

# %% [markdown] lang="en" tags=["hint"]
# `d` leads back down, and `torch.equal(self.embedding.weight, state_dict["prompt_embeddings"])` compares, before `n`
# and after it.

# %% [markdown] lang="zh" tags=["hint"]
# `d` 再向下回来；`torch.equal(self.embedding.weight, state_dict["prompt_embeddings"])` 做比较，在 `n` 之前和之后各一次。

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

# %% [markdown] lang="zh"
# 第一次调用什么也没收：缺了 55 个名字，有基座模型的，也有编码器自己的；而文件里唯一的名字是意外的。把数放进编码器那张表的，是第二次调用。（编码器的表有这么宽，而且没有投影，这你在第 6 课见过。）回答还一样吗？

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

# %% [markdown] lang="zh"
# ## 从文件接着训练
#
# 带投影的训练，没法原样接着做：许多不同的投影会给出同样的前缀，而文件没说你的是哪一个。不带投影时，参加训练的都在文件里。这样的文件，PEFT 肯加载来继续训练吗？先猜，再运行这个单元格。

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

# %% [markdown] lang="zh"
# 两个文件，PEFT 都不肯加载。`PeftModel.from_pretrained` 里只问一件事：这个方法是不是提示学习（prompt learning）。所以提示微调（prompt tuning）和 P-tuning 也会被拒绝，
# 不管文件里是什么。不过还有两条路。要是事先想到了，就把编码器自己的 `state_dict()` 和优化器的一起，另存在适配器旁边。要是只有文件，就新建一个**不带**投影的前缀，把留下的数放进它的表里；
# PEFT 有 `load_prompt_embeddings` 专做这件事。

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
# loaded beside the postcards on one fresh base. (Some ten seconds.)

# %% [markdown] lang="zh"
# 它恰好从你停下的地方开始，而且能训练。不过现在每个数各自训练，前面没有 MLP 了，所以要重新找一个学习率。
#
# *短路线：到这里就走完了。以后再来，第 14 课有虫子等你捉。*
#
# ## 服务：几个前缀，一个基座模型
#
# 再来两个前缀，对应两种 GPT-2 本来就会的口吻，只差有人叫它用。它们很快就能训练好，保存下来，再和明信片一起加载到一个全新的基座模型上。（大约十来秒。）

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

# %% [markdown] lang="zh"
# `load_adapter` 只添加，不切换；`set_adapter` 切换；`disable_adapter` 让基座模型暂时恢复原样。`reply` 是服务端对一条记录要做的事。


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

# %% [markdown] lang="zh"
# ### 练习 3 · 一个基座，服务多个前缀
#
# 每个请求是一对东西：适配器的名字和一条记录；名字是 `None`，就是只问基座模型。`reply(record)` 给出模型按当前状态的回答。按请求的次序返回这些回复，最后让模型恢复成你拿到它时的样子。

# %% [markdown] lang="en" tags=["hint"]
# `peft_model.active_adapter` is the name in use: note it first, and set it again at the end.

# %% [markdown] lang="zh" tags=["hint"]
# `peft_model.active_adapter` 是当前启用的名字：先记下来，最后再设回去。

# %% [markdown] lang="en" tags=["hint"]
# For `None`: `with peft_model.disable_adapter():`, and the reply inside.

# %% [markdown] lang="zh" tags=["hint"]
# 遇到 `None`：用 `with peft_model.disable_adapter():`，在里面取回复。


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

# %% [markdown] lang="zh"
# ### 练习 4 · 谁会发现？
#
# 夜里，基座模型又接着训练了一阵。早上，有人把旧的前缀加载上去：类一样，大小一样，名字一样，权重却变了。谁会发现？先猜；下面的单元格会试一试。
#
# - `"a"`：PEFT：它把基座模型的指纹和文件里的指纹相比较。
# - `"b"`：PEFT：它把基座模型的名字和 `base_model_name_or_path` 相比较。
# - `"c"`：谁也不会。
# - `"d"`：safetensors：文件头会对不上。

# %% [markdown] lang="en" tags=["hint"]
# You have seen all that is in the two files. What in them knows the base's weights?

# %% [markdown] lang="zh" tags=["hint"]
# 两个文件里有什么，你都看过了。其中有什么东西认得基座模型的权重？

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

# %% [markdown] lang="zh"
# 所以要写下前缀属于哪个基座模型：它的名字、它的版本；最好还有指纹，就像第 3 课那样。
#
# ## 你看到了什么
#
# 保存下来的前缀，是一个装着键和值的张量，加上一页 JSON。产生它的东西没有留下，所以你加载它来使用，或者把它复制进一张表接着训练。不管前面放多少个前缀，基座模型始终是同一个。
#
# 接着读：负责写的 `prefix_lab/checkpoint.py`，负责读的 `prefix_lab/beside/saving.py`；然后是第 13 课：那里的适配器可以合并进基座模型，前缀不能。

# %%
show_progress(11)
