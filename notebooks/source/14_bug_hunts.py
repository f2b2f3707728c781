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
# Mika has written PEFT's prefix tuning anew, in one file, and works on seven branches of it. On each branch one line
# is wrong. None of the seven raises an error: the models run, train, write and save. After these hunts you will be
# able to
#
# - say what you suspect, and look there, before you change anything;
# - find the first number that is wrong, from a report of something that went wrong much later;
# - choose the tool for it: a stop, a recording, a hook, a print.
#
# It takes about 75 minutes, eight to ten a hunt. They do not depend on each other: take one today and one tomorrow.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 14 · 捉虫
#
# Mika 把 PEFT 的前缀微调重写成一个文件，在七个分支上各改了一处。每个分支上都有一行写错了。这七个错都不会抛出异常：模型能运行、训练、续写、保存。做完这些捉虫，你能够
#
# - 先说出你怀疑哪里，到那里去看，然后才动手改；
# - 错误很晚才露出来时，从报告出发，找到最先出错的那个数；
# - 为此选对工具：停点、录制、钩子，或者打印。
#
# 大约需要 75 分钟，每次捉虫八到十分钟。它们互不依赖：今天做一个，明天再做一个也行。
#
# 从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import random
import tempfile

import peft
import torch

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    arriving,
    before,
    hunts,
    load_tiny_t5,
    make_batch,
    seen_words,
    show_progress,
    show_source,
    show_stage,
)
from prefix_lab.course.lessons.lesson_14 import check_hunt, show_functions
from prefix_lab.course.tiny import load_tiny
from prefix_lab.course.world import places, prompt
from prefix_lab.debugger import Breakpoint, record
from prefix_lab.widgets import Stepper

# %% [markdown] lang="en"
# ## How a hunt goes
#
# First comes **the report**: what Mika saw, and a function `report_1(by)` that does the same with Mika's branch or with
# PEFT. Words and sizes are drawn anew each time its cell runs.
#
# Then **suspect, and look**. Which function is the first to give something else than it should? Stop there, and see.
# Of two functions of which one calls the other, the inner one gives its result first. In the exercise, `where` is the
# function's name, and `seen` is what it gives in Mika's file, one thing of it that is wrong:
#
# | what you saw | write it as | for example |
# |---|---|---|
# | a shape | a tuple | `(2, 13)` |
# | some numbers of a row, three at least | a list | `[0.12, -1.4, 0.33]` |
# | a mean, a sum, a smallest or largest number | a number | `0.0312` |
# | how many places a cache has taken | a number | `12` |
# | a precision | a text | `"float16"` |
# | whether a gradient can flow back through it | True or False | `tensor.requires_grad` |
#
# At a stop, `ll` shows the whole function and `r` runs to its end, where `p __return__` is what it gives. `u` climbs
# to the caller.
#
# At last **mend it**: `wrong` is the line as it stands in the file, `right` what should stand there. The check runs
# your line against PEFT in many situations, at sizes drawn anew. Every number has to be equal.
#
# ## Mika's file
#
# These are its functions, from top to bottom. `before(model, by)` puts a random prefix before a copy of a model, and
# `by` is Mika's branch or `peft`. The same seed gives both the same numbers.

