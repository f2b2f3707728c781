# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 15 · Capstone: your own data
#
# Twenty rows of your own, a model from a folder, PEFT, and a loop that you write. No helper of ours does any of the
# work here; `stop_at` alone is left, for the debugger. At the end you will have
#
# - trained a prefix on your own rows, and read what the model writes before and after;
# - saved it, loaded it in a fresh process, and compared it with LoRA;
# - answered five questions about your own run, each with the debugger.
#
# It takes about 60 minutes. Do it once with the file that ships, and then with one of your own. Begin at the top:
# **Shift + Enter** runs a cell and leads to the next one. What a teacher looks at:
#
# | part | points | full points for |
# |---|---:|---|
# | your data | 3 | twenty rows of your own that ask for one thing; no row in both parts |
# | batch and loop | 6 | your own lines; padding and source are left out of the loss; the base is unchanged |
# | before and after | 3 | held-out texts side by side, with those that went wrong |
# | save and load | 3 | the loaded model writes the same, in a fresh process too |
# | beside LoRA | 3 | three numbers for each, and when you would take which |
# | five questions | 10 | for each: one for the answer, one for having seen it at the stop (your passport says so) |
# | report | 2 | five sentences at the end, one of them about a text that went wrong, and why |
# | **all** | **30** | 24 or more: you can do this with a model of your own |

# %% [markdown] lang="zh"
# # 15 · 结业项目：你自己的数据
#
# 你自己的二十行数据，一个文件夹里的模型，PEFT，再加一个你写的循环。这里的每件事都由你来写，我们的辅助函数一概不用；只留下 `stop_at`，用来调试。做完之后，你已经
#
# - 用自己的数据训练出了一个前缀，读过模型在训练前后各写了什么；
# - 把它保存了下来，在一个全新的进程里加载过，并和 LoRA 做了比较；
# - 回答了关于自己这次训练的五个问题，每个都用调试器找到答案。
#
# 大约需要 60 分钟。先用自带的文件做一遍，再用你自己的文件做一遍。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。老师会看这些：
#
# | 部分 | 分数 | 得满分的条件 |
# |---|---:|---|
# | 你的数据 | 3 | 自己写的二十行，只问一件事；没有哪一行同时在两份里 |
# | 批次和循环 | 6 | 代码是自己写的；填充和源文本不计入损失；基座模型没有变 |
# | 训练前后 | 3 | 留出的文本并排列出，写错的也在内 |
# | 保存和加载 | 3 | 加载的模型写得一样，在全新的进程里也一样 |
# | 与 LoRA 对比 | 3 | 各有三个数，并说明什么时候用哪一个 |
# | 五个问题 | 10 | 每题两分：答案一分，在停点看到它一分（你的护照会记下） |
# | 报告 | 2 | 最后写五句话，其中一句谈一条写错的文本，以及原因 |
# | **合计** | **30** | 24 分或更高：换成你自己的模型，你也能做到 |

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import csv
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, logging

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import show_progress, table
from prefix_lab.course.lessons.lesson_15 import (
    check_own_batch,
    check_own_class,
    check_own_compared,
    check_own_data,
    check_own_file,
    check_own_fit,
    check_own_gradient,
    check_own_load,
    check_own_mask,
    check_own_results,
    check_own_split,
    check_own_width,
    usable,
)
from prefix_lab.course.tiny import FOLDER

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## A model from a folder
#
# The folder is an ordinary one, as `save_pretrained` writes it; this one has the tiny GPT-2. Put the path of another
# decoder in its place, or a hub name such as `"gpt2"` if you have a line to the hub: all that follows is written for
# it.

# %% [markdown] lang="zh"
# ## 从文件夹加载模型
#
# 这是一个普通的文件夹，就像 `save_pretrained` 写出来的那样；这里放的是微型 GPT-2。可以换成另一个解码器模型的路径；
# 如果能连上 hub，也可以写 hub 上的名字，比如 `"gpt2"`：后面的代码都考虑到了它。

# %%
logging.disable_progress_bar()
BASE = str(FOLDER / "gpt2")
tokenizer = AutoTokenizer.from_pretrained(BASE, padding_side="left")
if tokenizer.pad_token is None:  # OpenAI's GPT-2 has none
    tokenizer.pad_token = tokenizer.eos_token


