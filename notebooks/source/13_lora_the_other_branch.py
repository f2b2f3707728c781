# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 13 · LoRA, the other branch
#
# `get_peft_model` takes a prefix and LoRA alike, and the two part inside. You will stop on LoRA's side of the fork,
# find out which of its matrices learns first, and then solve an old case: one docstring in PEFT has been copied into
# many notebooks, with a number that `print_trainable_parameters` no longer prints. Who is wrong? On the way you will
# learn to
#
# - see where `get_peft_model` parts for LoRA and for a prefix, and why;
# - write a LoRA layer, and merge it;
# - say what each of the two trains, reads and costs, on a model that writes sentences.
#
# It takes about 25 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 13 · LoRA：另一条分支
#
# `get_peft_model` 既接受前缀，也接受 LoRA，两者进去以后分成两路。你会停在 LoRA 那一路，看它的两个矩阵哪一个先学；然后破一桩旧案：PEFT 的一段 docstring 被抄进了许多笔记本，里面有一个数，和 `print_trainable_parameters` 如今打印的对不上。是谁错了？一路上你会学会
#
# - 看出 LoRA 和前缀在 `get_peft_model` 里的什么地方分开，为什么；
# - 写一个 LoRA 层，再把它合并；
# - 在一个会写句子的模型上，说出两者各训练什么、读什么、代价是多少。
#
# 大约需要 25 分钟。从最上面开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import inspect

import peft
import torch
from peft.tuners.lora import LoraModel

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny, show_progress, show_stage, table, train, world_task
from prefix_lab.course.lessons.lesson_13 import (
    check_branch,
    check_learns_first,
    check_lora_layer,
    check_merge,
    check_stale_total,
    example_of,
    numbers_in,
    record_wrapping,
    where_they_part,
    without_weights,
)
from prefix_lab.widgets import ParameterBars, Stepper

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Where the branches part
#
# Two configs for the tiny GPT-2 that writes about places to eat. For LoRA one says which layers to change:
# `c_attn`, which makes query, key and value at once. (It is a `Conv1D`, whose weight lies the other way round than a
# `Linear`'s; `fan_in_fan_out` says so.)

# %% [markdown] lang="zh"
# ## 分支在哪里分开
#
# 给介绍餐馆的微型 GPT-2 准备两份配置。用 LoRA，要写明改哪些层：这里是 `c_attn`，它一次算出查询、键和值。（它是 `Conv1D`，权重的方向和 `Linear` 的相反；
# `fan_in_fan_out` 说的就是这件事。）

# %%
model, tokenizer = load_tiny("gpt2")
prefix_config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10)
lora_config = peft.LoraConfig(task_type="CAUSAL_LM", r=5, target_modules=["c_attn"], fan_in_fan_out=True)

# %% [markdown] lang="en"
# ### Exercise 1 · on LoRA's side of the fork
#
# You stand deep inside: PEFT is about to replace a layer. Which one, and of which class (`target`)? Then climb to
# `PeftModel.__init__`, where the two branches part. Its variable `cls` is the class that it took for LoRA; and the `if`
# above asked for one attribute. Write the three names down.

# %% [markdown] lang="zh"
# ### 练习 1 · 在 LoRA 那一路上
#
# 你停在很深的地方：PEFT 正要换掉一层。换的是哪一层，它是什么类（`target`）？然后上到 `PeftModel.__init__`，两条分支就在那里分开。变量 `cls` 是它为 LoRA 选的类；
# 上面的 `if` 问的是一个属性。写下这三个名字。

# %% [markdown] lang="en" tags=["hint"]
# `w` lists the callers; `u 2` climbs two at once. `l` shows the lines around, with an arrow at the one that runs.

# %% [markdown] lang="zh" tags=["hint"]
# `w` 列出调用者；`u 2` 一次上两个栈帧。`l` 显示前后几行，箭头指着正在运行的那一行。

# %% [markdown] lang="en" tags=["hint"]
# In `PeftModel.__init__`, `p cls` prints the class. What stands between `if` and `:` is the attribute.

# %% [markdown] lang="zh" tags=["hint"]
# 在 `PeftModel.__init__` 里，`p cls` 打印这个类。`if` 和 `:` 之间写的就是那个属性。

# %% tags=["exercise"]
with stop_at(LoraModel._create_and_replace, times=1, suggest=["p current_key", "p target", "w", "c"]) as stop:
    peft.get_peft_model(load_tiny("gpt2")[0], lora_config)
