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
# `get_peft_model` has six classes to choose from. All of them make the same prefix. So why six? At the end you will be
# able to say, for each of them,
#
# - which mask grows by `prefix_len`, and which stays as you gave it;
# - what becomes of your labels, token types and positions;
# - who runs the head, and what trains beside the prefix.
#
# It takes about 20 minutes. Begin at the top: **Shift + Enter** runs a cell and leads to the next one.

# %%
# first of all, and again after each restart
from prefix_lab.course import make_ready

make_ready()

import warnings

import peft
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import after_exercise, listen, show_progress, table
from prefix_lab.course.lessons.lesson_10 import (
    check_ending,
    check_grown_mask,
    check_trainable,
    check_widths,
    draw_masks,
    record_classification,
)
from prefix_lab.shapes import named
from prefix_lab.widgets import ParameterBars, Stepper, predict

torch.set_num_threads(1)  # so small a model is no faster on two, and on a busy machine ten times slower

# %% [markdown] lang="en"
# ## Six small models
#
# They are built from a config with random weights: in this lesson shapes are what counts. To look at a model of your
# own, put it in its place, as in the line with `#`: a local folder, or a hub name if you have a line to it. Then the
# widths below are your model's, and everything else stays.

# %%
torch.manual_seed(0)
bert = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 100}
gpt2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "bos_token_id": 1, "eos_token_id": 1}
t5 = {"d_model": 32, "d_kv": 8, "num_layers": 2, "num_heads": 4, "d_ff": 64, "vocab_size": 100}
models = {
    "SEQ_CLS": BertForSequenceClassification(BertConfig(**bert, num_labels=3)),
    "TOKEN_CLS": BertForTokenClassification(BertConfig(**bert, num_labels=3)),
    "QUESTION_ANS": BertForQuestionAnswering(BertConfig(**bert)),
    "FEATURE_EXTRACTION": BertModel(BertConfig(**bert)),
    "CAUSAL_LM": GPT2LMHeadModel(GPT2Config(**gpt2)),
    "SEQ_2_SEQ_LM": T5ForConditionalGeneration(T5Config(**t5, decoder_start_token_id=0)),
}
# models["SEQ_CLS"] = BertForSequenceClassification.from_pretrained("a/local/folder")
models["CAUSAL_LM"].loss_type = "ForCausalLM"  # transformers guesses it from the class's name, and not from this one

# %% [markdown] lang="en"
# Each is wrapped by PEFT with a prefix of five. One line chooses the class, as in lesson 3.

# %%
wrapped = {}
for task, model in models.items():
    config = peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=5)
    wrapped[task] = peft.get_peft_model(model, config).eval()
    print(f"{task:20} {type(model).__name__:30} → {type(wrapped[task]).__name__}")

# %% [markdown] lang="en"
# ## Stand where the mask grows
#
# Here is a recording of PEFT's own source: the classifying BERT, once forwards and backwards. You stand in its forward,
# before one line. Answer first; then step on with →, and watch `attention_mask`.

# %%
recording = record_classification()
question = predict(recording, at="PeftModelForSequenceClassification.forward", name="attention_mask")
question

# %% [markdown] lang="en"
# ### Exercise 1 · the line where the mask grows
#
# What shape will it have? Answer in the picture, or here: with names, as in `"(batch, source)"`, or with numbers.

# %% [markdown] lang="en" tags=["hint"]
# `torch.cat(..., dim=1)` puts two tensors side by side; the second axis becomes as long as both together.

# %% tags=["exercise"]
check_grown_mask(question, ...)

# %% tags=["solution"]
check_grown_mask(question, "(batch, prefix_len+source)")

# %% [markdown] lang="en"
# ## Fill the table
#
# Two texts of seven tokens, the second one padded; for the T5 a target of six. Every model gets all that its task can
# take: labels, token types, positions.

# %%
ids = torch.randint(3, 100, (2, 7))
attention_mask = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]])
texts = {"input_ids": ids, "attention_mask": attention_mask}
places = {"position_ids": torch.arange(7).expand(2, -1)}
kinds = {"token_type_ids": torch.ones_like(ids)}
inputs = {
    "SEQ_CLS": texts | places | kinds | {"labels": torch.tensor([0, 2])},
    "TOKEN_CLS": texts | places | kinds | {"labels": torch.randint(3, (2, 7))},
    "QUESTION_ANS": texts
    | places
    | kinds
    | {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([3, 4])},
    "FEATURE_EXTRACTION": texts | places | kinds,
    "CAUSAL_LM": texts | places | kinds | {"labels": ids.clone()},
    "SEQ_2_SEQ_LM": texts | {"labels": ids[:, :6].clone(), "decoder_attention_mask": attention_mask[:, :6].clone()},
}

