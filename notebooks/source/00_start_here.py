# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 00 · Start here
#
# Here is a small language model that was never shown a postcard, and that no instruction can ask for one. In two
# minutes you will see it write postcards, and not one of its own numbers will have changed. How that works, inside the
# code that does it, is what this course is about. At the end of this lesson you will
#
# - have seen a trained prefix at work, and know where in the network it stands;
# - have the map of the whole walk, eight stages from `get_peft_model` to a saved file;
# - have used each tool once: the stepper, a question, a check, a hint, a stop.
#
# It takes about 15 minutes. You need some Python, have met PyTorch's tensors, and know roughly what a language model
# does; not sure? There is a [self-test of ten minutes](../../docs/before-you-begin.md). A debugger you need not know.
#
# **Begin at the top: Shift + Enter runs a cell and leads to the next one.** What a cell gives comes below it. Where a
# cell has `...`, your own answer is wanted; until it is there, everything else runs all the same.

# %% [markdown] lang="zh"
# # 00 · 从这里开始
#
# 这里有一个很小的语言模型。它从没见过明信片，下什么指令它也写不出来。两分钟后，你会看到它写明信片，而模型自己的参数一个也没有变。这是怎么做到的？这门课带你走进代码里面，看个明白。学完这一课，你就
#
# - 见过一个训练好的前缀怎样工作，知道它在网络的什么位置；
# - 有了整个走读的地图：从 `get_peft_model` 到保存好的文件，一共八个阶段；
# - 把每样工具都用过一次：单步调试器、问题、检查、提示、停点。
#
# 这一课大约需要 15 分钟。你要会一点 Python，接触过 PyTorch 的张量，大致知道语言模型是做什么的。拿不准？这里有一份[十分钟的自测](../../docs/zh/before-you-begin.md)。
# 调试器不会用也没关系。
#
# **从最上面开始：Shift + Enter 运行一个单元格，并跳到下一个**。单元格的输出显示在它下面。单元格里有 `...`，就是在等你填答案；不填，别的单元格也照样能运行。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

from peft import PeftModel

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import (
    before_and_after,
    draw_network,
    load_tiny,
    self_check,
    show_passport,
    show_progress,
    world_task,
)
from prefix_lab.course.lessons.lesson_00 import check_first_shape, check_what_is_added, draw_walk
from prefix_lab.course.prefixes import trained_prefix
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes
from prefix_lab.widgets import Stepper, predict

# %% [markdown] lang="en"
# ## Does everything work?
#
# A ✓ in each line means yes. A ✗ comes with advice. Nothing here needs a network.

# %% [markdown] lang="zh"
# ## 一切正常吗？
#
# 每一行都是 ✓，就说明正常。✗ 旁边会写着该怎么办。这里什么都不需要联网。

# %%
self_check()

# %% [markdown] lang="en"
# ## See it work
#
# This GPT-2 is tiny, under a million numbers, and knows one small world: places to eat, and what people say about
# them. It reads a record, and writes a sentence. Below, PEFT loads a **trained prefix** that ships with the course.
# (What PEFT adds to a model is called an *adapter*; here it is the prefix.) The first line is what GPT-2 writes by
# itself, with the prefix switched off; the second is what it writes with it. A postcard says what is eaten and where,
# gives the rating as it is, and ends with an exclamation mark.

# %% [markdown] lang="zh"
# ## 看它工作
#
# 这个 GPT-2 很小，参数不到一百万个。它只认识一个小世界：一些餐馆，以及人们对餐馆的评说。它读一条记录，写出一句话。下面，PEFT 加载课程自带的一个**训练好的前缀**。（PEFT 往模型上加的东西叫**适配器**，即
# adapter；在这里，适配器就是前缀。）第一行是关掉前缀时 GPT-2 自己写的，第二行是带着前缀写的。明信片会说在哪里、吃什么，照实写出评分，最后用感叹号收尾。

# %%
base, tokenizer = load_tiny("gpt2")
steered = PeftModel.from_pretrained(base, trained_prefix("gpt2_postcard"))


def written(text):
    batch = tokenizer(text, return_tensors="pt")
    tokens = steered.generate(**batch)[0]
    return tokenizer.decode(tokens[batch.input_ids.shape[1] :], skip_special_tokens=True)


record_of_a_place = (
    "name amber bell food noodles price moderate area old town rating average families no near town hall ="
)
with steered.disable_adapter():
    print(written(record_of_a_place))
print(written(record_of_a_place))

# %% [markdown] lang="en"
# The same model, the same text, and a postcard. Change the record and run the cell again: `tacos`, `soup` or `pizza`,
# `harbour` or `west end`, `excellent` or `poor`.
#
# Could one not simply *ask* for a postcard? GPT-2 learnt six manners, each with a word that calls for it, such as
# `plain` and `question`. `postcard` is none of them. Without the prefix:

