# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 06 · PrefixEncoder
#
# Everything that prefix tuning learns lies in one small module. In this lesson you stand in it while it works, train a
# prefix with a projection, and then throw the projection away without changing one bit of what the model reads. At the
# end you will be able to say
#
# - what the encoder computes, with and without projection;
# - why its width is **2**·layers·hidden;
# - why the projection trains more numbers, and why none of them are kept;
# - why an encoder in inference mode has no `transform`.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 06 · PrefixEncoder
#
# 前缀微调学到的一切，都在一个小模块里。这一课，你站在它里面看它工作，训练一个带投影（重参数化）的前缀，
# 然后把投影扔掉，而模型读到的内容一位也没变。学完之后，你能说出
#
# - 编码器算的是什么，有投影时怎样，没有投影时怎样；
# - 它的宽度为什么是 **2**·layers·hidden（2 · 层数 · 隐藏维度）；
# - 为什么有了投影要训练更多的数，又为什么一个都不留；
# - 为什么推理模式下的编码器没有 `transform`。
#
# 大约需要 25 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import tempfile

import peft
import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    after_exercise,
    before_and_after,
    load_tiny,
    show_progress,
    show_source,
    show_stage,
    train,
    world_task,
)
from prefix_lab.course.lessons.lesson_06 import (
    check_encode_shapes,
    check_fold,
    check_more_tokens,
    check_no_transform,
    draw_forms,
)
from prefix_lab.widgets import ParameterBars, TensorView

# %% [markdown] lang="en"
# ## How much arithmetic is in it?
#
# Here is the whole forward, ours and PEFT's. There are two branches: a lookup alone, and a lookup with a `transform`
# behind it, to which we come below.

# %% [markdown] lang="zh"
# ## 里面有多少计算？
#
# 下面是完整的 forward，我们的和 PEFT 的。它有两条分支：一条只查表；另一条查表之后再经过 `transform`，后面会讲到。

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# Three records of the small world of lesson 03, and the tiny T5 that knows it, wrapped by PEFT. Stop where its encoder
# begins. What comes in, and what does one row of the result have to do with the table `self.embedding.weight`?

# %% [markdown] lang="zh"
# 取第 3 课那个小世界里的三条记录，再用 PEFT 包装认识这个世界的小 T5。停在它的编码器开始的地方。进来的是什么？
# 结果里的一行，和 `self.embedding.weight` 这张表有什么关系？

# %%
model, tokenizer = load_tiny("t5")  # or any T5 or BART, by a local folder or a hub name; the numbers then differ
described = world_task("SEQ_2_SEQ_LM")
records = [described.source(example) for example in described.examples("test")[:3]]
batch = tokenizer(records, padding=True, return_tensors="pt")
batch["labels"] = batch.input_ids  # any labels will do: the prefix encoder sees none of this

