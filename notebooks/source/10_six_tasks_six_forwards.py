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

# %% [markdown] lang="en" tags=["hint"]
# `p attention_mask.shape` and `p labels.shape`, at the end of forward.

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

# %% [markdown] lang="en" tags=["hint"]
# Ask for `attention_mask` and for `decoder_attention_mask`. A mask has one column for each key that may be read.

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

# %% [markdown] lang="en" tags=["hint"]
# At the end of `_prefix_tuning_forward`, `pooled_output` is what went into the head, and `logits` what came out.

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

# %% [markdown] lang="en" tags=["hint"]
# The local name is another one here: `sequence_output`. `ll` lists the whole function.

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

# %% [markdown] lang="en" tags=["hint"]
# In `_prefix_tuning_forward`, `kwargs` is what BERT is called with, once `past_key_values` is in it: `p list(kwargs)`
# at the end.

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

# %% [markdown] lang="en" tags=["hint"]
# At the end of a function pdb knows what it gives back: `p __return__.last_hidden_state.shape`.

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

# %% [markdown] lang="en" tags=["hint"]
# The pooled vector goes through the dropout, and what comes out of it through the classifier.

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.functional.cross_entropy(logits, labels)` does the softmax itself.


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

# %% [markdown] lang="en" tags=["hint"]
# Which of the six heads is new, and which was pretrained with its model?

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

# %%
ParameterBars(wrapped["SEQ_CLS"])

# %% [markdown] lang="en"
# ## Switch the prefix off
#
# `disable_adapter()` should give the base model back for a moment. In PEFT it does so for the tasks that can generate;
# for the other four it trips over a variable that only generation sets. Ours works for all six; the last line says
# whether its logits are the same when the prefix is off.

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

# %%
show_progress(10)
