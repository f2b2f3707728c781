# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 12 · Breakpoints three ways
#
# By now you have stopped at every stage, in our code and in PEFT's, with `n`, `s`, `u`, `p`, `c`. Often that is all
# one needs. This lesson is about the rest: a stop in the one call of three hundred that matters, a value that you
# change to see what comes of it, an error that has already happened, a way back; and about other debuggers than pdb.
# At the end you will be able to
#
# - go to a line by its text, watch a value, and stop by a condition;
# - change the program that you stand in;
# - take the same stop to JupyterLab's debugger and to VS Code;
# - read an error after the fact, and walk a recording backwards;
# - choose the tool that fits the question.
#
# It takes about 30 minutes. Leave JupyterLab's debugger (the bug at the top right) off until the lesson asks for it.
#
# Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 12 · 断点的三种用法
#
# 到现在为止，你已经在每个阶段停过：在我们的代码里，也在 PEFT 的代码里，用的是 `n`、`s`、`u`、`p`、`c`。多数时候，这些就够了。这一课讲其余的情况：怎样在三百次调用里只停在要紧的那一次；怎样改一个值，看看会怎样；错误已经发生，怎样查；怎样往回走；以及 pdb 之外的调试器。学完这一课，你能够
#
# - 按一行的文字找到它，监视一个值，设条件让程序停下；
# - 改动正停着的程序；
# - 把同一个停点搬到 JupyterLab 的调试器和 VS Code 里；
# - 在错误发生之后读懂它，在录制里往回走；
# - 根据问题挑选合适的工具。
#
# 大约需要 30 分钟。JupyterLab 的调试器（右上角的小虫按钮）先关着，课里说要打开时再打开。
#
# 从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import tempfile
from pathlib import Path

import peft
import torch
from transformers import T5Config, T5ForConditionalGeneration

from prefix_lab.breakpoints import break_at, breakpoints, clear, explain, stop_at
from prefix_lab.course import load_tiny_t5, record_walk, show_progress
from prefix_lab.course.editor import Editor
from prefix_lab.course.lessons.lesson_12 import (
    check_condition,
    check_unread,
    check_watched,
    check_which_tool,
    launch_configurations,
    line_of,
)
from prefix_lab.shapes import name_axes

# %% [markdown] lang="en"
# ## A model to stop in
#
# The tiny T5 with PEFT's prefix, and two words that it is to reverse. The last line finds the names of all axes, so
# that `shapes()` can show them. That takes some seconds the first time; then they are kept.

# %% [markdown] lang="zh"
# ## 一个可以停进去的模型
#
# 微型 T5 加上 PEFT 的前缀，再给它两个要倒着写的单词。最后一行找出所有轴的名字，这样 `shapes()` 才能显示它们。第一次要花几秒钟，之后结果会存下来。


# %%
def with_prefix(seed=0):
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
    base, _ = load_tiny_t5()  # or AutoModelForSeq2SeqLM.from_pretrained("a/folder")
    torch.manual_seed(seed)
    return peft.get_peft_model(base, config).eval()


def reverse(model):
    _, tokenizer = load_tiny_t5()  # or AutoTokenizer.from_pretrained("a/folder")
    words = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
    labels = tokenizer(["nedrag", "onaip"], padding=True, return_tensors="pt").input_ids
    with torch.no_grad():
        return model(**words, labels=labels)


theirs = with_prefix()
names = name_axes("T5, projected")

# %% [markdown] lang="en"
# (Another T5 goes through the same lines with other numbers. For a GPT-2, load an `AutoModelForCausalLM`, set
# `task_type="CAUSAL_LM"`, and find names with `name_axes("GPT-2, projected")`: there is no `cat` on the way then.)
#
# ## pdb, further · to a line by its text
#
# PEFT's `get_prompt` is long, and the interesting part is not at its beginning. Three commands go to a line at once:
#
# | type | to |
# |---|---|
# | `tbreak 787` | stop at that line, once; then `c` |
# | `until 794` | run on to that line, or to a later one |
# | `jump 86` | go there **without** running what lies between, back as well |
#
# They want numbers, and lines move with every release. So `line_of` looks a number up, in your installation, by what
# stands in the line. And `display` shows a value again whenever it has changed:

