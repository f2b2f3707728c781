# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 07 · From one vector to keys and values
#
# The encoder makes one long vector for each virtual token. Attention wants a key and a value, for each layer and each
# head. Between the two nothing is computed; the numbers are only regrouped, and this is where most people get lost.
# At the end you will be able to
#
# - follow any number through `view`, `permute` and `split`, in a debugger;
# - tell `view` from `permute`, by what they do to the numbers;
# - make two words into a prefix, exact to the last bit.
#
# It takes about 30 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 07 · 从一个向量到键和值
#
# 编码器为每个虚拟词元造一个长向量。注意力要的却是：每一层、每个头，各有一个键和一个值。
# 两者之间什么都不计算，只是把数重新分组，可是大多数人就是在这里弄糊涂的。学完之后，你能够
#
# - 在调试器里，跟着任何一个数走过 `view`、`permute` 和 `split`；
# - 看它们各自怎样安排这些数，分清 `view` 和 `permute`；
# - 把两个词变成前缀，一位不差。
#
# 大约需要 30 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text, prompt_embeddings_from_past_key_values

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny, show_progress, show_stage, table, world_task
from prefix_lab.course.lessons.lesson_07 import check_address, check_followed, check_view_and_permute
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes, named
from prefix_lab.widgets import Mirror, ReshapeView, TensorView

# %% [markdown] lang="en"
# ## A prefix made of addresses
#
# The tiny GPT-2 of lesson 03, with a prefix of five virtual tokens. In place of its random numbers we put addresses
# into the table: 0, 1, 2, … to 5119, row after row. Wherever such a number turns up later, it says where it came from.

# %% [markdown] lang="zh"
# ## 用地址做的前缀
#
# 还是第 3 课的小 GPT-2，带五个虚拟词元的前缀。表里原本是随机数，我们换成地址：0、1、2、……一直到
# 5119，一行接一行。以后不管在哪里看到这样一个数，都知道它从哪里来。

# %%
model, tokenizer = load_tiny("gpt2")  # or AutoModelForCausalLM.from_pretrained("a/local/folder"), with its tokenizer
described = world_task("CAUSAL_LM")
records = [described.source(example) for example in described.examples("test")[:2]]
batch = tokenizer(records, padding=True, return_tensors="pt")