check_branch(stop, {"target": ..., "cls": ..., "asked": ...})

# %% tags=["solution"]
to_the_fork = ["p type(target)", "u 3", "p cls, self._is_prompt_learning", "c"]
with stop_at(LoraModel._create_and_replace, times=1, commands=to_the_fork) as stop:
    peft.get_peft_model(load_tiny("gpt2")[0], lora_config)
check_branch(stop, {"target": "Conv1D", "cls": "LoraModel", "asked": "_is_prompt_learning"})

# %% [markdown] lang="en"
# Here is the whole way, recorded for both. The stepper stands at LoRA's first line of its own; one step back is the
# question, a few steps on, `PEFT_TYPE_TO_TUNER_MAPPING` gives the class.

# %% [markdown] lang="zh"
# 下面是两边的完整过程，都录了下来。单步调试器停在 LoRA 自己的第一行；往回一步就是那个判断，再往前几步，`PEFT_TYPE_TO_TUNER_MAPPING` 给出类。

# %%
with_prefix = record_wrapping(load_tiny("gpt2")[0], prefix_config)
with_lora = record_wrapping(load_tiny("gpt2")[0], lora_config)
fork, prefix_line, lora_line = where_they_part(with_prefix, with_lora, "PeftModel.__init__")
print(f"{fork.text.strip()}\n    {prefix_line.text.strip()}\n    {lora_line.text.strip()}")
Stepper(with_lora, at=lora_line, height="520px")

# %% [markdown] lang="en"
# `is_prompt_learning` decides. A prefix is something to *read*: the wrapper keeps the base as it is, and must know the
# task, to hand a cache over. LoRA *changes layers*: a `LoraModel` replaces them, and the call goes straight through.
# That is why LoRA may do without a `task_type`, too. Ours gives LoRA a wrapper of its own, whose call goes straight
# through:

# %% [markdown] lang="zh"
# 由 `is_prompt_learning` 决定走哪边。前缀是给模型*读*的：包装器让基座模型保持原样，但要知道任务，才好把缓存交过去。LoRA 则*改动层*：`LoraModel` 把层换掉，调用直接穿过去。
# 正因为如此，LoRA 没有 `task_type` 也行。我们的代码给 LoRA 单独一个包装器，调用也直接穿过它：

# %%
show_stage(
    "choose", mark=("is_prompt_learning", "self.base_model("), also=("prefix_lab.beside.lora.LoraPeftModel.forward",)
)

# %% [markdown] lang="en"
# And in the forward? A hook on the base model notes what arrives there, with each of the two.

# %% [markdown] lang="zh"
# forward 又怎样呢？在基座模型上挂一个钩子，记下两种情况各有什么到达那里。

# %%
text = tokenizer("name calm dragon food noodles area old town =", return_tensors="pt")
for one in (prefix_config, lora_config):
    wrapped, arrived = peft.get_peft_model(load_tiny("gpt2")[0], one).eval(), {}
    base = wrapped.get_base_model()
    base.register_forward_pre_hook(lambda module, args, named, kept=arrived: kept.update(named), with_kwargs=True)
    with torch.no_grad():
        wrapped(**text)
    print(one.peft_type.value, tuple(arrived["attention_mask"].shape), type(arrived.get("past_key_values")).__name__)

# %% [markdown] lang="en"
# ## Inside a layer
#
# A replaced layer has its old self as `base_layer`, and beside it two matrices: A leads from `wide_in` to `r`, B from
# `r` to `wide_out`, neither with a bias. Stop where such a layer runs for the first time. What are `wide_in` and
# `wide_out` here? And how large is the largest number in each matrix: `p self.lora_A['default'].weight.abs().max()`?

# %% [markdown] lang="zh"
# ## 一层的里面
#
# 换上去的层把原来那一层留作 `base_layer`，旁边是两个矩阵：A 从 `wide_in` 到 `r`，B 从 `r` 到 `wide_out`，都没有偏置。在这样的层第一次运行时停下。
# 这里的 `wide_in` 和 `wide_out` 是多少？每个矩阵里最大的数又是多少：`p self.lora_A['default'].weight.abs().max()`？

# %%
with stop_at(
    peft.tuners.lora.Linear.forward,
    times=1,
    suggest=[
        "p self.base_layer",
        "p self.lora_A['default'].weight.shape",
        "p self.lora_B['default'].weight.shape",
        "c",
    ],
):
    wrapped(**text)

