# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 10 · Six tasks, six forwards
#
# `get_peft_model` has six classes to choose from. All of them make the same prefix. So why six? In this lesson you
# stop in the forward of each one, always with the same few questions. At the end you will be able to say, for each of
# them,
#
# - which mask grows by `prefix_len`, and which stays as you gave it;
# - what becomes of labels and token types;
# - who runs the head, and what trains beside the prefix.
#
# It takes about 30 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %% [markdown] lang="zh"
# # 10 · 六种任务，六个 forward
#
# `get_peft_model` 有六个类可选，造出的前缀都一样。那为什么要六个？这一课里，你会依次停进每个类的 `forward`，每次问的都是那几个问题。学完这一课，对其中每一个，你都能够说出
#
# - 哪个掩码会加长 `prefix_len`（前缀长度），哪个还是你给的样子；
# - 标签和词元类型（token types）后来怎样了；
# - 任务头由谁来运行，除了前缀还有什么在训练。
#
# 大约需要 30 分钟。从头开始：**Shift + Enter** 运行一个单元格，并跳到下一个。

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready(live=True)  # False: the lesson types at its stops

import warnings

import peft
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny, show_progress, table, world_task
from prefix_lab.course.experiments import show
from prefix_lab.course.lessons.lesson_10 import (
    check_causal_lm,
    check_ending,
    check_feature_extraction,
    check_question_ans,
    check_seq_2_seq_lm,
    check_seq_cls,
    check_token_cls,
    check_which_trains,
    draw_masks,
)
from prefix_lab.shapes import named
from prefix_lab.widgets import ParameterBars

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Six jobs in one small world
#
# Three models were pretrained on what is said about places to eat, and each job takes one of them: GPT-2 writes on, T5
# says a record in words, and BERT is put to four uses. Its heads are new, their numbers random. To look at a model of
# your own, put it in its place: `AutoModelForSequenceClassification.from_pretrained(…)` and its tokenizer.

# %% [markdown] lang="zh"
# ## 一个小世界里的六份工作
#
# 有三个模型，都用介绍餐馆的文本预训练过；每份工作用其中一个：GPT-2 接着往下写，T5 把一条记录写成句子，其余四份都由 BERT 来做。BERT 的任务头是新的，参数是随机的。想看你自己的模型，就把它换上去：
# `AutoModelForSequenceClassification.from_pretrained(…)`，以及它的分词器。

# %%
models = {
    "CAUSAL_LM": load_tiny("gpt2", AutoModelForCausalLM),
    "SEQ_2_SEQ_LM": load_tiny("t5", AutoModelForSeq2SeqLM),
    "SEQ_CLS": load_tiny("bert", AutoModelForSequenceClassification, num_labels=2),
    "TOKEN_CLS": load_tiny("bert", AutoModelForTokenClassification, num_labels=4),
    "QUESTION_ANS": load_tiny("bert", AutoModelForQuestionAnswering),
    "FEATURE_EXTRACTION": load_tiny("bert", AutoModel),
}
tasks = {task_type: world_task(task_type) for task_type in models}
examples = {task_type: task.examples("test")[:2] for task_type, task in tasks.items()}
table(
    ("task_type", "model", "source", "target"),
    [
        (task_type, type(models[task_type][0]).__name__, task.source(one), str(task.target(one)))
        for (task_type, (one, _)), task in zip(examples.items(), tasks.values(), strict=True)
    ],
)

# %% [markdown] lang="en"
# Each model is wrapped by PEFT with a prefix of five, and two examples of each job become a batch. (T5 also gets a mask
# for its target, and the question its token types: 0 for the question, 1 for the text.) Keep the widths in mind.

# %% [markdown] lang="zh"
# 每个模型都由 PEFT 包装，前缀长度是五；每份工作取两个例子，组成一个批次。（T5 另外还有目标的掩码；问答还有词元类型：0 表示问题，1 表示文本。）记住这些宽度。