# %% [markdown] lang="zh"
# （换一个 T5，走的还是这些行，只是数字不同。要用 GPT-2，就加载 `AutoModelForCausalLM`，设 `task_type="CAUSAL_LM"`，
# 用 `name_axes("GPT-2, projected")` 找名字：那条路上没有 `cat`。）
#
# ## pdb 进阶 · 按文字找到一行
#
# PEFT 的 `get_prompt` 很长，有意思的部分不在开头。有三个命令能直接跳到某一行：
#
# | 输入 | 作用 |
# |---|---|
# | `tbreak 787` | 在那一行停一次；然后输入 `c` |
# | `until 794` | 一直运行到那一行，或它之后的某一行 |
# | `jump 86` | 直接跳过去，中间的代码**不运行**；也可以往回跳 |
#
# 它们要的是行号，而每发一个新版本，行号都会变。所以 `line_of` 根据一行里的文字，在你装的版本里查出行号。`display` 则在一个值变了的时候，再显示它一次：


# %%
def past_the_view():
    view = line_of(peft.PeftModel.get_prompt, "past_key_values.view(")
    after = line_of(peft.PeftModel.get_prompt, "if peft_config.num_transformer_submodules == 2:")
    return [f"tbreak {view}", "c", "display past_key_values.shape", f"until {after}"]


with stop_at("split", where="peft", suggest=[*past_the_view(), "c"]):
    reverse(theirs)

# %% [markdown] lang="en"
# ### Exercise 1 · the line that doubles
#
# One of the next lines makes an axis of `past_key_values` twice as long. Which one? Go on from there, one line at a
# time, with the shape on display before and after.

# %% [markdown] lang="zh"
# ### 练习 1 · 让它翻倍的那一行
#
# 接下来的几行中，有一行让 `past_key_values` 的一个轴变成两倍长。是哪一行？从那里继续，一次走一行，走之前和走之后都把形状显示出来。

# %% [markdown] lang="en" tags=["hint"]
# Type the commands that are suggested above the prompt. From then on it is `n`.

# %% [markdown] lang="zh" tags=["hint"]
# 输入提示符上方建议的命令。之后就一直用 `n`。

# %% [markdown] lang="en" tags=["hint"]
# The arrow shows the line that runs next. When `display` shows a new shape, the line that you have just left made it.

# %% [markdown] lang="zh" tags=["hint"]
# 箭头指着接下来要运行的那一行。当 `display` 显示出新的形状时，造成变化的是你刚刚走过的那一行。

# %% tags=["exercise"]
with stop_at("split", where="peft", suggest=past_the_view()) as stop:
    reverse(with_prefix())

line = ...  # the whole line, in quotes
check_watched(stop, line)

# %% tags=["solution"]
with stop_at("split", where="peft", commands=[*past_the_view(), "n", "n", "c"]) as stop:
    reverse(with_prefix())

line = "past_key_values = torch.cat([past_key_values, past_key_values], dim=2)"
check_watched(stop, line)

# %% [markdown] lang="en"
# ## Only when it matters
#
# `attend` ends in transformers' own code: every attention layer of the decoder that reads the prefix. Stop there, and
# you stop in each of them. A **condition** chooses; `times` is how often to stop at most. A condition may use what has
# a value when the function begins: its arguments, and so `self`. One that uses a variable of a later line is refused at
# once: a debugger would only pass by, without a word.