# %% [markdown] lang="zh"
# ## 怎样捉虫
#
# 先看**报告**：Mika 看到了什么，以及一个函数 `report_1(by)`，它用 Mika 的分支或者用 PEFT 做同样的事。每次运行那个单元格，单词和大小都会重新抽取。
#
# 然后**怀疑，去看**。哪个函数最先给出了错的结果？停在那里，看一看。如果一个函数调用另一个，先给出结果的是里面那个。
# 在练习里，`where` 是函数的名字，`seen` 是它在 Mika 的文件里给出的结果中，错了的那一样东西：
#
# | 你看到的 | 写成 | 例如 |
# |---|---|---|
# | 形状 | 元组 | `(2, 13)` |
# | 一行里的几个数，至少三个 | 列表 | `[0.12, -1.4, 0.33]` |
# | 均值、总和、最小或最大的数 | 数 | `0.0312` |
# | 缓存里占了多少个位置 | 数 | `12` |
# | 精度 | 文本 | `"float16"` |
# | 梯度能不能从它传回去 | True 或 False | `tensor.requires_grad` |
#
# 停下时，`ll` 显示整个函数；`r` 运行到函数末尾，这时 `p __return__` 就是它给出的结果。`u` 上到调用者。
#
# 最后**改正它**：`wrong` 是文件里现在的那一行，`right` 是应当写的那一行。检查会在许多种情况下，用重新抽取的大小，把你的这一行和 PEFT 对照。每个数都必须相等。
#
# ## Mika 的文件
#
# 下面是其中的函数，从上到下。`before(model, by)` 复制一个模型，在前面加上随机的前缀；`by` 是 Mika 的分支或者 `peft`。随机种子相同，两边的数就相同。

# %%
show_functions()

# %% [markdown] lang="en"
# The whole file is there to be read as well: `%pycat {mika_1.__file__}` in a cell of its own shows it, and
# `show_source(mika_1.PrefixModel.encode)` shows one function. Its 240 lines are all plausible, and a few that look odd
# are right: PEFT does the same. Looking is faster.
#
# ## Hunt 1 · every shape is right
#
# > “A GPT-2, a place to eat to talk about, a prefix. My loss is not PEFT's. I have printed every shape on the way, and
# > they are all right. So are the mean and the largest number of the prefix.” Mika

# %% [markdown] lang="zh"
# 整个文件也可以读：在单独一个单元格里，`%pycat {mika_1.__file__}` 显示全文，`show_source(mika_1.PrefixModel.encode)` 显示一个函数。
# 它的 240 行看上去都有道理；有几行看着奇怪，其实是对的：PEFT 也这样写。所以，停下来看比通读更快。
#
# ## 捉虫 1 · 形状全都对
#
# > “一个 GPT-2，介绍一家餐馆，带一个前缀。我的损失和 PEFT 的不同。每一步的形状我都打印了，全都对。前缀的均值和最大的数也对。”——Mika

# %%
mika_1 = hunts.branch(1)
base_1, tokenizer_1 = load_tiny("gpt2")
place, prefix_len_1 = random.choice(places("held out")), random.choice((5, 7, 11))
text_1 = tokenizer_1([prompt(place, "brief")], return_tensors="pt")


def report_1(by):
    return before(base_1, by, prefix_len_1)(**text_1, labels=text_1["input_ids"]).loss


for name, by in {"Mika": mika_1, "PEFT": peft}.items():
    print(f"{name}: loss {report_1(by):.6f}")

# %% [markdown] lang="en"
# `get_prompt` is where the prefix becomes a cache. Stand in it, on Mika's branch. What goes in, what comes out?

# %% [markdown] lang="zh"
# 前缀在 `get_prompt` 里变成缓存。在 Mika 的分支上，停到它里面。进去的是什么，出来的又是什么？

# %%
with stop_at(mika_1.PrefixModel.get_prompt, suggest=["n", "p prefix.shape, prefix.mean()", "c"]) as stop:
    report_1(mika_1)

# %% [markdown] lang="en" tags=["hint"]
# Mean, largest and shape stay the same when numbers change places. How could you see which number has gone where?

# %% [markdown] lang="zh" tags=["hint"]
# 数互相换了位置，均值、最大值和形状都不会变。怎样才能看出哪个数去了哪里？

# %% [markdown] lang="en" tags=["hint"]
# Behind the line that makes `prefix`, write numbers into it that say where they are from, and go on from there:
# `!prefix = torch.arange(prefix.numel()).view(prefix.shape)`. What should the row of one token, one layer and one head
# be then?