# %%
wrapped, batches = {}, {}
for task_type, (base, tokenizer) in models.items():
    torch.manual_seed(0)
    config = peft.PrefixTuningConfig(task_type=task_type, num_virtual_tokens=5)
    wrapped[task_type] = peft.get_peft_model(base, config).eval()
    batches[task_type] = tasks[task_type].batch(tokenizer, examples[task_type])

batches["SEQ_2_SEQ_LM"]["decoder_attention_mask"] = (batches["SEQ_2_SEQ_LM"]["labels"] != -100).long()
questions, texts = [one[0] for one in examples["QUESTION_ANS"]], [one[1] for one in examples["QUESTION_ANS"]]
read = models["QUESTION_ANS"][1](questions, texts, padding=True, return_tensors="pt")
batches["QUESTION_ANS"]["token_type_ids"] = read["token_type_ids"]
for task_type, batch in batches.items():
    print(task_type, type(wrapped[task_type]).__name__)
    print("  ", {name: tuple(tensor.shape) for name, tensor in batch.items()})

# %% [markdown] lang="en"
# Now one stop in each. Run the cell with the stop by itself, ask, and write what you found into the cell below it.
# `"attend"` stops in the forward of whichever class runs. `r` runs on to the end of a function and stops there, with
# everything at its last value: so ask before it, and after it.
#
# ### Exercise 1 · CAUSAL_LM
#
# `PeftModelForCausalLM`: you know it from lesson 8. How wide are mask and labels when they are handed on?

# %% [markdown] lang="zh"
# 现在，在每个类里停一次。单独运行带停点的那个单元格，提问，再把结果写进它下面的单元格。不管运行的是哪个类，`"attend"` 都会停在它的 `forward` 里。`r` 一直运行到函数末尾，停在那里，这时每个变量都是最后的值：
# 所以在它之前问一次，在它之后再问一次。
#
# ### 练习 1 · CAUSAL_LM
#
# `PeftModelForCausalLM`：第 8 课里你已经见过它。传下去的时候，掩码和标签各有多宽？

# %% [markdown] lang="en" tags=["hint"]
# `p attention_mask.shape` and `p labels.shape`, at the end of forward.

# %% [markdown] lang="zh" tags=["hint"]
# 在 `forward` 的末尾：`p attention_mask.shape` 和 `p labels.shape`。

# %%
with stop_at("attend", where="peft", suggest=["p attention_mask.shape", "r", "p attention_mask.shape"]) as stop:
    wrapped["CAUSAL_LM"](**batches["CAUSAL_LM"])

# %% tags=["exercise"]
check_causal_lm(stop, {"mask": ..., "labels": ...})

# %% tags=["solution"]
with stop_at("attend", where="peft", commands=["r", "p attention_mask.shape", "p labels.shape", "c"]) as stop:
    wrapped["CAUSAL_LM"](**batches["CAUSAL_LM"])

check_causal_lm(stop, {"mask": 54, "labels": 49})

# %% [markdown] lang="en"
# ### Exercise 2 · SEQ_2_SEQ_LM
#
# `PeftModelForSeq2SeqLM`: two stacks, two masks. How wide is each of them when it is handed on?

# %% [markdown] lang="zh"
# ### 练习 2 · SEQ_2_SEQ_LM
#
# `PeftModelForSeq2SeqLM`：编码器和解码器，两个掩码。传下去的时候，它们各有多宽？

# %% [markdown] lang="en" tags=["hint"]
# Ask for `attention_mask` and for `decoder_attention_mask`. A mask has one column for each key that may be read.

# %% [markdown] lang="zh" tags=["hint"]
# 问 `attention_mask`，也问 `decoder_attention_mask`。能读的键有几个，掩码就有几列。

# %%
with stop_at("attend", where="peft", suggest=["p attention_mask.shape", "r", "p attention_mask.shape"]) as stop:
    wrapped["SEQ_2_SEQ_LM"](**batches["SEQ_2_SEQ_LM"])