torch.manual_seed(0)
direct = peft.get_peft_model(model, peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
with stop_at(
    "encode",
    where="peft",
    suggest=[
        "p prefix",
        "n",
        "n",
        "p past_key_values.shape",
        "p torch.equal(past_key_values[0, 3], self.embedding.weight[3])",
        "c",
    ],
):
    loss = direct(**batch).loss
print(f"{loss.item():.4f}")

# %% [markdown] lang="en"
# No arithmetic at all: a table, and a lookup. Each text in the batch asks for the same virtual tokens, 0 to 19, and
# token 3 becomes row 3 of the table, (batch, prefix_len) → (batch, prefix_len, 2·layers·hidden).
#
# `get_prompt` asked for it, as you saw in lesson 01, and it handed over not a word of the texts: only how many there
# are.
#
# ## Why the factor 2?
#
# A layer needs two vectors from each virtual token. Take one attention head with a prefix of three tokens, and double
# first the keys, then the values. What does each of them change?

# %% [markdown] lang="zh"
# 根本没有计算：只是一张表，查一下而已。批次里的每条文本要的都是同样的虚拟词元，0 到 19；词元 3 得到表的第 3 行。形状从
# (batch, prefix_len) 变成 (batch, prefix_len, 2·layers·hidden)，也就是从（批次，前缀长度）变成（批次，前缀长度，2 ·
# 层数 · 隐藏维度）。
#
# 要前缀的是 `get_prompt`，你在第 1 课见过。它没有把文本里的任何一个词交进来，只说了有几条文本。
#
# ## 为什么要乘 2？
#
# 每一层都向每个虚拟词元要两个向量。取一个注意力头，前缀有三个词元；先把键加倍，再把值加倍。各自改变了什么？

# %%
draw = torch.Generator().manual_seed(1)
query, keys, values = torch.randn(4, generator=draw), *torch.randn(2, 3, 4, generator=draw)  # head_dim 4


def attend(keys, values):
    weights = torch.softmax(keys @ query / 4**0.5, dim=0)  # (prefix_len,): where the head looks
    return weights, weights @ values  # (head_dim,): what it finds there


for name, pair in {
    "keys, values": (keys, values),
    "2 * keys": (2 * keys, values),
    "2 * values": (keys, 2 * values),
}.items():
    weights, found = attend(*pair)
    print(f"{name:12} weights", *(f"{one:5.2f}" for one in weights), "  found", *(f"{one:5.2f}" for one in found))

# %% [markdown] lang="en"
# A key decides **where** attention looks, a value **what** it finds there. They are trained separately, so each layer
# has two pieces in the row: key of layer 0, value of layer 0, key of layer 1, and so on.
#
# So a row of this T5's table, which has 3 layers of 128 numbers, is 2 · 3 · 128 = 768 wide. (Lesson 07 cuts it up, and
# lesson 09 shows what becomes of it in a T5.)

# %% [markdown] lang="zh"
# 键决定注意力看**哪里**，值决定它在那里看到**什么**。两者分开训练，所以一行里每层占两块：第 0 层的键、第 0 层的值、第
# 1 层的键，依此类推。
#
# 这个 T5 有 3 层，每层 128 个数，所以它的表一行宽 2 · 3 · 128 = 768。（第 7 课把它切开，第 9 课讲它在 T5
# 里变成了什么。）

# %% [markdown] lang="en"
# ## With projection
#
# Li and Liang ([arXiv 2101.00190](https://arxiv.org/abs/2101.00190), section 4.3) found such a table unsteady to train.
# Their remedy: a **small** table, and an MLP that makes the wide rows from the narrow ones. All virtual tokens share
# the MLP.


# %% [markdown] lang="zh"
# ## 有投影时
#
# Li 和 Liang（[arXiv 2101.00190](https://arxiv.org/abs/2101.00190)，第 4.3
# 节）发现这样一张表训练起来不稳定。他们的办法是：只留一张**小**表，再用一个 MLP 把窄行变成宽行。所有虚拟词元共用这个
# MLP。


# %%
def untrained(library):
    config = library.PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True, encoder_hidden_size=64
    )
    torch.manual_seed(0)
    return library.get_peft_model(load_tiny("t5")[0], config)


projected = untrained(peft)
projected.prompt_encoder["default"]

# %% [markdown] lang="en"
# ### Exercise 1 · two steps instead of one
#
# Say first, then look: which axes has `prefix_tokens`, after the lookup, and which has `past_key_values`, after the
# `transform`? Stop in PEFT's `forward` again, step over the two lines, and print both shapes there. (Three texts are in
# the batch; `encoder_hidden` is 64.)

# %% [markdown] lang="zh"
# ### 练习 1 · 一步变两步
#
# 先说出来，再去看：查表之后，`prefix_tokens` 有哪些轴？经过 `transform` 之后，`past_key_values` 有哪些轴？再次停在
# PEFT 的 `forward` 里，单步跳过那两行，在那里打印两个形状。（批次里有三条文本；`encoder_hidden`（投影的中间宽度）是
# 64。）

# %% [markdown] lang="en" tags=["hint"]
# The lookup adds one axis to `prefix`, as wide as a row of the table: `(num_embeddings, embedding_dim)` is printed
# above. What does the first `Linear` take, and what does the last one give?

# %% [markdown] lang="zh" tags=["hint"]
# 查表给 `prefix` 加上一个轴，宽度等于表的一行：上面打印出了 `(num_embeddings, embedding_dim)`。第一个 `Linear`
# 接收什么，最后一个给出什么？

# %% [markdown] lang="en" tags=["hint"]
# A value is there when the arrow has passed its line. Which three `n` lead past both? Print `.shape` of each.

# %% [markdown] lang="zh" tags=["hint"]
# 箭头越过了那一行，值才存在。从头输入三次 `n`，两行就都越过了。两个的 `.shape` 都打印出来。

