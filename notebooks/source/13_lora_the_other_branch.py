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

# %% [markdown] lang="en" tags=["hint"]
# `w` lists the callers; `u 2` climbs two at once. `l` shows the lines around, with an arrow at the one that runs.

# %% [markdown] lang="en" tags=["hint"]
# In `PeftModel.__init__`, `p cls` prints the class. What stands between `if` and `:` is the attribute.

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

# %%
show_stage(
    "choose", mark=("is_prompt_learning", "self.base_model("), also=("prefix_lab.beside.lora.LoraPeftModel.forward",)
)

# %% [markdown] lang="en"
# And in the forward? A hook on the base model notes what arrives there, with each of the two.

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
# `p slopes(fresh)`. Which matrix is
# zero at the start, and which gets a gradient in the first step?

# %% [markdown] lang="en" tags=["hint"]
# `r` runs `backward` to its end, `u` climbs to the cell.

# %% [markdown] lang="en" tags=["hint"]
# The layer gives W x + B (A x). If B is zero, a small change of A changes nothing.


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

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.Linear(a, b, bias=False)` leads from a to b. `base.in_features` and `base.out_features` know the widths.

# %% [markdown] lang="en" tags=["hint"]
# `torch.nn.init.zeros_(self.up.weight)` sets B to zero. If A were zero as well, neither would ever get a gradient.


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

# %% [markdown] lang="en" tags=["hint"]
# `@` multiplies matrices. Which order gives (wide_out, wide_in)?


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

# %% [markdown] lang="en"
# ## What each way trains
#
# Move the sliders: how long may a prefix be until it trains as much as LoRA does?

# %%
ParameterBars("t5-base", prefix_len=20, r=8)


# %% [markdown] lang="en"
# ## An old case: the famous example
#
# t5-base, LoRA on `q` and `v`, and a count of parameters: it stands in the docstring of the class for `SEQ_2_SEQ_LM`,
# in your own installation. `example_of` takes the config and the printed line out of the text.

# %%
docstring = inspect.getdoc(peft.PeftModelForSeq2SeqLM)
print(docstring[docstring.index("Example:") :])
example, printed = example_of(peft.PeftModelForSeq2SeqLM)

# %% [markdown] lang="en"
# `get_peft_config` looks at one field, `peft_type`, picks the class, and gives it the whole dict. Ours does the same,
# from a table that you can read:

# %%
config, own = peft.get_peft_config(example), prefix_lab.get_peft_config(example)
print(type(config), type(own), sep="\n", end="\n\n")
print(inspect.getsource(peft.get_peft_config))
print(inspect.getsource(prefix_lab.get_peft_config))

# %% [markdown] lang="en"
# So each field of the dict has to be one of the class's. Many an old copy of this example has one more, `enable_lora`,
# which PEFT had once. Who complains, and of what?

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

# %%
t5_base = without_weights("t5-base")
base_total = sum(parameter.numel() for parameter in t5_base.parameters())
q = t5_base.encoder.block[0].layer[0].SelfAttention.q
print(f"{base_total:,}", q.weight.device, q)

# %% [markdown] lang="en"
# Which layers? `q` and `v` of every attention: 12 in the encoder, 12 in the decoder, and 12 cross-attentions. Below:
# what A and B of all of them hold, then the docstring's line, and today's.

# %%
peft_model = peft.get_peft_model(without_weights("t5-base"), config)
replaced = [name for name, module in peft_model.named_modules() if isinstance(module, peft.tuners.lora.Linear)]
r, wide = config.r, q.in_features
print(f"{len(replaced)} · {r} · ({wide} + {wide}) = {len(replaced) * r * (wide + wide):,}")
print(printed)
peft_model.print_trainable_parameters()

# %% [markdown] lang="en"
# As many numbers train, but *all params* is another. (Commas and rounding came later, too.) Now you are the detective:

# %%
then_trains, then_all = numbers_in(printed)[:2]
now_trains, now_all = peft_model.get_nb_trainable_parameters()
difference = then_all - now_all
print(f"{then_all:,} - {now_all:,} = {difference:,}")
print(f"{difference:,} / {len(replaced)} = {difference / len(replaced):,}")

# %% [markdown] lang="en"
# For each replaced layer 768 numbers, as many as such a layer is wide, frozen, and gone since. What has one number for
# each output? Ask a debugger: stop where PEFT makes its own layer from the old one, and look at both.

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

# %% [markdown] lang="en"
# ### Exercise 5 · the stale total
#
# Prove it: what does the count print, if each replaced layer has a bias besides? `base` is the model before LoRA.

# %% [markdown] lang="en" tags=["hint"]
# There are three parts, and two of them you know already. How many numbers has the bias of one replaced layer?


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

# %%
show_progress(13)