# %% tags=["exercise"]
check_seq_2_seq_lm(stop, {"attention_mask": ..., "decoder_attention_mask": ...})

# %% tags=["solution"]
with stop_at(
    "attend", where="peft", commands=["r", "p attention_mask.shape", "p decoder_attention_mask.shape", "c"]
) as stop:
    wrapped["SEQ_2_SEQ_LM"](**batches["SEQ_2_SEQ_LM"])

check_seq_2_seq_lm(stop, {"attention_mask": 18, "decoder_attention_mask": 36})

# %% [markdown] lang="en"
# ## Three that PEFT has to finish itself
#
# A BERT with a head has no place for a cache in its forward; the BERT inside has one. So PEFT runs the BERT inside, and
# then does dropout, head and loss *itself*, in a second function: `_prefix_tuning_forward`. In pdb, `b` sets a
# breakpoint of your own there, and `c` runs on to it.
#
# ### Exercise 3 · SEQ_CLS
#
# `PeftModelForSequenceClassification`: praise or complaint? How wide is the mask now, what does the head read, and what
# does it give? (Shapes, as in `(2, 21, 128)`.)

# %% [markdown] lang="zh"
# ## 有三个要由 PEFT 自己收尾
#
# 带任务头的 BERT，它的 `forward` 不接收缓存；里面的那个 BERT 接收。所以 PEFT 运行里面的 BERT，然后在第二个函数 `_prefix_tuning_forward` 里，
# **自己**做 dropout、任务头和损失。在 pdb 里，`b` 可以在那里设一个你自己的断点，`c` 一直运行到它。
#
# ### 练习 3 · SEQ_CLS
#
# `PeftModelForSequenceClassification`：是称赞，还是抱怨？现在掩码有多宽，任务头读到什么，又给出什么？（写形状，例如 `(2, 21, 128)`。）

# %% [markdown] lang="en" tags=["hint"]
# At the end of `_prefix_tuning_forward`, `pooled_output` is what went into the head, and `logits` what came out.

# %% [markdown] lang="zh" tags=["hint"]
# 在 `_prefix_tuning_forward` 的末尾，`pooled_output` 是进入任务头的，`logits` 是从任务头出来的。

# %%
with stop_at(
    "attend", where="peft", suggest=["b self._prefix_tuning_forward", "c", "p attention_mask.shape", "r"]
) as stop:
    wrapped["SEQ_CLS"](**batches["SEQ_CLS"])

# %% tags=["exercise"]
check_seq_cls(stop, {"mask": ..., "head_reads": ..., "logits": ...})

# %% tags=["solution"]
with stop_at(
    "attend",
    where="peft",
    commands=[
        "b self._prefix_tuning_forward",
        "c",
        "p attention_mask.shape",
        "r",
        "p pooled_output.shape",
        "p logits.shape",
        "c",
    ],
) as stop:
    wrapped["SEQ_CLS"](**batches["SEQ_CLS"])

check_seq_cls(stop, {"mask": 26, "head_reads": (2, 128), "logits": (2, 2)})

# %% [markdown] lang="en"
# ### Exercise 4 · TOKEN_CLS
#
# `PeftModelForTokenClassification`: which words name a food, a price, an area? The same three questions. What is
# different?

# %% [markdown] lang="zh"
# ### 练习 4 · TOKEN_CLS
#
# `PeftModelForTokenClassification`：哪些词说的是食物、价格、区域？还是那三个问题。哪里不同了？

# %% [markdown] lang="en" tags=["hint"]
# The local name is another one here: `sequence_output`. `ll` lists the whole function.

# %% [markdown] lang="zh" tags=["hint"]
# 这里的局部变量换了名字：`sequence_output`。`ll` 列出整个函数。

# %%
with stop_at(
    "attend", where="peft", suggest=["b self._prefix_tuning_forward", "c", "p attention_mask.shape", "r"]
) as stop:
    wrapped["TOKEN_CLS"](**batches["TOKEN_CLS"])

