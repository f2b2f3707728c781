# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 16 · 2023 and now
#
# An extra, after the capstone. When somebody stepped into `get_peft_model` in August 2023, it was PEFT 0.4.0. In lesson
# 01 you made that walk in today's PEFT. Here you make both at once, line beside line, and find three of the changes: one
# in how the config is filled in, one in what the model is handed, and one that mended a silent fault. At the end you
# will be able to
#
# - walk two releases in step, and say up to where they give the same numbers;
# - tell a function that moved from one that does something else;
# - say what of your own code from 2023 breaks today, and for which texts it may have been wrong even then.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 16 · 2023 年与现在
#
# 这是结业项目之后的加餐。2023 年 8 月，有人单步进入 `get_peft_model`，那时是 PEFT 0.4.0。第 1 课里，你在今天的 PEFT
# 里走过这条路。现在你同时走两遍，一行对一行，找出三处变化：一处在怎样填好配置，一处在交给模型的是什么，还有一处修好了一个不声不响的错误。学完这一课，你能够
#
# - 让两个版本同步地走，说出它们给出的数一直相同到哪里；
# - 分清一个函数只是搬了家，还是做的事变了；
# - 说出你 2023 年写的代码今天会在哪里出错，又有哪些文本，当年就可能算错了。
#
# 大约需要 25 分钟。从头开始：**Shift + Enter** 运行一个单元格，并移到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import peft

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny_t5, show_progress
from prefix_lab.course.lessons.lesson_16 import (
    all_changes,
    check_equal_until,
    check_handed_on,
    check_prepared,
    check_text_unread,
    loss_of,
    side_by_side,
    walked,
    where_it_decides,
)

# %% [markdown] lang="en"
# ## An old PEFT beside today's
#
# The next cell needs PEFT 0.4.0 and the transformers of its month, 4.31.0. They go into a folder of their own and leave
# your installation as it is: about 130 MB on the disk, of which some 12 come over the net; torch is shared. **You are
# asked first**: type `y` below the cell. After that no network is needed again. The first time, installing and finding
# the names of all axes takes about a minute; later it takes seconds.
#
# `walked` is `record_walk` of lesson 12: it wraps the tiny T5, runs two words forwards and backwards, and keeps every
# line. Both walks have the same model, words and seed.

# %% [markdown] lang="zh"
# ## 旧的 PEFT 放在今天的旁边
#
# 下一个单元格需要 PEFT 0.4.0，以及那个月的 transformers 4.31.0。它们装进自己的文件夹，不动你现有的安装：磁盘上大约 130 MB，其中约 12 MB
# 从网上下载；torch 是共用的。**会先问你**：在单元格下面输入 `y`。以后就不再需要网络。第一次要安装，还要找出所有轴的名字，大约一分钟；以后只要几秒钟。
#
# `walked` 就是第 12 课的 `record_walk`：它包装微型 T5，让两个单词前向、反向各走一遍，记下每一行。两次走的是同样的模型、单词和随机种子。

# %%
then, now = walked("peft==0.4.0"), walked("peft")
print(f"loss in 2023: {loss_of(then)}, now: {loss_of(now)}")

# %% [markdown] lang="en"
# <details><summary>If PEFT 0.4.0 cannot be had</summary>
#
# Without a network, or on a Python for which 0.4.0 was never built, the cell above says so and goes on. Then each of the
# pictures below shows today's PEFT alone, and above it stands in words what there is to see in 2023. The stop and all
# four exercises work as well. To try again, run the cell again; Python 3.11 has everything that is needed.
#
# </details>
#
# The same loss, to six digits; whether to the last one is up to your processor. But the ways to it differ, and somewhere
# on the way the numbers do, too. What do you expect: after three years and hundreds of changed lines, up to which stage
# is everything equal, to the last bit? Say it first. Then look: one side is 2023, the other now. Choose a stage, and
# both go to where it begins; the sign beside its name leads to its end. `=` means that what the stage gives is equal,
# `≠` that it is not. (The stages stand in the order in which they *begin*: attend calls split, and split calls encode.)

# %% [markdown] lang="zh"
# <details><summary>如果没法装 PEFT 0.4.0</summary>
#
# 没有网络，或者你的 Python 从来没有 0.4.0 可用的安装包，上面的单元格会说明原因，然后继续。这时下面的每张图都只显示今天的 PEFT，上方用文字说明 2023
# 年那边能看到什么。停点和四道练习照样能做。想再试一次，就再运行那个单元格；Python 3.11 需要的东西都有。
#
# </details>
#
# 损失的前六位数一样；最后一位是否也一样，要看你的处理器。可是走的路不同，路上某处的数也不同。你猜：过了三年，改了几百行，到哪个阶段为止，一切都逐位相同？先说出来，再看：
# 一边是 2023 年，一边是现在。选一个阶段，两边都走到它的开头；名字旁边的符号带你到它的结尾。`=` 表示这个阶段给出的东西相同，`≠` 表示不同。
# （各阶段按*开始*的先后排列：attend 调用 split，split 调用 encode。）