# %% tags=["exercise"]
with stop_at("encode", where="peft", suggest=["p prefix.shape", "n", "c"]) as stop:
    projected(**batch)

check_encode_shapes(
    stop,
    {
        "prefix": "(batch, prefix_len)",
        "prefix_tokens": ...,  # by names, such as "(batch, source)"
        "past_key_values": ...,
    },
)

# %% tags=["solution"]
look = ["n", "n", "p prefix_tokens.shape", "n", "p past_key_values.shape", "c"]
with stop_at("encode", where="peft", commands=look) as stop:
    projected(**batch)

check_encode_shapes(
    stop,
    {
        "prefix": "(batch, prefix_len)",
        "prefix_tokens": "(batch, prefix_len, hidden)",
        "past_key_values": "(batch, prefix_len, 2·layers·hidden)",
    },
)

# %% [markdown] lang="en"
# What comes out is as wide as without projection. What comes after the encoder cannot tell the two forms apart.
#
# ## What trains?
#
# With the wide table alone, and with the small table and the MLP:

# %% [markdown] lang="zh"
# 出来的宽度和没有投影时一样。编码器后面的代码分不出这两种形式。
#
# ## 训练的是什么？
#
# 先看只有宽表时，再看小表加 MLP 时：

# %%
for form in (direct, projected):
    encoder = form.prompt_encoder["default"]
    for name, parameter in encoder.named_parameters():
        print(f"{name:20} {tuple(parameter.shape)!s:12} {parameter.numel():7,}")
    print(f"{'':20} {'':12} {sum(parameter.numel() for parameter in encoder.parameters()):7,}\n")

# %% [markdown] lang="en"
# ### Exercise 2 · twice as many virtual tokens
#
# You take 40 virtual tokens in place of 20. How many numbers does the **projected** form train then?
#
# - `"a"`: twice as many, 121,472
# - `"b"`: 2,560 more, 20 rows of 128
# - `"c"`: 15,360 more, 20 rows of 768
# - `"d"`: as many as before, since all virtual tokens share the MLP

# %% [markdown] lang="zh"
# ### 练习 2 · 虚拟词元多一倍
#
# 虚拟词元从 20 个改成 40 个。**带投影**的形式要训练多少个数？
#
# - `"a"`：多一倍，121,472
# - `"b"`：多 2,560，即 20 行，每行 128
# - `"c"`：多 15,360，即 20 行，每行 768
# - `"d"`：和以前一样多，因为所有虚拟词元共用 MLP

# %% [markdown] lang="en" tags=["hint"]
# Which of the five lines printed above has a 20 in its shape?

# %% [markdown] lang="zh" tags=["hint"]
# 上面打印的五行里，哪一行的形状里有 20？

# %% tags=["exercise"]
check_more_tokens(...)

# %% tags=["solution"]
check_more_tokens("b")

# %% [markdown] lang="en"
# For a gpt2, twelve layers of 768: with PEFT's own width of the MLP, as wide as the model, the projection trains forty
# times as many numbers as the table alone. Move the sliders.

# %% [markdown] lang="zh"
# 换成 gpt2，十二层，每层 768。如果 MLP 的宽度用 PEFT 的默认值，即和模型一样宽，那么有投影时要训练的数，
# 是只用宽表的四十倍。拖动滑块看看。

# %%
ParameterBars("gpt2", prefix_len=20)

# %% [markdown] lang="en"
# The MLP costs the same for one virtual token and for a thousand; a row of the wide table costs 24 times as much as a
# small one. So the lines cross.

# %% [markdown] lang="zh"
# 不管一个虚拟词元还是一千个，MLP 的代价都一样；宽表的一行，代价是小表一行的 24 倍。所以两条线会相交。

# %%
after_exercise(2, draw_forms(layers=12, hidden=768, encoder_hidden=(768, 64), prefix_len=20))

# %% [markdown] lang="en"
# ## Train it, then fold it
#
# Now let it learn to describe places, as in lesson 03: 40 steps, a few seconds. The encoder is ours here; it trains to
# the same bits as PEFT's.

# %% [markdown] lang="zh"
# ## 先训练，再折叠
#
# 现在让它学着描述餐馆，和第 3 课一样：40 步，几秒钟。这里用的是我们的编码器；训练结果和 PEFT 的逐位相同。