# %% tags=["exercise"]
check_token_cls(stop, {"mask": ..., "head_reads": ..., "logits": ...})

# %% tags=["solution"]
with stop_at(
    "attend",
    where="peft",
    commands=[
        "b self._prefix_tuning_forward",
        "c",
        "p attention_mask.shape",
        "r",
        "p sequence_output.shape",
        "p logits.shape",
        "c",
    ],
) as stop:
    wrapped["TOKEN_CLS"](**batches["TOKEN_CLS"])

check_token_cls(stop, {"mask": 26, "head_reads": (2, 21, 128), "logits": (2, 21, 4)})

# %% [markdown] lang="en"
# ### Exercise 5 · QUESTION_ANS
#
# `PeftModelForQuestionAnswering`: where in the text does the answer stand? How wide is the mask, and what does the head
# give? And the token types that we gave: are they `"handed_on"` to BERT, or `"dropped"`?

# %% [markdown] lang="zh"
# ### 练习 5 · QUESTION_ANS
#
# `PeftModelForQuestionAnswering`：答案在文本的什么地方？掩码有多宽，任务头给出什么？还有我们给的词元类型：是传给了 BERT（`"handed_on"`），还是丢掉了（`"dropped"`）？

# %% [markdown] lang="en" tags=["hint"]
# In `_prefix_tuning_forward`, `kwargs` is what BERT is called with, once `past_key_values` is in it: `p list(kwargs)`
# at the end.

# %% [markdown] lang="zh" tags=["hint"]
# 在 `_prefix_tuning_forward` 里，`kwargs` 放进 `past_key_values` 之后，就是用来调用 BERT 的参数：在末尾 `p list(kwargs)`。

# %%
with stop_at(
    "attend",
    where="peft",
    suggest=["p token_type_ids.shape", "b self._prefix_tuning_forward", "c", "p attention_mask.shape", "r"],
) as stop:
    wrapped["QUESTION_ANS"](**batches["QUESTION_ANS"])

# %% tags=["exercise"]
check_question_ans(stop, {"mask": ..., "logits": ..., "token_type_ids": ...})

# %% tags=["solution"]
with stop_at(
    "attend",
    where="peft",
    commands=[
        "b self._prefix_tuning_forward",
        "c",
        "p attention_mask.shape",
        "r",
        "p logits.shape",
        "p list(kwargs)",
        "c",
    ],
) as stop:
    wrapped["QUESTION_ANS"](**batches["QUESTION_ANS"])

check_question_ans(stop, {"mask": 39, "logits": (2, 34, 2), "token_type_ids": "dropped"})

# %% [markdown] lang="en"
# This forward names token types and positions in its signature, and never passes them on: no error, no warning. BERT
# then takes question and text for one. The other two of these three hand token types on; those that call the whole
# model drop them with a warning.
#
# ### Exercise 6 · FEATURE_EXTRACTION
#
# `PeftModelForFeatureExtraction`: four sentences, and a vector is wanted for each of their tokens. How wide is the
# mask, and what shape have the vectors that come out?

# %% [markdown] lang="zh"
# 这个 `forward` 的签名里写着词元类型和位置，却从来不往下传：不报错，也不警告。于是 BERT 把问题和文本当成了同一段。这三个类里，另外两个会传词元类型；调用整个模型的那几个会丢掉它，并给出警告。
#
# ### 练习 6 · FEATURE_EXTRACTION
#
# `PeftModelForFeatureExtraction`：四句话，要给其中每个词元一个向量。掩码有多宽？输出的向量是什么形状？

# %% [markdown] lang="en" tags=["hint"]
# At the end of a function pdb knows what it gives back: `p __return__.last_hidden_state.shape`.

# %% [markdown] lang="zh" tags=["hint"]
# 在函数末尾，pdb 知道它要返回什么：`p __return__.last_hidden_state.shape`。