# %%
side_by_side(then, now, "choose")

# %% [markdown] lang="en"
# ### Exercise 1 · equal, up to where?
#
# The walk goes through choose, prepare, wrap, encode, split, attend. Which is the last of them whose result is equal?
#
# - `"a"`: wrap
# - `"b"`: encode
# - `"c"`: split
# - `"d"`: attend

# %% [markdown] lang="zh"
# ### 练习 1 · 相同到哪里为止？
#
# 这条路依次经过 choose、prepare、wrap、encode、split、attend。结果仍然相同的最后一个阶段是哪个？
#
# - `"a"`：wrap
# - `"b"`：encode
# - `"c"`：split
# - `"d"`：attend

# %% [markdown] lang="en" tags=["hint"]
# Look at the signs beside the names, in the order of the question. (Without 0.4.0: think. The seed is the same, and
# so is the table; what has lesson 01 told you of `get_prompt`?)

# %% [markdown] lang="zh" tags=["hint"]
# 按题目里的次序，看各个阶段名旁边的符号。（没有 0.4.0 的话，就想一想：随机种子相同，那张表也相同；关于 `get_prompt`，第 1 课告诉过你什么？）

# %% tags=["exercise"]
check_equal_until(...)

# %% tags=["solution"]
check_equal_until("b")

# %% [markdown] lang="en"
# ## The first change
#
# `prepare` fills the sizes in that you left out. In 2023 it runs **twice**, today once. And its arrow takes another way:
# the number of layers is 3 both times, but read from another name. Below, both sides stand where it begins for the first
# time. `n` goes on line by line, on both sides. `☰` above a side opens its variables, and
# below them “Calls around this step”: who called.
#
# ### Exercise 2 · the first change: another branch
#
# From which name in the model's config is `num_layers` read in 2023, and from which now? And which function calls
# `_prepare_prompt_learning_config` in 2023, and does so no longer?

# %% [markdown] lang="zh"
# ## 第一处变化
#
# `prepare` 补上你没有写的大小。2023 年它走**两次**，今天只走一次。而且箭头走的路不同：层数两次都是 3，却是从不同的名字读来的。下面，两边都停在它第一次开始的地方。按 `n`
# 一行一行往前走，两边一起动。每一边上方的 `☰` 会打开它的变量，下面是“这一步的调用栈”：是谁调用的。
#
# ### 练习 2 · 第一处变化：走了另一个分支
#
# `num_layers` 在 2023 年是从模型配置里的哪个名字读来的，现在又是哪个？2023 年有哪个函数调用 `_prepare_prompt_learning_config`，如今不再调用了？

# %% [markdown] lang="en" tags=["hint"]
# On each side: does the arrow go into the first `if` below `if peft_config.num_layers is None:`, or on to an `elif`?

# %% [markdown] lang="zh" tags=["hint"]
# 在每一边看：到了 `if peft_config.num_layers is None:` 下面，箭头是走进第一个 `if`，还是继续走到 `elif`？

# %% [markdown] lang="en" tags=["hint"]
# In “Calls around this step” the caller stands right below the function where you are. It is not the same on both
# sides: the one of 2023 is the answer.

# %% [markdown] lang="zh" tags=["hint"]
# 在“这一步的调用栈”里，紧挨着当前函数下面的就是调用者。两边的不一样：2023 年那边的就是答案。

# %%
side_by_side(then, now, "prepare")

# %% tags=["exercise"]
check_prepared({"then": ..., "now": ..., "no_longer": ...})

# %% tags=["solution"]
check_prepared({"then": "num_layers", "now": "num_hidden_layers", "no_longer": "get_peft_model"})

# %% [markdown] lang="en"
# ## The second change
#
# `get_prompt` begins alike: encode, view, double, permute, split. Both sides below stand at its end. In 2023 the split
# is the end; today more lines follow. What does the model get?
#
# Here is also a live stop, in the PEFT that is installed on your machine. `r` runs to the end of the function; then ask.
# One more thing to try there: `p past_key_values[0]`, as code of 2023 writes it.
#
# ### Exercise 3 · the second change: what is handed on
#
# Of which class is the thing that today's `get_prompt` hands back? And for how many virtual tokens does a layer's
# cross-attention find keys in it: in 2023, and now?