def load_base():
    model = AutoModelForCausalLM.from_pretrained(BASE)
    model.loss_type = "ForCausalLM"  # transformers guesses it from the class's name, and not from this one
    return model.eval()


base = load_base()
print(type(base).__name__, f"{sum(one.numel() for one in base.parameters()):,}")

# %% [markdown] lang="en"
# ## Your data
#
# A file with a line of column names and a row for each example; commas stand between cells, and a cell with a comma in
# it stands in `"…"`. `ASK` and `SAY` name the two columns: what is read, and what is to be written. Start with the file
# that ships: a place to eat, and a tip in words that the model was never taught to say in this way.

# %% [markdown] lang="zh"
# ## 你的数据
#
# 一个 CSV 文件：第一行是列名，之后每个例子一行；字段之间用逗号隔开，内容里有逗号的字段要放在 `"…"` 里。`ASK` 和 `SAY` 是两列的名字：读什么，写什么。先用自带的文件：一家餐馆，和一条小建议；
# 这样的说法，模型从来没有学过。

# %%
FILE, ASK, SAY = "../capstone/tips.csv", "place", "tip"
with open(FILE, encoding="utf-8-sig", newline="") as file:
    lines = list(csv.DictReader(file))
print(len(lines), lines[0])
check_own_data(lines, ASK, SAY, tokenizer)

# %% [markdown] lang="en"
# **Write your own.** In JupyterLab: *File → New → Text File*, a first line such as `place,tip`, twenty rows or more,
# and save it beside this notebook as `mine.csv`; then `FILE = "mine.csv"`. From a spreadsheet, save as *CSV UTF-8*. Ask
# for **one** thing, and for something short: which food, good or bad, a tip. A long new sentence takes more than twenty
# rows.
#
# Each word is one token of this model, and it knows only the words below. Any other is read as `<unk>`, so all unknown
# words look the same to it, and it can write none of them. The check above names them.

# %% [markdown] lang="zh"
# **写你自己的**。在 JupyterLab 里选*文件 → 新建 → 文本文件*（File → New → Text File），第一行写 `place,tip` 之类的列名，再写二十行或更多，
# 在这个笔记本旁边保存为 `mine.csv`；然后设 `FILE = "mine.csv"`。如果用电子表格，就另存为 *CSV UTF-8*。只问**一件**事，答案要短：吃什么，好还是不好，一条小建议。
# 要写一个长的新句子，二十行不够。
#
# 对这个模型来说，一个单词就是一个词元，而它只认识下面这些单词。别的单词都被读成 `<unk>`，所以不认识的单词在它眼里全都一样，它也一个都写不出来。上面的检查会列出这些单词。

# %%
print(*sorted(tokenizer.get_vocab())[:250])

# %% [markdown] lang="en"
# In the batch a source ends with a sign, ` =`, after which the target stands; the blank before the target matters to
# tokenizers that keep blanks, as OpenAI's does.

# %% [markdown] lang="zh"
# 在批次里，源文本以一个记号 ` =` 结尾，目标文本跟在后面。目标文本前面的空格不能少：有些分词器会保留空格，比如 OpenAI 的。

# %%
rows = [(f"{line[ASK].strip()} =", f" {line[SAY].strip()}") for line in lines]
rows[0]

# %% [markdown] lang="en"
# ### Exercise 1 · hold some rows out
#
# Cut the rows into two lists: a quarter, held out, to measure on, and the rest to train on. Shuffle first, in the same
# way at every run: your file may be sorted.

# %% [markdown] lang="zh"
# ### 练习 1 · 留出几行
#
# 把这些行分成两个列表：四分之一留出来，用来评测；其余的用来训练。先打乱顺序，而且每次运行，打乱的结果都要相同：你的文件可能是排好序的。

# %% [markdown] lang="en" tags=["hint"]
# `random.Random(0).sample(rows, len(rows))` is a shuffled copy. Then two slices.

# %% [markdown] lang="zh" tags=["hint"]
# `random.Random(0).sample(rows, len(rows))` 给出一份打乱的副本。然后切两刀。


# %% tags=["exercise"]
def split(rows):
    train = ...
    held_out = ...
    return train, held_out


check_own_split(split)


# %% tags=["solution"]
def split(rows):
    mixed = random.Random(0).sample(rows, len(rows))
    quarter = len(rows) // 4
    return mixed[quarter:], mixed[:quarter]


check_own_split(split)

