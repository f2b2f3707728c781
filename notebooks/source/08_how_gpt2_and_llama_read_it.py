# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 08 · How GPT-2 and Llama read it
#
# The prefix is in the cache. How does a model with one stack of layers read it? In this lesson you stop in PEFT's
# forward and in the attention layer itself, and you see on real words which head looks at the prefix, and when. At the
# end you will be able to say
#
# - what grows by prefix_len, and what does not;
# - whose keys come first, and at which position the text begins;
# - for which words a trained prefix is read;
# - what a prefix can, and cannot, change in the very first layer.
#
# It takes about 30 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 08 · GPT-2 和 Llama 怎样读前缀
#
# 前缀已经放进缓存了。GPT-2 这样的模型只有一摞层，它怎样读前缀？这一课里，你会停在 PEFT 的 `forward` 里，也会停在注意力层里；还会用真实的句子，看哪个注意力头在什么时候看前缀。学完这一课，你能够说出
#
# - 哪些东西会多出 `prefix_len`（前缀长度），哪些不会；
# - 谁的键排在前面，文本从哪个位置开始；
# - 写到哪些词的时候，训练好的前缀会被读到；
# - 在最前面的那一层，前缀能改变什么，不能改变什么。
#
# 大约需要 30 分钟。从头开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import peft
import torch
from transformers.cache_utils import DynamicLayer
from transformers.models.llama import modeling_llama

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny, show_progress, show_stage, small_llama, table, world_task
from prefix_lab.course.lessons.lesson_08 import (
    check_arrives,
    check_content,
    check_keys_join,
    check_kv_head,
    check_why_there,
    draw_attention,
    draw_reading,
)
from prefix_lab.course.prefixes import trained_prefix
from prefix_lab.shapes import named
from prefix_lab.tasks import PeftModelForCausalLM
from prefix_lab.widgets import ShapeFlow

# %% [markdown] lang="en"
# ## A prefix that writes postcards
#
# The small GPT-2 was taught six manners to tell about a place, and a postcard is none of them. The prefix of lesson 0
# makes it write one all the same: ten virtual tokens, trained as in lesson 3. A record of 18 words goes in.

# %% [markdown] lang="zh"
# ## 会写明信片的前缀
#
# 小 GPT-2 学过六种口吻来介绍一家餐馆，明信片不在其中。第 0 课的那个前缀却能让它写出明信片：十个虚拟词元，训练方法和第 3 课一样。现在输入一条 18 个词的记录。

# %%
base, tokenizer = load_tiny("gpt2", attn_implementation="eager")  # "eager": attention that can be looked at
model = peft.PeftModel.from_pretrained(base, trained_prefix("gpt2_postcard"))

record = world_task("CAUSAL_LM", "postcard").examples("test")[0][0]
batch = tokenizer(record, return_tensors="pt")
written = model.generate(**batch)[0, batch.input_ids.shape[1] :]
postcard = tokenizer.decode(written, skip_special_tokens=True)
print(record)
print(postcard)

# %% [markdown] lang="en"
# Ten virtual tokens and 18 words. How many logits will come out: 18 or 28? At how many tokens does attention look?
# Decide, then run the cell.

# %% [markdown] lang="zh"
# 十个虚拟词元，18 个词。输出的 logits 会有多少个：18 个还是 28 个？注意力要看多少个词元？先想好，再运行这个单元格。

# %%
sizes = {"batch": 1, "prefix_len": 10, "source": 18, "heads": 4, "head_dim": 32, "hidden": 128, "vocab": len(tokenizer)}


def show(name, tensor, axes):
    print(f"{name:22}{named(tensor.shape, axes, sizes)}")


with torch.no_grad():
    output = model(**batch, output_attentions=True)
show("input_ids", batch.input_ids, "batch source")
show("logits", output.logits, "batch source vocab")
show("attentions[0]", output.attentions[0], "batch heads source prefix_len+source")

# %% [markdown] lang="en"
# There are logits for the words alone. The prefix is only read: it has keys and values, and no queries, so nothing is
# predicted at its places. That is why labels stay as they are, too.
#
# ## What PEFT changes on the way in
#
# Here are both forwards for language models, ours and PEFT's. Three things matter, and their lines are marked.

