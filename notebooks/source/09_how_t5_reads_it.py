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

# %% [markdown] lang="zh"
# # 09 · T5 怎样读前缀：一个侦探故事
#
# PEFT 会报告 T5 的前缀有多少参数在训练，实际上常常只有一半在学。这一课里，你用梯度找出不见了的那一半；停进注意力层，抓住元凶；再预测哪些模型会这样。学完这一课，你能够
#
# - 对任何模型，指出哪些参数从来学不到东西；
# - 说出解码器的一层读前缀的哪些行，哪些层共用一份前缀；
# - 给编码器、解码器和交叉注意力各配一个前缀。
#
# 大约需要 30 分钟。从头开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

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

# %% [markdown] lang="zh"
# ## 案情
#
# 我们小世界里的 T5，编码器有三层，解码器也有三层。T5-small 有六层，T5-base 有十二层，BART 有六层或十二层。为了也凑成偶数，我们给它加上第四层：把第二层放两遍。加了以后，六种口吻它仍然都会。
# PEFT 用五个虚拟词元包装它，用来代替 `question` 这个词。

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

# %% [markdown] lang="zh"
# 它学会了提问。那案子在哪里？看最后一行：PEFT 说有 5,120 个数在训练，可是动过的只有 2,560 个，哪怕只动一点点的也算在内。正好一半：这不是偶然。
#
# 得不到梯度的数，永远不会动。一个虚拟词元的向量由 2·layers 行组成：第 0 层的键，第 0 层的值，第 1 层的键……哪些行的梯度是零？

# %%
peft_model.zero_grad()
peft_model(**batch).loss.backward()
gradient = weight.grad
print(tuple(gradient.shape), int((gradient == 0).sum()))

# %% [markdown] lang="en"
# ### Exercise 1 · rows that never learn
#
# Find the rows in which no number of any virtual token has a gradient.

# %% [markdown] lang="zh"
# ### 练习 1 · 从不学习的行
#
# 找出这样的行：所有虚拟词元在这一行里的数，没有一个得到梯度。

# %% [markdown] lang="en" tags=["hint"]
# `gradient.view(len(gradient), 2 * layers, -1)` is (prefix_len, 2·layers, hidden). Which two axes have to go?

# %% [markdown] lang="zh" tags=["hint"]
# `gradient.view(len(gradient), 2 * layers, -1)` 的形状是 (prefix_len, 2·layers, hidden)，也就是（前缀长度，2·层数，隐藏维度）。要去掉哪两个轴？

# %% [markdown] lang="en" tags=["hint"]
# A sum may be zero by chance, +1 and -1. So take the signs away before you add up, and see which rows are exactly 0.

# %% [markdown] lang="zh" tags=["hint"]
# 和可能碰巧是零，比如 +1 加 -1。所以先去掉正负号再相加，然后看哪些行恰好是 0。


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

# %% [markdown] lang="zh"
# “第 1 层”和“第 3 层”的键和值没有梯度，学不到东西。那么第 1 层和第 3 层根本没有前缀吗？
#
# ## 每一层都有证人
#
# 去现场看看。下一个停点在 T5 自己的注意力里，解码器的每一层停一次，这时它还什么都没做。它的缓存里有什么？
#
# ### 练习 2 · 双胞胎
#
# 在四层里，都看第一个键的前几个数。哪一层的前缀和第 0 层相同？哪一层和第 1 层相同？单独运行带停点的那个单元格，提问，再把结果写进它下面的单元格。

# %% [markdown] lang="en" tags=["hint"]
# `c` leads to the next layer. Ask the same in each: `p self.layer_idx`, and the long question from the suggestions.

# %% [markdown] lang="zh" tags=["hint"]
# `c` 走到下一层。在每一层问同样的问题：`p self.layer_idx`，以及建议里那个长的问题。

# %% [markdown] lang="en" tags=["hint"]
# Four numbers of layers, and four answers: two and two of them are alike, to the last digit.

# %% [markdown] lang="zh" tags=["hint"]
# 四个层号，四个回答：它们两两相同，直到最后一位小数。

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

# %% [markdown] lang="zh"
# 没有哪一层落空，只是每两层共用一份：有人把一些行拿了两次，另一些行就没人拿了。
#
# ## 另一种注意力
#
# 解码器的一层有两次注意力：一次看自己写出的内容（自注意力，你刚才就在那里），一次看编码器读到的内容（交叉注意力）。不见了的那一半在交叉注意力里吗？下一个停点在同一个函数 `T5Attention.forward` 里，
# 条件是它收到了编码器的状态。
#
# ### 练习 3 · 交叉注意力有前缀吗？
#
# 它开始的时候，缓存里属于它的那部分有几个键？最后它看了几个键？

