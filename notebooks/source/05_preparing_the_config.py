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
# - find in PEFT's own preparation where each size of a prefix comes from, for any model;
# - read the error, and rescue the model with one argument;
# - recognise a config that still has another model's sizes.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 05 · 准备配置
#
# 同样的三行代码，给 t5-small 装上了前缀，给 flan-t5-small 却失败了，而且错在 torch 内部。两个都是
# T5，为什么？学完这一课，你能够
#
# - 对任何模型，在 PEFT 的准备过程里查出前缀的每个大小从哪里来；
# - 读懂这个报错，用一个参数救活模型；
# - 认出一份还带着另一个模型的大小的配置。
#
# 大约需要 25 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
from transformers import T5ForConditionalGeneration

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import show_progress, show_stage
from prefix_lab.course.lessons.lesson_05 import (
    check_grouped,
    check_next_model,
    check_not_asked_for,
    check_rescue,
    config_of,
    draw_widths,
    empty_model,
    show_sizes,
)
from prefix_lab.shapes import shape_error

# %% [markdown] lang="en"
# ## Try both
#
# The sizes of well-known models come with the project, their weights do not. `empty_model` builds a model that has
# shapes and no numbers, on torch's *meta* device; enough to see what fits. (A model of yours: load it with
# `AutoModelForSeq2SeqLM.from_pretrained("a/local/folder")` in place of `empty_model(name)`.)


# %% [markdown] lang="zh"
# ## 两个都试试
#
# 常见模型的大小随项目附带，权重没有附带。`empty_model` 在 torch 的 *meta*
# 设备上造一个模型，只有形状，没有数值；要看装不装得上，这就够了。（想用自己的模型：把 `empty_model(name)` 换成
# `AutoModelForSeq2SeqLM.from_pretrained("a/local/folder")`。）


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

# %% [markdown] lang="zh"
# 报错里全是数字，没有一个名字。`shape_error` 会看出错的那一行、当时那里有什么，然后说出是哪个轴对不上，差了多少。

# %%
shape_error(failed)

# %% [markdown] lang="en"
# Six heads do not divide 512. But who said that 512 numbers are to be shared among six heads?
#
# ## The place
#
# Preparation fills in what you left at `None`. Every family of models has its own names for the same few sizes, so it
# tries one after the other. `get_peft_model` comes through here with your config and the model's.

# %% [markdown] lang="zh"
# 512 不能被六个头平分。可是，谁说这 512 个数要分给六个头？
#
# ## 它在哪里
#
# 你留作 `None` 的字段，由准备过程来填。同样几个大小，每个系列的模型各有各的叫法，所以它把名字一个接一个地试。
# `get_peft_model` 会带着你的配置和模型的配置经过这里。

# %%
show_stage(
    "prepare",
    mark=("d_model", "TOKEN_DIM", "n_embd", "num_key_value_heads", "NUM_ATTENTION_HEADS"),
    also=("prefix_lab.prepare.explain_preparation",),
)

# %%
prepare = peft.utils.other._prepare_prompt_learning_config
flan = config_of("flan-t5-small")

# %% [markdown] lang="en"
# ### Exercise 1 · a name that nobody asks for
#
# In lesson 01 you watched the arrow pass the names of a T5. Now flan-t5-small, a T5 as well. What does preparation make
# of its width and its heads? And one name in `model_config` says how wide a head of this model really is: which one?
# Preparation never asks for it. (`r` runs to the end of the function, `pp` prints a dictionary line by line.)

# %% [markdown] lang="zh"
# ### 练习 1 · 没人问起的名字
#
# 在第 1 课，你看着箭头走过一个 T5 的各个名字。现在换成 flan-t5-small，也是
# T5。准备过程读出的宽度和头数是多少？另外，`model_config` 里有一项写着这个模型的一个头到底有多宽，准备过程却从来没有问起它：是哪一个名字？（`r` 运行到函数末尾，`pp` 把字典逐行打印出来。）

# %% [markdown] lang="en" tags=["hint"]
# Behind `r`, both fields are filled: `p peft_config.token_dim, peft_config.num_attention_heads`.