# %% [markdown] lang="zh"
# 只有那 18 个词有 logits。前缀只是被读：它有键和值，没有查询，所以在它的位置上，什么也不预测。标签（labels）也因此不用改。
#
# ## 输入进来时，PEFT 改了什么
#
# 下面是给语言模型用的两个 `forward`，一个是我们的，一个是 PEFT 的。要紧的有三处，相关的行都标出来了。

# %%
show_stage(
    "attend",
    pair=(PeftModelForCausalLM.forward, peft.PeftModelForCausalLM.forward),
    mark=("prefix_attention_mask", "self.prepend_prefix(", "get_prompt(", "shift_position_ids(", "_adjust_prompt"),
)

# %% [markdown] lang="en"
# ### Exercise 1 · what is handed on
#
# Stop in PEFT's forward. We give a position to each word, 0 to 17, so that you see what becomes of it. Find out with
# the debugger: how wide is the mask that forward hands to the base model, and at which position does the first word
# stand then? Run the cell with the stop by itself, ask, and write what you found into the cell below it.

# %% [markdown] lang="zh"
# ### 练习 1 · 传下去的是什么
#
# 停在 PEFT 的 `forward` 里。我们给每个词指定一个位置，从 0 到 17，这样你能看到它们后来变成了什么。用调试器查清楚：`forward` 传给基座模型的掩码有多宽？那时第一个词在哪个位置？
# 单独运行带停点的那个单元格，提问，再把结果写进它下面的单元格。

# %% [markdown] lang="en" tags=["hint"]
# `n` runs one line. The mask has its new width behind the line with `torch.cat`, the positions behind the call of
# `_adjust_prompt_learning_kwargs`.

# %% [markdown] lang="zh" tags=["hint"]
# `n` 运行一行。掩码在 `torch.cat` 那一行之后变宽，位置在调用 `_adjust_prompt_learning_kwargs` 之后改变。

# %% [markdown] lang="en" tags=["hint"]
# `r` runs on to the end of the function, and stops there: everything has its last value.

# %% [markdown] lang="zh" tags=["hint"]
# `r` 一直运行到函数末尾，停在那里：这时每个变量都是最后的值。

# %%
positions = torch.arange(18)[None]
with stop_at("attend", where="peft", suggest=["p attention_mask.shape", "p kwargs['position_ids']", "n", "n"]) as stop:
    model(**batch, position_ids=positions)

# %% tags=["exercise"]
check_arrives(stop, {"mask": ..., "first_position": ...})

# %% tags=["solution"]
positions = torch.arange(18)[None]
with stop_at(
    "attend",
    where="peft",
    commands=["p attention_mask.shape", "r", "p attention_mask.shape", "p kwargs['position_ids'][0, 0]", "c"],
) as stop:
    model(**batch, position_ids=positions)

check_arrives(stop, {"mask": 28, "first_position": 10})

# %% [markdown] lang="en"
# And if nobody gives positions? A **hook** tells: a function of ours that torch calls each time a module is called,
# with what comes in. We hang one before GPT-2's table of positions, `wpe`, and take it away again. GPT-2 asks the cache
# how long the past is, and counts on from there by itself.

# %% [markdown] lang="zh"
# 要是没有人给位置呢？用**钩子**（hook）就能看到：它是我们自己写的一个函数，torch 每次调用某个模块时都会调用它，并把输入交给它。我们在 GPT-2 的位置表 `wpe` 前面挂一个，用完再摘掉。GPT-2 会问缓存：
# 前面已经有多长？然后自己接着往下数。

# %%
arrived = []
hook = base.transformer.wpe.register_forward_pre_hook(lambda module, args: arrived.append(args[0]))
with torch.no_grad():
    model(**batch)
hook.remove()
print(arrived)

# %% [markdown] lang="en"
# ## Inside the attention layer
#
# Now stop in transformers, where each of the four layers attends. At its first line no key has been made yet. Is the
# prefix there already? And how many columns does the mask have?

# %% [markdown] lang="zh"
# ## 走进注意力层
#
# 现在停到 transformers 里：四层各自计算注意力的地方。停在第一行时，这一层自己的键还一个都没算出来。前缀已经在了吗？掩码有多少列？