# %% [markdown] lang="zh"
# ## 只在要紧的时候停
#
# `attend` 最终走进 transformers 自己的代码：解码器里每个读前缀的注意力层。停在那里，每一层都会停一次。**条件**负责挑选；`times` 是最多停几次。
# 条件里能用的，是函数开始时就有值的东西：它的参数，自然也包括 `self`。如果用了后面某行才有的变量，当场就会被拒绝：不然，调试器永远不会停，也什么都不说。

# %%
with stop_at("attend", where="transformers", times=2, suggest=["p self.layer_idx", "p mask.shape", "c"] * 2):
    reverse(theirs)

try:
    stop_at("encode", condition="prefix_tokens.shape[0] == 1")
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ### Exercise 2 · only in the second layer
#
# Write the condition with which the debugger stops in the decoder's second layer, and in no other.

# %% [markdown] lang="zh"
# ### 练习 2 · 只在第二层
#
# 写出一个条件，让调试器停在解码器的第二层，别的层都不停。

# %% [markdown] lang="en" tags=["hint"]
# The cell above printed the number of each layer in which it stopped. Where does counting begin?

# %% [markdown] lang="zh" tags=["hint"]
# 上面的单元格打印了停下的每一层的编号。编号从几开始？

# %% tags=["exercise"]
condition = ...
check_condition(condition)

# %% tags=["solution"]
condition = "self.layer_idx == 1"
check_condition(condition)

# %% [markdown] lang="en"
# ## What if? Change it
#
# A debugger can do what no recording can: change the program that it stands in. What would the loss be, if the prefix
# were all zeros? Guess first: the same as without a prefix? Behind `!` stands any Python statement. (Type it as it is
# suggested; another change gives another loss.)

# %% [markdown] lang="zh"
# ## 如果……会怎样？改改看
#
# 有件事录制做不到，调试器可以：改动正停着的程序。如果前缀全是零，损失会是多少？先猜一猜：和没有前缀一样吗？`!` 后面可以写任何 Python 语句。（照建议的原样输入；改得不同，损失也不同。）

# %%
end = line_of(peft.PrefixEncoder.forward, "return past_key_values")
as_it_is = reverse(theirs).loss
with stop_at("encode", where="peft", suggest=[f"until {end}", "!_ = past_key_values.zero_()", "c"]):
    zeros = reverse(theirs).loss
without = reverse(theirs.get_base_model()).loss
print(f"loss: this prefix {as_it_is:.4f}, zeros {zeros:.4f}, no prefix {without:.4f}")

# %% [markdown] lang="en"
# Zeros are not nothing: keys of zero still take their share of the softmax.
#
# But why is the loss *lower* with a random prefix than with none? Is it luck? Try other seeds, and look how sure the
# model is: how much it gives, on average, to the letter that it likes best.

# %% [markdown] lang="zh"
# 零不等于没有：全零的键照样在 softmax 里占一份。
#
# 可是，随机的前缀怎么会让损失比没有前缀时*更低*？是运气吗？换几个随机种子试试，再看模型有多确信：它平均给自己最看好的字母多大的概率。


# %%
def loss_and_sureness(model):
    output = reverse(model)
    return f"loss {output.loss:.2f}, to its favourite letter {output.logits.softmax(-1).amax(-1).mean():.0%}"


print("no prefix:", loss_and_sureness(load_tiny_t5()[0]))
for seed in range(6):
    print(f"seed {seed}:   ", loss_and_sureness(with_prefix(seed)))

# %% [markdown] lang="en"
# It is no luck: each of them does. Without its instruction the model is very sure, and wrong, and being sure of a wrong
# letter costs most. A random prefix disturbs it. It knows no more than before, but it is less sure.
#
# ### Exercise 3 · a prefix that nobody reads
#
# Zeros were not enough. Stop where the T5 begins, with the prefix in its hands, and change **one** thing there so that
# the loss is that without a prefix, to the last digit. PEFT may make its prefix as ever.