peft_model = peft.get_peft_model(model, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
config, encoder = peft_model.active_peft_config, peft_model.prompt_encoder["default"]
width = 2 * config.num_layers * config.token_dim
addresses = torch.arange(5.0 * width).view(5, width)
encoder.load_prompt_embeddings(addresses)

sizes = {"batch": 2, "prefix_len": 5, "layers": 4, "heads": 4, "head_dim": 32, "hidden": 128}
print(named(addresses.shape, "prefix_len 2·layers·hidden", sizes))
print(addresses.int())

# %% [markdown] lang="en"
# ## The place
#
# Here it is as written, ours and PEFT's. For a GPT-2, `num_transformer_submodules` is 1: no `cat`, and a `split` in
# twos. The many branches of PEFT's are for families with caches of their own.

# %% [markdown] lang="zh"
# ## 它在哪里
#
# 下面是原样的代码，我们的和 PEFT 的。对 GPT-2 来说，`num_transformer_submodules` 是 1：没有 `cat`，`split`
# 两个两个地切。PEFT 里那许多分支，是给有自己的缓存类型的模型准备的。

# %%
show_stage(
    "split",
    mark=(".view(", "num_layers * 2,", ".permute(", ".split(", "num_transformer_submodules * 2", "DynamicCache("),
    also=("prefix_lab.past.split_layers",),
)

# %% [markdown] lang="en"
# `get_prompt` is long. These are the commands that run on to the lines that matter: before the `view`, behind it, and
# behind `permute` and `split`.


# %% [markdown] lang="zh"
# `get_prompt` 很长。下面这些命令直接运行到要紧的几行：`view` 之前，`view` 之后，以及 `permute` 和 `split` 之后。


# %%
def until(text):
    lines, first = inspect.getsourcelines(peft.PeftModel.get_prompt)
    return f"until {next(number for number, line in enumerate(lines, first) if text in line)}"


before_view = until("past_key_values = past_key_values.view(")
after_view = until("if peft_config.num_transformer_submodules == 2:")
after_split = until("base_model = self.get_base_model()")
print(before_view, after_view, after_split, sep="\n")

# %% [markdown] lang="en"
# ### Exercise 1 · follow 3400
#
# The number 3400 lies in the row of virtual token 3. Where is it after the `view`, and where after `permute` and
# `split`? `(past_key_values == 3400).nonzero()` gives the places of a number in a tensor, a row for each place. There
# are two, one for each text, and the first row is the first text's. After the `split` there is a block for each layer:
# `past_key_values[0]`, `past_key_values[1]`, … Find the block, and the place in it. Type the commands printed above.

# %% [markdown] lang="zh"
# ### 练习 1 · 跟踪 3400
#
# 3400 这个数，在虚拟词元 3 的那一行里。`view` 之后它在哪里？`permute` 和 `split`
# 之后又在哪里？`(past_key_values == 3400).nonzero()` 给出一个数在张量里的下标，每出现一次占一行。
# 这里有两行，每条文本一行，第一行是第一条文本的。`split` 之后，每层有一组：`past_key_values[0]`、
# `past_key_values[1]`……找到它在哪一组，下标是什么。请输入上面打印出来的命令。

# %% [markdown] lang="en" tags=["hint"]
# After the `view`: `until` with the second number, then `p (past_key_values == 3400).nonzero()[0]`.

# %% [markdown] lang="zh" tags=["hint"]
# `view` 之后：先用 `until` 加第二个行号，再用 `p (past_key_values == 3400).nonzero()[0]`。

# %% [markdown] lang="en" tags=["hint"]
# After the `split`, `past_key_values` is a tuple. Ask every block at once:
# `p [block.eq(3400).nonzero().tolist() for block in past_key_values]`. Where is a list that is not empty?

# %% [markdown] lang="zh" tags=["hint"]
# `split` 之后，`past_key_values`
# 是一个元组。一次问遍每一组：`p [block.eq(3400).nonzero().tolist() for block in past_key_values]`。
# 哪里的列表不是空的？

# %% tags=["exercise"]
with stop_at("split", where="peft", suggest=[before_view, "p past_key_values.shape", "c"]) as stop:
    peft_model(**batch)

check_followed(
    stop,
    {
        "after_view": ...,  # five numbers, such as (0, 4, 4, 4, 31)
        "layer": ...,  # the number of the block
        "in_its_block": ...,  # five numbers
    },
)

# %% tags=["solution"]
look = [
    *(after_view, "p (past_key_values == 3400).nonzero().tolist()"),
    *(after_split, "p [block.eq(3400).nonzero().tolist() for block in past_key_values]", "c"),
]
with stop_at("split", where="peft", commands=look) as stop:
    peft_model(**batch)

check_followed(stop, {"after_view": (0, 3, 2, 2, 8), "layer": 1, "in_its_block": (0, 0, 2, 3, 8)})

# %% [markdown] lang="en"
# After the `view` the axes are (batch, prefix_len, 2·layers, heads, head_dim): text 0, token 3, piece 2, head 2,
# number 8. Piece 2 is the key of layer 1, since pieces 0 and 1 are layer 0's key and value. In that layer's block the
# axes are (2, batch, heads, prefix_len, head_dim): the key, text 0, head 2, token 3, number 8. PEFT's comment above
# `permute` is older than the code: what it calls 2 × [num_layers, …] has 2·layers in front.
#
# And is it where layer 1 will look for it?

# %% [markdown] lang="zh"
# `view` 之后的轴是 (batch, prefix_len, 2·layers, heads, head_dim)，即（批次，前缀长度，2 ·
# 层数，头数，每头维度）：文本 0，词元 3，第 2 块，头 2，第 8 个数。第 2 块是第 1 层的键，因为第 0 块和第 1 块是第 0
# 层的键和值。在那一层的组里，轴是 (2, batch, heads, prefix_len, head_dim)：键，文本 0，头 2，词元 3，第 8 个数。PEFT
# 写在 `permute` 上面的注释比代码旧：它写的是 2 × [num_layers, …]，实际上最前面是 2·layers。
#
# 第 1 层会去那里找它吗？

# %%
cache = peft_model.get_prompt(batch_size=2)
print(named(cache.layers[1].keys.shape, "batch heads prefix_len head_dim", sizes))
print(cache.layers[1].keys[0, 2, 3].int().tolist())

# %% [markdown] lang="en"
# 32 numbers side by side, and the ninth is 3400. Walk through the journey at smaller sizes: press **Next**, watch the
# colours move, and choose other ones under "Colour by". Click a number: a line shows where it came from, and the list
# has its place at every step, from its row of the table to the layer that reads it. At the end tick "What if it were
# view, not permute?".

# %% [markdown] lang="zh"
# 32 个数并排，第九个就是 3400。用小一点的大小把整条路走一遍：按**下一步**，看颜色怎样移动；
# 在“按什么上色”里换别的选项。点一个数：一条线会画出它从哪里来；列表里有它每一步的位置，从表里的那一行，
# 一直到读它的那一层。最后勾上“如果用 view 代替 permute，会怎样？”。

# %%
ReshapeView()

# %% [markdown] lang="en"
# And in your own model, at its own sizes: choose layer 1, key, head 2, virtual token 3, channel 8 under "Follow an
# element of the cache". Which row of the table does 3400 come from?

# %% [markdown] lang="zh"
# 再看你自己的模型，用它自己的大小：在“跟踪缓存里的一个元素”里选层 1、键、头 2、虚拟词元 3、通道 8。3400
# 来自表的哪一行？

# %%
ReshapeView(peft_model)

# %% [markdown] lang="en"
# ### Exercise 2 · view and permute
#
# Bring the prefix from (batch, prefix_len, 2·layers·hidden) to (2·layers, batch, heads, prefix_len, head_dim): one
# `view`, one `permute`. A shape can be right while the numbers are not; the check looks at both.

# %% [markdown] lang="zh"
# ### 练习 2 · view 与 permute
#
# 把前缀从 (batch, prefix_len, 2·layers·hidden) 变成 (2·layers, batch, heads, prefix_len, head_dim)：一次 `view`，一次
# `permute`。形状对了，数也可能不对；检查时两样都看。

# %% [markdown] lang="en" tags=["hint"]
# First `view` cuts the last axis: which three axes lie in it, one after the other? You have just seen them.

# %% [markdown] lang="zh" tags=["hint"]
# 先用 `view` 切开最后一个轴：它里面依次有哪三个轴？你刚刚看到过。

# %% [markdown] lang="en" tags=["hint"]
# Then `permute` lists the axes in their new order, by their old numbers: which of the five has to be the first?


# %% [markdown] lang="zh" tags=["hint"]
# 再用 `permute` 按新的顺序列出各轴，用它们原来的编号：五个当中，哪一个要排到最前面？


# %% tags=["exercise"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return ...


check_view_and_permute(split)


# %% tags=["solution"]
def split(prefix, layers, heads):
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    return prefix.view(batch, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)


check_view_and_permute(split)

# %% [markdown] lang="en"
# ### Exercise 3 · an address in the long vector
#
# Now the other way round: you stand in a layer, at one head, and ask where in a virtual token's vector its numbers
# begin. (`is_value` is 0 for the key and 1 for the value. For 3400's head, layer 1, key, head 2, it is place 320.)

# %% [markdown] lang="zh"
# ### 练习 3 · 长向量里的地址
#
# 现在反过来：你站在某一层、某个头，想知道它的数在一个虚拟词元的向量里从哪里开始。（`is_value` 为 0 是键，为 1
# 是值。3400 所在的头，第 1 层，键，头 2，从下标 320 开始。）

# %% [markdown] lang="en" tags=["hint"]
# The vector is cut as `view(2*layers, heads, head_dim)`. Layer 1's key is piece 2, its value piece 3.

# %% [markdown] lang="zh" tags=["hint"]
# 向量按 `view(2*layers, heads, head_dim)` 切开。第 1 层的键是第 2 块，值是第 3 块。

# %% [markdown] lang="en" tags=["hint"]
# Count whole pieces first, then whole heads: how many heads lie before this one, in all pieces? Each takes `head_dim`
# places.


# %% [markdown] lang="zh" tags=["hint"]
# 先数完整的块，再数完整的头：把所有块都算上，这个头前面有多少个头？每个头占 `head_dim` 个数。


# %% tags=["exercise"]
def first_place(layer, is_value, head, heads, head_dim):
    return ...


check_address(first_place)


# %% tags=["solution"]
def first_place(layer, is_value, head, heads, head_dim):
    piece = 2 * layer + is_value
    return (piece * heads + head) * head_dim


check_address(first_place)

# %% [markdown] lang="en"
# Do we come to the same numbers as PEFT? Both libraries make the cache here, and each line is kept. Choose `encode` or
# `split`, and both go to where that stage begins; the sign `=` beside its name leads to its end. What both hold there
# is compared number by number. (The first time, this takes some seconds: the names of the axes are proven.)

# %% [markdown] lang="zh"
# 我们得到的数和 PEFT 的一样吗？两个库各造一次缓存，运行过的每一行都录下来。选 `encode` 或
# `split`，两边都会走到那个阶段的开头；名字旁边的 `=` 带你到它的结尾。在那里，两边持有的数会逐个比较。
# （第一次要花几秒钟：轴的名字要经过验证。）

# %%
our_config = prefix_lab.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
our_model = prefix_lab.get_peft_model(load_tiny("gpt2")[0], our_config)
our_model.prompt_encoder["default"].load_prompt_embeddings(addresses)
with record(["prefix_lab"], keep="statistics") as ours:
    our_model.get_prompt(batch_size=2)
with record(["peft"], keep="statistics") as theirs:
    peft_model.get_prompt(batch_size=2)
names = name_axes("GPT-2, direct")
mirror = Mirror(ours.with_names(names), theirs.with_names(names), labels=("prefix_lab", "PEFT"))
mirror.goto_stage("split")
mirror

# %% [markdown] lang="en"
# *Short path: go on to lesson 11 from here.*
#
# ## The cache
#
# What comes out is the same kind of cache that the model fills when it generates. The model cannot tell these keys from
# those of words that it has read. So the text comes after the prefix, and the cache grows.

# %% [markdown] lang="zh"
# *短路线：从这里直接去第 11 课。*
#
# ## 缓存
#
# 出来的缓存，和模型生成文本时自己填的那种一样。模型分不出这些键和它读过的词的键。所以文本接在前缀后面，缓存跟着变长。

# %%
print(type(cache).__name__, len(cache), cache.get_seq_length())
with torch.no_grad():
    grown = peft_model(**batch).past_key_values
sizes["source"] = batch.input_ids.shape[1]
print(type(grown).__name__, len(grown), grown.get_seq_length())
print(named(grown.layers[0].keys.shape, "batch heads prefix_len+source head_dim", sizes))

# %% [markdown] lang="en"
# ## The way back: words as a prefix
#
# A prefix is keys and values of tokens that the model never read. Does it also work the other way? Take keys and values
# of words that it *did* read, and use them as a prefix. This GPT-2 describes a place when `plain :` stands before its
# record, and praises or complains when nothing does.


# %% [markdown] lang="zh"
# ## 倒着走：把词变成前缀
#
# 前缀就是一些词元的键和值，只是这些词元模型从来没有读过。反过来行不行？取出模型*读过*的词的键和值，拿来当前缀。这个
# GPT-2，记录前面写着 `plain :` 时，就平实地描述一家餐馆；什么都不写时，就夸它或者抱怨它。


# %%
def written(model, texts):
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    return tokenizer.batch_decode(tokens[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)


reader, _ = load_tiny("gpt2")  # a new one: the one above has a prefix of addresses around it
alone = written(reader, records)
told = written(reader, [f"plain : {record}" for record in records])
table(("alone", "plain :"), zip(alone, told, strict=True))

# %% [markdown] lang="en"
# Let it read the two words, and look what is in its cache then: for each layer a key and a value, each (batch, heads,
# source, head_dim), with a batch of one and two tokens.

# %% [markdown] lang="zh"
# 让它读这两个词，再看缓存里有什么：每层一个键、一个值，形状都是 (batch, heads, source, head_dim)，批次为一，
# `source`（源文本长度）为两个词元。

# %%
words = tokenizer("plain :", return_tensors="pt", add_special_tokens=False)
with torch.no_grad():
    read = reader(**words).past_key_values
TensorView(read.layers[0].keys, "batch heads source head_dim", show=("head_dim", "source"))

# %% [markdown] lang="en"
# Now the way of this lesson backwards: tokens to the front, then the pieces, then the heads, all in one row. PEFT does
# it in `initialize_kv_prefix_from_text`: it lets the base model read, packs the cache into a table, and loads it into a
# prefix of as many virtual tokens, two. Stop where it packs, and see what comes in. By hand it is one `permute`: are
# the two tables equal?

# %% [markdown] lang="zh"
# 现在把这一课的路倒过来走：词元排到最前面，然后是块，再是头，全都排进一行。PEFT 在 `initialize_kv_prefix_from_text`
# 里就是这样做的：让基座模型读一遍，把缓存装成一张表，再放进一个前缀，虚拟词元也是两个。
# 停在它打包的地方，看看进来的是什么。自己动手只要一次 `permute`：两张表相等吗？

# %%
spoken = peft.get_peft_model(load_tiny("gpt2")[0], peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
with stop_at(
    prompt_embeddings_from_past_key_values,
    suggest=["p num_virtual_tokens, len(past_key_values)", "p past_key_values.layers[0].keys.shape", "u", "c"],
):
    packed = initialize_kv_prefix_from_text(spoken, tokenizer, text="plain :", use_chat_template=False)

pieces = [one[0] for layer in read.layers for one in (layer.keys, layer.values)]  # each (heads, source, head_dim)
by_hand = torch.stack(pieces).permute(2, 0, 1, 3).flatten(1)  # (prefix_len, 2·layers·hidden)
print(named(by_hand.shape, "prefix_len 2·layers·hidden", sizes | {"prefix_len": 2}))
print(torch.equal(by_hand, packed))

# %% [markdown] lang="en"
# Does `get_prompt` give the model its own keys and values back? And what does the model write now, when it reads the
# record alone, with no instruction before it?

# %% [markdown] lang="zh"
# `get_prompt` 交给模型的，是不是它自己的键和值？现在模型只读记录，前面没有任何指令，它会写什么？

# %%
pairs = zip(spoken.get_prompt(1).layers, read.layers, strict=True)
print([torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in pairs])
prefixed = written(spoken.eval(), records)
print(prefixed == told, *prefixed, sep="\n")

# %% [markdown] lang="en"
# So every text can be made into a prefix. But not every prefix comes from a text: training may give it any numbers,
# also those that no text would. And it may *start* from a text's prefix, which helps where examples are few (Li and
# Liang, “Prefix-Tuning: Optimizing Continuous Prompts for Generation”, 2021, [arXiv
# 2101.00190](https://arxiv.org/abs/2101.00190), section 7.4).
#
# ## And an encoder-decoder?
#
# A T5 has two kinds of attention in each decoder layer, so PEFT takes another branch for it: look for
# `num_transformer_submodules == 2` above. What comes of that branch is a detective story, and lesson 09 tells it.
#
# ## What you have seen
#
# - `view` cuts the long vector: pieces, heads, numbers. `permute` brings the pieces to the front, `split` hands each
#   layer its two. No number is changed.
# - The result is a cache as the model makes it. A text's own cache, flattened, is a prefix: exact to the last bit.
#
# Read next: `prefix_lab/past.py`, one screen of it; and `prefix_lab/beside/initialization.py`, which makes a prefix of
# a text, with its refusals.

# %% [markdown] lang="zh"
# 所以，任何文本都可以做成前缀。但不是每个前缀都来自文本：训练可以给它任何数，包括没有哪条文本能产生的数。
# 它也可以从一条文本的前缀*开始*训练，例子很少的时候有帮助（Li 和 Liang，
# “Prefix-Tuning: Optimizing Continuous Prompts for Generation”，2021，
# [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)，第 7.4 节）。
#
# ## 编码器-解码器呢？
#
# T5 的解码器每层有两种注意力，所以 PEFT 为它走另一条分支：在上面找 `num_transformer_submodules == 2`。
# 那条分支会得出什么，是一个侦探故事，第 9 课来讲。
#
# ## 你看到了什么
#
# - `view` 切开长向量：块、头、数。`permute` 把块移到最前面，`split` 把每层的两块交给它。没有一个数变过。
# - 得到的缓存，和模型自己造的一样。一条文本自己的缓存，展平了就是前缀：一位不差。
#
# 接着读：`prefix_lab/past.py`，只看其中一屏；还有 `prefix_lab/beside/initialization.py`，它把文本做成前缀，
# 也写明了哪些情况会拒绝。

# %%
show_progress(7)