# %%
with stop_at("attend", where="peft", suggest=["p attention_mask.shape", "r", "p attention_mask.shape"]) as stop:
    wrapped["FEATURE_EXTRACTION"](**batches["FEATURE_EXTRACTION"])

# %% tags=["exercise"]
check_feature_extraction(stop, {"mask": ..., "vectors": ...})

# %% tags=["solution"]
with stop_at(
    "attend", where="peft", commands=["r", "p attention_mask.shape", "p __return__.last_hidden_state.shape", "c"]
) as stop:
    wrapped["FEATURE_EXTRACTION"](**batches["FEATURE_EXTRACTION"])

check_feature_extraction(stop, {"mask": 33, "vectors": (4, 28, 128)})

# %% [markdown] lang="en"
# ## Side by side
#
# All six once more, without a stop. A hook (lesson 8) before the model that PEFT calls tells what arrives there: the
# BERT inside for three of them, the whole model for the others.

# %% [markdown] lang="zh"
# ## 放在一起看
#
# 六个都再运行一次，这回不停。在 PEFT 调用的模型前面挂一个钩子（第 8 课），就知道到达那里的是什么：其中三个，PEFT 调用的是里面的 BERT；其余的，是整个模型。

# %%
heard, outputs = {}, {}
for task_type, model in wrapped.items():
    inside = "bert" if task_type in ("SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS") else ""  # "" is the whole model

    def hear(module, args, kwargs, task_type=task_type):
        heard[task_type] = dict(kwargs)

    hook = model.get_base_model().get_submodule(inside).register_forward_pre_hook(hear, with_kwargs=True)
    outputs[task_type] = model(**batches[task_type])
    hook.remove()

masks = [
    (task_type, name, batches[task_type][name], heard[task_type][name])
    for task_type in wrapped
    for name in ("attention_mask", "decoder_attention_mask")
    if name in batches[task_type]
]
draw_masks(masks)

# %% [markdown] lang="en"
# Six masks grew, one stayed. Red is the prefix: always readable, always in front. Padding stays where it was. (Give no
# mask at all, and none is made: then everything may be read, the prefix too.)
#
# And the labels: do they arrive in the model? Who makes the loss of them, the model or PEFT? And what comes out?

# %% [markdown] lang="zh"
# 六个掩码变长了，一个没变。红色是前缀：永远可读，永远在最前面。填充还在原来的地方。（要是一个掩码也不给，就不会做出掩码来：那样一切都可读，前缀也一样。）
#
# 那么标签呢：它们到了模型里吗？用它们算损失的，是模型还是 PEFT？最后输出的又是什么？

# %%
rows = []
for task_type, output in outputs.items():
    labels = "labels" in heard[task_type]
    loss = ("base_model" if labels else "peft") if "loss" in output else "-"
    name = next(name for name in output if name != "loss")
    rows.append((task_type, labels, loss, f"{name} {tuple(output[name].shape)}"))
table(("task_type", "labels", "loss", "output"), rows)

# %% [markdown] lang="en"
# **Labels are never padded**, and what comes out never covers the prefix. Prompt tuning (Brian Lester, Rami Al-Rfou and
# Noah Constant, “The Power of Scale for Parameter-Efficient Prompt Tuning”, 2021, [arXiv
# 2104.08691](https://arxiv.org/abs/2104.08691)) puts its vectors among the inputs. So its logits cover the virtual
# tokens too, and the labels have to be padded:

# %% [markdown] lang="zh"
# **标签从来不用补**，输出也从来不包括前缀。提示微调（prompt tuning；Brian Lester、Rami Al-Rfou 和 Noah Constant，
# “The Power of Scale for Parameter-Efficient Prompt Tuning”，2021，
# [arXiv 2104.08691](https://arxiv.org/abs/2104.08691)）把它的向量和输入排在一起，所以它的 logits 也包括虚拟词元，标签也必须补到同样长：