# %% [markdown] lang="zh"
# 同一个模型，同一段文本，写出来的却是明信片。改一改记录，再运行一次这个单元格：可以用 `tacos`、`soup` 或 `pizza`，`harbour` 或 `west end`，`excellent` 或 `poor`。
#
# 难道不能直接**要求**它写明信片吗？GPT-2 学过六种口吻，每种口吻都有一个词来指定，例如 `plain` 和 `question`。`postcard` 不在其中。不带前缀时是这样：

# %%
with steered.disable_adapter():
    for instruction in ("plain : ", "question : ", "postcard : "):
        print(instruction, written(instruction + record_of_a_place))

# %% [markdown] lang="en"
# ## What was loaded
#
# Two small files in PEFT's own format; `report.json` beside them says which command made them.

# %% [markdown] lang="zh"
# ## 加载了什么
#
# 两个小文件，格式是 PEFT 自己的；旁边的 `report.json` 记着它们由哪条命令生成。

# %%
for file in sorted(trained_prefix("gpt2_postcard").iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,} bytes")

prefix = steered.prompt_encoder["default"].embedding.weight
print()
print("prefix", tuple(prefix.shape), f"{prefix.numel():,}")
print("GPT-2 ", f"{base.num_parameters():,}")

# %% [markdown] lang="en"
# `(10, 1024)`: ten **virtual tokens**, and 1,024 numbers for each. They were learnt in about twenty seconds, while
# GPT-2's 854,272 stayed as they were. On 246 places that the training never saw, 96 % of the postcards are right.
#
# ## Where it stands
#
# For each token that it has read, an attention layer keeps a **key**, by which the token is found, and a **value**,
# which is what the layer takes from it. A prefix is learnt keys and values, put in front of those of the text, in
# *every* layer: as if ten tokens had been read before, which no text could contain (Li and Liang, “Prefix-Tuning:
# Optimizing Continuous Prompts for Generation”, 2021, [arXiv 2101.00190](https://arxiv.org/abs/2101.00190)).

# %% [markdown] lang="zh"
# `(10, 1024)`：十个**虚拟词元**，每个有 1,024 个数。训练它们大约用了二十秒，而 GPT-2 的 854,272 个数一直没有变。换成训练时从没见过的 246 家餐馆，96 % 的明信片写得对。
#
# ## 它在哪里
#
# 每读一个词元，注意力层就为它留下一个**键**和一个**值**：靠键找到这个词元，找到后取走的就是值。前缀是学出来的键和值，放在文本自己的键和值前面，而且**每一层**都有：就好像之前已经读过十个词元，
# 只是任何文本里都不会有这样的词元（Li and Liang，“Prefix-Tuning: Optimizing Continuous Prompts for
# Generation”，2021，[arXiv 2101.00190](https://arxiv.org/abs/2101.00190)）。

# %%
draw_network(base.config, prefix_len=10)

# %% [markdown] lang="en"
# ### Exercise 1 · what is a prefix?
#
# What does GPT-2 have with the prefix that it has not without it?
#
# - `"a"`: ten hidden words before the record
# - `"b"`: ten learnt vectors at the input, before those of the record's words
# - `"c"`: ten learnt keys and ten learnt values in each attention layer
# - `"d"`: other numbers in its own layers
#
# Write your letter in place of `...`. This is a **check**: a wrong answer costs nothing, and is told why it is wrong.
# Above an exercise, **hints** fold out; below it, the **solution** does.

# %% [markdown] lang="zh"
# ### 练习 1 · 前缀是什么？
#
# 加上前缀，GPT-2 多了什么？
#
# - `"a"`：记录前面多了十个看不见的词
# - `"b"`：输入处多了十个学出来的向量，排在记录各个词的向量前面
# - `"c"`：每个注意力层多了十个学出来的键和十个学出来的值
# - `"d"`：它自己的各层里换成了别的数
#
# 把 `...` 换成你选的字母。这是一个**检查**：答错了也没有关系，它会告诉你错在哪里。练习上方可以展开**提示**，下方可以展开**答案**。

# %% [markdown] lang="en" tags=["hint"]
# Count: 10,240 numbers are in the file. A vector in this GPT-2 has 128 numbers, and there are four layers.

# %% [markdown] lang="zh" tags=["hint"]
# 数一数：文件里有 10,240 个数。这个 GPT-2 的一个向量有 128 个数，一共四层。

# %% tags=["exercise"]
check_what_is_added(...)

# %% tags=["solution"]
check_what_is_added("c")

# %% [markdown] lang="en"
# ### And in a T5
#
# A T5 has two stacks: the encoder reads, the decoder writes. PEFT puts the prefix into one kind of attention only.
# Find it in the picture, and look what the encoder gets.

