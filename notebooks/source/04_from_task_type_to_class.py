# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 04 · From task type to class
#
# You write `task_type="SEQ_2_SEQ_LM"`, and your model comes back as a `PeftModelForSeq2SeqLM`. Who read that text, and
# what if it had been another one? In this lesson you ask PEFT itself, while it decides. At the end you will be able to
#
# - find in a debugger which class a config leads to, before it is made;
# - recognise a wrong task type: by its error, or by a loss that comes without one;
# - climb the stack to the line that fills a table.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 04 · 从任务类型到类
#
# 你写下 `task_type="SEQ_2_SEQ_LM"`，得到的模型就是一个 `PeftModelForSeq2SeqLM`。是谁读了这个字符串？
# 换一个字符串又会怎样？这一课里，你就停在 PEFT 做决定的地方，当场问它。学完之后，你能够
#
# - 在对象造出来之前，用调试器查出一份配置会得到哪个类；
# - 认出选错的任务类型：有时它报错，有时它不报错，照样给出损失；
# - 沿着调用栈往上，找到往表里填内容的那一行。
#
# 大约需要 20 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import importlib
import inspect

import peft
import torch
from peft.config import PeftConfigMixin
from peft.utils import register_peft_method

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, load_tiny, show_progress, show_stage, table
from prefix_lab.course.lessons.lesson_04 import (
    check_classes,
    check_no_task_type,
    check_outcomes,
    check_who_fills,
    draw_choice,
)

# %% [markdown] lang="en"
# ## The place
#
# Look for the line in which the task type is used as a key. In PEFT's function it stands at the very end; what comes
# before are names, warnings, and two other ways out.

# %% [markdown] lang="zh"
# ## 它在哪里
#
# 找一找：哪一行把任务类型当作字典的键来用？在 PEFT 的函数里，它在最末尾；前面是名字、警告，还有另外两个出口。

# %%
show_stage(
    "choose",
    mark=("MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "mixed", "is_prompt_learning"),
    also=("prefix_lab.mapping.choose_task_class",),
)

# %% [markdown] lang="en"
# A table can be asked at any time, also before the program comes to the line that uses it. Stop on the first line of
# PEFT's `get_peft_model` and ask: which class will wrap this BERT?

# %% [markdown] lang="zh"
# 一张表随时都可以查，程序还没走到用它的那一行时也可以。停在 PEFT 的 `get_peft_model`
# 的第一行，问一问：哪个类会包装这个 BERT？

# %%
bert, _ = load_tiny("bert")
config = peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)
with stop_at(
    "choose",
    where="peft",
    suggest=[
        "p peft_config.task_type",
        "p MODEL_TYPE_TO_PEFT_MODEL_MAPPING[peft_config.task_type].__name__",
        "pp list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING)",
        "c",
    ],
):
    wrapped = peft.get_peft_model(bert, config)
print(type(wrapped).__name__)

# %% [markdown] lang="en"
# Six entries, and none of them is about a family of models. `pp` prints like `p`, one part on each line.
#
# ### Exercise 1 · which class for which job?
#
# Six jobs. Write the name of the class that should wrap the model, or the class itself, such as
# `peft.PeftModelForCausalLM`.
#
# | | the job |
# |---|---|
# | `summary` | T5 reads a long text and writes a summary |
# | `go_on` | GPT-2 writes on where a text ends |
# | `spam` | BERT says of a message: spam or not |
# | `names` | BERT marks every word that is a name |
# | `answer_place` | BERT finds where in a text an answer begins and ends |
# | `search` | BERT turns a text into vectors for a search |