# %% [markdown] lang="en"
# `usable(split)` is yours once its check passes. Until then a stand-in of the lesson's goes on, and says so: you may
# come back to any part later.

# %% [markdown] lang="zh"
# 检查通过以后，`usable(split)` 用的就是你写的函数。在那之前，用的是课程自带的函数，并且会说明这一点。这样，哪一部分都可以先放着，以后再回来做。

# %%
train, held_out = usable(split)(rows)
print(len(train), len(held_out))

# %% [markdown] lang="en"
# ### Exercise 2 · a batch
#
# Make `input_ids`, `attention_mask` and `labels` of some rows, each (batch, longest). A row is its source, its target,
# and `tokenizer.eos_token_id`. Only target and end count in the loss: everywhere else, the label is -100. Do not shift
# the labels; the model does that itself.

# %% [markdown] lang="zh"
# ### 练习 2 · 一个批次
#
# 用几行数据做出 `input_ids`、`attention_mask` 和 `labels`，形状都是 (batch, longest)（批次大小，最长一行的长度）。
# 一行由源文本、目标文本和 `tokenizer.eos_token_id` 组成。只有目标和结束符计入损失：其他地方的标签都是 -100。不要把标签移位，模型自己会移。

# %% [markdown] lang="en" tags=["hint"]
# `tokenizer(text).input_ids` is a list of numbers. Make one list for each row first, and see which is the longest.

# %% [markdown] lang="zh" tags=["hint"]
# `tokenizer(text).input_ids` 是一个数的列表。先为每一行做一个列表，再看哪个最长。

# %% [markdown] lang="en" tags=["hint"]
# For one row: `labels = [-100] * len(source) + target`, where target has its end. Then fill all three up to the longest
# row: ids with `tokenizer.pad_token_id`, the mask with 0, labels with -100.

# %% [markdown] lang="zh" tags=["hint"]
# 对一行来说：`labels = [-100] * len(source) + target`，其中 target 已经带上结束符。
# 然后把三样都填充到最长那一行的长度：id 用 `tokenizer.pad_token_id`，掩码用 0，标签用 -100。


# %% tags=["exercise"]
def make_batch(tokenizer, rows):
    input_ids, attention_mask, labels = ..., ..., ...
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


check_own_batch(make_batch)


# %% tags=["solution"]
def make_batch(tokenizer, rows):
    input_ids, attention_mask, labels = [], [], []
    for source, target in rows:
        source = tokenizer(source).input_ids
        target = [*tokenizer(target).input_ids, tokenizer.eos_token_id]
        input_ids.append(source + target)
        attention_mask.append([1] * len(source + target))
        labels.append([-100] * len(source) + target)
    longest = max(map(len, input_ids))
    filled = {}
    for name, lists, fill in (
        ("input_ids", input_ids, tokenizer.pad_token_id),
        ("attention_mask", attention_mask, 0),
        ("labels", labels, -100),
    ):
        filled[name] = torch.tensor([one + [fill] * (longest - len(one)) for one in lists])
    return filled


check_own_batch(make_batch)

# %%
batch = usable(make_batch)(tokenizer, train)
print({name: tuple(one.shape) for name, one in batch.items()})

# %% [markdown] lang="en"
# ## Train
#
# Ten virtual tokens, PEFT's own class and nothing else.

# %% [markdown] lang="zh"
# ## 训练
#
# 十个虚拟词元，只用 PEFT 自己的类。

# %%
LENGTH = 10


def new_prefix():
    torch.manual_seed(0)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH)
    return peft.get_peft_model(load_base(), config)


new_prefix().print_trainable_parameters()

# %% [markdown] lang="en"
# ### Exercise 3 · the loop
#
# Train whatever in the model wants a gradient, on this one batch, again and again. Return the loss of each step, as
# plain numbers; leave the model in eval mode.

# %% [markdown] lang="zh"
# ### 练习 3 · 循环
#
# 模型里凡是需要梯度的参数都要训练，反复用这一个批次。返回每一步的损失，要普通的数；最后让模型留在 eval 模式。

# %% [markdown] lang="en" tags=["hint"]
# Lesson 3 has each line: which parameters, which optimizer, and in which order forward, `zero_grad`, `backward`,
# `step`.

# %% [markdown] lang="zh" tags=["hint"]
# 每一行代码，第 3 课里都有：哪些参数，哪个优化器，以及 forward、`zero_grad`、`backward`、`step` 的先后。