# %% [markdown] lang="en"
# ### Exercise 2 · which matrix learns first?
#
# One of the two is all zeros at the start, so that nothing has changed yet. `slopes` gives the largest number in the
# gradients of each. Stop in `backward`, let it run with `r`, climb to the cell with `u`, and ask
# `p slopes(fresh)`. Which matrix,
# `"lora_A"` or `"lora_B"`, is zero at the start, and which gets a gradient in the first step?

# %% [markdown] lang="zh"
# ### 练习 2 · 哪个矩阵先学？
#
# 两个矩阵中有一个开始时全是零，所以一开始，输出和原来一样。`slopes` 给出每个矩阵的梯度里最大的数。停在 `backward` 里，用 `r` 让它运行完，用 `u` 上到单元格，再问 `p slopes(fresh)`。
# 哪个矩阵（`"lora_A"` 还是 `"lora_B"`）开始时是零，哪个在第一步就得到梯度？

# %% [markdown] lang="en" tags=["hint"]
# `r` runs `backward` to its end, `u` climbs to the cell.

# %% [markdown] lang="zh" tags=["hint"]
# `r` 把 `backward` 运行到结束，`u` 上到单元格。

# %% [markdown] lang="en" tags=["hint"]
# The layer gives W x + B (A x). If B is zero, a small change of A changes nothing.

# %% [markdown] lang="zh" tags=["hint"]
# 这一层给出 W x + B (A x)。B 若是零，A 变一点点，结果也不会变。


# %%
def slopes(model):
    found = {"lora_A": 0.0, "lora_B": 0.0}
    for name, one in model.named_parameters():
        if one.grad is not None:
            kind = "lora_A" if "lora_A" in name else "lora_B"
            found[kind] = max(found[kind], one.grad.abs().max().item())
    return found


# %% tags=["exercise"]
fresh = peft.get_peft_model(load_tiny("gpt2")[0], lora_config)
with stop_at(torch.Tensor.backward, suggest=["p self", "r", "u", "c"]) as stop:
    fresh(**text, labels=text["input_ids"]).loss.backward()
check_learns_first(stop, {"zero_at_start": ..., "learns_first": ...})

# %% tags=["solution"]
fresh = peft.get_peft_model(load_tiny("gpt2")[0], lora_config)
with stop_at(torch.Tensor.backward, commands=["r", "u", "p slopes(fresh)", "c"]) as stop:
    fresh(**text, labels=text["input_ids"]).loss.backward()
check_learns_first(stop, {"zero_at_start": "lora_B", "learns_first": "lora_B"})

# %% [markdown] lang="en"
# ### Exercise 3 · a LoRA layer of your own
#
# Five lines are missing. `down` is A, `up` is B; the call gives `W x + alpha / r · B A x`, and at the start nothing has
# changed.

# %% [markdown] lang="zh"
# ### 练习 3 · 自己写一个 LoRA 层
#
# 缺五行。`down` 是 A，`up` 是 B；调用给出 `W x + alpha / r · B A x`，一开始和原来的层一样。

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.Linear(a, b, bias=False)` leads from a to b. `base.in_features` and `base.out_features` know the widths.

# %% [markdown] lang="zh" tags=["hint"]
# `torch.nn.Linear(a, b, bias=False)` 从 a 到 b。宽度在 `base.in_features` 和 `base.out_features` 里。

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.init.zeros_(self.up.weight)` sets B to zero. If A were zero as well, neither would ever get a gradient.

# %% [markdown] lang="zh" tags=["hint"]
# `torch.nn.init.zeros_(self.up.weight)` 把 B 设成零。如果 A 也是零，两者就永远得不到梯度。