# %% [markdown] lang="zh" tags=["hint"]
# 在生成 `prefix` 的那一行之后，往里面写进能表明来处的数，再从那里继续：`!prefix = torch.arange(prefix.numel()).view(prefix.shape)`。
# 那么，一个词元、一层、一个头对应的那一行应当是什么？

# %% [markdown] lang="en" tags=["hint"]
# Head 0 of virtual token 1 has to get numbers of token 1. `p __return__[0, 0, 0, 1, :4].tolist()` where the five axes
# are there. Then look at the same place without the counted numbers, for `seen`.

# %% [markdown] lang="zh" tags=["hint"]
# 虚拟词元 1 的第 0 个头，拿到的应当是词元 1 的数。在五个轴都有了的地方，输入 `p __return__[0, 0, 0, 1, :4].tolist()`。然后不写这些编号，重来一次，看同一个位置，用来填 `seen`。

# %% tags=["exercise"]
where = ...  # such as "PrefixModel.encode"
seen = ...
wrong = ...
right = ...

check_hunt(1, report_1, where, seen, wrong, right)

# %% tags=["solution"]
model = before(base_1, mika_1, prefix_len_1)
where = "PrefixModel.to_rows"
seen = model.to_rows(model.encode(1))[0, 0, 0, 1, :4].tolist()
wrong = "rows = rows.movedim(2, 0).reshape(-1, batch, self.config.num_attention_heads, prefix_len, rows.shape[-1])"
right = "rows = rows.movedim(2, 0).transpose(2, 3)"