# %% [markdown] lang="zh"
# ## 第二处变化
#
# `get_prompt` 的开头两边一样：编码、view、翻倍、permute、split。下面两边都停在它的结尾。2023 年，切开就结束了；今天后面还有几行。模型拿到的是什么？
#
# 这里还有一个停点，停在你机器上安装的 PEFT 里。`r` 运行到函数末尾，然后提问。在那里还可以试一样东西：`p past_key_values[0]`，2023 年的代码就是这样写的。
#
# ### 练习 3 · 第二处变化：交出去的是什么
#
# 今天的 `get_prompt` 交回的东西属于哪个类？一层的交叉注意力能在里面找到多少个虚拟词元的键：2023 年是多少，现在是多少？

# %% [markdown] lang="en" tags=["hint"]
# 2023: below the two sides, or behind `☰`, `past_key_values` is a tuple with a tensor for each layer, (4, 2, 4, 20, 32) =
# (own key, own value, cross key, cross value; batch; heads; prefix_len; head_dim).

# %% [markdown] lang="zh" tags=["hint"]
# 2023 年：在两边下面的对照里，或者在 `☰` 打开的变量里，`past_key_values` 是一个元组，每层一个张量，(4, 2, 4, 20, 32) =
# （自己的键、自己的值、交叉的键、交叉的值；批次；头数；前缀长度；每头维度）。

# %% [markdown] lang="en" tags=["hint"]
# Now: at the stop, `p type(past_key_values)`, and then one of its two parts, `p past_key_values.cross_attention_cache`.
# A cache without layers has keys for no token.

# %% [markdown] lang="zh" tags=["hint"]
# 现在：在停点上输入 `p type(past_key_values)`，再看它两部分中的一个：`p past_key_values.cross_attention_cache`。没有任何层的缓存，就没有任何词元的键。

# %%
side_by_side(then, now, "split", end=True)

# %% tags=["exercise"]
base, tokenizer = load_tiny_t5()
words = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
wrapped = peft.get_peft_model(base, peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
with stop_at("split", where="peft", suggest=["r", "p type(past_key_values)", "p past_key_values[0]"]) as stop:
    loss = wrapped(**words, labels=words.input_ids).loss

check_handed_on(stop, {"now": ..., "cross_then": ..., "cross_now": ...})

# %% tags=["solution"]
base, tokenizer = load_tiny_t5()
words = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
wrapped = peft.get_peft_model(base, peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20))
with stop_at(
    "split",
    where="peft",
    commands=["r", "p type(past_key_values)", "p past_key_values.cross_attention_cache.get_seq_length()", "c"],
) as stop:
    loss = wrapped(**words, labels=words.input_ids).loss

check_handed_on(stop, {"now": "EncoderDecoderCache", "cross_then": 20, "cross_now": 0})

# %% [markdown] lang="en"
# So code from 2023 that takes `past_key_values[0][0]` ends in a `TypeError` today: write
# `past_key_values.self_attention_cache.layers[0].keys`, or of a GPT-2, `past_key_values.layers[0].keys`.
#
# ## The third change
#
# But a tuple or a Cache, it is the same keys that self-attention reads. What about those that 2023 handed to
# cross-attention, and that today are thrown away? Cross-attention is to read the *text*. T5's attention of transformers
# 4.31.0 has a function `project` that decides where its keys come from. The stepper stands before the line. If the
# condition is true, keys are made of the text, as they should be. If not, the last `else` takes what came with
# `past_key_values`: the prefix.

# %% [markdown] lang="zh"
# 所以，2023 年的代码如果写了 `past_key_values[0][0]`，今天会得到 `TypeError`：请改写成
# `past_key_values.self_attention_cache.layers[0].keys`；如果是 GPT-2，就写 `past_key_values.layers[0].keys`。
#
# ## 第三处变化
#
# 不过，无论是元组还是 Cache，自注意力读到的键是同样的。那么，2023 年交给交叉注意力、今天却扔掉的那些键呢？交叉注意力要读的是*文本*。transformers 4.31.0 里，T5
# 的注意力有一个函数 `project`，决定键从哪里来。单步调试器停在那一行之前。条件为真，键就由文本算出，本该如此。条件为假，最后的 `else` 就拿走随 `past_key_values`
# 一起来的东西：前缀。

# %%
where_it_decides(then)

# %% [markdown] lang="en"
# The line reads, with names for its sizes: `elif prefix_len != source:`. `past_key_value.shape[2]` is the number of
# virtual tokens, 20; `key_value_states.shape[1]` is how many tokens the text has, 7 here (in a batch, as many as the
# longest one).
#
# ### Exercise 4 · the third change: when was the text not read?
#
# Write a function that is `True` when the decoder of 2023 gets the prefix where it should read the text.

# %% [markdown] lang="zh"
# 给各个大小起上名字，这一行就是：`elif prefix_len != source:`。`past_key_value.shape[2]` 是虚拟词元的个数，20；`key_value_states.shape[1]`
# 是文本有多少个词元，这里是 7（一个批次里，按最长的那条算）。
#
# ### 练习 4 · 第三处变化：什么时候没有读文本？
#
# 写一个函数：当 2023 年的解码器本该读文本、拿到的却是前缀时，它返回 `True`。