# %%
peft_model = untrained(prefix_lab)
train(peft_model, described, steps=40, tokenizer=tokenizer, measured_on=20, progress="")

# %%
before_and_after(peft_model, described, tokenizer, count=2)

# %% [markdown] lang="en"
# The virtual tokens are always 0, 1, 2, … 19. So the MLP is always given the same rows, and now that training is over,
# it always gives the same result. Why compute it again for every text?
#
# ### Exercise 3 · fold the projection away
#
# Compute the flat table, (prefix_len, 2·layers·hidden), that gives what the projected encoder gives: bit for bit.

# %% [markdown] lang="zh"
# 虚拟词元永远是 0、1、2、…、19。所以 MLP 拿到的永远是同样的行；训练已经结束，它给出的也就永远是同样的结果。
# 何必为每条文本再算一遍？
#
# ### 练习 3 · 把投影折叠掉
#
# 算出一张展平的表 (prefix_len, 2·layers·hidden)，它给出的数和带投影的编码器逐位相同。

# %% [markdown] lang="en" tags=["hint"]
# `encoder.embedding.weight` holds the narrow rows of all virtual tokens, in order. What did `forward` do with them?

# %% [markdown] lang="zh" tags=["hint"]
# `encoder.embedding.weight` 按顺序放着所有虚拟词元的窄行。`forward` 拿它们做了什么？

# %% [markdown] lang="en" tags=["hint"]
# The MLP is `encoder.transform`: what does it take? Or let the encoder itself do everything, for one text with all
# virtual tokens, and take the batch axis away again. `.detach()` at the end lets go of the gradient's path.


# %% [markdown] lang="zh" tags=["hint"]
# MLP 就是 `encoder.transform`：它接收什么？也可以让编码器自己全做了：给它一条文本和所有虚拟词元，再把批次轴去掉。
# 最后的 `.detach()` 切断梯度的路径。


# %% tags=["exercise"]
def fold(encoder):
    return ...


check_fold(fold)


# %% tags=["solution"]
def fold(encoder):
    return encoder.transform(encoder.embedding.weight).detach()


check_fold(fold)

# %% [markdown] lang="en"
# Does the model notice? We give the table to a prefix without projection, PEFT's own, and compare what `get_prompt`
# hands to the model. (The next cell goes on with `fold_ours`, so that it runs even before your `fold` does.)


# %% [markdown] lang="zh"
# 模型察觉得到吗？我们把这张表交给 PEFT 自己的、没有投影的前缀，再比较两边的 `get_prompt` 交给模型的东西。（下一个单元格用的是 `fold_ours`，这样即使你的 `fold` 还没写好，它也能运行。）


# %%
def fold_ours(encoder):
    return encoder(torch.arange(encoder.embedding.num_embeddings)[None])[0].detach()