# %%
prompt_config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
prompt_model = peft.get_peft_model(load_tiny("gpt2")[0], prompt_config).eval()
sizes = {"batch": 2, "source": 49, "prefix_len": 5, "vocab": len(models["CAUSAL_LM"][1])}
prompt_output = prompt_model(**batches["CAUSAL_LM"])
print("prefix_tuning", named(outputs["CAUSAL_LM"].logits.shape, "batch source vocab", sizes))
print("prompt_tuning", named(prompt_output.logits.shape, "batch prefix_len+source vocab", sizes))

# %% [markdown] lang="en"
# ### Exercise 7 · end the forward yourself
#
# Write what PEFT does at the end of `_prefix_tuning_forward` for `SEQ_CLS`. `outputs[0]` is a vector for each token,
# (batch, source, hidden); `outputs[1]` the pooled vector, one for each text, (batch, hidden). `dropout` and
# `classifier` are modules to call. Return the loss and the logits.

# %% [markdown] lang="zh"
# ### 练习 7 · 自己写 forward 的结尾
#
# 写出 PEFT 在 `_prefix_tuning_forward` 的末尾为 `SEQ_CLS` 所做的事。`outputs[0]` 是每个词元一个向量，(batch, source, hidden)，也就是（批次，输入长度，
# 隐藏维度）；`outputs[1]` 是池化后的向量，每个文本一个，(batch, hidden)。`dropout` 和 `classifier` 是可以调用的模块。返回损失和 logits。

# %% [markdown] lang="en" tags=["hint"]
# The pooled vector goes through the dropout, and what comes out of it through the classifier.