# %% [markdown] lang="zh"
# 六个条目，没有一条和模型是哪个系列有关。`pp` 和 `p` 一样打印，只是每一项占一行。
#
# ### 练习 1 · 哪件事用哪个类？
#
# 下面有六件事。写出该用哪个类来包装模型：写类名，或者直接写这个类，比如 `peft.PeftModelForCausalLM`。
#
# | | 要做的事 |
# |---|---|
# | `summary` | T5 读一篇长文本，写出摘要 |
# | `go_on` | GPT-2 从文本结束的地方接着写 |
# | `spam` | BERT 判断一条消息是不是垃圾消息 |
# | `names` | BERT 标出每一个是名字的词 |
# | `answer_place` | BERT 找出答案在文本里从哪里开始、到哪里结束 |
# | `search` | BERT 把文本变成向量，供搜索使用 |

# %% [markdown] lang="en" tags=["hint"]
# What comes out of the model? A text, one label, a label for each token, two places in the text, or vectors?

# %% [markdown] lang="zh" tags=["hint"]
# 从模型里出来的是什么？一段文本、一个标签、每个词元一个标签、文本里的两个位置，还是向量？

# %% tags=["exercise"]
check_classes({"summary": ..., "go_on": ..., "spam": ..., "names": ..., "answer_place": ..., "search": ...})

# %% tags=["solution"]
check_classes(
    {
        "summary": peft.PeftModelForSeq2SeqLM,
        "go_on": peft.PeftModelForCausalLM,
        "spam": peft.PeftModelForSequenceClassification,
        "names": peft.PeftModelForTokenClassification,
        "answer_place": peft.PeftModelForQuestionAnswering,
        "search": peft.PeftModelForFeatureExtraction,
    }
)

# %% [markdown] lang="en"
# ## The way as a picture
#
# Three questions, in this order. Filled boxes are those that this config passes. Change the config and run the cell
# again: another task type, none at all, a `LoraConfig(task_type=None)`, or `draw_choice(config, mixed=True)`.

# %% [markdown] lang="zh"
# ## 画出来看
#
# 按这个顺序问三个问题。填了颜色的框，是这份配置经过的地方。改一改配置，再运行这个单元格：换一个任务类型；
# 不写任务类型；用 `LoraConfig(task_type=None)`；或者 `draw_choice(config, mixed=True)`。

# %%
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
draw_choice(config)

# %% [markdown] lang="en"
# ### Exercise 2 · what happens then?
#
# Four calls, each with a T5. Say what comes of each: `"KeyError"`, `"ValueError"`, `"PeftModel"`,
# `"PeftModelForCausalLM"` or `"PeftModelForSeq2SeqLM"`.
#
# | | the config |
# |---|---|
# | `prefix_none` | `PrefixTuningConfig(task_type=None)` |
# | `prefix_summarize` | `PrefixTuningConfig(task_type="SUMMARIZE")` |
# | `lora_none` | `LoraConfig(task_type=None)` |
# | `prefix_causal` | `PrefixTuningConfig(task_type="CAUSAL_LM")` |

# %% [markdown] lang="zh"
# ### 练习 2 · 接下来会怎样？
#
# 四次调用，用的都是 T5。说出每次的结果：`"KeyError"`、`"ValueError"`、`"PeftModel"`、`"PeftModelForCausalLM"` 还是
# `"PeftModelForSeq2SeqLM"`。
#
# | | 配置 |
# |---|---|
# | `prefix_none` | `PrefixTuningConfig(task_type=None)` |
# | `prefix_summarize` | `PrefixTuningConfig(task_type="SUMMARIZE")` |
# | `lora_none` | `LoraConfig(task_type=None)` |
# | `prefix_causal` | `PrefixTuningConfig(task_type="CAUSAL_LM")` |

# %% [markdown] lang="en" tags=["hint"]
# Three of the four you can follow in the picture. The name that does not exist never gets as far as that.

# %% [markdown] lang="zh" tags=["hint"]
# 四个当中，有三个可以在图上走一遍。那个不存在的名字，根本走不到图上来。

# %% [markdown] lang="en" tags=["hint"]
# For `prefix_causal`: which of the three questions asks for the model?

# %% [markdown] lang="zh" tags=["hint"]
# 关于 `prefix_causal`：三个问题里，哪一个问到了模型？

# %% tags=["exercise"]
check_outcomes({"prefix_none": ..., "prefix_summarize": ..., "lora_none": ..., "prefix_causal": ...})