# %% [markdown] lang="zh" tags=["hint"]
# `r` 之后，两个字段都填好了：`p peft_config.token_dim, peft_config.num_attention_heads`。

# %% [markdown] lang="en" tags=["hint"]
# `pp model_config` is long. Look among the names that begin with `d_`, and compare each with the source above: is it
# asked for?

# %% [markdown] lang="zh" tags=["hint"]
# `pp model_config` 很长。在 `d_` 开头的名字里找，每一个都和上面的源码对照：它被问到了吗？

# %% tags=["exercise"]
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
with stop_at("prepare", where="peft", suggest=["p peft_config.token_dim", "r", "c"]) as stop:
    prepare(config, flan)

check_not_asked_for(stop, {"token_dim": ..., "num_attention_heads": ..., "width_of_a_head": ...})

# %% tags=["solution"]
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
look = ["r", "p peft_config.token_dim, peft_config.num_attention_heads", 'p model_config["d_kv"]', "c"]
with stop_at("prepare", where="peft", commands=look) as stop:
    prepare(config, flan)

check_not_asked_for(stop, {"token_dim": 512, "num_attention_heads": 6, "width_of_a_head": "d_kv"})

# %% [markdown] lang="en"
# `d_kv` is 64. Six heads of 64 are 384, and the model is 512 wide. Most models have heads · head_dim = hidden, and
# preparation takes that for granted: 512 // 6 is 85, and 6 · 85 is not 512.
#
# ### Exercise 2 · rescue flan-t5-small
#
# Preparation fills only what is `None`. So one argument more saves the model: which `token_dim` fits what flan-t5-small
# keeps in its cache? `give_prefix("flan-t5-small", token_dim=...)`, from the top of this lesson, tries a number.

# %% [markdown] lang="zh"
# `d_kv` 是 64。六个 64 宽的头是 384，而模型宽 512。多数模型满足 heads · head_dim = hidden（头数 · 每头维度 =
# 隐藏维度），准备过程就默认都是这样：512 // 6 得 85，而 6 · 85 不等于 512。
#
# ### 练习 2 · 拯救 flan-t5-small
#
# 准备过程只填 `None` 的字段。所以多写一个参数，就能救活模型：`token_dim` 取多少，才和 flan-t5-small
# 缓存里的东西一样宽？用这一课开头的 `give_prefix("flan-t5-small", token_dim=...)` 可以试一个数。

# %% [markdown] lang="en" tags=["hint"]
# `token_dim` is how many numbers one key has, all heads side by side. PEFT divides it by the number of heads again.

# %% [markdown] lang="zh" tags=["hint"]
# `token_dim` 是一个键有多少个数，所有的头并排算在一起。PEFT 之后再把它除以头数。

# %% tags=["exercise"]
token_dim = ...
check_rescue(token_dim)

# %% tags=["solution"]
token_dim = 384
check_rescue(token_dim)

# %% [markdown] lang="en"
# Does 384 hold in the forward pass? This model has real numbers and flan-t5-small's attention; to be built quickly it
# has a small vocabulary and small feed-forward layers.

# %% [markdown] lang="zh"
# 384 在前向传播里行得通吗？下面这个模型有真正的数值，注意力的大小和 flan-t5-small 一样；为了造得快，词表和前馈层都做得很小。

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

# %% [markdown] lang="zh"
# 我们的呢？它的行为和 PEFT 一样，只是不等 torch 报错，先看一眼模型，把出路说出来。如果写 `sizes="model"`（PEFT
# 没有这个选项），它就直接读缓存自己的大小。

# %%
for choice in ({}, {"sizes": "model"}):
    config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, **choice)
    try:
        prefix_lab.get_peft_model(empty_model("flan-t5-small"), config)
        print(choice, "→ token_dim", config.token_dim)
    except ValueError as error:
        print(choice, "→", error)

# %% [markdown] lang="en"
# ## Every model at once
#
# The arrow shows the name in each model's config. ✗: what PEFT reads is not what is cached.

# %% [markdown] lang="zh"
# ## 所有模型一起看
#
# 箭头后面是模型配置里的名字。✗ 表示：PEFT 读到的，和缓存里的不一样。