# %% [markdown] lang="zh"
# 不是运气：每个种子都是这样。少了指令，模型非常确信，却是错的；而对错误的字母很确信，付出的代价最大。随机前缀扰乱了它。它懂的并没有变多，只是没那么确信了。
#
# ### 练习 3 · 没人读的前缀
#
# 换成零还不够。停在 T5 开始的地方，这时前缀已经交到它手里。在那里只改**一处**，让损失和没有前缀时完全相等，一位不差。PEFT 照常做它的前缀。

# %% [markdown] lang="en" tags=["hint"]
# `p list(locals())` has the names of all that the function was called with. Which one is the prefix?

# %% [markdown] lang="zh" tags=["hint"]
# `p list(locals())` 列出调用这个函数时传入的所有名字。哪一个是前缀？

# %% [markdown] lang="en" tags=["hint"]
# An argument is a name like any other: behind `!` you can give it another value. With which value is this T5 called by
# somebody who has no prefix?

# %% [markdown] lang="zh" tags=["hint"]
# 参数也只是一个普通的名字：在 `!` 后面可以给它另一个值。没有前缀的人调用这个 T5 时，这个参数是什么值？

# %% tags=["exercise"]
with stop_at(T5ForConditionalGeneration.forward, suggest=["p list(locals())", "c"]) as stop:
    unread = reverse(with_prefix()).loss

check_unread(stop, reverse(load_tiny_t5()[0]).loss, unread)

# %% tags=["solution"]
with stop_at(T5ForConditionalGeneration.forward, commands=["!past_key_values = None", "c"]) as stop:
    unread = reverse(with_prefix()).loss

check_unread(stop, reverse(load_tiny_t5()[0]).loss, unread)

# %% [markdown] lang="en"
# And with `jump` a line runs **again**, with what you have changed. Here the projection gets zeros in place of the
# table's rows. What comes out is what its biases make of nothing, the same for each virtual token:

# %% [markdown] lang="zh"
# 用 `jump` 还能让一行**再运行一次**，这次带上你改过的值。下面让投影读到的不是表里的行，而是零。得到的，就是输入全为零时只剩偏置的结果，每个虚拟词元都一样：

# %%
project = line_of(peft.PrefixEncoder.forward, "past_key_values = self.transform(")
again = [f"until {end}", "p past_key_values.std(1).mean()", "!_ = prefix_tokens.zero_()", f"jump {project}", "n"]
with stop_at("encode", where="peft", suggest=[*again, "p past_key_values.std(1).mean()", "c"]):
    reverse(theirs)

# %% [markdown] lang="en"
# For more than one line of Python there is `interact`, in a terminal: a Python of its own in the middle of the stop,
# with everything that the function knows. Ctrl + D leads back to pdb.
#
# **Over ssh** all this is the same, since it needs a keyboard and nothing else. Put the `with stop_at(...)` into a
# script and run it, or begin with `python -m pdb train.py`. (A plain `breakpoint()` in a line of yours opens pdb, too.)
#
# ## Second way · JupyterLab's debugger
#
# The same stop, with the mouse. Switch on **the bug** at the top right of the notebook, left of "Python 3"; it turns
# orange. Then run the next cell: while a debugger is attached, `stop_at` gives it the breakpoint, for as long as the
# block runs.
#
# ![The notebook's toolbar, with the bug at its right end in orange](pictures/breakpoints-bug.png)

# %% [markdown] lang="zh"
# 如果想写的 Python 不止一行，在终端里可以用 `interact`：它在停下的地方打开一个 Python，函数里有的东西都能用。按 Ctrl + D 回到 pdb。
#
# **通过 ssh** 也完全一样，因为只需要键盘。把 `with stop_at(...)` 写进脚本里运行，或者用 `python -m pdb train.py` 启动。
# （在你自己的代码里写一行 `breakpoint()`，同样会打开 pdb。）
#
# ## 第二种 · JupyterLab 的调试器
#
# 同一个停点，这次用鼠标。打开笔记本右上角的**小虫按钮**，它在“Python 3”左边；打开后变成橙色。然后运行下一个单元格：只要连着调试器，`stop_at` 就把断点交给它，代码块运行多久，断点就在多久。
#
# ![笔记本的工具栏，右端是橙色的小虫按钮](pictures/breakpoints-bug.png)