# %% [markdown] lang="en" tags=["hint"]
# With 20 and 7 the condition is true, and all is well. With which numbers is it false?

# %% [markdown] lang="zh" tags=["hint"]
# 20 和 7 的时候条件为真，一切正常。哪两个数会让它为假？


# %% tags=["exercise"]
def text_unread(prefix_len, source):
    return ...  # True or False


check_text_unread(text_unread)


# %% tags=["solution"]
def text_unread(prefix_len, source):
    return prefix_len == source


check_text_unread(text_unread)

# %% [markdown] lang="en"
# Is it so? The two words have 7 tokens each. Say first what you expect of the losses: with 8 virtual tokens, then and
# now, and with 7. (These are walks of their own, about ten seconds together.)

# %% [markdown] lang="zh"
# 真是这样吗？两个单词各有 7 个词元。先说说你预计的损失：用 8 个虚拟词元，当年和现在各是多少？用 7 个呢？（每一个都要重新走一遍，一共约十秒。）

# %%
for prefix_len in (8, 7):
    for where in ("peft==0.4.0", "peft"):
        print(prefix_len, where, loss_of(walked(where, prefix_len)))

# %% [markdown] lang="en"
# With 8 both agree to six digits. With 7 the loss of 2023 is twice as high: 6.28 in place of 3.03. Its decoder has read
# 7 virtual tokens and not a letter of the words. No error, no wrong shape, no warning: in a training, those batches
# alone whose longest text had as many tokens as the prefix.
#
# Today's `get_prompt` makes it impossible. `past_key_values.cross_attention_cache = DynamicCache()` throws the keys for
# cross-attention away, so that it has to make them of the text. (Half of the prefix of lesson 09 is lost there, too.)
# Here is all that has changed on the way:

# %% [markdown] lang="zh"
# 用 8 个时，两边前六位数都一致。用 7 个时，2023 年的损失是今天的两倍：6.28，而不是 3.03。它的解码器读了 7 个虚拟词元，单词却一个字母也没读到。没有报错，形状没有错，
# 也没有警告：训练时，只有最长的文本恰好和前缀一样长的那些批次会这样。
#
# 今天的 `get_prompt` 不会再这样。`past_key_values.cross_attention_cache = DynamicCache()` 把给交叉注意力的键扔掉，
# 于是交叉注意力只能由文本算出键来。（第 9 课里，前缀的那一半也是在这里丢掉的。）下面是一路上所有的变化：

# %%
all_changes(then, now)

# %% [markdown] lang="en"
# “moved” says that a function stands in another file, “new” which arguments it takes today and did not then. (The
# logits differ in the last digits alone.)
#
# ## Other years
#
# `prefix-lab walk --peft 0.13.2` in a terminal prints such a table for any release from 0.3 to 0.18; each is installed
# once, after a question. In Python it is `record_walk("peft==0.13.2")`. A question to take home: which release was the
# first to hand on a Cache? Halve the years, as `git bisect` does, and four walks are enough.
#
# ## What you have seen
#
# - The same seed gives the same prefix, three years apart, to the last bit: a table, a lookup, a projection.
# - A function that has moved is found by its name; one that does something else by the first value that differs.
# - What a test does not ask for stays: a T5 that does not read its text at one length raises no error.
#
# Read next: the docstring of `prefix_lab/years/environment.py`, how an old release gets an environment that shares
# today's torch; and `prefix_lab/years/beside.py`, which finds a stage by name, wherever its file is.

# %% [markdown] lang="zh"
# “搬家”表示函数换了文件，“新增”列出今天多收的参数。（logits 只在最后几位不同。）
#
# ## 其他年份
#
# 在终端里运行 `prefix-lab walk --peft 0.13.2`，就会打印出这样一张表；0.3 到 0.18 的每个版本都行，问过你之后各装一次。在 Python 里是
# `record_walk("peft==0.13.2")`。留一个问题给你：哪个版本最先交出 Cache？像 `git bisect` 那样每次把范围减半，走四遍就够了。
#
# ## 你看到了什么
#
# - 相隔三年，同样的随机种子给出同样的前缀，逐位相同：一张表，一次查表，一个投影。
# - 搬了家的函数，按名字去找；做的事变了的函数，按第一个不同的值去找。
# - 测试没有问到的，就会一直留着：T5 在某一个长度上不读文本，并不会报错。
#
# 接着读：`prefix_lab/years/environment.py` 开头的说明，讲旧版本怎样得到一个与今天共用 torch 的环境；还有 `prefix_lab/years/beside.py`，
# 不管一个阶段的文件在哪里，它都按名字找到。

# %%
show_progress(16)
