# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 01 · Step into get_peft_model
#
# In August 2023 somebody wanted to know how prefix tuning works, set a breakpoint on one line,
# `model = get_peft_model(model, peft_config)`, stepped in, and read PEFT's source from the inside. This course grew out
# of that walk. Now you make it, in the PEFT that is installed on your machine. At the end you will be able to
#
# - drive a debugger with a dozen one-letter commands, in a package that you did not write;
# - say which class wraps your model and in which table it was looked up; where each size came from; what is frozen,
#   when, and who asked for it;
# - say what has moved in PEFT since 2023.
#
# It takes about 35 minutes. Run each cell **by itself**, with Shift + Enter: at a stop, a line to type into opens below
# it. `c` lets the program go on, `q` leaves, and you cannot break anything. Afterwards the same cell is still the
# chosen one: go on with a click on the next.

# %% [markdown] lang="zh"
# # 01 · 单步进入 get_peft_model
#
# 2023 年 8 月，有人想知道前缀微调是怎样工作的，就在一行代码 `model = get_peft_model(model, peft_config)` 上设了断点，单步进去，从内部读了 PEFT
# 的源代码。这门课就源于那次走读。现在轮到你来走，走的是你机器上安装的 PEFT。学完这一课，你能
#
# - 用十来个单字母命令操作调试器，走进一个不是你写的包；
# - 说出是哪个类包装了你的模型，又是在哪张表里查到的；每个大小从哪里来；什么被冻结，什么时候冻结；是谁要的前缀；
# - 说出 2023 年以来 PEFT 有哪些变动。
#
# 这一课大约需要 35 分钟。请用 Shift + Enter **单独**运行每个单元格：到了停点，它下面会出现一个输入行。`c` 让程序继续，`q`
# 离开，你弄不坏任何东西。之后选中的还是这个单元格：点一下后面那个单元格，就能往下走。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
import transformers
from peft import PeftModelForSeq2SeqLM, PrefixTuningConfig, TaskType, get_peft_config, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import show_passport, show_progress, show_source, show_stage
from prefix_lab.course.lessons.lesson_01 import (
    check_asked_by,
    check_chosen,
    check_frozen,
    check_sizes_from,
    check_who_prepares,
)
from prefix_lab.course.tiny import FOLDER

transformers.utils.logging.disable_progress_bar()

# %% [markdown] lang="en"
# ## Four lines
#
# This is all that one writes to get a T5 with a prefix. Say what the model is for and how many virtual tokens you want;
# load the model; wrap it. Here the model is the course's small T5, in a folder. With a network, a name on the hub goes
# there as well.

# %% [markdown] lang="zh"
# ## 四行代码
#
# 想得到一个带前缀的 T5，要写的就是这些：说明模型用来做什么任务、要多少个虚拟词元；加载模型；把它包装起来。这里的模型是课程自带的小 T5，放在一个文件夹里。能联网时，也可以写 hub 上的名字。

# %%
model_name_or_path = FOLDER / "t5"  # or "t5-base", from the hub

peft_config = PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, inference_mode=False, num_virtual_tokens=20)
model = AutoModelForSeq2SeqLM.from_pretrained(model_name_or_path)
model = get_peft_model(model, peft_config)
model.print_trainable_parameters()

# %% [markdown] lang="en"
# A million numbers are frozen, and 15,360 will train. Everything happened in the third line. So that you can step into
# it as often as you like, here it is with a fresh model each time (it changes the model and the config that it gets):

# %% [markdown] lang="zh"
# 一百万个数被冻结，15,360 个会参与训练。这一切都发生在第三行里。它会改动交给它的模型和配置，所以下面把它写成函数，每次都用新加载的模型；这样，你想单步进去几次都行：


# %%
def wrap_t5():
    config = PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, inference_mode=False, num_virtual_tokens=20)
    return get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5"), config)


def wrap_gpt2():
    config = PrefixTuningConfig(task_type=TaskType.CAUSAL_LM, inference_mode=False, num_virtual_tokens=10)
    return get_peft_model(AutoModelForCausalLM.from_pretrained(FOLDER / "gpt2"), config)


