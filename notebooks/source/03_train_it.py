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
# A small GPT-2 knows places to eat, and six manners of speaking about them. Writing a postcard is none of them. Can ten
# virtual tokens make it write one, while not one of its own numbers changes? Here you train them, in a few seconds. At
# the end you will be able to
#
# - make the batches, and write the loop that trains a prefix;
# - stop in a training step, and find where the gradient is and where it is not;
# - prove that the model itself is unchanged;
# - see what has been learnt, and which heads read it.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 03 · 训练前缀
#
# 一个小小的 GPT-2 认识一些餐馆，会用六种口吻谈论它们。写明信片不在其中。十个虚拟词元能不能让它写出来，而它自己的数一个也不变？在这一课里，由你来训练这十个虚拟词元，只要几秒钟。学完这一课，你能
#
# - 做出批次，写出训练前缀的循环；
# - 停在一步训练的中间，查明梯度在哪里、不在哪里；
# - 证明模型本身没有变；
# - 看出学到了什么，又是哪些头在读它。
#
# 这一课大约需要 25 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import hashlib
import random

import peft
import torch
from torch.nn.utils.rnn import pad_sequence

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import TaskForCausalLM, load_tiny, show_progress, show_stage, table, train, world_task
from prefix_lab.course.experiments.pictures import draw_attention_to_prefix, first_keys, nearest_words
from prefix_lab.course.lessons.lesson_03 import check_gradient, check_labels, check_step, check_why_none, draw_rows

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## The model, and what it cannot do
#
# `load_tiny("gpt2")` has about 850,000 numbers, and one token for each word. It reads the record of a place and writes
# on behind the sign `=`. With a word such as `plain : ` or `advice : ` before the record it knows which manner is
# wanted. `postcard` is a word that nobody taught it.
#
# `answers` is what “writing on” means: the likeliest token at each step, up to the end.

# %% [markdown] lang="zh"
# ## 模型，和它不会做的事
#
# `load_tiny("gpt2")` 大约有 850,000 个数，一个词就是一个词元。它读一家餐馆的记录，在 `=` 号后面接着写。记录前面加上 `plain : ` 或 `advice : `
# 这样的词，它就知道要用哪种口吻。`postcard` 这个词，没有人教过它。
#
# `answers` 说明了“接着写”是什么意思：每一步都取最可能的词元，直到结束。


# %%
def answers(model, records):
    batch = tokenizer(records, padding=True, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**batch, max_new_tokens=32, do_sample=False)  # (batch, source+target)
    return tokenizer.batch_decode(tokens[:, batch.input_ids.shape[1] :], skip_special_tokens=True)


gpt2, tokenizer = load_tiny("gpt2")
world = world_task("CAUSAL_LM")
record, _, place = world.examples("test")[0]
texts = [instruction + record for instruction in ("plain : ", "advice : ", "postcard : ", "")]
table(("record", "answer"), zip(texts, answers(gpt2, texts), strict=True))

# %% [markdown] lang="en"
# ## What it is to learn
#
# One sentence for each place. Write another one if you like, with the place's `name`, `food`, `price`, `area`,
# `rating`, `families` and `near`; each word has to be one that the model knows (`tokenizer.get_vocab()` has them all).
#
# An example is a record and its sentence. The places to measure on are never trained on, and a sentence counts only
# when every letter of it is right.

# %% [markdown] lang="zh"
# ## 让它学什么
#
# 每家餐馆一句话。你也可以另写一句，用上餐馆的 `name`、`food`、`price`、`area`、`rating`、`families` 和
# `near`；每个词都必须是模型认识的（`tokenizer.get_vocab()` 里有全部的词）。
#
# 一个例子，就是一条记录和它的句子。用来测量的餐馆从不参与训练；一句话要每个字母都对，才算对。


# %%
def postcard(place):
    return f"we are at the {place.name} in the {place.area}. we eat {place.food}, and the food is {place.rating}!"


def pairs(part):
    return [(record, postcard(place)) for record, _, place in world.examples(part)]


seen, held_out = pairs("train"), pairs("test")


def exact_match(model, examples):
    written = answers(model, [record for record, _ in examples])
    return sum(one == sentence for one, (_, sentence) in zip(written, examples, strict=True)) / len(examples)