# %%
show_sizes()

# %%
draw_widths()

# %% [markdown] lang="en"
# For flan-t5-small, t5-3b and t5-11b the two differ. For llama-3-8b they agree, at 1024, though the model is 4096 wide.
# How does PEFT come to 1024?
#
# ### Exercise 3 · a size that is written twice
#
# With Llama's config, `token_dim` is written, and later written again. Stop before the second time, print it, step on,
# and print it once more. To get there at once, `until` runs to a line; its number depends on your PEFT, so the
# next cell finds it by the text of the line. Then fill in both values, how many heads the prefix gets, and the
# name in Llama's config that decides it.


# %% [markdown] lang="zh"
# flan-t5-small、t5-3b 和 t5-11b，这两个数不同。llama-3-8b 的两个数相同，都是 1024，可是模型宽 4096。PEFT 怎么得到
# 1024 的？
#
# ### 练习 3 · 写了两次的大小
#
# 遇到 Llama 的配置，`token_dim` 先写一次，后来又写一次。停在第二次之前，打印它；往下走，再打印一次。
# 想一步到那里，可以用 `until` 运行到某一行；行号取决于你的 PEFT 版本，所以下一个单元格按那一行的文字去找。
# 然后填上先后两个值、前缀得到多少个头，以及 Llama 的配置里由哪个名字决定。


# %%
def until(function, text):
    lines, first = inspect.getsourcelines(function)
    return f"until {next(number for number, line in enumerate(lines, first) if text in line)}"


grouped = 'and ("num_key_value_heads" in model_config)'
until(prepare, grouped)

# %% [markdown] lang="en" tags=["hint"]
# The block begins with an `if` that asks for a name in `model_config`. Print what stands there:
# `p model_config["num_attention_heads"]`, and the same for that name.

# %% [markdown] lang="zh" tags=["hint"]
# 那一段以 `if` 开头，问 `model_config` 里有没有某个名字。看看里面是什么：`p model_config["num_attention_heads"]`，
# 那个名字也同样打印出来。

# %% [markdown] lang="en" tags=["hint"]
# Go on with `n` until the arrow has passed `peft_config.token_dim = head_dim * num_key_value_heads`, or run to the end
# of the function with `r`.

# %% [markdown] lang="zh" tags=["hint"]
# 用 `n` 往下走，直到箭头越过 `peft_config.token_dim = head_dim * num_key_value_heads`；或者用 `r` 运行到函数末尾。

# %% tags=["exercise"]
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20)
with stop_at("prepare", where="peft", suggest=[until(prepare, grouped), "p peft_config.token_dim", "n", "c"]) as stop:
    prepare(config, config_of("llama-3-8b"))

check_grouped(stop, {"token_dim_first": ..., "token_dim_then": ..., "heads": ..., "decided_by": ...})

# %% tags=["solution"]
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20)
show = "p peft_config.token_dim, peft_config.num_attention_heads"
with stop_at("prepare", where="peft", commands=[until(prepare, grouped), show, "r", show, "c"]) as stop:
    prepare(config, config_of("llama-3-8b"))

check_grouped(stop, {"token_dim_first": 4096, "token_dim_then": 1024, "heads": 8, "decided_by": "num_key_value_heads"})

# %% [markdown] lang="en"
# Llama 3 has 32 heads with a query each, but only 8 with a key and a value, each of which serves four: **grouped-query
# attention** (Ainslie and others, “GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
# Checkpoints”, 2023, [arXiv 2305.13245](https://arxiv.org/abs/2305.13245)). The prefix goes into the cache, so it has 8
# heads, too, of 128 numbers each: 1024. PEFT takes care of this case; for T5's `d_kv` it has no such block.
#
# ## The same config, a second model
#
# Filling happens *in your config object*. What if you use it again, for a larger model? Guess what PEFT prints for
# t5-base, which has 12 layers and 12 heads.