# %%
with stop_at(
    "attend",
    where="transformers",
    suggest=["p self.layer_idx", "p past_key_values.layers[0].keys.shape", "p attention_mask.shape", "c"],
):
    model(**batch)

# %% [markdown] lang="en"
# ### Exercise 2 · where keys are joined
#
# A layer hands its 18 new keys to the cache, and gets all keys back. `DynamicLayer.update` is where that happens. How
# many keys are there before, and how many after? Whose come first, those of the `"prefix"` or those of the `"words"`?
# And which layer called: climb to its frame, and ask for its number.

# %% [markdown] lang="zh"
# ### 练习 2 · 键在哪里拼接
#
# 每一层把自己新算的 18 个键交给缓存，拿回全部的键。这件事发生在 `DynamicLayer.update` 里。之前有多少个键，之后有多少个？谁的排在前面，是前缀的（`"prefix"`），还是词的（`"words"`）？
# 又是哪一层在调用：向上走到它的栈帧，问出它的编号。

# %% [markdown] lang="en" tags=["hint"]
# `self.keys` are the keys in the cache, `key_states` the new ones; the third number of a shape counts them. `n` runs a
# line; ask before and after the one with `torch.cat`.

# %% [markdown] lang="zh" tags=["hint"]
# `self.keys` 是缓存里的键，`key_states` 是新的键；形状里的第三个数就是键的个数。`n` 运行一行；在 `torch.cat` 那一行的前后各问一次。

# %% [markdown] lang="en" tags=["hint"]
# `w` shows who called whom. `u` climbs one frame: first into the cache, then into `GPT2Attention.forward`, which knows
# its `self.layer_idx`.

# %% [markdown] lang="zh" tags=["hint"]
# `w` 显示谁调用了谁。`u` 向上走一个栈帧：先到缓存，再到 `GPT2Attention.forward`，那里有 `self.layer_idx`。

# %%
with stop_at(
    DynamicLayer.update,
    condition="self.is_initialized",  # not when the cache is built, but when a layer adds to it
    suggest=["ll", "p self.keys.shape", "p key_states.shape", "n"],
) as stop:
    model(**batch)

# %% tags=["exercise"]
check_keys_join(stop, {"keys_before": ..., "keys_after": ..., "first": ..., "layer": ...})

# %% tags=["solution"]
with stop_at(
    DynamicLayer.update,
    condition="self.is_initialized",
    commands=["p self.keys.shape", "n", "n", "p self.keys.shape", "u", "u", "p self.layer_idx", "c"],
) as stop:
    model(**batch)

check_keys_join(stop, {"keys_before": 10, "keys_after": 28, "first": "prefix", "layer": 0})

# %% [markdown] lang="en"
# ## Which head reads it, for which word?
#
# Let us give the model the record and the postcard in one, and look at every head of every layer. A column is a word,
# a row a head; the fuller a cell, the more of its attention that head gives to the prefix when it stands at that word.
# Right of the line stands the postcard. (What is written *at* a word is the *next* word.)

# %% [markdown] lang="zh"
# ## 哪个头读它，在写哪个词的时候？
#
# 把记录和明信片连在一起交给模型，看每一层的每一个头。一列是一个词，一行是一个头。格子颜色越深，说明站在这个词上时，这个头分给前缀的注意力越多。竖线右边是明信片。（站在一个词**上**时，写出的是**下一个**词。）

# %%
told = tokenizer(f"{record} {postcard}", return_tensors="pt")
words = tokenizer.convert_ids_to_tokens(told.input_ids[0])
with torch.no_grad():
    steered = model(**told, output_attentions=True)
    with model.disable_adapter():
        plain = model(**told)
draw_reading(steered.attentions, words, prefix_len=10, sentence=18)

# %% [markdown] lang="en"
# The same in numbers, from the sign `=` on. `p_with` and `p_without` are the chances of the postcard's next word with
# the prefix and without it; `share` is how much of its attention the model gives to the prefix there, as a mean over
# all 16 heads.

# %% [markdown] lang="zh"
# 再用数字看一遍，从等号 `=` 开始。`p_with` 和 `p_without` 是明信片的下一个词在有前缀和没有前缀时的概率；`share` 是模型在这里分给前缀的注意力，取全部 16 个头的平均。