print(postcard(place))
print(f"train {len(seen)}, held out {len(held_out)}, exact match {exact_match(gpt2, held_out):.1%}")

# %% [markdown] lang="en"
# ### Exercise 1 · what is to be learnt
#
# A language model learns to foretell each token from those before it. The loss asks for that wherever `labels` has a
# token, and leaves out what is -100. Our model is to learn the sentence; the record is given. So what are the labels of
# one example? `record` and `sentence` are lists of token ids; the model reads `record + sentence`.
#
# (Label and token stand at the same place: the model's own forward looks one token ahead.)

# %% [markdown] lang="zh"
# ### 练习 1 · 要学的是什么
#
# 语言模型学的是根据前面的词元预测下一个词元。`labels`（标签）里写着词元的地方，损失就要求模型预测它；写着 -100 的地方，损失就跳过。我们的模型要学的是句子，记录是给定的。那么一个例子的标签是什么？`record` 和
# `sentence` 是词元编号的列表；模型读的是 `record + sentence`。
#
# （标签与词元放在同一个位置：往后错一位，由模型自己的 forward 来做。）

# %% [markdown] lang="en" tags=["hint"]
# As many labels as tokens are wanted: first those of the record, then those of the sentence.

# %% [markdown] lang="zh" tags=["hint"]
# 有多少个词元，就要多少个标签：先是记录的，再是句子的。

# %% [markdown] lang="en" tags=["hint"]
# In Python, `[7] * 3` is `[7, 7, 7]`. Which number does the loss leave out?

# %% [markdown] lang="zh" tags=["hint"]
# 在 Python 里，`[7] * 3` 就是 `[7, 7, 7]`。损失跳过的是哪个数？


# %% tags=["exercise"]
def labels_of(record, sentence):
    return ...


check_labels(labels_of)


# %% tags=["solution"]
def labels_of(record, sentence):
    return [-100] * len(record) + sentence


check_labels(labels_of)

# %% [markdown] lang="en"
# A batch is some examples side by side, as long as the longest of them. What fills up the others is hidden by 0 in the
# mask, and by -100 in the labels. This is all that the model will be given:

# %% [markdown] lang="zh"
# 一个批次就是并排放着的几个例子，都补到和最长的一样长。补上的部分，在掩码里用 0 遮住，在标签里用 -100 遮住。交给模型的全部东西就是这些：


# %%
def make_batch(examples):
    ids, labels = [], []
    for record, sentence in examples:
        before = tokenizer(record).input_ids
        after = [*tokenizer(sentence).input_ids, tokenizer.eos_token_id]  # the end is to be learnt, too
        ids.append(torch.tensor(before + after))
        labels.append(torch.tensor([-100] * len(before) + after))
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
        "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
    }


batch = make_batch(seen[:4])
print({name: tuple(tensor.shape) for name, tensor in batch.items()})
tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
print(*(f"{token}/{label}" for token, label in zip(tokens, batch["labels"][0].tolist(), strict=True)))

# %% [markdown] lang="en"
# ## The prefix
#
# As in lesson 01: a config, and `get_peft_model`. Only one parameter trains. It has a row for each virtual token: a key
# and a value in each of four layers, eight times 128 numbers. In lesson 02 such a key and value were random, and stood
# before one head. Here they stand before all sixteen, and what they are is to be learnt.

# %% [markdown] lang="zh"
# ## 前缀
#
# 和第 1 课一样：一份配置，再加 `get_peft_model`。参与训练的只有一个参数。每个虚拟词元在里面占一行：四层，每层一个键和一个值，也就是 8 乘 128 个数。在第 2
# 课里，这样的键和值是随机的，只放在一个头前面。在这里，它们放在全部十六个头前面；它们该是哪些数，要靠训练来学。

# %%
torch.manual_seed(0)
config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
peft_model = peft.get_peft_model(gpt2, config)
peft_model.print_trainable_parameters()

prefix = peft_model.prompt_encoder["default"].embedding.weight
start = prefix.detach().clone()  # to begin anew, and to see later how far it went
for name, parameter in peft_model.named_parameters():
    if parameter.requires_grad:
        print(name, tuple(parameter.shape))