# %% tags=["exercise"]
def fit(model, batch, steps, rate):
    optimizer = ...
    losses = []
    model.train()
    for _ in range(steps):
        # here: forward, forget the old gradient, backward, one step of the optimizer
        losses.append(...)
    model.eval()
    return losses


check_own_fit(fit)


# %% tags=["solution"]
def fit(model, batch, steps, rate):
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=rate)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


check_own_fit(fit)

# %% [markdown] lang="en"
# Then on your rows. If the loss stays where it is, try more steps; if it jumps, a lower rate.

# %% [markdown] lang="zh"
# 然后用到你的数据上。损失如果停着不动，多训练几步；如果上下乱跳，把学习率调小。

# %%
STEPS, RATE = 60, 0.1
prefixed = new_prefix()
losses = usable(fit)(prefixed, batch, STEPS, RATE)
print([round(loss, 2) for loss in losses[:: max(1, STEPS // 10)]])

# %% [markdown] lang="en"
# ## Before and after
#
# `generate` writes on from the sources; what it gives begins with the sources themselves, which we cut off.

# %% [markdown] lang="zh"
# ## 训练前后
#
# `generate` 从源文本往下写；它的输出以源文本开头，我们把这一段切掉。


# %%
def write(model, sources):
    given = tokenizer(sources, return_tensors="pt", padding=True)
    with torch.no_grad():
        tokens = model.generate(**given, max_new_tokens=30, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    texts = tokenizer.batch_decode(tokens[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]


sources, right = [source for source, _ in held_out], [target.strip() for _, target in held_out]
written = write(prefixed, sources)
table(("read", "written with the prefix", "right"), zip(sources, written, right, strict=True))

# %% [markdown] lang="en"
# ### Exercise 4 · is it better than before?
#
# `before` is what the same model writes when its adapter is switched off, `after` what it writes with it. If the check
# is not content with your own data, read its advice, and what the model writes: they say more than a number.

# %% [markdown] lang="zh"
# ### 练习 4 · 比以前好吗？
#
# `before` 是同一个模型关掉适配器时写的，`after` 是带着适配器写的。如果用你自己的数据没有通过检查，就读一读检查给的建议，再读读模型写了什么：它们比一个数更能说明问题。

# %% [markdown] lang="en" tags=["hint"]
# `with prefixed.disable_adapter():` gives the base for a moment.

# %% [markdown] lang="zh" tags=["hint"]
# `with prefixed.disable_adapter():` 暂时给出基座模型。

# %% tags=["exercise"]
results = {"before": ..., "after": ..., "right": right}
check_own_results(results)

# %% tags=["solution"]
with prefixed.disable_adapter():
    before = write(prefixed, sources)
results = {"before": before, "after": write(prefixed, sources), "right": right}
check_own_results(results)

# %% [markdown] lang="en"
# ## Save, and load in a fresh process

# %% [markdown] lang="zh"
# ## 保存，再在全新的进程里加载

# %%
shelf = tempfile.TemporaryDirectory()  # it disappears with the kernel; put a path of your own here to keep the files
folder = Path(shelf.name) / "prefix"
prefixed.save_pretrained(folder)
for file in sorted(folder.iterdir()):
    print(f"{file.name:28}{file.stat().st_size:>8,}")

# %% [markdown] lang="en"
# ### Exercise 5 · load it
#
# Return a model that has the saved prefix, on a base that was loaded anew from `base_name`, a folder or a hub name.

# %% [markdown] lang="zh"
# ### 练习 5 · 加载它
#
# 返回一个带着已保存前缀的模型，它的基座要从 `base_name` 重新加载；`base_name` 是一个文件夹，或 hub 上的名字。

# %% [markdown] lang="en" tags=["hint"]
# PEFT reads a saved adapter with a class method; lesson 11 used it under “Load”. `get_peft_model` would make a new one.

# %% [markdown] lang="zh" tags=["hint"]
# PEFT 用一个类方法读取保存的适配器；第 11 课在讲加载的地方用过它。`get_peft_model` 会新做一个。


# %% tags=["exercise"]
def load(base_name, folder):
    return ...


check_own_load(load)


# %% tags=["solution"]
def load(base_name, folder):
    model = AutoModelForCausalLM.from_pretrained(base_name)
    return peft.PeftModel.from_pretrained(model, folder).eval()


check_own_load(load)

# %% [markdown] lang="en"
# A notebook remembers much. So here is a Python that has never seen this one: it gets the two folders and the sources,
# and writes. Does it write the same?

# %% [markdown] lang="zh"
# 笔记本会记住很多东西。所以下面另开一个 Python，它从没见过这个笔记本：只给它两个文件夹和源文本，让它写。它写得一样吗？

# %%
SCRIPT = """
import sys, torch, peft
from transformers import AutoModelForCausalLM, AutoTokenizer, logging
base, folder, *sources = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).eval()
given = tokenizer(sources, return_tensors="pt", padding=True)
tokens = model.generate(**given, max_new_tokens=30, do_sample=False, pad_token_id=tokenizer.pad_token_id)
for text in tokenizer.batch_decode(tokens[:, given["input_ids"].shape[1] :], skip_special_tokens=True):
    print(text.strip())
"""
fresh = subprocess.run([sys.executable, "-c", SCRIPT, BASE, folder, *sources], capture_output=True, text=True)
print(fresh.stdout or fresh.stderr[-2000:])
print(fresh.stdout.splitlines() == written)

# %% [markdown] lang="en"
# ## Beside LoRA
#
# The same rows, steps and loop, with matrices of rank 5 beside the layers that PEFT changes by itself; in a GPT-2 these
# are `c_attn`, whose weight lies the other way round than a `Linear`'s. The rate differs: LoRA begins at the model
# itself, a prefix at random, far from anything useful.

# %% [markdown] lang="zh"
# ## 与 LoRA 对比
#
# 数据、步数和循环都相同，只是换成秩为 5 的矩阵，加在 PEFT 自己选定的层旁边；在 GPT-2 里就是 `c_attn`，它权重的方向和 `Linear` 的相反。
# 学习率不同：LoRA 从模型本身出发，前缀从随机数出发，离有用还很远。

# %%
torch.manual_seed(0)
lora_config = peft.LoraConfig(task_type="CAUSAL_LM", r=5, fan_in_fan_out=True)
with_lora = peft.get_peft_model(load_base(), lora_config)
lora_losses = usable(fit)(with_lora, batch, STEPS, 0.01)
with_lora.save_pretrained(folder.with_name("lora"))
adapters = {"prefix": (prefixed, folder), "LoRA": (with_lora, folder.with_name("lora"))}
print(round(losses[-1], 3), round(lora_losses[-1], 3))

# %% [markdown] lang="en"
# ### Exercise 6 · three numbers for each
#
# `trained`: how many numbers train. `bytes`: how large `adapter_model.safetensors` is. `right`: how many of the
# held-out texts are right to the letter. Compute them; do not type them.

# %% [markdown] lang="zh"
# ### 练习 6 · 各有三个数
#
# `trained`：训练了多少个数。`bytes`：`adapter_model.safetensors` 有多大。`right`：留出的文本里，有多少条一字不差。要用代码算出来，不要手填。

# %% [markdown] lang="en" tags=["hint"]
# `model.get_nb_trainable_parameters()` gives two numbers; `path.stat().st_size` is a file's size; `write(model,
# sources)` gives the texts, to be held against `right`.

# %% [markdown] lang="zh" tags=["hint"]
# `model.get_nb_trainable_parameters()` 给出两个数；`path.stat().st_size` 是文件的大小；
# `write(model, sources)` 给出文本，拿去和 `right` 对照。

# %% tags=["exercise"]
compared = {
    "prefix": {"trained": ..., "bytes": ..., "right": ...},
    "LoRA": {"trained": ..., "bytes": ..., "right": ...},
}
check_own_compared(adapters, right, compared)

# %% tags=["solution"]
compared = {}
for name, (model, place) in adapters.items():
    pairs = zip(write(model, sources), right, strict=True)
    compared[name] = {
        "trained": model.get_nb_trainable_parameters()[0],
        "bytes": (place / "adapter_model.safetensors").stat().st_size,
        "right": sum(one == other for one, other in pairs),
    }
check_own_compared(adapters, right, compared)

# %% [markdown] lang="en"
# ## Five questions
#
# Each stops in PEFT's or transformers' own code, at work on your model. Run the cell by itself. The suggestions are
# only the first steps: find the answer at the stop, leave with `c`, write it down, and run the cell once more (what you
# have asked still counts). The check wants to know whether it was seen.

# %% [markdown] lang="zh"
# ## 五个问题
#
# 每一题都停在 PEFT 或 transformers 自己的代码里，跑的是你的模型。请单独运行那个单元格。建议的命令只是开头几步：在停点找到答案，用 `c` 离开，写下答案，再运行一次这个单元格（你已经问过的仍然算数）。
# 检查要知道你是不是真的看到了。

# %% [markdown] lang="en"
# ### Exercise 7 · which class wraps it, and what decided?
#
# `class` is the name of the class; `by` is what picked it: `"task_type"`, `"peft_type"` or `"model_type"`.

# %% [markdown] lang="zh"
# ### 练习 7 · 哪个类包装它，由什么决定？
#
# `class` 是类的名字；`by` 是选中它的依据：`"task_type"`、`"peft_type"` 或 `"model_type"`。

# %% [markdown] lang="en" tags=["hint"]
# The last line of the function looks the class up in a table with a long name. `p` can do that, too.

# %% [markdown] lang="zh" tags=["hint"]
# 函数的最后一行在一张名字很长的表里查这个类。用 `p` 也能查。

# %% tags=["exercise"]
with stop_at("choose", where="peft", suggest=["p type(model).__name__", "p peft_config.task_type", "c"]) as stop:
    new_prefix()
check_own_class(stop, {"class": ..., "by": ...})

# %% tags=["solution"]
with stop_at(
    "choose", where="peft", commands=["p MODEL_TYPE_TO_PEFT_MODEL_MAPPING[peft_config.task_type]", "c"]
) as stop:
    new_prefix()
check_own_class(stop, {"class": "PeftModelForCausalLM", "by": "task_type"})

# %% [markdown] lang="en"
# ### Exercise 8 · token_dim · num_layers · 2
#
# Which number is it for your model, and which tensor is that wide? `used_in` is one of `"embedding.weight"`,
# `"transform.0.weight"`, `"prompt_tokens"`, `"attention_mask"`.

# %% [markdown] lang="zh"
# ### 练习 8 · token_dim · num_layers · 2
#
# 对你的模型，这个数是多少，哪个张量正好这么宽？`used_in` 是下面四个之一：
# `"embedding.weight"`、`"transform.0.weight"`、`"prompt_tokens"`、`"attention_mask"`。

# %% [markdown] lang="en" tags=["hint"]
# Go on with `n` until the encoder has its table. `p self` shows which parts it has by then.

# %% [markdown] lang="zh" tags=["hint"]
# 用 `n` 往前走，直到编码器有了表。`p self` 显示它此刻有哪些部分。

# %% tags=["exercise"]
with stop_at(peft.PrefixEncoder.__init__, suggest=["p config.token_dim", "p config.num_layers", "c"]) as stop:
    new_prefix()
check_own_width(prefixed, stop, {"number": ..., "used_in": ...})

# %% tags=["solution"]
with stop_at(
    peft.PrefixEncoder.__init__, commands=["p config.token_dim * config.num_layers * 2", "r", "p self.embedding", "c"]
) as stop:
    new_prefix()
check_own_width(prefixed, stop, {"number": 1024, "used_in": "embedding.weight"})

# %% [markdown] lang="en"
# ### Exercise 9 · how wide is the mask that arrives?
#
# You stand in the base model itself. How wide are `attention_mask` and `input_ids` there? Then climb to the function of
# PEFT's that called it, and see from what the mask was made.

# %% [markdown] lang="zh"
# ### 练习 9 · 到达的掩码有多宽？
#
# 你停在基座模型里面。在那里，`attention_mask` 和 `input_ids` 各有多宽？然后往上走到调用它的那个 PEFT 函数，看掩码是由什么拼成的。

# %% [markdown] lang="en" tags=["hint"]
# `u` goes up one frame; between transformers and PEFT there may be some of torch's. `w` lists them.

# %% [markdown] lang="zh" tags=["hint"]
# `u` 往上一个栈帧；transformers 和 PEFT 之间可能隔着 torch 的几个栈帧。`w` 把它们都列出来。

# %% tags=["exercise"]
with stop_at(type(base).forward, suggest=["p input_ids.shape", "u", "c"]) as stop:
    prefixed(**batch)
check_own_mask(prefixed, stop, {"attention_mask": ..., "input_ids": ...})

# %% tags=["solution"]
with stop_at(
    type(base).forward,
    commands=["p attention_mask.shape, input_ids.shape", "u 4", "p prefix_attention_mask.shape", "c"],
) as stop:
    prefixed(**batch)
longest = batch["input_ids"].shape[1]
check_own_mask(prefixed, stop, {"attention_mask": LENGTH + longest, "input_ids": longest})

# %% [markdown] lang="en"
# ### Exercise 10 · which parameter gets a gradient?
#
# You stand in `backward`, before it has run, on a prefix that has never been trained. Which parameters of the model
# have a gradient afterwards? Give the list of their names.

# %% [markdown] lang="zh"
# ### 练习 10 · 哪个参数得到梯度？
#
# 你停在 `backward` 里，它还没有运行；前缀是全新的，从没训练过。运行之后，模型的哪些参数有梯度？给出它们名字的列表。

# %% [markdown] lang="en" tags=["hint"]
# `r` runs `backward` to its end, `u` climbs to the cell, where the model is called `newest`. A list of the names whose
# `.grad is not None` can be printed there.

# %% [markdown] lang="zh" tags=["hint"]
# `r` 把 `backward` 运行到结束，`u` 上到单元格，模型在那里叫 `newest`。在那里可以打印一个列表，列出所有 `.grad is not None` 的名字。

# %% tags=["exercise"]
newest = new_prefix()
with stop_at(torch.Tensor.backward, suggest=["p self", "r", "u", "c"]) as stop:
    newest(**batch).loss.backward()
check_own_gradient(newest, stop, ...)

# %% tags=["solution"]
newest = new_prefix()
look = "p [name for name, one in newest.named_parameters() if one.grad is not None]"
with stop_at(torch.Tensor.backward, commands=["r", "u", look, "c"]) as stop:
    newest(**batch).loss.backward()
check_own_gradient(newest, stop, ["prompt_encoder.default.embedding.weight"])

# %% [markdown] lang="en"
# ### Exercise 11 · which keys stand in the saved file?
#
# You stand where PEFT gathers what is to be saved. Give the list of keys, as they will stand in the file.

# %% [markdown] lang="zh"
# ### 练习 11 · 保存的文件里有哪些键？
#
# 你停在 PEFT 收集要保存的东西的地方。给出键的列表，要和它们在文件里的样子一致。

# %% [markdown] lang="en" tags=["hint"]
# `r` runs to the function's return; `__return__` is what it hands back.

# %% [markdown] lang="zh" tags=["hint"]
# `r` 运行到函数返回；`__return__` 是它返回的东西。

# %% tags=["exercise"]
with stop_at(peft.get_peft_model_state_dict, suggest=["p adapter_name", "r", "c"]) as stop:
    prefixed.save_pretrained(folder)
check_own_file(stop, ...)

# %% tags=["solution"]
with stop_at(
    peft.get_peft_model_state_dict, commands=["r", "p {k: v.shape for k, v in __return__.items()}", "c"]
) as stop:
    prefixed.save_pretrained(folder)
check_own_file(stop, ["prompt_embeddings"])

# %% [markdown] lang="en"
# ## Your report
#
# Double-click this cell and write five sentences in place of these:
#
# 1. What is in your rows, and what should the prefix learn?
# 2. How much of it did it learn, on rows that it had not seen?
# 3. One text that went wrong: what do you think is the cause, and what did you look at?
# 4. Would you take LoRA or the prefix here, and why?
# 5. What would you try next?

# %% [markdown] lang="zh"
# ## 你的报告
#
# 双击这个单元格，用你的五句话换掉下面的五个问题：
#
# 1. 你的数据里有什么，前缀应当学会什么？
# 2. 在没见过的数据上，它学会了多少？
# 3. 一条写错的文本：你认为原因是什么，为此你看了哪里？
# 4. 在这里你会用 LoRA 还是前缀，为什么？
# 5. 接下来你会试什么？

# %% [markdown] lang="en"
# ## What you have seen
#
# All of it is some forty lines of your own around PEFT: rows, a batch, a loop, a folder. With another base and another
# file they stay the same. To hand it in, save this notebook with its outputs; `prefix-lab passport` in a terminal
# prints what you saw at your stops.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 全部加起来，就是围着 PEFT 写的四十来行代码，都是你自己的：数据、批次、循环、文件夹。换一个基座模型，换一个文件，这些代码都不用变。要交作业，就把这个笔记本连同输出一起保存；
# 在终端里运行 `prefix-lab passport`，会打印出你在各个停点看到的东西。

# %%
show_progress(15)