# %% [markdown] lang="en" tags=["hint"]
# The suggestions ask for the first. For the second, run to the end of the function (`r`), where `key_states` are the
# keys that were looked at.

# %% [markdown] lang="zh" tags=["hint"]
# 第一个问题，用建议的命令就能问到。第二个问题，要运行到函数末尾（`r`），那里的 `key_states` 就是它看过的键。

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

# %% [markdown] lang="zh"
# 它的键都是输入的键，没有别的。读前缀的只有自注意力。下面像第 8 课那样，对着词来看：格子颜色越深，这个头分给前缀的注意力越多。（`<pad>` 是 T5 开始写的地方；站在一个词**上**时，写出的是下一个词。）

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
# and watch the shape of `past_key_values`; go back with `N`. (The first time, this takes up to half a minute: the names
# of the axes are proven.)

# %% [markdown] lang="zh"
# 开头最多：T5 正是在那里决定要提问的。（那对双胞胎，第 0 层和第 2 层，看的是同样的键，用的却是各自的查询。）可是，不见了的行到底在哪里？事情一定发生得更早：在切开那个长向量的地方。
#
# ## 案发现场
#
# 下面是 PEFT 的 `get_prompt` 运行时的录制。单步调试器正站在嫌疑最大的那一行。用 `n` 单步跳过它，看 `past_key_values` 的形状怎样变；用 `N` 退回去。（第一次最多要花半分钟：轴的名字要经过验证。）

# %%
with record(["peft"], keep="statistics") as recording:
    peft_model.get_prompt(batch_size=2)
recording = recording.with_names(name_axes("T5, direct"))
suspect = next(step for step in recording.steps if "torch.cat([past_key_values" in step.text)
Stepper(recording, at=suspect, height="560px")

# %% [markdown] lang="en"
# The rows are doubled, so that there are four for each layer: two for the decoder's own attention, two for
# cross-attention. Then they are split in fours. And then the cache of cross-attention is emptied, since it is to be
# filled from the encoder. Walk it through at tiny sizes: which numbers arrive, and which are nowhere at the end? Click
# a crossed one, and read where it goes; then one that is not crossed.

# %% [markdown] lang="zh"
# 行被翻倍了，于是每一层有四行：两行给解码器的自注意力，两行给交叉注意力。接着每四行切成一份。然后，交叉注意力的缓存被清空，因为它要由编码器来填。用很小的尺寸走一遍：哪些数走到了最后，哪些数在最后不见了？点一个打叉的数，看它去了哪里；再点一个没打叉的。

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
# The rows 0, 1, …, 2·layers-1 are put there twice, one after the other, and cut in fours. With 4 layers:
# `0 1 2 3 | 4 5 6 7 | 0 1 2 3 | 4 5 6 7`. A layer reads the first two of its four. Which rows are these, for any number of
# layers: its key's, and its value's?

# %% [markdown] lang="zh"
# ### 练习 4 · 解码器的一层读哪些行
#
# 行 0、1、……、2·layers-1 首尾相接放了两遍，再每四行切成一份。4 层时就是 `0 1 2 3 | 4 5 6 7 | 0 1 2 3 | 4 5 6 7`。每一层读自己那四行的前两行。
# 不管有几层，这是哪两行：它的键在哪一行，值在哪一行？

# %% [markdown] lang="en" tags=["hint"]
# Look at the four of layer 2 above: which rows are they, and why does it begin at row 0 again?

# %% [markdown] lang="zh" tags=["hint"]
# 看上面第 2 层的那四行：是哪几行？为什么又从第 0 行开始？

# %% [markdown] lang="en" tags=["hint"]
# The four of a layer begin at place `4 * layer`. But there are only `2 * layers` different rows, and after the last
# one comes row 0 again, as on a clock.

# %% [markdown] lang="zh" tags=["hint"]
# 一层的四行从第 `4 * layer` 个开始。可是不同的行只有 `2 * layers` 个，过了最后一行，又回到第 0 行，就像钟面一样。


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