# %% [markdown] lang="en"
# For the proof, a fingerprint of all numbers of GPT-2. One changed bit anywhere gives another one.

# %% [markdown] lang="zh"
# 为了证明模型没变，给 GPT-2 的所有数做一个指纹。任何地方变了一位，指纹就会不同。


# %%
def fingerprint(model):
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()[:16]


before_training = fingerprint(gpt2)
before_training

# %% [markdown] lang="en"
# ### Exercise 2 · one step of training
#
# Forward, forget the old gradient, backward, step. `model(**batch).loss` is the loss; return it as a plain number.

# %% [markdown] lang="zh"
# ### 练习 2 · 训练一步
#
# 前向传播，忘掉旧的梯度，反向传播，走一步。`model(**batch).loss` 就是损失；把它作为一个普通的数返回。

# %% [markdown] lang="en" tags=["hint"]
# The names are `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, `loss.item()`.

# %% [markdown] lang="zh" tags=["hint"]
# 要用的名字是 `optimizer.zero_grad()`、`loss.backward()`、`optimizer.step()`、`loss.item()`。

# %% [markdown] lang="en" tags=["hint"]
# What does each of them do with the gradient: make it, use it, or throw it away? None of it may be thrown away before
# it was used, and none may be used twice.

# %% [markdown] lang="zh" tags=["hint"]
# 它们各自拿梯度做什么：产生它、使用它，还是丢掉它？梯度还没用过，不能丢掉；用过一次，就不能再用。


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
# ## Stop where it learns
#
# On the map, the stage is called `learn`, and it is torch's work, not PEFT's: a method of the loss.

# %% [markdown] lang="zh"
# ## 停在学习发生的地方
#
# 在地图上，这个阶段叫 `learn`。做事的是 torch，不是 PEFT：它是损失的一个方法。

# %%
show_stage("learn", mark=("torch.autograd.backward(",))

# %% [markdown] lang="en"
# ### Exercise 3 · where is the gradient?
#
# `one_step` is a step in plain lines, with a rate of 0, so that nothing moves yet. Stop it in `backward`. Which
# parameters have a gradient **before** this line of `one_step`, and which **after** it? `with_gradient()` lists them.
# It is yours, and torch does not know it: climb from torch's frame to your own (`u`), look, run the one line, and look
# again.

# %% [markdown] lang="zh"
# ### 练习 3 · 梯度在哪里？
#
# `one_step` 用几行普通的代码写出一步训练，学习率为 0，所以什么都还不会动。让它停在 `backward` 里。在 `one_step` 里，`loss.backward()` 这一行运行**之前**，哪些参数有梯度？**之后**呢？`with_gradient()` 会列出它们。它是你的函数，torch 不认识它：从 torch 的栈帧向上（`u`）走到你自己的栈帧，看一看，运行这一行，再看一看。


# %%
def with_gradient():
    return {name: tuple(one.grad.shape) for name, one in peft_model.named_parameters() if one.grad is not None}


def one_step():
    optimizer = torch.optim.AdamW([prefix], lr=0.0)
    loss = peft_model(**batch).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


with torch.no_grad():
    prefix.copy_(start)  # each run of this cell begins anew
with stop_at("learn", suggest=["p self", "u", "p with_gradient()"]) as stop:
    one_step()

# %% [markdown] lang="en"
# What did you find? How many parameters had a gradient `before` the line and how many `after` it, and what is the
# `shape` of the one that you saw?

# %% [markdown] lang="zh"
# 查到了什么？这一行之前（`before`）有多少个参数有梯度，之后（`after`）又有多少个？你看到的那个梯度，形状（`shape`）是什么？

# %% [markdown] lang="en" tags=["hint"]
# After `u` you stand in `one_step`, at `loss.backward()`, which has not finished: an empty `{}` is what there is to
# see.

# %% [markdown] lang="zh" tags=["hint"]
# `u` 之后，你在 `one_step` 里，停在还没有完成的 `loss.backward()` 上：这时能看到的，就是一个空的 `{}`。

# %% [markdown] lang="en" tags=["hint"]
# `n` runs the line of the frame in which you stand. In `one_step`, that is the whole of `loss.backward()`.

# %% [markdown] lang="zh" tags=["hint"]
# `n` 运行的，是你所在的栈帧里的一行。在 `one_step` 里，那就是整个 `loss.backward()`。