# %% tags=["exercise"]
class MyLora(torch.nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = ...
        self.up = ...
        # here: B starts at zero
        self.scaling = ...

    def forward(self, x):
        return ...


check_lora_layer(MyLora)


# %% tags=["solution"]
class MyLora(torch.nn.Module):
    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = torch.nn.Linear(base.in_features, r, bias=False)
        self.up = torch.nn.Linear(r, base.out_features, bias=False)
        torch.nn.init.zeros_(self.up.weight)
        self.scaling = alpha / r

    def forward(self, x):
        return self.base(x) + self.scaling * self.up(self.down(x))


check_lora_layer(MyLora)

# %% [markdown] lang="en"
# ### Exercise 4 · merge it
#
# The addition is linear, so one matrix can do both: W with the addition inside. `a` is (r, wide_in), `b` is
# (wide_out, r), `weight` is (wide_out, wide_in).

# %% [markdown] lang="zh"
# ### 练习 4 · 合并它
#
# 加上去的部分是线性的，所以可以把它加进 W，合成一个矩阵。`a` 是 (r, wide_in)，`b` 是 (wide_out, r)，`weight` 是 (wide_out, wide_in)。

# %% [markdown] lang="en" tags=["hint"]
# `@` multiplies matrices. Which order gives (wide_out, wide_in)?

# %% [markdown] lang="zh" tags=["hint"]
# `@` 是矩阵乘法。哪种顺序得出 (wide_out, wide_in)？


# %% tags=["exercise"]
def merged(weight, a, b, scaling):
    return ...


check_merge(merged)


# %% tags=["solution"]
def merged(weight, a, b, scaling):
    return weight + scaling * b @ a


check_merge(merged)

# %% [markdown] lang="en"
# PEFT calls it `merge_and_unload`. Here with an addition that is not zero any more; then the same wish for a prefix.

# %% [markdown] lang="zh"
# PEFT 把它叫作 `merge_and_unload`。下面先让加上去的部分不再是零，再合并；然后对前缀提出同样的要求。

# %%
torch.manual_seed(0)
tuned = peft.get_peft_model(load_tiny("gpt2")[0], lora_config).eval()
with torch.no_grad():
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            parameter.normal_(std=0.02)
    apart = tuned(**text).logits
    plain_again = tuned.merge_and_unload()
    together = plain_again(**text).logits
print(type(plain_again).__name__, f"{(apart - together).abs().max().item():.0e}")

prefixed = prefix_lab.get_peft_model(
    load_tiny("gpt2")[0], prefix_lab.PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=10)
)
try:
    prefixed.merge_and_unload()
except ValueError as error:
    print("ValueError:", error)

# %% [markdown] lang="en"
# ## Both on one task
#
# Ten virtual tokens and rank 5 train equally many numbers here, 10,240. Both learn the same task from the same batches:
# a record in, a plain sentence out. Only the rate differs, since LoRA begins at the model itself, and a prefix at
# random.

# %% [markdown] lang="zh"
# ## 同一个任务，两种办法
#
# 在这里，十个虚拟词元和秩为 5 的矩阵，训练的数一样多，都是 10,240 个。两者用同样的批次学同一个任务：读一条记录，写一句普通的话。只有学习率不同，因为 LoRA 从模型本身出发，前缀从随机数出发。

# %%
described = world_task("CAUSAL_LM")
test, rows = described.examples("test")[:20], []
for one, rate in ((prefix_config, 0.03), (lora_config, 0.01)):
    torch.manual_seed(0)
    student = peft.get_peft_model(load_tiny("gpt2")[0], one)
    history = train(
        student, described, steps=40, rate=rate, tokenizer=tokenizer, batch_size=8, measured_on=0, progress=""
    )
    right = described.score(student, tokenizer, test)
    rows.append((one.peft_type.value, student.get_nb_trainable_parameters()[0], rate, f"{history[-1]:.2f}", right))
table(("peft_type", "trains", "rate", "loss", "right"), rows)

# %% [markdown] lang="en"
# One run each says little: `python -m prefix_lab.course.experiments tasks` has all six tasks with five seeds. What does
# not depend on luck is what they cost afterwards. A merged LoRA costs nothing more, and the model is that one from then
# on. A prefix costs its keys and values in each layer's cache, and leaves the base free for another prefix at the next
# request (lesson 11).

# %% [markdown] lang="zh"
# 各跑一次说明不了什么：`python -m prefix_lab.course.experiments tasks` 里有全部六个任务，每个用五个随机种子。不看运气的，是训练之后的代价。
# LoRA 合并以后没有额外开销，只是模型从此就成了那一个。前缀的代价，是每一层的缓存里多出它的键和值；但基座模型没有变，下一个请求可以换别的前缀（第 11 课）。

# %% [markdown] lang="en"
# ## What each way trains
#
# Move the sliders: how long may a prefix be until it trains as much as LoRA does?

# %% [markdown] lang="zh"
# ## 两种办法各训练什么
#
# 拖动滑块：前缀要多长，训练的数才和 LoRA 一样多？

# %%
ParameterBars("t5-base", prefix_len=20, r=8)


# %% [markdown] lang="en"
# ## An old case: the famous example
#
# t5-base, LoRA on `q` and `v`, and a count of parameters: it stands in the docstring of the class for `SEQ_2_SEQ_LM`,
# in your own installation. `example_of` takes the config and the printed line out of the text.