# %% [markdown] lang="zh"
# Llama 3 有 32 个头，各有自己的查询；键和值却只有 8 份，每份由四个头共用：这叫**分组查询注意力**（Ainslie
# 等，“GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints”，2023，
# [arXiv 2305.13245](https://arxiv.org/abs/2305.13245)）。前缀是放进缓存的，所以它也是 8 个头，每个头 128 个数，一共
# 1024。这种情况 PEFT 考虑到了；T5 的 `d_kv`，它没有专门的一段来处理。
#
# ## 同一份配置，第二个模型
#
# 填写是*在你的配置对象里*进行的。如果再把它用于一个更大的模型，会怎样？t5-base 有 12 层、12 个头，猜一猜 PEFT
# 会打印什么。

# %%
used = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
for name in ("t5-small", "t5-base"):
    with torch.device("meta"):
        cache = peft.get_peft_model(empty_model(name), used).get_prompt(batch_size=2)
    key = tuple(cache.self_attention_cache.layers[0].keys.shape)
    print(f"{name:9} num_layers {used.num_layers}, heads {used.num_attention_heads}: {len(cache)} layers of {key}")

# %% [markdown] lang="en"
# PEFT said nothing; only the forward pass would fail. (With models that have a name it warns of the new name, not of
# the sizes.) Stand in it with the used config, and see which `if` it does not enter any more:

# %% [markdown] lang="zh"
# PEFT 一声不吭；要到前向传播才会失败。（如果模型有名字，它会提醒名字变了，却不提大小。）带着这份用过的配置停在里面，
# 看看哪些 `if` 它不再进去：

# %%
with stop_at("prepare", where="peft", suggest=["p peft_config.num_layers is None", *["n"] * 5, "c"]):
    prepare(used, config_of("t5-base"))

# %% [markdown] lang="en"
# ### Exercise 4 · a config for the next model
#
# t5-small was wrapped with `config`, a prefix with a projection (the small network that lesson 06 is about). Now you
# want the same for t5-base, as if t5-small had never been there. Which config do you give it?
#
# - `"a"`: `dataclasses.replace(config)`
# - `"b"`: `dataclasses.replace(config, num_layers=None, token_dim=None, num_attention_heads=None)`
# - `"c"`: `config` itself, after `config.num_layers = 12`
# - `"d"`: `PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)`

# %% [markdown] lang="zh"
# ### 练习 4 · 给下一个模型的配置
#
# 用 `config` 包装过 t5-small，是带投影（重参数化）的前缀（投影是一个小网络，第 6 课讲它）。现在你想给 t5-base
# 同样的前缀，就像从来没有过 t5-small 一样。该给它哪份配置？
#
# - `"a"`：`dataclasses.replace(config)`
# - `"b"`：`dataclasses.replace(config, num_layers=None, token_dim=None, num_attention_heads=None)`
# - `"c"`：`config` 本身，先执行 `config.num_layers = 12`
# - `"d"`：`PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)`

# %% [markdown] lang="en" tags=["hint"]
# Which fields are filled? Print a config before and after `prepare(config, config_of("t5-small"))`, and compare.

# %% [markdown] lang="zh" tags=["hint"]
# 填好的是哪些字段？在 `prepare(config, config_of("t5-small"))` 前后各打印一次配置，比一比。

# %% tags=["exercise"]
check_next_model(...)

# %% tags=["solution"]
check_next_model("d")

# %% [markdown] lang="en"
# Ours looks at the sizes, and says what may have happened:

# %% [markdown] lang="zh"
# 我们的会检查大小，并说出可能的原因：

# %%
config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
prefix_lab.get_peft_model(empty_model("t5-small"), config)
try:
    prefix_lab.get_peft_model(empty_model("t5-base"), config)
except ValueError as error:
    print(error)

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

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# - 每个大小都按一串名字去读，模型认得的第一个名字算数。
# - `token_dim` 是缓存里的东西的宽度。PEFT 读的是模型的宽度，它认得分组查询注意力，不认得 T5 的 `d_kv`。把 `token_dim`
#   设成 heads · head_dim，就对上了。
# - 填写就在配置对象里进行。每个模型都用一份新的配置。
#
# 接着读：`prefix_lab/prepare.py`，它的三张表就是 PEFT 的。想看任何一个模型的整条路，带图带数：
# `ShapeFlow("flan-t5-small")`。第 6 课就要用上这些大小。

# %%
show_progress(5)