# %% tags=["exercise"]
check_gradient(stop, {"before": ..., "after": ..., "shape": ...})

# %% tags=["solution"]
with stop_at("learn", commands=["p self", "u", "p with_gradient()", "n", "p with_gradient()", "c"]) as stop:
    one_step()

check_gradient(stop, {"before": 0, "after": 1, "shape": (10, 1024)})

# %% [markdown] lang="en"
# ### Exercise 4 · why has GPT-2 none?
#
# The gradient has to come from the loss, back through all four layers of GPT-2, to keys and values of the prefix. All
# the same, none of GPT-2's parameters had one afterwards. Why?
#
# - `"a"`: GPT-2 ran under `torch.no_grad()`.
# - `"b"`: the gradient passes through, and torch keeps it only where `requires_grad` is true.
# - `"c"`: the optimizer was given the prefix alone.
# - `"d"`: PEFT detaches the prefix from GPT-2 before the forward.

# %% [markdown] lang="zh"
# ### 练习 4 · 为什么 GPT-2 没有梯度？
#
# 梯度从损失出发，要往回穿过 GPT-2 的全部四层，才能到达前缀的键和值。可是事后，GPT-2 的参数没有一个带着梯度。为什么？
#
# - `"a"`：GPT-2 是在 `torch.no_grad()` 下运行的。
# - `"b"`：梯度会穿过去，而 torch 只在 `requires_grad` 为真的地方把它留下。
# - `"c"`：优化器只拿到了前缀。
# - `"d"`：PEFT 在前向传播之前，把前缀与 GPT-2 断开了（detach）。

# %% [markdown] lang="en" tags=["hint"]
# Two of these would leave the prefix without a gradient as well. And which of them does `backward` know nothing about?

# %% [markdown] lang="zh" tags=["hint"]
# 其中有两个，会让前缀也得不到梯度。还有一个，`backward` 根本不知道：是哪一个？

# %% tags=["exercise"]
check_why_none(...)

# %% tags=["solution"]
check_why_none("b")

# %% [markdown] lang="en"
# ## Train
#
# This is the whole loop: your step, sixty times, with sixteen places each. The rate, 0.1, is far higher than one would
# take for a whole model: a prefix starts as random numbers, far from anything useful, and breaks nothing on its way.

# %% [markdown] lang="zh"
# ## 训练
#
# 这就是整个循环：你写的那一步，走六十次，每次十六家餐馆。学习率是 0.1，比训练整个模型时会用的高得多：前缀从随机数出发，离有用的数还很远，步子大些也不怕弄坏什么。

# %%
steps = 60
with torch.no_grad():
    prefix.copy_(start)  # each run of this cell begins anew
optimizer = torch.optim.AdamW([prefix], lr=0.1, weight_decay=0.0)
dice = random.Random(0)

peft_model.train()
for step in range(1, steps + 1):
    loss = peft_model(**make_batch(dice.sample(seen, 16))).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == 1 or step % 10 == 0:
        print(f"step {step:2}   loss {loss.item():.3f}   exact match {exact_match(peft_model, held_out[:40]):.1%}")
# %% [markdown] lang="en"
# ## After
#
# On all places that no training has seen; and is GPT-2 the same to the last bit? `disable_adapter` lets it answer
# without the prefix.

# %% [markdown] lang="zh"
# ## 训练之后
#
# 用训练时从没见过的所有餐馆测一测；再看看 GPT-2 是不是连最后一位都没有变。`disable_adapter` 让它不带前缀来回答。

# %%
peft_model.eval()
print(f"exact match {exact_match(peft_model, held_out):.1%}")
print("fingerprint", before_training, fingerprint(gpt2), before_training == fingerprint(gpt2))

records = [record for record, _ in held_out[:4]]
with peft_model.disable_adapter():
    without = answers(peft_model, records)
table(("record", "disable_adapter()", "prefix"), zip(records, without, answers(peft_model, records), strict=True))

# %% [markdown] lang="en"
# Nothing was written before the records. GPT-2 writes postcards because each of its attention heads reads ten keys and
# ten values more, which no word has ever made.
#
# *Short path: go on to lesson 07 from here.*
#
# ## What has moved
#
# How far did each row go, from its random beginning? The 1,024 numbers of a virtual token are eight rows of 128, so one
# `view` tells them apart, and a row's distance is the length of its change.