# %% [markdown] lang="zh"
# ## 一桩旧案：那个有名的例子
#
# t5-base，LoRA 加在 `q` 和 `v` 上，还有一个参数总数：它就写在 `SEQ_2_SEQ_LM` 那个类的 docstring 里，在你自己装的 PEFT 里就有。
# `example_of` 从这段文字里取出配置和打印的那一行。

# %%
docstring = inspect.getdoc(peft.PeftModelForSeq2SeqLM)
print(docstring[docstring.index("Example:") :])
example, printed = example_of(peft.PeftModelForSeq2SeqLM)

# %% [markdown] lang="en"
# `get_peft_config` looks at one field, `peft_type`, picks the class, and gives it the whole dict. Ours does the same,
# from a table that you can read:

# %% [markdown] lang="zh"
# `get_peft_config` 只看一个字段 `peft_type`，据此选出类，再把整个字典交给它。我们的也这样做，用的是一张你能读到的表：

# %%
config, own = peft.get_peft_config(example), prefix_lab.get_peft_config(example)
print(type(config), type(own), sep="\n", end="\n\n")
print(inspect.getsource(peft.get_peft_config))
print(inspect.getsource(prefix_lab.get_peft_config))

# %% [markdown] lang="en"
# So each field of the dict has to be one of the class's. Many an old copy of this example has one more, `enable_lora`,
# which PEFT had once. Who complains, and of what?

# %% [markdown] lang="zh"
# 所以，字典里的每个字段，都必须是那个类有的。这个例子有许多旧抄本，里面多一个 `enable_lora`，PEFT 曾经有过它。报错的是谁，说的是什么？

# %%
try:
    peft.get_peft_config(example | {"enable_lora": None})
except TypeError as error:
    print("TypeError:", error)

# %% [markdown] lang="en"
# ## t5-base, without one weight
#
# On torch's meta device a tensor has a shape and no numbers. That is enough to count, needs no download, and takes no
# memory. Another size is one word away: `"t5-large"`, `"t5-small"`.

# %% [markdown] lang="zh"
# ## 一个权重也没有的 t5-base
#
# 在 torch 的 meta 设备上，张量有形状，没有数。用来计数已经够了，不用下载，也不占内存。想看别的大小，换一个词就行：`"t5-large"`、`"t5-small"`。

# %%
t5_base = without_weights("t5-base")
base_total = sum(parameter.numel() for parameter in t5_base.parameters())
q = t5_base.encoder.block[0].layer[0].SelfAttention.q
print(f"{base_total:,}", q.weight.device, q)

# %% [markdown] lang="en"
# Which layers? `q` and `v` of every attention: 12 in the encoder, 12 in the decoder, and 12 cross-attentions. Below:
# what A and B of all of them hold, then the docstring's line, and today's.

# %% [markdown] lang="zh"
# 换掉了哪些层？每个注意力的 `q` 和 `v`：编码器里 12 个注意力，解码器里 12 个，还有 12 个交叉注意力。下面依次是：所有 A 和 B 里一共有多少个数，docstring 里的那一行，以及今天打印的那一行。

# %%
peft_model = peft.get_peft_model(without_weights("t5-base"), config)
replaced = [name for name, module in peft_model.named_modules() if isinstance(module, peft.tuners.lora.Linear)]
r, wide = config.r, q.in_features
print(f"{len(replaced)} · {r} · ({wide} + {wide}) = {len(replaced) * r * (wide + wide):,}")
print(printed)
peft_model.print_trainable_parameters()

# %% [markdown] lang="en"
# As many numbers train, but *all params* is another. (Commas and rounding came later, too.) Now you are the detective:

# %% [markdown] lang="zh"
# 训练的数一样多，*all params* 却不同。（逗号和舍入也是后来才有的。）现在轮到你当侦探了：

# %%
then_trains, then_all = numbers_in(printed)[:2]
now_trains, now_all = peft_model.get_nb_trainable_parameters()
difference = then_all - now_all
print(f"{then_all:,} - {now_all:,} = {difference:,}")
print(f"{difference:,} / {len(replaced)} = {difference / len(replaced):,}")

# %% [markdown] lang="en"
# For each replaced layer 768 numbers, as many as such a layer is wide, frozen, and gone since. What has one number for
# each output? Ask a debugger: stop where PEFT makes its own layer from the old one, and look at both.