# %% [markdown] lang="en"
# ## Choose: the last line
#
# `with stop_at("choose", where="peft"):` stops where PEFT's `get_peft_model` begins. The arrow points to the line that
# runs **next**. Type these, one after the other:
#
# | type | to |
# |---|---|
# | `n` | run this line (**n**ext) |
# | `p new_name` | **p**rint any expression |
# | `p model.config.d_model` | the same; `p model` alone shows the whole network |
# | `ll` | list the whole function, with its line numbers |
# | `c` | go on (**c**ontinue) |

# %% [markdown] lang="zh"
# ## 选择（choose）：最后一行
#
# `with stop_at("choose", where="peft"):` 停在 PEFT 的 `get_peft_model` 开头。箭头指向**接下来**要运行的那一行。依次输入：
#
# | 输入 | 作用 |
# |---|---|
# | `n` | 运行这一行（**n**ext） |
# | `p new_name` | 打印任意表达式（**p**rint） |
# | `p model.config.d_model` | 同上；只写 `p model` 会显示整个网络 |
# | `ll` | 列出整个函数，带行号 |
# | `c` | 继续（**c**ontinue） |

# %%
with stop_at("choose", where="peft", suggest=["n", "n", "p new_name", "p model.config.d_model", "ll", "c"]):
    wrap_t5()

# %% [markdown] lang="en"
# (An empty Enter repeats the last command: handy after `n`. A name that does not exist yet gives a `NameError`, and
# nothing else happens.)
#
# Near the end of that list stands the line where it is decided: it looks something up in a table, and calls what it
# finds there. To press `n` until you are there is dull; `until` and a line number goes there at once. The number is
# that of *your* PEFT, and it moves with every release. So it is read from your installation:

# %% [markdown] lang="zh"
# （什么都不输入、直接按 Enter，会重复上一条命令：接在 `n` 后面很方便。如果名字还不存在，会得到一个 `NameError`，除此之外什么也不会发生。）
#
# 在列出的函数快结束的地方，有一行做出决定：它到一张表里查找，然后调用查到的东西。一直按 `n` 走到那里太枯燥；`until` 加行号，一下就到。这个行号是**你的** PEFT
# 里的行号，每个版本都会变，所以要从你安装的代码里读出来：


# %%
def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + max(at for at, line in enumerate(lines) if text in line)


last = line_of(get_peft_model, "return MODEL_TYPE_TO_PEFT_MODEL_MAPPING")
print("until", last)

# %% [markdown] lang="en"
# Go there, look, and step in:
#
# | type | to |
# |---|---|
# | `until` and that number | run to that line |
# | `p peft_config.task_type` | see what will be looked up |
# | `s` | **s**tep: go into a call |
# | `w` | **w**here: who called whom, the innermost last |
# | `u`, `d` | go **u**p to the caller and look around there, and **d**own again |
#
# The arguments of the call stand on lines of their own, and the arrow visits each of them before it goes in. So type
# `s` once, and then press Enter until you read `--Call--`.

# %% [markdown] lang="zh"
# 到那里去，看一看，再进去：
#
# | 输入 | 作用 |
# |---|---|
# | `until` 加那个行号 | 运行到那一行 |
# | `p peft_config.task_type` | 看看要查的是什么 |
# | `s` | 单步进入一个调用（**s**tep） |
# | `w` | 看谁调用了谁，最里层的排在最后（**w**here） |
# | `u`、`d` | 向上到调用者，在那里看看（**u**p）；再向下回来（**d**own） |
#
# 这个调用的参数各占一行，箭头会逐个经过它们，然后才进入函数。所以先输入一次 `s`，然后一直按 Enter，直到出现 `--Call--`。

# %%
into = [f"until {last}", "p peft_config.task_type", *["s"] * 7, "w", "u", "d", "c"]
with stop_at("choose", where="peft", suggest=into):
    wrap_t5()