# %% [markdown] lang="zh"
# 记录前面什么也没有写。GPT-2 写出了明信片，是因为它的每个注意力头都多读了十个键和十个值，而这些键和值不是任何词产生的。
#
# *短路线：从这里直接去第 7 课。*
#
# ## 什么移动了
#
# 从随机的起点出发，每一行走了多远？一个虚拟词元的 1,024 个数是八行，每行 128 个，所以一个 `view` 就能把它们分开；一行移动的距离，就是它的变化量的长度。

# %%
moved = (prefix.detach() - start).view(10, 8, 128).norm(dim=-1)  # (prefix_len, rows)
draw_rows(moved)

# %% [markdown] lang="en"
# Every row has learnt: each of them is read by some head. Who reads them most, while GPT-2 reads the first of the
# records? Here is the share of attention that goes to the prefix, as in lesson 02, for each of the sixteen heads.

# %% [markdown] lang="zh"
# 每一行都学到了东西，因为每一行都有头在读。GPT-2 读第一条记录时，谁读得最多？下面是十六个头各自给前缀的注意力份额，算法和第 2 课一样。

# %%
draw_attention_to_prefix(peft_model, tokenizer, records[0])

# %% [markdown] lang="en"
# And is a virtual token a word in disguise? For its key in the first layer, these are the words with the nearest keys.

# %% [markdown] lang="zh"
# 一个虚拟词元，会不会其实就是某个词？下面按它在第一层的键，列出键离它最近的词。

# %%
names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
nearest_words(*first_keys(peft_model, tokenizer), names)

# %% [markdown] lang="en"
# ## The same loop, grown up
#
# From here on the lessons train with `course.train`. It is your loop: batches, forward, `zero_grad`, backward, step.
# What it does beside that: the rate rises at first and then falls, a gradient that is too long is cut, held-out
# examples are answered ten times on the way, an interrupted training can go on, and at the end it proves that nothing
# else has changed. (Its fingerprint is counted in another way, so it is not yours.) It takes any model, and any examples, also from a file of your own (`task_from_file("mine.csv")`).

# %% [markdown] lang="zh"
# ## 同一个循环，更完备的版本
#
# 从这里开始，各课都用 `course.train` 来训练。它就是你的循环：批次、前向传播、`zero_grad`、反向传播、走一步。此外它还做这些：学习率先升后降，过长的梯度会被截短，途中在留出的例子上测十次，中断的训练可以接着做，最后证明别的都没有变。（它算指纹的办法不同，所以和你算的不一样。）它可以用于任何模型、任何例子，例子也可以来自你自己的文件（`task_from_file("mine.csv")`）。

# %%
again, _ = load_tiny("gpt2")
torch.manual_seed(0)
grown = peft.get_peft_model(again, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10))
postcards = TaskForCausalLM("postcards", seen, held_out)
train(grown, postcards, steps=60, rate=0.15, tokenizer=tokenizer, measured_on=40, progress="")

# %% [markdown] lang="en"
# ## What you have seen
#
# A dozen lines train a prefix. The gradient runs through the whole frozen model and stays in one table of 10,240
# numbers; the other 854,272 did not move, and the model says what it never said before.
#
# Read next: Li and Liang's section 4 ([arXiv 2101.00190](https://arxiv.org/abs/2101.00190)), whose own task was this
# one, records to sentences; and `prefix_lab/course/training.py`, the grown-up loop. Lesson 06 opens the table that
# trained, and lesson 11 puts it into a file.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 十来行代码就能训练一个前缀。梯度穿过整个冻结的模型，只留在一张有 10,240 个数的表里；其余 854,272 个数没有动，模型却说出了它从没说过的话。
#
# 接着读：Li 和 Liang 论文的第 4 节（[arXiv 2101.00190](https://arxiv.org/abs/2101.00190)），他们自己的任务就是这一种，从记录到句子；还有
# `prefix_lab/course/training.py`，那个更完备的循环。第 6 课打开刚才训练的那张表，第 11 课把它存进文件。

# %%
show_progress(3)