# %% [markdown] lang="zh"
# 每个被换掉的层差 768 个数，正好和这一层的宽度一样；这些数当年是冻结的，如今不见了。什么东西正好是每个输出一个数？去问调试器：停在 PEFT 用旧层做出自己的层的地方，把两个都看一看。

# %%
one_layer = peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=8, target_modules=["decoder.block.0.layer.0.SelfAttention.q"])
with stop_at(
    peft.tuners.lora.Linear.__init__,
    suggest=["p base_layer", "p base_layer.bias", "p torch.nn.Linear(768, 768).bias.shape", "c"],
):
    peft.get_peft_model(without_weights("t5-base"), one_layer)

# %% [markdown] lang="en"
# T5's `q` has no bias, and today PEFT keeps that very layer, as `base_layer`. In its first years PEFT's LoRA layer
# *was* an `nn.Linear` of its own (until November 2023, commit 5a3a5acff), and in the very first ones it was made with
# torch's usual bias, which nothing trained. The bias went on 1 December 2022, with `bias = target.bias is not None` in
# commit e3d6568a1. That commit also wrote the docstring: the number was counted before the mend that came with it.

# %% [markdown] lang="zh"
# T5 的 `q` 没有偏置，今天的 PEFT 把这一层原样留作 `base_layer`。最初几年，PEFT 的 LoRA 层自己*就是*一个 `nn.Linear`（直到 2023 年 11 月，提交 5a3a5acff）；
# 而最早的几个版本建它时，带着 torch 默认的偏置，从没有训练过。2022 年 12 月 1 日，提交 e3d6568a1 里的 `bias = target.bias is not None` 去掉了这个偏置。
# 那段 docstring 也是这个提交写的：那个数，是在同一个提交的改正生效之前数出来的。

# %% [markdown] lang="en"
# ### Exercise 5 · the stale total
#
# Prove it: what does the count print, if each replaced layer has a bias besides? `base` is the model before LoRA.

# %% [markdown] lang="zh"
# ### 练习 5 · 过时的总数
#
# 证明它：如果每个被换掉的层还多一个偏置，打印出的总数是多少？`base` 是加 LoRA 之前的模型。

# %% [markdown] lang="en" tags=["hint"]
# There are three parts, and two of them you know already. How many numbers has the bias of one replaced layer?

# %% [markdown] lang="zh" tags=["hint"]
# 一共三部分，其中两部分你已经知道了。一个被换掉的层，偏置有多少个数？


# %% tags=["exercise"]
def stale_total(base, replaced, wide_in, wide_out, r):
    return ...


check_stale_total(stale_total)


# %% tags=["solution"]
def stale_total(base, replaced, wide_in, wide_out, r):
    return base + replaced * r * (wide_in + wide_out) + replaced * wide_out


check_stale_total(stale_total)

# %% [markdown] lang="en"
# With t5-base's own numbers, to the last digit:

# %% [markdown] lang="zh"
# 代入 t5-base 自己的数，一位不差：

# %%
rebuilt = base_total + now_trains + len(replaced) * wide
print(f"trainable params: {then_trains} || all params: {rebuilt} || trainable%: {100 * then_trains / rebuilt}")
print(str(rebuilt) in printed and str(100 * then_trains / rebuilt) in printed)

# %% [markdown] lang="en"
# ## What you have seen
#
# Two branches: LoRA changes what a layer computes, and can be merged into it; a prefix changes what a layer reads, and
# cannot. And a number in a docstring can be wrong for years: count, divide, and look with a debugger.
#
# Read next: `prefix_lab/beside/lora.py`, from `LoraLinear` on, and section 4.1 of the paper (Hu and others, “LoRA:
# Low-Rank Adaptation of Large Language Models”, 2021, [arXiv 2106.09685](https://arxiv.org/abs/2106.09685)). Then the
# bug hunts of lesson 14.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 两条分支：LoRA 改变一层计算什么，可以合并进去；前缀改变一层读什么，不能合并。还有，docstring 里的一个数可以错上好几年：数一数，除一除，再用调试器看一看。
#
# 接着读：`prefix_lab/beside/lora.py`，从 `LoraLinear` 往下；还有论文的 4.1 节（Hu 等，
# “LoRA: Low-Rank Adaptation of Large Language Models”，2021，[arXiv 2106.09685](https://arxiv.org/abs/2106.09685)）。
# 然后是第 14 课的捉虫。

# %%
show_progress(13)