check_hunt(1, report_1, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 2 · alone right, together wrong
#
# > “Each text alone goes on as with PEFT. Two texts in one batch, and the shorter one goes on differently. The longer
# > one never does.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 2 · 单独对，合起来错
#
# > “每条文本单独续写时，都和 PEFT 一样。两条放进一个批次，短的那条就续写得不同了。长的那条从来没事。”——Mika

# %%
mika_2 = hunts.branch(2)
base_2, tokenizer_2 = load_tiny("gpt2")
two, prefix_len_2 = random.sample(places("held out"), 2), random.choice((7, 11, 13))
texts = tokenizer_2([prompt(two[0], "brief") + " =", f"the {two[1].name}"], padding=True, return_tensors="pt")


def report_2(by):
    model = before(base_2, by, prefix_len_2)
    return model.generate(**texts, max_new_tokens=10, do_sample=False)


for name, by in {"Mika": mika_2, "PEFT": peft}.items():
    written = report_2(by)[:, texts["input_ids"].shape[1] :]
    print(f"{name}: {tokenizer_2.batch_decode(written, skip_special_tokens=True)}")

# %% [markdown] lang="en"
# GPT-2's padding stands on the left here, so that all texts go on at their right end. What arrives at the base model?
# A hook at its door tells, without a stop.

# %% [markdown] lang="zh"
# 这里 GPT-2 的填充放在左边，这样所有文本都在右端续写。到达基座模型的是什么？在它前面挂一个钩子，不用停下就能知道。

# %%
model = before(base_2, mika_2, prefix_len_2)
calls = arriving(model.base_model, "attention_mask", lambda: model.generate(**texts, max_new_tokens=3))
for number, mask in enumerate(calls, 1):
    print(f"call {number}: mask {tuple(mask.shape)}, ones in each row {mask.sum(-1).tolist()}")

# %% [markdown] lang="en" tags=["hint"]
# Shape and number of ones are right. Print one of the rows itself: what stands first in the cache, the padding or the
# virtual tokens?

# %% [markdown] lang="zh" tags=["hint"]
# 形状和 1 的个数都对。把其中一行本身打印出来：缓存里排在最前面的，是填充还是虚拟词元？

# %% [markdown] lang="en" tags=["hint"]
# The order in the cache: virtual tokens, then padding, then text. So the mask has to say: ones, zeros, ones. Which
# function makes the mask longer?

# %% [markdown] lang="zh" tags=["hint"]
# 缓存里的顺序是：虚拟词元，然后是填充，然后是文本。所以掩码应当是：先一段 1，再一段 0，然后又是 1。是哪个函数把掩码加长的？

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(2, report_2, where, seen, wrong, right)

# %% tags=["solution"]
where = "PrefixModel.with_prefix"
seen = before(base_2, mika_2, prefix_len_2).with_prefix(texts["attention_mask"])[1].tolist()
wrong = "return nn.functional.pad(mask.float(), (0, self.config.num_virtual_tokens), value=1.0)"
right = "return nn.functional.pad(mask.float(), (self.config.num_virtual_tokens, 0), value=1.0)"

check_hunt(2, report_2, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 3 · it learns, but not as well
#
# > “With `prefix_projection=True`. The first loss is PEFT's to the last digit, and the number of parameters that train
# > is the same. From then on, mine falls a little more slowly.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 3 · 能学，但学得不够好
#
# > “用的是 `prefix_projection=True`。第一步的损失和 PEFT 的一位不差，可训练的参数个数也相同。从那以后，我的损失就降得慢一点。”——Mika

# %%
mika_3 = hunts.branch(3)
base_3, tokenizer_3 = load_tiny_t5()
words_3, prefix_len_3 = random.sample(seen_words(), 4), random.choice((5, 7, 11))
batch = make_batch(tokenizer_3, words_3, [word[::-1] for word in words_3])


def report_3(by):
    model, losses = before(base_3, by, prefix_len_3, prefix_projection=True), []
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=0.003)
    for _ in range(6):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


for name, by in {"Mika": mika_3, "PEFT": peft}.items():
    trainable, _ = before(base_3, by, prefix_len_3, prefix_projection=True).get_nb_trainable_parameters()
    print(f"{name}: {trainable:,} numbers train, losses", *(f"{loss:.3f}" for loss in report_3(by)))

# %% [markdown] lang="en"
# All numbers of the first forward are right, so look at what a number does not show. A recording keeps more of each
# tensor. Walk through this one with **n**, and back with **p**.

# %% [markdown] lang="zh"
# 第一次 forward 的数全都对，所以要看数以外的东西。录制为每个张量记下的，不只是数。用 **n** 往前走，用 **p** 往回走。

# %%
with record([mika_3]) as recording:
    before(base_3, mika_3, prefix_len_3, prefix_projection=True).get_prompt(1)
stepper = Stepper(recording, title="hunt 3", height="460px")
stepper.run_to(Breakpoint("PrefixModel.encode"))
stepper

# %% [markdown] lang="en" tags=["hint"]
# Run one step yourself, and print each parameter's name and `grad` after `backward`. Which one has none?

# %% [markdown] lang="zh" tags=["hint"]
# 自己运行一步，在 `backward` 之后打印每个参数的名字和 `grad`。哪个参数没有？

# %% [markdown] lang="en" tags=["hint"]
# The table has `requires_grad=True`, and no gradient comes back to it. Somewhere behind the table the way back is cut:
# follow `requires_grad` from one tensor to the next.

# %% [markdown] lang="zh" tags=["hint"]
# 表的 `requires_grad=True` 没有错，但没有梯度回到它那里。在表后面的某处，回去的路断了：顺着一个个张量看 `requires_grad`。

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(3, report_3, where, seen, wrong, right)

# %% tags=["solution"]
encoder = before(base_3, mika_3, prefix_len_3, prefix_projection=True).prompt_encoder["default"]
where = "PrefixEncoder.look_up"
seen = encoder.look_up(torch.arange(prefix_len_3)).requires_grad
wrong = "return nn.functional.embedding(numbers, self.embedding.weight.data)"
right = "return nn.functional.embedding(numbers, self.embedding.weight)"

check_hunt(3, report_3, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 4 · the second text
#
# > “A T5 that is told to reverse a word. The first answer is PEFT's. All that come after it are not, whatever I ask.
# > After a restart, whichever word I ask first is right.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 4 · 第二条文本
#
# > “让 T5 把一个单词倒过来写。第一个回答和 PEFT 的一样。之后不管问什么，回答都不一样了。重启以后，不管先问哪个单词，第一个总是对的。”——Mika

# %%
mika_4 = hunts.branch(4)
base_4, tokenizer_4 = load_tiny_t5()
words_4, prefix_len_4 = random.sample(seen_words(), 3), random.choice((3, 5, 7))


def report_4(by):
    model, answers = before(base_4, by, prefix_len_4), []
    for word in words_4:
        text_4 = tokenizer_4([f"reverse: {word}"], return_tensors="pt")
        answers.append(model.generate(**text_4, max_new_tokens=random.Random(word).choice((6, 8, 10))))
    return answers


for name, by in {"Mika": mika_4, "PEFT": peft}.items():
    answers = [tokenizer_4.decode(answer[0], skip_special_tokens=True) for answer in report_4(by)]
    print(f"{name}: {dict(zip(words_4, answers, strict=True))}")

# %% [markdown] lang="en"
# A random prefix disturbs the T5, so some answers are no good; but they should be the same on both sides. Stand where
# a word begins, and let the first one pass with `c`. What is it that the second one is called with?

# %% [markdown] lang="zh"
# 随机前缀会扰乱 T5，所以有的回答本来就不像样；但两边应当相同。停在开始处理一个单词的地方，用 `c` 放过第一个。第二个单词来时，调用它的参数里有什么？

# %%
prepare = mika_4.TextToText.prepare_inputs_for_generation
first = "kwargs.get('is_first_iteration')"
with stop_at(prepare, condition=first, suggest=["p args[0].shape", "ll", "c"]) as stop:
    report_4(mika_4)

# %% [markdown] lang="en" tags=["hint"]
# Something of the first word is still there when the second one begins. What does a model do with the cache that it is
# given?

# %% [markdown] lang="zh" tags=["hint"]
# 第二个单词开始时，第一个单词的东西还在那里。模型拿到一个缓存，会对它做什么？

# %% [markdown] lang="en" tags=["hint"]
# It writes its own keys and values behind the prefix. A fresh cache has prefix_len places taken. How many has the one
# that the second word gets? Ask it for `get_seq_length()`, and step into what gives it.

# %% [markdown] lang="zh" tags=["hint"]
# 它把自己的键和值写在前缀后面。新的缓存里占了 prefix_len（前缀长度）个位置。第二个单词拿到的缓存里占了多少？用 `get_seq_length()` 问它，再单步进入给出缓存的那个函数。

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(4, report_4, where, seen, wrong, right)

# %% tags=["solution"]
model = before(base_4, mika_4, prefix_len_4)
where = "PrefixModel.get_prompt"
model.generate(
    **tokenizer_4([f"reverse: {words_4[0]}"], return_tensors="pt"),
    max_new_tokens=random.Random(words_4[0]).choice((6, 8, 10)),
)
seen = model.get_prompt(1).get_seq_length()
wrong = """cache = self.made.setdefault(("cache", batch_size), self.to_cache(self.to_rows(prefix)))"""
right = "cache = self.to_cache(self.to_rows(prefix))"

check_hunt(4, report_4, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 5 · steps too small to see
#
# > “A base model in bfloat16, to save memory. It runs, and the loss looks right. I train for ten steps with a small
# > rate, and most numbers of my prefix have not moved at all.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 5 · 小得看不见的步子
#
# > “基座模型用 bfloat16，为了省内存。能运行，损失看上去也对。我用很小的学习率训练了十步，前缀里大多数的数一点也没动。”——Mika

# %%
mika_5 = hunts.branch(5)
base_5, tokenizer_5 = load_tiny("t5")
base_5 = base_5.to(torch.bfloat16)
place, prefix_len_5 = random.choice(places("held out")), random.choice((5, 7, 11))
batch = make_batch(tokenizer_5, [place.record], [f"{place.name}, {place.food}"])


def report_5(by):
    model = before(base_5, by, prefix_len_5)
    [table] = [one for one in model.parameters() if one.requires_grad]
    start = table.detach().clone()
    optimizer = torch.optim.AdamW([table], lr=1e-4, weight_decay=0)
    for _ in range(10):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss, (table != start).float().mean()


for name, by in {"Mika": mika_5, "PEFT": peft}.items():
    loss, moved = report_5(by)
    print(f"{name}: loss {loss:.3f}, {moved:.0%} of the prefix's numbers have moved")

# %% [markdown] lang="en"
# A tensor has a precision as well as a shape. Here is that of everything that Mika's functions give, in their order.

# %% [markdown] lang="zh"
# 张量除了形状，还有精度。下面按先后顺序，列出 Mika 的各个函数给出的张量是什么精度。

# %%
with record([mika_5]) as recording:
    before(base_5, mika_5, prefix_len_5).get_prompt(1)
for step in recording.find(event="return"):
    if "dtype" in step.value.facts:
        print(f"{step.function:26} {step.value.facts['dtype']:9} {step.value.facts['shape']}")

# %% [markdown] lang="en" tags=["hint"]
# bfloat16 keeps about three decimal digits: 1 + 0.0001 is 1 again. So PEFT trains the table in float32, and rounds only
# what attention reads. Which of these functions should still give float32?

# %% [markdown] lang="zh" tags=["hint"]
# bfloat16 大约保留三位十进制数字：1 + 0.0001 还是 1。所以 PEFT 用 float32 训练表，只把注意力读的东西舍入。这些函数里，哪个还应当给出 float32？

# %% [markdown] lang="en" tags=["hint"]
# The one that looks things up in the table is not to blame: the table is bfloat16 before it is ever asked. Stop while
# the model is wrapped, and look at `encoder.embedding.weight.dtype`. What is returned can be a module, too.

# %% [markdown] lang="zh" tags=["hint"]
# 不怪查表的那个函数：还没开始查，表就已经是 bfloat16 了。在包装模型的时候停下，看 `encoder.embedding.weight.dtype`。函数返回的也可以是一个模块。

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(5, report_5, where, seen, wrong, right)

# %% tags=["solution"]
where = "PrefixModel.placed"
seen = before(base_5, mika_5, prefix_len_5).prompt_encoder["default"].embedding.weight.dtype
wrong = "return encoder.to(reference)"
right = "return encoder.to(reference.device)"

check_hunt(5, report_5, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 6 · two go in, one comes out
#
# > “Two prefixes before one GPT-2, under two names. Both are fine. I save the model and load both into a fresh GPT-2,
# > and there they say the same.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 6 · 进去两个，出来一个
#
# > “一个 GPT-2，前面有两个前缀，各有一个名字。两个都正常。我把模型保存下来，再把两个都加载到一个新的 GPT-2 上，它们说的就一样了。”——Mika

# %%
mika_6 = hunts.branch(6)
base_6, tokenizer_6 = load_tiny("gpt2")
place, prefix_len_6 = random.choice(places("held out")), random.choice((5, 7, 11))
text_6 = tokenizer_6([prompt(place)], return_tensors="pt")


def report_6(by):
    torch.manual_seed(1)
    trained, fresh = before(base_6, by, prefix_len_6), before(base_6, by, prefix_len_6)
    trained.add_adapter("other", by.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len_6))
    with tempfile.TemporaryDirectory() as folder:
        trained.save_pretrained(folder)
        fresh.load_adapter(folder, "first")
        fresh.load_adapter(f"{folder}/other", "second")
    losses = []
    for name in ("first", "second"):
        fresh.set_adapter(name)
        losses.append(fresh(**text_6, labels=text_6["input_ids"]).loss)
    return losses


for name, by in {"Mika": mika_6, "PEFT": peft}.items():
    print(f"{name}: losses of the two", *(f"{loss:.5f}" for loss in report_6(by)))

# %% [markdown] lang="en"
# Saving or loading? You decide where to stand first. What you want to see there: which of the two prefixes you hold.
# Their means tell them apart.

# %% [markdown] lang="zh"
# 错在保存，还是错在加载？先停在哪里，由你决定。在那里要看的是：你手里拿的是两个前缀中的哪一个。均值能把它们分开。

# %%
with stop_at(mika_6.PrefixModel.save_pretrained, suggest=["p list(self.peft_config)", "ll", "c"]) as stop:
    report_6(mika_6)

# %% [markdown] lang="en" tags=["hint"]
# At that stop, before anything is written: `for name in self.peft_config` behind `!`, and print for each the mean of
# `self.prompt_encoder[name].embedding.weight`. Then go on, and see what is written.

# %% [markdown] lang="zh" tags=["hint"]
# 停在那里时，还什么都没有写下。在 `!` 后面写 `for name in self.peft_config`，对每个名字打印 `self.prompt_encoder[name].embedding.weight` 的均值。
# 然后继续，看写下的是什么。

# %% [markdown] lang="en" tags=["hint"]
# A function may give something wrong and have no wrong line: it was asked for the wrong thing. It is still the first
# one, and `where` wants its name. Climb from it with `u` until you stand where the wrong thing was chosen.

# %% [markdown] lang="zh" tags=["hint"]
# 一个函数给出的东西错了，它自己却可能一行也没写错：是别人要错了东西。它仍然是最先出错的，`where` 要填的就是它的名字。从它那里用 `u` 往上走，直到你站在选错东西的地方。

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(6, report_6, where, seen, wrong, right)

# %% tags=["solution"]
torch.manual_seed(1)
model = before(base_6, mika_6, prefix_len_6)
model.add_adapter("other", mika_6.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=prefix_len_6))
where = "PrefixEncoder.look_up"
seen = model.get_prompt_embedding_to_save("other").mean().item()
wrong = "encoder, config = self.prompt_encoder[self.active_adapter], self.peft_config[adapter_name]"
right = "encoder, config = self.prompt_encoder[adapter_name], self.peft_config[adapter_name]"

check_hunt(6, report_6, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Hunt 7 · right once, then wrong
#
# > “A GPT-2 writes ten words after a prefix. I look at how sure it is of each. The first is as with PEFT, and later
# > ones are not.” Mika

# %% [markdown] lang="zh"
# ## 捉虫 7 · 对一次，之后就错
#
# > “GPT-2 在一个前缀后面写十个单词。我看它对每个单词有多确信。第一个和 PEFT 的一样，后面就有不一样的了。”——Mika

# %%
mika_7 = hunts.branch(7)
base_7, tokenizer_7 = load_tiny("gpt2")
place, prefix_len_7 = random.choice(places("held out")), random.choice((5, 7, 11))
text_7 = tokenizer_7([f"the {place.name}"], return_tensors="pt")


def report_7(by):
    asked = {"max_new_tokens": 10, "do_sample": False, "output_scores": True, "return_dict_in_generate": True}
    written = before(base_7, by, prefix_len_7).generate(**text_7, **asked)
    return torch.cat(written.scores).softmax(-1).amax(-1)


for name, by in {"Mika": mika_7, "PEFT": peft}.items():
    print(f"{name}:", *(f"{sure:.3f}" for sure in report_7(by)))

# %% [markdown] lang="en"
# For each word, transformers' loop asks `prepare_inputs_for_generation` what to call the model with. `c` goes on to the
# next word; `times` is how often to stop at most.

# %% [markdown] lang="zh"
# 每写一个单词，transformers 的循环都会问 `prepare_inputs_for_generation`：该用什么来调用模型。`c` 走到下一个单词；`times` 是最多停几次。

# %%
prepare = mika_7.TextThatGoesOn.prepare_inputs_for_generation
with stop_at(prepare, times=3, suggest=["n", "shapes()", "r", "p __return__.keys()", "c"]) as stop:
    report_7(mika_7)

# %% [markdown] lang="en" tags=["hint"]
# The shapes are right at each call. What do ids, mask and positions say? PEFT's prepare_inputs_for_generation, with
# the same stop, says what they should.

# %% [markdown] lang="zh" tags=["hint"]
# 每次调用的形状都对。id、掩码和位置各是多少？在 PEFT 的 prepare_inputs_for_generation 里设同样的停点，就知道应当是多少。

# %% [markdown] lang="en" tags=["hint"]
# Each word stands one place behind the one before it, and all of them stand behind the virtual tokens. In one of the
# calls, a word jumps.

# %% [markdown] lang="zh" tags=["hint"]
# 每个单词的位置都比前一个大一，而且全都在虚拟词元之后。有一次调用里，一个单词的位置跳了。

# %% tags=["exercise"]
where = ...
seen = ...
wrong = ...
right = ...

check_hunt(7, report_7, where, seen, wrong, right)

# %% tags=["solution"]
model = before(base_7, mika_7, prefix_len_7)
asked = {"max_new_tokens": 3, "do_sample": False}
where = "PrefixModel.behind_prefix"
seen = arriving(model.base_model, "position_ids", lambda: model.generate(**text_7, **asked))[1].tolist()
wrong = "return positions + max(self.config.num_virtual_tokens - filled, 0)"
right = "return positions + self.config.num_virtual_tokens"

check_hunt(7, report_7, where, seen, wrong, right)

# %% [markdown] lang="en"
# ## Where PEFT does it right
#
# Hunts 1, 4 and 5 go through `get_prompt`. Find, among the marked lines, those that answer them; and the one for an
# encoder-decoder, whose cross-attention has to start from an empty cache.

# %% [markdown] lang="zh"
# ## PEFT 是怎样写对的
#
# 捉虫 1、4、5 都经过 `get_prompt`。在标出的行里，找出对应这三次捉虫的行；再找出为编码器-解码器写的那一行：它的交叉注意力必须从空缓存开始。

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
# While a model writes (hunts 2 and 7), `generate` puts PEFT's `prepare_inputs_for_generation` in the base's place.
# In a GPT-2 it runs for each token: mask and positions at every call, the prefix only at the first. In a T5 nothing is
# left to do but the prefix.

# %% [markdown] lang="zh"
# 模型续写时（捉虫 2 和 7），`generate` 用 PEFT 的 `prepare_inputs_for_generation` 换下基座模型自己的。
# 在 GPT-2 里，它对每个词元都运行：掩码和位置每次调用都要准备，前缀只在第一次。在 T5 里，除了前缀，没有别的要做。

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
# Not one of these bugs would have stopped you with an error. The shape is right and a number is not, or the number is
# right and its gradient is gone. What helped each time: the same report with a right one, with the same seed, and one
# question: which is the first thing that differs? Whoever looks there first has little to read.
#
# Read next: `tests/planted/core.txt` in this repository, a list of mistakes planted in our own code, each of which
# the tests must catch. And `docs/what-is-taught.md`: every line of PEFT's path, and the lesson that teaches it.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 这些错，没有一个会抛出异常来提醒你。形状对，数却不对；或者数对，梯度却没了。每次管用的都是同一个办法：用相同的随机种子，和正确的结果对照，再问一个问题：最先不同的是什么？先看那里，要读的代码就很少。
#
# 接着读：本仓库的 `tests/planted/core.txt`，里面列着故意埋进我们自己代码里的错误，其中每一个，测试都必须抓到。
# 还有 `docs/what-is-taught.md`：PEFT 这条路上的每一行，以及讲它的那一课。

# %%
show_progress(14)