# %% [markdown] lang="en"
# You came out in another file, `peft_model.py`, in a class that nobody had named: `PeftModelForSeq2SeqLM`.
#
# ### Exercise 1 · which class, and in which table?
#
# Now a GPT-2, which is made for another task. Stop, go to the last line, and find out there: what is the table called,
# and which class does it have for this task? Then write both names down, and run the cell again. (What you have seen
# counts: the second time, `c` is enough.)

# %% [markdown] lang="zh"
# 现在你到了另一个文件 `peft_model.py`，进了一个谁也没有指定过的类：`PeftModelForSeq2SeqLM`。
#
# ### 练习 1 · 哪个类，在哪张表里？
#
# 这次换成 GPT-2，它是为另一种任务做的。停下来，走到最后一行，在那里查明：这张表叫什么，对这个任务给出哪个类？然后写下这两个名字，再运行一次单元格。（第一次看到的仍然算数，再运行时只要输入 `c`。）

# %% [markdown] lang="en" tags=["hint"]
# `until` with the number that was printed above. Now the arrow stands before the line with the table. `l` lists the
# lines around it.

# %% [markdown] lang="zh" tags=["hint"]
# 用 `until` 加上面打印的行号。现在箭头停在查表的那一行之前。`l` 列出它前后的几行。

# %% [markdown] lang="en" tags=["hint"]
# A part of a line can be printed before the line runs: type `p`, and behind it what stands between `return` and the
# first `(`. Or step in with `s`, and see where you come out.

# %% [markdown] lang="zh" tags=["hint"]
# 一行还没运行，就可以先打印它的一部分：输入 `p`，后面写上从 `return` 到第一个 `(` 之间的内容。或者用 `s` 单步进去，看看到了哪里。

# %% tags=["exercise"]
with stop_at("choose", where="peft", suggest=[f"until {line_of(get_peft_model, 'return MODEL_TYPE')}"]) as stop:
    wrap_gpt2()

check_chosen(stop, {"table": ..., "class": ...})

# %% tags=["solution"]
go_there, look = f"until {line_of(get_peft_model, 'return MODEL_TYPE')}", "MODEL_TYPE_TO_PEFT_MODEL_MAPPING"
with stop_at("choose", where="peft", commands=[go_there, f"p {look}[peft_config.task_type]", "c"]) as stop:
    wrap_gpt2()