# %% [markdown] lang="zh"
# ### 换成 T5
#
# T5 有两部分：编码器读，解码器写。PEFT 只把前缀放进其中一种注意力。在图里找到它，再看看编码器得到了什么。

# %%
t5, t5_tokenizer = load_tiny("t5")
draw_network(t5.config, prefix_len=20)

# %% [markdown] lang="en"
# Nothing: a T5's encoder reads its text as if there were no prefix. (Lesson 09 is a detective story about that.) It
# works all the same. This prefix makes a T5 ask questions; these places were never seen in training:

# %% [markdown] lang="zh"
# 什么也没得到：T5 的编码器读文本时，就像没有前缀一样。（第 9 课是一个侦探故事，讲的就是这件事。）可是前缀照样管用。下面这个前缀让 T5 提问；这些餐馆在训练时从没见过：

# %%
asking = PeftModel.from_pretrained(t5, trained_prefix("t5_question"))
before_and_after(asking, world_task("SEQ_2_SEQ_LM", "question"), t5_tokenizer, count=3)

# %% [markdown] lang="en"
# ## The map
#
# What PEFT does between `get_peft_model(model, PrefixTuningConfig(...))` and the saved file is a walk of eight stages.
# You will stop in each of them. A box says what happens there, and what comes out; a colour is an axis, the same one in
# every picture of the course. The names need not mean anything to you yet.

# %% [markdown] lang="zh"
# ## 地图
#
# 从 `get_peft_model(model, PrefixTuningConfig(...))` 到保存好的文件，PEFT
# 做的事分成八个阶段。我们把它们从头到尾走一遍，这就是**走读**；每个阶段里，你都会停下来看。一个方框写着这个阶段做什么、产出什么；一种颜色是一个轴，在整门课的图里都一样。这些名字现在看不懂也没关系。

# %%
draw_walk()

# %% [markdown] lang="en"
# ## The stepper
#
# This cell runs the model once and records every line that PEFT runs. In the stepper you walk through them,
# **backwards** too, with its buttons or with keys:
#
# | key | what it does | backwards |
# |---|---|---|
# | `n` | go over a line | `N` |
# | `s` | go into the call on this line | `S` |
# | `o` | go out of this function | `O` |
# | `?` | show all keys | |
#
# The keys are the stepper's once you have clicked into it; Esc gives them back to JupyterLab. You are at the stage
# `split`. Go on for a few lines, watch the shapes, and come back.

# %% [markdown] lang="zh"
# ## 单步调试器
#
# 下面的单元格把模型运行一次，录下 PEFT 运行的每一行。在单步调试器里，你可以用按钮或按键逐行走过它们，也可以**往回走**：
#
# | 按键 | 做什么 | 往回 |
# |---|---|---|
# | `n` | 跳过：走过这一行 | `N` |
# | `s` | 进入这一行上的调用 | `S` |
# | `o` | 跳出这个函数 | `O` |
# | `?` | 显示所有按键 | |
#
# 先在单步调试器里点一下，按键才归它用；按 Esc 就还给 JupyterLab。你现在在 `split` 阶段。往前走几行，看看形状，再走回来。

# %%
batch = tokenizer([record_of_a_place, record_of_a_place], return_tensors="pt")
with record("peft") as recording:
    steered(**batch)

named = recording.with_names(name_axes("GPT-2, direct"))  # some seconds, once: what each axis is called
stepper = Stepper(named, height="480px", tour=True)
stepper.goto_stage("split")
stepper

# %% [markdown] lang="en"
# ## A question
#
# The stepper can also stop before a line, and ask what it will give: say it first, then look.

# %% [markdown] lang="zh"
# ## 一个问题
#
# 单步调试器还可以停在一行之前，问你这一行会得到什么：先说，再看。

# %%
question = predict(named, at="split", name="past_key_values", height="560px")
question

# %% [markdown] lang="en"
# ### Exercise 2 · say a shape before it is there
#
# `prompt_encoder.embedding.weight` is the prefix that you loaded, and `batch_size` is 2: we gave two records. Answer in
# the yellow field above, with numbers such as `(2, 20)`, and then run the cell below; or write it there as a text, in
# place of `...`.

# %% [markdown] lang="zh"
# ### 练习 2 · 先说形状，再看结果
#
# `prompt_encoder.embedding.weight` 就是你加载的前缀；`batch_size`（批次大小）是 2，因为我们给了两条记录。在上面的黄色输入框里用数字回答，例如
# `(2, 20)`，然后运行下面的单元格；也可以直接在下面的单元格里，用字符串写出答案，换掉 `...`。

# %% [markdown] lang="en" tags=["hint"]
# The shape of the prefix was printed above, under “What was loaded”.