# %%
looks = torch.stack(steered.attentions)[:, 0, :, :, :10].sum(-1).mean((0, 1))  # (layers, heads, words) → (words,)
chances = [output.logits[0].softmax(-1) for output in (steered, plain)]
rows = []
for place in range(17, len(words) - 1):
    following = told.input_ids[0, place + 1]
    with_prefix, without = (f"{one[place, following]:.0%}" for one in chances)
    rows.append((words[place], words[place + 1], with_prefix, without, f"{looks[place]:.0%}"))
table(("at", "next", "p_with", "p_without", "share"), rows)

# %% [markdown] lang="en"
# ### Exercise 3 · why there?
#
# Three places: `name`, the first word; the sign `=`, at which the model begins to write; and `amber` in the postcard,
# the first word of the place's name. Two of them look hard at the prefix, one hardly. Why? Choose for each:
#
# - `"few_others"`: there is hardly anything else to look at;
# - `"how_to_say"`: what comes next depends on the manner, and only the prefix knows it;
# - `"in_the_record"`: what comes next stands in the record.

# %% [markdown] lang="zh"
# ### 练习 3 · 为什么偏偏是那里？
#
# 看三个地方：`name`，第一个词；等号 `=`，模型从这里开始写；还有明信片里的 `amber`，餐馆名的第一个词。其中两处紧盯着前缀，一处几乎不看。为什么？给每一处选一个原因：
#
# - `"few_others"`：除了前缀，几乎没有别的可看；
# - `"how_to_say"`：接下来写什么，要看用什么口吻，而口吻只有前缀知道；
# - `"in_the_record"`：接下来要写的，记录里就有。

# %% [markdown] lang="en" tags=["hint"]
# Compare `p_with` and `p_without` at `=` and at `amber`. And how many words may `name` look at?

# %% [markdown] lang="zh" tags=["hint"]
# 比较 `=` 和 `amber` 处的 `p_with` 与 `p_without`。再想想：`name` 能看到几个词？

# %% tags=["exercise"]
check_why_there({"name": ..., "=": ..., "amber": ...})

# %% tags=["solution"]
check_why_there({"name": "few_others", "=": "how_to_say", "amber": "in_the_record"})

# %% [markdown] lang="en"
# ## What a prefix does to layer 0
#
# One head of layer 0, asked by the postcard's words: the ten columns on the left are the prefix.

# %% [markdown] lang="zh"
# ## 前缀对第 0 层做了什么
#
# 这是第 0 层的一个头，提问的是明信片里的词：左边十列是前缀。

# %%
layer, head = 0, 2
draw_attention({f"layer={layer}, head={head}": steered.attentions[layer][0, head]}, words, asking=17)

# %% [markdown] lang="en"
# The words' part has become smaller than it was without a prefix. Has it also become **another**? Let us take the
# prefix's columns away, and make the rest add up to 1 again.
#
# ### Exercise 4 · attention without the prefix's share

# %% [markdown] lang="zh"
# 和没有前缀时相比，分给词的那部分变小了。那么这部分**内部的比例**变了吗？我们去掉前缀的列，让剩下的重新加起来等于 1。
#
# ### 练习 4 · 去掉前缀那一份之后的注意力

# %% [markdown] lang="en" tags=["hint"]
# `attention[..., prefix_len:]` keeps the words' columns. Their sum over the last axis is what was left for the words.

# %% [markdown] lang="zh" tags=["hint"]
# `attention[..., prefix_len:]` 留下词的列。它们沿最后一个轴的和，就是原来留给词的那部分。

# %% [markdown] lang="en" tags=["hint"]
# What makes numbers add up to 1 that add up to something else? `keepdim=True` lets the shapes fit.

# %% [markdown] lang="zh" tags=["hint"]
# 一组数加起来不是 1，怎样让它们加起来等于 1？`keepdim=True` 能让形状对得上。


# %% tags=["exercise"]
def content(attention, prefix_len):
    return ...


check_content(content)


# %% tags=["solution"]
def content(attention, prefix_len):
    kept = attention[..., prefix_len:]
    return kept / kept.sum(dim=-1, keepdim=True)


check_content(content)