# %% [markdown] lang="zh"
# ## 预测
#
# 照你的公式，**三**层的 T5 会怎样？五层、六层呢？先想好：哪些行学不到东西，哪些层是双胞胎？下一个单元格把它们都测一遍。


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

# %% [markdown] lang="zh"
# 层数是奇数时，每一行都被读到，而且只读一次：第二遍切的时候，落到的是另一些行。（这些行归的层和你想的不同，但对训练没有影响。）所以我们的三层 T5 什么也没丢。
# 可是 t5-small、base、large 和 BART 的层数都是偶数：

# %%
ShapeFlow("t5-base", prefix_len=20)

# %% [markdown] lang="en"
# 184,320 of the 368,640 parameters that PEFT counts for t5-base never learn; they are saved all the same. And layers 0
# and 6, 1 and 7, … must make do with one prefix for two. It does not break training, as you saw. It only makes a prefix
# weaker than its size says.

# %% [markdown] lang="zh"
# t5-base 的前缀，PEFT 数出 368,640 个参数，其中 184,320 个从不学习，却照样会被保存。第 0 层和第 6 层、第 1 层和第 7 层……只好两层共用一份前缀。训练不会因此失败，你已经看到了。
# 只是前缀的实际本领，不如它的大小看上去那样强。

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

# %% [markdown] lang="zh"
# ## 那编码器呢？
#
# 还剩一个疑点。论文的图 2（Xiang Lisa Li 和 Percy Liang，“Prefix-Tuning: Optimizing Continuous Prompts for Generation”，2021，
# [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)）里，编码器-解码器模型在输入前面有一个前缀，在目标前面**也有**一个。PEFT 的前缀到得了编码器吗？
#
# ### 练习 5 · 比较哪一项才看得出来？
#
# 把模型运行两次，一次有前缀，一次没有（`with peft_model.disable_adapter():`），然后比较。要知道**编码器**是否读了前缀，应当比较哪一项？
#
# - `"a"`：logits；
# - `"b"`：损失；
# - `"c"`：`encoder_last_hidden_state`，编码器的输出；
# - `"d"`：编码器权重的梯度。

# %% [markdown] lang="en" tags=["hint"]
# Which of them would be the same with and without a prefix, if the decoder alone read it?

# %% [markdown] lang="zh" tags=["hint"]
# 假如只有解码器读前缀，哪一项在有前缀和没有前缀时是一样的？

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

# %% [markdown] lang="zh"
# ## 修好它
#
# `layout="paper"` 是我们加的，PEFT 的布局仍然保留。在这种布局里，一个虚拟词元的向量先有编码器各层的行，再有解码器各层的行，和那张图一样；然后是解码器交叉注意力的行，
# 和作者公布的代码一样（[seq2seq/prefixTuning.py](https://github.com/XiangLi1999/PrefixTuning)，
# `use_encoder_prefix` 和 `use_cross_prefix`）。行数是原来的三倍，每一行恰好由一层来读。再看一遍同一个案子。

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

# %% [markdown] lang="zh"
# 值得吗？来一场小比赛：两种布局都要学会就一家餐馆提问，训练的数都是 12,288 个，PEFT 的布局用 12 个虚拟词元，论文的布局用 4 个。打印出来的是最后的损失，以及对 60 家没见过的餐馆，问句写对了多少。大约要十秒钟。

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

# %% [markdown] lang="zh"
# 在这里只好一点：这件事大部分靠解码器自己就能做。要是编码器必须换一种读法，和它学过的不同，布局就很关键了。下面是用另一个微型 T5 测的，它读的是字母，要把单词倒着写，却没有人告诉它要这样做：

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

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# - 可训练参数的个数，说的是哪些**可以**学。哪些**真的**在学，只有梯度能告诉你。
# - 层数是偶数时，PEFT 的布局让 T5 的前缀有一半没人读，并且让第 i 层和第 i + layers/2 层共用一份。我们默认保留这种布局，好与 PEFT 逐位相同；旁边另有 `layout="paper"`。
# - 编码器从来看不到 PEFT 的前缀，交叉注意力也没有前缀。
#
# 接着读：`prefix_lab/past.py` 里 `encoder_decoder_cache` 的 docstring，六行讲完整个故事；再读 `prefix_lab/beside/paper_layout.py`，它把缓存交给编码器，而编码器本来没有接收缓存的打算。`tests/parity` 会检查：我们这边没有梯度的行，和 PEFT 的是同样几行。

# %%
show_progress(9)