# %% tags=["solution"]
check_outcomes(
    {
        "prefix_none": "KeyError",
        "prefix_summarize": "ValueError",
        "lora_none": "PeftModel",
        "prefix_causal": "PeftModelForCausalLM",
    }
)


# %% [markdown] lang="en"
# Now run them, PEFT's and ours. Which of the messages would help you?


# %% [markdown] lang="zh"
# 现在把它们都运行一遍，PEFT 的和我们的。哪一条报错信息能帮到你？


# %%
def outcome(library, kind, task_type, **fields):
    model, _ = load_tiny("t5")
    try:
        config = getattr(library, kind)(task_type=task_type, **fields)
        return type(library.get_peft_model(model, config)).__name__
    except (KeyError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


rows = []
for library in (peft, prefix_lab):
    for task_type in (None, "SUMMARIZE", "CAUSAL_LM"):
        said = outcome(library, "PrefixTuningConfig", task_type, num_virtual_tokens=4)
        rows.append((library.__name__, "PrefixTuningConfig", task_type, said))
    said = outcome(library, "LoraConfig", None, target_modules=["q", "v"])
    rows.append((library.__name__, "LoraConfig", None, said))
after_exercise(2, table(("library", "config", "task_type", "outcome"), rows))

# %% [markdown] lang="en"
# ### Exercise 3 · where the two part
#
# LoRA without a task type becomes a `PeftModel`; a prefix without one becomes `KeyError: None`. The same function ran
# both times. The stop below is reached twice, first with LoRA's config, then with the prefix's. Find the value that the
# two do not share, **at both stops**, and write its name into `answer`. (The debugger opens for you when you run the
# cell. `c` leads from the first stop to the second, and from there out.)

# %% [markdown] lang="zh"
# ### 练习 3 · 两者在哪里分开
#
# LoRA 不写任务类型，得到 `PeftModel`；前缀不写任务类型，得到 `KeyError: None`。两次运行的是同一个函数。
# 下面的停点会停两次：先是 LoRA 的配置，再是前缀的配置。找出两者不同的那个值，**在两个停点都要看**，把它的名字写进
# `answer`。（运行单元格时，调试器会为你打开。`c` 从第一个停点走到第二个，再输入一次就离开。）

# %% [markdown] lang="en" tags=["hint"]
# The line that decides begins with `if peft_config.task_type not in`. It joins two questions with `and`. `ll` shows the
# whole function.

# %% [markdown] lang="zh" tags=["hint"]
# 做决定的那一行以 `if peft_config.task_type not in` 开头，它用 `and` 连起两个问题。`ll` 显示整个函数。

# %% [markdown] lang="en" tags=["hint"]
# You need not step to that line: all that it asks is known on the first line already. Print each half, at both stops.

# %% [markdown] lang="zh" tags=["hint"]
# 不必单步走到那一行：它用到的东西，在函数的第一行就全都有了。在两个停点，把条件的两半分别打印出来。

# %% tags=["exercise"]
answer = ...
with stop_at("choose", where="peft", suggest=["p type(peft_config).__name__", "p peft_config.task_type", "c"]) as stop:
    for config in (peft.LoraConfig(target_modules=["q"]), peft.PrefixTuningConfig(num_virtual_tokens=4)):
        try:
            print(type(peft.get_peft_model(load_tiny("t5")[0], config)).__name__)
        except KeyError as error:
            print("KeyError:", error)

check_no_task_type(stop, answer)

# %% tags=["solution"]
answer = "is_prompt_learning"
asked = ["p peft_config.task_type in MODEL_TYPE_TO_PEFT_MODEL_MAPPING", "p peft_config.is_prompt_learning", "c"]
with stop_at("choose", where="peft", commands=asked * 2) as stop:
    for config in (peft.LoraConfig(target_modules=["q"]), peft.PrefixTuningConfig(num_virtual_tokens=4)):
        try:
            print(type(peft.get_peft_model(load_tiny("t5")[0], config)).__name__)
        except KeyError as error:
            print("KeyError:", error)

check_no_task_type(stop, answer)

# %% [markdown] lang="en"
# Why does LoRA need no task type, when a prefix does? LoRA changes layers inside the model, and the model is called as
# before. A prefix comes from outside: it has to be made for the batch and put into the cache, and the mask has to grow.
# Only a class that knows the task's inputs can do that. Lesson 13 takes LoRA's branch.
#
# ## A name that does not exist
#
# `SUMMARIZE` was refused before `get_peft_model` was called at all. By whom? A dataclass may check itself as soon as it
# is made, in a method called `__post_init__`. `w` (where) prints the whole stack, your own cell at the top, the line
# where you stand at the bottom.

# %% [markdown] lang="zh"
# 为什么 LoRA 不需要任务类型，前缀却需要？LoRA 改的是模型内部的层，模型的调用方式和以前一样。
# 前缀来自模型之外：要按批次做好它，放进缓存，掩码也得加长。只有知道这个任务有哪些输入的类，才做得了这些事。第 13
# 课会走 LoRA 那条分支。
#
# ## 不存在的名字
#
# `SUMMARIZE` 在调用 `get_peft_model` 之前就被拒绝了。谁拒绝的？dataclass 可以在对象刚造好时检查自己，写在一个叫
# `__post_init__` 的方法里。`w`（where）打印整个调用栈：最上面是你自己的单元格，最下面是你所在的那一行。

# %%
try:
    with stop_at(
        PeftConfigMixin.__post_init__, suggest=["p self.task_type", "p self.task_type in list(TaskType)", "w"]
    ):
        peft.PrefixTuningConfig(task_type="SUMMARIZE", num_virtual_tokens=4)
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ## A name that exists, and is the wrong one
#
# PEFT does not compare the task type with the model. Here is a T5, wrapped by the class for models like GPT-2. In the
# first batch both texts have the same length; in the second they do not.

# %% [markdown] lang="zh"
# ## 名字存在，但选错了
#
# PEFT 不会拿任务类型和模型对照。下面是一个 T5，却被包进了给 GPT-2 这类模型用的类。第一个批次里，两条文本一样长；
# 第二个批次里不一样长。

# %%
t5, tokenizer = load_tiny("t5")
torch.manual_seed(0)
wrong = peft.get_peft_model(t5, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
for texts in (
    ["name amber bell food noodles", "name amber bridge food seafood"],
    ["name amber bell", "name amber bridge food seafood"],
):
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    try:
        print(tuple(batch.input_ids.shape), "loss", wrong(**batch, labels=batch.input_ids).loss.item())
    except RuntimeError as error:
        print(tuple(batch.input_ids.shape), error)

# %% [markdown] lang="en"
# The first batch gives a loss, and would be trained on. The second has padding, so the mask counts, and this class has
# made the *encoder's* mask longer by `prefix_len`, 4, while the prefix went to the decoder. If an error about shapes
# speaks of a size that is too large by exactly your `num_virtual_tokens`, look at the task type first.
#
# ## Who fills the tables?
#
# The *task type* chose the class that wraps the model. The *method* (prefix tuning, LoRA, …) chooses what is put
# inside, from a second table. In PEFT's source that table is empty:

# %% [markdown] lang="zh"
# 第一个批次给出了损失，照这样就会一直训练下去。第二个批次有填充，掩码就起作用了：这个类把*编码器*的掩码加长了
# `prefix_len`（前缀长度）4，前缀却进了解码器。如果一个关于形状的报错里，某个大小正好多出你的
# `num_virtual_tokens`，先去看任务类型。
#
# ## 表是谁填的？
#
# *任务类型*选的是包装模型的类。*方法*（前缀微调、LoRA……）选的是放进里面的东西，查的是另一张表。在 PEFT
# 的源码里，那张表是空的：

# %%
lines = inspect.getsource(peft.mapping).splitlines()
print(*[line for line in lines if "_MAPPING: dict" in line], sep="\n")
print(len(peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING), len(peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING))
for method in ("PREFIX_TUNING", "PROMPT_TUNING", "LORA"):
    config_class = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[method]
    inside = peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING[method]
    print(f"{method:14} {config_class.__name__:20} {inside.__name__}")

# %% [markdown] lang="en"
# It is full before the first line of your own program runs: `register_peft_method` writes into it while PEFT is being
# imported. So we import one part of PEFT once more, and stop there.
#
# ### Exercise 4 · who calls it?
#
# You stand in `register_peft_method`. Climb to the line that called it (`u`, or read `w`), and write the file that this
# line is in. PEFT refuses to register a method twice, so at the end there is a `KeyError`, and nothing has changed.

# %% [markdown] lang="zh"
# 你自己程序的第一行还没运行，它就已经填满了：导入 PEFT 的时候，`register_peft_method` 往里面写。所以我们把 PEFT
# 的一部分再导入一次，停在那里。
#
# ### 练习 4 · 谁在调用它？
#
# 你站在 `register_peft_method` 里。往上走到调用它的那一行（用 `u`，或者读 `w` 的输出），写出那一行在哪个文件里。PEFT
# 不允许同一个方法注册两次，所以最后会有一个 `KeyError`，什么都没有改变。

# %% [markdown] lang="en" tags=["hint"]
# `u` goes one frame up: it prints that frame's file, the line number in brackets, and below it the line itself. If you
# come into `importlib`, that is Python importing the file: one too far, `d` goes down again.

# %% [markdown] lang="zh" tags=["hint"]
# `u` 往上走一个栈帧：打印那个栈帧的文件、括号里的行号，下面是那一行本身。如果走进了 `importlib`，那是 Python
# 在导入文件：多走了一步，用 `d` 下来。

# %% tags=["exercise"]
answer = ...  # such as "peft/peft_model.py"
try:
    with stop_at(register_peft_method, suggest=["p name", "p config_cls.__name__", "c"]) as stop:
        importlib.reload(peft.tuners.prefix_tuning)
except KeyError as error:
    print(error)

check_who_fills(stop, answer)

# %% tags=["solution"]
answer = "peft/tuners/prefix_tuning/__init__.py"
try:
    with stop_at(register_peft_method, commands=["p name", "u", "p __file__", "c"]) as stop:
        importlib.reload(peft.tuners.prefix_tuning)
except KeyError as error:
    print(error)

check_who_fills(stop, answer)

# %% [markdown] lang="en"
# Each method has a folder in `peft/tuners/`, and its `__init__.py` ends with such a line. A method of your own would be
# added in the same way.
#
# ## What you have seen
#
# - The task type is the key of a plain dictionary, and the class that it finds is called at once.
# - Without a task type, PEFT fails with `KeyError: None`. A name that does not exist is refused when the config is
#   made. The wrong name is accepted: the error comes later and in another place, or not at all.
# - The tables of methods are filled by `register_peft_method` while PEFT is imported.
#
# Read next: `prefix_lab/mapping.py`, and the table of all six in `prefix_lab/beside/wrapping.py`. Lesson 05 follows the
# config into the class.

# %% [markdown] lang="zh"
# 每种方法在 `peft/tuners/` 里有一个文件夹，它的 `__init__.py` 末尾就有这样一行。
# 要加一种你自己的方法，也是同样的做法。
#
# ## 你看到了什么
#
# - 任务类型是一个普通字典的键；查到哪个类，当场就调用它。
# - 不写任务类型，PEFT 报 `KeyError: None`。不存在的名字，在造配置时就被拒绝。
#   存在但选错的名字会被接受：错误来得更晚，出在别处，或者根本不出现。
# - 各种方法的表，是导入 PEFT 时由 `register_peft_method` 填好的。
#
# 接着读：`prefix_lab/mapping.py`，以及 `prefix_lab/beside/wrapping.py` 里全部六个类的表。第 5 课跟着配置走进类里。

# %%
show_progress(4)