# %% [markdown] lang="zh" tags=["hint"]
# 前缀的形状在上面“加载了什么”那里打印过。

# %% [markdown] lang="en" tags=["hint"]
# `x.repeat(batch_size, 1, 1)` lays copies of `x` behind each other, along a new first axis. What is the size of that
# axis here, and which two sizes stay?

# %% [markdown] lang="zh" tags=["hint"]
# `x.repeat(batch_size, 1, 1)` 把 `x` 复制几份，沿着最前面新加的一个轴依次排开。在这里，这个轴的大小是多少？哪两个大小不变？

# %% tags=["exercise"]
check_first_shape(question, ...)

# %% tags=["solution"]
check_first_shape(question, "(2, 10, 1024)")

# %% [markdown] lang="en"
# ## A stop
#
# A recording shows what has happened. At a **stop**, the program itself stands still in the middle of PEFT, and waits
# for you. Run the cell below **by itself**: a line to type into opens under it. Type one thing, press Enter, read, type
# the next:
#
# - `p batch_size` prints a value;
# - `w` shows where you are: who called whom, the innermost last;
# - `c` lets the program go on. `q` leaves, too.
#
# You cannot break anything. When it is over, the same cell is still the chosen one: go on with a click on the next. If
# you run many cells at once, the lesson types for you, and says so; with `make_ready(live=False)` in the first cell it
# always does.

# %% [markdown] lang="zh"
# ## 一个停点
#
# 录制给你看的，是已经发生的事。到了**停点**，程序自己会停在 PEFT 中间，等着你。请**单独**运行下面的单元格：它下面会出现一个输入行。输入一条命令，按 Enter，看结果，再输入下一条：
#
# - `p batch_size` 打印一个值；
# - `w` 显示你在哪里：谁调用了谁，最里层的排在最后；
# - `c` 让程序继续。`q` 也可以离开。
#
# 你弄不坏任何东西。结束以后，选中的还是这个单元格：点一下后面那个单元格，就能往下走。如果你一次运行许多单元格，课程会替你输入，并且告诉你；如果在第一个单元格里写 `make_ready(live=False)`，就总是由课程输入。

# %%
with stop_at("split", where="peft", suggest=["p batch_size", "w", "c"]):
    steered(**batch)

# %% [markdown] lang="en"
# That was a debugger, in a package that you did not write. In lesson 01 you learn to drive it.
#
# ## Your passport
#
# In the lessons you find things out at such stops: which class was chosen, what is frozen, who asked for the prefix.
# What you found, where you stood and what you typed is stamped into your **passport**, which has a place for each of
# the eight stages. It is for you, to look up, and for whoever wants to see that you have been there.

# %% [markdown] lang="zh"
# 刚才那就是调试器，停在一个不是你写的包里。第 1 课教你怎样用它。
#
# ## 你的护照
#
# 在后面的课里，你会在这样的停点上查明一些事：选了哪个类，冻结了什么，是谁要的前缀。你查到了什么、停在哪里、输入了什么，都会盖进你的**护照**，八个阶段各有一个位置。护照是给你自己回头查的；谁想知道你是不是真的到过那里，
# 也可以拿给他看。

# %%
show_passport()

# %% [markdown] lang="en"
# Still empty, since a stamp comes with a solved exercise at a stop; lesson 01 has four for you. `prefix-lab passport`
# shows it in a terminal, and saves it to print.
# Solved exercises are noted beside it, in a small file on this machine, and nothing is sent anywhere.
#
# ## Your way through the course
#
# The lessons build on one another, so their order is a good one. **With 90 minutes**, take the short path: lessons 00,
# 01, 02, 03, 07 and 11, where a line that begins with *Short path* says when you may go on to the next one. Beside the
# course lie the [glossary](../../docs/glossary.md), for any word that you meet, and a
# [cheat sheet](../../docs/cheat-sheet.md) to print; for those who lead others, there is a
# [teacher's guide](../../docs/teachers-guide.md).

# %% [markdown] lang="zh"
# 现在还是空的：在停点上做对一道练习，才盖一个印章；第 1 课有四个等着你。`prefix-lab passport` 在终端里显示它，也能把它存成可以打印的文件。做对的练习另外记在这台机器上的一个小文件里，什么都不会发送出去。
#
# ## 怎样学这门课
#
# 各课前后相接，所以最好按顺序学。**只有 90 分钟**，就走短路线：第 0、1、2、3、7 和 11
# 课。课里以“*短路线*”开头的一行，会告诉你什么时候可以去下一课。除了课程本身，还有一份[术语表](../../docs/zh/glossary.md)，遇到不懂的词可以查；
# 一份[速查表](../../docs/zh/cheat-sheet.md)，可以打印；还有一份[教师指南](../../docs/zh/teachers-guide.md)，给带领别人学习的人。

# %%
show_progress(0)