check_chosen(stop, {"table": "MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "class": "PeftModelForCausalLM"})

# %% [markdown] lang="en"
# ## Prepare: where the sizes come from
#
# You said 20 virtual tokens, and nothing of layers or heads. PEFT reads these from `model_config`, and each family of
# models has other names for them. So it tries one name after the other. In the debugger, the way that the arrow takes
# through `if` and `elif` *is* the answer. Two more commands:
#
# | type | to |
# |---|---|
# | `pp model_config` | **p**rint **p**retty: a long dictionary, one line for each entry |
# | `r` | run until this function is about to **r**eturn |

# %% [markdown] lang="zh"
# ## 准备（prepare）：大小从哪里来
#
# 你说了要 20 个虚拟词元，没有说层数和头数。PEFT 从 `model_config` 里读出这些，而不同系列的模型给它们起的名字不同。所以 PEFT 一个接一个地试。在调试器里，箭头怎样走过 `if` 和
# `elif`，**就是**答案。再认识两条命令：
#
# | 输入 | 作用 |
# |---|---|
# | `pp model_config` | 整齐地打印（**p**retty **p**rint）：很长的字典，一项一行 |
# | `r` | 运行到这个函数将要返回的地方（**r**eturn） |

# %%
with stop_at("prepare", where="peft", suggest=["p peft_config.num_layers", "r", "p peft_config.num_layers", "c"]):
    wrap_t5()

# %% [markdown] lang="en"
# First `None`, then 3. But from where? `r` ran past the moment.
#
# ### Exercise 2 · from which names?
#
# Walk with `n` and Enter. For each of the three fields, write the name in the model's config that it was read from: the
# one in the branch that the arrow really took. On the way, print a field before it is filled and after.

# %% [markdown] lang="zh"
# 先是 `None`，后来是 3。可它是从哪里来的？`r` 一口气跑了过去，错过了那一刻。
#
# ### 练习 2 · 从哪些名字读来？
#
# 用 `n` 和 Enter 往前走。对三个字段，分别写出它是从模型配置里的哪个名字读来的：要写箭头真正走进的那个分支里的名字。走的时候，任选一个字段，在它填好之前和之后各打印一次。

# %% [markdown] lang="en" tags=["hint"]
# `n`, then Enter, about ten times: you come past `if hasattr(orig_model_config, ...)`. Does the arrow go into that
# branch, or on to the `elif`? (Do not trust `num_layers` because it sounds right.)

# %% [markdown] lang="zh" tags=["hint"]
# 先 `n`，再按 Enter，大约十次：你会经过 `if hasattr(orig_model_config, ...)`。箭头是走进这个分支，还是走到下面的 `elif`？（不要因为 `num_layers`
# 看起来像，就认定是它。）

# %% [markdown] lang="en" tags=["hint"]
# The next lines say `token_dim = model_config[...]`, and further down `num_attention_heads = model_config[...]`. When
# you stand behind such a line, `p peft_config.token_dim` has its number.

# %% [markdown] lang="zh" tags=["hint"]
# 接下来的几行里有 `token_dim = model_config[...]`，再往下有 `num_attention_heads = model_config[...]`。走过这样的一行之后，
# `p peft_config.token_dim` 就能打印出那个数。

# %% tags=["exercise"]
with stop_at("prepare", where="peft", suggest=["p peft_config.token_dim", "n"]) as stop:
    wrap_t5()

check_sizes_from(stop, {"num_layers": ..., "token_dim": ..., "num_attention_heads": ...})

# %% tags=["solution"]
with stop_at("prepare", where="peft", commands=[*["n"] * 15, "p peft_config.token_dim", "c"]) as stop:
    wrap_t5()

check_sizes_from(stop, {"num_layers": "num_hidden_layers", "token_dim": "d_model", "num_attention_heads": "num_heads"})

# %% [markdown] lang="en"
# A T5's config has no entry `num_hidden_layers`: transformers answers to that name on its behalf. Lesson 05 shows where
# such guesses go wrong.
#
# ## Wrap: what is frozen, and when
#
# `print_trainable_parameters` said that a million numbers do not train. Somewhere each of them was told so. That is in
# `_setup_prompt_encoder`, in a loop, before the encoder is made.
#
# ### Exercise 3 · before, after, and who called
#
# How many of the base model's parameters have `requires_grad` where the function begins, and how many behind the loop?
# And which function called `_setup_prompt_encoder`? To count, type this, at both places:
#
# `p sum(one.requires_grad for one in self.base_model.parameters())`

# %% [markdown] lang="zh"
# T5 的配置里没有 `num_hidden_layers` 这一项：是 transformers 把这个名字转给了另一个名字。第 5 课会讲，这样的猜测在哪里会出错。
#
# ## 包装（wrap）：什么被冻结，什么时候冻结
#
# `print_trainable_parameters` 说，有一百万个数不参与训练。一定有某个地方，把它们一个个设成了这样。这个地方就在 `_setup_prompt_encoder` 的一个循环里，在造出编码器之前。
#
# ### 练习 3 · 之前、之后，谁在调用
#
# 在这个函数开头，基座模型有多少个参数的 `requires_grad` 为真？循环之后又有多少个？是哪个函数调用了 `_setup_prompt_encoder`？在这两个地方都输入下面这条命令来数：
#
# `p sum(one.requires_grad for one in self.base_model.parameters())`

# %% [markdown] lang="en" tags=["hint"]
# `ll` shows the function with its line numbers. The loop begins with `for name, module in`; which line is the first
# behind it, as far to the left as the `for`? `until` and that number.

# %% [markdown] lang="zh" tags=["hint"]
# `ll` 列出这个函数，带行号。循环以 `for name, module in` 开头；循环后面，第一个与 `for` 缩进相同的行是哪一行？用 `until` 加那个行号。

# %% [markdown] lang="en" tags=["hint"]
# `u` takes you to the caller. The line with the arrow then stands in the function that called, and its name is at the
# end of the line above, before the `()`.

# %% [markdown] lang="zh" tags=["hint"]
# `u` 带你到调用者那里。箭头所在的那一行，就在调用它的函数里；函数名写在上面一行的末尾，在 `()` 之前。

# %% tags=["exercise"]
with stop_at(
    "wrap", where="peft", suggest=["p sum(one.requires_grad for one in self.base_model.parameters())"]
) as stop:
    wrap_t5()

check_frozen(stop, {"before": ..., "after": ..., "called_by": ...})

# %% tags=["solution"]
count = "p sum(one.requires_grad for one in self.base_model.parameters())"
behind = line_of(peft.PeftModel._setup_prompt_encoder, "if transformer_backbone is None:")
with stop_at("wrap", where="peft", commands=[count, f"until {behind}", count, "u", "p adapter_name", "c"]) as stop:
    wrap_t5()

check_frozen(stop, {"before": 68, "after": 0, "called_by": "add_adapter"})

# %% [markdown] lang="en"
# ## Encode: a first look
#
# Wrapped is not run. When the model gets a text, the virtual tokens become numbers in `PrefixEncoder.forward`. `r` runs
# to its end; the line `--Return--` says that the value is about to be handed back.

# %% [markdown] lang="zh"
# ## 编码（encode）：先看一眼
#
# 包装好不等于已经运行。模型得到文本时，虚拟词元才在 `PrefixEncoder.forward` 里变成数。`r` 运行到它的末尾；`--Return--` 那一行表示，值马上就要返回了。


# %%
def run(peft_model, name):
    texts = ["the food is good.", "the food is poor.", "we eat noodles."]
    batch = AutoTokenizer.from_pretrained(FOLDER / name)(texts, padding=True, return_tensors="pt")
    return peft_model(**batch, labels=batch["input_ids"]) if name == "t5" else peft_model(**batch)


torch.manual_seed(0)
with stop_at("encode", where="peft", suggest=["p prefix.shape", "r", "p past_key_values.shape", "c"]):
    run(wrap_t5(), "t5")

# %% [markdown] lang="en"
# Three texts, 20 virtual tokens, and 768 numbers for each: 3 layers, a key and a value, 128 numbers.
#
# ### Exercise 4 · who asked for the prefix?
#
# The same with GPT-2. What shape does the encoder hand back? And which function of PEFT's asked for it? (Two functions
# of torch's lie between.)

# %% [markdown] lang="zh"
# 三条文本，20 个虚拟词元，每个 768 个数：3 层，每层一个键和一个值，各 128 个数。
#
# ### 练习 4 · 是谁要的前缀？
#
# 换成 GPT-2，再看一遍。编码器返回的是什么形状？PEFT 的哪个函数要的它？（从那个函数到编码器，中间隔着 torch 的两个函数。）

# %% [markdown] lang="en" tags=["hint"]
# First `r`, and print the shape of `past_key_values`. Then climb: `u`, and look at the file above the arrow. Is it
# torch's?

# %% [markdown] lang="zh" tags=["hint"]
# 先 `r`，打印 `past_key_values` 的形状。然后往上走：`u`，看箭头上面写的文件。它是 torch 的吗？

# %% [markdown] lang="en" tags=["hint"]
# `u 3` climbs three at once; `w` shows them all. Print something there, `p batch_size` say.

# %% [markdown] lang="zh" tags=["hint"]
# `u 3` 一次向上三层；`w` 显示所有层。在那里打印点什么，比如 `p batch_size`。

# %% tags=["exercise"]
with stop_at("encode", where="peft", suggest=["r"]) as stop:
    run(wrap_gpt2(), "gpt2")

check_asked_by(stop, {"shape": ..., "asked_by": ...})

# %% tags=["solution"]
with stop_at("encode", where="peft", commands=["r", "p past_key_values.shape", "u 3", "p batch_size", "c"]) as stop:
    run(wrap_gpt2(), "gpt2")

check_asked_by(stop, {"shape": (3, 10, 1024), "asked_by": "get_prompt"})

# %% [markdown] lang="en"
# You have stood at four of the eight stages; the others have lessons of their own. **All commands of this lesson**:
#
# | to look | | to move | |
# |---|---|---|---|
# | `p`, `pp` | print, print pretty | `n` | run one line |
# | `l`, `ll` | list lines around, list the function | `s` | step into a call |
# | `w` | who called whom | `r` | run to the function's end |
# | `u`, `d` | up to the caller, down again | `until 198` | run to that line |
# | `shapes()` | all tensors here, their axes by name | `c`, `q` | go on; leave |
#
# `tbreak` with a line's number, or a function's name, stops there once, after `c`. Lesson 12 has the rest, and the
# mouse: JupyterLab's own debugger and VS Code's stop at the same places.
#
# *Short path: go on to lesson 02 from here.*
#
# ## Where the encoder comes from
#
# PEFT's file says that it is based on P-tuning v2's (Liu et al., “P-Tuning v2”, 2021, [arXiv
# 2110.07602](https://arxiv.org/abs/2110.07602); THUDM/P-tuning-v2, `model/prefix_encoder.py`). Here is that form, with
# the names of P-tuning v2: `pre_seq_len`, `prefix_hidden_size`, `trans`. PEFT's own follows.

# %% [markdown] lang="zh"
# 八个阶段里，你已经到过四个；其余的各有自己的课。**这一课的全部命令**：
#
# | 看 | | 走 | |
# |---|---|---|---|
# | `p`、`pp` | 打印，整齐地打印 | `n` | 运行一行 |
# | `l`、`ll` | 列出前后几行，列出整个函数 | `s` | 单步进入一个调用 |
# | `w` | 谁调用了谁 | `r` | 运行到函数末尾 |
# | `u`、`d` | 向上到调用者，再向下回来 | `until 198` | 运行到那一行 |
# | `shapes()` | 这里的所有张量，每个轴都有名字 | `c`、`q` | 继续；离开 |
#
# `tbreak` 加行号或函数名，会在 `c` 之后到那里停一次。其余的命令和鼠标操作在第 12 课：JupyterLab 自带的调试器和 VS Code 的调试器，也能停在同样的地方。
#
# *短路线：从这里直接去第 2 课。*
#
# ## 这个编码器的由来
#
# PEFT 的文件里写着，它以 P-tuning v2 的编码器为基础（Liu et al.，“P-Tuning
# v2”，2021，[arXiv 2110.07602](https://arxiv.org/abs/2110.07602)；THUDM/P-tuning-v2，`model/prefix_encoder.py`）。
# 下面先是那种写法，用的是 P-tuning v2 的名字：`pre_seq_len`、`prefix_hidden_size`、`trans`。后面是 PEFT 自己的。


# %%
class PTuningV2Encoder(torch.nn.Module):
    def __init__(self, pre_seq_len, hidden_size, num_hidden_layers, prefix_hidden_size):
        super().__init__()
        self.embedding = torch.nn.Embedding(pre_seq_len, hidden_size)
        self.trans = torch.nn.Sequential(
            torch.nn.Linear(hidden_size, prefix_hidden_size),
            torch.nn.Tanh(),
            torch.nn.Linear(prefix_hidden_size, num_hidden_layers * 2 * hidden_size),
        )

    def forward(self, prefix):
        return self.trans(self.embedding(prefix))


show_source(peft.PrefixEncoder.__init__, peft.PrefixEncoder.forward, mark=("Embedding(", "Sequential(", "transform("))

# %% [markdown] lang="en"
# | P-tuning v2 | PEFT |
# |---|---|
# | `pre_seq_len` | `num_virtual_tokens` |
# | `hidden_size`, `num_hidden_layers` | `token_dim`, `num_layers` |
# | `prefix_hidden_size`, 512 | `encoder_hidden_size`; left out, as large as `token_dim` |
# | `trans` | `transform` |
#
# Are they the same but for names? Give one the other's weights, and compare every bit.

# %% [markdown] lang="zh"
# | P-tuning v2 | PEFT |
# |---|---|
# | `pre_seq_len` | `num_virtual_tokens` |
# | `hidden_size`、`num_hidden_layers` | `token_dim`、`num_layers` |
# | `prefix_hidden_size`，512 | `encoder_hidden_size`；不写时与 `token_dim` 一样大 |
# | `trans` | `transform` |
#
# 除了名字，它们完全一样吗？把一个的权重交给另一个，逐位比较。

# %%
theirs = PTuningV2Encoder(pre_seq_len=20, hidden_size=128, num_hidden_layers=3, prefix_hidden_size=512)
config = PrefixTuningConfig(
    num_virtual_tokens=20, token_dim=128, num_layers=3, encoder_hidden_size=512, prefix_projection=True
)
pefts = peft.PrefixEncoder(config)
pefts.load_state_dict({name.replace("trans.", "transform."): one for name, one in theirs.state_dict().items()})
tokens = torch.arange(20)[None]
torch.equal(theirs(tokens), pefts(tokens))

# %% [markdown] lang="en"
# (One thing they do differently later: P-tuning v2 applies dropout to the keys and values, PEFT does not.)
#
# ## The other example
#
# The docstring of the class in which you came out has an example with LoRA. It is the same call, with another config;
# here it runs on our T5. Copies of it from 2023 have a line `"enable_lora": None` more, which today is an error.

# %% [markdown] lang="zh"
# （后面有一处不同：P-tuning v2 对键和值做 dropout，PEFT 不做。）
#
# ## 另一个例子
#
# 你刚才进入的那个类，docstring 里有一个 LoRA 的例子。调用是一样的，只是换了配置；这里让它在我们的 T5 上运行。2023 年流传的版本里还多一行 `"enable_lora": None`，今天这样写会报错。

# %%
lora = {
    "peft_type": "LORA",
    "task_type": "SEQ_2_SEQ_LM",
    "inference_mode": False,
    "r": 8,
    "target_modules": ["q", "v"],
    "lora_alpha": 32,
    "lora_dropout": 0.1,
    "fan_in_fan_out": False,
    "bias": "none",
}
with_lora = PeftModelForSeq2SeqLM(AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5"), get_peft_config(lora))
with_lora.print_trainable_parameters()
try:
    get_peft_config(lora | {"enable_lora": None})
except TypeError as error:
    print(error)

# %% [markdown] lang="en"
# Lesson 13 follows that branch, and finds out why the number in that docstring is wrong.
#
# ## What has moved since 2023
#
# PEFT 0.4.0 is what one stepped into in August 2023. The left column was found with it, installed beside today's; the
# right one you can ask your own. (Lesson 16 walks through both at once.)

# %% [markdown] lang="zh"
# 第 13 课会沿着那条分支走下去，查明那段 docstring 里的数为什么不对。
#
# ## 2023 年以来的变动
#
# 2023 年 8 月，单步进入的是 PEFT 0.4.0。下表左栏是把它和今天的版本装在一起对照查出来的；右栏，你可以问问自己的 PEFT。（第 16 课同时走一遍这两个版本。）

# %%
print(get_peft_model.__module__, len(inspect.signature(get_peft_model).parameters))
print(peft.PrefixEncoder.__module__)
print(type(model.get_prompt(batch_size=1)).__name__)

# %% [markdown] lang="en"
# | 0.4.0, July 2023 | today |
# |---|---|
# | `get_peft_model` in `mapping.py`, three parameters | in `mapping_func.py`, seven |
# | it prepares the config, and `add_adapter` again | `add_adapter` alone, so it has no `model_config` to print |
# | the tables are written out | each method registers itself ([#2282](https://github.com/huggingface/peft/pull/2282)) |
# | `PrefixEncoder` in one file, `tuners/prefix_tuning.py` | in a folder, and can begin with zeros (`init_weights`) |
# | `get_prompt` gives a tuple of tensors | a `Cache` ([#2096](https://github.com/huggingface/peft/pull/2096)) |
#
# What has *not* moved: the loop that freezes, the table with the embedding, the way a vector becomes keys and values.
#
# ### Exercise 5 · who prepares today?
#
# At which call would you stop today, to see the config before it is filled in?
#
# - `"a"`: in `get_peft_model`, before its last line
# - `"b"`: in `PeftModel.add_adapter`
# - `"c"`: in `PrefixEncoder.__init__`
# - `"d"`: in the model's first `forward`

# %% [markdown] lang="zh"
# | 0.4.0，2023 年 7 月 | 今天 |
# |---|---|
# | `get_peft_model` 在 `mapping.py` 里，三个参数 | 在 `mapping_func.py` 里，七个参数 |
# | 它准备一次配置，`add_adapter` 再准备一次 | 只由 `add_adapter` 准备，所以在 `get_peft_model` 里打印不出 `model_config` |
# | 各张表是写死的 | 每种方法自己登记（[#2282](https://github.com/huggingface/peft/pull/2282)） |
# | `PrefixEncoder` 在一个文件里，`tuners/prefix_tuning.py` | 在一个文件夹里，还可以从全零开始（`init_weights`） |
# | `get_prompt` 给出张量的元组 | 给出 `Cache`（[#2096](https://github.com/huggingface/peft/pull/2096)） |
#
# **没有**变的是：负责冻结的循环，存放嵌入的表，以及一个向量怎样变成键和值。
#
# ### 练习 5 · 如今由谁来准备？
#
# 要在配置填好之前看到它，如今你会停在哪个调用处？
#
# - `"a"`：在 `get_peft_model` 里，最后一行之前
# - `"b"`：在 `PeftModel.add_adapter` 里
# - `"c"`：在 `PrefixEncoder.__init__` 里
# - `"d"`：在模型的第一次 `forward` 里

# %% [markdown] lang="en" tags=["hint"]
# At the stop in “Prepare” you can ask: `u`, or `w`, shows who called.

# %% [markdown] lang="zh" tags=["hint"]
# 在“准备”一节的停点上就可以问：`u` 或 `w` 会显示是谁调用的。

# %% tags=["exercise"]
check_who_prepares(...)

# %% tags=["solution"]
check_who_prepares("b")

# %% [markdown] lang="en"
# ## Ours beside PEFT's
#
# In the lessons that follow, each stage is shown twice: our own code, written to be read, and PEFT's, from your
# installation. The strip above tells where in the walk you are; what is not marked is folded. Here is `encode`, where
# you have just been:

# %% [markdown] lang="zh"
# ## 我们的代码与 PEFT 的代码
#
# 在后面的课里，每个阶段都给你看两份代码：一份是我们自己的，为了让人读懂而写；一份是 PEFT 的，取自你安装的版本。上方那一排名字标出现在走到了哪个阶段；没有标记的行先折叠起来。下面是 `encode`，你刚刚去过：

# %%
show_stage("encode", mark=("self.embedding(prefix)", "self.transform("))

# %% [markdown] lang="en"
# Is it the same? The same seed, the same model, and every logit compared to the last bit:

# %% [markdown] lang="zh"
# 它们一样吗？同样的随机种子，同样的模型，每个 logit 都比到最后一位：

# %%
logits = []
for library in (peft, prefix_lab):
    base = AutoModelForSeq2SeqLM.from_pretrained(FOLDER / "t5")
    torch.manual_seed(0)
    wrapped = library.get_peft_model(base, library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
    logits.append(run(wrapped, "t5").logits)

torch.equal(*logits)

# %% [markdown] lang="en"
# ## What you have seen
#
# One line, `get_peft_model(model, peft_config)`: a table chose a class, a few names gave the sizes, a loop froze the
# model, and an encoder was put beside it. You have stood at each of these places, and your passport has the stamps.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 就是 `get_peft_model(model, peft_config)` 这一行：一张表选出了类，几个名字给出了大小，一个循环冻结了模型，模型旁边放上了一个编码器。这些地方你都到过，护照上也盖了印章。

# %%
show_passport()

# %% [markdown] lang="en"
# Read next: PEFT's `mapping_func.py`, the function that you stepped through, and ours, `prefix_lab/mapping.py`.

# %% [markdown] lang="zh"
# 接着读：PEFT 的 `mapping_func.py`，你单步走过的函数就在里面；还有我们的 `prefix_lab/mapping.py`。

# %%
show_progress(1)