# %%
with stop_at("encode", where="peft", suggest=["n", "n", "shapes()", "c"]) as stop:
    reverse(theirs)
print(stop.by, [(visit.function, visit.line) for visit in stop.visits])

# %% [markdown] lang="en"
# With the bug on, it stops inside PEFT. Here is what you see after two clicks on *next*; with the bug off, pdb stops.
#
# ![JupyterLab's debugger inside PEFT: PrefixEncoder.forward with the line of self.transform highlighted, the variables
# prefix, Tensor (2, 20) int64, and prefix_tokens, Tensor (2, 20, 128) float32, and the call stack with forward on
# top](pictures/breakpoints-stopped.png)
#
# Above the call stack are the buttons: *continue* (F9), *terminate*, *next* (F10), *step in* (F11), *step out* (Shift +
# F11). Unfold a tensor for its statistics and numbers, a module for its parts, a cache for its layers:
#
# ![The variables, with prefix_tokens unfolded to shape, dtype, device, requires_grad, grad, items, and statistics with
# min, max, mean, nan and inf](pictures/breakpoints-unfolded.png)
#
# A breakpoint that stays is `break_at`: it stops in every cell from then on, until it is cleared. `breakpoints()` lists
# those that are set, and how often each was reached.

# %% [markdown] lang="zh"
# 小虫打开时，程序停在 PEFT 里面。下图是点两次 *next* 之后看到的样子；小虫关着时，停下的是 pdb。
#
# ![JupyterLab 的调试器停在 PEFT 里：PrefixEncoder.forward，self.transform 那一行高亮；
# 变量 prefix 是 Tensor (2, 20) int64，prefix_tokens 是 Tensor (2, 20, 128) float32；
# 调用栈的最上面是 forward](pictures/breakpoints-stopped.png)
#
# 调用栈上方是几个按钮：*continue*（继续，F9）、*terminate*（终止）、*next*（单步跳过，F10）、*step in*（单步进入，F11）、*step out*（单步跳出，Shift + F11）。
# 展开一个张量，能看到统计值和里面的数；展开一个模块，能看到它的各个部分；展开一个缓存，能看到每一层：
#
# ![变量面板，prefix_tokens 已展开，有 shape、dtype、device、requires_grad、grad、items，以及 statistics，
# 其中有 min、max、mean、nan 和 inf](pictures/breakpoints-unfolded.png)
#
# 想让断点一直留着，用 `break_at`：从此每个单元格运行到那里都会停，直到你清除它。`breakpoints()` 列出设了哪些断点，每个到过几次。

# %%
break_at("encode", where="peft", condition="prefix.shape[0] == 2")

# %%
reverse(theirs).loss

# %%
breakpoints()

# %%
clear()

# %% [markdown] lang="en"
# Now switch the bug **off** again. (A breakpoint on a line of a **cell** needs no name: with the bug on, click left of
# the line number.)
#
# ## Third way · VS Code
#
# Open the folder of this project in VS Code. Then **Run and Debug** (Ctrl + Shift + D) offers what stands in
# `.vscode/launch.json`; F5 starts it, F10 and F11 step. All of them have `"justMyCode": false`: without it, VS Code
# never stops in PEFT. `stop_at` and `break_at` work there too, in a notebook with *Debug Cell* and in a script.