table = fold_ours(peft_model.prompt_encoder["default"])
flat = peft.get_peft_model(load_tiny("t5")[0], peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
flat.prompt_encoder["default"].load_prompt_embeddings(table)

one, other = (wrapped.get_prompt(2).self_attention_cache.layers for wrapped in (peft_model, flat))
print([torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in zip(one, other, strict=True)])
before_and_after(flat.eval(), described, tokenizer, count=2)

# %% [markdown] lang="en"
# Here is what was learnt, with the last axis cut up: a key and a value for each layer are 2·layers pieces, each with
# its heads. Move the sliders from piece to piece; the even ones are keys.

# %% [markdown] lang="zh"
# 这就是学到的东西，最后一个轴已经切开：每层一个键、一个值，一共 2·layers
# 块，每块里有各个头。拖动滑块，逐块看过去；编号为偶数的块是键。

# %%
TensorView(table.view(20, 6, 4, 32), "prefix_len 2·layers heads head_dim", show=("prefix_len", "head_dim"))

# %% [markdown] lang="en"
# ## Why an encoder in inference mode has no `transform`
#
# Because what is saved has been folded already. `save_pretrained` writes the flat table and sets `inference_mode=True`.
# When PEFT builds an encoder from that file, it makes the wide table alone, ready to be filled. The `if` that decides:

# %% [markdown] lang="zh"
# ## 为什么推理模式下的编码器没有 `transform`
#
# 因为保存的东西已经折叠过了。`save_pretrained` 写下展平的表，并设置 `inference_mode=True`。PEFT
# 从这个文件造编码器时，只造宽表，等着填进去。做决定的是这个 `if`：

# %%
folder = tempfile.mkdtemp()
peft_model.save_pretrained(folder)
show_source(peft.PrefixEncoder, mark=("not config.inference_mode", "self.transform = "))

# %% [markdown] lang="en"
# ### Exercise 4 · the branch not taken
#
# Below, PEFT loads what we have just saved, trained **with** a projection. Stop in `PrefixEncoder.__init__`, and find
# out why the `if` is not entered all the same. Write the name in the config that decides. And who builds this encoder?
# Climb once, and look.

# %% [markdown] lang="zh"
# ### 练习 4 · 没走的那条分支
#
# 下面，PEFT 加载我们刚保存的东西，它训练时是**有**投影的。停在 `PrefixEncoder.__init__`
# 里，找出为什么仍然没有进入那个 `if`。写出配置里做决定的那个名字。另外，这个编码器是谁造的？往上走一步看看。

# %% [markdown] lang="en" tags=["hint"]
# The `if` asks for two things. Both are known on the first line already: print each.

# %% [markdown] lang="zh" tags=["hint"]
# `if` 问的是两件事。站在函数的第一行，这两件就都知道了：分别打印出来。

# %% tags=["exercise"]
base = load_tiny("t5")[0]
answer = ...
with stop_at(peft.PrefixEncoder.__init__, suggest=["p config.num_virtual_tokens", "n", "n", "c"]) as stop:
    served = peft.PeftModel.from_pretrained(base, folder)

check_no_transform(stop, answer)

# %% tags=["solution"]
base = load_tiny("t5")[0]
answer = "inference_mode"
look = ["p config.prefix_projection", "p config.inference_mode", "u", "c"]
with stop_at(peft.PrefixEncoder.__init__, commands=look) as stop:
    served = peft.PeftModel.from_pretrained(base, folder)

check_no_transform(stop, answer)

# %%
theirs = served.prompt_encoder["default"]
print("prefix_projection", served.active_peft_config.prefix_projection)
print("transform        ", hasattr(theirs, "transform"))
print("the same table   ", torch.equal(theirs.embedding.weight, table))

# %% [markdown] lang="en"
# The config still says `prefix_projection=True`, but nothing is there to project with. So this encoder cannot be
# called, and `get_prompt` does not call it: in inference mode it reads the table itself, as the marked lines show.

# %% [markdown] lang="zh"
# 配置里仍写着 `prefix_projection=True`，可是已经没有东西可以用来投影了。所以这个编码器不能被调用，`get_prompt`
# 也不去调用它：推理模式下，它自己直接读表，标出的那几行就是。

# %%
show_stage(
    "split", mark=("inference_mode", "embedding.weight.repeat"), also=("prefix_lab.models.PeftModel.encode_prefix",)
)

# %% [markdown] lang="en"
# ## What you have seen
#
# - The encoder is a lookup; with projection, a lookup and an MLP. Its rows hold a key and a value for each layer.
# - The projection helps while training, and is folded into the flat table before anything is saved.
# - From the table nobody can find the MLP again: many different MLPs give the same table. (What that means for training
#   on from a file is in lesson 11.)
#
# Read next: `prefix_lab/encoder.py`, one screen; then `peft/tuners/prefix_tuning/model.py`. PEFT's encoder came from
# that of P-tuning v2 (Liu and others, “P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across
# Scales and Tasks”, 2021, [arXiv 2110.07602](https://arxiv.org/abs/2110.07602)), whose names
# `prefix_lab/beside/initialization.py` translates.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# - 编码器就是查表；有投影时，是查表加一个 MLP。它的每一行里，每层有一个键和一个值。
# - 投影在训练时帮忙，保存之前就折叠进展平的表了。
# - 从这张表找不回 MLP：很多不同的 MLP 会给出同一张表。（对于从文件接着训练，这意味着什么，见第 11 课。）
#
# 接着读：`prefix_lab/encoder.py`，只有一屏；然后是 `peft/tuners/prefix_tuning/model.py`。PEFT 的编码器来自 P-tuning
# v2 的编码器（Liu 等，“P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across Scales and
# Tasks”，2021，[arXiv 2110.07602](https://arxiv.org/abs/2110.07602)），那边的名字在
# `prefix_lab/beside/initialization.py` 里有对照。

# %%
show_progress(6)