# %% [markdown] lang="en"
# Now the same words through the base model, without any prefix, at the positions that they have behind one: from 10
# on. Printed is the largest difference in each layer. (The cell uses a `content` of its own, so that it runs before
# yours does.)

# %% [markdown] lang="zh"
# 现在让同样的词经过没有前缀的基座模型，位置和有前缀时一样：从 10 开始。打印出来的是每一层里最大的差别。（这个单元格用的是它自己的 `content`，所以你还没写完时它也能运行。）

# %%
with torch.no_grad(), model.disable_adapter():
    moved = torch.arange(10, 10 + len(words))[None]
    unsteered = model(**told, position_ids=moved, output_attentions=True).attentions

for layer, attention in enumerate(steered.attentions):
    kept = torch.nn.functional.normalize(attention[..., 10:], p=1, dim=-1)
    print(f"layer={layer} {(kept - unsteered[layer]).abs().max():.7f}")

# %% [markdown] lang="en"
# In layer 0 nothing differs but the last digits: softmax gives the prefix its share, and leaves the weights of the
# words in proportion. A prefix **cannot** make a head of layer 0 prefer another word. It adds the same ten values to
# each query's result, more or less of them: lesson 2's law again. It was proved by Aleksandar Petrov, Philip Torr and
# Adel Bibi (“When Do Prompting and Prefix-Tuning Work? A Theory of Capabilities and Limitations”, 2023,
# [arXiv 2310.19698](https://arxiv.org/abs/2310.19698)). In layer 1 the inputs differ already, so anything may move.

# %% [markdown] lang="zh"
# 第 0 层除了最后几位小数，没有任何差别：softmax 把前缀的那一份给了它，词与词之间的权重比例不变。前缀**没有办法**让第 0 层的头转而偏爱另一个词。它给每个查询的结果加上的是同样的十个值，只是有多有少：
# 又是第 2 课的那条定律。证明它的是 Aleksandar Petrov、Philip Torr 和 Adel Bibi（“When Do Prompting and Prefix-Tuning Work? A Theory of Capabilities
# and Limitations”，
# 2023，[arXiv 2310.19698](https://arxiv.org/abs/2310.19698)）。到了第 1 层，输入已经不同，什么都可能变。

# %% [markdown] lang="en"
# ## Llama: fewer keys than heads
#
# A Llama saves memory: several heads that ask share one key and one value. So its prefix is narrower, too. No trained
# Llama ships with the course; this one is small and its numbers are random, which is enough for shapes. It has six
# heads, and two of them are cached.

# %% [markdown] lang="zh"
# ## Llama：键比头少
#
# Llama 为了省内存，让几个头共用一份键和值，所以它的前缀也更窄。课程没有自带训练好的 Llama；这里用一个小的，参数是随机的，看形状够用了。它有六个头，缓存里只存两个。

# %%
llama = small_llama(layers=3, heads=6, kv_heads=2, head_dim=8)  # or a Llama of yours: AutoModelForCausalLM
torch.manual_seed(0)
llama_config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
llama_model = peft.get_peft_model(llama, llama_config).eval()

sizes |= {"heads": 6, "kv_heads": 2, "head_dim": 8, "hidden": 48, "layers": 3}
print("num_attention_heads", llama_config.num_attention_heads, " token_dim", llama_config.token_dim)
show(
    "embedding.weight", llama_model.prompt_encoder["default"].embedding.weight, "prefix_len 2·layers·kv_heads·head_dim"
)
show("cache.layers[0].keys", llama_model.get_prompt(1).layers[0].keys, "batch kv_heads prefix_len head_dim")
with torch.no_grad():
    before = llama_model(**batch, output_attentions=True).attentions[0]
show("attentions[0]", before, "batch heads source prefix_len+source")

# %% [markdown] lang="en"
# Keys for two heads, attention for six. In between, `repeat_kv` hands each cached head to its group. Stop there, and
# look at what comes in and at how many copies it makes; `r` leads to its end.

# %% [markdown] lang="zh"
# 键有两个头，注意力有六个头。中间由 `repeat_kv` 把每个缓存的头分给它那一组。停在那里，看进来的是什么，它复制几份；`r` 走到它的末尾。