# %% [markdown] lang="zh" tags=["hint"]
# 池化后的向量先过 `dropout`，出来的结果再过 `classifier`。

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.functional.cross_entropy(logits, labels)` does the softmax itself.

# %% [markdown] lang="zh" tags=["hint"]
# `torch.nn.functional.cross_entropy(logits, labels)` 自己会做 softmax。


# %% tags=["exercise"]
def ending(outputs, dropout, classifier, labels):
    logits = ...
    loss = ...
    return loss, logits


check_ending(ending)


# %% tags=["solution"]
def ending(outputs, dropout, classifier, labels):
    logits = classifier(dropout(outputs[1]))
    loss = torch.nn.functional.cross_entropy(logits, labels)
    return loss, logits


check_ending(ending)

# %% [markdown] lang="en"
# Ours is written once for the three tasks (`prefix_lab/beside/task_classes.py`). The same weights, the same texts: are
# logits and loss the same, to the last bit?

# %% [markdown] lang="zh"
# 我们的代码，三种任务只写了一遍（`prefix_lab/beside/task_classes.py`）。同样的权重，同样的文本：logits 和损失是不是一样，一位不差？

# %%
base, _ = load_tiny("bert", AutoModelForSequenceClassification, num_labels=2)
torch.manual_seed(0)
ours = prefix_lab.get_peft_model(base, prefix_lab.PrefixTuningConfig("SEQ_CLS", num_virtual_tokens=5)).eval()
one, two = ours(**batches["SEQ_CLS"]), outputs["SEQ_CLS"]
print(torch.equal(one.logits, two.logits), torch.equal(one.loss, two.loss))

# %% [markdown] lang="en"
# ## What trains beside the prefix
#
# ### Exercise 8 · in which tasks does a head train?
#
# Think first; the next cell prints it.
#
# - `"a"`: in all that have a head, the two language models among them;
# - `"b"`: in none: the base is frozen, and a head belongs to it;
# - `"c"`: in `SEQ_CLS`, `TOKEN_CLS` and `QUESTION_ANS`;
# - `"d"`: in all four for which BERT is used.

# %% [markdown] lang="zh"
# ## 除了前缀，还有什么在训练
#
# ### 练习 8 · 哪些任务里，任务头也参加训练？
#
# 先想好；下一个单元格会打印出来。
#
# - `"a"`：有头的都训练，两个语言模型也在内；
# - `"b"`：都不训练：基座模型是冻结的，头属于基座模型；
# - `"c"`：`SEQ_CLS`、`TOKEN_CLS` 和 `QUESTION_ANS`；
# - `"d"`：用 BERT 的那四种全都训练。

# %% [markdown] lang="en" tags=["hint"]
# Which of the six heads is new, and which was pretrained with its model?

# %% [markdown] lang="zh" tags=["hint"]
# 六个里面，谁的头是新的？谁的头是和模型一起预训练的？

# %% tags=["exercise"]
check_which_trains(...)

# %% tags=["solution"]
check_which_trains("c")

# %%
for task_type, model in wrapped.items():
    print(task_type)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            print("   ", name.removeprefix("base_model."))
print(wrapped["SEQ_CLS"].peft_config["default"].modules_to_save)

# %% [markdown] lang="en"
# A classifier's head is new. So PEFT wraps it: the original stays frozen, and a copy trains and is saved. The last line
# is what PEFT's config says of it, `modules_to_save`. (Each name stands there twice, since both `add_adapter` and the
# class's own `__init__` add it. It does no harm.)

# %% [markdown] lang="zh"
# 分类器的任务头是新的。所以 PEFT 把它包起来：原来的那个保持冻结，训练并保存的是它的一个副本。最后一行是 PEFT 的配置里对此的说明，`modules_to_save`。（每个名字都出现两次，
# 因为 `add_adapter` 和这个类自己的 `__init__` 各加了一遍。没有坏处。）

# %%
ParameterBars(wrapped["SEQ_CLS"])

# %% [markdown] lang="en"
# ## Switch the prefix off
#
# `disable_adapter()` should give the base model back for a moment. In PEFT it does so for the tasks that can generate;
# for the other four it trips over a variable that only generation sets. Ours works for all six; the last line says
# whether its logits are the same when the prefix is off.

# %% [markdown] lang="zh"
# ## 关掉前缀
#
# `disable_adapter()` 应当让基座模型暂时恢复原样。PEFT 里，能做生成的任务确实如此；其余四种会出错，因为用到了一个只有生成时才赋值的变量。我们的代码六种都能用；最后一行告诉你，关掉前缀时，
# logits 是不是和原来一样。

# %%
for task_type, model in wrapped.items():
    try:
        with model.disable_adapter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model(**batches[task_type])
        print(f"{task_type:20} ok")
    except UnboundLocalError as error:
        print(f"{task_type:20} {type(error).__name__}: {str(error)[:62]}…")

with ours.disable_adapter():
    off = ours(**batches["SEQ_CLS"])
print(torch.equal(off.logits, one.logits))

# %% [markdown] lang="en"
# ## How well does it do?
#
# That was measured for all six, beside LoRA and beside training the whole model:

# %% [markdown] lang="zh"
# ## 效果怎么样？
#
# 六种任务都量过，和 LoRA 比，也和训练整个模型比：

# %%
show("tasks")

# %% [markdown] lang="en"
# ## What you have seen
#
# One prefix, six ways to hand it over. Three tasks give the model all it needs and step aside. Three must finish the
# work themselves, because the head's own forward has no place for a past. The mask that grows is always that of the
# attention which reads the prefix.
#
# Read next: `prefix_lab/tasks.py` and `prefix_lab/beside/task_classes.py`, each class a screen at most.

# %% [markdown] lang="zh"
# ## 你看到了什么
#
# 同一个前缀，交给模型的方式有六种。三个类把模型需要的都交给它，就不再插手；另外三个得自己做完剩下的事，因为带任务头的 `forward` 没有地方接收 `past_key_values`。变长的掩码，总是读前缀的那个注意力的掩码。
#
# 接着读：`prefix_lab/tasks.py` 和 `prefix_lab/beside/task_classes.py`，每个类最多一屏。

# %%
show_progress(10)