# %% [markdown] lang="zh"
# 现在把小虫**关掉**。（想在**单元格**的某一行设断点，不用知道名字：打开小虫，在行号左边点一下。）
#
# ## 第三种 · VS Code
#
# 在 VS Code 里打开这个项目的文件夹。**运行和调试**（Run and Debug，Ctrl + Shift + D）会列出 `.vscode/launch.json` 里的各项；F5 启动，F10 和 F11 单步。
# 每一项都写着 `"justMyCode": false`：没有它，VS Code 不会停进 PEFT。`stop_at` 和 `break_at` 在那里也能用：在笔记本里用*调试单元格*（Debug Cell），在脚本里也行。

# %%
launch_configurations()

# %% [markdown] lang="en"
# ### And backwards
#
# The last line of that table is a debugger that can go **back**: not your program runs, but a recording of it. Here is
# what happens when you press VS Code's buttons. The lesson starts `prefix-lab dap` with a recording of PEFT at work,
# and talks to it as VS Code does.

# %% [markdown] lang="zh"
# ### 还能往回走
#
# 上面那张表的最后一行，是一个能**往回走**的调试器：这时运行的不是你的程序，而是它的一份录制。下面演示按下 VS Code 的按钮时发生了什么。
# 课程先把 PEFT 的运行录下来，用这份录制启动 `prefix-lab dap`，再像 VS Code 那样和它对话。

# %%
folder = Path(tempfile.mkdtemp())
record_walk("peft", model=False).save(folder / "walk.recording")

with Editor(folder / "walk.recording") as editor:
    print("offers to go back:", editor.goes_back)
    editor.break_in("PrefixEncoder.forward")
    for button in ["continue", *["next"] * 4, "stepBack", "stepBack", "reverseContinue"]:
        editor.press(button)

# %% [markdown] lang="en"
# To try it in VS Code: in a terminal, `.venv/bin/prefix-lab record train.py` records a script of yours, and
# `.venv/bin/prefix-lab dap --port 4711 train.recording` waits; choose the last entry and press F5. In a notebook,
# `Stepper(recording)` of `prefix_lab.widgets` does the same without an editor.
#
# ## When an error has happened
#
# This T5 has the sizes of flan-t5-small, with two layers: 6 heads of 64 numbers, which is 384, but a width of 512.
# PEFT does not look at `d_kv`. In a notebook of your own, type `explain()` in the next cell after any error; here the
# error is caught, so that the lesson goes on.

# %% [markdown] lang="zh"
# 想在 VS Code 里试：在终端里，`.venv/bin/prefix-lab record train.py` 录制你的一个脚本，
# `.venv/bin/prefix-lab dap --port 4711 train.recording` 则在那里等着连接；然后选列表的最后一项，按 F5。
# 在笔记本里，`prefix_lab.widgets` 的 `Stepper(recording)` 不需要编辑器，做的是同一件事。
#
# ## 错误已经发生了
#
# 这个 T5 的尺寸和 flan-t5-small 一样，只是层数为 2：6 个头，每个头 64 个数，一共 384，而宽度是 512。PEFT 没有看 `d_kv`。
# 在你自己的笔记本里，出错之后，在下一个单元格输入 `explain()` 就行；这里把错误接住了，好让课程继续。

# %%
sizes = T5Config(d_model=512, num_heads=6, d_kv=64, num_layers=2, vocab_size=384, decoder_start_token_id=0)
flan = T5ForConditionalGeneration(sizes)
try:
    reverse(peft.get_peft_model(flan, peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)))
except RuntimeError as error:
    explained = explain(error)
explained

# %% [markdown] lang="en"
# That tells you the line, its tensors by name, the axis that cannot be cut, the stage, and where to stop next. To look
# around for yourself, type `%debug` in the next cell after an error: pdb opens in the function that failed, with all
# its values, and `u` leads to whoever called it. Nothing runs any more, so `n` and `s` only leave it.
#
# And the way out: say the width that fits, heads · head_dim:

# %% [markdown] lang="zh"
# 它告诉你：是哪一行，那里有哪些张量、叫什么名字，哪个轴切不开，属于哪个阶段，下一次该停在哪里。想自己四处看看，就在出错之后的下一个单元格输入 `%debug`：pdb 在出错的函数里打开，所有的值都在，`u` 上到调用者。
# 程序已经不再运行了，所以 `n` 和 `s` 只会离开。
#
# 解决办法：直接写明合适的宽度，heads · head_dim（头数 · 每个头的宽度）：

# %%
flan = T5ForConditionalGeneration(sizes)
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, token_dim=6 * 64)
reverse(peft.get_peft_model(flan, config)).logits.shape

# %% [markdown] lang="en"
# ## Which, when?
#
# ### Exercise 4 · choose
#
# | | you want to | |
# |---|---|---|
# | `"a"` | try expressions of your own in the middle of `get_prompt`, on a server, over ssh | |
# | `"b"` | know what the tensors were, after an error came from deep inside torch and the call is over | |
# | `"c"` | go from a wrong number back to where it came from | |
# | `"d"` | look at one of three hundred calls, the one whose mask has a zero in it | |
# | `"e"` | open a cache of twelve layers, and wander through it with the mouse | |
# | `"f"` | know what the loss would be if this mask were all ones, and edit no file | |
#
# Choose for each: `"pdb"`, a plain stop · `"condition"` · `"change"`, a value at a stop · `"bug"`, JupyterLab's or VS
# Code's debugger · `"post_mortem"`, `explain()` and `%debug` · `"recording"`, with `Stepper`, a replay or
# `prefix-lab dap`. Each one is wanted once.

# %% [markdown] lang="zh"
# ## 什么时候用哪一种？
#
# ### 练习 4 · 选对工具
#
# | | 你想 | |
# |---|---|---|
# | `"a"` | 在服务器上，通过 ssh，在 `get_prompt` 中间试几个自己的表达式 | |
# | `"b"` | torch 深处抛出了错误，调用已经结束，你想知道当时的张量是什么 | |
# | `"c"` | 从一个错误的数往回走，找到它的来处 | |
# | `"d"` | 在三百次调用里只看一次：掩码里有零的那一次 | |
# | `"e"` | 打开一个十二层的缓存，用鼠标慢慢翻看 | |
# | `"f"` | 不改任何文件，想知道这个掩码若全是一，损失会是多少 | |
#
# 为每一项选一个：`"pdb"`，普通的停点 · `"condition"`，条件 · `"change"`，在停点改一个值 · `"bug"`，
# JupyterLab 或 VS Code 的调试器 · `"post_mortem"`，即 `explain()` 和 `%debug` · `"recording"`，录制，
# 用 `Stepper`、终端回放或 `prefix-lab dap`。每种正好用一次。

# %% tags=["exercise"]
check_which_tool({"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...})

# %% tags=["solution"]
check_which_tool(
    {"a": "pdb", "b": "post_mortem", "c": "recording", "d": "condition", "e": "bug", "f": "change"},
)

# %% [markdown] lang="en"
# ## What you have seen
#
# A stage has a name, and each debugger can be sent there by it. What you see is the same everywhere: where you are, who
# called, and every tensor with its axes. What differs is what you can do: pdb changes things, the bug shows them, a
# recording goes back.
#
# Read next: `prefix_lab/breakpoints/places.py`, how a stage becomes a file and a line of what is installed, and
# Python's own page on pdb. Lesson 14 has seven broken files to use all this on.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 每个阶段都有名字，无论哪种调试器，都能凭这个名字停到那里。看到的东西也都一样：你在哪里，是谁调用的，每个张量和它的轴。不同的是你能做什么：pdb 能改，小虫看得方便，录制能往回走。
#
# 接着读：`prefix_lab/breakpoints/places.py`，它讲一个阶段怎样变成你所装版本里的某个文件、某一行；还有 Python 官方文档里讲 pdb 的那一页。
# 第 14 课有七个坏掉的文件，可以把这些全用上。

# %%
show_progress(12)