# %%
with stop_at(
    modeling_llama.repeat_kv,
    times=1,
    suggest=["p hidden_states.shape", "p n_rep", "r", "p hidden_states[0, :, :, 0, 0]", "u", "p module.layer_idx", "c"],
):
    llama_model(**batch)

# %% [markdown] lang="en"
# ### Exercise 5 · whose key does a head read?
#
# Heads are counted from 0. Which of the two cached ones does head 4 read?

# %% [markdown] lang="zh"
# ### 练习 5 · 一个头读的是谁的键？
#
# 头从 0 开始数。缓存的头有两个，4 号头读的是哪一个？

# %% [markdown] lang="en" tags=["hint"]
# Six heads make two groups of three, and heads side by side are a group. The next experiment shows it: below, the
# prefix of cached head 1 is changed.

# %% [markdown] lang="zh" tags=["hint"]
# 六个头分成两组，每组三个，相邻的头在同一组。下面的实验会验证：它改动缓存的 1 号头的前缀。

# %% tags=["exercise"]
check_kv_head(...)

# %% tags=["solution"]
check_kv_head(1)

# %% [markdown] lang="en"
# Is it so? We change the prefix of cached head 1 in layer 0, and nothing else. Which of the six heads look elsewhere?

# %% [markdown] lang="zh"
# 真是这样吗？我们只改第 0 层里缓存的 1 号头的前缀，别的都不动。六个头里，哪几个的注意力变了？

# %%
weight = llama_model.prompt_encoder["default"].embedding.weight
kept = weight.detach().clone()
with torch.no_grad():
    weight.view(10, 6, 2, 8)[:, 0, 1] += 1.0  # (prefix_len, 2·layers, kv_heads, head_dim): row 0 is layer 0's key
    after = llama_model(**batch, output_attentions=True).attentions[0]
    weight.copy_(kept)  # as it was
for head in range(6):
    print(f"head={head} {(after[0, head] - before[0, head]).abs().max():.3f}")

# %% [markdown] lang="en"
# For a big Llama this makes the prefix four times smaller. `ShapeFlow` shows the whole way for Llama 3 8B, 32 heads
# with 8 cached: move `kv_heads`, and see what the cache and the trained table weigh.

# %% [markdown] lang="zh"
# 换成大的 Llama，前缀因此只有原来的四分之一大。`ShapeFlow` 画出了 Llama 3 8B 的全过程，它有 32 个头，缓存 8 个：拖动 `kv_heads`（键值头数），看缓存和训练的那张表各占多少。

# %%
ShapeFlow("llama-3-8b", prefix_len=20)

# %% [markdown] lang="en"
# ## What you have seen
#
# - The prefix has keys and values and no queries. The mask grows by prefix_len ones in front; ids, labels and logits
#   stay; positions begin at prefix_len.
# - Its keys lie in the cache before a layer has made any, and stand before the words' keys.
# - While it writes, the model looks at the prefix most where the text does not tell how to go on, and least in the
#   middle of a name.
# - In layer 0 a prefix rescales: it takes a share, and the words keep their proportions.
# - Grouped-query models cache few heads, and the prefix has only those.
#
# Read next: `PeftModelForCausalLM` in `prefix_lab/tasks.py`, which shows `generate` too; in transformers
# `modeling_llama.py`, from `repeat_kv` to `LlamaAttention`. Lesson 9 asks how a T5 reads its prefix.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# - 前缀有键和值，没有查询。掩码前面多出 `prefix_len` 个 1；ids、标签和 logits 不变；位置从 `prefix_len` 开始。
# - 一层还没算出自己的键时，前缀的键已经在缓存里了；它们排在词的键前面。
# - 写的时候，凡是文本没说该怎样往下写的地方，模型看前缀最多；写到一个名字中间时，看得最少。
# - 在第 0 层，前缀只做缩放：它拿走一份，词之间的比例不变。
# - 分组查询的模型只缓存少数几个头，前缀也只有那几个。
#
# 接着读：`prefix_lab/tasks.py` 里的 `PeftModelForCausalLM`，里面也有 `generate`；transformers 的 `modeling_llama.py`，
# 从 `repeat_kv` 读到 `LlamaAttention`。第 9 课要问的是：T5 怎样读它的前缀。

# %%
show_progress(8)