# %% [markdown] lang="en"
# ### Exercise 2 · which mask arrives how wide?
#
# Before you look: for each task, how wide are the two masks when they arrive in the model? Give two numbers, or `None`
# in the second place for a model that has no decoder beside an encoder.

# %% [markdown] lang="en" tags=["hint"]
# A mask has one column for each key that attention may read. So ask: which attention reads the prefix?

# %% [markdown] lang="en" tags=["hint"]
# In an encoder-decoder, PEFT fills only the cache of the decoder's self-attention. The encoder's attention finds
# nothing new.


# %% tags=["exercise"]
def widths(task_type, prefix_len, source, target):
    attention_mask = ...
    decoder_attention_mask = ...
    return attention_mask, decoder_attention_mask


check_widths(widths)


# %% tags=["solution"]
def widths(task_type, prefix_len, source, target):
    if task_type == "SEQ_2_SEQ_LM":
        return source, prefix_len + target
    return prefix_len + source, None


check_widths(widths)

# %% [markdown] lang="en"
# Now run all six, and see what arrives. `listen` puts a hook before the base model and one before the backbone inside
# it. It says which of the two got the cache, and what else came with it.

# %%
sizes = {"batch": 2, "source": 7, "target": 6, "prefix_len": 5, "hidden": 32, "vocab": 100}
heard, warned = {}, {}
for task, model in wrapped.items():
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        heard[task] = listen(model, inputs[task])
    warned[task] = [str(one.message) for one in complaints if "oken type" in str(one.message)]

masks = []
for task, (_, arrived, _) in heard.items():
    for name in ("attention_mask", "decoder_attention_mask"):
        if name in inputs[task]:
            masks.append((task, name, inputs[task][name], arrived[name]))
after_exercise(2, draw_masks(masks))


# %% [markdown] lang="en"
# Six masks grew, one stayed. Red is the prefix: always readable, always in front. Padding stays where it was. (Give no
# mask at all, and none is made: then everything may be read, the prefix too.)
#
# And the rest of what you gave:


# %%
def fate(task, name):
    """What became of an input: its first number, before and after."""
    if name not in inputs[task]:
        return "not given"
    now = heard[task][1].get(name)
    if now is None:
        return "dropped, with a warning" if warned[task] else "dropped, silently"
    before, after = int(inputs[task][name].flatten()[0]), int(now.flatten()[0])
    return f"arrives, {before} became {after}" if before != after else "arrives as it was"


def shape_of(output):
    name = next(name for name in ("logits", "start_logits", "last_hidden_state") if name in output)
    axes = {2: "batch source", 3: "batch source|target vocab|hidden"}[output[name].dim()]
    return f"{name} {named(output[name].shape, axes, sizes)}"


table(
    ("task", "the cache goes to", "labels", "token_type_ids", "position_ids", "out"),
    [
        (
            task,
            door,
            "go in too" if "labels" in arrived else "stay with PEFT" if "loss" in output else "none",
            fate(task, "token_type_ids"),
            fate(task, "position_ids"),
            shape_of(output),
        )
        for task, (door, arrived, output) in heard.items()
    ],
)

# %% [markdown] lang="en"
# Read it row by row. What is worth remembering:
#
# - **Labels are never padded**, and logits never cover the prefix: they are made where there are queries, and the
#   prefix has none.
# - **Positions move by prefix_len**, 0 became 5, so that the text stands behind the prefix.
# - **Token types** are dropped by two tasks, with a warning. `QUESTION_ANS` drops token types *and* positions without
#   a word: its forward names them in its signature, and never passes them on. BERT then counts positions itself, from
#   `prefix_len`, so nothing is lost but your own choice of them, and of the token types.
#
# Prompt tuning (Lester, Al-Rfou and Constant, “The Power of Scale for Parameter-Efficient Prompt Tuning”, 2021, [arXiv
# 2104.08691](https://arxiv.org/abs/2104.08691)) puts its vectors among the inputs. So its logits cover the virtual
# tokens too, and the labels have to be padded:

# %%
prompt_config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
prompt_model = peft.get_peft_model(GPT2LMHeadModel(GPT2Config(**gpt2)), prompt_config).eval()
_, _, prefix_output = heard["CAUSAL_LM"]
prompt_output = prompt_model(**texts)
print("prefix tuning, logits:", named(prefix_output.logits.shape, "batch source vocab", sizes))
print("prompt tuning, logits:", named(prompt_output.logits.shape, "batch prefix_len+source vocab", sizes))

# %% [markdown] lang="en"
# ## Why three tasks go to the backbone
#
# A BERT with a head has no place for a cache in its forward; the BERT inside has one. So PEFT runs the BERT inside,
# and does dropout, head and loss *itself*. Stop there with pdb, and look at both forwards:

# %%
seq_cls = wrapped["SEQ_CLS"]
with stop_at(
    peft.PeftModelForSequenceClassification._prefix_tuning_forward,
    commands=[
        "p tuple(attention_mask.shape)",
        "p 'past_key_values' in inspect.signature(self.base_model.forward).parameters",
        "p self.transformer_backbone_name",
        "p 'past_key_values' in inspect.signature(self.base_model.bert.forward).parameters",
        "p self.cls_layer_name",
        "u",
        "p kwargs.keys()",
        "c",
    ],
    debugger="pdb",
):
    seq_cls(**inputs["SEQ_CLS"])

# %% [markdown] lang="en"
# The stepper stands in the same function, where the backbone has answered. Step on: dropout, head, loss.

# %%
pooled = next(step for step in recording.steps if "pooled_output" in step.changed)
Stepper(recording, at=pooled, height="520px")

# %% [markdown] lang="en"
# ### Exercise 3 · end the forward yourself
#
# Write that end. `outputs[0]` is a vector for each token, (batch, source, hidden); `outputs[1]` the pooled vector, one
# for each text, (batch, hidden). `dropout` and `classifier` are modules to call. Return the loss and the logits.

# %% [markdown] lang="en" tags=["hint"]
# Three calls in a row make the logits: `classifier(dropout(...))` of the pooled vector.

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
# Ours is written once for the three tasks (`prefix_lab/beside/task_classes.py`). The same weights, the same texts: is
# it the same?

# %%
torch.manual_seed(1)
ours_base = BertForSequenceClassification(BertConfig(**bert, num_labels=3))
torch.manual_seed(1)
their_base = BertForSequenceClassification(BertConfig(**bert, num_labels=3))
torch.manual_seed(2)
ours = prefix_lab.get_peft_model(ours_base, prefix_lab.PrefixTuningConfig("SEQ_CLS", num_virtual_tokens=5)).eval()
torch.manual_seed(2)
theirs = peft.get_peft_model(their_base, peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=5)).eval()
one, two = ours(**inputs["SEQ_CLS"]), theirs(**inputs["SEQ_CLS"])
print("logits equal:", torch.equal(one.logits, two.logits), "· loss equal:", torch.equal(one.loss, two.loss))

# %% [markdown] lang="en"
# ## What trains beside the prefix
#
# A classifier's head is new, and starts with random numbers; frozen, it would keep them. So PEFT wraps it: the original
# stays frozen, and a copy trains and is saved. A language model's head was trained with the model, and stays frozen.

# %%
for task, model in wrapped.items():
    trains = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    print(f"{task:20}", ", ".join(name.removeprefix("base_model.") for name in trains))
print("\nwhat PEFT's config says of it:", seq_cls.peft_config["default"].modules_to_save)

# %% [markdown] lang="en"
# Each name stands there twice, since both `add_adapter` and the class's own `__init__` add it. It does no harm.

# %%
ParameterBars(seq_cls)

# %% [markdown] lang="en"
# ### Exercise 4 · count what trains
#
# For `SEQ_CLS`: the prefix, and a linear head with a bias from `hidden` to `classes`. How many numbers train?

# %% [markdown] lang="en" tags=["hint"]
# The prefix: `prefix_len` rows with a key and a value for every layer, each `hidden` wide.


# %% tags=["exercise"]
def trainable(prefix_len, layers, hidden, classes):
    return ...


check_trainable(trainable)


# %% tags=["solution"]
def trainable(prefix_len, layers, hidden, classes):
    prefix = prefix_len * 2 * layers * hidden
    head = hidden * classes + classes
    return prefix + head


check_trainable(trainable)

# %% [markdown] lang="en"
# ## Switch the prefix off
#
# `disable_adapter()` should give the base model back for a moment. In PEFT it does so for the tasks that can generate;
# for the other four it trips over a variable that only generation sets. Ours works for all six.

# %%
for task, model in wrapped.items():
    try:
        with model.disable_adapter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model(**inputs[task])
        print(f"{task:20} works")
    except UnboundLocalError as error:
        print(f"{task:20} {type(error).__name__}: {str(error)[:62]}…")

with ours.disable_adapter():
    off = ours(**inputs["SEQ_CLS"])
print("\nours, SEQ_CLS, off: logits change:", not torch.equal(off.logits, one.logits))

# %% [markdown] lang="en"
# ## What you have seen
#
# One prefix, six ways to hand it over. Three tasks give the model all it needs and step aside. Three must finish the
# work themselves, because the head's own forward has no place for a past. The mask that grows is always that of the
# attention which reads the prefix.
#
# Read next: `prefix_lab/tasks.py` and `prefix_lab/beside/task_classes.py`, each class a screen at most. Lesson 8 showed
# what happens inside attention once the mask has grown; lesson 03 trains.

# %%
show_progress(10)
